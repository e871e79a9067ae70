//! What is done to put things right: as decided, and as promised with a small state of its own.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::Complaint;
use super::closed_list::closed_list;
use crate::actor::Party;
use crate::deadline::ClockKind;
use crate::id::InvalidId;
use crate::lifecycle::Status;
use crate::money::Money;
use crate::policy::Policy;

closed_list!(
    /// What is done to put things right (ISO 10002 calls for remedies wherever they are appropriate).
    RemedyKind, "remedy kind" {
        /// Money back; needs an amount.
        Refund = "refund", "Refund";
        /// The thing again.
        Replacement = "replacement", "Replacement";
        /// The thing mended.
        Repair = "repair", "Repair";
        /// Money for what was suffered; needs an amount.
        Compensation = "compensation", "Compensation";
        /// Words; given with the decision itself.
        Apology = "apology", "Apology";
        /// The record put right.
        Correction = "correction", "Correction";
        /// The organisation changes how it works.
        ProcessChange = "process_change", "Process change";
        /// An account of what happened; given with the decision itself.
        Explanation = "explanation", "Explanation";
    }
);

impl RemedyKind {
    /// Whether it is an amount of money.
    pub fn is_money(self) -> bool {
        matches!(self, Self::Refund | Self::Compensation)
    }

    /// Whether the decision itself delivers it, so that nothing stays outstanding.
    pub fn is_given_with_decision(self) -> bool {
        matches!(self, Self::Apology | Self::Explanation)
    }
}

/// A remedy as decided.
///
/// ```
/// use complaint_core::Remedy;
/// use complaint_core::complaint::RemedyKind;
///
/// let refund = Remedy::refund("12.50 EUR")?.due_on("2026-12-01".parse()?);
/// assert_eq!((refund.kind, refund.amount.map(|it| it.minor_units())), (RemedyKind::Refund, Some(1250)));
/// assert_eq!(Remedy::compensation("20 EUR")?.in_words(), "Compensation of 20.00 EUR");
/// let repair = Remedy::of(RemedyKind::Repair).with_instructions("We come by appointment.");
/// assert!(!repair.kind.is_money() && !repair.kind.is_given_with_decision());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// What is done.
    pub kind: RemedyKind,
    /// How much, where it is money: `12.50 EUR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// By when it is promised; the policy's target where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_on: Option<NaiveDate>,
    /// How the customer proceeds, e.g. where to send the broken one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

impl Remedy {
    /// A remedy that is no money.
    pub fn of(kind: RemedyKind) -> Self {
        Self { kind, amount: None, due_on: None, instructions: None }
    }

    /// Money back, e.g. `12.50 EUR`.
    pub fn refund(amount: &str) -> Result<Self, InvalidId> {
        Ok(Self { amount: Some(amount.parse()?), ..Self::of(RemedyKind::Refund) })
    }

    /// Money for what was suffered, e.g. `20 EUR`.
    pub fn compensation(amount: &str) -> Result<Self, InvalidId> {
        Ok(Self { amount: Some(amount.parse()?), ..Self::of(RemedyKind::Compensation) })
    }

    /// The thing again.
    pub fn replacement() -> Self {
        Self::of(RemedyKind::Replacement)
    }

    /// Tells the customer how to proceed.
    pub fn with_instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Promises a day.
    pub fn due_on(mut self, day: NaiveDate) -> Self {
        self.due_on = Some(day);
        self
    }
}

