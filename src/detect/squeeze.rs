//! Bytes of a device's state made smaller, and back.
//!
//! Windows of one device resemble each other, so its state shrinks to a third or less. Invariant: what comes back is what went in;
//! bytes that were not made here give nothing rather than memory without bound.

/// zstd's fastest usual level: the next ones save a tenth and take half as long again.
const LEVEL: i32 = 1;
/// No device's state is larger; `foremend check` tells the most that a profile can need, some hundreds of kB.
const LIMIT: usize = 16 << 20;
/// What stands in front: the bytes as they were.
const PLAIN: u8 = 0;
/// What stands in front: compressed bytes.
const ZSTD: u8 = 1;

/// Makes bytes smaller, one piece after the other; what it keeps between them is room to work in, and changes no result.
#[derive(Default)]
pub struct Squeezer {
    zstd: Option<zstd::bulk::Compressor<'static>>,
    small: Vec<u8>,
}

impl Squeezer {
    /// Appends the bytes, smaller if they can be.
    pub(super) fn squeeze(&mut self, bytes: &[u8], onto: &mut Vec<u8>) {
        if let Some(small) = self.compressed(bytes)
            && small.len() < bytes.len()
        {
            onto.push(ZSTD);
            onto.extend_from_slice(small);
        } else {
            onto.push(PLAIN);
            onto.extend_from_slice(bytes);
        }
    }

    fn compressed(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        if self.zstd.is_none() {
            self.zstd = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        self.small.clear();
        self.small
            .reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        let zstd = self.zstd.as_mut()?;
        zstd.compress_to_buffer(bytes, &mut self.small).ok()?;
        Some(&self.small)
    }
}

impl std::fmt::Debug for Squeezer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Squeezer").finish_non_exhaustive()
    }
}

/// What was squeezed; `None` when that is not what it was.
pub(super) fn expand(bytes: &[u8]) -> Option<Vec<u8>> {
    match bytes.split_first()? {
        (&PLAIN, rest) => Some(rest.to_vec()),
        (&ZSTD, rest) => {
            let size = zstd::bulk::Decompressor::upper_bound(rest).unwrap_or(LIMIT);
            zstd::bulk::decompress(rest, size.min(LIMIT)).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(squeezer: &mut Squeezer, bytes: &[u8]) -> Vec<u8> {
        let mut onto = Vec::new();
        squeezer.squeeze(bytes, &mut onto);
        onto
    }

    #[test]
    fn what_comes_back_is_what_went_in() {
        let long = vec![1; 100_000];
        let mixed: Vec<u8> = (0..60_000_u32).map(|n| (n * n / 700 % 251) as u8).collect();
        let mut one = Squeezer::default();
        for bytes in [vec![], vec![7], long.clone(), (0..=255).collect(), mixed] {
            let small = squeezed(&mut one, &bytes);
            assert_eq!(expand(&small).as_ref(), Some(&bytes));
            // The same bytes give the same row, whatever was squeezed before.
            assert_eq!(small, squeezed(&mut Squeezer::default(), &bytes));
        }
        assert!(squeezed(&mut one, &long).len() < 1_000);
        for strange in [&[][..], &[2, 3][..], &[ZSTD, 1, 2, 3][..]] {
            assert_eq!(expand(strange), None);
        }
    }
}
