//! Who may ask, what every answer carries, and that the description is complete.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use crate::web::api;

use super::{Site, asked, site};

/// An address with something in place of its variables.
fn filled(path: &str) -> String {
    path.replace("{id}", "T-1")
        .replace("{model}", "ts-flash5")
        .replace("{serial}", "TSF5-000123")
}

async fn bare(site: &Site, method: &str, path: &str, token: Option<&str>) -> super::Reply {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, token);
    }
    site.send(request.body(Body::empty()).expect("a request"))
        .await
}

#[tokio::test]
async fn nothing_protected_is_answered_without_a_known_token() {
    let site = site().await;
    let routes = api::protected();
    assert!(routes.len() >= 12);
    for route in routes {
        let method = route.method.to_uppercase();
        let path = filled(route.path);
        for token in [
            None,
            Some("Bearer wrong"),
            Some("Basic 0123456789abcdef"),
            Some("0123456789abcdef"),
            Some("Bearer "),
        ] {
            let reply = bare(&site, &method, &path, token).await;
            reply.is_problem(401, &["token"]);
            assert!(
                reply.headers[header::WWW_AUTHENTICATE]
                    .to_str()
                    .expect("text")
                    .starts_with("Bearer")
            );
        }
    }
    assert!(site.backend.told().is_empty());
}

#[tokio::test]
async fn health_metrics_and_description_need_no_token() {
    let site = site().await;
    for route in api::open() {
        let reply = bare(&site, "GET", route.path, None).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", route.path);
        assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
    }
}

#[tokio::test]
async fn the_description_lists_every_address_and_no_other() {
    let site = site().await;
    let described = site.get("/api/v1/openapi.json").await;
    let mut listed = BTreeSet::new();
    for (path, methods) in described.body["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            listed.insert((method.clone(), path.clone()));
            let open = operation.get("security") == Some(&serde_json::json!([{}]))
                || operation.get("security") == Some(&serde_json::json!([]));
            let served_open = api::open().iter().any(|route| route.path == path);
            assert_eq!(
                open, served_open,
                "security of {path}: {}",
                operation["security"]
            );
        }
    }
    let served: BTreeSet<_> = api::protected()
        .iter()
        .chain(&api::open())
        .map(|route| (route.method.to_owned(), route.path.to_owned()))
        .collect();
    assert_eq!(listed, served);
    assert!(described.body["components"]["securitySchemes"]["token"].is_object());
    let ticket = described.body["components"]["schemas"]["Ticket"]["properties"]
        .as_object()
        .expect("a ticket");
    assert!(ticket.contains_key("first_event_time"));
}

#[tokio::test]
async fn the_descriptions_references_all_lead_somewhere() {
    let site = site().await;
    let text = site.get("/api/v1/openapi.json").await.body;
    let schemas = text["components"]["schemas"]
        .as_object()
        .expect("schemas")
        .clone();
    for part in text.to_string().split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().expect("a name");
        assert!(schemas.contains_key(name), "{name} is not described");
    }
}

#[tokio::test]
async fn an_unknown_address_is_a_problem() {
    let site = site().await;
    for path in [
        "/nothing",
        "/api/v1",
        "/api/v1/ticket",
        "/api/v1/tickets/T-1/x",
        "/api/v2/tickets",
    ] {
        site.get(path).await.is_problem(404, &[path]);
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_problem() {
    let site = site().await;
    for (method, path) in [
        ("DELETE", "/api/v1/tickets/T-1"),
        ("GET", "/api/v1/rejected/replay"),
        ("POST", "/healthz"),
    ] {
        let request = asked(method, path).body(Body::empty()).expect("a request");
        let reply = site.send(request).await;
        reply.is_problem(405, &["Allow"]);
        assert!(reply.headers.contains_key(header::ALLOW));
    }
}

#[tokio::test]
async fn ready_means_that_everything_works() {
    let site = site().await;
    let reply = site.get("/readyz").await;
    reply.is_ok();
    assert_eq!(reply.body["ready"], true);
    site.backend.sick.store(true, Ordering::Relaxed);
    let reply = site.get("/readyz").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.body["checks"][1]["name"], "journal");
    site.backend.sick.store(false, Ordering::Relaxed);
    site.store.close().await;
    let reply = site.get("/readyz").await;
    assert_eq!(reply.body["checks"][0]["ok"], false);
    // The process itself is well.
    site.get("/healthz").await.is_ok();
    site.get("/api/v1/tickets")
        .await
        .is_problem(503, &["store"]);
}

#[tokio::test]
async fn metrics_are_openmetrics_text() {
    let site = site().await;
    let reply = site.get("/metrics").await;
    assert!(
        reply.headers[header::CONTENT_TYPE]
            .to_str()
            .expect("text")
            .starts_with("application/openmetrics-text")
    );
    let text = reply.body.as_str().expect("text");
    assert!(text.contains("foremend_messages_received_total 0"));
    assert!(text.ends_with("# EOF\n"));
}