/// A remedy that a decision offered, and what became of it. That a promise failed stays known when it is kept after all; what
/// was recorded and turned out not to be so, a delivery that never arrived or a wish that was none, is in the log alone.
///
/// ```
/// use complaint_core::Remedy;
/// use complaint_core::complaint::RemedyState;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// # let asha = desk.acting_as(Actor::agent(&asha));
/// # asha.begin(receipt.id()).await?;
/// # let decision = complaint_core::Resolution::upheld("Valve 14 was stuck.").apologising();
/// asha.resolve(receipt.id(), decision.with(Remedy::refund("12.50 EUR")?)).await?;
/// let complaint = john.accept(receipt.id()).await?;
/// let promise = &complaint.remedies[0];
/// assert_eq!(complaint.remedy_state(promise), RemedyState::Accepted);
/// assert_eq!(promise.accepted.as_ref().map(|step| step.by.role()), Some("customer"));
/// assert_eq!(promise.recorded_by(), None, "by nobody for them");
/// assert_eq!(complaint.outstanding_remedies().count(), 1);
/// assert!(!complaint.is_late(promise) && !complaint.has_failed_remedy());
/// let command = complaint_core::lifecycle::CommandName::FulfilRemedy;
/// assert!(complaint.remedies_for(command, asha.actor()).eq([promise]));
/// assert_eq!(complaint.deniable_until(promise, &desk.policy()), None, "nobody says that it was delivered");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyPromise {
    /// Its number on this complaint, from 1.
    pub number: u32,
    /// The resolution that offered it, from 1; offered when that was decided.
    pub resolution: u32,
    /// What was offered.
    pub remedy: Remedy,
    /// The customer wants it, or agreed with the whole decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<RemedyStep>,
    /// The customer does not want it; the text says why, if they did. Nothing is owed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<RemedyStep>,
    /// It could not be delivered, or did not arrive; the text says why. It stays owed. The latest time, if it failed often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<RemedyStep>,
    /// How often it failed after the first time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed_again: u32,
    /// It was delivered; the text proves it, but for words that the decision itself delivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfilled: Option<RemedyStep>,
    /// The day it was delivered, once it was.
    pub fulfilled_on: Option<NaiveDate>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One thing that happened to a remedy.
///
/// Example: [`RemedyPromise`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyStep {
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: Party,
    /// In which words: a reason, or evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

closed_list!(
    /// Where a remedy is. Each is in exactly one of these; see [`Complaint::remedy_state`].
    RemedyState, "remedy state" {
        /// Promised with a decision that stands; the customer has not said whether they want it.
        Offered = "offered", "Offered";
        /// The customer wants it, and waits.
        Accepted = "accepted", "Accepted";
        /// The customer does not want it.
        Declined = "declined", "Declined";
        /// Delivered.
        Fulfilled = "fulfilled", "Delivered";
        /// It could not be delivered, and nobody has made that good yet.
        Failed = "failed", "Failed";
        /// It fell, undelivered, with a decision that stands no more.
        Lapsed = "lapsed", "Fell with the decision";
    }
);

impl Complaint {
    /// Where a remedy of this complaint is.
    pub fn remedy_state(&self, promise: &RemedyPromise) -> RemedyState {
        if promise.fulfilled.is_some() {
            RemedyState::Fulfilled
        } else if promise.declined.is_some() {
            RemedyState::Declined
        } else if promise.failed.is_some() {
            RemedyState::Failed
        } else if !self.is_of_standing_decision(promise) {
            RemedyState::Lapsed
        } else if promise.accepted.is_some() {
            RemedyState::Accepted
        } else {
            RemedyState::Offered
        }
    }

    /// The remedies that are owed: of the decision that stands, neither delivered nor declined. One that failed is owed
    /// until it is made good, declined, or replaced by another decision. What an earlier decision promised fell with it.
    pub fn outstanding_remedies(&self) -> impl Iterator<Item = &RemedyPromise> {
        self.remedies.iter().filter(|promise| {
            promise.fulfilled.is_none() && promise.declined.is_none() && self.is_of_standing_decision(promise)
        })
    }

    /// Whether a remedy that is owed was not delivered in time, as the alarm has found.
    pub fn is_late(&self, promise: &RemedyPromise) -> bool {
        self.deadlines.iter().any(|deadline| {
            deadline.clock == ClockKind::Remedy
                && deadline.instance == promise.number
                && deadline.ended.is_none()
                && deadline.missed_at.is_some()
        })
    }

    /// Whether a promise of the decision that stands failed and was not made good.
    pub fn has_failed_remedy(&self) -> bool {
        self.outstanding_remedies().any(|promise| promise.failed.is_some())
    }

