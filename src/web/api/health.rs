//! `/healthz`, `/readyz` and `/metrics`: for those who watch the daemon; without a token, and without secrets.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::WebState;
use crate::web::problem::Problem;

/// The format of the metrics.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// It runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthAnswer {
    /// `ok`.
    status: &'static str,
    version: &'static str,
}

/// Whether it can do its work.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(super) struct ReadinessAnswer {
    ready: bool,
    checks: Vec<CheckAnswer>,
}

/// One thing that has to work.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub(super) struct CheckAnswer {
    name: String,
    ok: bool,
    detail: String,
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, body = HealthAnswer)))]
pub(super) async fn healthz() -> Json<HealthAnswer> {
    Json(HealthAnswer {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Everything it needs works; 503 while something does not.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses((status = 200, body = ReadinessAnswer), (status = 503, body = ReadinessAnswer)))]
pub(super) async fn readyz(State(state): State<WebState>) -> Response {
    let store = state.store.ping().await;
    let mut checks = vec![CheckAnswer {
        name: "store".to_owned(),
        ok: store.is_ok(),
        detail: match store {
            Ok(()) => "answers".to_owned(),
            Err(error) => error.to_string(),
        },
    }];
    checks.extend(
        state
            .backend
            .readiness()
            .into_iter()
            .map(|check| CheckAnswer {
                name: check.name.to_string(),
                ok: check.ok,
                detail: check.detail,
            }),
    );
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(ReadinessAnswer { ready, checks })).into_response()
}

/// Counters and gauges for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", security(()),
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(state): State<WebState>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &state.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            Problem::internal().into_response()
        }
    }
}
