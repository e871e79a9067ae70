//! The books of redress: what was promised, what became of it, and why it was owed at all.
//!
//! A [`Ledger`] is counted from complaints one by one, in any order and on any machine, and ledgers are added to each
//! other. Money is counted in minor units, each currency by itself: nothing is ever converted or rounded.
//!
//! Example: [`Ledger`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::complaint::{Complaint, Outcome, RemedyKind, RemedyState};
use crate::id::{CategoryKey, CauseKey, Level};
use crate::money::{Currency, Money};

/// Remedies in number and money: in all, and by what decisions are told apart by.
///
/// ```
/// use complaint_core::complaint::RemedyState;
/// use complaint_core::policy::Category;
/// use complaint_core::redress::Ledger;
/// use complaint_core::store::MemoryStore;
/// use complaint_core::{Actor, Agent, Complaint, Desk, Policy, Remedy, Resolution};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Glass")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha")?.skilled_in(["glass"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let id = john.submit(Complaint::about("Glass", "Cracked", "It leaks.")?).await?.id();
/// let asha = desk.acting_as(Actor::agent(&asha));
/// asha.begin(id).await?;
/// let decision = Resolution::upheld("It left us cracked.").apologising();
/// asha.resolve(id, decision.with(Remedy::refund("12.50 EUR")?).with(Remedy::replacement())).await?;
/// let complaint = john.accept(id).await?;
///
/// let mut ledger = Ledger::default();
/// ledger.add(&complaint);
/// let accepted = ledger.total().of(RemedyState::Accepted);
/// assert_eq!(accepted.count, 2);
/// assert_eq!(accepted.money().map(|sum| sum.to_string()).collect::<Vec<_>>(), ["12.50 EUR"]);
/// let upheld = &ledger.by_outcome()[&complaint_core::complaint::Outcome::Upheld];
/// assert_eq!(upheld.promised(), ledger.total().promised());
/// assert_eq!(ledger.by_category()[&complaint.category], ledger.by_level()[&complaint.level]);
/// assert_eq!(ledger.by_kind().len(), 2);
/// assert!(ledger.by_cause().contains_key(&None), "the decision names no cause");
///
/// let mut of_all = Ledger::default();
/// of_all.merge(&ledger); // of another part of the complaints
/// assert_eq!(of_all, ledger);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    total: Totals,
    by_cause: BTreeMap<Option<CauseKey>, Totals>,
    by_category: BTreeMap<CategoryKey, Totals>,
    by_level: BTreeMap<Level, Totals>,
    by_outcome: BTreeMap<Outcome, Totals>,
    by_kind: BTreeMap<RemedyKind, Totals>,
}

impl Ledger {
    /// Counts every decision of a complaint, and every remedy of each.
    pub fn add(&mut self, complaint: &Complaint) {
        for (resolution, number) in complaint.resolutions.iter().zip(1_u32..) {
            let mut kinds = BTreeSet::new();
            let mut decision = Totals { decisions: 1, ..Totals::default() };
            for promise in complaint.remedies.iter().filter(|promise| promise.resolution == number) {
                let (kind, amount) = (promise.remedy.kind, promise.remedy.amount);
                let mut of_it = Totals::default();
                of_it.states.entry(complaint.remedy_state(promise)).or_default().count_in(amount);
                if complaint.outstanding_remedies().any(|owed| owed.number == promise.number) {
                    of_it.outstanding.count_in(amount);
                }
                if complaint.is_late(promise) {
                    of_it.late.count_in(amount);
                }
                decision.merge(&of_it);
                of_it.decisions = u64::from(kinds.insert(kind));
                self.by_kind.entry(kind).or_default().merge(&of_it);
            }
            self.total.merge(&decision);
            self.by_cause.entry(resolution.cause.clone()).or_default().merge(&decision);
            self.by_category.entry(complaint.category.clone()).or_default().merge(&decision);
            self.by_level.entry(resolution.level).or_default().merge(&decision);
            self.by_outcome.entry(resolution.outcome).or_default().merge(&decision);
        }
    }

