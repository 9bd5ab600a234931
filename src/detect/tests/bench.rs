//! A detector with one profile and a device to speak for.

use std::sync::Arc;

use crate::detect::{DetectCommand, DetectOut, Detector, FaultEvent};
use crate::profile::Profiles;
use crate::telemetry::{
    DeviceId, ProfileText, Reading, Scalar, Telemetry, TelemetryRecord, Timestamp,
};

/// The day on which everything begins: 2026-03-01 00:00 UTC.
pub(super) const START: i64 = 1_772_323_200_000;
/// How long a live message takes to arrive, ms.
const WAY: i64 = 200;

/// What every profile of these tests begins with.
const HEAD: &str = r#"
[profile]
model = "x-1"
kind = "toilet"
name = { en = "X", zh = "X" }
version = "1"
maintainers = ["tests"]
"#;

/// One fault with what it needs; `rest` may hold any further sections.
pub(super) fn profile(signals: &str, fault: &str) -> String {
    let label = "label = { en = \"L\", zh = \"标\" }";
    let signals: String = signals
        .lines()
        .map(|line| match line.rfind('}') {
            Some(end) if line.contains("from = ") && !line.contains("label") => {
                format!("{}, {label} }}\n", line[..end].trim_end())
            }
            _ => format!("{line}\n"),
        })
        .collect();
    format!("{HEAD}\n{signals}\n{}", section("f", fault))
}

/// A `[fault.NAME]` with the keys that these tests do not care about.
pub(super) fn section(name: &str, keys: &str) -> String {
    let severity = if keys.contains("severity") {
        ""
    } else if keys.contains("warn ") && keys.contains("fault ") {
        "severity = { warn = \"S3\", fault = \"S2\" }\n"
    } else {
        "severity = \"S2\"\n"
    };
    let ticket = if keys.contains("ticket") {
        ""
    } else {
        "ticket = { cause = \"c\", action = \"visit\", parts = [] }\n"
    };
    format!(
        "[fault.{name}]\ncode = \"{}\"\ntitle = {{ en = \"T\", zh = \"题\" }}\n{severity}{ticket}{keys}\n",
        name.to_uppercase()
    )
}

pub(super) fn compile(text: &str) -> Arc<Profiles> {
    let file = ProfileText {
        name: "x-1.toml".to_owned(),
        text: text.to_owned(),
    };
    match Profiles::compile(&[file], &[]) {
        Ok(profiles) => Arc::new(profiles),
        Err(list) => panic!(
            "{}\n{text}",
            list.iter()
                .filter(|one| one.level == crate::profile::Level::Error)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        ),
    }
}

/// A time in the middle of everything: `s` seconds after the start.
pub(super) fn t(s: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "small test numbers")]
    let ms = (s * 1000.0) as i64;
    Timestamp::from_ms(START + ms)
}

pub(super) struct Bench {
    pub(super) detector: Detector,
    pub(super) device: DeviceId,
    pub(super) out: DetectOut,
    pub(super) now: Timestamp,
}

impl Bench {
    pub(super) fn new(text: &str) -> Self {
        let profiles = compile(text);
        let mut bench = Self {
            detector: Detector::new(),
            device: "x-1/A".parse().expect("an id"),
            out: DetectOut::default(),
            now: t(-10.0),
        };
        bench
            .detector
            .activate(bench.now, &profiles, &mut bench.out);
        bench
    }

    /// A live message: it arrives a moment after it was made.
    pub(super) fn tele(&mut self, s: f64, values: &[(&str, f64)]) {
        let record = record(s, values);
        let telemetry = self.telemetry(vec![record], Some(0));
        self.send(t(s) + WAY, &telemetry);
    }

    /// A live occurrence.
    pub(super) fn event(&mut self, s: f64, name: &str, values: &[(&str, f64)]) {
        let mut record = record(s, values);
        record.event = Some(name.into());
        let telemetry = self.telemetry(vec![record], Some(0));
        self.send(t(s) + WAY, &telemetry);
    }

    /// A message made at `s` that arrives at `received`.
    pub(super) fn tele_late(&mut self, received: f64, s: f64, values: &[(&str, f64)]) {
        let lag = t(received).since(t(s));
        let telemetry = self.telemetry(vec![record(s, values)], Some(lag));
        self.send(t(received), &telemetry);
    }

    /// A batch that arrives at `received`.
    pub(super) fn batch(&mut self, received: f64, records: Vec<TelemetryRecord>) {
        let newest = records.iter().map(|r| r.event_time).max().expect("records");
        let mut telemetry = self.telemetry(records, Some(t(received).since(newest)));
        telemetry.batch = true;
        self.send(t(received), &telemetry);
    }

    pub(super) fn telemetry(&self, records: Vec<TelemetryRecord>, lag: Option<i64>) -> Telemetry {
        Telemetry {
            device: self.device.clone(),
            retained: false,
            batch: false,
            lag_ms: lag,
            records,
            availability: None,
            identity: None,
            bad_records: Vec::new(),
            duplicate_records: 0,
            seq_restarted: false,
            new_device: false,
        }
    }

    pub(super) fn send(&mut self, received: Timestamp, telemetry: &Telemetry) {
        self.until(received);
        self.detector
            .apply(received, "listener", telemetry, &mut self.out);
    }

    pub(super) fn command(&mut self, s: f64, command: &DetectCommand) {
        self.until(t(s));
        let device = self.device.clone();
        self.detector.command(t(s), &device, command, &mut self.out);
    }

    /// Time goes by up to `s`.
    pub(super) fn wait(&mut self, s: f64) {
        self.until(t(s));
    }

    fn until(&mut self, now: Timestamp) {
        assert!(now >= self.now, "time goes forward");
        while let Some(due) = self.detector.next_due().filter(|due| *due <= now) {
            self.detector.fire(due, &mut self.out);
        }
        self.now = now;
    }

    /// What happened since the last call, as `kind fault.stage @seconds`.
    pub(super) fn told(&mut self) -> Vec<String> {
        self.events().iter().map(line).collect()
    }

    pub(super) fn events(&mut self) -> Vec<FaultEvent> {
        std::mem::take(&mut self.out).events
    }
}

pub(super) fn record(s: f64, values: &[(&str, f64)]) -> TelemetryRecord {
    TelemetryRecord {
        event_time: t(s),
        clock_suspect: false,
        time_unknown: false,
        seq: None,
        event: None,
        readings: values
            .iter()
            .map(|(path, value)| Reading {
                path: (*path).into(),
                value: Scalar::Number(*value),
            })
            .collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "small test numbers")]
pub(super) fn line(event: &FaultEvent) -> String {
    format!(
        "{:?} {}.{} @{}",
        event.kind,
        event.fault,
        format!("{:?}", event.stage).to_lowercase(),
        (event.event_time.ms() - START) as f64 / 1000.0
    )
}
