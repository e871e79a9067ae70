//! One complaint: the state that lists read, the log that rebuilds it, and what a customer hands in.
//!
//! A [`Submission`] becomes a [`Complaint`]. From then on each change adds an [`Entry`] to its log: an [`Event`] with the
//! facts, the [`Place`] where the work is afterwards, and beside them the [`Words`] that people typed. The state holds
//! nothing that the log does not say; [`replay`](crate::lifecycle::replay) rebuilds it.
//!
//! Examples: [`Submission`], [`Complaint`], [`Entry`].

mod closed_list;
mod decision;
mod entry;
mod event;
mod feedback;
mod remedy;
mod state;
mod submission;
mod words;

pub use decision::{Decision, Dismissal, DismissalReason, Outcome, Proposal};
pub use entry::{Entry, Place};
pub use event::{CloseCause, EndElsewhere, EscalationCause, Event, EventName, ReleaseCause};
pub use feedback::{Feedback, Rating};
pub use remedy::{Remedy, RemedyKind, RemedyPromise, RemedyState, RemedyStep};
pub use state::{Complaint, Contact, Escalation, Exclusion, ExclusionCause, Question};
pub use submission::{Attachment, Channel, Item, Priority, Submission, Wish};
pub use words::Words;
