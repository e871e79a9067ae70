//! What PostgreSQL's error codes mean (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).

use complaint_core::store::StoreError;
use sqlx::error::DatabaseError;

use crate::error::{Fault, nothing_happened};

/// The meaning of an error after which nothing happened.
pub(super) fn meaning(error: sqlx::Error) -> StoreError {
    let sqlx::Error::Database(database) = error else { return nothing_happened(error, classify) };
    let fault = classify(database.as_ref());
    // Not there, or there already under this name: a statement was prepared on another connection than it is used on.
    let is_pooled = matches!(&*code(database.as_ref()), "26000" | "42P05");
    let said = Said(database);
    match fault {
        _ if is_pooled => StoreError::Unusable(format!(
            "{said}: a proxy that pools transactions has to keep prepared statements (PgBouncer from 1.21 on, with \
             max_prepared_statements above 0), or to pool sessions"
        )),
        Fault::Passing => StoreError::Unavailable(Box::new(said)),
        Fault::Lasting => StoreError::Unusable(said.to_string()),
    }
}

/// What the server said. The driver would add a line number, which is one of the server's own source.
#[derive(Debug, thiserror::Error)]
#[error("the database says: {}", .0.message())]
struct Said(Box<dyn DatabaseError>);

/// The meaning of an error of a statement that commits by itself.
pub(super) fn commit_meaning(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(database) if !leaves_it_open(&code(database.as_ref())) => meaning(error),
        _ => StoreError::OutcomeUnknown(Box::new(error)),
    }
}

/// A server that goes down may say so after it has committed, and a proxy that lost its server (class 08) knows no more than we.
fn leaves_it_open(code: &str) -> bool {
    code.starts_with("57P0") || code.starts_with("08") || code == "40003"
}

/// Whether the same change again may be told what stands against it: something got in between that takes no locks, or
/// the database broke a tie.
pub(super) fn is_worth_another_try(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    matches!(&*code(database.as_ref()), "23505" | "40001" | "40P01")
}

/// Whether a workload would have come below nothing.
pub(super) fn is_negative_workload(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    database.constraint() == Some("complaint_agents_workload")
}

/// Whether a lock could not be had in time.
pub(super) fn is_lock_not_had(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if code(database.as_ref()) == "55P03")
}

/// What a server that does not answer is called.
pub(super) fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database did not answer in time"))
}

fn classify(error: &dyn DatabaseError) -> Fault {
    // Connection lost, transaction rolled back, too few resources, lock not to be had, stopped or timed out, I/O.
    let passing = ["08", "40", "53", "55P03", "57", "58"];
    if passing.iter().any(|class| code(error).starts_with(class)) { Fault::Passing } else { Fault::Lasting }
}

fn code(error: &dyn DatabaseError) -> String {
    error.code().unwrap_or_default().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_committed_is_not_said_to_be_undone() {
        // admin_shutdown, connection_failure, a proxy's protocol_violation, transaction_resolution_unknown, statement_completion_unknown.
        for code in ["57P01", "08006", "08P01", "08007", "40003"] {
            assert!(leaves_it_open(code), "{code}");
        }
        // unique_violation, serialization_failure, query_canceled, lock_not_available.
        for code in ["23505", "40001", "57014", "55P03"] {
            assert!(!leaves_it_open(code), "{code}");
        }
    }
}
