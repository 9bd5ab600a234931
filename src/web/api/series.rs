//! `GET /series`: the numbers of one signal or derived value over time.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::{IntoParams, ToSchema};

use crate::profile::{Program, SignalKind};
use crate::telemetry::{DAY_MS, DeviceId, Measurement, Text, Timestamp};
use crate::web::WebState;
use crate::web::backend::{SeriesQuery, SeriesSample};
use crate::web::extract::{Params, parsed};
use crate::web::problem::Problem;

use super::answer::TextShape;
use super::devices::known_device;

/// Points when the caller names no number: one per pixel of a chart on a page.
const POINTS_DEFAULT: u32 = 800;
/// Most points of one answer, 400 kB of JSON.
const POINTS_LIMIT: u32 = 5_000;
/// Span when the caller names no `from`.
const SPAN_DEFAULT_MS: i64 = DAY_MS;
/// Longest name of a signal, in bytes; the native convention allows 64.
const SIGNAL_LIMIT: usize = 128;

/// Which numbers.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SeriesParams {
    /// `model/serial`.
    #[param(example = "model-a/TSF5-000123")]
    device: String,
    /// Path on the wire, name in the profile, or `derive.NAME`.
    #[param(example = "water.out_c")]
    signal: String,
    /// From this time on; a day before `to` unless told.
    from: Option<String>,
    /// Up to this time, not included; now unless told.
    to: Option<String>,
    /// 1 to 5000; 800 unless told. With more values than that, each point stands for a window.
    points: Option<u32>,
}

/// Numbers over time.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Series)]
pub(super) struct SeriesAnswer {
    #[schema(value_type = String)]
    device: DeviceId,
    /// Path on the wire, or `derive.NAME`.
    signal: String,
    /// In words; null when no profile knows the signal.
    #[schema(value_type = Option<TextShape>)]
    label: Option<Text>,
    /// Empty for pure numbers; null when no profile knows the signal.
    #[schema(value_type = Option<String>)]
    unit: Option<SmolStr>,
    /// For enumerations: the words, by number from 0.
    #[schema(value_type = Option<Vec<String>>)]
    words: Option<Vec<SmolStr>>,
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// The newest value before `from`, where a line of a seldom sent signal begins; null when there is none.
    before: Option<BeforeAnswer>,
    /// When the first value that is kept was, also before `from`; null when there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    first: Option<Timestamp>,
    /// When the last value was, also after `to`.
    #[schema(value_type = Option<String>, format = DateTime)]
    last: Option<Timestamp>,
    items: Vec<SampleAnswer>,
    /// Always null: fewer `points` or a narrower span give what a page would.
    next: Option<String>,
}

/// A single value.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ValueBefore)]
pub(super) struct BeforeAnswer {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    value: f64,
}

/// One value, or what lies in a window that begins at `at`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Sample)]
pub(super) struct SampleAnswer {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Arithmetic mean of the window.
    value: f64,
    min: f64,
    max: f64,
}

/// A field of the series, and what a profile says about it.
struct Wanted {
    measurement: Measurement,
    /// Its name in the series.
    name: SmolStr,
    label: Option<Text>,
    unit: Option<SmolStr>,
    words: Option<Vec<SmolStr>>,
}

/// The numbers of one signal.
#[utoipa::path(get, path = "/api/v1/series", tag = "series", params(SeriesParams),
    responses((status = 200, body = SeriesAnswer), (status = 400, description = "a parameter cannot be read"),
        (status = 404, description = "the device was never heard of"), (status = 503, description = "the series store does not answer")))]
pub(super) async fn series(
    State(state): State<WebState>,
    Params(params): Params<SeriesParams>,
) -> Result<Json<SeriesAnswer>, Problem> {
    let device: DeviceId = parsed("device", &params.device)?;
    let (from, to) = span(&params, state.backend.now())?;
    let points = params.points.unwrap_or(POINTS_DEFAULT);
    if !(1..=POINTS_LIMIT).contains(&points) {
        let detail = format!("points={points}: expected 1 to {POINTS_LIMIT}");
        return Err(Problem::bad_request(detail));
    }
    let signal = read_signal(&params.signal)?;
    known_device(&state, &device).await?;
    let wanted = find(state.backend.profile(device.model()).as_deref(), signal);
    let query = SeriesQuery {
        measurement: wanted.measurement,
        device: device.clone(),
        field: wanted.name.clone(),
        from,
        to,
        points,
    };
    let (samples, around) = tokio::join!(
        state.series.range(query.clone()),
        state.series.around(query)
    );
    let (samples, around) = (samples?, around?);
    Ok(Json(SeriesAnswer {
        device,
        signal: match wanted.measurement {
            Measurement::Derived => format!("derive.{}", wanted.name),
            Measurement::Telemetry | Measurement::Ticket => wanted.name.to_string(),
        },
        label: wanted.label,
        unit: wanted.unit,
        words: wanted.words,
        from,
        to,
        before: around.before.map(|(at, value)| BeforeAnswer { at, value }),
        first: around.extent.map(|(first, _)| first),
        last: around.extent.map(|(_, last)| last),
        items: samples.into_iter().map(SampleAnswer::from).collect(),
        next: None,
    }))
}

fn span(params: &SeriesParams, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
    let read = |name: &str, text: &Option<String>| {
        text.as_deref()
            .map(|text| parsed::<Timestamp>(name, text))
            .transpose()
    };
    let to = read("to", &params.to)?.unwrap_or(now);
    let from = read("from", &params.from)?.unwrap_or(to - SPAN_DEFAULT_MS);
    if from < to {
        Ok((from, to))
    } else {
        Err(Problem::bad_request(format!(
            "from ({from}) has to lie before to ({to})"
        )))
    }
}

fn read_signal(signal: &str) -> Result<&str, Problem> {
    if signal.is_empty() || signal.len() > SIGNAL_LIMIT || signal.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!(
            "signal: expected the path of a signal or derive.NAME, at most {SIGNAL_LIMIT} bytes"
        )));
    }
    Ok(signal)
}

/// The field of a signal. Paths that no profile knows are stored too, so an unknown name is taken as one.
fn find(program: Option<&Program>, signal: &str) -> Wanted {
    if let Some(name) = signal.strip_prefix("derive.") {
        let derive_name = name.strip_suffix(".baseline").unwrap_or(name);
        let derive = program.and_then(|p| p.derives.iter().find(|d| d.name == derive_name));
        return Wanted {
            measurement: Measurement::Derived,
            name: name.into(),
            label: derive.map(|derive| derive.label.clone()),
            unit: derive.map(|derive| derive.unit.symbol.clone()),
            words: None,
        };
    }
    let signals = program.map_or(&[][..], |program| &program.signals);
    let by_path = signals.iter().find(|known| known.path == signal);
    let known = by_path.or_else(|| signals.iter().find(|known| known.name == signal));
    Wanted {
        measurement: Measurement::Telemetry,
        name: known.map_or_else(|| signal.into(), |known| known.path.clone()),
        label: known.map(|known| known.label.clone()),
        unit: known.map(|known| known.unit.symbol.clone()),
        words: known.and_then(|known| match &known.kind {
            SignalKind::Enum(words) => Some(words.clone()),
            SignalKind::Gauge
            | SignalKind::Bool
            | SignalKind::Bits(_)
            | SignalKind::Counter { .. } => None,
        }),
    }
}

impl From<SeriesSample> for SampleAnswer {
    fn from(sample: SeriesSample) -> Self {
        Self {
            at: sample.at,
            value: sample.mean,
            min: sample.min,
            max: sample.max,
        }
    }
}