    /// How often promises of this complaint failed: each time the customer may contest anew.
    pub(crate) fn failures(&self) -> u32 {
        let failed = self.remedies.iter().filter(|promise| promise.failed.is_some());
        failed.map(|promise| promise.failed_again.saturating_add(1)).fold(0, u32::saturating_add)
    }

    /// Whether somebody recorded that it was delivered: nothing but words is delivered by the decision itself.
    pub(crate) fn was_recorded_as_delivered(&self, promise: &RemedyPromise) -> bool {
        promise.fulfilled.is_some()
            && !promise.remedy.kind.is_given_with_decision()
            && self.is_of_standing_decision(promise)
    }

    /// Until when the customer can say that a remedy did not arrive which is recorded as delivered: as long from that record
    /// as they have to contest a decision, and in any case while they may contest it. The policy gives the calendar alone: a
    /// window is as long as they were told.
    ///
    /// Example: [`RemedyPromise`].
    pub fn deniable_until(&self, promise: &RemedyPromise, policy: &Policy) -> Option<DateTime<Utc>> {
        let recorded = promise.fulfilled.as_ref().filter(|_| self.was_recorded_as_delivered(promise))?;
        let window = self.deadlines.iter().rev().find(|it| it.clock == ClockKind::ContestWindow)?;
        window.due_at.max(Some(window.due_from(policy, recorded.at)))
    }

    /// Whether staff recorded that the customer does not want it, of a decision that stands.
    pub(crate) fn was_declined_by_staff(&self, promise: &RemedyPromise) -> bool {
        let by_staff = promise.declined.as_ref().is_some_and(|step| !matches!(step.by, Party::Customer(_)));
        by_staff && self.is_of_standing_decision(promise)
    }

    /// Whether something stands by the word of staff alone that is the customer's to say: that they agree, or do not want a
    /// remedy. It closes nothing before they had the time to object.
    pub(crate) fn rests_on_word_of_staff(&self) -> bool {
        self.resolution().is_some_and(|it| it.recorded_by.is_some())
            || self.remedies.iter().any(|promise| self.was_declined_by_staff(promise))
    }

    /// What the latest decision promised and was neither delivered nor declined, once that decision stands no more.
    pub(crate) fn fallen_remedies(&self) -> impl Iterator<Item = &RemedyPromise> {
        self.remedies.iter().filter(|promise| {
            promise.resolution as usize == self.resolutions.len()
                && matches!(self.remedy_state(promise), RemedyState::Lapsed | RemedyState::Failed)
                && !self.is_of_standing_decision(promise)
        })
    }

    fn is_of_standing_decision(&self, promise: &RemedyPromise) -> bool {
        matches!(self.status, Status::Resolved | Status::Closed)
            && promise.resolution as usize == self.resolutions.len()
    }
}

impl RemedyPromise {
    /// Whose hand it was, where staff took down what the customer is said to want or not to want of it.
    ///
    /// Example: [`RemedyPromise`].
    pub fn recorded_by(&self) -> Option<&Party> {
        let word = self.declined.as_ref().or(self.accepted.as_ref())?;
        Some(&word.by).filter(|by| !matches!(by, Party::Customer(_)))
    }

    /// Whether the customer themself said that they want it: nobody says otherwise in their name.
    pub(crate) fn is_wanted_by_customer(&self) -> bool {
        self.accepted.as_ref().is_some_and(|step| matches!(step.by, Party::Customer(_)))
    }

    /// What it is called where there may be several: `2. Refund of 12.50 EUR`.
    ///
    /// Example: [`RemedyPromise`].
    pub fn numbered(&self) -> String {
        format!("{}. {}", self.number, self.remedy.in_words())
    }
}

impl Remedy {
    /// What it is, in words: `Refund of 12.50 EUR`.
    pub fn in_words(&self) -> String {
        match self.amount {
            Some(amount) => format!("{} of {amount}", self.kind.label()),
            None => self.kind.label().to_owned(),
        }
    }
}
