//! Sets of agents as bits, by their place in the order of ids: what sixty-four agents have in common in one step.

/// A set of numbers below a length that is fixed when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn none(length: usize) -> Self {
        Self(vec![0; length.div_ceil(64)])
    }

    pub(super) fn all(length: usize) -> Self {
        let mut bits = Self(vec![u64::MAX; length.div_ceil(64)]);
        if let Some(last) = bits.0.last_mut().filter(|_| !length.is_multiple_of(64)) {
            *last = (1 << (length % 64)) - 1;
        }
        bits
    }

    pub(super) fn of(length: usize, members: &[u32]) -> Self {
        let mut bits = Self::none(length);
        for member in members {
            bits.insert(*member);
        }
        bits
    }

    pub(super) fn insert(&mut self, member: u32) {
        self.0[member as usize / 64] |= 1 << (member % 64);
    }

    pub(super) fn remove(&mut self, member: u32) {
        self.0[member as usize / 64] &= !(1 << (member % 64));
    }

    pub(super) fn holds(&self, member: u32) -> bool {
        self.0[member as usize / 64] & (1 << (member % 64)) != 0
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }

    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub(super) fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn drop(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).zip(&self.0).flat_map(|(at, word)| members_of(at, *word))
    }

    /// Adds what the other holds and tells each member that was new.
    pub(super) fn add_telling(&mut self, other: &Self, mut tell: impl FnMut(u32)) {
        for ((at, word), other) in (0_u32..).zip(&mut self.0).zip(&other.0) {
            let new = other & !*word;
            *word |= new;
            members_of(at, new).for_each(&mut tell);
        }
    }
}

fn members_of(at: u32, mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(at * 64 + bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let mut bits = Bits::of(130, &[129, 0, 63, 64]);
        bits.remove(63);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 64, 129]);
        assert_eq!((bits.count(), bits.holds(64), bits.holds(63)), (3, true, false));
        assert_eq!((Bits::all(130).count(), Bits::all(64).count(), Bits::all(0).count()), (130, 64, 0));
        let mut told = Vec::new();
        bits.add_telling(&Bits::of(130, &[1, 64]), |new| told.push(new));
        assert_eq!(told, [1]);
        bits.keep(&Bits::of(130, &[1, 129]));
        assert_eq!(bits.iter().collect::<Vec<_>>(), [1, 129]);
    }
}
