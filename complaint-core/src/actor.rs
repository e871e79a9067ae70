//! Who acts.
//!
//! The host says who somebody is; the library asks for no password. An [`Actor`] is whoever acts now, with the level they
//! act at; a [`Party`] is what the log keeps of them. **Customers**, **agents**, **admins** and **auditors** are people;
//! the **system** is time and automation. What each may do stands in the [table](crate::lifecycle::TABLE).
//!
//! Example: [`Actor`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::id::{AgentId, CustomerId, InvalidId, Level, StaffId};

/// Whoever did something, as the log keeps it.
///
/// ```
/// use complaint_core::{Actor, Party};
///
/// let john = Actor::customer("john@example.org")?;
/// assert_eq!(john.party().role(), "customer");
/// assert_eq!(john.party().to_string(), "customer john@example.org");
/// assert_eq!(Party::System.agent(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "role", content = "id", rename_all = "snake_case")]
pub enum Party {
    /// Who complains.
    Customer(CustomerId),
    /// A member of staff who can hold a complaint, at any level.
    Agent(AgentId),
    /// Runs the system.
    Admin(StaffId),
    /// Reads everything, writes nothing.
    Auditor(StaffId),
    /// Time and automation: router, clocks, inbound mail.
    System,
}

impl Party {
    /// The role as one word: `customer`, `agent`, `admin`, `auditor` or `system`.
    pub fn role(&self) -> &'static str {
        match self {
            Self::Customer(_) => "customer",
            Self::Agent(_) => "agent",
            Self::Admin(_) => "admin",
            Self::Auditor(_) => "auditor",
            Self::System => "system",
        }
    }

    /// The agent, where one acted.
    pub fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(id) => Some(id),
            _ => None,
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) => write!(f, "customer {id}"),
            Self::Agent(id) => write!(f, "agent {id}"),
            Self::Admin(id) => write!(f, "admin {id}"),
            Self::Auditor(id) => write!(f, "auditor {id}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// Whoever acts now, with the level they act at.
///
/// ```
/// use complaint_core::id::{Level, StaffId};
/// use complaint_core::{Actor, Agent};
///
/// let maria = Agent::named("maria", "Maria Silva")?.at_level(Level::new(2)?);
/// let maria = Actor::agent(&maria);
/// assert!(maria.is_supervisor());
/// assert_eq!(maria.agent_id().map(|id| id.as_str()), Some("maria"));
///
/// let john = Actor::customer("john")?;
/// assert_eq!((john.customer_id().map(|id| id.as_str()), john.level()), (Some("john"), None));
/// assert_eq!(Actor::auditor(StaffId::new("ines")?).party().role(), "auditor");
/// assert_eq!(Actor::system().party().role(), "system");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    party: Party,
    level: Option<Level>,
}

impl Actor {
    /// A customer by the host's key.
    pub fn customer<K>(key: K) -> Result<Self, InvalidId>
    where
        K: TryInto<CustomerId>,
        InvalidId: From<K::Error>,
    {
        Ok(Self { party: Party::Customer(key.try_into()?), level: None })
    }

    /// An agent, with the level of the record given.
    pub fn agent(agent: &Agent) -> Self {
        Self { party: Party::Agent(agent.id.clone()), level: Some(agent.level) }
    }

    /// An admin.
    pub fn admin(id: StaffId) -> Self {
        Self { party: Party::Admin(id), level: None }
    }

    /// An auditor.
    pub fn auditor(id: StaffId) -> Self {
        Self { party: Party::Auditor(id), level: None }
    }

    /// Time and automation. A host never lets a person act as this.
    pub fn system() -> Self {
        Self { party: Party::System, level: None }
    }

    /// Who it is, as the log keeps it.
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// The agent, if one acts.
    pub fn agent_id(&self) -> Option<&AgentId> {
        self.party.agent()
    }

    /// The customer, if one acts.
    pub fn customer_id(&self) -> Option<&CustomerId> {
        match &self.party {
            Party::Customer(id) => Some(id),
            _ => None,
        }
    }

    /// The level an agent acts at.
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// A supervisor or above: an agent of any level but the first.
    pub fn is_supervisor(&self) -> bool {
        self.level.is_some_and(|level| level > Level::FIRST)
    }
}

impl TryFrom<&str> for CustomerId {
    type Error = InvalidId;

    fn try_from(key: &str) -> Result<Self, InvalidId> {
        Self::new(key)
    }
}

impl From<std::convert::Infallible> for InvalidId {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
