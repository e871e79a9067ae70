//! What customers say of how they were treated, in figures that give nobody away.
//!
//! [`Satisfaction`] is counted from complaints one by one, in any order and on any machine, and added up. Anonymous
//! ratings count like any other; broken down they show only where [`ANONYMOUS_MIN`] of them stand together.
//!
//! Example: [`Satisfaction`].

use std::collections::{BTreeMap, BTreeSet};

use crate::complaint::Complaint;
use crate::id::{AgentId, CategoryKey, Level};

/// So many anonymous ratings of an agent, category or level must there be before they show in its figures. Fewer could
/// be told from the figures of all.
pub const ANONYMOUS_MIN: u64 = 5;

/// Ratings and invitations to rate: every decision is one.
///
/// ```
/// use complaint_core::satisfaction::Satisfaction;
/// # use complaint_core::policy::Category;
/// # use complaint_core::store::MemoryStore;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, Rating, Resolution};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Glass")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha")?.skilled_in(["glass"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let id = john.submit(Complaint::about("Glass", "Cracked", "It leaks.")?).await?.id();
/// # let acting = desk.acting_as(Actor::agent(&asha));
/// # acting.begin(id).await?;
/// # acting.resolve(id, Resolution::upheld("It left us cracked.").apologising()).await?;
/// let complaint = john.rate(id, Rating::FOUR, "Quick and kind.").await?;
/// let mut satisfaction = Satisfaction::default();
/// satisfaction.add(&complaint);
/// assert_eq!(satisfaction.overall().mean_hundredths(), Some(400));
/// assert_eq!(satisfaction.by_agent()[&asha.id].responses_hundredths(), Some(10_000)); // 100.00 %
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Satisfaction {
    overall: Tally,
    by_agent: BTreeMap<AgentId, Tally>,
    by_category: BTreeMap<CategoryKey, Tally>,
    by_level: BTreeMap<Level, Tally>,
}

/// What was counted of a group. Never shown as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    invited: u64,
    named: [u64; 5],
    anonymous: [u64; 5],
}

impl Satisfaction {
    /// Counts every decision of a complaint, with its rating if it has one.
    pub fn add(&mut self, complaint: &Complaint) {
        for (resolution, number) in complaint.resolutions.iter().zip(1_u32..) {
            let mut one = Tally { invited: 1, ..Tally::default() };
            if let Some(rating) = complaint.feedback.iter().find(|feedback| feedback.resolution == number) {
                let scores = if rating.anonymous { &mut one.anonymous } else { &mut one.named };
                if let Some(count) = usize::from(rating.score).checked_sub(1).and_then(|at| scores.get_mut(at)) {
                    *count += 1;
                }
            }
            self.overall.merge(&one);
            self.by_agent.entry(resolution.by.clone()).or_default().merge(&one);
            self.by_category.entry(complaint.category.clone()).or_default().merge(&one);
            self.by_level.entry(resolution.level).or_default().merge(&one);
        }
    }

    /// Adds what was counted of other complaints.
    pub fn merge(&mut self, other: &Self) {
        fn each<K: Ord + Clone>(own: &mut BTreeMap<K, Tally>, other: &BTreeMap<K, Tally>) {
            for (key, tally) in other {
                own.entry(key.clone()).or_default().merge(tally);
            }
        }
        self.overall.merge(&other.overall);
        each(&mut self.by_agent, &other.by_agent);
        each(&mut self.by_category, &other.by_category);
        each(&mut self.by_level, &other.by_level);
    }

    /// All decisions, all ratings.
    pub fn overall(&self) -> Figures {
        self.overall.figures(true)
    }

    /// By the agent who decided.
    pub fn by_agent(&self) -> BTreeMap<AgentId, Figures> {
        shown(&self.by_agent)
    }

    /// By what the complaint is about.
    pub fn by_category(&self) -> BTreeMap<CategoryKey, Figures> {
        shown(&self.by_category)
    }

    /// By the level that decided.
    pub fn by_level(&self) -> BTreeMap<Level, Figures> {
        shown(&self.by_level)
    }
}

/// The figures of each group. Where too few anonymous ratings are left out of one group, they could be found by taking
/// all other groups from the whole: so those of the next smallest group are left out too, until there are enough.
fn shown<K: Ord + Clone>(groups: &BTreeMap<K, Tally>) -> BTreeMap<K, Figures> {
    let mut with_some: Vec<(u64, &K)> = groups.iter().map(|(key, tally)| (sum(tally.anonymous), key)).collect();
    with_some.retain(|(count, _)| *count > 0);
    with_some.sort();
    let mut left_out = BTreeSet::new();
    let mut count_left_out = 0;
    for (count, key) in with_some {
        if count < ANONYMOUS_MIN || (1..ANONYMOUS_MIN).contains(&count_left_out) {
            left_out.insert(key);
            count_left_out += count;
        }
    }
    groups.iter().map(|(key, tally)| (key.clone(), tally.figures(!left_out.contains(key)))).collect()
}

fn sum(scores: [u64; 5]) -> u64 {
    scores.iter().sum()
}

impl Tally {
    fn merge(&mut self, other: &Self) {
        self.invited += other.invited;
        for at in 0..5 {
            self.named[at] += other.named[at];
            self.anonymous[at] += other.anonymous[at];
        }
    }

    fn figures(&self, with_anonymous: bool) -> Figures {
        let mut by_score = self.named;
        if with_anonymous {
            for (count, anonymous) in by_score.iter_mut().zip(self.anonymous) {
                *count += anonymous;
            }
        }
        Figures { invited: self.invited, by_score }
    }
}

/// The figures of a group. All are computed from whole numbers and cut, not rounded, to hundredths.
///
/// Example: [`Satisfaction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// How many decisions could be rated.
    pub invited: u64,
    /// How many ratings of 1, 2, 3, 4 and 5.
    pub by_score: [u64; 5],
}

impl Figures {
    /// How many ratings there are.
    pub fn ratings(&self) -> u64 {
        sum(self.by_score)
    }

    /// The mean as an exact fraction: the sum of all scores, and how many there are. `None` without any.
    pub fn mean(&self) -> Option<(u64, u64)> {
        let total = self.by_score.iter().zip(1..).map(|(count, score)| count * score).sum();
        Some((total, self.ratings())).filter(|(_, count)| *count > 0)
    }

    /// The mean in hundredths: 433 for 4.33.
    pub fn mean_hundredths(&self) -> Option<u64> {
        self.mean().map(|(total, count)| total * 100 / count)
    }

    /// How many are satisfied: ratings of 4 and 5.
    pub fn satisfied(&self) -> u64 {
        self.by_score[3] + self.by_score[4]
    }

    /// The share of those who are satisfied among all who rated (CSAT), in hundredths of a percent: 6666 for 66.66 %.
    pub fn satisfied_hundredths(&self) -> Option<u64> {
        hundredths(self.satisfied(), self.ratings())
    }

    /// The share of decisions that were rated, in hundredths of a percent.
    pub fn responses_hundredths(&self) -> Option<u64> {
        hundredths(self.ratings(), self.invited)
    }
}

fn hundredths(part: u64, whole: u64) -> Option<u64> {
    (whole > 0).then(|| part * 10_000 / whole)
}
