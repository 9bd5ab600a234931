//! The last value of a signal and whether it is still known.
//!
//! Leaves units and wire forms to the profile. Invariant: `at` never goes back; a late reading never gets here.

use serde::{Deserialize, Serialize};

use super::body::NEVER;
use crate::profile::{Signal, SignalValue, StaleAfter};

/// What is remembered of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SignalState {
    /// Newest value in base units; `None`: no value, or out of range.
    pub(super) value: Option<f64>,
    /// When, by the device's time; [`NEVER`] before the first reading.
    pub(super) at: i64,
    /// The newest reading was outside its range.
    pub(super) invalid: bool,
    /// The last value that was told, even out of range or without a time: for people.
    pub(super) shown: Option<f64>,
}

impl Default for SignalState {
    fn default() -> Self {
        Self {
            value: None,
            at: NEVER,
            invalid: false,
            shown: None,
        }
    }
}

impl SignalState {
    /// Takes a reading that is not late.
    pub(super) fn take(&mut self, reading: &SignalValue, at: i64) {
        self.at = at;
        self.show(reading);
        match reading {
            SignalValue::Value(value) => {
                self.value = Some(*value);
                self.invalid = false;
            }
            SignalValue::NoValue => {
                self.value = None;
                self.invalid = false;
            }
            SignalValue::OutOfRange(_) => {
                self.value = None;
                self.invalid = true;
            }
        }
    }

    /// Takes a reading of unknown time: it is shown, and known no longer than the one before it.
    pub(super) fn take_untimed(&mut self, reading: &SignalValue) {
        self.show(reading);
        if let SignalValue::Value(value) = reading
            && self.seen()
        {
            self.value = Some(*value);
            self.invalid = false;
        }
    }

    fn show(&mut self, reading: &SignalValue) {
        match reading {
            SignalValue::Value(value) | SignalValue::OutOfRange(value) => self.shown = Some(*value),
            SignalValue::NoValue => {}
        }
    }

    /// It was read at least once.
    pub(super) fn seen(&self) -> bool {
        self.at > NEVER
    }

    /// The newest reading still counts: known from its instant up to, not including, `stale_after` later.
    pub(super) fn fresh(&self, signal: &Signal, now: i64, touched: bool, online: bool) -> bool {
        self.seen()
            && self.at <= now
            && match signal.stale_after {
                StaleAfter::Instant => touched,
                StaleAfter::Ms(ms) => now - self.at < ms,
                StaleAfter::Never => online || touched,
            }
    }

    /// The value while it is known.
    pub(super) fn known(
        &self,
        signal: &Signal,
        now: i64,
        touched: bool,
        online: bool,
    ) -> Option<f64> {
        if !self.seen() {
            return signal.default;
        }
        self.value
            .filter(|_| self.fresh(signal, now, touched, online))
    }

    /// The moment from which it is unknown, when that comes by time alone.
    pub(super) fn stale_at(&self, signal: &Signal) -> Option<i64> {
        match signal.stale_after {
            StaleAfter::Ms(ms) if self.seen() => Some(self.at + ms),
            _ => None,
        }
    }
}
