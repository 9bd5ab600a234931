//! Named hints: what is probably wrong with a message, where, and what was perhaps meant.
//!
//! A hint is a guess that helps, never a verdict: nothing is refused or changed because of one.

use std::collections::BTreeSet;

use serde::Serialize;
use smol_str::SmolStr;

use super::Context;
use super::said::Said;
use super::signal_of;
use crate::profile::Profiles;
use crate::profile::Program;
use crate::profile::SignalValue;
use crate::telemetry::DAY_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::RawMessage;
use crate::telemetry::RejectReason;
use crate::telemetry::Rejection;
use crate::telemetry::Scalar;
use crate::telemetry::Telemetry;
use crate::telemetry::Text;
use crate::telemetry::Timestamp;

/// Seconds that lie beyond the year 5000: such a time is in milliseconds.
const SECONDS_LEAST_MS: f64 = 1.0e11;
/// Local time sent as UTC is off by the zone's offset, give or take a clock that is a little wrong and a delay.
const LOCAL_WITHIN_MS: i64 = 5 * MINUTE_MS;
/// How alike two names must be (Jaro-Winkler, 0 to 1) to be taken for each other.
const ALIKE: f64 = 0.85;
/// Hints of one message; a message with more has one cause.
const HINTS_LIMIT: usize = 20;
/// The kinds of a native topic.
const KINDS: [&str; 5] = ["state", "tele", "event", "batch", "ident"];
/// The longest text of a device that a hint repeats, in characters.
const BRIEF_CHARS: usize = 64;

/// What kind of hint; the names are a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HintName {
    /// `ts` counts milliseconds; it has to count seconds.
    TsInMilliseconds,
    /// `ts` is local time; it has to be UTC.
    TsIsLocalTime,
    /// `ts` is far from the time of receipt.
    TsNotPlausible,
    /// The record counter began again without a new `boot`.
    SeqRestarted,
    /// A path that the profile does not know.
    UnknownPath,
    /// Samples that only come as a broker's retained copy.
    AlwaysRetained,
    /// The last part of the topic is no kind.
    UnknownKind,
    /// The model in the topic has no profile.
    UnknownModel,
    /// No source setting claims the topic.
    UnknownTopic,
    /// A value that its sensor cannot deliver.
    OutOfRange,
    /// A value that the signal makes nothing of.
    NoValue,
}

impl HintName {
    /// The name in API, command line and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TsInMilliseconds => "ts_in_milliseconds",
            Self::TsIsLocalTime => "ts_is_local_time",
            Self::TsNotPlausible => "ts_not_plausible",
            Self::SeqRestarted => "seq_restarted",
            Self::UnknownPath => "unknown_path",
            Self::AlwaysRetained => "always_retained",
            Self::UnknownKind => "unknown_kind",
            Self::UnknownModel => "unknown_model",
            Self::UnknownTopic => "unknown_topic",
            Self::OutOfRange => "out_of_range",
            Self::NoValue => "no_value",
        }
    }
}

/// A hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hint {
    /// Which.
    pub name: HintName,
    /// What it is about, in a sentence.
    pub text: Text,
    /// What was perhaps meant.
    pub did_you_mean: Option<String>,
    /// The piece of topic or payload that it is about, as it stands there.
    pub mark: Option<String>,
}

impl Hint {
    fn new(name: HintName, en: String, zh: String) -> Self {
        Self {
            name,
            text: Text::new(en, zh),
            did_you_mean: None,
            mark: None,
        }
    }

    fn at(mut self, mark: impl Into<String>) -> Self {
        self.mark = Some(mark.into());
        self
    }

    fn meaning(mut self, meant: Option<&str>) -> Self {
        self.did_you_mean = meant.map(str::to_owned);
        self
    }
}

/// Hints of a message that was understood.
pub(super) fn of_telemetry(
    telemetry: &Telemetry,
    program: Option<&Program>,
    said: &Said,
    context: Context<'_>,
    received_at: Timestamp,
    message: &RawMessage,
) -> Vec<Hint> {
    let mut hints = Vec::new();
    hints.extend(time(said, context.offset_s, received_at));
    if telemetry.seq_restarted {
        hints.push(Hint::new(
            HintName::SeqRestarted,
            "the record counter began again although `boot` did not change: send `boot` with a restart, or go on counting".into(),
            "记录计数重新开始而 `boot` 未变：重启时请发送新的 `boot`，或继续计数".into(),
        ).at("seq"));
    }
    let kind = message.topic.rsplit('/').next().unwrap_or_default();
    if message.retained && !matches!(kind, "state" | "ident") {
        hints.push(Hint::new(
            HintName::AlwaysRetained,
            "this is a broker's retained copy: it gives no sample. Publish samples without the retain flag".into(),
            "这是服务器保留的副本，不计为采样。请不要用 retain 标志发布采样".into(),
        ));
    }
    if let Some(program) = program {
        hints.extend(values(telemetry, program));
    }
    hints.truncate(HINTS_LIMIT);
    hints
}

