//! From journal entries to a batch of points and the position up to which it goes.
//!
//! Pure: the daemon reads the journal and decodes, or brings what was decoded already, and moves the cursor once the batch is
//! written. Invariant: every entry is in exactly one batch, in journal order, so that a cursor at [`Gathered::through`] loses and repeats nothing.

use std::sync::Arc;

use crate::profile::Program;
use crate::telemetry::Control;
use crate::telemetry::DeviceAction;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::Point;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Telemetry;
use crate::telemetry::Timestamp;

use super::points::PointMaker;
use super::{RefusedReason, WriteReport};

/// A batch is full with this many points: what the writer's lanes send at once. What one message gives more is taken too.
pub const POINTS_LIMIT: usize = 20_000;
/// A batch is due this long after its first entry, ms (influxdb.md: at 5,000 lines or 1 s).
pub const WAIT_MS: i64 = SECOND_MS;

/// A decoded message with the profile of its model.
#[derive(Clone, Debug)]
pub struct Understood {
    /// What the device said.
    pub telemetry: Telemetry,
    /// What its paths mean; `None` when no profile knows the model.
    pub program: Option<Arc<Program>>,
}

/// A batch that is ready to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Gathered {
    /// The points, in journal order; may be none.
    pub points: Vec<Point>,
    /// The last entry that is in it: once it is written the cursor may stand behind this.
    pub through: Position,
    /// What was left out already.
    pub refused: WriteReport,
}

/// Gathers points until a batch is due.
#[derive(Debug, Default)]
pub struct Gatherer {
    maker: PointMaker,
    points: Vec<Point>,
    /// The last entry taken and when (by the caller's clock) the batch began.
    open: Option<(Position, Timestamp)>,
}

impl Gatherer {
    /// Goes on with the state that was saved at the cursor.
    #[must_use]
    pub fn new(maker: PointMaker) -> Self {
        Self {
            maker,
            points: Vec::new(),
            open: None,
        }
    }

    /// Takes entries until the batch is full and tells how many it took. `decode` is called once for each of them, also for
    /// controls; a repeated reading of rejected messages may give several messages.
    pub fn gather(
        &mut self,
        now: Timestamp,
        entries: &[Entry],
        decode: &mut dyn FnMut(&Entry) -> Vec<Understood>,
    ) -> usize {
        let mut taken = 0;
        for entry in entries {
            if self.is_full() {
                break;
            }
            for understood in decode(entry) {
                self.said(&understood.telemetry, understood.program.as_deref());
            }
            if let Record::Control(Control::Device {
                device,
                action: DeviceAction::Retire,
                ..
            }) = &entry.record
            {
                self.retired(device);
            }
            self.took(now, entry.position);
            taken += 1;
        }
        taken
    }

    /// Takes what a device said in an entry, which [`Self::took`] is told of afterwards. For who knows already what entries tell.
    pub fn said(&mut self, telemetry: &Telemetry, program: Option<&Program>) {
        self.maker.points(telemetry, program, &mut self.points);
    }

    /// Takes that a device was retired in an entry, which [`Self::took`] is told of afterwards.
    pub fn retired(&mut self, device: &DeviceId) {
        self.maker.forget(device);
    }

    /// Everything in the entries up to this one was taken, by `now`.
    pub fn took(&mut self, now: Timestamp, position: Position) {
        let began = self.open.map_or(now, |(_, began)| began);
        self.open = Some((position, began));
    }

    /// Whether no further entry is to be taken before this batch is drained.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.points.len() >= POINTS_LIMIT
    }

    /// Whether the batch should be written now: it is full, or waits long enough.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let Some((_, began)) = self.open else {
            return false;
        };
        self.is_full() || now.since(began) >= WAIT_MS
    }

    /// The batch, if any entry was taken since the last one.
    pub fn drain(&mut self) -> Option<Gathered> {
        let (through, _) = self.open.take()?;
        let mut refused = WriteReport::default();
        refused.refuse(
            RefusedReason::TooManyUnknownFields,
            self.maker.take_refused(),
        );
        Some(Gathered {
            points: std::mem::take(&mut self.points),
            through,
            refused,
        })
    }

    /// The state to be saved with the cursor, right after [`Self::drain`].
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.maker.snapshot()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Reading;
    use crate::telemetry::Scalar;
    use crate::telemetry::TelemetryRecord;

    fn entry(position: u64) -> Entry {
        Entry {
            position: Position(position),
            received_at: Timestamp::from_ms(0),
            record: Record::Tick,
        }
    }

    fn said(records: i64) -> Vec<Understood> {
        let device: DeviceId = "m/1".parse().unwrap();
        let records = (0..records)
            .map(|ms| TelemetryRecord {
                event_time: Timestamp::from_ms(ms),
                clock_suspect: false,
                time_unknown: false,
                seq: None,
                event: None,
                readings: vec![Reading {
                    path: "a".into(),
                    value: Scalar::Number(1.0),
                }],
            })
            .collect();
        vec![Understood {
            telemetry: Telemetry {
                device,
                retained: false,
                batch: false,
                lag_ms: None,
                records,
                availability: None,
                identity: None,
                bad_records: Vec::new(),
                duplicate_records: 0,
                seq_restarted: false,
                new_device: false,
            },
            program: None,
        }]
    }

    #[test]
    fn a_batch_goes_through_its_last_entry_also_when_that_says_nothing() {
        let mut gatherer = Gatherer::default();
        let entries = [entry(7), entry(8), entry(9)];
        let taken = gatherer.gather(Timestamp::from_ms(0), &entries, &mut |entry| {
            if entry.position == Position(8) {
                said(2)
            } else {
                Vec::new()
            }
        });
        let batch = gatherer.drain().expect("entries were taken");
        assert_eq!(
            (taken, batch.points.len(), batch.through),
            (3, 2, Position(9))
        );
        assert!(gatherer.drain().is_none());
    }

    #[test]
    fn a_batch_is_due_after_a_second_and_not_before() {
        let mut gatherer = Gatherer::default();
        assert!(!gatherer.is_due(Timestamp::MAX));
        gatherer.gather(Timestamp::from_ms(500), &[entry(1)], &mut |_| said(1));
        gatherer.gather(Timestamp::from_ms(900), &[entry(2)], &mut |_| said(1));
        assert!(!gatherer.is_due(Timestamp::from_ms(1_499)));
        assert!(gatherer.is_due(Timestamp::from_ms(1_500)));
    }

    #[test]
    fn a_full_batch_takes_no_further_entry() {
        let mut gatherer = Gatherer::default();
        let entries: Vec<_> = (1..=5).map(entry).collect();
        let half = i64::try_from(POINTS_LIMIT / 2).unwrap();
        let taken = gatherer.gather(Timestamp::from_ms(0), &entries, &mut |_| said(half));
        assert_eq!(taken, 2);
        assert!(gatherer.is_due(Timestamp::from_ms(0)));
        assert_eq!(
            gatherer.drain().map(|batch| batch.through),
            Some(Position(2))
        );
    }
}
