//! Runs the `[[case]]`s of profiles through the very detection that judges devices.
//!
//! Leaves parsing to `profile` and printing to the command line. Invariant: a case sees nothing but its own lines; its device is
//! always live and its clock starts at the same instant.

mod given;

mod judge;

use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use self::given::{Doing, steps};
use self::judge::{asked_until, fault_of, judge, story};
use crate::detect::{DetectOut, Detector, FaultEvent};
use crate::profile::{Case, EventIdx, Profiles, Program, SignalIdx};
use crate::telemetry::{DeviceId, Reading, Scalar, Telemetry, TelemetryRecord, Timestamp};

/// When every case begins: 2026-01-01 00:00 UTC, also the start of a local day.
const START_MS: i64 = 1_767_225_600_000;
/// Most events named in the story of a failure.
const STORY_LIMIT: usize = 12;

/// Reads a file beside a profile: the profile's file name and the file's own.
pub type ReadFile<'a> = &'a dyn Fn(&str, &str) -> Result<String, String>;

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// Which model.
    pub model: SmolStr,
    /// What it shows.
    pub name: String,
    /// File where it stands.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What was expected and did not come, each with what came instead; empty when it passed.
    pub failures: Vec<String>,
    /// What happened to the faults that the case speaks of, in order, with values.
    pub story: Vec<String>,
}

impl CaseResult {
    /// Everything was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for CaseResult {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed() { "ok  " } else { "FAIL" };
        write!(
            out,
            "{verdict} {}: {} ({}:{})",
            self.model, self.name, self.file, self.line
        )?;
        if self.passed() {
            return Ok(());
        }
        for failure in &self.failures {
            write!(out, "\n     {failure}")?;
        }
        for line in self.story.iter().take(STORY_LIMIT) {
            write!(out, "\n     happened: {line}")?;
        }
        if self.story.len() > STORY_LIMIT {
            write!(out, "\n     … and {} more", self.story.len() - STORY_LIMIT)?;
        }
        Ok(())
    }
}

/// Runs all cases of these profiles.
pub fn run_cases(profiles: &Arc<Profiles>, read: ReadFile<'_>) -> Vec<CaseResult> {
    profiles
        .cases()
        .iter()
        .map(|case| run_case(profiles, case, read))
        .collect()
}

/// Runs one case.
pub fn run_case(profiles: &Arc<Profiles>, case: &Case, read: ReadFile<'_>) -> CaseResult {
    let mut result = CaseResult {
        model: case.model.clone(),
        name: case.name.clone(),
        file: case.file.clone(),
        line: case.line,
        failures: Vec::new(),
        story: Vec::new(),
    };
    let (Some(program), Ok(device)) = (
        profiles.get(&case.model),
        DeviceId::new(&case.model, "CASE"),
    ) else {
        result
            .failures
            .push(format!("there is no profile of model {}", case.model));
        return result;
    };
    let steps = match steps(program, case, read) {
        Ok(steps) => steps,
        Err(failure) => {
            result.failures.push(failure);
            return result;
        }
    };
    let run = play(profiles, program, &device, &steps, case);
    for expect in &case.expect {
        if let Err(failure) = judge(program, expect, &run) {
            result.failures.push(failure);
        }
    }
    let named: Vec<&str> = case
        .expect
        .iter()
        .filter_map(|expect| program.faults.get(fault_of(expect)))
        .map(|fault| fault.name.as_str())
        .collect();
    result.story = run
        .events
        .iter()
        .filter(|event| named.contains(&event.fault.as_str()))
        .map(story)
        .collect();
    result
}

/// What a case led to.
struct Run {
    events: Vec<FaultEvent>,
    /// Faults that could not be judged at the end, and are not raised.
    unknown: Vec<(SmolStr, String)>,
}

fn play(
    profiles: &Arc<Profiles>,
    program: &Program,
    device: &DeviceId,
    steps: &[(i64, Doing)],
    case: &Case,
) -> Run {
    let mut out = DetectOut::default();
    let mut detector = Detector::telling_shadow();
    let start = Timestamp::from_ms(START_MS);
    detector.activate(start, profiles, &mut out);
    for (at, doing) in steps {
        let now = start + *at;
        match doing {
            Doing::Record { readings, event } => {
                let telemetry = message(program, device, now, readings, *event);
                detector.apply(now, "case", &telemetry, &mut out);
            }
            Doing::Session { session, derives } => {
                detector.session_ended(now, device, *session, derives, &mut out);
            }
        }
    }
    let last = steps.last().map_or(0, |(at, _)| *at);
    let asked = case.expect.iter().map(asked_until).max().unwrap_or(0);
    detector.fire(start + last.max(asked), &mut out);
    let unknown = detector
        .view(device)
        .map(|view| {
            view.faults
                .into_iter()
                .filter(|fault| fault.stage.is_none())
                .filter_map(|fault| Some((fault.fault, fault.blind?.to_string())))
                .collect()
        })
        .unwrap_or_default();
    Run {
        events: out.events,
        unknown,
    }
}

fn message(
    program: &Program,
    device: &DeviceId,
    now: Timestamp,
    readings: &[(SignalIdx, Scalar)],
    event: Option<EventIdx>,
) -> Telemetry {
    let readings = readings
        .iter()
        .filter_map(|(signal, value)| {
            Some(Reading {
                path: program.signals.get(*signal)?.path.clone(),
                value: value.clone(),
            })
        })
        .collect();
    let event = event
        .and_then(|event| program.events.get(event))
        .map(|event| event.path.clone());
    Telemetry {
        device: device.clone(),
        retained: false,
        batch: false,
        lag_ms: Some(0),
        records: vec![TelemetryRecord {
            event_time: now,
            clock_suspect: false,
            time_unknown: false,
            seq: None,
            event,
            readings,
        }],
        availability: None,
        identity: None,
        bad_records: Vec::new(),
        duplicate_records: 0,
        seq_restarted: false,
        new_device: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::ProfileText;

    fn shipped() -> Arc<Profiles> {
        let file = |name: &str, text: &str| ProfileText {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let profiles = [
            file(
                "tb-iq9.toml",
                include_str!("../../../device-profiles/tb-iq9.toml"),
            ),
            file(
                "ts-flash5.toml",
                include_str!("../../../device-profiles/ts-flash5.toml"),
            ),
        ];
        let words = [
            file(
                "actions.toml",
                include_str!("../../../device-profiles/words/actions.toml"),
            ),
            file(
                "causes.toml",
                include_str!("../../../device-profiles/words/causes.toml"),
            ),
            file(
                "guides.toml",
                include_str!("../../../device-profiles/words/guides.toml"),
            ),
            file(
                "messages.toml",
                include_str!("../../../device-profiles/words/messages.toml"),
            ),
        ];
        Arc::new(Profiles::compile(&profiles, &words).expect("the shipped profiles compile"))
    }

    #[test]
    fn every_case_of_the_shipped_profiles_passes() {
        let results = run_cases(&shipped(), &|_, file| Err(format!("no {file}")));
        assert!(!results.is_empty());
        let failed: Vec<String> = results
            .iter()
            .filter(|result| !result.passed())
            .map(ToString::to_string)
            .collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }
}
