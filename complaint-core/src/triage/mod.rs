//! Which category a complaint belongs to, learned from the organisation's own resolved complaints.
//!
//! A [`Classifier`] answers with [`Suggestion`]s: categories, best first, each with a [`Confidence`] and the words and
//! fields that spoke for it. [`LearnedClassifier`] is the one that comes with the library: integers only, so the same
//! lessons give the same answers and the same bytes on every machine.
//!
//! The model is a value of the host: it learns when the host says so, it is stored where the host likes, and behind an
//! [`RwLock`] it is shared with [`Desk::suggesting`](crate::Desk::suggesting).
//!
//! ```
//! use complaint_core::id::CategoryKey;
//! use complaint_core::triage::{Classifier, Clues, LearnedClassifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (damaged, late) = (CategoryKey::new("Damaged goods")?, CategoryKey::new("Late delivery")?);
//! let mut model = LearnedClassifier::new();
//! for (text, category) in [
//!     ("The lid of the kettle is cracked.", &damaged),
//!     ("The parcel was due on Monday and has not come.", &late),
//!     ("A cracked plate in the box.", &damaged),
//!     ("Still waiting for my parcel.", &late),
//! ] {
//!     model.learn(&Clues::new().text(text), category)?;
//! }
//! let suggestions = model.classify(&Clues::new().text("My parcel has still not come!"));
//! assert_eq!(suggestions[0].category, late);
//! assert!(suggestions[0].spoke.iter().any(|evidence| evidence.what == "parcel"));
//! # Ok(())
//! # }
//! ```

mod clues;
mod learned;
mod logarithm;
mod record;
mod tokens;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::complaint::Submission;
use crate::id::{CategoryKey, InvalidId};
use crate::policy::Policy;

pub use clues::Clues;
pub use learned::{DEFAULT_VOCABULARY, LearnError, LearnedClassifier};

/// How many categories a classifier names at most.
pub const SUGGESTIONS_MAX: usize = 5;
/// How many words and fields explain a suggestion at most.
pub const EVIDENCE_MAX: usize = 8;

/// Names categories for what is known of a complaint.
///
/// # Correctness
/// The answer depends on the clues and on what was learned, on nothing else: no clock, no chance. The best category is
/// first, no category comes twice, there are at most [`SUGGESTIONS_MAX`]. A confidence is the
/// share of such answers that the classifier **expects** to be right, by the record it keeps of its own answers. It is an
/// estimate: where what comes differs from what was learned, or where people file the same thing under several categories,
/// fewer are right. In our trials on real data, of the answers that [`LearnedClassifier`] gave 80 % or more, 93, 91 and
/// 64 in 100 were right; the last were 36 answers, learned on complaints of two sources at once. So it orders suggestions
/// and says which to look at; whoever would act on it alone measures it on complaints of their own first. A classifier that
/// knows nothing answers with nothing or with low confidence, never with a guess made to look certain.
///
/// ```
/// use complaint_core::id::CategoryKey;
/// use complaint_core::triage::{Classifier, Clues, Confidence, Suggestion};
///
/// /// Knows nothing but how things stand: nearly all is about water this week.
/// struct BurstPipe(CategoryKey);
///
/// impl Classifier for BurstPipe {
///     fn classify(&self, _clues: &Clues<'_>) -> Vec<Suggestion> {
///         let confidence = Confidence::new(900).unwrap_or_default();
///         vec![Suggestion { category: self.0.clone(), confidence, spoke: Vec::new() }]
///     }
/// }
///
/// let water = BurstPipe(CategoryKey::new("Water supply")?);
/// assert_eq!(water.classify(&Clues::new())[0].confidence.to_string(), "90 %");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Classifier: Send + Sync {
    /// The likeliest categories, best first.
    fn classify(&self, clues: &Clues<'_>) -> Vec<Suggestion>;
}

/// A model that goes on learning while desks use it.
impl<C: Classifier> Classifier for RwLock<C> {
    fn classify(&self, clues: &Clues<'_>) -> Vec<Suggestion> {
        self.read().unwrap_or_else(PoisonError::into_inner).classify(clues)
    }
}

/// Shared by several desks, or by a desk and whoever teaches it.
impl<C: Classifier + ?Sized> Classifier for Arc<C> {
    fn classify(&self, clues: &Clues<'_>) -> Vec<Suggestion> {
        (**self).classify(clues)
    }
}

