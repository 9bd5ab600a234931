//! Reading requests: path, query, JSON body and preconditions; what cannot be read becomes a problem that says why.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::store::PAGE_LIMIT;
use crate::telemetry::DeviceId;

use super::problem::Problem;

/// Largest body of a request: four texts of the largest size, or a thousand positions.
pub(super) const BODY_LIMIT_BYTES: usize = 64 * 1024;
/// Rows of a page when the caller names no `limit`.
const PAGE_DEFAULT: usize = 50;
/// Most values in one comma-separated filter.
const LIST_LIMIT: usize = 50;

/// The parts of the path.
#[derive(Clone, Debug, FromRequestParts)]
#[from_request(via(Path), rejection(Problem))]
pub(super) struct PathOf<T>(pub(super) T);

/// The query; its type refuses names that it does not know.
#[derive(Clone, Debug, FromRequestParts)]
#[from_request(via(Query), rejection(Problem))]
pub(super) struct Params<T>(pub(super) T);

/// A JSON object.
#[derive(Clone, Debug)]
pub(super) struct JsonBody {
    /// As it came, to tell whether two requests are the same.
    pub(super) raw: Bytes,
    pub(super) fields: Map<String, Value>,
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            return Err(Problem::unsupported_media_type());
        }
        let raw = to_bytes(request.into_body(), BODY_LIMIT_BYTES)
            .await
            .map_err(|_| {
                Problem::too_large(format!(
                    "the body was cut off or has more than {BODY_LIMIT_BYTES} bytes"
                ))
            })?;
        let fields = match serde_json::from_slice(&raw) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => {
                return Err(Problem::bad_request(
                    "the body has to be a JSON object: {…}",
                ));
            }
            Err(error) => {
                let detail = format!("the body is not JSON: {error}");
                return Err(Problem::bad_request(detail));
            }
        };
        Ok(Self { raw, fields })
    }
}

/// The fields of a JSON object as a type; `of` names the object in the refusal.
pub(super) fn read_fields<T: DeserializeOwned>(
    of: &str,
    fields: Map<String, Value>,
) -> Result<T, Problem> {
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| Problem::invalid(format!("{of}: {error}")))
}

/// Takes the field `action` out, which says what the other fields are; `known` lists what it may be.
pub(super) fn take_action(fields: &mut Map<String, Value>, known: &str) -> Result<String, Problem> {
    if let Some(Value::String(action)) = fields.remove("action") {
        Ok(action)
    } else {
        Err(Problem::invalid(format!("action: expected one of {known}")))
    }
}

/// The device that a path names.
pub(super) fn path_device(model: &str, serial: &str) -> Result<DeviceId, Problem> {
    DeviceId::new(model, serial).map_err(|error| Problem::not_found(error.to_string()))
}

/// The rows of a page.
pub(super) fn page_size(limit: Option<usize>) -> Result<usize, Problem> {
    match limit {
        None => Ok(PAGE_DEFAULT),
        Some(limit) if (1..=PAGE_LIMIT).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::bad_request(format!(
            "limit={limit}: a page has 1 to {PAGE_LIMIT} items"
        ))),
    }
}

/// The values of `name=a,b,c`.
pub(super) fn list<T>(
    name: &str,
    text: Option<&str>,
    read: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let values: Vec<&str> = text.split(',').map(str::trim).collect();
    if values.len() > LIST_LIMIT {
        return Err(Problem::bad_request(format!(
            "{name} has {} values; at most {LIST_LIMIT} are taken",
            values.len()
        )));
    }
    values.into_iter().map(read).collect()
}

/// A word of a closed list, such as a status.
pub(super) fn word<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Problem> {
    serde_json::from_value(Value::from(text))
        .map_err(|error| Problem::bad_request(format!("{name}={text}: {error}")))
}

/// A value with its own form, such as a time or a device.
pub(super) fn parsed<T>(name: &str, text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| Problem::bad_request(format!("{name}: {error}")))
}

/// The version in `If-Match`: `"3"` or `3`. `*` asks for nothing, since what does not exist is refused anyway.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    number.parse().map(Some).map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        Problem::bad_request(format!(
            "If-Match: {shown} is not a version; use the ETag of the ticket, such as \"3\""
        ))
    })
}
