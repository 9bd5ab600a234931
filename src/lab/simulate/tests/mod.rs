//! What the made-up fleet promises: it repeats itself, healthy seats keep quiet, and each failure is noticed as what it is.
//!
//! Here: fleets played through the real pipeline with the shipped profiles.

mod brushes;

mod failures;

mod links;

mod quiet;

mod same;

use std::fs;
use std::path::Path;

use serde::de::IgnoredAny;

use super::Cadence;
use super::Fleet;
use super::FleetPlan;
use super::place::PLACES;
use crate::desk::Change;
use crate::desk::change_text;
use crate::lab::replay::ProfilesFrom;
use crate::lab::replay::Replayer;
use crate::lab::replay::World;
use crate::pipeline::Counts;
use crate::pipeline::Effects;
use crate::pipeline::Rejected;
use crate::telemetry::DAY_MS;
use crate::telemetry::DeviceId;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Lang;
use crate::telemetry::ProfileText;
use crate::telemetry::Record;
use crate::telemetry::Settings;
use crate::telemetry::Timestamp;

/// When the fleets of these tests begin: 2026-03-01 00:00 UTC.
const FROM: Timestamp = Timestamp::from_ms(1_772_323_200_000);

fn plan(seed: u64, toilets: usize) -> FleetPlan {
    FleetPlan {
        seed,
        from: FROM,
        toilets,
        brushes: 0,
        cadence: Cadence::SlowLink,
        failures: Vec::new(),
    }
}

/// A ticket that was opened or worsened, or whose condition is over.
#[derive(Debug)]
struct Told {
    at: Timestamp,
    change: Change,
    device: DeviceId,
    fault: String,
    line: String,
}

/// What came of a fleet.
#[derive(Debug, Default)]
struct Played {
    told: Vec<Told>,
    rejected: Vec<Rejected>,
    counts: Counts,
    /// Messages that nobody can read.
    garbled: usize,
}

impl Played {
    /// The tickets, as a person reads them.
    fn lines(&self) -> Vec<&str> {
        self.told.iter().map(|told| told.line.as_str()).collect()
    }
}

/// A fleet that lives in front of a pipeline with the shipped profiles.
struct Playing {
    fleet: Fleet,
    player: Replayer,
    played: Played,
}

impl Playing {
    fn new(plan: FleetPlan) -> Self {
        Self {
            fleet: Fleet::new(plan),
            player: Replayer::new(Some(world()), ProfilesFrom::World),
            played: Played::default(),
        }
    }

    /// Lives up to this time.
    fn until(&mut self, until: Timestamp) {
        while self.fleet.peek_at().is_some_and(|at| at < until) {
            let published = self.fleet.next().expect("it was there");
            let readable = serde_json::from_slice::<IgnoredAny>(&published.payload).is_ok();
            if !readable || published.topic.ends_with("/status") {
                self.played.garbled += 1;
            }
            let (at, mut effects) = (published.at, Effects::default());
            let record = Record::Message(published.into_message("listener"));
            self.player.feed(at, record, &mut effects);
            self.played.take(effects);
        }
        let mut effects = Effects::default();
        self.player.finish(until, &mut effects);
        self.played.take(effects);
    }
}

/// Lives so many days of a fleet.
fn play(plan: FleetPlan, days: i64) -> Played {
    let until = plan.from + days * DAY_MS;
    let mut playing = Playing::new(plan);
    playing.until(until);
    playing.played
}

impl Played {
    fn take(&mut self, effects: Effects) {
        assert_eq!(effects.alerts, [""; 0]);
        for change in effects.changes {
            if matches!(
                change.change,
                Change::Opened | Change::Worsened | Change::Cleared | Change::Cancelled
            ) {
                self.told.push(Told {
                    at: change.at,
                    change: change.change,
                    device: change.ticket.device.clone(),
                    fault: change.ticket.fault.to_string(),
                    line: change_text(&change, Lang::En),
                });
            }
        }
        self.rejected.extend(effects.rejected);
        self.counts.append(effects.counts);
    }
}

pub(super) fn world() -> World {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("device-profiles");
    let zones = PLACES.iter().map(|place| {
        let hours = i32::try_from(place.zone_ms() / HOUR_MS).expect("a zone");
        (place.tz.into(), vec![(Timestamp::MIN, hours * 3_600)])
    });
    World {
        settings: Settings::default(),
        zones: zones.collect(),
        profiles: files(&folder),
        words: files(&folder.join("words")),
    }
}

fn files(folder: &Path) -> Vec<ProfileText> {
    let mut files: Vec<ProfileText> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .map(|path| ProfileText {
            name: path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            text: fs::read_to_string(&path).expect("readable"),
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}
