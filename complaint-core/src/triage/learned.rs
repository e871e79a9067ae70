//! The classifier that comes with the library: every word and field votes, and has as much say as it has information.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::logarithm::{BIT, log2};
use super::record::TrackRecord;
use super::tokens::{TOKENS_MAX, tokens};
use super::{Classifier, Clues, EVIDENCE_MAX, Evidence, SUGGESTIONS_MAX, Suggestion};
use crate::complaint::Event;
use crate::id::CategoryKey;
use crate::store::Change;

/// How many words, pairs of words and field values a model knows unless told otherwise.
pub const DEFAULT_VOCABULARY: usize = 50_000;

/// The way of reading and counting that stored counts depend on. Counted up when it changes.
const EDITION: u32 = 1;
const VOCABULARY: std::ops::RangeInclusive<usize> = 100..=1_000_000;
const CATEGORIES_MAX: usize = 1000;
/// How many lessons the general distribution is worth against what a clue was seen with.
const TRUST: u64 = 2;
/// Fifths of its votes that count. Both numbers, like the one above, were chosen on the earlier part of real data alone;
/// near them little changes.
const FIELD_SAY: i64 = 5;
const WORD_SAY: i64 = 3;

/// Learns categories from complaints that were resolved.
///
/// **Method.** A naive Bayes classifier of the weighted kind. A *clue* is a word, a pair of neighbouring words or the
/// value of a field; the model counts in how many lessons of each category it occurred. A clue votes for a category with
/// log2(1 + seen / expected), where *seen* is how often they met and *expected* is twice the category's share of all
/// lessons. Its vote is weighted by what it tells at all: the Kullback-Leibler divergence between the categories it
/// was seen with and all lessons (Lee, Gutierrez, Dou: *Calculating Feature Weights in Naive Bayes with Kullback-Leibler
/// Measure*, ICDM 2011). "The" has no say, "cracked" has much. The hundreds of words of a text say much the same again and again, so the sum of
/// all words, and that of all fields, is divided by the root of the information in it. To the votes comes the share of
/// the category itself.
///
/// **Confidence** is not the model's opinion of itself but its record: before each lesson it is asked, and how often it
/// was right, by the lead its first choice had, is the confidence of the next answer with such a lead.
///
/// **Properties.** Only counts are kept, so the order of lessons does not matter to the ranking and [`unlearn`]
/// takes a lesson out without a trace in them; words are kept as 64-bit digests, so that the model gives no text away.
/// Arithmetic is in integers: same lessons, same bytes, on every machine.
///
/// **Size.** At most 1000 categories and a vocabulary that is capped. When it is exceeded, the clues seen in the fewest
/// lessons go (of equals, those with the smallest digest) until seven eighths of the cap are left. The stored form is
/// plain serde; a model of another edition or with contradictions is refused on loading.
///
/// [`unlearn`]: LearnedClassifier::unlearn
///
/// ```
/// use complaint_core::id::CategoryKey;
/// use complaint_core::triage::{Classifier, Clues, LearnedClassifier};
///
/// let (damaged, late) = (CategoryKey::new("Damaged goods")?, CategoryKey::new("Late delivery")?);
/// let mut model = LearnedClassifier::new();
/// let (lid, parcel) = (Clues::new().text("A cracked lid"), Clues::new().text("No parcel yet"));
/// model.learn(&lid, &damaged)?;
/// model.learn(&parcel, &damaged)?;
/// model.correct(&parcel, &damaged, &late)?; // it was put into the wrong category
/// assert_eq!((model.lessons(), model.classify(&parcel)[0].category.as_str()), (2, "late-delivery"));
/// assert!(model.vocabulary() > LearnedClassifier::with_vocabulary(1000).vocabulary());
///
/// let stored = serde_json::to_string(&model)?;
/// assert_eq!(serde_json::from_str::<LearnedClassifier>(&stored)?, model);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Counts")]
pub struct LearnedClassifier(Counts);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    edition: u32,
    vocabulary: usize,
    /// Those with lessons, in the order of their keys: what was unlearned leaves neither a place nor an order behind.
    categories: Vec<Learned>,
    /// By digest of the clue: in how many lessons of which category, by the index above, ascending.
    clues: BTreeMap<u64, Vec<(u16, u32)>>,
    record: TrackRecord,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Learned {
    key: CategoryKey,
    lessons: u32,
}

