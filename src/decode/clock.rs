//! What a device's clock is worth: plausible times, the learnt offset, and the clock that a batch was written by.
//!
//! **Invariant:** an event time never lies outside the plausible window around the time of receipt.

use serde::{Deserialize, Serialize};

use super::fields::Stamp;
use crate::telemetry::{HOUR_MS, MINUTE_MS, Timestamp};

/// Up to here a clock counts as right, and two lags as the same (DESIGN, section 6).
const TOLERANCE_MS: i64 = 2 * MINUTE_MS;
/// Messages that must all have lagged more before the offset rises (DESIGN, section 6).
const RISE_MESSAGES: u32 = 20;
/// How long they must have gone on.
const RISE_SPAN_MS: i64 = HOUR_MS;
/// How far their lags may differ: a wrong clock lags steadily, a backlog that is being sent lags less and less.
const STEADY_MS: i64 = 10 * MINUTE_MS;
/// A `sent` this far after receipt shows a wrong clock; so does a step in a batch (native convention, section 3).
const JUMP_MS: i64 = 10 * MINUTE_MS;
/// What live messages show of the clock holds this long (native convention, section 3: "of the same hour").
const LIVE_SPAN_MS: i64 = HOUR_MS;
/// The furthest that a mistaken zone (14 h) and half a day on top put a clock ahead.
const AHEAD_LIMIT_MS: i64 = 26 * HOUR_MS;

/// Where a device time may lie around the time of receipt; the profile says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// How far before receipt, ms.
    pub(super) past_ms: i64,
    /// How far after receipt, ms.
    pub(super) future_ms: i64,
}

impl Window {
    fn holds(self, received_at: Timestamp, ms: i64) -> bool {
        let before = received_at.ms().saturating_sub(ms);
        before <= self.past_ms && before >= -self.future_ms
    }

    /// Whether a time can tell which of two records is the newer one: not one of a clock that fell back to its beginning, nor
    /// one further ahead than a mistaken zone or date puts it.
    pub(super) fn orders(self, received_at: Timestamp, ms: i64) -> bool {
        let before = received_at.ms().saturating_sub(ms);
        before <= self.past_ms && before >= -AHEAD_LIMIT_MS.max(self.future_ms)
    }
}

/// One record's time, judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// When it happened.
    pub(super) event_time: Timestamp,
    /// Not what the device said.
    pub(super) clock_suspect: bool,
    /// Receipt minus corrected event time; `None` when it gave no usable time.
    pub(super) lag_ms: Option<i64>,
}

/// What is known of one device's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Clock {
    /// The usual lag of its live messages, ms; negative when its clock is ahead. 0 until learnt.
    offset_ms: i64,
    /// Live messages since the last one that did not lag more than the offset.
    rising: Option<Span>,
    /// The live messages of the hour.
    live: Option<Span>,
    /// The lag of the last live message when it lay too far in the future to be believed on its own.
    ahead_ms: Option<i64>,
    /// Up to where it took in the steps of our own clock, ms.
    stepped_ms: i64,
}

/// What a device's clock is worth, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockView {
    /// By how much its times are moved, ms: 0 while its clock counts as right, negative when it is ahead.
    pub offset_ms: i64,
    /// Smallest and largest lag of its live messages within an hour, ms; `None` before the first one.
    pub lags_ms: Option<(i64, i64)>,
    /// When the newest of these came.
    pub at: Option<Timestamp>,
    /// Its newest time lay too far in the future to be believed on its own.
    pub suspect: bool,
}

/// Lags of some messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    since: Timestamp,
    last: Timestamp,
    count: u32,
    lowest_ms: i64,
    highest_ms: i64,
}

impl Span {
    const fn of(received_at: Timestamp, lag_ms: i64) -> Self {
        Self {
            since: received_at,
            last: received_at,
            count: 1,
            lowest_ms: lag_ms,
            highest_ms: lag_ms,
        }
    }

    fn add(&mut self, received_at: Timestamp, lag_ms: i64) {
        self.last = received_at;
        self.count = self.count.saturating_add(1);
        self.lowest_ms = self.lowest_ms.min(lag_ms);
        self.highest_ms = self.highest_ms.max(lag_ms);
    }

    const fn spread_ms(&self) -> i64 {
        self.highest_ms.saturating_sub(self.lowest_ms)
    }
}

impl Clock {
    /// Our own clock was stepped ahead, so far in all: every lag grew by as much, and no device's clock changed.
    pub(super) fn follow(&mut self, stepped_ms: i64) {
        let step_ms = stepped_ms.saturating_sub(self.stepped_ms);
        if step_ms != 0 {
            *self = Self {
                offset_ms: self.offset_ms.saturating_add(step_ms),
                stepped_ms,
                ..Self::default()
            };
        }
    }

    /// Takes in the time of a live message (not retained, not queued, not a batch, not a repetition).
    pub(super) fn learn(&mut self, received_at: Timestamp, stamp: Stamp) {
        let Stamp::At(ms) = stamp else { return };
        let lag_ms = received_at.ms().saturating_sub(ms);
        match &mut self.live {
            Some(live) if received_at.since(live.since) <= LIVE_SPAN_MS => {
                live.add(received_at, lag_ms);
            }
            live => *live = Some(Span::of(received_at, lag_ms)),
        }
        if lag_ms < -TOLERANCE_MS && lag_ms < self.offset_ms.saturating_sub(TOLERANCE_MS) {
            // A second message must agree before the clock is held to be ahead: one stray time would make all that follows
            // look old, and what looks old moves no hold.
            let agreed = self.ahead_ms.filter(|ahead| near(*ahead, lag_ms));
            self.ahead_ms = Some(lag_ms);
            if let Some(ahead) = agreed {
                self.fall(lag_ms.min(ahead));
            }
            return;
        }
        self.ahead_ms = None;
        if lag_ms <= self.offset_ms {
            self.fall(lag_ms);
        } else {
            self.rise(received_at, lag_ms);
        }
    }

