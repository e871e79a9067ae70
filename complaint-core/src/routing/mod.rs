//! Who gets a complaint, and why.
//!
//! | you have | you call | it costs |
//! |---|---|---|
//! | one complaint | [`route`]: everybody is looked at, and the answer explains it | the whole roster |
//! | complaints one after the other | [`Router`]: the same choice from an index | about log of the roster |
//! | many that wait at once | [`route_batch`]: what is best for all of them together | see there |
//!
//! ```
//! use complaint_core::Agent;
//! use complaint_core::agent::Member;
//! use complaint_core::id::Level;
//! use complaint_core::routing::{Need, Roster, route};
//!
//! let member = |id, workload| -> Result<_, Box<dyn std::error::Error>> {
//!     Ok(Member { agent: Agent::named(id, id)?.with_capacity(10), workload, last_assigned_at: None })
//! };
//! let roster = Roster { members: vec![member("asha", 7)?, member("ben", 4)?], ..Roster::default() };
//! let routing = route(&Need::at(Level::FIRST), &roster, chrono::DateTime::UNIX_EPOCH);
//! assert_eq!(routing.chosen.map(String::from).as_deref(), Some("ben"));
//! assert_eq!(routing.eligible, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod bits;
mod route;
mod router;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, Concern, Member};
use crate::complaint::{Complaint, Priority};
use crate::deadline::{Calendar, ClockKind, Deadline};
use crate::id::{AgentId, Area, Language, Level, Skill};
use crate::lifecycle::Status;
use crate::policy::Policy;

pub use batch::{Batch, route_batch};
pub(crate) use route::route_by_hand;
use route::with_room;
pub use route::{candidates, route};
pub use router::Router;

/// What a complaint asks of its handler.
///
/// ```
/// use complaint_core::routing::Need;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let complaint = desk.acting_as(Actor::agent(&asha)).read(receipt.id()).await?;
/// let need = Need::of(&complaint);
/// assert_eq!((need.level.get(), need.weight), (1, 1));
/// assert!(need.skills.is_subset(&asha.skills));
/// assert_eq!(Need::of_at(&complaint, complaint.level.above()), Need { level: complaint.level.above(), ..need.clone() });
///
/// let overdue = complaint.promised_at().expect("a promise");
/// assert_eq!(Need::as_of(&complaint, overdue).urgency, 2 * need.urgency);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The level it is at.
    pub level: Level,
    /// What the handler must know.
    pub skills: BTreeSet<Skill>,
    /// Where it belongs.
    pub area: Option<Area>,
    /// The customer's language.
    pub language: Option<Language>,
    /// What it adds to a workload.
    pub weight: u32,
    /// What its waiting costs, as against other complaints; 0 counts as 1. Read by [`route_batch`] alone.
    pub urgency: u32,
    /// Whom and what it concerns; agents who declared a conflict with any of it do not get it.
    pub concerns: BTreeSet<Concern>,
    /// Who may not get it, with the reason.
    pub excluded: Vec<(AgentId, Ineligible)>,
    /// The superior to whom it goes first, when eligible: [`Roster::superior_for`]. What is [of](Need::of) a complaint alone names nobody.
    pub preferred: Option<AgentId>,
}

/// The agents there are, with what they hold, and the calendars that their shifts name.
///
/// ```
/// use complaint_core::agent::Member;
/// use complaint_core::id::Level;
/// use complaint_core::routing::{Ineligible, Need, Roster};
/// use complaint_core::{Agent, Policy};
///
/// let asha = Agent::named("asha", "Asha Rao")?.with_capacity(10).on_shift("office");
/// let member = Member { agent: asha, workload: 10, last_assigned_at: None };
/// let roster = Roster::of(vec![member], &Policy::standard());
/// let (need, monday) = (Need::at(Level::FIRST), "2026-11-23T10:00:00Z".parse()?);
/// let against = roster.eligibility(&need, &roster.members[0], monday);
/// assert_eq!(against, [Ineligible::NoCapacity { workload: 10, capacity: 10 }]);
/// assert!(roster.could_take(&need, monday), "that passes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    /// Every agent of the host, each once.
    pub members: Vec<Member>,
    /// Calendars by name.
    pub shifts: BTreeMap<String, Calendar>,
}