/// Why a lesson was not learned or unlearned, or a stored model not loaded. Nothing changed.
///
/// ```
/// use complaint_core::id::CategoryKey;
/// use complaint_core::triage::{Clues, LearnError, LearnedClassifier};
///
/// let late = CategoryKey::new("Late delivery")?;
/// let never = LearnedClassifier::new().unlearn(&Clues::new().text("No parcel yet"), &late);
/// assert_eq!(never, Err(LearnError::NeverLearned(late)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LearnError {
    /// The model has as many categories as it can have.
    #[error("category `{0}` is one too many: a model knows at most 1000")]
    TooManyCategories(CategoryKey),
    /// No lesson of this category is left that could be taken back.
    #[error("no lesson of category `{0}` was learned")]
    NeverLearned(CategoryKey),
    /// The stored model does not fit: it names what is wrong.
    #[error("the stored model cannot be used: {0}")]
    Unsound(&'static str),
}

impl Default for LearnedClassifier {
    fn default() -> Self {
        Self::new()
    }
}

impl LearnedClassifier {
    /// A model that knows nothing, with the usual vocabulary.
    pub fn new() -> Self {
        Self::with_vocabulary(DEFAULT_VOCABULARY)
    }

    /// A model that keeps at most so many clues, 100 to 1 000 000; a number outside is brought to the nearer end.
    pub fn with_vocabulary(most: usize) -> Self {
        Self(Counts {
            edition: EDITION,
            vocabulary: most.clamp(*VOCABULARY.start(), *VOCABULARY.end()),
            categories: Vec::new(),
            clues: BTreeMap::new(),
            record: TrackRecord::default(),
        })
    }

    /// How many lessons it has learned.
    pub fn lessons(&self) -> u64 {
        self.0.lessons()
    }

    /// How many words, pairs and field values it knows.
    pub fn vocabulary(&self) -> usize {
        self.0.clues.len()
    }

    /// Learns that a complaint with these clues belonged to this category.
    pub fn learn(&mut self, clues: &Clues<'_>, category: &CategoryKey) -> Result<(), LearnError> {
        let found = Found::of(clues);
        let ranking = self.0.rank(&found);
        // Looked up before the lesson, which may move the categories.
        let right = ranking.order.iter().position(|(slot, _)| self.0.categories[usize::from(*slot)].key == *category);
        self.0.add(&found, category)?;
        if !ranking.order.is_empty() {
            self.0.record.note(ranking.lead(), right);
        }
        Ok(())
    }

