//! Healthy brushes keep quiet, and each failure is noticed as what it is: fleets played through the real pipeline.

use std::fs;
use std::path::Path;

use crate::desk::Change;
use crate::desk::change_text;
use crate::lab::replay::ProfilesFrom;
use crate::lab::replay::Replayer;
use crate::lab::replay::World;
use crate::lab::simulate::*;
use crate::lab::simulate::place::PLACES;
use crate::pipeline::Counts;
use crate::pipeline::Effects;
use crate::telemetry::*;

/// When the fleets of these tests begin: 2026-03-01 00:00 UTC.
const FROM: Timestamp = Timestamp::from_ms(1_772_323_200_000);

fn plan(seed: u64, brushes: usize) -> FleetPlan {
    FleetPlan {
        seed,
        from: FROM,
        toilets: 0,
        brushes,
        cadence: Cadence::SlowLink,
        failures: Vec::new(),
    }
}

/// Lives so many days of a fleet through the pipeline, with the shipped profiles.
fn play(plan: FleetPlan, days: i64) -> (Vec<String>, Counts, Vec<String>) {
    let until = plan.from + days * DAY_MS;
    let mut fleet = Fleet::new(plan);
    let mut player = Replayer::new(Some(world()), ProfilesFrom::World);
    let (mut lines, mut counts, mut rejected) = (Vec::new(), Counts::default(), Vec::new());
    let mut take = |effects: Effects| {
        for change in effects.changes {
            if matches!(change.change, Change::Opened | Change::Worsened | Change::Cleared | Change::Cancelled) {
                lines.push(format!("{} {}", change.ticket.fault, change_text(&change, Lang::En)));
            }
        }
        rejected.extend(effects.rejected.iter().map(|r| format!("{r:?}")));
        counts.append(effects.counts);
    };
    while fleet.peek_at().is_some_and(|at| at < until) {
        let Some(published) = fleet.next() else { break };
        let mut effects = Effects::default();
        let record = Record::Message(published.clone().into_message("listener"));
        player.feed(published.at, record, &mut effects);
        take(effects);
    }
    let mut effects = Effects::default();
    player.finish(until, &mut effects);
    take(effects);
    let device: DeviceId = "tb-iq9/TBQ9-DEMO-001".parse().expect("an id");
    if let Some(view) = player.pipeline().device(&device) {
        for fault in view.faults {
            println!("{} {:?} {:?}", fault.fault, fault.state, fault.blind);
        }
    }
    (lines, counts, rejected)
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
            name: path.file_name().expect("a name").to_string_lossy().into_owned(),
            text: fs::read_to_string(&path).expect("readable"),
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

#[test]
#[ignore = "exploration"]
fn explore() {
    let get = |name: &str, or: u64| {
        std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(or)
    };
    let started = std::time::Instant::now();
    let mut plan = plan(get("SEED", 1), get("BRUSHES", 10) as usize);
    let fail = std::env::var("FAIL").is_ok();
    let ripens = get("RIPENS", 14) as i64 * DAY_MS;
    let begins = FROM + get("BEGINS", 15) as i64 * DAY_MS;
    if fail {
        for (index, kind) in FailureKind::BRUSH.into_iter().enumerate() {
            plan.failures.push(PlannedFailure { device: index, failure: Failure { kind, ripens_ms: ripens }, begins });
            println!("{index} {kind:?}");
        }
    }
    if get("FULL", 0) == 1 { plan.cadence = Cadence::Full; }
    let (lines, counts, rejected) = play(plan, get("DAYS", 30) as i64);
    println!(
        "{} messages {} rejected {:?} dup {} in {:?}",
        counts.received, counts.rejected, counts.records_rejected, counts.duplicate, started.elapsed()
    );
    for line in lines { println!("{line}"); }
    for line in rejected.iter().take(10) { println!("{line}"); }
}
