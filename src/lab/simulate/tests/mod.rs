//! What the made-up fleet promises: it repeats itself, healthy seats keep quiet, and each failure is noticed as what it is.
//!
//! Here: fleets played through the real pipeline with the shipped profiles.

mod brushes;

mod failures;

mod quiet;

mod same;

use std::fs;
use std::path::Path;

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

/// A ticket that was opened or worsened.
#[derive(Debug)]
struct Told {
    at: Timestamp,
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
}

impl Played {
    /// The tickets, as a person reads them.
    fn lines(&self) -> Vec<&str> {
        self.told.iter().map(|told| told.line.as_str()).collect()
    }
}

/// Lives so many days of a fleet through the pipeline, with the shipped profiles.
fn play(plan: FleetPlan, days: i64) -> Played {
    let until = plan.from + days * DAY_MS;
    let mut fleet = Fleet::new(plan);
    let mut player = Replayer::new(Some(world()), ProfilesFrom::World);
    let mut played = Played::default();
    while fleet.peek_at().is_some_and(|at| at < until) {
        let Some(published) = fleet.next() else { break };
        let mut effects = Effects::default();
        let record = Record::Message(published.clone().into_message("listener"));
        player.feed(published.at, record, &mut effects);
        played.take(effects);
    }
    let mut effects = Effects::default();
    player.finish(until, &mut effects);
    played.take(effects);
    played
}

impl Played {
    fn take(&mut self, effects: Effects) {
        assert_eq!(effects.alerts, [""; 0]);
        for change in effects.changes {
            if matches!(change.change, Change::Opened | Change::Worsened) {
                self.told.push(Told {
                    at: change.at,
                    device: change.ticket.device.clone(),
                    fault: change.ticket.fault.to_string(),
                    line: format!("{} {}", change.at, change_text(&change, Lang::En)),
                });
            }
        }
        self.rejected.extend(effects.rejected);
        self.counts.append(effects.counts);
    }
}

fn world() -> World {
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