    /// Learns from a committed change: a complaint that was decided in it for the first time, with the category it had
    /// then. What is still uncategorised teaches nothing. Says how many lessons there were.
    ///
    /// An [`Observer`](crate::desk::Observer) is told of every change once, so it is the place to call this. Should the
    /// category turn out wrong after all, [`correct`](Self::correct) mends the lesson.
    ///
    /// ```
    /// use std::sync::{Arc, RwLock};
    /// use complaint_core::desk::Observer;
    /// use complaint_core::id::CategoryKey;
    /// use complaint_core::store::Change;
    /// use complaint_core::triage::LearnedClassifier;
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
    /// # let desk = Desk::new(MemoryStore::new(), policy);
    ///
    /// struct Teacher(RwLock<LearnedClassifier>, CategoryKey);
    ///
    /// impl Observer for Teacher {
    ///     fn committed(&self, change: &Change) {
    ///         let learned = self.0.write().expect("no panic").learn_from(change, &self.1);
    ///         learned.expect("there are fewer than 1000 categories");
    ///     }
    /// }
    ///
    /// let teacher = Arc::new(Teacher(RwLock::default(), CategoryKey::new("Not yet sorted")?));
    /// let desk = desk.watched_by(teacher.clone());
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// # let asha = desk.acting_as(Actor::agent(&asha));
    /// # asha.begin(receipt.id()).await?;
    /// asha.resolve(receipt.id(), complaint_core::Resolution::not_upheld("The works were announced.")).await?;
    /// assert_eq!(teacher.0.read().expect("no panic").lessons(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn learn_from(&mut self, change: &Change, uncategorised: &CategoryKey) -> Result<u32, LearnError> {
        let mut lessons = 0;
        for part in change.parts() {
            let complaint = part.after();
            let decided = part.entries().iter().any(|entry| matches!(entry.event, Event::Resolved { .. }));
            if decided && complaint.resolutions.len() == 1 && complaint.category != *uncategorised {
                self.learn(&Clues::from(complaint), &complaint.category)?;
                lessons += 1;
            }
        }
        Ok(lessons)
    }

    /// Takes a lesson back, e.g. because the complaint is erased. The counts are those of a model that never had it,
    /// unless a clue was dropped for want of room in between. The record of right answers stays: they were given.
    ///
    /// No text is kept, so whether this lesson was learned is for the caller to know: of a category that has lessons any is taken back.
    ///
    /// # Errors
    /// [`LearnError::NeverLearned`] if the category has no lesson (left).
    pub fn unlearn(&mut self, clues: &Clues<'_>, category: &CategoryKey) -> Result<(), LearnError> {
        self.0.subtract(&Found::of(clues), category)
    }

    /// The complaint belonged to another category than it was learned with.
    pub fn correct(&mut self, clues: &Clues<'_>, from: &CategoryKey, to: &CategoryKey) -> Result<(), LearnError> {
        let found = Found::of(clues);
        // A category that loses its last lesson makes room.
        if self.0.lessons_of(from) != 1 {
            self.0.check_room(to)?;
        }
        self.0.subtract(&found, from)?;
        self.0.add(&found, to)
    }
}

impl Classifier for LearnedClassifier {
    fn classify(&self, clues: &Clues<'_>) -> Vec<Suggestion> {
        let found = Found::of(clues);
        let ranking = self.0.rank(&found);
        let lead = ranking.lead();
        let suggest = |(rank, (slot, _)): (usize, &(u16, i64))| {
            let rival = ranking.order.get(usize::from(rank == 0)).map(|(slot, _)| *slot).filter(|rival| rival != slot);
            Suggestion {
                category: self.0.categories[usize::from(*slot)].key.clone(),
                confidence: self.0.record.confidence(lead, rank),
                spoke: ranking.evidence(*slot, rival, &found),
            }
        };
        ranking.order.iter().enumerate().map(suggest).collect()
    }
}

/// The order of categories for some clues, with every vote that was cast.
struct Ranking {
    /// Index of category and score, best first, at most [`SUGGESTIONS_MAX`].
    order: Vec<(u16, i64)>,
    /// Index of clue, index of category, vote.
    votes: Vec<(usize, u16, i64)>,
}

impl Ranking {
    fn lead(&self) -> i64 {
        match self.order.as_slice() {
            [first, second, ..] => first.1 - second.1,
            _ => 0,
        }
    }

    fn evidence(&self, slot: u16, rival: Option<u16>, found: &Found) -> Vec<Evidence> {
        // The votes of one clue stand together.
        let for_it = |votes: &[(usize, u16, i64)]| -> Option<(usize, u32)> {
            let vote: i64 = votes
                .iter()
                .map(|(_, voted, vote)| match *voted {
                    voted if voted == slot => *vote,
                    voted if Some(voted) == rival => -vote,
                    _ => 0,
                })
                .sum();
            let weight = u32::try_from(vote * 1000 / BIT).ok().filter(|weight| *weight > 0)?;
            Some((votes[0].0, weight))
        };
        let mut spoke: Vec<(usize, u32)> =
            self.votes.chunk_by(|one, other| one.0 == other.0).filter_map(for_it).collect();
        spoke.sort_by_key(|(clue, weight)| (Reverse(*weight), *clue));
        spoke.truncate(EVIDENCE_MAX);
        spoke.into_iter().map(|(clue, weight)| Evidence { what: found.name(clue), weight }).collect()
    }
}

impl Counts {
    fn lessons(&self) -> u64 {
        self.categories.iter().map(|category| u64::from(category.lessons)).sum()
    }