/// A category that a complaint may belong to.
///
/// Example: the [module](self).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// Which.
    pub category: CategoryKey,
    /// How often such a suggestion is expected to be right: an estimate, see [`Classifier`].
    pub confidence: Confidence,
    /// What spoke for it against its strongest rival, strongest first; at most [`EVIDENCE_MAX`].
    pub spoke: Vec<Evidence>,
}

/// A word, a pair of words or a field that spoke for a category.
///
/// Example: the [module](self).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// As it was understood: `cracked`, `cracked lid`, `channel: phone`. `#` stands for a number, `#money` for an amount,
    /// `#masked` for words that were blacked out.
    pub what: String,
    /// How strongly, in thousandths of a bit: 1000 doubles the odds.
    pub weight: u32,
}

/// The share of suggestions that are expected to be right, in thousandths: an estimate, see [`Classifier`].
///
/// ```
/// use complaint_core::triage::Confidence;
///
/// let sure = Confidence::new(870)?;
/// assert_eq!((sure.thousandths(), sure.to_string().as_str()), (870, "87 %"));
/// assert!(sure > Confidence::NONE && Confidence::new(1001).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Confidence(u16);

impl Confidence {
    /// Never right, or never tried.
    pub const NONE: Confidence = Confidence(0);

    /// Thousandths, 0 to 1000.
    pub fn new(thousandths: u16) -> Result<Self, InvalidId> {
        if thousandths <= 1000 {
            Ok(Self(thousandths))
        } else {
            Err(InvalidId::new("confidence", "0 to 1000 thousandths"))
        }
    }

    /// In thousandths.
    pub fn thousandths(self) -> u16 {
        self.0
    }
}

/// As people read it: `87 %`.
impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0 / 10)
    }
}

impl TryFrom<u16> for Confidence {
    type Error = InvalidId;

    fn try_from(thousandths: u16) -> Result<Self, InvalidId> {
        Self::new(thousandths)
    }
}

impl From<Confidence> for u16 {
    fn from(confidence: Confidence) -> u16 {
        confidence.0
    }
}

/// What a desk does with suggestions when a complaint comes in.
///
/// ```
/// use complaint_core::id::CategoryKey;
/// use complaint_core::triage::{Confidence, IntakeRule};
///
/// let rule = IntakeRule::for_uncategorised(CategoryKey::new("Not yet sorted")?);
/// assert_eq!(rule.at_least.to_string(), "80 %");
/// assert_eq!(rule.at_least(Confidence::new(950)?).at_least.thousandths(), 950);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeRule {
    /// The category of complaints that arrive without one. Whoever is skilled for it triages by hand what the
    /// classifier is not sure of; only complaints of this category are ever touched.
    pub uncategorised: CategoryKey,
    /// From this confidence on the best suggestion is taken, if something spoke for it: that a category is common is no
    /// ground to put a complaint there.
    pub at_least: Confidence,
}

impl IntakeRule {
    /// What arrives under this category counts as uncategorised; suggestions are taken that were right in at least
    /// four of five such cases.
    pub fn for_uncategorised(category: CategoryKey) -> Self {
        Self { uncategorised: category, at_least: Confidence(800) }
    }

    /// Demands another confidence.
    pub fn at_least(mut self, confidence: Confidence) -> Self {
        self.at_least = confidence;
        self
    }
}

/// A classifier at work in a desk.
#[derive(Clone)]
pub(crate) struct Triage {
    classifier: Arc<dyn Classifier>,
    rule: IntakeRule,
}

impl Triage {
    pub(crate) fn new(classifier: impl Classifier + 'static, rule: IntakeRule) -> Self {
        Self { classifier: Arc::new(classifier), rule }
    }

    /// Suggestions that can be chosen: of the catalogue, active, and not the lack of a category.
    pub(crate) fn suggest(&self, submission: &Submission, policy: &Policy) -> Vec<Suggestion> {
        let mut suggestions = self.classifier.classify(&Clues::from(submission));
        suggestions.retain(|suggestion| {
            suggestion.category != self.rule.uncategorised
                && policy.category(&suggestion.category).is_some_and(|category| category.active)
        });
        suggestions
    }

    /// The suggestion to be taken for a submission that came without a category.
    pub(crate) fn choose(&self, submission: &Submission, policy: &Policy) -> Option<Suggestion> {
        if submission.category != self.rule.uncategorised {
            return None;
        }
        let best = self.suggest(submission, policy).into_iter().next()?;
        (best.confidence >= self.rule.at_least && !best.spoke.is_empty()).then_some(best)
    }
}
