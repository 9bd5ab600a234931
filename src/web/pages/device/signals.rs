//! The signals and derived values of a device as rows: the chosen range as a sparkline, now, lowest to highest, age.
//!
//! Leaves the full chart to `signal`. Invariant: values that no longer count say so; a series store that does not answer in time
//! costs the sparklines only.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use smol_str::SmolStr;
use smol_str::format_smolstr;

use crate::chart::quantity;
use crate::profile::Signal;
use crate::profile::SignalKind;
use crate::profile::StaleAfter;
use crate::telemetry::Measurement;
use crate::telemetry::Timestamp;
use crate::web::WebState;
use crate::web::backend::LiveDerive;
use crate::web::backend::LiveSignal;
use crate::web::backend::SeriesQuery;
use crate::web::backend::SeriesSample;
use crate::web::backend::SignalState;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts::Markup;

use super::head::SILENT_MS;
use super::picture;
use super::picture::SPARK_PLACES;
use super::range::Looked;
use super::subject::Subject;

/// How long a page waits for all its sparklines.
const SERIES_WAIT: Duration = Duration::from_secs(2);
/// Series asked for at once: the embedded store has few readers, and InfluxDB a limit of its own.
const ASKED_AT_ONCE: usize = 4;

/// A signal or derived value in the table.
pub(super) struct SignalRow {
    pub(super) address: String,
    pub(super) label: String,
    pub(super) path: SmolStr,
    pub(super) spark: Markup,
    pub(super) now: String,
    /// Why the value does not count now.
    pub(super) state: Option<String>,
    pub(super) span: String,
    pub(super) age: Markup,
}

/// The table.
pub(super) struct Signals {
    pub(super) rows: Vec<SignalRow>,
    /// Names of what was never told.
    pub(super) never: Vec<String>,
    /// The series store did not answer, and why.
    pub(super) trouble: Option<String>,
    /// None of the values counts any more, since the device fell silent: said once, not in each row.
    pub(super) silent: bool,
}

/// What is asked of the series for one row.
struct Wanted {
    row: SignalRow,
    /// `None`: its values are not in the series.
    query: Option<SeriesQuery>,
    unit: SmolStr,
    /// Lowest to highest says something: it is a number, not a word.
    graded: bool,
}

/// Gathers the rows.
pub(super) async fn signals(
    state: &WebState,
    frame: &Frame,
    subject: &Subject,
    looked: Looked,
) -> Signals {
    let (Some(live), Some(program)) = (&subject.live, &subject.program) else {
        return Signals {
            rows: Vec::new(),
            never: Vec::new(),
            trouble: None,
            silent: false,
        };
    };
    let never = live
        .signals
        .iter()
        .filter(|signal| signal.state == SignalState::Never)
        .map(|signal| frame.t.one(&signal.label).to_owned())
        .collect();
    let told = live.signals.iter().filter_map(|signal| {
        let rule = program
            .signals
            .iter()
            .find(|rule| rule.path == signal.path)?;
        of_signal(frame, subject, looked, signal, rule)
    });
    let derived = live
        .derives
        .iter()
        .filter_map(|derive| of_derive(frame, subject, looked, derive));
    let mut wanted: Vec<Wanted> = told.chain(derived).collect();
    let silent = frame.show.now().since(subject.row.last_seen) > SILENT_MS;
    if silent {
        for wanted in &mut wanted {
            wanted.row.state = None;
        }
    }
    let (rows, trouble) = drawn(state, frame, looked, wanted).await;
    Signals {
        rows,
        never,
        trouble,
        silent,
    }
}

fn query(
    subject: &Subject,
    looked: Looked,
    measurement: Measurement,
    field: &SmolStr,
) -> SeriesQuery {
    SeriesQuery {
        measurement,
        device: subject.id.clone(),
        field: field.clone(),
        from: looked.from,
        to: looked.to,
        points: SPARK_PLACES,
    }
}

/// A value in words of the reader.
pub(super) fn shown(frame: &Frame, value: f64, signal: &Signal) -> String {
    let t = frame.t;
    match &signal.kind {
        SignalKind::Bool if value == 0.0 => t.say("device-no").to_string(),
        SignalKind::Bool => t.say("device-yes").to_string(),
        SignalKind::Enum(words) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the index of a short list; anything else finds no word"
            )]
            let word = words.get(value as usize);
            word.map_or_else(|| value.to_string(), ToString::to_string)
        }
        SignalKind::Gauge | SignalKind::Bits(_) | SignalKind::Counter { .. } => {
            quantity(value, &signal.unit.symbol, t.lang())
        }
    }
}

