//! The house rules as one value: catalogue, calendars, target times, ladder, windows, authority.
//!
//! A [`Policy`] is written as TOML. [`Policy::check`] tells everything that is wrong with a text, each [`Finding`] with
//! its place and what would mend it; only errors keep a policy from being used. What the law promises is a list of
//! [`StatutoryPromise`]s; a [`RulePack`] brings those of a law or a standard.
//!
//! ```
//! use complaint_core::Policy;
//!
//! let policy = Policy::from_toml(&Policy::standard().to_toml()?.replace("Standard", "City Water"))?;
//! assert_eq!((policy.name.as_str(), policy.levels.len()), ("City Water", 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod finding;
mod lint;
mod packs;
mod source;
mod staff;
mod statutory;
mod structure;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::complaint::EventName;
use crate::complaint::{Complaint, Priority};
use crate::deadline::{Calendar, ClockKind, Span, SpanUnit};
use crate::id::{Area, CategoryKey, CauseKey, EndpointId, InvalidId, Level, PromiseKey, Skill};
use crate::money::Money;
use crate::notice::NoticeChannel;
use crate::routing::Roster;

pub use finding::{Code, Finding, Severity, TextPlace};
pub use packs::{PackError, RulePack};
pub use statutory::{DayZero, Rights, RightsMoment, StatutoryPromise};
pub use structure::{Machine, MachineClock, Move};

/// The house rules. Written as TOML; checked by [`Policy::faults`] before it is used.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::policy::Category;
///
/// let policy = Policy::standard().with_category(Category::named("Water supply")?);
/// assert!(policy.lint().is_empty(), "nothing to mend");
/// assert_eq!((policy.last_level().get(), policy.level_name(policy.last_level())), (3, "Manager"));
/// assert_eq!(Policy::from_toml(&policy.to_toml()?)?, policy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a house rule of its own; none excludes another")]
pub struct Policy {
    /// Which edition; every complaint and deadline is stamped with it. The host counts it up.
    #[serde(default = "one")]
    pub version: u64,
    /// What people call it.
    pub name: String,
    /// The calendar that working time is measured on.
    pub calendar: String,
    /// Whether the system acknowledges a complaint as it comes in.
    #[serde(default = "yes")]
    pub acknowledge_at_once: bool,
    /// Whether agents may take from the queue of their level.
    #[serde(default)]
    pub agents_may_take: bool,
    /// Whether agents of the first level may dismiss.
    #[serde(default)]
    pub agents_may_dismiss: bool,
    /// Whether every decision needs a second person. What is settled at source is none: the customer has said that they are satisfied.
    #[serde(default)]
    pub four_eyes: bool,
    /// Whether service clocks pause while a third party must act.
    #[serde(default)]
    pub third_party_pauses: bool,
    /// How many open complaints one customer may have for another one to be submitted or reinstated. Against floods: neither
    /// `contest`, which is a right, nor what staff open again is refused for it.
    #[serde(default = "fifty")]
    pub open_complaints_per_customer: u32,
    /// How many entries the log of a complaint may have before it takes nothing more that does not bring it to its end: no
    /// message, note, question, file, new description, wait, handing back, taking up again or change of a rating. Answers,
    /// decisions, all that leads to them, and whatever the system does are never held up. Generous by default, 1000:
    /// more than anybody reads, yet no complaint can be filled without end.
    #[serde(default = "thousand")]
    pub log_entries_per_complaint: u32,
    /// How long a withdrawn complaint can be reinstated.
    #[serde(default = "thirty_days")]
    pub reinstate_window: Span,
    /// How long a rating can be changed.
    #[serde(default = "one_day")]
    pub rating_window: Span,
    /// How long a complaint is kept once it has ended, as the organisation's records schedule says; `None`: for good. Nothing is
    /// erased by itself: see [`Policy::kept_until`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Span>,
    /// The best score with which a customer is asked whether they want to contest, 0 to 5; 0: never.
    #[serde(default = "two")]
    pub low_rating: u8,
    /// Whether every decision must name its cause.
    #[serde(default)]
    pub cause_required: bool,
    /// The ways in which notices travel to people.
    #[serde(default = "by_mail")]
    pub channels: BTreeSet<NoticeChannel>,
    /// Which other programs are told what happens, and what of it. Where each is, the host knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<EndpointId, Subscription>,
    /// Calendars by name.
    pub calendars: BTreeMap<String, Calendar>,
    /// Target times of every complaint.
    pub targets: Targets,
    /// Target times that differ by priority.
    #[serde(default)]
    pub priorities: BTreeMap<Priority, TargetOverrides>,
    /// What the law promises, by key. A complaint may have several such clocks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statutory: BTreeMap<PromiseKey, StatutoryPromise>,
    /// What customers are told of their rights.
    #[serde(default, skip_serializing_if = "Rights::is_empty")]
    pub rights: Rights,
    /// The ladder, first level first. The last level has final authority.
    pub levels: Vec<LevelPolicy>,
    /// What can be complained about.
    #[serde(default)]
    pub categories: Vec<Category>,
    /// Why things go wrong, as the organisation sees it when it decides (ISO 10002:2018, 8.2: analysis and evaluation of complaints).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
}

