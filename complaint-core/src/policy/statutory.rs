//! What the law promises, and what customers are told of their rights. Each promise says within which time, what
//! keeps it, whom it is for and where that is written.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{Category, Policy};
use crate::deadline::{Calendar, LegalPromise, Milestone, Span};
use crate::id::{CategoryKey, PromiseKey};
use crate::text;

/// One promise of the law: a clock of the statutory family, which never pauses and never moves later.
///
/// ```toml
/// [statutory.final-response]
/// label = "Final response"
/// within = "8 calendar weeks"
/// kept_by = "resolution"
/// except = ["payment-services"]
/// source = "FCA Handbook, DISP 1.6.2R"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatutoryPromise {
    /// What people read.
    pub label: String,
    /// How much time there is from the receipt.
    pub within: Span,
    /// Which receipt is day zero.
    #[serde(default, skip_serializing_if = "DayZero::is_receipt")]
    pub day_zero: DayZero,
    /// What keeps it. A resolution keeps each.
    #[serde(default)]
    pub kept_by: Milestone,
    /// Whether it is an opportunity that lapses unused, such as a simplified letter for who settles at once: nobody is
    /// warned of its end, and its end breaks nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lapses: bool,
    /// The only categories it is for, by key or by one of their groups. Empty: all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub categories: BTreeSet<CategoryKey>,
    /// Categories it is not for, by key or by one of their groups.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub except: BTreeSet<CategoryKey>,
    /// The first day of receipt it is for, in the zone of the calendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// The last day of receipt it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    /// Where it is written.
    pub source: String,
    /// The rule pack that brought it; `None`: the house's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
}

/// Which instant a promise of the law counts from.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::policy::{DayZero, StatutoryPromise};
///
/// let policy = Policy::standard();
/// let (office, promise) = (policy.working_calendar(), policy.statutory.values().next().expect("one"));
/// let promise = StatutoryPromise { within: "3 calendar days".parse()?, ..promise.clone() };
/// let late_on_friday = "2026-11-20T22:00:00Z".parse()?;
/// let due = |day_zero| StatutoryPromise { day_zero, ..promise.clone() }.due(&office, late_on_friday);
/// assert_eq!(due(DayZero::Receipt).to_rfc3339(), "2026-11-24T00:00:00+00:00");
/// assert_eq!(due(DayZero::NextOpening).to_rfc3339(), "2026-11-27T00:00:00+00:00"); // from Monday
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayZero {
    /// The receipt itself, at whatever hour: the date of receipt is day zero. The strictest reading.
    #[default]
    Receipt,
    /// The first opening of the office from the receipt on: what comes in after closing or on a holiday counts as of
    /// the next business day, where a law allows that.
    NextOpening,
}

impl DayZero {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_receipt(&self) -> bool {
        *self == Self::Receipt
    }
}

impl StatutoryPromise {
    /// The instant until which it is to be kept.
    pub fn due(&self, calendar: &Calendar, received_at: DateTime<Utc>) -> DateTime<Utc> {
        self.within.due(calendar, self.counts_from(calendar, received_at))
    }

    /// The instant it counts from.
    pub(crate) fn counts_from(&self, calendar: &Calendar, received_at: DateTime<Utc>) -> DateTime<Utc> {
        match self.day_zero {
            DayZero::Receipt => received_at,
            DayZero::NextOpening => calendar.next_opening(received_at),
        }
    }

    /// What a deadline keeps of it.
    pub(crate) fn stamped(&self, key: &PromiseKey) -> LegalPromise {
        LegalPromise { key: key.clone(), kept_by: self.kept_by, lapses: self.lapses }
    }

    /// Whether a complaint can have both, to be kept by the same, and they are of one source: what is for all of another
    /// pack is a law of its own, that has its own clock beside this one.
    pub(super) fn rivals(&self, other: &Self, categories: &[Category]) -> bool {
        let two_laws = self.pack.is_some() && other.pack.is_some() && self.pack != other.pack;
        if two_laws || self.lapses || other.lapses || self.kept_by != other.kept_by {
            return false;
        }
        let on = self.from.max(other.from).unwrap_or(NaiveDate::MIN);
        let both = |key: &CategoryKey, known| self.is_for(key, known, on) && other.is_for(key, known, on);
        let for_the_rest = self.categories.is_empty() && other.categories.is_empty();
        let in_time = [self, other].iter().all(|it| it.until.is_none_or(|until| on <= until));
        let mut named = self.categories.union(&other.categories);
        in_time
            && (for_the_rest
                || named.any(|key| both(key, categories.iter().find(|known| known.key == *key)))
                || categories.iter().any(|known| both(&known.key, Some(known))))
    }

    fn is_for(&self, category: &CategoryKey, known: Option<&Category>, received_on: NaiveDate) -> bool {
        let named = |names: &BTreeSet<CategoryKey>| {
            names.contains(category) || known.is_some_and(|known| !known.groups.is_disjoint(names))
        };
        (self.categories.is_empty() || named(&self.categories))
            && !named(&self.except)
            && self.from.is_none_or(|from| from <= received_on)
            && self.until.is_none_or(|until| received_on <= until)
    }
}

