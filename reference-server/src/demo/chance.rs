//! Chance that repeats itself: the same seed gives the same past.

/// A generator of the `SplitMix64` family (Steele, Lea, Flood 2014): small, fast, and the same on every machine and version.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let width = most.saturating_sub(least).unsigned_abs() + 1;
        // The bias of a remainder is far below anything a demonstration could show.
        least + i64::try_from(self.next() % width).unwrap_or(0)
    }

    /// True this often in a hundred.
    pub fn percent(&mut self, often: i64) -> bool {
        self.between(1, 100) <= often
    }

    /// One of these. The list must not be empty.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let last = i64::try_from(of.len()).unwrap_or(i64::MAX) - 1;
        of[usize::try_from(self.between(0, last)).unwrap_or(0)]
    }
}
