//! Plays a table over MQTT, row by row, as a device of the native convention would: the engine of `foremend publish --csv`.
//!
//! It leaves arguments and printing to the command line. Every row is either published and acknowledged by the broker, or
//! named in the totals: a row is never lost without a word. The table is read through before the first message leaves, so
//! that a mistake in its last line is not found after an hour.

use std::io;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::settings::BrokerSettings;
use super::settings::SettingsError;
use crate::telemetry::Timestamp;

mod options;

mod sender;

mod table;

pub use options::Cell;
pub use options::Kind;
pub use options::OptionError;
pub use options::Speed;
pub use options::Stamps;
pub use options::TableOptions;
pub use options::parse_pair;
pub use table::TableError;

/// How often progress is told, at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// What to play, and where to.
#[derive(Clone, Debug)]
pub struct PublishOptions {
    /// The broker; its name, filters and session expiry are of no use here.
    pub broker: BrokerSettings,
    /// The table: CSV with a line of column names.
    pub csv: PathBuf,
    /// What its columns mean.
    pub table: TableOptions,
    /// Where the stamps go.
    pub stamps: Stamps,
    /// How fast.
    pub speed: Speed,
}

impl PublishOptions {
    /// A sentence to tell the person before it begins, when the speed changes what will be seen.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        match (self.speed, self.stamps) {
            (Speed::Times(factor), _) if (factor - 1.0).abs() < f64::EPSILON => None,
            (_, Stamps::Now) => Some(
                "the stamps are moved closer together or further apart; holds, windows and silence of the profiles do not scale with --speed",
            ),
            (_, Stamps::Keep) => Some(
                "the stamps stay as they are, so holds and windows see the table's own time; silence and lateness follow the time of arrival and do not scale with --speed",
            ),
        }
    }
}

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows of the table.
    pub rows: u64,
    /// Rows without a single value: nothing to say, nothing sent.
    pub empty: u64,
    /// Rows that the broker acknowledged.
    pub published: u64,
    /// Rows that the broker refused.
    pub refused: u64,
    /// Messages sent once more after a lost connection; the receiver may see them twice.
    pub resent: u64,
    /// Payload bytes of the acknowledged rows.
    pub bytes: u64,
}

impl Totals {
    /// Rows that were neither acknowledged nor refused nor empty: what an interruption left.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.rows - self.empty - self.published - self.refused
    }
}

/// Why a table was not played to its end. What was done until then stands in `totals` where there was anything.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// How to reach the broker cannot work.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The table or its options.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The broker could not be reached at all.
    #[error("no connection to {address}: {reason}")]
    NoConnection {
        /// Its address.
        address: String,
        /// Why, in words.
        reason: String,
    },
    /// The broker was lost on the way and did not come back.
    #[error("lost {address} after {} of {} rows: {reason}", totals.published, totals.rows)]
    Lost {
        /// Its address.
        address: String,
        /// Why, in words.
        reason: String,
        /// What was done until then.
        totals: Totals,
    },
}

/// Plays the table. `progress` is told the totals at most four times a second and once at the end. Ends early, with exact
/// totals, when `shutdown` becomes true: what was sent is still waited for, up to the broker's `limits.stop`.
///
/// # Errors
/// When the table cannot be understood (before anything is sent), or the broker is out of reach.
pub async fn publish(
    options: &PublishOptions,
    shutdown: watch::Receiver<bool>,
    progress: &mut (dyn FnMut(&Totals) + Send),
) -> Result<Totals, PublishError> {
    options.broker.check_connection()?;
    let table = table::Table::open(&options.csv, &options.table)?;
    let summary = table.check()?;
    let mut sender = sender::Sender::new(&options.broker, shutdown);
    sender.totals.rows = summary.rows;
    sender.totals.empty = summary.empty;
    let Some(first) = summary.first else {
        progress(&sender.totals);
        return Ok(sender.totals);
    };
    sender.connect().await?;
    let clock = Clock {
        first,
        base: match options.stamps {
            Stamps::Keep => None,
            Stamps::Now => Some(now()),
        },
        speed: options.speed,
        started: Instant::now(),
    };
    let mut told = Instant::now();
    for row in table.rows()? {
        let row = row?;
        if let Some(due) = clock.due(row.at) {
            sender.idle_until(due).await?;
        }
        let boot = clock.stamp(first).ms() / 1_000;
        let stamp = clock.stamp(row.at);
        let message = row.message(stamp, boot);
        sender.send(message).await?;
        if sender.is_stopping() {
            break;
        }
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            progress(&sender.totals);
        }
    }
    let totals = sender.finish().await?;
    progress(&totals);
    Ok(totals)
}

