//! Reading tickets, devices, series, rejected messages and profiles.

use axum::http::header;
use serde_json::Value;

use crate::telemetry::Measurement;

use super::site;

#[tokio::test]
async fn the_queue_is_listed_by_urgency() {
    let site = site().await;
    let reply = site.get("/api/v1/tickets").await;
    assert_eq!(reply.items("id"), ["T-2", "T-3", "T-1"]);
    assert_eq!(reply.body["next"], Value::Null);
}

#[tokio::test]
async fn tickets_are_filtered() {
    let site = site().await;
    for (query, expected) in [
        ("status=new,acknowledged", &["T-2", "T-3", "T-1"][..]),
        ("status=closed", &[]),
        ("model=ts-flash5", &["T-2", "T-3", "T-1"]),
        ("model=other", &[]),
        ("device=ts-flash5/TSF5-000123", &["T-1"]),
        ("device=ts-flash5%2FTSF5-000123", &["T-1"]),
        ("fault=scale&severity=S2,S3", &["T-3", "T-1"]),
        ("q=0124", &["T-2"]),
        ("q=T-3", &["T-3"]),
        ("q=", &["T-2", "T-3", "T-1"]),
        ("open=false", &[]),
        ("assignee=none", &["T-2", "T-3", "T-1"]),
        ("assignee=me", &[]),
        ("kind=notice", &[]),
        ("region=east", &[]),
        ("lot=L1", &[]),
        ("updated_after=2026-03-01T06:41:08.122Z", &["T-3"]),
        ("updated_after=2026-03-01T14:41:08.122%2B08:00", &["T-3"]),
        ("sort=opened", &["T-3", "T-2", "T-1"]),
        ("sort=updated", &["T-1", "T-2", "T-3"]),
    ] {
        let reply = site.get(&format!("/api/v1/tickets?{query}")).await;
        assert_eq!(reply.items("id"), expected, "{query}");
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_is_refused_with_what_was_expected() {
    let site = site().await;
    for (query, says) in [
        ("stauts=new", "unknown field `stauts`"),
        ("team=a", "unknown field `team`"),
        ("status=done", "in_progress"),
        ("status=new,", "unknown variant"),
        ("severity=S5", "S4"),
        ("device=nonsense", "model/serial"),
        ("open=maybe", "open"),
        ("kind=x", "notice"),
        ("updated_after=yesterday", "2026-03-01T06:41:09.120Z"),
        ("sort=due", "urgency"),
        ("limit=0", "1 to 500"),
        ("limit=501", "1 to 500"),
        ("limit=-1", "limit"),
        ("after=x", "next"),
        ("after=opened.1.2", "same sort"),
        ("status=new&status=closed", "duplicate field"),
    ] {
        site.get(&format!("/api/v1/tickets?{query}"))
            .await
            .is_problem(400, &[says]);
    }
}

#[tokio::test]
async fn pages_follow_each_other() {
    let site = site().await;
    let first = site.get("/api/v1/tickets?limit=2").await;
    assert_eq!(first.items("id"), ["T-2", "T-3"]);
    let next = first.body["next"].as_str().expect("another page");
    let second = site
        .get(&format!("/api/v1/tickets?limit=2&after={next}"))
        .await;
    assert_eq!(second.items("id"), ["T-1"]);
    assert_eq!(second.body["next"], Value::Null);
}

#[tokio::test]
async fn a_ticket_has_every_field_of_the_contract() {
    let site = site().await;
    let reply = site.get("/api/v1/tickets/T-1").await;
    reply.is_ok();
    assert_eq!(reply.headers[header::ETAG], "\"1\"");
    let fields = "id version kind code device model serial fault title stage severity status level team assignee case problem \
        opened_at event_time first_event_time updated_at cleared_at resolved_at closed_at occurrences reason evidence \
        profile_version cause action parts message guide lot firmware region warranty customer_ref waiting sla visits verdict \
        timeline deliveries";
    let ticket = reply.body.as_object().expect("an object");
    for field in fields.split_whitespace() {
        assert!(ticket.contains_key(field), "no {field}");
    }
    let ticket = &reply.body;
    assert_eq!(ticket["device"], "ts-flash5/TSF5-000123");
    assert_eq!(
        (&ticket["model"], &ticket["serial"]),
        (&"ts-flash5".into(), &"TSF5-000123".into())
    );
    assert_eq!(ticket["opened_at"], "2026-03-01T06:41:08.121Z");
    assert_eq!(
        ticket["cause"],
        serde_json::json!({"id": "scale", "en": "Limescale", "zh": "水垢"})
    );
    // A word that the lists do not have stands for itself.
    assert_eq!(
        ticket["message"],
        serde_json::json!({"id": "M14", "en": "M14", "zh": "M14"})
    );
    assert_eq!(ticket["guide"][0]["zh"], "启动程序");
    assert_eq!(ticket["timeline"][0]["change"], "opened");
    for later in [
        "level",
        "team",
        "sla",
        "visits",
        "deliveries",
        "customer_ref",
    ] {
        assert_eq!(ticket[later], Value::Null);
    }
    let listed = &site.get("/api/v1/tickets?q=T-1").await.body["items"][0];
    assert_eq!(listed["timeline"], Value::Null);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let site = site().await;
    for path in [
        "/api/v1/tickets/T-99",
        "/api/v1/tickets/1",
        "/api/v1/tickets/T-01",
        "/api/v1/tickets/%00",
        "/api/v1/tickets/%ff",
        "/api/v1/tickets/T-99999999999999999999999",
        "/api/v1/devices/ts-flash5/none",
        "/api/v1/devices/TS/1",
        "/api/v1/profiles/none",
        "/api/v1/series?device=ts-flash5/none&signal=a",
    ] {
        site.get(path).await.is_problem(404, &[]);
    }
}

#[tokio::test]
async fn devices_are_listed_and_shown() {
    let site = site().await;
    let list = site.get("/api/v1/devices?model=ts-flash5&limit=1").await;
    assert_eq!(list.items("serial"), ["TSF5-000123"]);
    let next = list.body["next"].as_str().expect("another page");
    let list = site
        .get(&format!("/api/v1/devices?limit=1&after={next}"))
        .await;
    assert_eq!(list.items("serial"), ["TSF5-000124"]);
    site.get("/api/v1/devices?online=true").await.is_ok();
    site.get("/api/v1/devices?standing=broken")
        .await
        .is_problem(400, &["quarantined"]);
    site.get("/api/v1/devices?colour=red")
        .await
        .is_problem(400, &["colour"]);

    let device = site.get("/api/v1/devices/ts-flash5/TSF5-000123").await;
    device.is_ok();
    assert_eq!(device.body["open_tickets"], 1);
    assert_eq!(device.body["tickets"][0]["id"], "T-1");
    assert_eq!(
        device.body["faults"][0]["why"]["en"],
        "no water temperature"
    );
    assert_eq!(device.body["profile_version"], "0123456789ab");
    assert_eq!(device.body["standing"], "in_service");
    let other = site.get("/api/v1/devices/ts-flash5/TSF5-000124").await;
    assert_eq!(other.body["faults"], Value::Null);
}

#[tokio::test]
async fn a_series_is_read_in_the_signals_unit() {
    let site = site().await;
    let reply = site
        .get("/api/v1/series?device=ts-flash5/TSF5-000123&signal=outlet&from=2026-03-01T00:00:00Z&to=2026-03-01T01:00:00Z&points=10")
        .await;
    reply.is_ok();
    assert_eq!(reply.body["signal"], "water.out_c");
    assert_eq!(reply.body["unit"], "°C");
    assert_eq!(
        reply.body["items"][1],
        serde_json::json!({"at": "2026-03-01T00:00:00.001Z", "value": 2.0, "min": 1.0, "max": 3.0})
    );
    assert_eq!(
        reply.body["before"],
        serde_json::json!({"at": "2026-02-28T23:59:59.999Z", "value": 0.5})
    );
    assert_eq!(
        (&reply.body["first"], &reply.body["last"]),
        (
            &"2026-02-28T23:59:59.999Z".into(),
            &"2026-03-01T00:00:00.002Z".into()
        )
    );
    site.get("/api/v1/series?device=ts-flash5/TSF5-000123&signal=derive.heat_lag")
        .await
        .is_ok();
    let asked = site.series.asked.lock().expect("no panic").clone();
    assert_eq!(
        (asked[0].field.as_str(), asked[0].points),
        ("water.out_c", 10)
    );
    assert_eq!(asked[1].measurement, Measurement::Derived);
    assert_eq!(asked[1].field, "heat_lag");
    assert_eq!(asked[1].to.since(asked[1].from), 86_400_000);
}

#[tokio::test]
async fn a_series_that_cannot_be_read_says_why() {
    let site = site().await;
    let path = "/api/v1/series?device=ts-flash5/TSF5-000123";
    for (query, status, says) in [
        ("", 400, "signal"),
        ("&signal=", 400, "signal"),
        ("&signal=a&points=0", 400, "points"),
        ("&signal=a&points=5001", 400, "5000"),
        (
            "&signal=a&from=2026-03-01T00:00:00Z&to=2026-03-01T00:00:00Z",
            400,
            "before",
        ),
        ("&signal=a&from=now", 400, "from"),
        ("&signal=a&unit=F", 400, "unit"),
        ("&signal=broken", 503, "connection refused"),
    ] {
        site.get(&format!("{path}{query}"))
            .await
            .is_problem(status, &[says]);
    }
}

#[tokio::test]
async fn rejected_messages_are_listed_with_reason_and_payload() {
    let site = site().await;
    let reply = site
        .get("/api/v1/rejected?reason=unknown_model&replayed=false")
        .await;
    reply.is_ok();
    assert_eq!(reply.items("payload_text"), ["{}", "{}", "{}"]);
    assert_eq!(reply.body["items"][0]["position"], 6);
    assert_eq!(reply.body["items"][0]["payload_cut"], false);
    let none = site
        .get("/api/v1/rejected?device=ts-flash5/TSF5-000123")
        .await;
    assert!(none.items("topic").is_empty());
    site.get("/api/v1/rejected?after=device.x")
        .await
        .is_problem(400, &["cursor"]);
    site.get("/api/v1/rejected?since=x")
        .await
        .is_problem(400, &["since"]);
}

#[tokio::test]
async fn profiles_tell_their_faults_and_how_devices_stand() {
    let site = site().await;
    let list = site.get("/api/v1/profiles").await;
    assert_eq!(list.items("model"), ["ts-flash5"]);
    let profile = site.get("/api/v1/profiles/ts-flash5").await;
    profile.is_ok();
    let rule = &profile.body["rules"][0];
    assert_eq!(rule["fault"], "scale");
    assert_eq!(rule["cause"]["zh"], "水垢");
    assert_eq!(rule["warn"]["severity"], "S3");
    assert_eq!(rule["warn"]["looks_at"], serde_json::json!(["outlet"]));
    assert_eq!(rule["full"], Value::Null);
    assert_eq!(
        rule["devices"],
        serde_json::json!({"judged": 7, "learning": 2, "blind": 0, "blind_by": {}, "pending": 0, "active": 0})
    );
    assert_eq!(profile.body["parts"][0]["number"], "FILTER-F5");
}

#[tokio::test]
async fn messages_of_a_device_tell_what_was_refused_of_them() {
    let site = site().await;
    let path = "/api/v1/devices/ts-flash5/TSF5-000123/messages";
    let reply = site.get(&format!("{path}?limit=3")).await;
    reply.is_ok();
    assert_eq!(reply.body["items"][0]["position"], 6);
    assert_eq!(reply.items("payload_text"), ["{}", "{}", "{}"]);
    assert_eq!(reply.body["items"][0]["size"], 2);
    let refused = &reply.body["items"][0]["refused"][0];
    assert_eq!(refused["reason"], "unknown_model");
    assert_eq!(reply.body["next"], "4");
    let rest = site.get(&format!("{path}?after=4")).await;
    assert_eq!(rest.body["items"][0]["payload_hex"], "ff");
    assert_eq!(rest.body["items"][0]["payload_text"], Value::Null);
    for (query, says) in [
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("from=1", "from"),
    ] {
        site.get(&format!("{path}?{query}"))
            .await
            .is_problem(400, &[says]);
    }
}
