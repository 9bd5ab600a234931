//! The log on standard error: its form, its level, and a bound on how often one cause is told.
//!
//! A cause is a place in the program that logs. It may write [`LINES_PER_CAUSE`] lines in [`WINDOW`]; what is more is held back,
//! counted, and told in one line once the window is over. Leaves to each place what it says: never a secret, never what a device
//! sent. The level can be changed while the program runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Event;
use tracing::Level;
use tracing::Subscriber;
use tracing::callsite::Identifier;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::Context;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogConfig;
use crate::config::LogFormat;

/// Lines of one cause in one window; a person reads no more, and a disk fills no faster.
const LINES_PER_CAUSE: u32 = 100;
/// How long a cause is watched before it may speak again.
const WINDOW: Duration = Duration::from_mins(1);
/// Causes that are watched: more than there are places that log. Beyond it, lines pass.
const CAUSES_LIMIT: usize = 4_096;
/// How much of a held-back line is repeated, characters.
const SAMPLE_CHARS: usize = 120;
/// The variable that wins over the level of the settings.
const VARIABLE: &str = "RUST_LOG";
/// The lines that tell of others are not held back themselves.
const OWN_TARGET: &str = "foremend::log";

static LOG: OnceLock<Log> = OnceLock::new();

/// What can be changed and asked while the log is written.
struct Log {
    level: reload::Handle<EnvFilter, Registry>,
    /// The variable decides, whatever the settings say.
    by_variable: bool,
    causes: Mutex<HashMap<Identifier, Cause>>,
    written: [AtomicU64; 5],
    held_back: AtomicU64,
}

/// One place that logs.
struct Cause {
    since: Instant,
    lines: u32,
    held_back: u64,
    level: Level,
    sample: String,
}

/// What became of a change of the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LevelChange {
    /// It holds.
    Taken,
    /// `RUST_LOG` is set and wins.
    ByVariable,
    /// It cannot be taken, or there is no log.
    Refused,
}

/// Begins the log on standard error. `RUST_LOG` wins over the level. A second call changes nothing.
pub fn start(format: LogFormat, level: &str) {
    let by_variable = std::env::var(VARIABLE).is_ok_and(|text| !text.is_empty());
    let filter = EnvFilter::try_from_default_env()
        .ok()
        .filter(|_| by_variable)
        .or_else(|| LogConfig::filter(level).ok())
        .unwrap_or_else(|| EnvFilter::new("info"));
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer()
        // A log on a full disk: telling that a line could not be written would panic in whoever wrote it.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().boxed(),
        LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    let log = Log {
        level: handle,
        by_variable,
        causes: Mutex::default(),
        written: Default::default(),
        held_back: AtomicU64::new(0),
    };
    if LOG.set(log).is_err() {
        return;
    }
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(HoldBack);
    // Only a second start could fail here, and that is none.
    subscriber.try_init().ok();
}

/// Takes another level from now on.
pub(super) fn set_level(level: &str) -> LevelChange {
    let Some(log) = LOG.get() else {
        return LevelChange::Refused;
    };
    if log.by_variable {
        return LevelChange::ByVariable;
    }
    let taken = LogConfig::filter(level).is_ok_and(|filter| log.level.reload(filter).is_ok());
    if taken {
        LevelChange::Taken
    } else {
        LevelChange::Refused
    }
}

