//! What learned triage costs: per complaint learned and classified, at 10 and 100 categories, and the size of the model
//! as it is stored. Prints medians as lines `figure NAME VALUE UNIT`; never asserted, since times are not promises.

use std::hint::black_box;

use complaint_core::id::CategoryKey;
use complaint_core::triage::{Classifier, Clues, LearnedClassifier};
use measure::{figure, median, seconds};

mod measure;

/// Complaints of 120 words, of which three in ten are peculiar to their category: about as long as real ones.
const WORDS: usize = 120;
const LESSONS: usize = 5000;
const CHANNELS: [&str; 4] = ["web", "phone", "email", "letter"];

/// A small generator of our own, so that every run sees the same complaints.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % most
    }
}

/// A word by number, in letters: digits would all be one sign.
fn word(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

fn complaint(chance: &mut Chance, category: usize) -> String {
    let mut text = String::new();
    for _ in 0..WORDS {
        // The smaller of two draws: some words are common and most are rare, as in any language.
        let number = match chance.below(10) {
            0..3 => 10_000 + 100 * category + chance.below(100),
            _ => chance.below(3000).min(chance.below(3000)),
        };
        text.push_str(&word(number));
        text.push(' ');
    }
    text
}

fn clues(text: &str, channel: usize) -> Clues<'_> {
    Clues::new().text(text).field("channel", CHANNELS[channel % CHANNELS.len()])
}

fn main() {
    for categories in [10, 100] {
        let keys: Vec<CategoryKey> =
            (0..categories).map(|number| CategoryKey::new(format!("category {number}")).expect("a key")).collect();
        let mut chance = Chance(7);
        let mut model = LearnedClassifier::new();
        let mut learning = Vec::new();
        for number in 0..LESSONS {
            let category = chance.below(categories);
            let text = complaint(&mut chance, category);
            let took = seconds(|| model.learn(&clues(&text, number), &keys[category]).expect("room"));
            // The last fifth: what it costs once the model is full.
            if number >= LESSONS / 5 * 4 {
                learning.push(took);
            }
        }
        let mut classifying = Vec::new();
        let mut right = 0;
        for number in 0..1000 {
            let category = chance.below(categories);
            let text = complaint(&mut chance, category);
            let clues = clues(&text, number);
            let mut suggestions = Vec::new();
            classifying.push(seconds(|| suggestions = black_box(&model).classify(black_box(&clues))));
            right += usize::from(suggestions[0].category == keys[category]);
        }
        // A model that guesses would be quick as well.
        assert!(right > 900, "only {right} of 1000 are right");
        let bytes = serde_json::to_vec(&model).expect("a model can be stored").len();
        let mut loaded = LearnedClassifier::new();
        let reload = seconds(|| {
            let stored = serde_json::to_vec(&model).expect("stored");
            loaded = serde_json::from_slice(&stored).expect("loaded");
        });
        assert!(loaded == model);
        figure(&format!("triage_learn_{categories}_categories"), median(learning) * 1e6, "us");
        figure(&format!("triage_classify_{categories}_categories"), median(classifying) * 1e6, "us");
        figure(&format!("triage_vocabulary_{categories}_categories"), as_f64(model.vocabulary()), "clues");
        figure(&format!("triage_stored_{categories}_categories"), as_f64(bytes) / 1e6, "MB");
        figure(&format!("triage_store_and_load_{categories}_categories"), reload * 1e3, "ms");
    }
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("bounded"))
}
