//! What has been received before.
//!
//! A record with a counter is known by (boot, seq), kept as ranges; a message without one by a hash among its source's last ones,
//! asked only when MQTT says that it may be a repetition.
//!
//! **Invariant:** memory per device and per source has a bound; what falls out of it is taken as new rather than lost.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::telemetry::{HOUR_MS, RawMessage, Timestamp};

/// Ranges of counters kept for each boot (DESIGN, section 6). When full the lowest is dropped, and what lies below is taken as
/// late news.
pub(super) const RANGE_LIMIT: usize = 8;
/// Boots kept for each device (DESIGN, section 6). When full the one with the oldest records makes room for a newer one.
pub(super) const BOOT_LIMIT: usize = 2;
/// Hashes kept for each source (DESIGN, section 6). When full the oldest is dropped.
pub(super) const RECENT_LIMIT: usize = 4_096;
/// How long a hash counts (DESIGN, section 6).
const RECENT_SPAN_MS: i64 = HOUR_MS;
/// Sources with hashes: many times the connections of one installation. When full the one added first is dropped.
const SOURCE_LIMIT: usize = 64;
/// A counter that falls by more than this with a later time has restarted (DESIGN, section 6).
const FALL_LIMIT: u64 = 1_000;

/// What a record turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not received before.
    New,
    /// Received before.
    Again,
    /// Not received before, though its counter was: the counter restarted.
    Restarted,
}

/// A record as far as its repetition goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// The restart counter it belongs to, as far as known.
    pub(super) boot: Option<u64>,
    /// Its counter.
    pub(super) seq: u64,
    /// The device's own time in ms, when it can order records.
    pub(super) own_ms: Option<i64>,
    /// The same, else the time of receipt, when that says anything.
    pub(super) time_ms: Option<i64>,
}

/// The received counters of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counters {
    boots: Vec<Boot>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Boot {
    /// The restart counter; `None` for an implied one.
    number: Option<u64>,
    /// The newest time of its records, ms.
    newest_ms: Option<i64>,
    /// First and last of each range, rising, with gaps between them.
    ranges: Vec<(u64, u64)>,
}

impl Counters {
    /// Judges a record and remembers it.
    pub(super) fn see(&mut self, mark: Mark) -> Seen {
        let Mark {
            own_ms, time_ms, ..
        } = mark;
        let mine = self.boots.iter().rposition(|boot| boot.number == mark.boot);
        let Some(mine) = mine.and_then(|index| self.boots.get_mut(index)) else {
            self.start(mark, time_ms);
            return Seen::New;
        };
        let newer = |ms: Option<i64>| {
            ms.zip(mine.newest_ms)
                .is_some_and(|(ms, newest_ms)| ms > newest_ms)
        };
        let held = mine.holds(mark.seq);
        let fell = mine
            .highest()
            .is_some_and(|highest| mark.seq.saturating_add(FALL_LIMIT) < highest);
        if mark.boot.is_none() && fell && newer(time_ms) {
            self.start(mark, time_ms);
            return if held { Seen::Restarted } else { Seen::New };
        }
        if held && newer(own_ms) {
            mine.ranges.clear();
            mine.add(mark.seq, time_ms);
            return Seen::Restarted;
        }
        if held {
            return Seen::Again;
        }
        if mark.boot.is_none() && self.earlier_holds(mark.seq, own_ms) {
            return Seen::Again;
        }
        if let Some(mine) = self
            .boots
            .iter_mut()
            .rev()
            .find(|boot| boot.number == mark.boot)
        {
            mine.add(mark.seq, time_ms);
        }
        Seen::New
    }

    /// Whether an implied boot before the current one has it; only a time of its own can tell.
    fn earlier_holds(&self, seq: u64, own_ms: Option<i64>) -> bool {
        let mut implied = self.boots.iter().rev().filter(|boot| boot.number.is_none());
        implied.next();
        own_ms.is_some() && implied.any(|boot| boot.holds(seq) && own_ms <= boot.newest_ms)
    }