    fn rank(&self, found: &Found) -> Ranking {
        let all = self.lessons();
        // By category: the score, and the logarithm of what a clue is expected to be seen with it.
        let mut scores: Vec<i64> = Vec::with_capacity(self.categories.len());
        let mut expected: Vec<i64> = Vec::with_capacity(self.categories.len());
        for category in &self.categories {
            let lessons = u64::from(category.lessons);
            scores.push(log2(lessons) - log2(all));
            expected.push(log2(TRUST * lessons));
        }
        let mut votes = Vec::new();
        let (mut from_fields, mut from_words) = (0, 0);
        for (index, clue) in found.clues.iter().enumerate() {
            let Some(counts) = self.clues.get(&clue.digest) else { continue };
            let first = votes.len();
            let (mut seen, mut information) = (0_u64, 0_i128);
            for (slot, count) in counts {
                let lessons = u64::from(self.categories[usize::from(*slot)].lessons);
                let met = u64::from(*count).saturating_mul(all).saturating_add(TRUST * lessons);
                let vote = log2(met) - expected[usize::from(*slot)];
                seen += u64::from(*count);
                information += i128::from(met) * i128::from(vote);
                votes.push((index, *slot, vote));
            }
            let information = information / (i128::from(all.max(1)) * i128::from(seen + TRUST))
                - i128::from(log2(seen + TRUST) - log2(TRUST));
            let information = i64::try_from(information).unwrap_or(0).max(0);
            for (_, _, vote) in &mut votes[first..] {
                *vote = *vote * information / BIT;
            }
            *(if clue.is_field() { &mut from_fields } else { &mut from_words }) += information;
        }
        let (field_damping, word_damping) = (damping(from_fields), damping(from_words));
        for (index, slot, vote) in &mut votes {
            *vote = if found.clues[*index].is_field() {
                *vote * FIELD_SAY / 5 * BIT / field_damping
            } else {
                *vote * WORD_SAY / 5 * BIT / word_damping
            };
            scores[usize::from(*slot)] += *vote;
        }
        let mut order: Vec<(u16, i64)> = (0_u16..).zip(scores).collect();
        // Stable, so that equal scores stay in the order of the keys.
        order.sort_by_key(|(_, score)| Reverse(*score));
        order.truncate(SUGGESTIONS_MAX);
        Ranking { order, votes }
    }

    /// Its place, or the one where it belongs.
    fn slot(&self, category: &CategoryKey) -> Result<usize, usize> {
        self.categories.binary_search_by(|known| known.key.cmp(category))
    }

    fn lessons_of(&self, category: &CategoryKey) -> u32 {
        self.slot(category).map_or(0, |slot| self.categories[slot].lessons)
    }

    fn check_room(&self, category: &CategoryKey) -> Result<(), LearnError> {
        if self.slot(category).is_err() && self.categories.len() >= CATEGORIES_MAX {
            return Err(LearnError::TooManyCategories(category.clone()));
        }
        Ok(())
    }

    fn add(&mut self, found: &Found, category: &CategoryKey) -> Result<(), LearnError> {
        self.check_room(category)?;
        let slot = self.slot(category).unwrap_or_else(|slot| {
            self.categories.insert(slot, Learned { key: category.clone(), lessons: 0 });
            self.renumber(|old| Some(old + u16::from(usize::from(old) >= slot)));
            slot
        });
        self.categories[slot].lessons = self.categories[slot].lessons.saturating_add(1);
        let slot = index(slot);
        for clue in &found.clues {
            let counts = self.clues.entry(clue.digest).or_default();
            match counts.binary_search_by_key(&slot, |(slot, _)| *slot) {
                Ok(at) => counts[at].1 = counts[at].1.saturating_add(1),
                Err(at) => counts.insert(at, (slot, 1)),
            }
        }
        if self.clues.len() > self.vocabulary {
            self.drop_rare_clues();
        }
        Ok(())
    }

