//! Who a recipient is, and how they are reached.

use async_trait::async_trait;
use complaint_core::NotifyError;
use complaint_core::id::AgentId;
use complaint_core::notice::Recipient;

use crate::header;

/// A person who is to be told, as the host knows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addressee {
    /// How to greet them.
    pub name: Option<String>,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Their telephone number, for a notifier that sends text messages.
    pub phone: Option<String>,
    /// The language they want, a BCP 47 tag. What there is no letter in is written in English.
    pub language: Option<String>,
    /// Their time zone, an IANA name such as `Europe/Berlin`; dates are written in UTC without it.
    pub zone: Option<String>,
    /// Whether they have nothing to log in with: their letters lead to the complaint by [links](crate::SignedLinks) that let them in.
    pub is_guest: bool,
}

impl Addressee {
    /// Somebody of whom only the address is known.
    pub fn at(email: impl Into<String>) -> Self {
        Self { email: Some(email.into()), ..Self::default() }
    }

    /// Sets the name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// Resolves recipients to people. Implemented by the host, who owns accounts.
#[async_trait]
pub trait AddressBook: Send + Sync {
    /// The people behind a recipient: the main one first; for a level, every enabled agent who works there, but for those who
    /// are excepted, or where nobody does at the next level down that may answer for it; for the admins, every enabled one.
    ///
    /// Nobody known is `Ok` with an empty list: the notifier then falls back to the address given with the complaint,
    /// unless it was told to write to [known people only](crate::EmailNotifier::only_known_people); a customer or level without
    /// anybody is then [nobody's](NotifyError::Nobody) fault.
    /// Somebody who must not be written to (disabled, unverified) is left out. Programs are nobody: see
    /// [`EndpointBook`](crate::EndpointBook).
    ///
    /// # Errors
    /// [`NotifyError::Later`] if the book cannot be read now; [`NotifyError::Never`] if nobody may ever be told.
    async fn find(&self, recipient: &Recipient) -> Result<Vec<Addressee>, NotifyError>;

    /// What customers and colleagues call an agent; `None` if unknown or not to be named.
    async fn agent_name(&self, agent: &AgentId) -> Option<String>;
}

/// For first steps: a customer or agent whose id is an e-mail address is reached there. All others are nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdsAreAddresses;

#[async_trait]
impl AddressBook for IdsAreAddresses {
    async fn find(&self, recipient: &Recipient) -> Result<Vec<Addressee>, NotifyError> {
        let id = match recipient {
            Recipient::Customer(id) => id.as_str(),
            Recipient::Agent(id) => id.as_str(),
            Recipient::Level { .. } | Recipient::Admins | Recipient::Endpoint(_) => return Ok(Vec::new()),
        };
        Ok(header::address(id).map(|_| Addressee::at(id)).into_iter().collect())
    }

    /// Nobody is named: the id is an address, and customers do not get to see those of staff.
    async fn agent_name(&self, _agent: &AgentId) -> Option<String> {
        None
    }
}
