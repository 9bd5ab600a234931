//! Every refusal and failure as a problem document of RFC 9457, with a sentence that helps.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::store::StoreError;
use crate::telemetry::Text;

use super::backend::{RefusalKind, SeriesReadError, SubmitError};

/// When to try again after a passing failure, in seconds: a locked file or a busy journal is over by then.
const RETRY_AFTER_S: u64 = 2;

/// A refusal or failure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    status: StatusCode,
    /// Last part of the problem's `type`.
    name: &'static str,
    title: &'static str,
    detail: String,
    /// Further members.
    more: Map<String, Value>,
    retry_after_s: Option<u64>,
}

impl Problem {
    fn new(
        status: StatusCode,
        name: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            name,
            title,
            detail: detail.into(),
            more: Map::new(),
            retry_after_s: None,
        }
    }

    /// 400: the request cannot be read.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        let title = "The request cannot be read";
        Self::new(StatusCode::BAD_REQUEST, "bad-request", title, detail)
    }

    /// 422: it can be read, and what it says cannot be done.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        let title = "The content cannot be used";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", title, detail)
    }

    /// 401: who are you?
    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        let title = "A token is needed";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", title, detail)
    }

    /// 404.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 405.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Not with this method",
            "this address does not take the request's method; the header Allow lists those it takes",
        )
    }

    /// 409.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        let title = "The present state does not allow it";
        Self::new(StatusCode::CONFLICT, "conflict", title, detail)
    }

    /// 412: the caller saw an older version.
    pub(super) fn stale(current: u64, detail: impl Into<String>) -> Self {
        let title = "It was changed meanwhile";
        let status = StatusCode::PRECONDITION_FAILED;
        Self::new(status, "stale-version", title, detail).with("current_version", json!(current))
    }

    /// 413.
    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        let title = "The request is too large";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title, detail)
    }

    /// 415.
    pub(super) fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Not in this format",
            "the body has to be JSON, with the header Content-Type: application/json",
        )
    }

    /// 503: try again.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        let title = "Not available now";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut problem = Self::new(status, "unavailable", title, detail);
        problem.retry_after_s = Some(RETRY_AFTER_S);
        problem
    }

    /// 500: a fault of our own; what it was stands in the log.
    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "A fault of Foremend",
            "something went wrong inside; the log tells more",
        )
    }

    /// What the pipeline refused.
    pub(super) fn refused(kind: RefusalKind, reason: &Text) -> Self {
        let problem = match kind {
            RefusalKind::Unknown => Self::not_found(reason.en.clone()),
            RefusalKind::Stale { current } => Self::stale(current, reason.en.clone()),
            RefusalKind::Conflict => Self::conflict(reason.en.clone()),
            RefusalKind::Invalid => Self::invalid(reason.en.clone()),
        };
        problem.with("reason", json!({"en": reason.en, "zh": reason.zh}))
    }

    /// The status that it is answered with.
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, for a person: what the pipeline said in both languages, else the detail.
    pub(super) fn text(&self) -> Text {
        self.more
            .get("reason")
            .and_then(|reason| serde_json::from_value(reason.clone()).ok())
            .unwrap_or_else(|| Text::same(&self.detail))
    }

    /// With a further member.
    #[must_use]
    pub(super) fn with(mut self, member: &str, value: Value) -> Self {
        self.more.insert(member.to_owned(), value);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:foremend:problem:{}", self.name),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(members) = body.as_object_mut() {
            members.extend(self.more);
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"foremend\""),
            );
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cursor(_) => Self::bad_request(error.to_string()),
            StoreError::TooLarge { .. } => Self::invalid(error.to_string()),
            StoreError::Unavailable(source) => {
                tracing::warn!(error = %source, "the store did not answer a request");
                Self::unavailable("the store does not answer")
            }
            StoreError::ForeignJournal { .. }
            | StoreError::Open { .. }
            | StoreError::TwoOpenTickets { .. }
            | StoreError::RepeatedVersion { .. }
            | StoreError::TicketId(_)
            | StoreError::Corrupt { .. } => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, ?source, "a request failed");
                Self::internal()
            }
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let mut problem = Self::unavailable(error.to_string());
        if let SubmitError::Full { retry_after } = error {
            problem.retry_after_s = Some(retry_after.as_secs().max(1));
        }
        problem
    }
}

impl From<SeriesReadError> for Problem {
    fn from(error: SeriesReadError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::not_found(rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}
