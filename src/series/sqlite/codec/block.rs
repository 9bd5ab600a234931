//! A sealed block: up to [`VALUES_LIMIT`] values of one series in rising time, as columns under zstd.
//!
//! Leaves to `seal` which values go into which block. Invariant: the frame carries zstd's check sum, so that a flipped bit is noticed.

use smol_str::SmolStr;
use zstd::bulk::Compressor;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::CParameter;

use crate::telemetry::FieldValue;

use super::bytes::{Damaged, Input, put_bytes, put_varint};
use super::cells::{cells_of, pack};
use super::columns::{Scaled, floats, ints, put_floats, put_ints};

/// Most values of a block: large enough that its head does not count, small enough that a page of the file holds several blocks
/// and that writing one anew takes a fraction of a millisecond.
pub(in super::super) const VALUES_LIMIT: usize = 2_048;
/// Most bytes of text in a block; a single longer text has a block of its own.
pub(in super::super) const TEXT_LIMIT: usize = 64 * 1_024;
/// Level of zstd. Higher ones gain some per cent here and take several times as long.
const ZSTD_LEVEL: i32 = 3;
/// Largest unpacked form, bytes: two columns of whole numbers of eight bytes with their heads, or the texts.
const UNPACKED_LIMIT: usize = 256 * 1_024;

/// A block as it lies in the file.
#[derive(Debug)]
pub(in super::super) struct Packed {
    /// The values.
    pub(in super::super) bytes: Vec<u8>,
    /// Its hourly cells; empty for texts.
    pub(in super::super) cells: Vec<u8>,
}

/// What values of one series are.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Column {
    /// Numbers.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<SmolStr>),
}

/// Values of one series in rising time.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Block {
    /// When, ms.
    pub(in super::super) times: Vec<i64>,
    /// What, as many as `times`.
    pub(in super::super) values: Column,
}

impl Block {
    /// The value at a place.
    pub(in super::super) fn value(&self, place: usize) -> Option<FieldValue> {
        match &self.values {
            Column::Numbers(numbers) => numbers.get(place).copied().map(FieldValue::Float),
            Column::Texts(texts) => texts.get(place).cloned().map(FieldValue::Text),
        }
    }
}

/// Packs and unpacks; keeps the memory that this takes.
pub(in super::super) struct Packer {
    zip: Compressor<'static>,
    unzip: Decompressor<'static>,
    plain: Vec<u8>,
}

impl Packer {
    /// Makes the contexts of zstd.
    pub(in super::super) fn new() -> std::io::Result<Self> {
        let mut zip = Compressor::new(ZSTD_LEVEL)?;
        zip.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self {
            zip,
            unzip: Decompressor::new()?,
            plain: Vec::new(),
        })
    }

    /// Packs values that are in rising time, at most [`VALUES_LIMIT`] of them.
    pub(in super::super) fn pack(&mut self, block: &Block) -> std::io::Result<Packed> {
        let plain = &mut self.plain;
        plain.clear();
        put_varint(plain, block.times.len() as u64);
        let cells = match &block.values {
            Column::Numbers(numbers) => {
                plain.push(NUMBERS);
                put_ints(plain, &block.times);
                let scaled = Scaled::of(numbers);
                put_floats(plain, numbers, scaled.as_ref());
                pack(&cells_of(&block.times, numbers, scaled.as_ref()))
            }
            Column::Texts(texts) => {
                plain.push(TEXTS);
                put_ints(plain, &block.times);
                for text in texts {
                    put_bytes(plain, text.as_bytes());
                }
                Vec::new()
            }
        };
        let mut bytes = Vec::with_capacity(plain.len() / 2);
        put_varint(&mut bytes, plain.len() as u64);
        bytes.extend_from_slice(&self.zip.compress(plain)?);
        Ok(Packed { bytes, cells })
    }

    /// Reads what [`Self::pack`] wrote.
    pub(in super::super) fn unpack(&mut self, bytes: &[u8]) -> Result<Block, Damaged> {
        let mut packed = Input::new(bytes);
        let length = usize::try_from(packed.varint()?).map_err(|_| Damaged)?;
        if length > UNPACKED_LIMIT {
            return Err(Damaged);
        }
        self.plain.clear();
        self.plain.reserve(length);
        self.unzip
            .decompress_to_buffer(packed.rest(), &mut self.plain)
            .map_err(|_| Damaged)?;
        let mut input = Input::new(&self.plain);
        let count = usize::try_from(input.varint()?).map_err(|_| Damaged)?;
        if count > VALUES_LIMIT {
            return Err(Damaged);
        }
        let kind = input.byte()?;
        let times = ints(&mut input, count)?;
        let values = match kind {
            NUMBERS => Column::Numbers(floats(&mut input, count)?),
            TEXTS => {
                let text = |_| {
                    let text = std::str::from_utf8(input.run()?).map_err(|_| Damaged)?;
                    Ok(SmolStr::from(text))
                };
                Column::Texts((0..count).map(text).collect::<Result<_, _>>()?)
            }
            _ => return Err(Damaged),
        };
        Ok(Block { times, values })
    }
}

/// Mark of a block of numbers.
const NUMBERS: u8 = 0;
/// Mark of a block of texts.
const TEXTS: u8 = 1;

