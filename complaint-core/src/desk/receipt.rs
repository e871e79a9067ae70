//! What a submission is answered with.

use crate::complaint::Complaint;
use crate::id::ComplaintId;
use crate::reference::Reference;

/// What a customer gets for a submission.
///
/// ```
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
/// # let desk = Desk::new(MemoryStore::new(), policy);
/// let about = Complaint::about("Water supply", "No water", "Since Monday.")?;
/// let john = desk.acting_as(Actor::customer("john")?).under_key("form-7", "digest of the form")?;
/// let receipt = john.submit(about.clone()).await?;
/// let again = john.submit(about).await?; // the answer was lost on the way
/// assert!(again.is_repeated());
/// assert_eq!(again.reference(), receipt.reference());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    pub(super) complaint: Complaint,
    pub(super) repeated: bool,
}

impl Receipt {
    /// The id of the complaint.
    pub fn id(&self) -> ComplaintId {
        self.complaint.id
    }

    /// The number people quote.
    pub fn reference(&self) -> Reference {
        self.complaint.reference
    }

    /// The complaint as it was right after submission, already with its handler if one was free.
    pub fn complaint(&self) -> &Complaint {
        &self.complaint
    }

    /// Whether it answers a repetition under the same idempotency key.
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }
}