/// What a program is told.
///
/// ```
/// use complaint_core::complaint::EventName;
/// use complaint_core::policy::Subscription;
///
/// let decisions = Subscription::to([EventName::Resolved, EventName::Contested]);
/// assert!(decisions.includes(EventName::Resolved) && !decisions.includes(EventName::Posted));
/// assert!(Subscription::default().includes(EventName::Posted), "without a choice, everything");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Of which events; empty: of all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub events: BTreeSet<EventName>,
}

impl Subscription {
    /// Of these events.
    pub fn to(events: impl IntoIterator<Item = EventName>) -> Self {
        Self { events: events.into_iter().collect() }
    }

    /// Whether it is told of an event.
    pub fn includes(&self, event: EventName) -> bool {
        self.events.is_empty() || self.events.contains(&event)
    }
}

/// How much time each promise has.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::deadline::ClockKind;
///
/// let targets = Policy::standard().targets;
/// assert_eq!(targets.silence.to_string(), "14 days");
/// assert_eq!(targets.of(ClockKind::Silence), Some(targets.silence));
/// assert_eq!(targets.of(ClockKind::Level), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// From receipt until the customer is told that it is here.
    pub acknowledgement: Span,
    /// From receipt until a person writes to the customer.
    pub first_response: Span,
    /// From receipt until it is resolved.
    pub resolution: Span,
    /// From assignment until the handler begins.
    pub acceptance: Span,
    /// From proposal until a second person decides.
    pub approval: Span,
    /// From a question until the customer answers.
    pub silence: Span,
    /// From the decision until it closes by itself.
    pub auto_close: Span,
    /// From the decision until it can no longer be contested; anew from each remedy of it that failed.
    pub contest_window: Span,
    /// From the decision until a remedy without a day of its own is delivered.
    pub remedy: Span,
}

impl Targets {
    /// The usual time of a clock; `None` where there is none, and for the level's clock, which each level sets.
    pub fn of(&self, clock: ClockKind) -> Option<Span> {
        match clock {
            ClockKind::Acknowledgement => Some(self.acknowledgement),
            ClockKind::FirstResponse => Some(self.first_response),
            ClockKind::Resolution => Some(self.resolution),
            ClockKind::Acceptance => Some(self.acceptance),
            ClockKind::Approval => Some(self.approval),
            ClockKind::Silence => Some(self.silence),
            ClockKind::AutoClose => Some(self.auto_close),
            ClockKind::ContestWindow => Some(self.contest_window),
            ClockKind::Remedy => Some(self.remedy),
            // The law may promise several things: see `promises_for`.
            ClockKind::Level | ClockKind::Statutory => None,
        }
    }
}

/// Target times that differ from the usual ones.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::complaint::Priority;
/// use complaint_core::deadline::ClockKind;
///
/// let urgent = &Policy::standard().priorities[&Priority::Urgent];
/// assert_eq!(urgent.of(ClockKind::FirstResponse), Some("2 working hours".parse()?));
/// assert_eq!(urgent.of(ClockKind::Silence), None, "as for everybody");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetOverrides {
    /// As in [`Targets`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_response: Option<Span>,
    /// As in [`Targets`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Span>,
    /// As in [`Targets`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Span>,
}

impl TargetOverrides {
    /// The time of a clock that differs here; `None` where it does not.
    pub fn of(&self, clock: ClockKind) -> Option<Span> {
        match clock {
            ClockKind::FirstResponse => self.first_response,
            ClockKind::Resolution => self.resolution,
            ClockKind::Acceptance => self.acceptance,
            _ => None,
        }
    }
}