/// Lines written so far, by level, and lines held back.
pub(super) fn counts() -> ([(&'static str, u64); 5], u64) {
    let written = |index: usize| {
        LOG.get()
            .and_then(|log| log.written.get(index))
            .map_or(0, |count| count.load(Ordering::Relaxed))
    };
    let held_back = LOG
        .get()
        .map_or(0, |log| log.held_back.load(Ordering::Relaxed));
    (
        [
            ("error", written(0)),
            ("warn", written(1)),
            ("info", written(2)),
            ("debug", written(3)),
            ("trace", written(4)),
        ],
        held_back,
    )
}

/// Says how many lines were held back by causes whose window is over; at the `end` of the program by all. Called every second.
pub(super) fn tell_held_back(end: bool) {
    let Some(log) = LOG.get() else { return };
    let now = Instant::now();
    for (level, count, sample) in over(&mut lock(&log.causes), now, end) {
        // One macro each: the level of a line is fixed where it is written.
        if level == Level::ERROR {
            tracing::error!(target: OWN_TARGET, held_back = count, of = %sample, "lines of one cause were held back");
        } else {
            tracing::warn!(target: OWN_TARGET, held_back = count, of = %sample, "lines of one cause were held back");
        }
    }
}

/// Takes out the causes whose window is over, and tells of those that held something back.
fn over(
    causes: &mut HashMap<Identifier, Cause>,
    now: Instant,
    end: bool,
) -> Vec<(Level, u64, String)> {
    let mut told = Vec::new();
    causes.retain(|_, cause| {
        let is_over = end || now.duration_since(cause.since) >= WINDOW;
        if is_over && cause.held_back > 0 {
            told.push((
                cause.level,
                cause.held_back,
                std::mem::take(&mut cause.sample),
            ));
        }
        !is_over
    });
    told
}

/// Whether a line of this cause may be written now.
fn may_write(causes: &mut HashMap<Identifier, Cause>, event: &Event<'_>, now: Instant) -> bool {
    let metadata = event.metadata();
    let id = metadata.callsite();
    if causes.len() >= CAUSES_LIMIT && !causes.contains_key(&id) {
        return true;
    }
    let cause = causes.entry(id).or_insert_with(|| Cause {
        since: now,
        lines: 0,
        held_back: 0,
        level: *metadata.level(),
        sample: String::new(),
    });
    // A window that is over and held nothing back begins anew; else it is told first, within a second.
    if cause.held_back == 0 && now.duration_since(cause.since) >= WINDOW {
        cause.since = now;
        cause.lines = 0;
    }
    if cause.lines < LINES_PER_CAUSE {
        cause.lines += 1;
        return true;
    }
    if cause.held_back == 0 {
        event.record(&mut Sample(&mut cause.sample));
    }
    cause.held_back += 1;
    false
}

/// Lets a bounded number of lines of each cause through.
struct HoldBack;

impl<S: Subscriber> Layer<S> for HoldBack {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let Some(log) = LOG.get() else { return true };
        let metadata = event.metadata();
        let passes = metadata.target() == OWN_TARGET
            || may_write(&mut lock(&log.causes), event, Instant::now());
        let counter = if passes {
            let index = match *metadata.level() {
                Level::ERROR => 0,
                Level::WARN => 1,
                Level::INFO => 2,
                Level::DEBUG => 3,
                Level::TRACE => 4,
            };
            log.written.get(index)
        } else {
            Some(&log.held_back)
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        passes
    }
}

/// Keeps what a line says, shortened.
struct Sample<'a>(&'a mut String);

impl Visit for Sample<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            *self.0 = format!("{value:?}").chars().take(SAMPLE_CHARS).collect();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Runs the rule on real events, with a clock of the test.
    struct Watched {
        causes: Arc<Mutex<HashMap<Identifier, Cause>>>,
        now: Arc<Mutex<Instant>>,
        written: Arc<AtomicU64>,
    }

    impl<S: Subscriber> Layer<S> for Watched {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            if may_write(&mut lock(&self.causes), event, *lock(&self.now)) {
                self.written.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn a_cause_that_repeats_itself_is_held_back_and_told_once() {
        let causes = Arc::<Mutex<HashMap<Identifier, Cause>>>::default();
        let now = Arc::new(Mutex::new(Instant::now()));
        let written = Arc::<AtomicU64>::default();
        let layer = Watched {
            causes: Arc::clone(&causes),
            now: Arc::clone(&now),
            written: Arc::clone(&written),
        };
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let flood = || {
                for number in 0..LINES_PER_CAUSE + 50 {
                    tracing::warn!(number, "the same again");
                }
            };
            flood();
            assert_eq!(written.load(Ordering::Relaxed), u64::from(LINES_PER_CAUSE));
            // Another cause is not silenced by it.
            tracing::warn!("something else");
            assert_eq!(
                written.load(Ordering::Relaxed),
                u64::from(LINES_PER_CAUSE) + 1
            );
            let afterwards = *lock(&now) + WINDOW;
            assert!(over(&mut lock(&causes), *lock(&now), false).is_empty());
            *lock(&now) = afterwards;
            let told = over(&mut lock(&causes), afterwards, false);
            assert_eq!(told.len(), 1);
            let (level, count, sample) = &told[0];
            assert_eq!(
                (*level, *count, sample.as_str()),
                (Level::WARN, 50, "the same again")
            );
            flood();
            assert_eq!(
                written.load(Ordering::Relaxed),
                2 * u64::from(LINES_PER_CAUSE) + 1
            );
        });
    }
}
