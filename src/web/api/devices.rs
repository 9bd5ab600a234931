//! `GET /devices` and `GET /devices/{model}/{serial}`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::{IntoParams, ToSchema};

use crate::store::{DeviceFilter, DeviceRow, DeviceStanding, TicketFilter};
use crate::telemetry::{DeviceId, Identity, Text, Timestamp};
use crate::web::WebState;
use crate::web::backend::{LiveClock, LiveSignal};
use crate::web::connection::LiveConnection;
use crate::web::extract::{Params, PathOf, page_size, path_device};
use crate::web::fresh;
use crate::web::problem::Problem;

use super::answer::{TextShape, TicketAnswer};
use super::fault_state::FaultStateAnswer;

/// Open tickets that a device's answer holds; a device with more has a problem of another kind.
const OPEN_TICKETS_LIMIT: usize = 50;

/// Which devices.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeviceParams {
    /// A model.
    model: Option<String>,
    /// Part of a serial.
    q: Option<String>,
    /// Present or not.
    online: Option<bool>,
    /// `in_service`, `quarantined` or `retired`.
    standing: Option<String>,
    /// 1 to 500; 50 unless told.
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A device.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub(super) struct DeviceAnswer {
    #[schema(value_type = String, example = "model-a/TSF5-000123")]
    device: DeviceId,
    model: String,
    serial: String,
    #[schema(value_type = String, format = DateTime)]
    first_seen: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
    /// Null when it never told.
    online: Option<bool>,
    /// `in_service`, `quarantined` or `retired`.
    standing: String,
    /// What the device or the registry said it is: `hw fw made batch lots first_use region tz site via`.
    #[schema(value_type = Object)]
    identity: Identity,
    /// Messages understood.
    messages: u64,
    /// Messages refused.
    rejected: u64,
    /// Messages received twice.
    duplicates: u64,
    /// Times its record counter restarted without a new boot.
    seq_restarts: u64,
    open_tickets: u64,
}

/// A page of devices.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DeviceList)]
pub(super) struct DevicesAnswer {
    items: Vec<DeviceAnswer>,
    /// For `after=`; null on the last page.
    next: Option<String>,
}

/// A device with what is known of it now.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DeviceDetail)]
pub(super) struct DeviceDetailAnswer {
    #[serde(flatten)]
    device: DeviceAnswer,
    /// Version of the profile that judges it; null when no profile knows its model.
    #[schema(value_type = Option<String>)]
    profile_version: Option<SmolStr>,
    /// Last values; null when detection holds no state of it.
    signals: Option<Vec<SignalAnswer>>,
    /// Where each fault stands; null when detection holds no state of it.
    faults: Option<Vec<FaultStateAnswer>>,
    /// Its newest record, by its own time; null when detection holds no state of it.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_event: Option<Timestamp>,
    /// What its clock is worth; null when detection holds no state of it.
    clock: Option<ClockAnswer>,
    /// When it last restarted, newest last; the newest four.
    restarts: Vec<RestartAnswer>,
    /// Its open tickets and notices, most urgent first.
    tickets: Vec<TicketAnswer>,
    /// Clients of the built-in listener that last spoke for it; empty when it comes over a broker.
    connections: Vec<ConnectionAnswer>,
}

/// A client of the built-in listener.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Connection)]
pub(super) struct ConnectionAnswer {
    #[schema(value_type = String)]
    client_id: SmolStr,
    /// Null when it is anonymous.
    #[schema(value_type = Option<String>)]
    user: Option<SmolStr>,
    /// Address and port that it comes from.
    peer: String,
    /// MQTT `3.1`, `3.1.1` or `5`.
    #[schema(value_type = String)]
    protocol: SmolStr,
    tls: bool,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Seconds; 0: none.
    keep_alive: u16,
    messages: u64,
    /// Publishes outside its rights.
    denied: u64,
    /// Granted, but nothing is ever delivered.
    subscriptions_granted: u64,
    subscriptions_refused: u64,
}

/// The last value of a signal.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SignalValue)]
pub(super) struct SignalAnswer {
    #[schema(value_type = String)]
    name: SmolStr,
    #[schema(value_type = String)]
    path: SmolStr,
    #[schema(value_type = TextShape)]
    label: Text,
    value: Option<f64>,
    /// As people read it.
    shown: Option<String>,
    #[schema(value_type = String)]
    unit: SmolStr,
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// The last value that was told, even when it no longer counts.
    last: Option<f64>,
    /// That as people read it.
    last_shown: Option<String>,
    /// `fresh`, `stale`, `invalid` (outside what its sensor can deliver) or `never`.
    state: &'static str,
}

/// What a device's clock is worth.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Clock)]
pub(super) struct ClockAnswer {
    /// By how much its times are moved, ms: 0 while its clock counts as right, negative when it is ahead.
    offset_ms: i64,
    /// Smallest lag of its live messages within an hour, ms.
    lag_low_ms: Option<i64>,
    /// Largest lag of its live messages within an hour, ms.
    lag_high_ms: Option<i64>,
    /// Its times are not taken as it tells them.
    suspect: bool,
}