/// One step of the ladder.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::id::Level;
///
/// let policy = Policy::standard();
/// let first = policy.level(Level::FIRST).expect("a ladder");
/// assert_eq!((first.name.as_str(), first.target.to_string().as_str()), ("Representative", "5 working days"));
/// assert!(policy.has_authority(Level::FIRST, ["99.99 EUR".parse()?]));
/// assert!(!policy.has_authority(Level::FIRST, ["99.99 EUR".parse()?, "0.02 EUR".parse()?]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelPolicy {
    /// What its agents are called, e.g. `Supervisor`.
    pub name: String,
    /// How long a complaint may stay at this level.
    pub target: Span,
    /// The same where the priority changes it.
    #[serde(default)]
    pub priorities: BTreeMap<Priority, Span>,
    /// The most money, a limit per currency, that one agent of this level may decide alone; other currencies: none.
    /// Without this line: any amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Vec<Money>>,
}

/// What can be complained about.
///
/// ```
/// use complaint_core::complaint::Priority;
/// use complaint_core::id::Skill;
/// use complaint_core::policy::{Category, CategoryQuestion};
///
/// let meter = CategoryQuestion { key: "meter".into(), label: "What does the meter read?".into(), required: true };
/// let category = Category { priority: Priority::High, questions: vec![meter], ..Category::named("Water supply")? };
/// assert_eq!(category.key.as_str(), "water-supply");
/// assert!(category.needed_skills().contains(&Skill::new("water supply")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// The key.
    pub key: CategoryKey,
    /// What people read.
    pub name: String,
    /// One or two sentences that help to choose it.
    #[serde(default)]
    pub description: String,
    /// What a handler must know. Left out: the category's own key, so that an agent skilled in *damaged goods* gets
    /// the complaints about damaged goods. Empty: nothing, any agent will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<BTreeSet<Skill>>,
    /// Where its complaints belong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<Area>,
    /// How urgent its complaints are, as a rule.
    #[serde(default)]
    pub priority: Priority,
    /// Groups it belongs to, by which promises of the law name it, e.g. `payment-services`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<CategoryKey>,
    /// What each adds to a workload.
    #[serde(default = "one_weight")]
    pub weight: u32,
    /// What is asked in addition.
    #[serde(default)]
    pub questions: Vec<CategoryQuestion>,
    /// Target times that differ.
    #[serde(default)]
    pub targets: TargetOverrides,
    /// Whether it can be chosen for new complaints.
    #[serde(default = "yes")]
    pub active: bool,
}

/// Why things go wrong: what decisions are counted by, beside what was complained about.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::id::CauseKey;
/// use complaint_core::policy::Cause;
///
/// let key = CauseKey::new("Wrong picking list")?;
/// let cause = Cause { key: key.clone(), name: "Wrong picking list".into(), active: true };
/// let policy = Policy { causes: vec![cause], ..Policy::standard() };
/// assert!(policy.cause(&key).is_some_and(|cause| cause.active));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// The key.
    pub key: CauseKey,
    /// What people read.
    pub name: String,
    /// Whether it can be chosen for new decisions.
    #[serde(default = "yes")]
    pub active: bool,
}

/// A question of a category.
///
/// Example: [`Category`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryQuestion {
    /// The key of the answer.
    pub key: String,
    /// What is asked.
    pub label: String,
    /// Whether it must be answered.
    #[serde(default)]
    pub required: bool,
}

impl Category {
    /// A category of ordinary priority and weight whose handler must know the category itself.
    ///
    /// # Errors
    /// If the name gives no key.
    pub fn named(name: &str) -> Result<Self, InvalidId> {
        Ok(Self {
            key: CategoryKey::new(name)?,
            name: name.trim().to_owned(),
            description: String::new(),
            skills: None,
            area: None,
            priority: Priority::Normal,
            groups: BTreeSet::new(),
            weight: 1,
            questions: Vec::new(),
            targets: TargetOverrides::default(),
            active: true,
        })
    }

    /// What a handler must know.
    pub fn needed_skills(&self) -> BTreeSet<Skill> {
        match &self.skills {
            Some(skills) => skills.clone(),
            None => Skill::new(self.key.as_str()).into_iter().collect(),
        }
    }
}