    fn subtract(&mut self, found: &Found, category: &CategoryKey) -> Result<(), LearnError> {
        let Ok(place) = self.slot(category) else {
            return Err(LearnError::NeverLearned(category.clone()));
        };
        self.categories[place].lessons -= 1;
        let slot = index(place);
        for clue in &found.clues {
            let Some(counts) = self.clues.get_mut(&clue.digest) else { continue };
            if let Ok(at) = counts.binary_search_by_key(&slot, |(slot, _)| *slot) {
                counts[at].1 -= 1;
                if counts[at].1 == 0 {
                    counts.remove(at);
                }
            }
            if counts.is_empty() {
                self.clues.remove(&clue.digest);
            }
        }
        if self.categories[place].lessons == 0 {
            self.categories.remove(place);
            // With other clues than it was taught by, it may still have counts.
            self.renumber(|old| (old != slot).then(|| old - u16::from(old > slot)));
        }
        Ok(())
    }

    /// Moves the counts of each category to its new place; `None`: they go with it.
    fn renumber(&mut self, place: impl Fn(u16) -> Option<u16>) {
        self.clues.retain(|_, counts| {
            counts.retain_mut(|(slot, _)| place(*slot).map(|new| *slot = new).is_some());
            !counts.is_empty()
        });
    }

    fn drop_rare_clues(&mut self) {
        let seen = |counts: &[(u16, u32)]| counts.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
        let mut by_use: Vec<(u64, u64)> = self.clues.iter().map(|(digest, counts)| (seen(counts), *digest)).collect();
        by_use.sort_unstable();
        // An eighth at a time, so that not every lesson has to sort.
        by_use.truncate(by_use.len() - self.vocabulary / 8 * 7);
        for (_, digest) in by_use {
            self.clues.remove(&digest);
        }
    }

    fn fault(&self) -> Option<&'static str> {
        let known = self.categories.len();
        let in_order = self.categories.windows(2).all(|pair| pair[0].key < pair[1].key);
        let sound = |counts: &Vec<(u16, u32)>| {
            !counts.is_empty()
                && counts.windows(2).all(|pair| pair[0].0 < pair[1].0)
                && counts.iter().all(|(slot, count)| *count > 0 && usize::from(*slot) < known)
        };
        let faults = [
            (self.edition != EDITION, "it is of another edition: learn anew"),
            (!VOCABULARY.contains(&self.vocabulary), "its vocabulary must be 100 to 1000000"),
            (self.clues.len() > self.vocabulary, "it has more clues than its vocabulary allows"),
            (known > CATEGORIES_MAX, "it has more than 1000 categories"),
            (!in_order, "its categories must come in order, each once"),
            (self.categories.iter().any(|category| category.lessons == 0), "a category is without lessons"),
            (!self.clues.values().all(sound), "its counts contradict its categories"),
            (!self.record.is_sound(), "its record is not one"),
        ];
        faults.into_iter().find_map(|(wrong, fault)| wrong.then_some(fault))
    }
}

impl TryFrom<Counts> for LearnedClassifier {
    type Error = LearnError;

    fn try_from(counts: Counts) -> Result<Self, LearnError> {
        match counts.fault() {
            Some(fault) => Err(LearnError::Unsound(fault)),
            None => Ok(Self(counts)),
        }
    }
}

/// The root of so much information, at least 1; both in units of [`BIT`].
fn damping(information: i64) -> i64 {
    i64::try_from((information.unsigned_abs() * BIT.unsigned_abs()).isqrt()).unwrap_or(i64::MAX).max(BIT)
}

fn index(slot: usize) -> u16 {
    u16::try_from(slot).unwrap_or(u16::MAX)
}

/// The clues in some texts and fields, each once, in the order of their digests.
struct Found {
    tokens: Vec<String>,
    fields: Vec<String>,
    clues: Vec<Clue>,
}

struct Clue {
    digest: u64,
    kind: Kind,
}

/// What a clue is; the number is that of its last token, or of its field.
#[derive(Clone, Copy)]
enum Kind {
    Word(usize),
    Pair(usize),
    Field(usize),
}

impl Clue {
    fn is_field(&self) -> bool {
        matches!(self.kind, Kind::Field(_))
    }
}