/// Why an agent cannot be given a complaint.
///
/// ```
/// use complaint_core::routing::Ineligible;
///
/// let full = Ineligible::NoCapacity { workload: 10, capacity: 10 };
/// assert_eq!((full.code(), full.message().as_str()), ("no_capacity", "holds 10 of 10"));
/// assert!(full.passes() && !Ineligible::Conflict.passes());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Ineligible {
    /// Disabled.
    Disabled,
    /// Absent.
    Absent {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// Not at work by their shift.
    OffShift {
        /// When they are at work again; `None` where that is more than a year away.
        until: Option<DateTime<Utc>>,
    },
    /// Has a shift that is no calendar of the policy, so nobody knows when they work.
    UnknownShift {
        /// Its name.
        shift: String,
    },
    /// Works at another level.
    OtherLevel {
        /// Theirs.
        level: Level,
    },
    /// Lacks skills.
    LacksSkills {
        /// Which.
        skills: BTreeSet<Skill>,
    },
    /// Serves elsewhere.
    OtherArea,
    /// Speaks other languages.
    OtherLanguage,
    /// Would exceed their capacity.
    NoCapacity {
        /// What they hold.
        workload: u32,
        /// What they may hold.
        capacity: u32,
    },
    /// Declined it at this level.
    Declined,
    /// Did not begin with it at this level.
    NotBegun,
    /// A supervisor has just taken it from them.
    TakenAway,
    /// Held or decided it before it was contested.
    Decided,
    /// It is against them.
    Subject,
    /// It concerns somebody or something they declared a conflict with.
    Conflict,
}

impl Ineligible {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Absent { .. } => "absent",
            Self::OffShift { .. } => "off_shift",
            Self::UnknownShift { .. } => "unknown_shift",
            Self::OtherLevel { .. } => "other_level",
            Self::LacksSkills { .. } => "lacks_skills",
            Self::OtherArea => "other_area",
            Self::OtherLanguage => "other_language",
            Self::NoCapacity { .. } => "no_capacity",
            Self::Declined => "declined",
            Self::NotBegun => "not_begun",
            Self::TakenAway => "taken_away",
            Self::Decided => "decided",
            Self::Subject => "subject",
            Self::Conflict => "conflict",
        }
    }

    /// Whether it goes away by itself: neither the complaint nor what is recorded of the agent has to change.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::OffShift { .. } | Self::NoCapacity { .. } | Self::TakenAway)
    }

    /// The reason in words.
    pub fn message(&self) -> String {
        match self {
            Self::Disabled => "is disabled".into(),
            Self::Absent { until } => format!("is absent until {}", until.format("%Y-%m-%d %H:%M UTC")),
            Self::OffShift { until: Some(until) } => {
                format!("is off shift until {}", until.format("%Y-%m-%d %H:%M UTC"))
            }
            Self::OffShift { until: None } => "is off shift".into(),
            Self::UnknownShift { shift } => format!("has the shift `{shift}`, which is no calendar of the policy"),
            Self::OtherLevel { level } => format!("works at level {level}"),
            Self::LacksSkills { skills } => {
                let list: Vec<&str> = skills.iter().map(Skill::as_str).collect();
                format!("lacks {}", list.join(", "))
            }
            Self::OtherArea => "serves another area".into(),
            Self::OtherLanguage => "speaks other languages".into(),
            Self::NoCapacity { workload, capacity } => format!("holds {workload} of {capacity}"),
            Self::Declined => "declined it at this level".into(),
            Self::NotBegun => "did not begin with it at this level".into(),
            Self::TakenAway => "has just had it taken from them".into(),
            Self::Decided => "held or decided it before it was contested".into(),
            Self::Subject => "is whom the complaint is against".into(),
            Self::Conflict => "declared a conflict of interest".into(),
        }
    }
}

