//! What customers say of how they were treated, in figures that give nobody away.
//!
//! [`Satisfaction`] is counted from complaints one by one, in any order and on any machine, and added up. Anonymous
//! ratings come into every figure in whole groups of [`ANONYMOUS_MIN`] alone, those first that are anonymous longest, and a figure
//! of a part counts only what the figure of all counts too. So neither two figures of one time nor one figure of two times
//! differ by a single anonymous rating; the last few wait until there are enough. Whoever changes their rating within its day, after
//! its group was full, shows the change.
//!
//! Example: [`Satisfaction`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::complaint::Complaint;
use crate::id::{AgentId, CategoryKey, ComplaintId, Level};

/// So many anonymous ratings come into a figure together. One by one they could be told by what it was before.
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
/// let overall = satisfaction.overall();
/// assert_eq!((overall.ratings(), overall.mean(), overall.mean_hundredths()), (1, Some((4, 1)), Some(400)));
/// assert_eq!((overall.satisfied(), overall.satisfied_hundredths()), (1, Some(10_000)));
/// assert_eq!(satisfaction.by_category()[&complaint.category], satisfaction.by_level()[&complaint.level]);
/// assert_eq!(satisfaction.by_agent()[&asha.id].responses_hundredths(), Some(10_000)); // 100.00 %
///
/// let mut of_all = Satisfaction::default();
/// of_all.merge(&satisfaction); // of another part of the complaints
/// assert_eq!(of_all, satisfaction);
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
    anonymous: BTreeSet<Unnamed>,
}

/// What was counted of a group, without anonymous ratings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    invited: u64,
    named: [u64; 5],
}

/// An anonymous rating, in the order in which they come into figures. Never shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Unnamed {
    since: DateTime<Utc>,
    complaint: ComplaintId,
    resolution: u32,
    place: usize,
    agent: AgentId,
    category: CategoryKey,
    level: Level,
}

impl Satisfaction {
    /// Counts every decision of a complaint, with its rating if it has one.
    pub fn add(&mut self, complaint: &Complaint) {
        for (resolution, number) in complaint.resolutions.iter().zip(1_u32..) {
            let mut one = Tally { invited: 1, ..Tally::default() };
            let rating = complaint.feedback.iter().find(|feedback| feedback.resolution == number);
            let place = rating.and_then(|rating| usize::from(rating.score).checked_sub(1)).filter(|place| *place < 5);
            match (rating, place) {
                (Some(rating), Some(place)) if rating.anonymous => {
                    self.anonymous.insert(Unnamed {
                        since: rating.anonymous_since.unwrap_or(rating.first_given_at),
                        complaint: complaint.id,
                        resolution: number,
                        place,
                        agent: resolution.by.clone(),
                        category: complaint.category.clone(),
                        level: resolution.level,
                    });
                }
                (_, Some(place)) => one.named[place] += 1,
                (_, None) => {}
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
        self.anonymous.extend(other.anonymous.iter().cloned());
    }

    /// All decisions; all ratings but for the last few anonymous ones.
    pub fn overall(&self) -> Figures {
        self.overall.figures(self.counted())
    }

    /// By the agent who decided.
    pub fn by_agent(&self) -> BTreeMap<AgentId, Figures> {
        self.of_each(&self.by_agent, |rating| &rating.agent)
    }

    /// By what the complaint is about.
    pub fn by_category(&self) -> BTreeMap<CategoryKey, Figures> {
        self.of_each(&self.by_category, |rating| &rating.category)
    }

    /// By the level that decided.
    pub fn by_level(&self) -> BTreeMap<Level, Figures> {
        self.of_each(&self.by_level, |rating| &rating.level)
    }

    /// The anonymous ratings that any figure counts.
    fn counted(&self) -> impl Iterator<Item = &Unnamed> {
        self.anonymous.iter().take(whole_groups(self.anonymous.len()))
    }

    fn of_each<K: Ord + Clone>(
        &self,
        tallies: &BTreeMap<K, Tally>,
        of: impl Fn(&Unnamed) -> &K,
    ) -> BTreeMap<K, Figures> {
        let mut anonymous: BTreeMap<&K, Vec<&Unnamed>> = BTreeMap::new();
        for rating in self.counted() {
            anonymous.entry(of(rating)).or_default().push(rating);
        }
        let figures = |(key, tally): (&K, &Tally)| {
            let ratings = anonymous.get(key).map_or(&[][..], Vec::as_slice);
            (key.clone(), tally.figures(ratings[..whole_groups(ratings.len())].iter().copied()))
        };
        tallies.iter().map(figures).collect()
    }
}

/// How many of so many ratings make whole groups.
fn whole_groups(count: usize) -> usize {
    let group = usize::try_from(ANONYMOUS_MIN).unwrap_or(usize::MAX);
    count / group * group
}

fn sum(scores: [u64; 5]) -> u64 {
    scores.iter().sum()
}

impl Tally {
    fn merge(&mut self, other: &Self) {
        self.invited += other.invited;
        for at in 0..5 {
            self.named[at] += other.named[at];
        }
    }

    fn figures<'a>(&self, anonymous: impl Iterator<Item = &'a Unnamed>) -> Figures {
        let mut by_score = self.named;
        for rating in anonymous {
            by_score[rating.place] += 1;
        }
        Figures { invited: self.invited, by_score }
    }
}

/// The figures of a group. All are computed from whole numbers and rounded, half upward, to hundredths.
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
        self.mean().map(|(total, count)| rounded(total * 100, count))
    }

    /// How many are satisfied: ratings of 4 and 5.
    pub fn satisfied(&self) -> u64 {
        self.by_score[3] + self.by_score[4]
    }

    /// The share of those who are satisfied among all who rated (CSAT), in hundredths of a percent: 6667 for 66.67 %.
    pub fn satisfied_hundredths(&self) -> Option<u64> {
        hundredths(self.satisfied(), self.ratings())
    }

    /// The share of decisions that were rated, in hundredths of a percent.
    pub fn responses_hundredths(&self) -> Option<u64> {
        hundredths(self.ratings(), self.invited)
    }
}

fn hundredths(part: u64, whole: u64) -> Option<u64> {
    (whole > 0).then(|| rounded(part * 10_000, whole))
}

fn rounded(part: u64, whole: u64) -> u64 {
    (part + whole / 2) / whole
}
