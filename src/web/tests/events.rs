//! Following changes.

use axum::body::Body;
use futures_util::StreamExt as _;

use crate::store::Batch;
use crate::telemetry::Position;

use super::{Site, asked, site};

/// Reads the stream until it has said `until`, or ended.
async fn listen(
    site: &Site,
    last: Option<&str>,
    act: impl AsyncFnOnce(&Site),
    until: &str,
) -> String {
    let mut request = asked("GET", "/api/v1/events");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = site
        .raw(request.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    act(site).await;
    let mut stream = response.into_body().into_data_stream();
    let mut heard = String::new();
    while !heard.contains(until) {
        match stream.next().await {
            Some(chunk) => heard.push_str(&String::from_utf8_lossy(&chunk.expect("no error"))),
            None => break,
        }
    }
    heard
}

async fn commit(site: &Site) {
    let changes = [super::opened(
        4,
        "TSF5-000126",
        crate::profile::Severity::S2,
    )];
    let batch = Batch {
        position: Position(11),
        changes: &changes,
        ..Batch::default()
    };
    site.store.apply(batch).await.expect("committed");
}

async fn close(site: &Site) {
    site.closing.send_replace(true);
}

#[tokio::test]
async fn a_follower_hears_what_happens_from_now_on() {
    let site = site().await;
    let heard = listen(&site, None, commit, "\n\n").await;
    assert!(heard.contains("event: ticket"), "{heard}");
    assert!(heard.contains("id: 4"), "{heard}");
    assert!(
        heard.contains(r#""ticket":"T-4""#) && heard.contains(r#""severity":"S2""#),
        "{heard}"
    );
    assert!(
        !heard.contains("T-1"),
        "what was before is not told: {heard}"
    );
}

#[tokio::test]
async fn a_follower_that_comes_back_misses_nothing() {
    let site = site().await;
    let heard = listen(&site, Some("1"), commit, "T-4").await;
    let told: Vec<_> = heard
        .lines()
        .filter(|line| line.starts_with("id: "))
        .collect();
    assert_eq!(told, ["id: 2", "id: 3", "id: 4"]);
}

#[tokio::test]
async fn a_follower_is_let_go_when_the_daemon_closes() {
    let site = site().await;
    let heard = listen(&site, None, close, "never said").await;
    assert_eq!(heard, "");
}

#[tokio::test]
async fn a_wrong_last_event_id_is_refused() {
    let site = site().await;
    let request = asked("GET", "/api/v1/events").header("last-event-id", "x");
    let reply = site
        .send(request.body(Body::empty()).expect("a request"))
        .await;
    reply.is_problem(400, &["Last-Event-ID"]);
}