/// The result of routing: who was chosen, who was considered, and why.
///
/// Example: [`route()`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Routing {
    /// Who gets it; `None` when nobody fits.
    pub chosen: Option<AgentId>,
    /// Whether a person chose instead of the router.
    pub by_hand: bool,
    /// Agents at the level of the complaint, best first, then those not eligible with their reasons. At most
    /// [`EXPLAINED_MAX`]; the rest is counted. From a [`Router`] or a [`Batch`] the best five alone, the chosen one always among
    /// them. That is what a log keeps; everybody, each with rank or reasons: [`candidates`], [`Router::candidates`],
    /// [`Batch::candidates`].
    pub candidates: Vec<Candidate>,
    /// Agents not listed: of other levels, or beyond the most that is kept.
    pub others: u32,
    /// What the complaint adds to a workload: candidates are ranked by `(workload + weight) / capacity`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weight: u32,
    /// How many agents were eligible.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub eligible: u32,
    /// How many agents were not eligible, by the code of the reason; an agent with two reasons counts in both.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u32>,
    /// How many complaints were routed together; 0 for one alone. Workloads are then those of the whole plan without
    /// this complaint, and the choice is the best for all of them, so its rank need not be the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub together: u32,
}

/// The most candidates an explanation keeps, so that a log does not grow with the organisation. Without this bound:
/// [`candidates`].
pub const EXPLAINED_MAX: usize = 20;

/// One agent in an explanation.
///
/// Example: [`route()`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub agent: AgentId,
    /// Place among the eligible, from 1; `None` when not eligible.
    pub rank: Option<u32>,
    /// What they held when it was decided.
    pub workload: u32,
    /// What they may hold.
    pub capacity: u32,
    /// Whether they are the superior the complaint was escalated to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preferred: bool,
    /// When they were last given a complaint.
    pub last_assigned_at: Option<DateTime<Utc>>,
    /// Why not; empty when eligible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Ineligible>,
}

impl Need {
    /// Asks for nobody in particular at a level, with the weight of an ordinary complaint.
    pub fn at(level: Level) -> Self {
        Self {
            level,
            skills: BTreeSet::new(),
            area: None,
            language: None,
            weight: 1,
            urgency: 1,
            concerns: BTreeSet::new(),
            excluded: Vec::new(),
            preferred: None,
        }
    }

    /// What this complaint asks for now. Its urgency is that of its priority; see [`Need::as_of`].
    pub fn of(complaint: &Complaint) -> Self {
        Self::of_at(complaint, complaint.level)
    }

    /// What it would ask for at another level. Who declined it or did not begin there is left out there.
    pub fn of_at(complaint: &Complaint, level: Level) -> Self {
        use crate::complaint::ExclusionCause;

        let mut excluded: Vec<(AgentId, Ineligible)> = complaint
            .exclusions
            .iter()
            .filter(|exclusion| exclusion.cause.holds_at(level))
            .map(|exclusion| {
                let why = match exclusion.cause {
                    ExclusionCause::Declined(_) => Ineligible::Declined,
                    ExclusionCause::Released(_) => Ineligible::NotBegun,
                    ExclusionCause::Decided => Ineligible::Decided,
                };
                (exclusion.agent.clone(), why)
            })
            .collect();
        excluded.extend(complaint.against.iter().map(|agent| (agent.clone(), Ineligible::Subject)));
        let customer = Concern::Customer(complaint.customer.clone());
        Self {
            skills: complaint.skills.clone(),
            area: complaint.area.clone(),
            language: complaint.language.clone(),
            weight: complaint.weight,
            urgency: urgency_of(complaint.priority) * 100,
            concerns: complaint.items.iter().cloned().map(Concern::Item).chain([customer]).collect(),
            excluded,
            ..Self::at(level)
        }
    }

    /// As [`Need::of`], more urgent the more of the promised time is used: twice as urgent when it is over, four times
    /// at most. So an ordinary complaint that is overdue goes before a more urgent one that has just come in, but a
    /// very old one does not go before everything else for ever.
    pub fn as_of(complaint: &Complaint, now: DateTime<Utc>) -> Self {
        let used = complaint.promised_at().map_or(0, |promised| {
            let promised = (promised - complaint.received_at).max(TimeDelta::seconds(1)).num_milliseconds();
            let waited = (now - complaint.received_at).num_milliseconds().clamp(0, promised.saturating_mul(3));
            u32::try_from(i128::from(waited) * 100 / i128::from(promised)).unwrap_or(300)
        });
        Self { urgency: urgency_of(complaint.priority) * (100 + used), ..Self::of(complaint) }
    }
}

