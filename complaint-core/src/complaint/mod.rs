//! One complaint: the state that lists read, the log that rebuilds it, and what a customer hands in.

mod entry;
mod event;
mod feedback;
mod remedy;
mod state;
mod submission;
mod words;

pub use entry::{Entry, Place};
pub use event::{CloseCause, EscalationCause, Event, ReleaseCause};
pub use feedback::{Feedback, Rating};
pub use remedy::{RemedyPromise, RemedyState, RemedyStep};
pub use state::{Complaint, Contact, Dismissal, Escalation, Exclusion, ExclusionCause, Proposal, Question, Resolution};
pub use submission::{
    Attachment, Channel, DismissalReason, Item, Outcome, Priority, Remedy, RemedyKind, Submission, Wish,
};
pub use words::Words;
