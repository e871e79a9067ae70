//! Redress and satisfaction, as reports show them.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use complaint_core::complaint::RemedyState;
use complaint_core::id::{AgentId, CategoryKey, Level};
use complaint_core::policy::Policy;
use complaint_core::redress::{Amounts, Totals};
use complaint_core::satisfaction::Figures;
use serde::Serialize;
use utoipa::ToSchema;

use super::view::cause_name;
use crate::figures::Counted;

/// Remedies in number and money, and what customers say, in all and by what decisions are told apart by.
#[derive(Serialize, ToSchema)]
pub(crate) struct FiguresView {
    /// When they were counted: at most a minute ago.
    pub(crate) counted_at: DateTime<Utc>,
    pub(crate) remedies: RemedyTotals,
    pub(crate) by_cause: Vec<RemedyGroup>,
    pub(crate) by_category: Vec<RemedyGroup>,
    pub(crate) by_level: Vec<RemedyGroup>,
    pub(crate) by_outcome: Vec<RemedyGroup>,
    pub(crate) by_kind: Vec<RemedyGroup>,
    /// All ratings; in the groups below, anonymous ones are left out where they are so few that they could be told.
    pub(crate) ratings: RatingFigures,
    pub(crate) ratings_by_agent: Vec<RatingGroup>,
    pub(crate) ratings_by_category: Vec<RatingGroup>,
    pub(crate) ratings_by_level: Vec<RatingGroup>,
}

/// The remedies of a group.
#[derive(Serialize, ToSchema)]
pub(crate) struct RemedyGroup {
    /// Null: of decisions that name no cause.
    #[schema(example = "packaging")]
    pub(crate) key: Option<String>,
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) totals: RemedyTotals,
}

/// Remedies by what became of them; each is in exactly one of `offered`, `accepted`, `declined`, `fulfilled`, `failed` and
/// `lapsed`.
#[derive(Serialize, ToSchema)]
pub(crate) struct RemedyTotals {
    pub(crate) decisions: u64,
    pub(crate) promised: RemedyCount,
    pub(crate) offered: RemedyCount,
    pub(crate) accepted: RemedyCount,
    pub(crate) declined: RemedyCount,
    pub(crate) fulfilled: RemedyCount,
    pub(crate) failed: RemedyCount,
    pub(crate) lapsed: RemedyCount,
    /// Owed: offered, accepted, or failed and not made good.
    pub(crate) outstanding: RemedyCount,
    /// Of those, the ones whose day is over.
    pub(crate) late: RemedyCount,
}

/// How many remedies, and how much money.
#[derive(Serialize, ToSchema)]
pub(crate) struct RemedyCount {
    pub(crate) count: u64,
    /// One sum per currency.
    #[schema(example = json!(["12.50 EUR"]))]
    pub(crate) money: Vec<String>,
}

/// The ratings of a group.
#[derive(Serialize, ToSchema)]
pub(crate) struct RatingGroup {
    pub(crate) key: String,
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) figures: RatingFigures,
}

/// Ratings in figures, rounded to hundredths.
#[derive(Serialize, ToSchema)]
pub(crate) struct RatingFigures {
    /// How many decisions could be rated.
    pub(crate) invited: u64,
    pub(crate) count: u64,
    /// How many gave 1, 2, 3, 4 and 5.
    pub(crate) by_score: [u64; 5],
    #[schema(example = "4.33")]
    pub(crate) mean: Option<String>,
    /// Ratings of 4 and 5, in percent.
    #[schema(example = "66.67")]
    pub(crate) satisfied_percent: Option<String>,
    /// How many of the decisions were rated, in percent.
    #[schema(example = "40.00")]
    pub(crate) response_percent: Option<String>,
}

impl FiguresView {
    /// The figures with names beside the keys; `agent` says what an agent is called.
    pub(crate) fn of(counted: &Counted, policy: &Policy, agent: impl Fn(&AgentId) -> String) -> Self {
        let (ledger, satisfaction) = (&counted.ledger, &counted.satisfaction);
        let category =
            |key: &CategoryKey| policy.category(key).map_or_else(|| key.to_string(), |category| category.name.clone());
        let level = |level: &Level| policy.level_name(*level).to_owned();
        Self {
            counted_at: counted.at,
            remedies: ledger.total().into(),
            by_cause: ledger
                .by_cause()
                .iter()
                .map(|(key, totals)| RemedyGroup {
                    key: key.as_ref().map(ToString::to_string),
                    name: key.as_ref().map_or_else(|| "No cause named".to_owned(), |key| cause_name(policy, key)),
                    totals: totals.into(),
                })
                .collect(),
            by_category: remedies_by(ledger.by_category(), category),
            by_level: remedies_by(ledger.by_level(), level),
            by_outcome: remedies_by(ledger.by_outcome(), |it| it.label().to_owned()),
            by_kind: remedies_by(ledger.by_kind(), |it| it.label().to_owned()),
            ratings: satisfaction.overall().into(),
            ratings_by_agent: ratings_by(satisfaction.by_agent(), agent),
            ratings_by_category: ratings_by(satisfaction.by_category(), category),
            ratings_by_level: ratings_by(satisfaction.by_level(), level),
        }
    }
}

fn remedies_by<K: ToString>(groups: &BTreeMap<K, Totals>, name: impl Fn(&K) -> String) -> Vec<RemedyGroup> {
    let group = |(key, totals): (&K, &Totals)| RemedyGroup {
        key: Some(key.to_string()),
        name: name(key),
        totals: totals.into(),
    };
    groups.iter().map(group).collect()
}

fn ratings_by<K: ToString>(groups: BTreeMap<K, Figures>, name: impl Fn(&K) -> String) -> Vec<RatingGroup> {
    let group =
        |(key, figures): (K, Figures)| RatingGroup { key: key.to_string(), name: name(&key), figures: figures.into() };
    groups.into_iter().map(group).collect()
}

impl From<&Totals> for RemedyTotals {
    fn from(totals: &Totals) -> Self {
        let of = |state| RemedyCount::from(totals.of(state));
        Self {
            decisions: totals.decisions,
            promised: totals.promised().into(),
            offered: of(RemedyState::Offered),
            accepted: of(RemedyState::Accepted),
            declined: of(RemedyState::Declined),
            fulfilled: of(RemedyState::Fulfilled),
            failed: of(RemedyState::Failed),
            lapsed: of(RemedyState::Lapsed),
            outstanding: totals.outstanding.clone().into(),
            late: totals.late.clone().into(),
        }
    }
}

impl From<Amounts> for RemedyCount {
    fn from(amounts: Amounts) -> Self {
        Self { count: amounts.count, money: amounts.money().map(|sum| sum.to_string()).collect() }
    }
}

impl fmt::Display for RemedyCount {
    /// As a table shows it: `3 (12.50 EUR, 7 JPY)`. No line ends within a sum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count)?;
        let sums: Vec<String> = self.money.iter().map(|sum| sum.replace(' ', "\u{a0}")).collect();
        if sums.is_empty() { Ok(()) } else { write!(f, " ({})", sums.join(", ")) }
    }
}

impl From<Figures> for RatingFigures {
    fn from(figures: Figures) -> Self {
        Self {
            invited: figures.invited,
            count: figures.ratings(),
            by_score: figures.by_score,
            mean: figures.mean_hundredths().map(hundredths),
            satisfied_percent: figures.satisfied_hundredths().map(hundredths),
            response_percent: figures.responses_hundredths().map(hundredths),
        }
    }
}

/// Hundredths as people write them: `4.33`.
fn hundredths(number: u64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}