/// Whether a complaint waits for a handler who is absent: every clock of it that runs has its next event (75 %, 90 % or
/// the end of the promised time) after they are back. What is overdue waits for nobody, and nothing waits for somebody
/// who is disabled, or whose level is below that of the complaint by now.
///
/// So the length of an absence needs no threshold of its own: an hour at the dentist moves what is due within the hour,
/// a fortnight moves nearly everything.
///
/// ```
/// use chrono::TimeDelta;
/// use complaint_core::agent::Absence;
/// use complaint_core::routing::waits_for;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let now = receipt.complaint().received_at;
/// let away = |length| Agent { absence: Some(Absence { from: now, until: now + length }), ..asha.clone() };
/// assert!(waits_for(receipt.complaint(), &away(TimeDelta::minutes(10)), now));
/// assert!(!waits_for(receipt.complaint(), &away(TimeDelta::days(14)), now));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn waits_for(complaint: &Complaint, handler: &Agent, now: DateTime<Utc>) -> bool {
    let may_hold = handler.enabled && handler.level >= complaint.level;
    let Some(absence) = handler.absence.filter(|_| may_hold) else { return may_hold };
    // An opportunity that lapsed is over, whether the log says so yet or not.
    let has_lapsed = |deadline: &Deadline| deadline.lapses() && deadline.due_at <= Some(now);
    let running = complaint.deadlines.iter().filter(|deadline| {
        // An approval is for others to give in time, and that clock ends when what was proposed comes back.
        deadline.ended.is_none() && deadline.clock != ClockKind::Approval && !has_lapsed(deadline)
    });
    running.filter_map(|deadline| Some((deadline.warn_at?, deadline.due_at?))).all(|([early, late], due)| {
        [early, late, due].into_iter().find(|event| *event > now).is_some_and(|event| event >= absence.until)
    })
}

/// Each step counts twice the one below.
fn urgency_of(priority: Priority) -> u32 {
    match priority {
        Priority::Low => 1,
        Priority::Normal => 2,
        Priority::High => 4,
        Priority::Urgent => 8,
    }
}

impl Roster {
    /// An agent has got a complaint of this weight.
    pub(crate) fn give(&mut self, agent: &AgentId, weight: u32, now: DateTime<Utc>) {
        if let Some(member) = self.members.iter_mut().find(|member| member.agent.id == *agent) {
            member.workload = member.workload.saturating_add(weight);
            member.last_assigned_at = Some(now);
        }
    }

    /// These agents under a policy, whose calendars their shifts name.
    pub fn of(members: Vec<Member>, policy: &Policy) -> Self {
        Self { members, shifts: policy.calendars.clone() }
    }

    /// An agent of the roster.
    pub fn member(&self, agent: &AgentId) -> Option<&Member> {
        self.members.iter().find(|member| member.agent.id == *agent)
    }

