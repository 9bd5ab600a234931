//! What people do with tickets, devices and rejected messages.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use serde_json::json;

use crate::telemetry::{Control, DeviceAction, Position, TicketAction, Verdict, WaitFor};

use super::{asked, site, site_that_waits};

const ACTIONS: &str = "/api/v1/tickets/T-1/actions";
const DEVICE: &str = "/api/v1/devices/ts-flash5/TSF5-000123/actions";

fn ticket_actions(told: Vec<Control>) -> Vec<TicketAction> {
    told.into_iter()
        .filter_map(|control| match control {
            Control::Ticket { action, .. } => Some(action),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn an_action_answers_with_the_ticket_after_it() {
    let site = site().await;
    let reply = site.post(ACTIONS, r#"{"action":"assign","to":"li"}"#).await;
    reply.is_ok();
    assert_eq!(reply.headers[header::ETAG], "\"2\"");
    assert_eq!(
        (&reply.body["version"], &reply.body["assignee"]),
        (&2.into(), &"li".into())
    );
    assert_eq!(reply.body["timeline"][1]["by"], "admin");
    let mine = site.get("/api/v1/tickets?assignee=li").await;
    assert_eq!(mine.items("id"), ["T-1"]);
}

#[tokio::test]
async fn every_action_reaches_the_journal_as_it_was_meant() {
    let site = site().await;
    for body in [
        r#"{"action":"acknowledge"}"#,
        r#"{"action":"start"}"#,
        r#"{"action":"wait","for":"part","until":"2026-03-05T00:00:00Z"}"#,
        r#"{"action":"resolve","verdict":"confirmed_fault","parts":["FILTER-F5"]}"#,
        r#"{"action":"reopen"}"#,
        r#"{"action":"close"}"#,
    ] {
        site.post(ACTIONS, body).await.is_ok();
    }
    let told = ticket_actions(site.backend.told());
    let until = "2026-03-05T00:00:00Z".parse().expect("a time");
    assert_eq!(
        told,
        [
            TicketAction::Acknowledge,
            TicketAction::Start,
            TicketAction::Wait {
                reason: WaitFor::Part,
                until
            },
            TicketAction::Resolve {
                verdict: Verdict::ConfirmedFault,
                parts: vec!["FILTER-F5".into()],
                note: None
            },
            TicketAction::Reopen { reason: None },
            TicketAction::Close,
        ]
    );
}

#[tokio::test]
async fn texts_stay_out_of_the_journal() {
    let site = site().await;
    for body in [
        r#"{"action":"comment","text":"call Mrs Wang"}"#,
        r#"{"action":"resolve","verdict":"declined","note":"call Mrs Wang"}"#,
        r#"{"action":"reopen","reason":"call Mrs Wang"}"#,
        r#"{"action":"wait","for":"visit","until":"2026-03-05T00:00:00Z","note":"call Mrs Wang"}"#,
    ] {
        let reply = site.post(ACTIONS, body).await;
        reply.is_ok();
        let line = reply.body["timeline"]
            .as_array()
            .and_then(|lines| lines.last())
            .expect("a line");
        assert_eq!(line["text"], "call Mrs Wang", "{body}");
    }
    let told = site.backend.told();
    assert_eq!(told.len(), 5, "the note of a wait is a comment of its own");
    let journal = serde_json::to_string(&told).expect("JSON");
    assert!(!journal.contains("Wang"), "{journal}");
}

#[tokio::test]
async fn a_stale_version_is_refused() {
    let site = site().await;
    site.post(ACTIONS, r#"{"action":"acknowledge"}"#)
        .await
        .is_ok();
    let body = r#"{"action":"start"}"#;
    for tag in ["\"1\"", "1", "W/\"1\""] {
        let reply = site.post_with(ACTIONS, body, &[("if-match", tag)]).await;
        reply.is_problem(412, &["2"]);
        assert_eq!(reply.body["current_version"], 2);
        assert_eq!(reply.body["reason"]["zh"], "当前版本为 2");
    }
    let reply = site
        .post(ACTIONS, r#"{"action":"start","expected_version":1}"#)
        .await;
    reply.is_problem(412, &[]);
    site.post_with(ACTIONS, body, &[("if-match", "x")])
        .await
        .is_problem(400, &["If-Match", "ETag"]);
    let both = r#"{"action":"start","expected_version":1}"#;
    site.post_with(ACTIONS, both, &[("if-match", "\"2\"")])
        .await
        .is_problem(422, &["one of them"]);
    site.post_with(ACTIONS, body, &[("if-match", "*")])
        .await
        .is_ok();
    site.post_with(ACTIONS, body, &[("if-match", "\"3\"")])
        .await
        .is_ok();
}

#[tokio::test]
async fn an_action_that_cannot_be_read_is_refused_with_what_was_expected() {
    let site = site().await;
    for (body, status, says) in [
        ("", 400, "JSON"),
        ("{", 400, "line 1 column"),
        ("[]", 400, "object"),
        ("null", 400, "object"),
        ("{}", 422, "acknowledge, assign"),
        (r#"{"action":7}"#, 422, "acknowledge, assign"),
        (r#"{"action":"fix"}"#, 422, "'fix'"),
        (r#"{"action":"start","to":"li"}"#, 422, "unknown field `to`"),
        (r#"{"action":"assign"}"#, 422, "missing field `to`"),
        (r#"{"action":"assign","to":""}"#, 422, "1 to 64"),
        (r#"{"action":"assign","to":"a\nb"}"#, 422, "1 to 64"),
        (
            r#"{"action":"assign","who":"li"}"#,
            422,
            "unknown field `who`",
        ),
        (
            r#"{"action":"wait","for":"rain","until":"2026-03-05T00:00:00Z"}"#,
            422,
            "visit",
        ),
        (
            r#"{"action":"wait","for":"part","until":"soon"}"#,
            422,
            "2026-03-01T06:41:09.120Z",
        ),
        (r#"{"action":"comment","text":"  "}"#, 422, "empty"),
        (
            r#"{"action":"resolve","verdict":"fine"}"#,
            422,
            "confirmed_fault",
        ),
        (
            r#"{"action":"start","expected_version":"2"}"#,
            422,
            "whole number",
        ),
    ] {
        site.post(ACTIONS, body).await.is_problem(status, &[says]);
    }
    let long = format!(
        r#"{{"action":"comment","text":"{}"}}"#,
        "x".repeat(16 * 1024 + 1)
    );
    site.post(ACTIONS, &long).await.is_problem(422, &["16384"]);
    let huge = format!(
        r#"{{"action":"comment","text":"{}"}}"#,
        "x".repeat(64 * 1024)
    );
    site.post(ACTIONS, &huge).await.is_problem(413, &["65536"]);
    let untyped = asked("POST", ACTIONS)
        .body(Body::from(r#"{"action":"start"}"#))
        .expect("a request");
    site.send(untyped)
        .await
        .is_problem(415, &["application/json"]);
    site.post("/api/v1/tickets/T-9/actions", r#"{"action":"start"}"#)
        .await
        .is_problem(404, &["T-9"]);
    assert!(site.backend.told().is_empty());
}

#[tokio::test]
async fn what_the_desk_refuses_is_told() {
    let site = site().await;
    let reply = site.post(ACTIONS, r#"{"action":"close"}"#).await;
    reply.is_problem(409, &["not allowed while new"]);
    assert_eq!(reply.body["reason"]["zh"], "不允许");
}

#[tokio::test]
async fn the_same_key_does_it_once() {
    let site = site().await;
    let key = [("idempotency-key", "k-1")];
    let body = r#"{"action":"comment","text":"once"}"#;
    let first = site.post_with(ACTIONS, body, &key).await;
    let again = site.post_with(ACTIONS, body, &key).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    assert_eq!(again.headers[header::ETAG], "\"2\"");
    assert_eq!(site.backend.told().len(), 1);
    let other = r#"{"action":"comment","text":"twice"}"#;
    site.post_with(ACTIONS, other, &key)
        .await
        .is_problem(422, &["another request"]);
    // The same key on another ticket is another request, and a refusal is not remembered.
    site.post_with("/api/v1/tickets/T-2/actions", body, &key)
        .await
        .is_ok();
    let close = r#"{"action":"close"}"#;
    let key = [("idempotency-key", "k-2")];
    site.post_with("/api/v1/tickets/T-3/actions", close, &key)
        .await
        .is_problem(409, &[]);
    site.post("/api/v1/tickets/T-3/actions", r#"{"action":"start"}"#)
        .await
        .is_ok();
    site.post_with("/api/v1/tickets/T-3/actions", close, &key)
        .await
        .is_ok();
    for key in ["", &"k".repeat(256)] {
        let reply = site
            .post_with(ACTIONS, body, &[("idempotency-key", key)])
            .await;
        reply.is_problem(400, &["255"]);
    }
}

#[tokio::test]
async fn an_action_that_takes_long_is_accepted() {
    let site = site_that_waits(Duration::from_millis(5)).await;
    site.backend.stuck.store(true, Ordering::Relaxed);
    let reply = site.post(ACTIONS, r#"{"action":"start"}"#).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(reply.body["accepted"], true);
    let reply = site.post(DEVICE, r#"{"action":"retire"}"#).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn more_actions_than_the_limit_are_told_to_come_back() {
    let site = site_that_waits(Duration::from_millis(5)).await;
    site.backend.stuck.store(true, Ordering::Relaxed);
    for _ in 0..crate::web::once::ACTIONS_LIMIT {
        let reply = site.post(DEVICE, r#"{"action":"retire"}"#).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED);
    }
    let reply = site.post(DEVICE, r#"{"action":"retire"}"#).await;
    reply.is_problem(503, &["under way"]);
    assert!(reply.headers.contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn a_full_journal_is_told_with_when_to_come_back() {
    let site = site().await;
    site.backend.full.store(true, Ordering::Relaxed);
    let reply = site.post(ACTIONS, r#"{"action":"start"}"#).await;
    reply.is_problem(503, &["journal is full"]);
    assert_eq!(reply.headers[header::RETRY_AFTER], "7");
}

#[tokio::test]
async fn device_actions_reach_the_journal() {
    let site = site().await;
    for body in [
        r#"{"action":"part_replaced","part":"FILTER-F5","lot":"L9"}"#,
        r#"{"action":"retire"}"#,
        r#"{"action":"adopt"}"#,
        r#"{"action":"set","region":"east","tz":"Asia/Shanghai","lots":{"heater":"H7"}}"#,
    ] {
        let reply = site.post(DEVICE, body).await;
        reply.is_ok();
        assert_eq!(reply.body["done"], true);
    }
    let told: Vec<_> = site
        .backend
        .told()
        .into_iter()
        .filter_map(|control| match control {
            Control::Device { action, by, device } => {
                assert_eq!(
                    (by.as_str(), device.as_str()),
                    ("admin", "ts-flash5/TSF5-000123")
                );
                Some(action)
            }
            _ => None,
        })
        .collect();
    let part = DeviceAction::PartReplaced {
        part: "FILTER-F5".into(),
        lot: Some("L9".into()),
    };
    assert_eq!(told[..3], [part, DeviceAction::Retire, DeviceAction::Adopt]);
    let DeviceAction::Set { identity } = &told[3] else {
        panic!("{:?} is no set", told[3]);
    };
    assert_eq!(identity.region.as_deref(), Some("east"));
    assert_eq!(identity.lots["heater"], "H7");
}

#[tokio::test]
async fn a_device_action_that_cannot_be_done_is_refused() {
    let site = site().await;
    for (body, says) in [
        (r#"{"action":"explode"}"#, "part_replaced"),
        (r#"{"action":"part_replaced"}"#, "part"),
        (r#"{"action":"part_replaced","part":"X"}"#, "FILTER-F5"),
        (r#"{"action":"set"}"#, "at least one"),
        (r#"{"action":"set","tz":"Shanghai"}"#, "Asia/Shanghai"),
        (
            r#"{"action":"set","owner":"Wang"}"#,
            "unknown field `owner`",
        ),
        (r#"{"action":"set","region":" east"}"#, "region"),
        (r#"{"action":"retire","why":"x"}"#, "unknown field `why`"),
    ] {
        site.post(DEVICE, body).await.is_problem(422, &[says]);
    }
    let stale = site
        .post_with(DEVICE, r#"{"action":"retire"}"#, &[("if-match", "1")])
        .await;
    stale.is_problem(400, &["no version"]);
    for (path, body) in [
        (
            "/api/v1/devices/ts-flash5/never/actions",
            r#"{"action":"retire"}"#,
        ),
        ("/api/v1/devices/strange/1/actions", r#"{"action":"adopt"}"#),
        ("/api/v1/devices/TS/1/actions", r#"{"action":"adopt"}"#),
    ] {
        site.post(path, body).await.is_problem(404, &[]);
    }
    assert!(site.backend.told().is_empty());
    // A registry may tell of a device before it speaks.
    site.post(
        "/api/v1/devices/ts-flash5/never/actions",
        r#"{"action":"adopt"}"#,
    )
    .await
    .is_ok();
}

#[tokio::test]
async fn what_the_journal_does_not_have_any_more_is_said_and_not_replayed() {
    let site = site().await;
    let path = "/api/v1/rejected/replay";
    site.backend.first_kept.store(6, Ordering::Relaxed);
    let reply = site.post(path, r#"{"reason":"unknown_model"}"#).await;
    assert_eq!(
        reply.body,
        json!({"positions": [6], "gone": [4, 5], "more": false, "done": true})
    );
    let reply = site.post(path, r#"{"positions":[4]}"#).await;
    assert_eq!(
        reply.body,
        json!({"positions": [], "gone": [4], "more": false, "done": true})
    );
    assert_eq!(site.backend.replayed(), [vec![Position(6)]]);
}

#[tokio::test]
async fn rejected_messages_are_replayed_oldest_first() {
    let site = site().await;
    let path = "/api/v1/rejected/replay";
    let reply = site.post(path, r#"{"positions":[6,4,99]}"#).await;
    reply.is_ok();
    assert_eq!(
        reply.body,
        json!({"positions": [4, 6], "gone": [], "more": false, "done": true})
    );
    let reply = site.post(path, r#"{"reason":"unknown_model"}"#).await;
    assert_eq!(reply.body["positions"], json!([4, 5, 6]));
    let reply = site.post(path, r#"{"reason":"no_time"}"#).await;
    assert_eq!(
        reply.body,
        json!({"positions": [], "gone": [], "more": false, "done": true})
    );
    let replayed = site.backend.replayed();
    assert_eq!(replayed.len(), 2, "nothing to replay is not asked for");
    assert_eq!(replayed[0], [Position(4), Position(6)]);
    for (body, status, says) in [
        ("{}", 422, "reason"),
        (r#"{"positions":[]}"#, 422, "1 to 500"),
        (r#"{"positions":[-1]}"#, 422, "-1"),
        (r#"{"positions":[1],"reason":"x"}"#, 422, "either"),
        (r#"{"all":true}"#, 422, "unknown field `all`"),
        (r#"{"device":"x"}"#, 400, "model/serial"),
    ] {
        site.post(path, body).await.is_problem(status, &[says]);
    }
}