/// A policy that cannot be used; every fault is named, with its line and column.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::policy::PolicyError;
///
/// assert!(matches!(Policy::from_toml("name = "), Err(PolicyError::Unreadable(_))));
/// let text = Policy::standard().to_toml()?.replace("calendar = \"office\"", "calendar = \"ofice\"");
/// assert!(matches!(Policy::from_toml(&text), Err(PolicyError::Faulty(findings)) if findings.len() == 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It cannot be read.
    #[error("the policy cannot be read: {}", listed(.0))]
    Unreadable(Vec<Finding>),
    /// It does not hold together.
    #[error("the policy does not hold together: {}", listed(.0))]
    Faulty(Vec<Finding>),
}

impl PolicyError {
    /// For a text that nobody sees.
    fn without_places(self) -> Self {
        let bare = |findings: Vec<Finding>| findings.into_iter().map(|it| Finding { place: None, ..it }).collect();
        match self {
            Self::Unreadable(findings) => Self::Unreadable(bare(findings)),
            Self::Faulty(findings) => Self::Faulty(bare(findings)),
        }
    }
}

impl Policy {
    /// Reads a policy and checks it. Warnings do not keep it from being used; [`Policy::check`] tells them.
    ///
    /// # Errors
    /// If it cannot be read or used: with every fault, in the order of the text.
    ///
    /// ```
    /// use complaint_core::Policy;
    ///
    /// let error = Policy::from_toml("name = 'Ours'\nclendar = 'office'").unwrap_err().to_string();
    /// assert!(error.contains("line 2, column 1: clendar: unknown field"));
    /// assert!(error.contains("missing field `levels`"), "and all the others too");
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let reading = source::read(text, Self::lint);
        let errors = reading.findings.into_iter().filter(|finding| finding.severity() == Severity::Error);
        let errors: Vec<Finding> = errors.collect();
        match reading.policy {
            Some(policy) if errors.is_empty() => Ok(policy),
            Some(_) => Err(PolicyError::Faulty(errors)),
            None => Err(PolicyError::Unreadable(errors)),
        }
    }

    /// Everything that can be found in the text of a policy, errors and warnings, in the order of the text. An empty
    /// list means that nothing is wrong with it.
    ///
    /// Where a value cannot be read, the rest is checked all the same, as far as it does not depend on that value.
    ///
    /// Example: [`Finding`].
    pub fn check(text: &str) -> Vec<Finding> {
        source::read(text, Self::lint).findings
    }

    /// As [`Policy::check`], and what does not fit the staff, as [`Policy::lint_with`].
    ///
    /// ```
    /// use complaint_core::Policy;
    /// use complaint_core::policy::Code;
    /// use complaint_core::routing::Roster;
    ///
    /// let findings = Policy::check_with(&Policy::standard().to_toml()?, &Roster::default());
    /// assert_eq!(findings.iter().filter(|it| it.code == Code::LevelUnstaffed).count(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_with(text: &str, roster: &Roster) -> Vec<Finding> {
        source::read(text, |policy| policy.lint_with(roster)).findings
    }

    /// The policy a new organisation starts with: three levels, office hours in UTC, no categories yet.
    ///
    /// # Panics
    /// Never: its text is part of the crate, and tests read and check it.
    pub fn standard() -> Self {
        #[expect(clippy::expect_used, reason = "the text is part of the crate; tests read and check it")]
        toml::from_str(include_str!("standard.toml")).expect("the standard policy can be read")
    }

    /// The policy as TOML, readable by [`Policy::from_toml`].
    ///
    /// # Errors
    /// If a value does not fit TOML, which no checked policy does.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// The policy with a category more, or with this one in place of the one with the same key.
    pub fn with_category(mut self, category: Category) -> Self {
        match self.categories.iter_mut().find(|known| known.key == category.key) {
            Some(known) => *known = category,
            None => self.categories.push(category),
        }
        self
    }

    /// A category by key.
    pub fn category(&self, key: &CategoryKey) -> Option<&Category> {
        self.categories.iter().find(|category| category.key == *key)
    }

    /// A cause by key.
    pub fn cause(&self, key: &CauseKey) -> Option<&Cause> {
        self.causes.iter().find(|cause| cause.key == *key)
    }

    /// The level with final authority.
    pub fn last_level(&self) -> Level {
        u8::try_from(self.levels.len()).ok().and_then(|count| Level::new(count).ok()).unwrap_or(Level::FIRST)
    }

    /// The policy of a level; beyond the ladder, that of the last.
    pub fn level(&self, level: Level) -> Option<&LevelPolicy> {
        self.levels.get(usize::from(level.get()) - 1).or(self.levels.last())
    }

    /// What the agents of a level are called.
    pub fn level_name(&self, level: Level) -> &str {
        self.level(level).map_or("", |policy| policy.name.as_str())
    }

    /// The calendar that working time is measured on.
    pub fn working_calendar(&self) -> Calendar {
        self.calendars.get(&self.calendar).cloned().unwrap_or_else(Calendar::always)
    }

    /// The time promised by a clock to a complaint of this category, priority and level: the category's own target,
    /// else the priority's, else the usual one.
    ///
    /// ```
    /// use complaint_core::Policy;
    /// use complaint_core::complaint::Priority;
    /// use complaint_core::deadline::ClockKind;
    /// use complaint_core::id::{CategoryKey, Level};
    ///
    /// let (policy, water) = (Policy::standard(), CategoryKey::new("Water supply")?);
    /// let target = |priority| policy.target(ClockKind::Resolution, &water, priority, Level::FIRST);
    /// assert_eq!(target(Priority::Normal), Some("20 working days".parse()?));
    /// assert_eq!(target(Priority::Urgent), Some("5 working days".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn target(&self, clock: ClockKind, category: &CategoryKey, priority: Priority, level: Level) -> Option<Span> {
        if clock == ClockKind::Level {
            let policy = self.level(level)?;
            return Some(policy.priorities.get(&priority).copied().unwrap_or(policy.target));
        }
        let own = self.category(category).and_then(|category| category.targets.of(clock));
        let by_priority = || self.priorities.get(&priority).and_then(|targets| targets.of(clock));
        own.or_else(by_priority).or_else(|| self.targets.of(clock))
    }

    /// Until when a complaint must be kept: its end and the [retention](Policy::retention). `None` while it is open or
    /// resolved, and for good where the policy says nothing.
    ///
    /// ```
    /// use complaint_core::lifecycle::{Command, CommandName};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let mut policy = Policy::standard().with_category(Category::named("Water supply")?);
    /// policy.retention = Some("1096 days".parse()?);
    /// # let desk = Desk::new(MemoryStore::new(), policy);
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// assert_eq!(desk.policy().kept_until(receipt.complaint()), None);
    /// let ended = john.perform(receipt.id(), Command::with_reason(CommandName::Withdraw, "It came back.")).await?;
    /// let kept = desk.policy().kept_until(&ended).expect("it has ended");
    /// assert_eq!((kept - ended.status_since).num_days(), 1096);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kept_until(&self, complaint: &Complaint) -> Option<DateTime<Utc>> {
        let retention = self.retention.filter(|_| complaint.status.is_end())?;
        Some(retention.due(&self.working_calendar(), complaint.status_since))
    }

    /// Whether an agent of a level may decide these amounts alone: per currency their sum is within the limit.
    ///
    /// Example: [`LevelPolicy`].
    pub fn has_authority(&self, level: Level, amounts: impl IntoIterator<Item = Money>) -> bool {
        let Some(limits) = self.level(level).and_then(|policy| policy.authority.as_ref()) else {
            return true;
        };
        let mut sums = BTreeMap::new();
        for amount in amounts {
            let sum: &mut u64 = sums.entry(amount.currency()).or_default();
            *sum = sum.saturating_add(amount.minor_units());
        }
        sums.into_iter().all(|(currency, sum)| {
            limits.iter().any(|limit| limit.currency() == currency && limit.minor_units() >= sum)
        })
    }
}