#[cfg(test)]
mod tests {
    use super::super::cells::unpack;
    use super::*;
    use proptest::prelude::*;

    use crate::properties::cases;

    fn numbers(pairs: impl Iterator<Item = (i64, f64)>) -> Block {
        let (times, numbers) = pairs.unzip();
        Block {
            times,
            values: Column::Numbers(numbers),
        }
    }

    /// Bytes per value, values alone and with their cells, of full blocks with such values.
    fn bytes_per_value(value: impl Fn(i64, f64) -> (i64, f64)) -> (f64, f64) {
        let mut packer = Packer::new().unwrap();
        // A reproducible noise between -1 and 1, the sum of four draws: bell-shaped.
        let mut state = 1_u64;
        let mut noise = || {
            let mut sum = 0.0;
            for _ in 0..4 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                sum +=
                    f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1_u32 << 31) - 0.5;
            }
            sum / 2.0
        };
        let block = numbers(
            (0_i64..)
                .take(VALUES_LIMIT)
                .map(|place| value(place, noise())),
        );
        let written = packer.pack(&block).unwrap();
        assert_eq!(packer.unpack(&written.bytes).unwrap(), block);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let per_value = |bytes: usize| bytes as f64 / VALUES_LIMIT as f64;
        (
            per_value(written.bytes.len()),
            per_value(written.bytes.len() + written.cells.len()),
        )
    }

    #[test]
    #[expect(
        clippy::print_stdout,
        reason = "the numbers are of interest also while they are good enough"
    )]
    fn typical_values_take_at_most_three_bytes() {
        let minute = |place: i64| 1_772_366_400_000 + place * 60_000;
        let tenths = |number: f64| (number * 10.0).round() / 10.0;
        let hundredths = |number: f64| (number * 100.0).round() / 100.0;
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let wave = |place: i64| libm::sin(place as f64 / 230.0);
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        let jitter = |noise: f64| (noise * 800.0) as i64;
        let cases: [(&str, f64, (f64, f64)); 6] = [
            (
                "constant, steady beat",
                0.2,
                bytes_per_value(|p, _| (minute(p), 38.0)),
            ),
            (
                "counter, steady beat",
                0.5,
                bytes_per_value(|p, _| (minute(p), f64::from(u32::try_from(p / 7).unwrap()))),
            ),
            (
                "tenths, steady beat",
                1.2,
                bytes_per_value(|p, n| (minute(p), tenths(38.0 + 2.0 * wave(p) + n))),
            ),
            (
                "hundredths, steady beat",
                1.7,
                bytes_per_value(|p, n| (minute(p), hundredths(38.0 + 2.0 * wave(p) + n))),
            ),
            (
                "tenths, beat in whole seconds that wavers",
                1.5,
                bytes_per_value(|p, n| {
                    (
                        minute(p) + jitter(n) / 400 * 1_000,
                        tenths(38.0 + 2.0 * wave(p) + n),
                    )
                }),
            ),
            (
                "hundredths, beat that wavers by 0.8 s",
                3.0,
                bytes_per_value(|p, n| {
                    (minute(p) + jitter(n), hundredths(38.0 + 2.0 * wave(p) + n))
                }),
            ),
        ];
        for (what, limit, (values, all)) in cases {
            println!("{what}: {values:.2} bytes a value, {all:.2} with its hours");
            assert!(
                all <= limit,
                "{what}: {all:.2} bytes a value, expected at most {limit}"
            );
        }
    }

    #[test]
    fn cells_are_those_of_the_values() {
        let mut packer = Packer::new().unwrap();
        let written = packer
            .pack(&numbers((0..100).map(|minute| (minute * 60_000, 1.5))))
            .unwrap();
        let cells = unpack(&written.cells, VALUES_LIMIT).unwrap();
        let read: Vec<_> = cells
            .iter()
            .map(|cell| (cell.hour, cell.count, cell.sum))
            .collect();
        assert_eq!(read, [(0, 60, 90.0), (1, 40, 60.0)]);
    }

    #[test]
    fn a_block_with_a_flipped_bit_is_damaged() {
        let mut packer = Packer::new().unwrap();
        let block = numbers((0..500).map(|place| (place * place, 0.1 + 1.0 / 3.0)));
        let block_bytes = packer.pack(&block).unwrap().bytes;
        for place in 0..block_bytes.len() {
            let mut wrong = block_bytes.clone();
            wrong[place] ^= 4;
            if let Ok(read) = packer.unpack(&wrong) {
                assert_eq!(read, block, "byte {place}");
            }
        }
        assert_eq!(packer.unpack(&block_bytes).unwrap(), block);
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn any_texts_come_back(texts in prop::collection::vec(".{0,40}", 0..30)) {
            let mut packer = Packer::new().unwrap();
            let block = Block {
                times: (0_i64..).take(texts.len()).collect(),
                values: Column::Texts(texts.into_iter().map(SmolStr::from).collect()),
            };
            let written = packer.pack(&block).unwrap();
            prop_assert_eq!(written.cells.len(), 0);
            prop_assert_eq!(packer.unpack(&written.bytes).unwrap(), block);
        }
    }
}
