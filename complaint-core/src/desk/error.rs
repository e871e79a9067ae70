//! Why the desk said no.

use crate::id::{InvalidId, Version};
use crate::lifecycle::Refusal;
use crate::policy::PolicyError;
use crate::store::StoreError;

/// Why something could not be done, by what the caller can do.
///
/// ```
/// use complaint_core::DeskError;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// match john.begin(receipt.id()).await {
///     Err(DeskError::Refused(refusal)) => assert!(refusal.has("not_permitted")),
///     other => panic!("customers do not begin: {other:?}"),
/// }
/// let jane = desk.acting_as(Actor::customer("jane")?);
/// assert!(matches!(jane.read(receipt.id()).await, Err(DeskError::NotFound)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// The rules said no; the refusal names every reason.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such complaint, or this actor may not know of it: the same answer for both.
    #[error("there is no such complaint")]
    NotFound,
    /// The complaint was changed again and again meanwhile: read it and try again.
    #[error("the complaint was changed meanwhile")]
    Contended {
        /// The version that is current.
        current: Version,
    },
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// A value is not what it must be.
    #[error(transparent)]
    Invalid(#[from] InvalidId),
    /// The policy cannot be used: nothing is changed before [another one is adopted](crate::Desk::adopt).
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Storage failed.
    #[error("storage failed")]
    Store(#[from] StoreError),
}