fn listed(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn two() -> u8 {
    2
}

fn one() -> u64 {
    1
}

fn one_weight() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn fifty() -> u32 {
    50
}

fn thousand() -> u32 {
    1000
}

fn thirty_days() -> Span {
    Span::new(30, SpanUnit::Days)
}

fn one_day() -> Span {
    Span::new(24, SpanUnit::Hours)
}

fn by_mail() -> BTreeSet<NoticeChannel> {
    BTreeSet::from([NoticeChannel::Email])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_policy_survives_a_round_trip() {
        let policy = Policy::standard().with_category(Category::named("Damaged goods").unwrap());
        let again = Policy::from_toml(&policy.to_toml().unwrap()).unwrap();
        assert_eq!(again, policy);
        assert_eq!(policy.last_level().get(), 3);
    }

    #[test]
    fn what_a_policy_does_not_say_is_the_usual() {
        let standard: toml::Table = toml::from_str(include_str!("standard.toml")).unwrap();
        let needed = ["name", "calendar", "calendars", "targets", "levels"];
        let silent: toml::Table = standard.into_iter().filter(|(field, _)| needed.contains(&field.as_str())).collect();
        let policy = Policy::from_toml(&toml::to_string(&silent).unwrap()).unwrap();
        assert_eq!((policy.low_rating, policy.open_complaints_per_customer), (2, 50));
        assert_eq!(policy.log_entries_per_complaint, 1000);
        assert_eq!(
            (policy.reinstate_window.to_string().as_str(), policy.rating_window.to_string().as_str()),
            ("30 days", "24 hours")
        );
        assert_eq!(policy.channels, BTreeSet::from([NoticeChannel::Email]));
    }

    #[test]
    fn a_category_asks_for_itself_unless_told_otherwise() {
        let mut category = Category::named("Damaged goods").unwrap();
        assert_eq!(category.needed_skills(), BTreeSet::from([Skill::new("damaged goods").unwrap()]));
        category.skills = Some(BTreeSet::new());
        assert!(category.needed_skills().is_empty());
    }

    #[test]
    fn targets_go_from_the_special_to_the_general() {
        let mut category = Category::named("Water").unwrap();
        category.targets.resolution = Some("1 hour".parse().unwrap());
        let key = category.key.clone();
        let policy = Policy::standard().with_category(category);
        let target = |clock, priority| policy.target(clock, &key, priority, Level::FIRST).unwrap().to_string();
        assert_eq!(target(ClockKind::Resolution, Priority::Urgent), "1 hour");
        assert_eq!(target(ClockKind::FirstResponse, Priority::Urgent), "2 working hours");
        assert_eq!(target(ClockKind::FirstResponse, Priority::Low), "2 working days");
        assert_eq!(target(ClockKind::Level, Priority::High), "3 working days");
    }

    #[test]
    fn authority_is_summed_per_currency() {
        let policy = Policy::standard();
        let euros = |amount: &str| amount.parse::<Money>().unwrap();
        assert!(policy.has_authority(Level::FIRST, [euros("60.00 EUR"), euros("40.00 EUR")]));
        assert!(!policy.has_authority(Level::FIRST, [euros("60.00 EUR"), euros("40.01 EUR")]));
        assert!(!policy.has_authority(Level::FIRST, [euros("1 JPY")]));
        assert!(policy.has_authority(policy.last_level(), [euros("1000000 EUR")]));
    }

    #[test]
    fn faults_are_named_in_the_order_of_the_policy() {
        let mut policy = Policy::standard();
        policy.calendar = "moon".into();
        policy.levels[1].name = String::new();
        let twice = Category::named("Water").unwrap();
        policy.categories = vec![twice.clone(), twice];
        let paths: Vec<String> = policy.lint().into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["calendar", "levels.1.name", "categories.1.key", "categories.1.name"]);
        let mut wordy = Category::named("Water").unwrap();
        wordy.description = "x".repeat(2000);
        assert!(Policy::standard().with_category(wordy.clone()).lint().is_empty());
        wordy.description.push('x');
        let question = |n| CategoryQuestion { key: format!("q{n}"), label: format!("Which {n}?"), required: false };
        let asking = |questions| Category { questions, ..Category::named("Water").unwrap() };
        assert_eq!(Policy::standard().with_category(asking((0..30).map(question).collect())).lint(), []);
        for (key, is_fine) in
            [("a_b-C9", true), ("é", false), ("a b", false), (&"k".repeat(64), true), (&"k".repeat(65), false)]
        {
            let one = CategoryQuestion { key: key.to_owned(), ..question(1) };
            let findings = Policy::standard().with_category(asking(vec![one])).lint();
            assert_eq!(findings.is_empty(), is_fine, "{key}: {findings:?}");
        }
        wordy.questions = (0..31).map(question).collect();
        let paths: Vec<String> =
            Policy::standard().with_category(wordy).lint().into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["categories.0.description", "categories.0.questions"]);
    }
}
