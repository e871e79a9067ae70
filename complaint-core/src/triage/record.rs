//! How often the model was right, from which its confidence comes.

use serde::{Deserialize, Serialize};

use super::logarithm::BIT;
use super::{Confidence, SUGGESTIONS_MAX};

const BUCKETS: usize = 24;
/// So many comparable answers make a rate; the buckets of smaller leads are asked until there are as many, never those
/// of greater ones, whose answers are better.
const ENOUGH: u32 = 50;
/// A bucket that has seen as many is halved, so that a record follows the times and stays bounded.
const FULL: u32 = 500;
/// Answers that are counted as wrong beforehand, so that a few lucky ones are no certainty.
const DOUBT: u32 = 5;

/// Before a lesson is learned the model is asked, and the answer is kept here: by the lead of the first over the second
/// category, how often each rank was right. No answer was judged by a model that knew the complaint, so the rates hold
/// for new ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct TrackRecord {
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Bucket {
    seen: u32,
    right: [u32; SUGGESTIONS_MAX],
}

impl Default for TrackRecord {
    fn default() -> Self {
        Self { buckets: vec![Bucket::default(); BUCKETS] }
    }
}

impl TrackRecord {
    pub(super) fn is_sound(&self) -> bool {
        self.buckets.len() == BUCKETS
            && self.buckets.iter().all(|bucket| {
                bucket.seen <= FULL
                    && bucket
                        .right
                        .iter()
                        .try_fold(0_u32, |sum, right| sum.checked_add(*right))
                        .is_some_and(|sum| sum <= bucket.seen)
            })
    }

    /// Keeps an answer: the lead it had, and the rank that turned out to be right, if any did.
    pub(super) fn note(&mut self, lead: i64, right: Option<usize>) {
        let bucket = &mut self.buckets[bucket_of(lead)];
        if bucket.seen == FULL {
            bucket.seen /= 2;
            for right in &mut bucket.right {
                *right /= 2;
            }
        }
        bucket.seen += 1;
        if let Some(right) = right.and_then(|rank| bucket.right.get_mut(rank)) {
            *right += 1;
        }
    }

    /// How often an answer of this rank was right when the lead was like this.
    pub(super) fn confidence(&self, lead: i64, rank: usize) -> Confidence {
        let (mut seen, mut right) = (0, 0);
        for bucket in self.buckets.iter().take(bucket_of(lead) + 1).rev() {
            seen += bucket.seen;
            right += bucket.right.get(rank).copied().unwrap_or(0);
            if seen >= ENOUGH {
                break;
            }
        }
        let thousandths = 1000 * right / (seen + DOUBT);
        Confidence::new(u16::try_from(thousandths).unwrap_or(1000)).unwrap_or_default()
    }
}

/// Half octaves of the lead, from a sixteenth of a bit up.
fn bucket_of(lead: i64) -> usize {
    let sixteenths = u64::try_from(lead.max(0) / (BIT / 16)).unwrap_or(0);
    let Some(octave) = sixteenths.checked_ilog2() else { return 0 };
    let upper_half = octave > 0 && sixteenths >> (octave - 1) & 1 == 1;
    (1 + 2 * octave as usize + usize::from(upper_half)).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_grow_with_the_lead() {
        let of = |sixteenths: i64| bucket_of(sixteenths * (BIT / 16));
        assert_eq!([-1, 0, 1, 2, 3, 4, 6, 8].map(of), [0, 0, 1, 3, 4, 5, 6, 7]);
        assert_eq!(bucket_of(i64::MAX), BUCKETS - 1);
    }

    #[test]
    fn confidence_is_the_rate_of_right_answers() {
        let mut record = TrackRecord::default();
        assert_eq!(record.confidence(BIT, 0), Confidence::NONE);
        for number in 0..200 {
            record.note(BIT, Some(usize::from(number % 5 == 0))); // four of five
            record.note(8 * BIT, Some(0).filter(|_| number > 0));
        }
        assert_eq!(record.confidence(BIT, 0).thousandths(), 780);
        assert_eq!(record.confidence(BIT, 1).thousandths(), 195);
        assert_eq!(record.confidence(8 * BIT, 0).thousandths(), 970);
        assert_eq!(record.confidence(BIT, 7), Confidence::NONE);
    }

    #[test]
    fn few_cases_ask_smaller_leads_and_many_fade() {
        let mut record = TrackRecord::default();
        record.note(64 * BIT, Some(0));
        assert_eq!(record.confidence(0, 0), Confidence::NONE, "a greater lead says nothing about a smaller one");
        for _ in 0..60 {
            record.note(BIT, None);
        }
        assert_eq!(record.confidence(64 * BIT, 0).thousandths(), 15, "one lucky answer is no certainty");
        for _ in 0..10_000 {
            record.note(BIT, Some(0));
        }
        assert!(record.is_sound());
        assert!(record.confidence(BIT, 0).thousandths() > 970, "the past fades");
    }
}
