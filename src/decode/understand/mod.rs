//! What is understood of one message, for the one who connects a device: convention, device, times and why, every path with its
//! meaning, and hints that name what is probably wrong.
//!
//! Nothing it says changes what the pipeline decides: it decodes with a memory that is the caller's own. Leaves telling
//! people to command line, API and pages.

mod hints;

mod said;

#[cfg(test)]
mod tests;

use serde::Serialize;
use smol_str::SmolStr;

use super::DecodeState;
use super::Decoded;
use super::KnownModels;
use crate::profile::Profiles;
use crate::profile::Program;
use crate::profile::Signal;
use crate::profile::SignalKind;
use crate::profile::SignalValue;
use crate::telemetry::Control;
use crate::telemetry::DeviceAction;
use crate::telemetry::DeviceId;
use crate::telemetry::Identity;
use crate::telemetry::RawMessage;
use crate::telemetry::Reading;
use crate::telemetry::Scalar;
use crate::telemetry::Telemetry;
use crate::telemetry::TelemetryRecord;
use crate::telemetry::Text;
use crate::telemetry::Timestamp;

pub use hints::Hint;
pub use hints::HintName;
use said::Said;

/// Records and readings that are listed; a batch of a thousand is cut, and says so.
const RECORDS_LISTED: usize = 50;
/// Readings of a record that are listed.
const READINGS_LISTED: usize = 200;

/// What is understood of a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Understanding {
    /// `native` or `json`; `None` when no source setting claims the topic.
    pub convention: Option<SmolStr>,
    /// Last part of a native topic, as it stands there.
    pub kind: Option<SmolStr>,
    /// Whose it is, as far as the topic tells.
    pub device: Option<DeviceId>,
    /// A profile knows the model.
    pub model_known: bool,
    /// When it came.
    pub received_at: Timestamp,
    /// What becomes of it: `decoded`, `duplicate` or `rejected`.
    pub result: SmolStr,
    /// Why it is refused, by its class.
    pub reason: Option<SmolStr>,
    /// Why it is refused, in a sentence.
    pub detail: Option<String>,
    /// A broker's retained copy: identity and state only.
    pub retained: bool,
    /// Presence, when it tells it.
    pub online: Option<bool>,
    /// Identity, when it tells it.
    pub identity: Option<Identity>,
    /// Its records, at most 50.
    pub records: Vec<UnderstoodRecord>,
    /// Records that are not listed.
    pub records_left_out: usize,
    /// Records of a batch that were refused, with index and sentence.
    pub bad_records: Vec<(u32, String)>,
    /// What is probably wrong, most telling first.
    pub hints: Vec<Hint>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnderstoodRecord {
    /// When it happened.
    pub event_time: Timestamp,
    /// Why this is its time.
    pub event_time_why: Text,
    /// The device's record counter.
    pub seq: Option<u64>,
    /// The occurrence, when it is an event.
    pub event: Option<SmolStr>,
    /// The occurrence's name in the profile, when it has one.
    pub event_alias: Option<SmolStr>,
    /// Its values, at most 200.
    pub readings: Vec<UnderstoodReading>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnderstoodReading {
    /// As on the wire.
    pub path: SmolStr,
    /// Name in the profile; `None`: stored as a series, not judged.
    pub alias: Option<SmolStr>,
    /// What it is called.
    pub label: Option<Text>,
    /// As it came.
    pub value: String,
    /// As people read it, with its unit; `None` when the profile does not know the path or makes no value of it.
    pub shown: Option<String>,
    /// Outside what the sensor can deliver.
    pub out_of_range: bool,
}

/// Whom a message is understood for.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The profiles in force.
    pub profiles: &'a Profiles,
    /// Offset of the place's time to UTC, in seconds: to recognise local time that was sent as UTC.
    pub offset_s: i32,
}

/// Understands a message, with the memory of what came before it (`decode`, which goes on).
pub fn understand(
    decode: &mut DecodeState,
    context: Context<'_>,
    received_at: Timestamp,
    message: &RawMessage,
) -> Understanding {
    let device = decode.device_of(message);
    if let Some(device) = &device {
        // Whoever asks about a device does not ask whether it may speak.
        let control = Control::Device {
            device: device.clone(),
            action: DeviceAction::Adopt,
            by: SmolStr::default(),
        };
        decode.control(received_at, &control);
    }
    let program = device
        .as_ref()
        .and_then(|device| context.profiles.get(device.model()));
    let said = Said::of(message);
    let decoded = decode.decode(received_at, message, &KnownModels(context.profiles));
    let native = message.topic.starts_with("appl/v1/");
    let mut understanding = Understanding {
        convention: device
            .is_some()
            .then(|| if native { "native" } else { "json" }.into()),
        kind: native
            .then(|| message.topic.rsplit('/').next().map(SmolStr::new))
            .flatten(),
        device,
        model_known: program.is_some(),
        received_at,
        result: SmolStr::new_static("decoded"),
        reason: None,
        detail: None,
        retained: message.retained,
        online: None,
        identity: None,
        records: Vec::new(),
        records_left_out: 0,
        bad_records: Vec::new(),
        hints: Vec::new(),
    };
    let program = program.map(|program| &**program);
    match decoded {
        Decoded::Telemetry(telemetry) => {
            understanding.hints =
                hints::of_telemetry(&telemetry, program, &said, context, received_at, message);
            fill(&mut understanding, telemetry, program, &said);
        }
        Decoded::Duplicate(_) => understanding.result = SmolStr::new_static("duplicate"),
        Decoded::Rejected(rejection) => {
            understanding.result = SmolStr::new_static("rejected");
            understanding.hints = hints::of_rejection(&rejection, message, context.profiles);
            understanding.reason = Some(rejection.reason.as_str().into());
            understanding.detail = Some(rejection.detail);
        }
    }
    understanding
}