/// A restart that the device told of.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Restart)]
pub(super) struct RestartAnswer {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Its restart counter.
    boot: u64,
}

/// Devices, by model and serial.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(DeviceParams),
    responses((status = 200, body = DevicesAnswer), (status = 400, description = "a filter cannot be read")))]
pub(super) async fn devices(
    State(state): State<WebState>,
    Params(params): Params<DeviceParams>,
) -> Result<Json<DevicesAnswer>, Problem> {
    let standing = params.standing.as_deref().map(|name| {
        DeviceStanding::from_name(name).ok_or_else(|| {
            Problem::bad_request(format!(
                "standing={name}: expected one of in_service, quarantined, retired"
            ))
        })
    });
    let filter = DeviceFilter {
        model: params.model,
        q: params.q.filter(|q| !q.trim().is_empty()),
        online: params.online,
        standing: standing.transpose()?,
        limit: page_size(params.limit)?,
        after: params.after,
    };
    let page = fresh::devices(&state, &filter).await?;
    Ok(Json(DevicesAnswer {
        items: page.items.into_iter().map(DeviceAnswer::from).collect(),
        next: page.next,
    }))
}

/// One device: identity, last values, faults and open tickets.
#[utoipa::path(get, path = "/api/v1/devices/{model}/{serial}", tag = "devices",
    params(("model" = String, Path), ("serial" = String, Path)),
    responses((status = 200, body = DeviceDetailAnswer), (status = 404, description = "it was never heard of")))]
pub(super) async fn device(
    State(state): State<WebState>,
    PathOf((model, serial)): PathOf<(String, String)>,
) -> Result<Json<DeviceDetailAnswer>, Problem> {
    let id = path_device(&model, &serial)?;
    let row = known_device(&state, &id).await?;
    let open = TicketFilter {
        device: Some(id.clone()),
        open: Some(true),
        limit: OPEN_TICKETS_LIMIT,
        ..TicketFilter::default()
    };
    let tickets = state.store.tickets(&open).await?.items.into_iter();
    let live = state.backend.live(&id).await;
    let program = state.backend.profile(&model);
    let program = program.as_deref();
    let known = live.is_some();
    let live = live.unwrap_or_default();
    let fault = |fault| FaultStateAnswer::new(fault, program);
    let restart = |(at, boot)| RestartAnswer { at, boot };
    let connections = state.backend.connections(&id).into_iter();
    Ok(Json(DeviceDetailAnswer {
        device: row.into(),
        profile_version: program.map(|program| program.profile_version.clone()),
        signals: known.then(|| live.signals.into_iter().map(SignalAnswer::from).collect()),
        faults: known.then(|| live.faults.into_iter().map(fault).collect()),
        last_event: live.last_event,
        clock: known.then(|| ClockAnswer::from(live.clock)),
        restarts: live.restarts.into_iter().map(restart).collect(),
        tickets: tickets
            .map(|ticket| TicketAnswer::new(&*state.backend, ticket, None))
            .collect(),
        connections: connections.map(ConnectionAnswer::from).collect(),
    }))
}

/// The device's row, or 404.
pub(super) async fn known_device(state: &WebState, id: &DeviceId) -> Result<DeviceRow, Problem> {
    fresh::device(state, id).await?.ok_or_else(|| {
        Problem::not_found(format!(
            "no message of the device {id} was understood so far"
        ))
    })
}

impl From<DeviceRow> for DeviceAnswer {
    fn from(row: DeviceRow) -> Self {
        Self {
            model: row.device.model().to_owned(),
            serial: row.device.serial().to_owned(),
            device: row.device,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            online: row.online,
            standing: row.standing.as_str().to_owned(),
            identity: row.identity,
            messages: row.messages,
            rejected: row.rejected,
            duplicates: row.duplicates,
            seq_restarts: row.seq_restarts,
            open_tickets: row.open_tickets,
        }
    }
}

impl From<LiveClock> for ClockAnswer {
    fn from(clock: LiveClock) -> Self {
        Self {
            offset_ms: clock.offset_ms,
            lag_low_ms: clock.lags_ms.map(|lags| lags.0),
            lag_high_ms: clock.lags_ms.map(|lags| lags.1),
            suspect: clock.suspect,
        }
    }
}

impl From<LiveConnection> for ConnectionAnswer {
    fn from(connection: LiveConnection) -> Self {
        let LiveConnection {
            client_id,
            user,
            peer,
            protocol,
            tls,
            since,
            keep_alive,
            messages,
            denied,
            subscriptions_granted,
            subscriptions_refused,
        } = connection;
        Self {
            client_id,
            user,
            peer,
            protocol,
            tls,
            since,
            keep_alive,
            messages,
            denied,
            subscriptions_granted,
            subscriptions_refused,
        }
    }
}

impl From<LiveSignal> for SignalAnswer {
    fn from(signal: LiveSignal) -> Self {
        Self {
            name: signal.name,
            path: signal.path,
            label: signal.label,
            value: signal.value,
            shown: signal.shown,
            unit: signal.unit,
            at: signal.at,
            last: signal.last,
            last_shown: signal.last_shown,
            state: signal.state.as_str(),
        }
    }
}
