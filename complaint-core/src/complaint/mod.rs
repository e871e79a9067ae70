//! One complaint: the state that lists read, the log that rebuilds it, and what a customer hands in.

mod entry;
mod event;
mod state;
mod submission;
mod words;

pub use entry::{Entry, Place};
pub use event::{CloseCause, EscalationCause, Event, ReleaseCause};
pub use state::{
    Complaint, Contact, Dismissal, Escalation, Exclusion, ExclusionCause, Feedback, Proposal, Question, Rating,
    RemedyPromise, Resolution,
};
pub use submission::{
    Attachment, Channel, DismissalReason, Item, Outcome, Priority, Remedy, RemedyKind, Submission, Wish,
};
pub use words::Words;
