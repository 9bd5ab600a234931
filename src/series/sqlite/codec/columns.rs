//! Columns of numbers in few bytes: whole numbers by how they differ, decimals as whole numbers of their smallest step.
//!
//! Leaves entropy coding to the block, which hands each plane of bytes to zstd. Invariant: what is read is bit for bit what was
//! written, whatever it is.

use super::bytes::{Damaged, Input, low_byte, put_signed, put_varint, unzigzag, zigzag};

/// Most decimal places that are tried; sensors send none to four.
const DECIMALS_LIMIT: u8 = 9;
/// Whole numbers up to this are exact as doubles.
const EXACT_LIMIT: f64 = 9_007_199_254_740_992.0;
/// 10 to the power of the place.
const TENS: [f64; DECIMALS_LIMIT as usize + 1] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// Instead of a number of decimal places: the bits as they are.
const AS_BITS: u8 = u8::MAX;

/// Appends whole numbers: what is common to all of them once, the rest plane by plane (all lowest bytes, then the next…), so that
/// like stands beside like. Either the numbers themselves or their differences, whichever scatters less.
pub(super) fn put_ints(out: &mut Vec<u8>, numbers: &[i64]) {
    let differences: Vec<i64> = numbers
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    let plain = Spread::of(numbers);
    let stepped = Spread::of(&differences);
    let by_steps = stepped.scatter < plain.scatter;
    let (spread, column) = if by_steps {
        (stepped, differences.as_slice())
    } else {
        (plain, numbers)
    };
    let rest: Vec<u64> = column.iter().map(|number| spread.rest(*number)).collect();
    let width = rest.iter().fold(0, |all, rest| all | rest);
    let width = 8 - width.leading_zeros() as usize / 8;
    out.push(low_byte(width as u64) << 1 | u8::from(by_steps));
    put_signed(out, spread.middle);
    put_varint(out, spread.unit);
    if by_steps {
        put_signed(out, numbers.first().copied().unwrap_or_default());
    }
    put_planes(out, &rest, width);
}

/// Reads `count` numbers of [`put_ints`].
pub(super) fn ints(input: &mut Input<'_>, count: usize) -> Result<Vec<i64>, Damaged> {
    let head = input.byte()?;
    let by_steps = head & 1 == 1;
    let middle = input.signed()?;
    let unit = input.varint()?.cast_signed();
    let mut at = if by_steps { input.signed()? } else { 0 };
    let stored = if by_steps {
        count.saturating_sub(1)
    } else {
        count
    };
    let rest = planes(input, stored, usize::from(head >> 1))?;
    let numbers = rest
        .into_iter()
        .map(|rest| unzigzag(rest).wrapping_mul(unit).wrapping_add(middle));
    if !by_steps {
        return Ok(numbers.collect());
    }
    let mut all = Vec::with_capacity(count);
    if count > 0 {
        all.push(at);
    }
    for step in numbers {
        at = at.wrapping_add(step);
        all.push(at);
    }
    Ok(all)
}

/// Appends doubles: as whole numbers of the smallest decimal step that gives every one of them back, else by their bits.
pub(super) fn put_floats(out: &mut Vec<u8>, numbers: &[f64], scaled: Option<&Scaled>) {
    if let Some(scaled) = scaled {
        out.push(scaled.decimals);
        put_ints(out, &scaled.whole);
        return;
    }
    out.push(AS_BITS);
    let mut before = 0;
    let changed: Vec<u64> = numbers
        .iter()
        .map(|number| number.to_bits() ^ std::mem::replace(&mut before, number.to_bits()))
        .collect();
    put_planes(out, &changed, 8);
}

/// Reads `count` numbers of [`put_floats`].
pub(super) fn floats(input: &mut Input<'_>, count: usize) -> Result<Vec<f64>, Damaged> {
    let decimals = input.byte()?;
    if decimals == AS_BITS {
        let mut before = 0;
        let numbers = planes(input, count, 8)?.into_iter().map(|changed| {
            before ^= changed;
            f64::from_bits(before)
        });
        return Ok(numbers.collect());
    }
    let step = TENS.get(usize::from(decimals)).ok_or(Damaged)?;
    let whole = ints(input, count)?;
    Ok(whole
        .into_iter()
        .map(|whole| unscale(whole, *step))
        .collect())
}

/// Doubles as whole numbers of a decimal step.
#[derive(Debug, PartialEq)]
pub(super) struct Scaled {
    decimals: u8,
    /// The numbers, times ten to the power of `decimals`.
    pub(super) whole: Vec<i64>,
}

impl Scaled {
    /// `None` when no number of places gives all of them back bit for bit.
    pub(super) fn of(numbers: &[f64]) -> Option<Self> {
        let mut decimals = 0;
        for number in numbers {
            while scale(*number, *TENS.get(usize::from(decimals))?).is_none() {
                decimals += 1;
            }
        }
        let step = *TENS.get(usize::from(decimals))?;
        let whole = numbers.iter().map(|number| scale(*number, step));
        Some(Self {
            decimals,
            whole: whole.collect::<Option<_>>()?,
        })
    }

    /// A sum of such whole numbers as a double: rounded once, not once for each number.
    pub(super) fn sum(&self, whole: i128) -> f64 {
        let step = TENS.get(usize::from(self.decimals)).unwrap_or(&1.0);
        #[expect(clippy::cast_precision_loss, reason = "this is the one rounding")]
        let sum = whole as f64 / step;
        sum
    }
}

