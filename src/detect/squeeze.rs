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

/// The bytes, smaller if they can be.
pub(super) fn squeeze(bytes: &[u8]) -> Vec<u8> {
    match zstd::bulk::compress(bytes, LEVEL) {
        Ok(mut small) if small.len() < bytes.len() => {
            small.insert(0, ZSTD);
            small
        }
        Ok(_) | Err(_) => {
            let mut plain = Vec::with_capacity(bytes.len() + 1);
            plain.push(PLAIN);
            plain.extend_from_slice(bytes);
            plain
        }
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

    #[test]
    fn what_comes_back_is_what_went_in() {
        let long = vec![1; 100_000];
        for bytes in [vec![], vec![7], long.clone(), (0..=255).collect()] {
            assert_eq!(expand(&squeeze(&bytes)).as_ref(), Some(&bytes));
        }
        assert!(squeeze(&long).len() < 1_000);
        for strange in [&[][..], &[2, 3][..], &[ZSTD, 1, 2, 3][..]] {
            assert_eq!(expand(strange), None);
        }
    }
}