impl Found {
    fn of(given: &Clues<'_>) -> Self {
        let (mut words, mut clues): (Vec<String>, Vec<Clue>) = (Vec::new(), Vec::new());
        for text in &given.texts {
            let from = words.len();
            words.extend(tokens(text, TOKENS_MAX - from));
            for at in from..words.len() {
                clues.push(Clue { digest: digest(["word", &words[at], ""]), kind: Kind::Word(at) });
                if at > from {
                    clues.push(Clue { digest: digest(["pair", &words[at - 1], &words[at]]), kind: Kind::Pair(at) });
                }
            }
        }
        let mut fields = Vec::new();
        for (at, (name, value)) in given.fields.iter().enumerate() {
            let value = value.trim().to_lowercase();
            clues.push(Clue { digest: digest(["field", name, &value]), kind: Kind::Field(at) });
            fields.push(format!("{name}: {value}"));
        }
        // Stable, so that of two equal clues the first names it.
        clues.sort_by_key(|clue| clue.digest);
        clues.dedup_by_key(|clue| clue.digest);
        Self { tokens: words, fields, clues }
    }

    fn name(&self, clue: usize) -> String {
        match self.clues[clue].kind {
            Kind::Word(at) => self.tokens[at].clone(),
            Kind::Pair(at) => format!("{} {}", self.tokens[at - 1], self.tokens[at]),
            Kind::Field(at) => self.fields[at].clone(),
        }
    }
}