/// What customers are told of their rights beyond the organisation: texts with slots, e.g. `{ombudsman}`, that the
/// house fills. A text that is not given is not sent.
///
/// ```
/// use complaint_core::policy::{Rights, RightsMoment};
///
/// let rights = Rights {
///     decision: Some("You can turn to {ombudsman}.".into()),
///     slots: [("ombudsman".into(), "the Water Ombudsman".into())].into(),
///     ..Rights::default()
/// };
/// assert_eq!(rights.text(RightsMoment::Decision).as_deref(), Some("You can turn to the Water Ombudsman."));
/// assert_eq!(rights.text(RightsMoment::Missed), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rights {
    /// With a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// With the short letter for what was settled with a satisfied customer; without it, that of a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// When the time that the law allows is over without the answer it asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<String>,
    /// The rule pack that brought them; `None`: the house's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    /// What stands in the slots.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, String>,
}

/// When a customer is told of their rights.
///
/// Example: [`Rights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RightsMoment {
    /// A decision is sent.
    Decision,
    /// It was settled with a satisfied customer.
    Summary,
    /// The law's time is over.
    Missed,
}

impl Rights {
    /// The text of a moment with its slots filled, if the policy has one.
    pub fn text(&self, moment: RightsMoment) -> Option<String> {
        let text = match moment {
            RightsMoment::Decision => self.decision.as_ref(),
            RightsMoment::Summary => self.summary.as_ref().or(self.decision.as_ref()),
            RightsMoment::Missed => self.missed.as_ref(),
        }?;
        // In one pass: what a slot is filled with is not looked through for others.
        let (mut filled, mut rest) = (String::new(), text.as_str());
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let slot = after.split_once('}').and_then(|(slot, after)| Some((self.slots.get(slot)?, after)));
            let (words, after) = slot.map_or(("{", after), |(words, after)| (words.as_str(), after));
            filled.push_str(words);
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Policy {
    /// The promises of the law that apply to complaints of this category received at this instant, by key.
    ///
    /// ```
    /// use complaint_core::Policy;
    /// use complaint_core::id::CategoryKey;
    ///
    /// let (policy, water) = (Policy::standard(), CategoryKey::new("Water supply")?);
    /// let promises = policy.promises_for(&water, "2026-11-23T09:30:00Z".parse()?);
    /// let keys = promises.map(|(key, _)| key.as_str());
    /// assert!(keys.eq(["final-response"]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn promises_for(
        &self,
        category: &CategoryKey,
        received_at: DateTime<Utc>,
    ) -> impl Iterator<Item = (&PromiseKey, &StatutoryPromise)> {
        let known = self.category(category).cloned();
        let category = category.clone();
        let received_on = self.working_calendar().date(received_at);
        self.statutory.iter().filter(move |(_, promise)| promise.is_for(&category, known.as_ref(), received_on))
    }

    /// What the law gives every complaint until its final response, if it does: of the promises that neither lapse nor are
    /// for certain categories the one that is over first, for that one binds.
    pub(crate) fn final_response(&self) -> Option<(&PromiseKey, &StatutoryPromise)> {
        let promises = self.statutory.iter().filter(|(_, promise)| {
            promise.kept_by == Milestone::Resolution && !promise.lapses && promise.categories.is_empty()
        });
        promises.reduce(|first, other| if self.is_longer(first.1.within, other.1.within) { other } else { first })
    }

    /// What is wrong with the promises of the law and the texts about rights: path and message of each fault.
    pub(super) fn statutory_faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        for (key, promise) in &self.statutory {
            let mut fault =
                |field: &str, message: &str| faults.push((format!("statutory.{key}.{field}"), message.into()));
            for (field, line) in [("label", &promise.label), ("source", &promise.source)] {
                if text::line(line, text::FIELD_MAX).is_err() {
                    fault(field, "must be one line of 1 to 200 characters");
                }
            }
            if promise.from.zip(promise.until).is_some_and(|(from, until)| until < from) {
                fault("until", "is before `from`, so it is for no day at all");
            }
            if !promise.categories.is_disjoint(&promise.except) {
                fault("except", "names a category that `categories` names too");
            }
        }
        let texts =
            [("decision", &self.rights.decision), ("summary", &self.rights.summary), ("missed", &self.rights.missed)];
        for (field, words) in texts {
            let Some(words) = words else { continue };
            if text::text(words).is_err() {
                faults.push((format!("rights.{field}"), "must be a text within bounds".into()));
            }
            let open = words.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(slot, _)| slot);
            for slot in open.filter(|slot| !self.rights.slots.contains_key(*slot)) {
                faults.push((format!("rights.slots.{slot}"), format!("is missing: `rights.{field}` has this slot")));
            }
        }
        for (slot, words) in &self.rights.slots {
            if text::line(words, text::FIELD_MAX).is_err() {
                faults.push((format!("rights.slots.{slot}"), "must be one line of 1 to 200 characters".into()));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_a_slot_is_not_filled_itself() {
        let slots = [("a", "{b}"), ("b", "{a}"), ("c", "C")].map(|(slot, words)| (slot.to_owned(), words.to_owned()));
        let decision = Some("{a} {b} {c}{c}, { {c} {d} }{{c}".to_owned());
        let rights = Rights { decision, slots: slots.into(), ..Rights::default() };
        let text = rights.text(RightsMoment::Decision);
        assert_eq!(text.as_deref(), Some("{b} {a} CC, { C {d} }{C"));
    }
}
