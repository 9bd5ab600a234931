//! `POST /devices/{model}/{serial}/actions`: what a person or a registry does with a device.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use smol_str::SmolStr;
use utoipa::ToSchema;

use std::collections::BTreeMap;

use crate::telemetry::{Control, DeviceAction, DeviceId, Identity};
use crate::web::WebState;
use crate::web::auth::Caller;
use crate::web::extract::{JsonBody, PathOf, path_device, read_fields, take_action};
use crate::web::once::{Answer, Asked, once, submit};
use crate::web::problem::Problem;

use super::devices::known_device;
use super::ticket_action::check_name;

/// The actions, as a refusal lists them.
const ACTIONS: &str = "part_replaced, retire, adopt, set";
/// Most part lots of one device, as in its own `ident` message.
const LOTS_LIMIT: usize = 16;

/// What is done with a device. Which fields belong to which action: `part_replaced{part,lot}`, `set{hw,fw,made,batch,lots,first_use,region,tz,site,via}`;
/// `adopt` and `retire` need none.
#[derive(ToSchema)]
#[schema(as = DeviceActionRequest)]
#[expect(
    dead_code,
    reason = "only described: each action reads its own fields and refuses the others"
)]
pub(super) struct DeviceActionShape {
    /// `part_replaced`, `retire`, `adopt` or `set`.
    #[schema(example = "part_replaced")]
    action: String,
    part: Option<String>,
    lot: Option<String>,
    hw: Option<String>,
    fw: Option<String>,
    made: Option<String>,
    batch: Option<String>,
    lots: Option<BTreeMap<String, String>>,
    first_use: Option<String>,
    region: Option<String>,
    /// IANA name, such as `Asia/Shanghai`.
    tz: Option<String>,
    site: Option<String>,
    via: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartFields {
    part: SmolStr,
    lot: Option<SmolStr>,
}

/// The same as [`Identity`], but strict: a registry that misspells a field should know.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SetFields {
    hw: Option<SmolStr>,
    fw: Option<SmolStr>,
    made: Option<SmolStr>,
    batch: Option<SmolStr>,
    lots: BTreeMap<SmolStr, SmolStr>,
    first_use: Option<SmolStr>,
    region: Option<SmolStr>,
    tz: Option<SmolStr>,
    site: Option<SmolStr>,
    via: Option<SmolStr>,
}

/// Acts on a device. Answers once the change is in the store, or with 202 when that takes longer than 2 s.
#[utoipa::path(post, path = "/api/v1/devices/{model}/{serial}/actions", tag = "devices",
    params(("model" = String, Path), ("serial" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "the same key again gets the same answer")),
    request_body = DeviceActionShape,
    responses((status = 200, description = "done"), (status = 202, description = "on its way"),
        (status = 404, description = "it was never heard of"), (status = 422, description = "the action cannot be used")))]
pub(super) async fn device_action(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    PathOf((model, serial)): PathOf<(String, String)>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let device = path_device(&model, &serial)?;
    if headers.contains_key(header::IF_MATCH) {
        return Err(Problem::bad_request(
            "If-Match: devices have no version; leave this header out",
        ));
    }
    let action = read(&state, &device, body.fields)?;
    check_known(&state, &device, &action).await?;
    let path = format!("/devices/{device}/actions");
    let asked = Asked {
        caller: &caller,
        headers: &headers,
        path: &path,
        body: &body.raw,
    };
    once(&state, asked, async |_| {
        let control = Control::Device {
            device: device.clone(),
            action,
            by: caller.name.clone(),
        };
        let done = submit(&state, control).await?.is_some();
        let status = if done {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        };
        let body = json!({"device": device, "accepted": true, "done": done});
        Ok(Answer { status, body })
    })
    .await
}

/// A registry may tell of a device before it speaks, and a quarantined one is not known yet; but some profile has to know it.
async fn check_known(
    state: &WebState,
    device: &DeviceId,
    action: &DeviceAction,
) -> Result<(), Problem> {
    match action {
        DeviceAction::PartReplaced { .. } | DeviceAction::Retire => {
            known_device(state, device).await.map(drop)
        }
        DeviceAction::Adopt | DeviceAction::Set { .. } => {
            match state.backend.profile(device.model()) {
                Some(_) => Ok(()),
                None => Err(Problem::not_found(format!(
                    "no profile knows the model {}",
                    device.model()
                ))),
            }
        }
    }
}

fn read(
    state: &WebState,
    device: &DeviceId,
    mut fields: Map<String, Value>,
) -> Result<DeviceAction, Problem> {
    let action = take_action(&mut fields, ACTIONS)?;
    match action.as_str() {
        "adopt" => read_fields(&action, fields).map(|NoFields {}| DeviceAction::Adopt),
        "retire" => read_fields(&action, fields).map(|NoFields {}| DeviceAction::Retire),
        "part_replaced" => {
            let PartFields { part, lot } = read_fields(&action, fields)?;
            check_part(state, device, &part)?;
            lot.iter().try_for_each(|lot| check_name("lot", lot))?;
            Ok(DeviceAction::PartReplaced { part, lot })
        }
        "set" => Ok(DeviceAction::Set {
            identity: read_identity(read_fields(&action, fields)?)?,
        }),
        _ => {
            let shown: String = action.chars().take(40).collect();
            Err(Problem::invalid(format!(
                "action '{shown}': expected one of {ACTIONS}"
            )))
        }
    }
}

fn check_part(state: &WebState, device: &DeviceId, part: &str) -> Result<(), Problem> {
    check_name("part", part)?;
    // Without a profile nothing is known of parts; the control is refused elsewhere or does nothing but stand in the journal.
    let Some(program) = state.backend.profile(device.model()) else {
        return Ok(());
    };
    if program.parts.iter().any(|known| known.number == part) {
        return Ok(());
    }
    let known: Vec<&str> = program
        .parts
        .iter()
        .map(|part| part.number.as_str())
        .collect();
    Err(Problem::invalid(format!(
        "part: the profile of {} does not know '{part}'; it has {}",
        device.model(),
        if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        }
    )))
}

fn read_identity(fields: SetFields) -> Result<Identity, Problem> {
    let identity = Identity {
        hw: fields.hw,
        fw: fields.fw,
        made: fields.made,
        batch: fields.batch,
        lots: fields.lots,
        first_use: fields.first_use,
        region: fields.region,
        tz: fields.tz,
        site: fields.site,
        via: fields.via,
    };
    if identity == Identity::default() {
        return Err(Problem::invalid("set: expected at least one field"));
    }
    for (field, value) in [
        ("hw", &identity.hw),
        ("fw", &identity.fw),
        ("made", &identity.made),
        ("batch", &identity.batch),
        ("first_use", &identity.first_use),
        ("region", &identity.region),
        ("site", &identity.site),
        ("via", &identity.via),
    ] {
        value
            .iter()
            .try_for_each(|value| check_name(field, value))?;
    }
    if identity.lots.len() > LOTS_LIMIT {
        return Err(Problem::invalid(format!("lots: at most {LOTS_LIMIT}")));
    }
    for (part, lot) in &identity.lots {
        check_name("lots", part)?;
        check_name("lots", lot)?;
    }
    match &identity.tz {
        Some(tz) if tz.parse::<chrono_tz::Tz>().is_err() => Err(Problem::invalid(
            "tz: expected the IANA name of a time zone, such as Asia/Shanghai",
        )),
        Some(_) | None => Ok(identity),
    }
}