    /// The superior to whom a complaint goes first: that of whoever held it when it was last escalated, by a person or a clock, however
    /// long it has waited since.
    ///
    /// It holds as long as the complaint is at the level which that escalation brought it to. It ends when the complaint is handed
    /// back or escalated further, and when it is contested: whose answer is looked at anew does not choose, by whom they report to,
    /// who looks at it. What was escalated out of a queue came from nobody, and goes to whom the router chooses.
    ///
    /// ```
    /// use complaint_core::routing::{Need, Roster};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// let asha = Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"]).reporting_to("maria".parse()?);
    /// let asha = desk.enrol(asha).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// let asha = desk.acting_as(Actor::agent(&asha));
    /// asha.escalate(receipt.id(), "The valve is not ours to turn.").await?;
    ///
    /// let complaint = desk.store().load(receipt.id()).await?.expect("it waits: nobody works at level 2 yet");
    /// let roster = Roster::of(desk.store().roster().await?, &desk.policy());
    /// let need = Need { preferred: roster.superior_for(&complaint), ..Need::of(&complaint) };
    /// assert_eq!(need.preferred.as_ref().map(|id| id.as_str()), Some("maria"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn superior_for(&self, complaint: &Complaint) -> Option<AgentId> {
        let step = complaint.escalations.last().filter(|step| step.to == complaint.level)?;
        // Below the level that it was contested to it never comes again, so it cannot have been escalated to it since.
        if complaint.contested_to == Some(complaint.level) {
            return None;
        }
        self.member(step.handler.as_ref()?)?.agent.reports_to.clone()
    }

    /// Whether somebody at the level could ever be given a complaint as things stand: nothing is against them but what
    /// [passes](Ineligible::passes), or what a person may pass over.
    pub fn could_take(&self, need: &Need, now: DateTime<Utc>) -> bool {
        self.anybody(need, now, |reason| reason.passes() || *reason == Ineligible::NotBegun)
    }

    /// Whether a complaint waits in vain: what keeps each of its level from it is more than the ordinary course of days,
    /// in which shifts begin and others are finished.
    ///
    /// ```
    /// use complaint_core::Policy;
    /// use complaint_core::id::Level;
    /// use complaint_core::routing::{Need, Roster};
    ///
    /// let nobody = Roster::of(Vec::new(), &Policy::standard());
    /// assert!(nobody.waits_in_vain(&Need::at(Level::FIRST), chrono::DateTime::UNIX_EPOCH));
    /// ```
    pub fn waits_in_vain(&self, need: &Need, now: DateTime<Utc>) -> bool {
        !self.anybody(need, now, |reason| reason.passes() && !matches!(reason, Ineligible::Absent { .. }))
    }

    /// Whether anybody can keep the dates that a complaint promises: not while it [waits in vain](Self::waits_in_vain) at its level
    /// and would at each level above, to which the clocks send it.
    pub(crate) fn keeps_promises(&self, complaint: &Complaint, policy: &Policy, now: DateTime<Utc>) -> bool {
        let higher = |level: &Level| Some(level.above()).filter(|above| *above <= policy.last_level());
        let mut levels = std::iter::successors(Some(complaint.level), higher);
        complaint.status != Status::Queued
            || levels.any(|level| !self.waits_in_vain(&Need::of_at(complaint, level), now))
    }

    fn anybody(&self, need: &Need, now: DateTime<Utc>, forgiven: impl Fn(&Ineligible) -> bool) -> bool {
        self.members.iter().any(|member| self.eligibility(need, member, now).iter().all(&forgiven))
    }

    /// Why nobody of the level can take a complaint, a line for each; for people.
    pub(crate) fn why_nobody(&self, need: &Need, now: DateTime<Utc>, level: &str) -> String {
        let there: Vec<&Member> = self.members.iter().filter(|member| member.agent.level == need.level).collect();
        let lines = there.iter().take(EXPLAINED_MAX).map(|member| {
            let reasons = self.eligibility(need, member, now);
            let reasons: Vec<String> = reasons.iter().map(Ineligible::message).collect();
            format!("{} {}.", member.agent.name, reasons.join("; "))
        });
        let more = there.len().saturating_sub(EXPLAINED_MAX);
        let more = (more > 0).then(|| format!("And {more} more."));
        let nobody = there.is_empty().then(|| format!("Nobody works at the level {level}."));
        lines.chain(more).chain(nobody).collect::<Vec<_>>().join("\n")
    }

    /// Every reason why an agent cannot be given a complaint; empty when they can.
    pub fn eligibility(&self, need: &Need, member: &Member, now: DateTime<Utc>) -> Vec<Ineligible> {
        let agent = &member.agent;
        let mut reasons = Vec::new();
        if !agent.enabled {
            reasons.push(Ineligible::Disabled);
        }
        if let Some(absence) = agent.absence.filter(|_| agent.enabled && !agent.is_available(now)) {
            reasons.push(Ineligible::Absent { until: absence.until });
        }
        if let Some(shift) = agent.shift.as_ref().filter(|_| agent.enabled) {
            match self.shifts.get(shift) {
                None => reasons.push(Ineligible::UnknownShift { shift: shift.clone() }),
                Some(calendar) if !calendar.is_open(now) => reasons.push(off_shift(calendar, now)),
                Some(_) => {}
            }
        }
        if agent.level != need.level {
            reasons.push(Ineligible::OtherLevel { level: agent.level });
        }
        let lacking: BTreeSet<Skill> = need.skills.difference(&agent.skills).cloned().collect();
        if !lacking.is_empty() && !is_generalist(member) {
            reasons.push(Ineligible::LacksSkills { skills: lacking });
        }
        if need.area.as_ref().is_some_and(|area| !agent.areas.is_empty() && !agent.areas.contains(area)) {
            reasons.push(Ineligible::OtherArea);
        }
        if need.language.as_ref().is_some_and(|it| !agent.languages.is_empty() && !agent.languages.contains(it)) {
            reasons.push(Ineligible::OtherLanguage);
        }
        if with_room(member.workload, need.weight, agent.capacity).is_none() {
            reasons.push(Ineligible::NoCapacity { workload: member.workload, capacity: agent.capacity });
        }
        if !agent.conflicts.is_disjoint(&need.concerns) {
            reasons.push(Ineligible::Conflict);
        }
        reasons.extend(need.excluded.iter().filter(|(id, _)| *id == agent.id).map(|(_, why)| why.clone()));
        reasons
    }
}