    /// What there is to show.
    pub(super) fn view(&self) -> ClockView {
        ClockView {
            offset_ms: self.learnt_ms(),
            lags_ms: self
                .live
                .as_ref()
                .map(|live| (live.lowest_ms, live.highest_ms)),
            at: self.live.as_ref().map(|live| live.last),
            suspect: is_wrong(self.offset_ms) || self.ahead_ms.is_some(),
        }
    }

    fn fall(&mut self, lag_ms: i64) {
        self.offset_ms = lag_ms;
        self.rising = None;
    }

    fn rise(&mut self, received_at: Timestamp, lag_ms: i64) {
        let Some(rising) = &mut self.rising else {
            self.rising = Some(Span::of(received_at, lag_ms));
            return;
        };
        rising.add(received_at, lag_ms);
        if rising.spread_ms() > STEADY_MS {
            *rising = Span::of(received_at, lag_ms);
        } else if rising.count >= RISE_MESSAGES && received_at.since(rising.since) >= RISE_SPAN_MS {
            let lowest_ms = rising.lowest_ms;
            self.fall(lowest_ms);
        }
    }

    /// When a single record happened.
    pub(super) fn judge(
        &self,
        received_at: Timestamp,
        stamp: Option<Stamp>,
        window: Window,
    ) -> Judged {
        self.judge_shifted(received_at, stamp, self.learnt_ms(), window)
    }

    /// When a record happened whose clock is known to be off by so much.
    pub(super) fn judge_shifted(
        &self,
        received_at: Timestamp,
        stamp: Option<Stamp>,
        shift_ms: i64,
        window: Window,
    ) -> Judged {
        let moved = match stamp {
            None => {
                return Judged {
                    event_time: received_at,
                    clock_suspect: false,
                    lag_ms: None,
                };
            }
            Some(Stamp::At(ms)) => Some(ms.saturating_add(shift_ms)),
            Some(Stamp::Unreadable) => None,
        };
        match moved.filter(|ms| window.holds(received_at, *ms)) {
            Some(ms) => {
                // A small offset moves no time, but is still how late this device usually is.
                let usual_ms = if shift_ms == 0 && !is_wrong(self.offset_ms) {
                    self.offset_ms
                } else {
                    0
                };
                Judged {
                    event_time: Timestamp::from_ms(ms),
                    clock_suspect: shift_ms != 0,
                    lag_ms: Some(received_at.ms().saturating_sub(ms).saturating_sub(usual_ms)),
                }
            }
            None => Judged {
                event_time: received_at,
                clock_suspect: true,
                lag_ms: None,
            },
        }
    }

    /// By how much the times of a batch are to move, from its last jump on; 0: not at all.
    pub(super) fn batch_shift_ms(
        &self,
        received_at: Timestamp,
        sent: Option<i64>,
        window: Window,
    ) -> i64 {
        let Some(sent) = sent else {
            return self.learnt_ms();
        };
        let difference_ms = received_at.ms().saturating_sub(sent);
        if difference_ms < -JUMP_MS
            || !window.holds(received_at, sent)
            || (is_wrong(difference_ms) && self.live_show(received_at, difference_ms))
        {
            difference_ms
        } else if is_wrong(difference_ms) {
            // The delivery was delayed; what live messages taught about the clock holds all the same.
            self.learnt_ms()
        } else {
            0
        }
    }

    /// Whether all live messages of the same hour, or the offset learnt from them, show the same difference.
    fn live_show(&self, received_at: Timestamp, difference_ms: i64) -> bool {
        let hour = self.live.as_ref().is_some_and(|live| {
            received_at.since(live.last) <= LIVE_SPAN_MS
                && near(live.lowest_ms, difference_ms)
                && near(live.highest_ms, difference_ms)
        });
        hour || near(self.learnt_ms(), difference_ms)
    }

    /// The learnt offset when it is large enough to matter, else 0.
    const fn learnt_ms(&self) -> i64 {
        if is_wrong(self.offset_ms) {
            self.offset_ms
        } else {
            0
        }
    }
}

/// The index of the first record after the last jump of the clock: back, or further ahead than its neighbours' spacing and 10 min.
pub(super) fn after_last_jump(times: &[i64]) -> usize {
    let gaps: Vec<i64> = times
        .iter()
        .zip(times.iter().skip(1))
        .map(|(earlier, later)| later.saturating_sub(*earlier))
        .collect();
    let gap = |index: Option<usize>| index.and_then(|index| gaps.get(index)).copied();
    let jumps = |index: usize, this: i64| {
        let spacing = gap(index.checked_sub(1)).max(gap(Some(index + 1)));
        this < 0 || spacing.is_some_and(|spacing| this > spacing.max(0).saturating_add(JUMP_MS))
    };
    gaps.iter()
        .enumerate()
        .rev()
        .find(|(index, this)| jumps(*index, **this))
        .map_or(0, |(index, _)| index + 1)
}

const fn is_wrong(difference_ms: i64) -> bool {
    difference_ms.saturating_abs() > TOLERANCE_MS
}

const fn near(one_ms: i64, other_ms: i64) -> bool {
    one_ms.saturating_sub(other_ms).saturating_abs() <= TOLERANCE_MS
}