/// FNV-1a: the same on every machine and in every release of Rust, which the hashers of the standard library do not
/// promise. Whoever makes two words collide spoils a suggestion, nothing else.
fn digest(parts: [&str; 3]) -> u64 {
    let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        // No text holds the byte 0xff, so parts cannot run together.
        for byte in part.bytes().chain([0xff]) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> CategoryKey {
        CategoryKey::new(name).unwrap()
    }

    const LESSONS: [(&str, &str, &str); 8] = [
        ("The lid of the kettle is cracked", "web", "damaged-goods"),
        ("The parcel was due on Monday", "phone", "late-delivery"),
        ("A cracked plate in the parcel", "web", "damaged-goods"),
        ("Still waiting for my parcel", "phone", "late-delivery"),
        ("The kettle is broken", "web", "damaged-goods"),
        ("Charged twice for one order", "email", "billing"),
        ("No delivery, no answer", "phone", "late-delivery"),
        ("The bill is wrong", "email", "billing"),
    ];

    fn clues<'a>(text: &'a str, channel: &'a str) -> Clues<'a> {
        Clues::new().text(text).field("channel", channel)
    }

    fn taught(lessons: &[(&str, &str, &str)]) -> LearnedClassifier {
        let mut model = LearnedClassifier::new();
        for (text, channel, category) in lessons {
            model.learn(&clues(text, channel), &key(category)).unwrap();
        }
        model
    }

    fn stored(model: &LearnedClassifier) -> serde_json::Value {
        serde_json::to_value(model).unwrap()
    }

    #[test]
    fn it_names_what_it_learned_and_says_why() {
        let model = taught(&LESSONS);
        let suggestions = model.classify(&clues("My KETTLE arrived cracked", "web"));
        let categories: Vec<&str> = suggestions.iter().map(|it| it.category.as_str()).collect();
        assert_eq!(categories[0], "damaged-goods");
        assert_eq!(categories.len(), 3, "each category once");
        let spoke: Vec<&str> = suggestions[0].spoke.iter().map(|evidence| evidence.what.as_str()).collect();
        assert!(
            spoke.contains(&"kettle") && spoke.contains(&"cracked") && spoke.contains(&"channel: web"),
            "{spoke:?}"
        );
        assert!(suggestions[0].spoke.windows(2).all(|pair| pair[0].weight >= pair[1].weight));
        assert!(suggestions[0].spoke.iter().all(|evidence| evidence.what != "my"), "never learned, so it says nothing");
        let phoned = model.classify(&clues("Hello?", "phone"));
        assert_eq!(phoned[0].category.as_str(), "late-delivery", "a field alone can tell");
    }

    #[test]
    fn without_lessons_it_knows_nothing_and_without_a_record_it_is_not_sure() {
        assert_eq!(LearnedClassifier::new().classify(&clues("kettle", "web")), []);
        let model = taught(&LESSONS);
        assert!(model.classify(&clues("cracked kettle", "web"))[0].confidence.thousandths() < 700);
        let nothing = taught(&LESSONS).classify(&Clues::new());
        assert_eq!(nothing[0].spoke, [], "the commoner category, for no reason but that");
    }

    #[test]
    fn confidence_grows_with_right_answers() {
        let mut model = LearnedClassifier::new();
        for _ in 0..20 {
            for (text, channel, category) in LESSONS {
                model.learn(&clues(text, channel), &key(category)).unwrap();
            }
        }
        let sure = model.classify(&clues("cracked kettle", "web"))[0].confidence;
        assert!(sure.thousandths() > 900, "{sure}");
    }

    #[test]
    fn the_order_of_lessons_does_not_show_in_the_ranking() {
        let (forward, mut reversed) = (taught(&LESSONS), LESSONS);
        reversed.reverse();
        let backward = taught(&reversed);
        for (text, channel, _) in LESSONS {
            let ranked = |model: &LearnedClassifier| -> Vec<(CategoryKey, Vec<Evidence>)> {
                model.classify(&clues(text, channel)).into_iter().map(|it| (it.category, it.spoke)).collect()
            };
            assert_eq!(ranked(&forward), ranked(&backward));
        }
    }

    #[test]
    fn unlearning_leaves_no_trace_in_the_counts() {
        let mut model = taught(&LESSONS);
        let before = stored(&model);
        let (odd, category) = (clues("A wholly different wording, seldom seen", "letter"), key("billing"));
        model.learn(&odd, &category).unwrap();
        assert_ne!(stored(&model)["clues"], before["clues"]);
        model.unlearn(&odd, &category).unwrap();
        assert_eq!(stored(&model)["clues"], before["clues"]);
        assert_eq!(stored(&model)["categories"], before["categories"]);
        assert_eq!(model.unlearn(&odd, &key("parking")), Err(LearnError::NeverLearned(key("parking"))));
        // Nor where it was the only one of its category, before, among and after the others.
        for alone in ["attention", "claims", "parking"].map(key) {
            model.learn(&odd, &alone).unwrap();
            assert_ne!(stored(&model)["categories"], before["categories"]);
            model.unlearn(&clues("In other words", "letter"), &alone).unwrap();
            assert_eq!(stored(&model)["clues"], before["clues"], "{alone}");
            assert_eq!(stored(&model)["categories"], before["categories"], "{alone}");
            assert_eq!(model.unlearn(&odd, &alone), Err(LearnError::NeverLearned(alone)));
        }
        // Nor where it was the first that named its category.
        let (text, channel, category) = LESSONS[0];
        model.unlearn(&clues(text, channel), &key(category)).unwrap();
        let without = stored(&taught(&LESSONS[1..]));
        assert_eq!(
            (&stored(&model)["clues"], &stored(&model)["categories"]),
            (&without["clues"], &without["categories"])
        );
    }

    #[test]
    fn categories_that_were_unlearned_leave_room_for_others() {
        let mut model = LearnedClassifier::new();
        let same = Clues::new().text("same");
        let keys: Vec<CategoryKey> = (0..1000).map(|number| key(&format!("category {number}"))).collect();
        for key in &keys {
            model.learn(&same, key).unwrap();
        }
        model.unlearn(&same, &keys[500]).unwrap();
        model.learn(&same, &key("one more")).unwrap();
        // Full again; but what moves from a category with no other lesson leaves its place.
        assert_eq!(model.learn(&same, &keys[500]), Err(LearnError::TooManyCategories(keys[500].clone())));
        model.correct(&same, &key("one more"), &keys[500]).unwrap();
        for key in &keys {
            model.unlearn(&same, key).unwrap();
        }
        let fresh = stored(&LearnedClassifier::new());
        assert_eq!((&stored(&model)["clues"], &stored(&model)["categories"]), (&fresh["clues"], &fresh["categories"]));
        model.learn(&same, &key("parking")).unwrap();
        assert_eq!(model.classify(&same)[0].category, key("parking"));
    }

    #[test]
    fn correcting_is_as_if_it_had_been_learned_right() {
        let mut model = taught(&LESSONS);
        let right = stored(&model);
        let (text, channel, category) = LESSONS[0];
        let clues = clues(text, channel);
        model.correct(&clues, &key(category), &key("billing")).unwrap();
        assert_ne!(stored(&model)["clues"], right["clues"]);
        model.correct(&clues, &key("billing"), &key(category)).unwrap();
        assert_eq!(stored(&model)["clues"], right["clues"]);
        let before = model.clone();
        assert!(model.correct(&clues, &key("parking"), &key("billing")).is_err());
        assert_eq!(model, before, "refused means nothing changed");
    }

    #[test]
    fn it_is_stored_and_loaded_to_the_byte() {
        let model = taught(&LESSONS);
        let bytes = serde_json::to_string(&model).unwrap();
        let again: LearnedClassifier = serde_json::from_str(&bytes).unwrap();
        assert_eq!(again, model);
        assert_eq!(serde_json::to_string(&again).unwrap(), bytes);
        assert!(!bytes.contains("kettle"), "no text is kept");
    }

    #[test]
    fn a_stored_model_that_contradicts_itself_is_refused() {
        let model = stored(&taught(&LESSONS));
        let refused = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut changed = model.clone();
            change(&mut changed);
            serde_json::from_value::<LearnedClassifier>(changed).unwrap_err().to_string()
        };
        assert!(refused(&|it| it["edition"] = 2.into()).contains("another edition"));
        assert!(refused(&|it| it["vocabulary"] = 7.into()).contains("vocabulary must be"));
        assert!(refused(&|it| it["clues"]["7"] = serde_json::json!([[9, 1]])).contains("counts contradict"));
        assert!(refused(&|it| it["clues"]["7"] = serde_json::json!([[0, 0]])).contains("counts contradict"));
        assert!(refused(&|it| it["clues"]["7"] = serde_json::json!([])).contains("counts contradict"));
        assert!(refused(&|it| it["categories"][0] = it["categories"][1].clone()).contains("each once"));
        assert!(refused(&|it| it["categories"].as_array_mut().unwrap().reverse()).contains("in order"));
        assert!(refused(&|it| it["categories"][0]["lessons"] = 0.into()).contains("without lessons"));
        assert!(refused(&|it| it["record"] = serde_json::json!([])).contains("record"));
        assert!(refused(&|it| it["record"][0]["right"][0] = 9.into()).contains("record"));
    }

    #[test]
    fn the_vocabulary_is_capped_and_the_rare_go_first() {
        let mut model = LearnedClassifier::with_vocabulary(0);
        for number in 0..500_u32 {
            let letters: String = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            model.learn(&Clues::new().text(&format!("parcel {letters}")), &key("late")).unwrap();
            assert!(model.vocabulary() <= 100);
        }
        model.learn(&Clues::new().text("cracked"), &key("damaged")).unwrap();
        let suggestions = model.classify(&Clues::new().text("parcel"));
        assert_eq!(suggestions[0].category, key("late"));
        assert_eq!(suggestions[0].spoke[0].what, "parcel", "what was seen often is still known");
        assert!(serde_json::from_value::<LearnedClassifier>(stored(&model)).is_ok());
    }

    #[test]
    fn categories_are_capped_with_a_refusal() {
        let mut model = LearnedClassifier::new();
        for number in 0..1000 {
            model.learn(&Clues::new().text("same"), &key(&format!("category {number}"))).unwrap();
        }
        model.learn(&Clues::new().text("same"), &key("category 1")).unwrap();
        let before = model.clone();
        let full = Err(LearnError::TooManyCategories(key("one more")));
        assert_eq!(model.learn(&Clues::new().text("same"), &key("one more")), full);
        assert_eq!(model.correct(&Clues::new().text("same"), &key("category 1"), &key("one more")), full);
        assert_eq!(model, before);
        assert_eq!(model.classify(&Clues::new().text("same")).len(), SUGGESTIONS_MAX);
    }

    #[test]
    fn huge_counts_of_a_stored_model_do_not_overflow() {
        let mut model = stored(&taught(&LESSONS));
        for category in 0..3 {
            model["categories"][category]["lessons"] = u32::MAX.into();
        }
        for counts in model["clues"].as_object_mut().unwrap().values_mut() {
            counts[0][1] = u32::MAX.into();
        }
        let mut model: LearnedClassifier = serde_json::from_value(model).unwrap();
        for (text, channel, category) in LESSONS {
            assert!(!model.classify(&clues(text, channel)).is_empty());
            model.learn(&clues(text, channel), &key(category)).unwrap();
        }
    }
}