    /// Adds another ledger, of other complaints.
    pub fn merge(&mut self, other: &Self) {
        fn each<K: Ord + Clone>(own: &mut BTreeMap<K, Totals>, other: &BTreeMap<K, Totals>) {
            for (key, totals) in other {
                own.entry(key.clone()).or_default().merge(totals);
            }
        }
        self.total.merge(&other.total);
        each(&mut self.by_cause, &other.by_cause);
        each(&mut self.by_category, &other.by_category);
        each(&mut self.by_level, &other.by_level);
        each(&mut self.by_outcome, &other.by_outcome);
        each(&mut self.by_kind, &other.by_kind);
    }

    /// All of it.
    pub fn total(&self) -> &Totals {
        &self.total
    }

    /// By the cause that the decision names; `None`: it names none.
    pub fn by_cause(&self) -> &BTreeMap<Option<CauseKey>, Totals> {
        &self.by_cause
    }

    /// By what the complaint is about.
    pub fn by_category(&self) -> &BTreeMap<CategoryKey, Totals> {
        &self.by_category
    }

    /// By the level that decided.
    pub fn by_level(&self) -> &BTreeMap<Level, Totals> {
        &self.by_level
    }

    /// By the decision.
    pub fn by_outcome(&self) -> &BTreeMap<Outcome, Totals> {
        &self.by_outcome
    }

    /// By the kind of remedy.
    pub fn by_kind(&self) -> &BTreeMap<RemedyKind, Totals> {
        &self.by_kind
    }
}

/// What was promised, by what became of it.
///
/// Example: [`Ledger`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many decisions; of a kind of remedy, how many that promise it.
    pub decisions: u64,
    /// What is owed: offered, accepted, or failed and not made good. Part of what the states hold.
    pub outstanding: Amounts,
    /// What is owed and its day is over. Part of `outstanding`.
    pub late: Amounts,
    states: BTreeMap<RemedyState, Amounts>,
}

impl Totals {
    /// The remedies in a state; each is in exactly one.
    pub fn of(&self, state: RemedyState) -> Amounts {
        self.states.get(&state).cloned().unwrap_or_default()
    }

    /// Everything that was ever promised, whatever became of it.
    pub fn promised(&self) -> Amounts {
        let mut all = Amounts::default();
        self.states.values().for_each(|amounts| all.merge(amounts));
        all
    }

    fn merge(&mut self, other: &Self) {
        self.decisions += other.decisions;
        self.outstanding.merge(&other.outstanding);
        self.late.merge(&other.late);
        for (state, amounts) in &other.states {
            self.states.entry(*state).or_default().merge(amounts);
        }
    }
}

/// How many remedies, and how much money.
///
/// Example: [`Ledger`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Amounts {
    /// How many, those that are no money too.
    pub count: u64,
    // As many amounts as a u64 can count, each as large as a u64 can be, are less than 2^128: no sum can overflow.
    money: BTreeMap<Currency, u128>,
}

impl Amounts {
    /// The money in them, one sum per currency, in the order of the codes.
    pub fn money(&self) -> impl Iterator<Item = Sum> {
        self.money.iter().map(|(currency, minor_units)| Sum { minor_units: *minor_units, currency: *currency })
    }

    fn count_in(&mut self, amount: Option<Money>) {
        self.count += 1;
        if let Some(amount) = amount {
            *self.money.entry(amount.currency()).or_default() += u128::from(amount.minor_units());
        }
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (currency, minor_units) in &other.money {
            *self.money.entry(*currency).or_default() += minor_units;
        }
    }
}

/// A sum of money. It may be more than one [`Money`] can hold.
///
/// Example: [`Ledger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// In minor units: cents of a euro, whole yen.
    pub minor_units: u128,
    /// Of which currency.
    pub currency: Currency,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency.decimal(self.minor_units), self.currency)
    }
}
