//! From what a message says to telemetry: repetitions are taken out, times judged, batches put in order.
//!
//! **Invariant:** a repetition leaves the device's clock and counters as they were; a retained copy gives identity and presence
//! only, and leaves the counters alone.

use super::clock::{Judged, Window, after_last_jump};
use super::devices::Device;
use super::duplicates::{Mark, Recent, Seen};
use super::fields::Stamp;
use super::native::{Content, WireBatch, WireRecord};
use crate::telemetry::{Availability, RawMessage, Telemetry, TelemetryRecord, Timestamp};

/// A message on its way into the state.
pub(super) struct Arrival<'a> {
    /// When it was received.
    pub(super) received_at: Timestamp,
    /// The message.
    pub(super) message: &'a RawMessage,
    /// Where its times may lie.
    pub(super) window: Window,
    /// It is back-fill.
    pub(super) is_batch: bool,
}

impl Arrival<'_> {
    /// Fills in the telemetry; `false` when all of the message had been received before.
    pub(super) fn apply(
        &self,
        content: Content,
        device: &mut Device,
        recent: &mut Recent,
        telemetry: &mut Telemetry,
    ) -> bool {
        telemetry.batch = self.is_batch;
        let counted = match &content {
            Content::State { seq, .. } => seq.is_some(),
            Content::Single(record) => record.seq.is_some(),
            Content::Batch(batch) => batch.records.iter().any(|record| record.seq.is_some()),
            Content::Nothing | Content::Ident(_) => false,
        };
        let live = !self.message.retained;
        // Presence without a time reads the same each time it changes back; taking it twice does no harm, passing it over would.
        let bare_state = matches!(&content, Content::State { at: None, .. });
        if live
            && !counted
            && !bare_state
            && recent.see(self.received_at, self.message) == Seen::Again
        {
            return false;
        }
        match content {
            Content::Nothing => true,
            Content::Ident(identity) => {
                telemetry.identity = Some(identity);
                true
            }
            Content::State {
                availability,
                at,
                seq,
            } => self.state(availability, at, seq, device, telemetry),
            Content::Single(record) => !live || self.single(record, device, telemetry),
            Content::Batch(batch) => !live || self.batch(batch, device, telemetry),
        }
    }

    fn state(
        &self,
        availability: Availability,
        at: Option<Stamp>,
        seq: Option<u64>,
        device: &mut Device,
        telemetry: &mut Telemetry,
    ) -> bool {
        if let Some(seq) = seq
            && !self.message.retained
        {
            let boot = availability.boot.or_else(|| device.boot());
            if device.counters.see(self.mark(boot, seq, at)) == Seen::Again {
                return false;
            }
        }
        if let Some(boot) = availability.boot {
            let judged = device.clock.judge(self.received_at, at, self.window);
            device.restarted(judged.event_time, boot);
        }
        telemetry.availability = Some(availability);
        true
    }

    fn single(&self, record: WireRecord, device: &mut Device, telemetry: &mut Telemetry) -> bool {
        if let Some(seq) = record.seq {
            let boot = record.boot.or_else(|| device.boot());
            match device.counters.see(self.mark(boot, seq, record.at)) {
                Seen::New => {}
                Seen::Again => return false,
                Seen::Restarted => telemetry.seq_restarted = true,
            }
        }
        if let Some(stamp) = record.at
            && !self.message.queued
            && !self.message.dup
        {
            device.clock.learn(self.received_at, stamp);
        }
        let judged = device.clock.judge(self.received_at, record.at, self.window);
        telemetry.lag_ms = judged.lag_ms;
        let time_unknown = record.at.is_none() && self.message.queued;
        telemetry
            .records
            .push(finished(record, judged, time_unknown));
        true
    }

    fn batch(&self, batch: WireBatch, device: &mut Device, telemetry: &mut Telemetry) -> bool {
        telemetry.bad_records = batch.bad;
        let shift_ms = device
            .clock
            .batch_shift_ms(self.received_at, batch.sent, self.window);
        let times: Vec<i64> = batch.records.iter().filter_map(own_ms).collect();
        let moved_from = if shift_ms == 0 {
            0
        } else {
            after_last_jump(&times)
        };
        let mut records: Vec<(Judged, WireRecord)> = batch
            .records
            .into_iter()
            .enumerate()
            .map(|(index, record)| {
                let shift_ms = if index < moved_from { 0 } else { shift_ms };
                let judged =
                    device
                        .clock
                        .judge_shifted(self.received_at, record.at, shift_ms, self.window);
                (judged, record)
            })
            .collect();
        records.sort_by_key(|(judged, record)| (judged.event_time, record.seq));
        for (judged, record) in records {
            if let Some(seq) = record.seq {
                let boot = record.boot.or_else(|| device.boot_at(judged.event_time));
                match device.counters.see(self.mark(boot, seq, record.at)) {
                    Seen::New => {}
                    Seen::Again => {
                        telemetry.duplicate_records += 1;
                        continue;
                    }
                    Seen::Restarted => telemetry.seq_restarted = true,
                }
            }
            telemetry.lag_ms = judged.lag_ms.or(telemetry.lag_ms);
            telemetry.records.push(finished(record, judged, false));
        }
        let nothing_new = telemetry.records.is_empty() && telemetry.bad_records.is_empty();
        !(nothing_new && telemetry.duplicate_records > 0)
    }

    fn mark(&self, boot: Option<u64>, seq: u64, at: Option<Stamp>) -> Mark {
        let own_ms = at
            .and_then(Stamp::ms)
            .filter(|ms| self.window.orders(self.received_at, *ms));
        // What was held up on its way, or stands for days of back-fill, says nothing by its time of receipt.
        let prompt = !self.message.dup && !self.message.queued && !self.is_batch;
        Mark {
            boot,
            seq,
            own_ms,
            time_ms: own_ms.or_else(|| prompt.then_some(self.received_at.ms())),
        }
    }
}

fn own_ms(record: &WireRecord) -> Option<i64> {
    record.at.and_then(Stamp::ms)
}

fn finished(record: WireRecord, judged: Judged, time_unknown: bool) -> TelemetryRecord {
    TelemetryRecord {
        event_time: judged.event_time,
        clock_suspect: judged.clock_suspect,
        time_unknown,
        seq: record.seq,
        event: record.event,
        readings: record.readings,
    }
}