    fn start(&mut self, mark: Mark, time_ms: Option<i64>) {
        if self.boots.len() >= BOOT_LIMIT {
            let oldest = self
                .boots
                .iter()
                .enumerate()
                .min_by_key(|(_, boot)| boot.newest_ms)
                .map(|(index, boot)| (index, boot.newest_ms));
            match oldest {
                Some((index, newest_ms)) if time_ms > newest_ms => {
                    self.boots.remove(index);
                }
                // Back-fill from before both: news, but not worth forgetting a newer boot for.
                Some(_) | None => return,
            }
        }
        let mut boot = Boot {
            number: mark.boot,
            newest_ms: None,
            ranges: Vec::with_capacity(1),
        };
        boot.add(mark.seq, time_ms);
        self.boots.push(boot);
    }
}

impl Boot {
    fn holds(&self, seq: u64) -> bool {
        self.ranges
            .iter()
            .rev()
            .any(|(first, last)| (*first..=*last).contains(&seq))
    }

    fn highest(&self) -> Option<u64> {
        self.ranges.last().map(|(_, last)| *last)
    }

    fn add(&mut self, seq: u64, time_ms: Option<i64>) {
        self.newest_ms = self.newest_ms.max(time_ms);
        let at = self.ranges.partition_point(|(first, _)| *first <= seq);
        let joins_next = self
            .ranges
            .get(at)
            .is_some_and(|(first, _)| seq + 1 == *first);
        let before = at
            .checked_sub(1)
            .and_then(|before| self.ranges.get_mut(before));
        match before {
            Some((_, last)) if last.saturating_add(1) >= seq => *last = seq.max(*last),
            Some(_) | None if joins_next => {
                if let Some((first, _)) = self.ranges.get_mut(at) {
                    *first = seq;
                }
                return;
            }
            Some(_) | None => {
                self.ranges.insert(at, (seq, seq));
                if self.ranges.len() > RANGE_LIMIT {
                    self.ranges.remove(0);
                }
                return;
            }
        }
        if joins_next {
            let (_, last) = self.ranges.remove(at);
            if let Some(joined) = at
                .checked_sub(1)
                .and_then(|before| self.ranges.get_mut(before))
            {
                joined.1 = last;
            }
        }
    }
}

/// The last messages of each source, as hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recent {
    sources: Vec<(SmolStr, VecDeque<(u64, Timestamp)>)>,
}

impl Recent {
    /// Whether a message without a counter is a repetition; remembers it if not.
    pub(super) fn see(&mut self, received_at: Timestamp, message: &RawMessage) -> Seen {
        let hash = hash(&[message.topic.as_bytes(), &message.payload]);
        let ring = self.ring(&message.source);
        let known = message.dup
            && ring
                .iter()
                .any(|(one, at)| *one == hash && received_at.since(*at) <= RECENT_SPAN_MS);
        if known {
            return Seen::Again;
        }
        if ring.len() >= RECENT_LIMIT {
            ring.pop_front();
        }
        ring.push_back((hash, received_at));
        Seen::New
    }

    fn ring(&mut self, source: &SmolStr) -> &mut VecDeque<(u64, Timestamp)> {
        let known = self.sources.iter().position(|(name, _)| name == source);
        let index = known.unwrap_or_else(|| {
            if self.sources.len() >= SOURCE_LIMIT {
                self.sources.remove(0);
            }
            self.sources.push((source.clone(), VecDeque::new()));
            self.sources.len() - 1
        });
        &mut self.sources[index].1
    }
}

/// A fixed hash, eight bytes at a time: state is saved and replayed elsewhere, so neither seed nor word size may matter.
/// It need not withstand an adversary: he could only make his own repetition look new, or hide a message that he flags as one.
fn hash(parts: &[&[u8]]) -> u64 {
    /// The multiplier of `SplitMix64`.
    const MULTIPLIER: u64 = 0xBF58_476D_1CE4_E5B9;
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut mix = |word: u64| {
        state = (state ^ word).wrapping_mul(MULTIPLIER);
        state ^= state >> 29;
    };
    for part in parts {
        mix(part.len() as u64);
        for chunk in part.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            mix(u64::from_le_bytes(word));
        }
    }
    state
}