fn fill(
    understanding: &mut Understanding,
    telemetry: Telemetry,
    program: Option<&Program>,
    said: &Said,
) {
    let alone = telemetry.records.len() == 1;
    understanding.online = telemetry.availability.map(|presence| presence.online);
    understanding.identity = telemetry.identity;
    understanding.records_left_out = telemetry.records.len().saturating_sub(RECORDS_LISTED);
    understanding.records = telemetry
        .records
        .iter()
        .take(RECORDS_LISTED)
        .map(|record| {
            let told = said.times.first().copied().flatten().filter(|_| alone);
            one(record, program, told, understanding.received_at)
        })
        .collect();
    understanding.bad_records = telemetry
        .bad_records
        .into_iter()
        .map(|bad| (bad.index, bad.rejection.detail))
        .collect();
}

fn one(
    record: &TelemetryRecord,
    program: Option<&Program>,
    told: Option<f64>,
    received_at: Timestamp,
) -> UnderstoodRecord {
    let event = record.event.as_ref();
    let alias = event.and_then(|event| {
        let events = program?.events.iter();
        events
            .filter(|known| known.path == *event)
            .map(|known| known.name.clone())
            .next()
    });
    UnderstoodRecord {
        event_time: record.event_time,
        event_time_why: why(record, told, received_at),
        seq: record.seq,
        event: record.event.clone(),
        event_alias: alias,
        readings: record
            .readings
            .iter()
            .take(READINGS_LISTED)
            .map(|reading| value(reading, program))
            .collect(),
    }
}

/// Why a record has the time that it has.
fn why(record: &TelemetryRecord, told: Option<f64>, received_at: Timestamp) -> Text {
    if record.time_unknown {
        return Text::new(
            "it has no time and waited in a queue: the time of receipt, and nothing is judged by it",
            "没有时间且曾在队列中等待：采用接收时间，不据此判断",
        );
    }
    let at_receipt = record.event_time == received_at;
    match (told, record.clock_suspect) {
        (None, _) if at_receipt => Text::new(
            "it has no time: the time of receipt",
            "没有时间：采用接收时间",
        ),
        (_, false) => Text::new("the device's own time", "设备自身时间"),
        (_, true) if at_receipt => Text::new(
            "the device's time is not plausible: the time of receipt",
            "设备时间不可信：采用接收时间",
        ),
        (_, true) => Text::new(
            "the device's clock is known to be wrong by a steady amount: its time, moved by that",
            "已知设备时钟有固定偏差：按偏差校正后的设备时间",
        ),
    }
}

fn value(reading: &Reading, program: Option<&Program>) -> UnderstoodReading {
    let signal = program.and_then(|program| signal_of(program, &reading.path));
    let read = signal.map(|signal| signal.read(&reading.value));
    UnderstoodReading {
        path: reading.path.clone(),
        alias: signal.map(|signal| signal.name.clone()),
        label: signal.map(|signal| signal.label.clone()),
        value: wire(&reading.value),
        shown: signal
            .zip(read)
            .and_then(|(signal, read)| shown(signal, read)),
        out_of_range: matches!(read, Some(SignalValue::OutOfRange(_))),
    }
}

/// The signal that a path feeds.
fn signal_of<'p>(program: &'p Program, path: &str) -> Option<&'p Signal> {
    program.signals.iter().find(|signal| signal.path == path)
}

fn shown(signal: &Signal, read: SignalValue) -> Option<String> {
    let (SignalValue::Value(base) | SignalValue::OutOfRange(base)) = read else {
        return None;
    };
    Some(match &signal.kind {
        SignalKind::Bool => (base != 0.0).to_string(),
        SignalKind::Enum(words) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a cast saturates, and an index beyond the words gives none"
            )]
            let word = words.get(base as usize);
            word.map_or_else(|| base.to_string(), ToString::to_string)
        }
        SignalKind::Gauge | SignalKind::Bits(_) | SignalKind::Counter { .. } => {
            signal.unit.format(base)
        }
    })
}

/// A value as it stood on the wire.
fn wire(value: &Scalar) -> String {
    match value {
        Scalar::Number(number) => number.to_string(),
        Scalar::Bool(truth) => truth.to_string(),
        Scalar::Text(text) => format!("\"{text}\""),
        Scalar::Null => "null".to_owned(),
    }
}