/// Tells progress on one line of standard error, when that is a terminal; else nothing.
#[must_use]
pub fn terminal_progress() -> Box<dyn FnMut(&Totals) + Send> {
    let mut terminal = io::stderr();
    let is_terminal = terminal.is_terminal();
    Box::new(move |totals| {
        if is_terminal {
            let done = totals.published + totals.refused + totals.empty;
            // A terminal that is gone is no reason to stop.
            write!(terminal, "\r{done} of {} rows", totals.rows).ok();
            if done == totals.rows {
                writeln!(terminal).ok();
            }
        }
    })
}

/// When a row is due, and which stamp it carries.
struct Clock {
    first: Timestamp,
    /// Where the first stamp goes; `None`: stamps stay.
    base: Option<Timestamp>,
    speed: Speed,
    started: Instant,
}

impl Clock {
    fn due(&self, at: Timestamp) -> Option<Instant> {
        let Speed::Times(factor) = self.speed else {
            return None;
        };
        let ms = u64::try_from(at.since(self.first)).unwrap_or(0);
        let wait = Duration::from_millis(ms).div_f64(factor);
        Some(self.started + wait)
    }

    fn stamp(&self, at: Timestamp) -> Timestamp {
        let Some(base) = self.base else {
            return at;
        };
        let distance = at.since(self.first);
        match self.speed {
            // At full speed the distances stay, or every row would carry the same stamp.
            Speed::Max => base + distance,
            Speed::Times(factor) => {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    reason = "a distance in ms keeps its milliseconds far beyond any table"
                )]
                let scaled = (distance as f64 / factor).round() as i64;
                base + scaled
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a device reads its clock too; the stamps of a played table stand for it"
)]
fn now() -> Timestamp {
    Timestamp::from_ms(chrono::Utc::now().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(base: Option<i64>, speed: Speed) -> Clock {
        Clock {
            first: Timestamp::from_ms(10_000),
            base: base.map(Timestamp::from_ms),
            speed,
            started: Instant::now(),
        }
    }

    #[test]
    fn the_speed_divides_the_distances_of_due_times_and_of_moved_stamps() {
        let clock = clock(Some(1_000_000), Speed::Times(4.0));
        let at = Timestamp::from_ms(18_000);
        assert_eq!(clock.stamp(at).ms(), 1_002_000);
        assert_eq!(clock.due(at), Some(clock.started + Duration::from_secs(2)));
    }

    #[test]
    fn kept_stamps_stay_whatever_the_speed() {
        for speed in [Speed::Max, Speed::Times(100.0)] {
            assert_eq!(
                clock(None, speed).stamp(Timestamp::from_ms(18_000)).ms(),
                18_000
            );
        }
    }

    #[test]
    fn full_speed_waits_for_nothing_and_keeps_the_distances() {
        let clock = clock(Some(0), Speed::Max);
        let at = Timestamp::from_ms(18_000);
        assert_eq!((clock.due(at), clock.stamp(at).ms()), (None, 8_000));
    }

    #[test]
    fn a_row_before_the_first_one_is_due_at_once() {
        let clock = clock(None, Speed::Times(1.0));
        assert_eq!(clock.due(Timestamp::from_ms(1)), Some(clock.started));
    }
}
