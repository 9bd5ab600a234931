//! One life of the daemon after the other, each ended at a moment chosen by chance: while it works, while it starts, while it
//! stops; and in order now and then, which is where most saved states come from.

use std::time::Duration;

use crate::bell::Ear;
use crate::chance::Chance;
use crate::place::Place;
use crate::place::pass;
use crate::process::Daemon;
use crate::proof;

/// Names how often the daemon is killed over all runs.
const KILLS: &str = "FOREMEND_TEST_KILLS";
/// Kills of the normal run.
const NORMAL: u64 = 30;
/// How long a life lasts once it is ready, at most.
const LIFE: Duration = Duration::from_millis(2_400);
/// A start in a debug build takes less than this; a kill at a moment within it meets each part of a start.
const START: Duration = Duration::from_millis(600);
/// The same for a stop.
const STOP: Duration = Duration::from_millis(250);
/// Half of the kills come right after an acknowledgement, if there is one within this time.
const PROMISE: Duration = Duration::from_secs(1);
/// In long runs one life in so many is so long that the state is saved while messages come in (every 30 s).
const LONG_LIFE_IN: u64 = 40;
/// How long such a life lasts at least.
const LONG_LIFE: Duration = Duration::from_secs(31);

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// While it works.
    Killed,
    /// While it starts.
    KilledInTheStart,
    /// While it stops.
    KilledInTheStop,
    /// In order.
    Stopped,
}

/// How often the daemon is to be killed in a run that has this share of all kills, in percent.
pub(crate) fn kills(percent: u64) -> u64 {
    let all = std::env::var(KILLS).map_or(NORMAL, |text| text.parse().expect("a number of kills"));
    (all * percent / 100).max(1)
}

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) starts: u64,
    pub(crate) kills: u64,
    pub(crate) in_the_start: u64,
    pub(crate) in_the_stop: u64,
    pub(crate) stops: u64,
}

/// The lives of one place.
pub(crate) struct Lives<'a> {
    place: &'a Place,
    chance: Chance,
    ear: Ear,
    running: Option<Daemon>,
    is_long: bool,
    pub(crate) tally: Tally,
}

impl<'a> Lives<'a> {
    /// Begins with a daemon that is ready and connected: before that there is no session for which a broker keeps anything.
    pub(crate) fn begin(place: &'a Place, chance: Chance, kills: u64, ear: Ear) -> Self {
        let running = Some(place.start_connected());
        Self {
            place,
            chance,
            ear,
            running,
            is_long: kills > NORMAL,
            tally: Tally {
                starts: 1,
                ..Tally::default()
            },
        }
    }

    /// One more life and its end. `meanwhile` happens in its middle.
    pub(crate) fn live(&mut self, meanwhile: impl FnOnce()) {
        let end = match self.chance.below(20) {
            0..11 => End::Killed,
            11..14 => End::KilledInTheStart,
            14..17 => End::KilledInTheStop,
            _ => End::Stopped,
        };
        if end == End::KilledInTheStart {
            return self.die_in_the_start(meanwhile);
        }
        let mut daemon = self.running();
        pass(self.chance.moment(LIFE / 2));
        meanwhile();
        pass(self.chance.moment(LIFE / 2));
        if self.is_long && self.chance.below(LONG_LIFE_IN) == 0 {
            pass(LONG_LIFE);
        }
        match end {
            End::Killed | End::KilledInTheStart => {
                if self.chance.below(2) == 0 {
                    self.ear.next(PROMISE);
                }
                self.place.kill(daemon);
                self.tally.kills += 1;
            }
            End::KilledInTheStop => {
                let later = self.chance.moment(STOP);
                if self.place.kill_in_the_stop(&mut daemon, later) {
                    self.tally.kills += 1;
                    self.tally.in_the_stop += 1;
                }
            }
            End::Stopped => {
                self.place.stop(daemon);
                proof::check_saved(&self.place.data());
                self.tally.stops += 1;
            }
        }
    }

    /// The daemon that runs now, or a new one.
    pub(crate) fn running(&mut self) -> Daemon {
        self.running.take().unwrap_or_else(|| {
            self.tally.starts += 1;
            self.place.start()
        })
    }

    fn die_in_the_start(&mut self, meanwhile: impl FnOnce()) {
        if let Some(daemon) = self.running.take() {
            self.place.kill(daemon);
            self.tally.kills += 1;
        }
        let mut child = self.place.launch();
        pass(self.chance.moment(START));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        self.tally.starts += 1;
        self.tally.kills += 1;
        self.tally.in_the_start += 1;
        meanwhile();
    }
}
