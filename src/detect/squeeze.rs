//! Bytes of a device's state made smaller, and back.
//!
//! Windows of one device resemble each other, so its state shrinks to a third or less. Invariant: what comes back is what went in;
//! bytes that were not made here, or were damaged since, give nothing rather than something else or memory without bound.

use zstd::bulk::{Compressor, Decompressor};

/// zstd's fastest usual level: the next ones save a tenth and take half as long again.
const LEVEL: i32 = 1;
/// No device's state is larger; `foremend check` tells the most that a profile can need, some hundreds of kB.
const LIMIT: usize = 16 << 20;

/// Both ways, with the memory that they need: to set that up for each device would take several times as long as the work itself.
#[derive(Default)]
pub struct Squeezer {
    compressor: Option<Compressor<'static>>,
    decompressor: Option<Decompressor<'static>>,
}

impl std::fmt::Debug for Squeezer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Squeezer").finish_non_exhaustive()
    }
}

impl Squeezer {
    /// The bytes, smaller; behind `front`. `None` when there is no memory for it.
    pub(super) fn squeeze(&mut self, front: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        if self.compressor.is_none() {
            let mut compressor = Compressor::new(LEVEL).ok()?;
            compressor.include_checksum(true).ok()?;
            self.compressor = Some(compressor);
        }
        let small = self.compressor.as_mut()?.compress(bytes).ok()?;
        let mut squeezed = Vec::with_capacity(front.len() + small.len());
        squeezed.extend_from_slice(front);
        squeezed.extend_from_slice(&small);
        Some(squeezed)
    }

    /// What was squeezed, without its front; `None` when that is not what it was.
    pub(super) fn expand(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.decompressor.is_none() {
            self.decompressor = Some(Decompressor::new().ok()?);
        }
        let told = zstd::zstd_safe::get_frame_content_size(bytes).ok()??;
        let size = usize::try_from(told).ok().filter(|size| *size <= LIMIT)?;
        self.decompressor.as_mut()?.decompress(bytes, size).ok()
    }
}

/// As it was squeezed by an earlier release: a byte that says whether it is, and no checksum.
pub(super) fn expand_before(bytes: &[u8]) -> Option<Vec<u8>> {
    match bytes.split_first()? {
        (0, rest) => Some(rest.to_vec()),
        (1, rest) => Squeezer::default().expand(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_what_went_in() {
        let mut squeezer = Squeezer::default();
        let long = vec![1; 100_000];
        for bytes in [vec![], vec![7], long.clone(), (0..=255).collect()] {
            let small = squeezer.squeeze(&[9, 9], &bytes).expect("memory");
            assert_eq!(small.first_chunk(), Some(&[9, 9]));
            assert_eq!(squeezer.expand(&small[2..]).as_ref(), Some(&bytes));
        }
        let small = squeezer.squeeze(&[], &long).expect("memory");
        assert!(small.len() < 1_000);
        for place in 0..small.len() {
            let mut damaged = small.clone();
            damaged[place] ^= 0x10;
            let read = squeezer.expand(&damaged);
            assert!(read.is_none_or(|read| read == long), "at {place}");
        }
        for strange in [&[][..], &[2, 3], &[1, 2, 3]] {
            assert_eq!(squeezer.expand(strange), None);
        }
    }
}