/// What the time looks like, judged by the newest one told.
fn time(said: &Said, offset_s: i32, received_at: Timestamp) -> Option<Hint> {
    let told = said.times.iter().rev().copied().flatten().next()?;
    if told.abs() >= SECONDS_LEAST_MS {
        return Some(
            Hint::new(
                HintName::TsInMilliseconds,
                format!("`ts` {told} counts milliseconds; it has to count seconds since 1970 (a fraction is fine)"),
                format!("`ts` {told} 以毫秒计；应为 1970 年以来的秒数（可带小数）"),
            )
            .at("ts")
            .meaning(Some(&(told / 1_000.0).to_string())),
        );
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 1e14, checked above")]
    let ahead = (told * 1_000.0) as i64 - received_at.ms();
    let offset = i64::from(offset_s) * 1_000;
    if offset != 0 && (ahead - offset).abs() <= LOCAL_WITHIN_MS {
        let hours = f64::from(offset_s) / 3_600.0;
        return Some(
            Hint::new(
                HintName::TsIsLocalTime,
                format!("`ts` is {hours} h ahead of receipt, which is this place's offset to UTC: local time was sent as UTC"),
                format!("`ts` 比接收时间早 {hours} 小时，恰为本地与 UTC 的时差：误把当地时间当作 UTC 发送"),
            )
            .at("ts")
            .meaning(Some(&(told - f64::from(offset_s)).to_string())),
        );
    }
    (ahead.abs() > 45 * DAY_MS || ahead > 10 * MINUTE_MS).then(|| {
        Hint::new(
            HintName::TsNotPlausible,
            format!("`ts` {told} lies far from the time of receipt ({received_at}): the device's clock is not set"),
            format!("`ts` {told} 与接收时间（{received_at}）相差过大：设备时钟未校准"),
        )
        .at("ts")
    })
}

/// Paths that nobody knows, and values of which nothing can be made; each path once.
fn values(telemetry: &Telemetry, program: &Program) -> Vec<Hint> {
    let known: BTreeSet<&str> = program
        .signals
        .iter()
        .map(|signal| signal.path.as_str())
        .collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut hints = Vec::new();
    for reading in telemetry.records.iter().flat_map(|record| &record.readings) {
        if !seen.insert(&reading.path) {
            continue;
        }
        let path = brief(&reading.path);
        let Some(signal) = signal_of(program, &reading.path) else {
            let near = nearest(&reading.path, known.iter().copied());
            hints.push(
                Hint::new(
                    HintName::UnknownPath,
                    format!("{path} is not in the profile of {}: it is stored as a series and not judged", program.model),
                    format!("{} 的档案中没有 {path}：仅作为序列保存，不参与判断", program.model),
                )
                .at(reading.path.as_str())
                .meaning(near),
            );
            continue;
        };
        match signal.read(&reading.value) {
            SignalValue::OutOfRange(base) => {
                let value = signal.unit.format(base);
                hints.push(
                    Hint::new(
                        HintName::OutOfRange,
                        format!("{path}: {value} is more than its sensor can deliver, so it is no value; is the unit right?"),
                        format!("{path}：{value} 超出传感器所能给出的范围，不作为数值；单位是否正确？"),
                    )
                    .at(reading.path.as_str()),
                );
            }
            SignalValue::NoValue if !signal.store_text && is_something(&reading.value) => {
                hints.push(
                    Hint::new(
                        HintName::NoValue,
                        format!(
                            "{path}: nothing can be made of this value for the signal {}",
                            signal.name
                        ),
                        format!("{path}：信号 {} 无法使用此值", signal.name),
                    )
                    .at(reading.path.as_str()),
                );
            }
            SignalValue::Value(_) | SignalValue::NoValue => {}
        }
    }
    // Those that were perhaps meant as something else tell most.
    hints.sort_by_key(|hint| hint.did_you_mean.is_none());
    hints
}

fn is_something(value: &Scalar) -> bool {
    match value {
        Scalar::Null => false,
        Scalar::Text(text) => !text.trim().is_empty(),
        Scalar::Number(_) | Scalar::Bool(_) => true,
    }
}

/// Hints of a message that was refused.
pub(super) fn of_rejection(
    rejection: &Rejection,
    message: &RawMessage,
    profiles: &Profiles,
) -> Vec<Hint> {
    let parts: Vec<&str> = message.topic.split('/').collect();
    let hint = match rejection.reason {
        RejectReason::UnknownKind => {
            let kind = parts.last().copied().unwrap_or_default();
            Hint::new(
                HintName::UnknownKind,
                format!("the last part of the topic is {}; allowed are {}", brief(kind), KINDS.join(", ")),
                format!("主题最后一段是 {}；可用的有 {}", brief(kind), KINDS.join("、")),
            )
            .at(kind)
            .meaning(nearest(kind, KINDS.into_iter()).or_else(|| begins(kind)))
        }
        RejectReason::UnknownModel => {
            let model = parts.get(2).copied().unwrap_or_default();
            let known: Vec<&str> = profiles.iter().map(|program| program.model.as_str()).collect();
            Hint::new(
                HintName::UnknownModel,
                format!("no profile knows the model {}; there are {}", brief(model), known.join(", ")),
                format!("没有档案认识型号 {}；已有 {}", brief(model), known.join("、")),
            )
            .at(model)
            .meaning(nearest(model, known.iter().copied()))
        }
        RejectReason::UnknownTopic => Hint::new(
            HintName::UnknownTopic,
            "the native convention is appl/v1/MODEL/SERIAL/KIND; other topics need a [[source]] in the settings".into(),
            "原生约定为 appl/v1/型号/序列号/类型；其他主题需在设置中添加 [[source]]".into(),
        )
        .at(brief(&message.topic)),
        _ => return Vec::new(),
    };
    vec![hint]
}

/// `telemetry` is meant as `tele`.
fn begins(kind: &str) -> Option<&'static str> {
    KINDS
        .into_iter()
        .find(|known| kind.to_ascii_lowercase().starts_with(known))
}

/// The name that is most like this one, when one is.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let name: SmolStr = name.chars().take(BRIEF_CHARS).collect();
    known
        .map(|one| (strsim::jaro_winkler(&name.to_ascii_lowercase(), one), one))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, one)| one)
}

fn brief(text: &str) -> String {
    let mut short: String = text.chars().take(BRIEF_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
