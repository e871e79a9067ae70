//! A logarithm in integers: the one of the machine differs in its last digit from platform to platform.

/// One bit, in the fixed point that scores are kept in: 16 binary places.
pub(super) const BIT: i64 = 1 << 16;

const STEPS: usize = 1 << 10;
const TABLE: [u32; STEPS + 1] = table();

/// The binary logarithm of a number of at least 1, in units of [`BIT`]; exact to about one unit.
pub(super) fn log2(number: u64) -> i64 {
    let number = number.max(1);
    let whole = number.ilog2();
    // The digits after the leading one, as a fraction of 2^63.
    let rest = (number << (63 - whole)) & (u64::MAX >> 1);
    let (step, within) = (rest >> 53, rest & ((1 << 53) - 1));
    let at = |step: u64| i64::from(TABLE[usize::try_from(step).unwrap_or(STEPS)]);
    // 53 - 21 binary places of the way to the next step are more than enough.
    let way = i64::try_from(within >> 21).unwrap_or(0);
    i64::from(whole) * BIT + at(step) + (((at(step + 1) - at(step)) * way) >> 32)
}

/// log2(1 + step / STEPS) for every step, by squaring: each square gives one more binary digit.
const fn table() -> [u32; STEPS + 1] {
    let mut table = [0; STEPS + 1];
    let mut step = 0;
    while step < STEPS {
        let mut square = ((STEPS + step) as u128) << 52; // 1 to 2, as a fraction of 2^62
        let mut digits: u32 = 0;
        let mut place = 0;
        while place < 17 {
            square = (square * square) >> 62;
            digits <<= 1;
            if square >= 1 << 63 {
                square >>= 1;
                digits |= 1;
            }
            place += 1;
        }
        table[step] = (digits + 1) >> 1;
        step += 1;
    }
    table[STEPS] = 1 << 16;
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_logarithm() {
        for power in 0..64 {
            assert_eq!(log2(1 << power), i64::from(power) * BIT);
        }
        let mut before = -1;
        for number in (1..5000).chain((1..5000).map(|n| n * 1_234_567_891)) {
            #[expect(clippy::cast_precision_loss, reason = "a test against the machine's own logarithm")]
            let difference = log2(number) as f64 / 65536.0 - (number as f64).log2();
            assert!(difference.abs() < 2.0 / 65536.0, "{number} is off by {difference}");
            if number < 5000 {
                assert!(log2(number) > before);
                before = log2(number);
            }
        }
        assert_eq!(log2(0), 0);
    }
}
