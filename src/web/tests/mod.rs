//! The API as its callers see it: requests to the router, without a socket.

mod access;

mod actions;

mod browser;

mod device;

mod device_forms;

mod double;

mod events;

mod overviews;

mod pages;

mod program;

mod reads;

mod ticket_page;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::profile::Severity;
use crate::store::{Batch, DeviceUpdate, RejectedMessage, Store};
use crate::telemetry::{Position, RejectReason};

use super::{Tokens, WebHandles, assemble, once};
use double::{Double, NOW, ThreeValues, opened};

const TOKEN: &str = "0123456789abcdef";

/// The web with three tickets, two devices and three rejected messages behind it.
struct Site {
    router: Router,
    backend: Arc<Double>,
    series: Arc<ThreeValues>,
    store: Store,
    closing: watch::Sender<bool>,
    _dir: TempDir,
}

/// What came back.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

async fn site() -> Site {
    site_that_waits(once::ANSWER_WAIT).await
}

async fn site_that_waits(answer_wait: Duration) -> Site {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("store.sqlite"), "journal-1")
        .await
        .expect("a store");
    fill(&store).await;
    let backend = Arc::new(Double::new(store.clone()));
    let series = Arc::new(ThreeValues {
        asked: Mutex::default(),
        down: AtomicBool::new(false),
    });
    let closing = watch::Sender::new(false);
    let mut registry = Registry::default();
    registry.register(
        "foremend_messages_received",
        "Messages",
        Counter::<u64>::default(),
    );
    let handles = WebHandles {
        backend: backend.clone(),
        store: store.clone(),
        series: series.clone(),
        tokens: Tokens::single("admin", TOKEN),
        registry: Arc::new(registry),
        closing: closing.subscribe(),
        site: crate::web::Site {
            timezone: chrono_tz::Asia::Shanghai,
        },
    };
    let router = assemble(handles, answer_wait);
    Site {
        router,
        backend,
        series,
        store,
        closing,
        _dir: dir,
    }
}

async fn fill(store: &Store) {
    let changes = [
        opened(1, "TSF5-000123", Severity::S3),
        opened(2, "TSF5-000124", Severity::S1),
        opened(3, "TSF5-000125", Severity::S2),
    ];
    let devices = [0, 1].map(|n: usize| DeviceUpdate::seen(changes[n].ticket.device.clone(), NOW));
    let rejected = [4_u64, 5, 6].map(|position| RejectedMessage {
        position: Position(position),
        received_at: NOW,
        source: "listener".into(),
        topic: "appl/v1/x/y/tele".into(),
        reason: RejectReason::UnknownModel,
        detail: "no profile knows the model x".into(),
        payload: bytes::Bytes::from_static(b"{}"),
        device: None,
        item: None,
    });
    let batch = Batch {
        position: Position(10),
        received_at: NOW,
        changes: &changes,
        rejected: &rejected,
        devices: &devices,
        ..Batch::default()
    };
    store.apply(batch).await.expect("committed");
}

impl Site {
    async fn raw(&self, request: Request<Body>) -> Response {
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("a router always answers")
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.raw(request).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.expect("a body");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(asked("GET", path).body(Body::empty()).expect("a request"))
            .await
    }

    async fn post(&self, path: &str, body: &str) -> Reply {
        self.post_with(path, body, &[]).await
    }

    async fn post_with(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = asked("POST", path).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(
            request
                .body(Body::from(body.to_owned()))
                .expect("a request"),
        )
        .await
    }
}

impl Reply {
    /// It is a problem of this status whose detail says all of this.
    fn is_problem(&self, status: u16, says: &[&str]) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(self.body["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(
                self.body[member].is_string(),
                "no {member} in {}",
                self.body
            );
        }
        let detail = self.body["detail"].as_str().expect("a detail");
        for word in says {
            assert!(detail.contains(word), "'{detail}' does not say '{word}'");
        }
    }

    fn is_ok(&self) {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
    }

    /// One field of every item.
    fn items(&self, field: &str) -> Vec<&str> {
        self.is_ok();
        let items = self.body["items"].as_array().expect("a list");
        items
            .iter()
            .map(|item| item[field].as_str().expect("a text"))
            .collect()
    }
}

fn asked(method: &str, path: &str) -> Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
}
