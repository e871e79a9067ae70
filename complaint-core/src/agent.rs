//! Members of staff who can hold a complaint.
//!
//! An [`Agent`] is what the host records of them: the **level** they work at, the **skills** they have, the **capacity**
//! up to which they are given work. A [`Member`] is an agent with the **workload** they carry, which the store keeps.
//! Who of them gets a complaint is the matter of [`routing`](crate::routing).
//!
//! Example: [`Agent`].

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::complaint::Item;
use crate::id::{AgentId, Area, CustomerId, InvalidId, Language, Level, Skill};
use crate::text;

/// A member of staff who can hold a complaint.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use complaint_core::Agent;
/// use complaint_core::agent::{Absence, Concern};
/// use complaint_core::complaint::Item;
///
/// let (today, back) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(14));
/// let asha = Agent::named("asha", "Asha Rao")?
///     .skilled_in(["water supply", "meters"])
///     .with_capacity(12)
///     .reporting_to("maria".parse()?)
///     .on_shift("office")
///     .in_conflict_with(Concern::Item(Item { kind: "supplier".into(), key: "S-7".into() }));
/// assert!(asha.is_available(today));
///
/// let asha = Agent { absence: Some(Absence { from: today, until: back }), ..asha };
/// assert!(!asha.is_available(today));
/// assert!(asha.is_available(back));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The host's key.
    pub id: AgentId,
    /// What customers and colleagues call them.
    pub name: String,
    /// The step of the ladder they work at.
    pub level: Level,
    /// What they know. A complaint goes only to agents who have every skill it needs.
    pub skills: BTreeSet<Skill>,
    /// Where they serve; empty: everywhere.
    pub areas: BTreeSet<Area>,
    /// What they speak; empty: not recorded, so never a reason against them.
    pub languages: BTreeSet<Language>,
    /// The greatest workload they may be given automatically: a sum of weights of open complaints.
    pub capacity: u32,
    /// Whether they may hold complaints at all. A disabled agent keeps nothing new.
    pub enabled: bool,
    /// Away from this instant until the other, if they are.
    pub absence: Option<Absence>,
    /// The superior to whom their escalations go first, if the superior is eligible: see
    /// [`superior_for`](crate::routing::Roster::superior_for).
    pub reports_to: Option<AgentId>,
    /// The calendar of the policy that says when they work; nothing new is given to them outside it. `None`: no shift
    /// is kept, so never a reason against them.
    ///
    /// A name and not a calendar of their own: a holiday is entered once, not once per agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<String>,
    /// Whom and what they have a personal interest in. Declared once; they never get a complaint that concerns it.
    /// For one complaint alone an agent declines.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub conflicts: BTreeSet<Concern>,
}

/// Whom or what a complaint concerns, and an agent may have a personal interest in.
///
/// Example: [`Agent`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// Who complains.
    Customer(CustomerId),
    /// A thing of the host: an order, a supplier, a street light.
    Item(Item),
}

/// A stretch of absence.
///
/// Example: [`Agent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// First instant of absence.
    pub from: DateTime<Utc>,
    /// First instant back.
    pub until: DateTime<Utc>,
}

impl Agent {
    /// An enabled representative of the first level with room for ten complaints of ordinary weight.
    ///
    /// # Errors
    /// If the key is no host key or the name is empty, too long or not one line.
    pub fn named(id: impl Into<String>, name: &str) -> Result<Self, InvalidId> {
        let name = text::line(name, text::FIELD_MAX)
            .map_err(|_| InvalidId::new("agent name", "one line of 1 to 200 characters"))?;
        Ok(Self {
            id: AgentId::new(id)?,
            name,
            level: Level::FIRST,
            skills: BTreeSet::new(),
            areas: BTreeSet::new(),
            languages: BTreeSet::new(),
            capacity: 10,
            enabled: true,
            absence: None,
            reports_to: None,
            shift: None,
            conflicts: BTreeSet::new(),
        })
    }

    /// Adds skills; those that are no skill keys are left out, so check untrusted input with [`Skill::new`] first.
    pub fn skilled_in<'a>(mut self, skills: impl IntoIterator<Item = &'a str>) -> Self {
        self.skills.extend(skills.into_iter().filter_map(|skill| Skill::new(skill).ok()));
        self
    }

    /// Sets the capacity.
    pub fn with_capacity(mut self, capacity: u32) -> Self {
        self.capacity = capacity;
        self
    }

    /// Sets the level.
    pub fn at_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets the superior.
    pub fn reporting_to(mut self, superior: AgentId) -> Self {
        self.reports_to = Some(superior);
        self
    }

    /// Sets the calendar of the policy that says when they work.
    pub fn on_shift(mut self, calendar: impl Into<String>) -> Self {
        self.shift = Some(calendar.into());
        self
    }

    /// Declares a personal interest.
    pub fn in_conflict_with(mut self, concern: Concern) -> Self {
        self.conflicts.insert(concern);
        self
    }

    /// Whether they are there at all: enabled and not absent. Off shift they still hold what they hold.
    pub fn is_available(&self, at: DateTime<Utc>) -> bool {
        self.enabled && !self.absence.is_some_and(|absence| absence.from <= at && at < absence.until)
    }
}

/// An agent with what they hold.
///
/// ```
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// let member = desk.store().find(&asha.id).await?.expect("was enrolled");
/// assert_eq!((member.agent.name.as_str(), member.workload), ("Asha Rao", 1));
/// assert!(member.last_assigned_at.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub agent: Agent,
    /// Sum of the weights of the open complaints they hold.
    pub workload: u32,
    /// When they were last given a complaint.
    pub last_assigned_at: Option<DateTime<Utc>>,
}