fn scale(number: f64, step: f64) -> Option<i64> {
    let scaled = (number * step).round();
    if scaled.abs() >= EXACT_LIMIT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
    let whole = scaled as i64;
    (unscale(whole, step).to_bits() == number.to_bits()).then_some(whole)
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53, see `scale`")]
fn unscale(whole: i64, step: f64) -> f64 {
    whole as f64 / step
}

/// What the numbers of a column have in common.
struct Spread {
    /// Their median: most of the rest is small then, also where a few are far off.
    middle: i64,
    /// The largest number that divides every distance from the middle.
    unit: u64,
    /// Sum of the distances, in units.
    scatter: f64,
}

impl Spread {
    fn of(numbers: &[i64]) -> Self {
        let mut sorted = numbers.to_vec();
        let half = sorted.len() / 2;
        let middle = if sorted.is_empty() {
            0
        } else {
            *sorted.select_nth_unstable(half).1
        };
        let mut unit = 0;
        let mut scatter = 0.0;
        for number in numbers {
            let distance = number.wrapping_sub(middle).unsigned_abs();
            unit = common_divisor(unit, distance);
            #[expect(clippy::cast_precision_loss, reason = "only compared")]
            let far = distance as f64;
            scatter += far;
        }
        let unit = unit.max(1);
        #[expect(clippy::cast_precision_loss, reason = "only compared")]
        let scatter = scatter / unit as f64;
        Self {
            middle,
            unit,
            scatter,
        }
    }

    fn rest(&self, number: i64) -> u64 {
        let distance = number.wrapping_sub(self.middle);
        // A unit of 2^63 is only found when every distance is that or nothing.
        zigzag(distance.wrapping_div(self.unit.cast_signed()))
    }
}

/// Euclid's; 0 has every divisor.
const fn common_divisor(mut left: u64, mut right: u64) -> u64 {
    if left == 1 {
        return 1;
    }
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

fn put_planes(out: &mut Vec<u8>, numbers: &[u64], width: usize) {
    for plane in 0..width {
        out.extend(numbers.iter().map(|number| low_byte(number >> (8 * plane))));
    }
}

fn planes(input: &mut Input<'_>, count: usize, width: usize) -> Result<Vec<u64>, Damaged> {
    if width > 8 {
        return Err(Damaged);
    }
    let mut numbers = vec![0_u64; count];
    for plane in 0..width {
        for (number, byte) in numbers.iter_mut().zip(input.take(count)?) {
            *number |= u64::from(*byte) << (8 * plane);
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::properties::cases;

    fn packed(numbers: &[i64]) -> Vec<u8> {
        let mut out = Vec::new();
        put_ints(&mut out, numbers);
        out
    }

    fn packed_floats(numbers: &[f64]) -> Vec<u8> {
        let mut out = Vec::new();
        put_floats(&mut out, numbers, Scaled::of(numbers).as_ref());
        out
    }

    #[test]
    fn a_steady_beat_and_a_constant_take_no_room_at_all() {
        let beat: Vec<i64> = (0..2_000).map(|n| 1_772_366_400_000 + n * 60_000).collect();
        assert!(packed(&beat).len() < 20);
        assert!(packed(&[38; 2_000]).len() < 20);
        assert!(packed_floats(&[38.5; 2_000]).len() < 20);
    }

    #[test]
    fn whole_seconds_and_halves_are_counted_in_their_own_unit() {
        let seconds: Vec<i64> = (0..100).map(|n| n * 60_000 + 1_000 * (n % 3)).collect();
        assert!(packed(&seconds).len() < 120);
        let halves: Vec<f64> = (0..100_i32).map(|n| f64::from(n * n % 250) * 0.5).collect();
        assert!(packed_floats(&halves).len() < 120);
    }

    #[test]
    fn the_extremes_come_back() {
        for numbers in [
            vec![],
            vec![i64::MIN],
            vec![i64::MAX, i64::MIN],
            vec![i64::MIN, 0, i64::MIN],
            vec![0, i64::MIN, i64::MIN],
            vec![i64::MIN, i64::MAX, 0, -1],
        ] {
            let bytes = packed(&numbers);
            let mut input = Input::new(&bytes);
            assert_eq!(ints(&mut input, numbers.len()).unwrap(), numbers);
            assert!(input.is_empty());
        }
    }

    #[test]
    fn decimals_that_are_not_exact_keep_their_bits() {
        let numbers = [0.1 + 0.2, -0.0, 1e300, 5e-324, f64::MAX, 1.0 / 3.0];
        let bytes = packed_floats(&numbers);
        let read = floats(&mut Input::new(&bytes), numbers.len()).unwrap();
        let bits = |numbers: &[f64]| numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read), bits(&numbers));
        assert_eq!(Scaled::of(&[0.5, -0.0]), None, "minus nothing");
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn any_whole_numbers_come_back(numbers in prop::collection::vec(any::<i64>(), 0..50)) {
            let bytes = packed(&numbers);
            prop_assert_eq!(ints(&mut Input::new(&bytes), numbers.len()).unwrap(), numbers);
        }

        #[test]
        fn any_decimals_come_back(whole in prop::collection::vec(-100_000_i32..100_000, 0..50), places in 0_u32..12) {
            let step = f64::from(10_u32.checked_pow(places).unwrap_or(3));
            let numbers: Vec<f64> = whole.iter().map(|whole| f64::from(*whole) / step).collect();
            let bytes = packed_floats(&numbers);
            prop_assert_eq!(floats(&mut Input::new(&bytes), numbers.len()).unwrap(), numbers);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 0_usize..40) {
            drop(floats(&mut Input::new(&bytes), count));
        }
    }
}
