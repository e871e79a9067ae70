//! Accounts: who may come in, and how we know.
//!
//! [`service`] holds what can be done; [`accounts`] what is kept and promised; [`sqlite`] or [`postgres`] keeps it;
//! [`second_factor`] is what guards an account beside its password; [`viewer`] says who asks.

pub mod accounts;
pub mod documents;
pub mod mail;
pub mod password;
pub mod phone;
pub mod postgres;
pub mod second_factor;
pub mod secret;
pub mod service;
pub mod sqlite;
pub mod values;
pub mod viewer;

pub use accounts::{
    Account, AccountChange, AccountFilter, Accounts, AccountsError, Asked, PolicyVersion, PolicyVersions,
};
pub use mail::{AccountMail, AccountMailError, AccountMessage};
pub use postgres::PostgresAccounts;
pub use service::{AccountService, AuthError, NewStaff, Visit};
pub use sqlite::SqliteAccounts;
pub use values::Role;
pub use viewer::{Admin, AnyViewer, Enrolling, MaybeViewer, Onlooker, Staff, Viewer};
