//! Whole numbers and texts as bytes, and reading them back without trusting them.
//!
//! Leaves to others what the numbers mean. Invariant: reading never panics and never allocates more than there are bytes.

/// What was read is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the series store holds a damaged record; restore the file from a backup, or move it away to begin a new one"
)]
pub(in super::super) struct Damaged;

/// Appends a number in groups of seven bits, the lowest first (LEB128).
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

/// Appends a signed number; small ones of either sign are short.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_varint(out, zigzag(number));
}

/// Appends a run of bytes with its length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Signed to unsigned, so that small numbers of either sign are small.
pub(super) const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// Back from [`zigzag`].
pub(super) const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// The lowest eight bits.
pub(super) const fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

/// What is left to be read.
pub(super) struct Input<'bytes>(&'bytes [u8]);

impl<'bytes> Input<'bytes> {
    /// From the first byte on.
    pub(super) const fn new(bytes: &'bytes [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything was read.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'bytes [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'bytes [u8] {
        std::mem::take(&mut self.0)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.0.split_first().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    /// What [`put_varint`] wrote.
    pub(super) fn varint(&mut self) -> Result<u64, Damaged> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged)
    }

    /// What [`put_signed`] wrote.
    pub(super) fn signed(&mut self) -> Result<i64, Damaged> {
        self.varint().map(unzigzag)
    }

    /// What [`put_bytes`] wrote.
    pub(super) fn run(&mut self) -> Result<&'bytes [u8], Damaged> {
        let count = usize::try_from(self.varint()?).map_err(|_| Damaged)?;
        self.take(count)
    }

    /// A double, lowest byte first.
    pub(super) fn double(&mut self) -> Result<f64, Damaged> {
        let bytes = self.take(8)?.try_into().map_err(|_| Damaged)?;
        Ok(f64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_size_come_back() {
        for number in [0, 1, -1, 63, -64, 64, 127, 128, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_signed(&mut out, number);
            put_bytes(&mut out, b"x");
            let mut input = Input::new(&out);
            assert_eq!(input.signed(), Ok(number));
            assert_eq!(input.run(), Ok(&b"x"[..]));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn bytes_that_end_early_are_damaged_and_nothing_worse() {
        assert_eq!(Input::new(&[0x80; 3]).varint(), Err(Damaged));
        assert_eq!(Input::new(&[0x80; 30]).varint(), Err(Damaged));
        assert_eq!(Input::new(&[0xff, 0xff, 0x7f, 1]).run(), Err(Damaged));
        assert_eq!(Input::new(&[1; 7]).double(), Err(Damaged));
    }
}