fn off_shift(calendar: &Calendar, now: DateTime<Utc>) -> Ineligible {
    let in_a_year = now + TimeDelta::days(366);
    let closed = calendar.segments(now, in_a_year, 1);
    Ineligible::OffShift { until: closed.first().map(|(_, end, _)| *end).filter(|end| *end < in_a_year) }
}

/// Above the first level an agent decides; knowing the matter is what the first level is chosen for. One who has no
/// skills recorded at all is taken to know them all there.
fn is_generalist(member: &Member) -> bool {
    member.agent.level > Level::FIRST && member.agent.skills.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use chrono::Days;

    use super::*;
    use crate::deadline::{CalendarSpec, HoursSpec};

    #[test]
    fn why_nobody_can_take_it_is_told_of_as_many_as_people_read() {
        let member = |number| {
            let mut agent = Agent::named(format!("a{number:02}"), &format!("Agent {number}")).unwrap();
            agent.enabled = false;
            Member { agent, workload: 0, last_assigned_at: None }
        };
        let told = |staff: usize| {
            let roster = Roster { members: (0..staff).map(member).collect(), ..Roster::default() };
            roster.why_nobody(&Need::at(Level::FIRST), DateTime::UNIX_EPOCH, "Clerk")
        };
        assert_eq!(told(0), "Nobody works at the level Clerk.");
        let (all, some) = (told(EXPLAINED_MAX), told(EXPLAINED_MAX + 2));
        assert_eq!((all.lines().count(), some.lines().count()), (EXPLAINED_MAX, EXPLAINED_MAX + 1));
        assert!(all.lines().all(|line| line.starts_with("Agent ")), "{all}");
        assert_eq!(some.lines().last(), Some("And 2 more."));
    }

    #[test]
    fn a_shift_that_does_not_begin_within_a_year_names_no_day() {
        // Mondays and Thursdays, of which the next year has none: the first is 367 days away.
        let monday: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
        let closed = |days: &u64| matches!(days % 7, 0 | 3);
        let holidays = |last: u64| {
            let days = (1..=last).filter(closed).map(|days| (monday + Days::new(days)).date_naive().to_string());
            let hours = || vec!["09:00-10:00".to_owned()];
            let hours = HoursSpec { mon: hours(), thu: hours(), ..HoursSpec::default() };
            let spec = CalendarSpec { zone: "UTC".into(), holidays: days.collect(), hours, ..CalendarSpec::default() };
            Calendar::new(&spec).unwrap()
        };
        let until = |last| match off_shift(&holidays(last), monday) {
            Ineligible::OffShift { until } => until,
            other => panic!("{other:?}"),
        };
        assert_eq!(until(363), Some("2027-11-22T09:00:00Z".parse().unwrap()));
        assert_eq!(until(364), None);
    }
}