fn of_signal(
    frame: &Frame,
    subject: &Subject,
    looked: Looked,
    signal: &LiveSignal,
    rule: &Signal,
) -> Option<Wanted> {
    let at = signal.at?;
    let t = frame.t;
    let now = signal
        .last
        .map_or_else(|| "–".to_owned(), |value| shown(frame, value, rule));
    // What is told with an occurrence is known at its instant; it does not grow stale.
    let instant = rule.stale_after == StaleAfter::Instant;
    let state = match signal.state {
        SignalState::Stale if !instant => Some(t.say("device-stale").to_string()),
        SignalState::Invalid => Some(t.say("device-invalid").to_string()),
        SignalState::Stale | SignalState::Fresh | SignalState::Never => None,
    };
    let graded = !matches!(rule.kind, SignalKind::Bool | SignalKind::Enum(_));
    Some(Wanted {
        row: SignalRow {
            address: format!(
                "{}/signals/{}?range={}",
                subject.address(),
                signal.path,
                looked.range.name()
            ),
            label: t.one(&signal.label).to_owned(),
            path: signal.path.clone(),
            spark: Markup::default(),
            now,
            state,
            span: String::new(),
            age: age(frame, at),
        },
        query: Some(query(subject, looked, Measurement::Telemetry, &signal.path)),
        unit: signal.unit.clone(),
        graded,
    })
}

fn of_derive(
    frame: &Frame,
    subject: &Subject,
    looked: Looked,
    derive: &LiveDerive,
) -> Option<Wanted> {
    let at = derive.at?;
    let t = frame.t;
    let path = format_smolstr!("derive.{}", derive.name);
    let shown = |value: f64| quantity(value, &derive.unit, t.lang());
    Some(Wanted {
        row: SignalRow {
            address: format!(
                "{}/signals/{path}?range={}",
                subject.address(),
                looked.range.name()
            ),
            label: t.one(&derive.label).to_owned(),
            path,
            spark: Markup::default(),
            now: derive.value.map_or_else(|| "–".to_owned(), shown),
            state: None,
            span: String::new(),
            age: age(frame, at),
        },
        query: derive
            .stored
            .then(|| query(subject, looked, Measurement::Derived, &derive.name)),
        unit: derive.unit.clone(),
        graded: true,
    })
}

fn age(frame: &Frame, at: Timestamp) -> Markup {
    frame.show.age(at)
}

/// Reads the series of the rows, all within one time limit.
async fn drawn(
    state: &WebState,
    frame: &Frame,
    looked: Looked,
    wanted: Vec<Wanted>,
) -> (Vec<SignalRow>, Option<String>) {
    let queries: Vec<Option<SeriesQuery>> =
        wanted.iter().map(|wanted| wanted.query.clone()).collect();
    let reading = stream::iter(queries)
        .map(|query| {
            let series = state.series.clone();
            async move {
                match query {
                    Some(query) => series.range(query).await,
                    None => Ok(Vec::new()),
                }
            }
        })
        .buffered(ASKED_AT_ONCE)
        .collect::<Vec<_>>();
    let Ok(answers) = tokio::time::timeout(SERIES_WAIT, reading).await else {
        let rows = wanted.into_iter().map(|wanted| wanted.row).collect();
        let trouble = frame.t.say("device-series-slow").to_string();
        return (rows, Some(trouble));
    };
    let mut trouble = None;
    let mut rows = Vec::with_capacity(wanted.len());
    for (mut wanted, answer) in wanted.into_iter().zip(answers) {
        match answer {
            Ok(samples) => {
                wanted.row.spark = picture::sparkline(&samples, looked);
                if wanted.graded {
                    wanted.row.span = span(frame, &samples, &wanted.unit);
                }
            }
            Err(error) => {
                let words = frame.t.say("device-series-away");
                trouble = Some(words.with("reason", error.reason).to_string());
            }
        }
        rows.push(wanted.row);
    }
    (rows, trouble)
}

/// `23.1 to 39.1 °C`; one number where both are the same.
pub(super) fn span(frame: &Frame, samples: &[SeriesSample], unit: &str) -> String {
    let t = frame.t;
    let low = samples.iter().map(|sample| sample.min).reduce(f64::min);
    let high = samples.iter().map(|sample| sample.max).reduce(f64::max);
    let (Some(low), Some(high)) = (low, high) else {
        return String::new();
    };
    let high = quantity(high, unit, t.lang());
    if quantity(low, unit, t.lang()) == high {
        return high;
    }
    t.say("device-span")
        .with("low", crate::chart::number(low, t.lang()))
        .with("high", high)
        .to_string()
}
