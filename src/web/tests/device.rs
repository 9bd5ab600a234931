//! A device's overview and signals as readers see them: how near its faults are, what is not known, who speaks for it.

use crate::detect::{Blind, Evidence, HoldView, Learning, OwnNormal, StageView, TermView};
use crate::profile::{Severity, Stage};
use crate::telemetry::{DeviceId, Text};
use crate::web::{LiveDerive, LiveDevice, LiveFault, LiveSignal, SignalState, Unwritten};

use super::double::NOW;
use super::{Site, site};

pub(super) const PAGE: &str = "/devices/ts-flash5/TSF5-000123";
/// What a device may say to do harm.
pub(super) const HOSTILE: &str = "\"><script>alert(1)</script><b onload='x'>\u{202e}";

pub(super) fn device() -> DeviceId {
    "ts-flash5/TSF5-000123".parse().expect("an id")
}

fn term(value: f64, limit: f64) -> TermView {
    TermView {
        evidence: Evidence {
            term: "baseline(heat_lag).up >= 60 %".into(),
            signal: Some("derive.heat_lag".into()),
            label: Text::new("Heat needed", "热耗"),
            value: Some(63.6),
            unit: "%".into(),
            op: ">=".into(),
            limit: Some(60.0),
            baseline: Some(418.0),
            samples: Some(5),
            since: None,
            until: None,
            held: value >= limit,
        },
        holds: Some(value >= limit),
        distance: Some((value - 418.0) / (limit - 418.0)),
        rest: Some(0.0),
        own: Some(OwnNormal {
            signal: "derive.heat_lag".into(),
            label: Text::new("Heat needed", "热耗"),
            unit: "J/K".into(),
            value,
            normal: 418.0,
            spread: 9.0,
            limit,
        }),
        hold: Some(HoldView::Values {
            held: 2,
            of: 3,
            among: 5,
        }),
    }
}

fn stage(stage: Stage, term: TermView) -> StageView {
    StageView {
        stage,
        severity: Severity::S2,
        latched: false,
        holds: term.holds,
        distance: term.distance,
        nearest: Some(0),
        terms: vec![term],
    }
}

fn fault(state: &str, at: Option<Stage>, value: f64, blind: Option<Blind>) -> LiveFault {
    LiveFault {
        fault: "scale".into(),
        state: state.into(),
        stage: at,
        since: at.map(|_| NOW - 3_600_000),
        why: blind.as_ref().map(Blind::text),
        blind,
        stages: vec![
            stage(Stage::Warn, term(value, 543.0)),
            stage(Stage::Fault, term(value, 669.0)),
        ],
        rechecking: false,
        shadow: false,
    }
}

fn signal(state: SignalState) -> LiveSignal {
    LiveSignal {
        name: "outlet".into(),
        path: "water.out_c".into(),
        label: Text::new("Outlet", "出水"),
        value: Some(37.5),
        shown: Some("37.5 °C".into()),
        unit: "°C".into(),
        at: Some(NOW - 8_000),
        last: Some(37.5),
        last_shown: Some("37.5 °C".into()),
        state,
    }
}

pub(super) fn knows(site: &Site, live: LiveDevice) {
    let mut alive = site.backend.alive.lock().expect("no test panicked");
    alive.insert("TSF5-000123".to_owned(), live);
}

#[tokio::test]
async fn an_active_fault_stands_beside_its_limits_and_its_ticket() {
    let site = site().await;
    knows(
        &site,
        LiveDevice {
            faults: vec![fault("active", Some(Stage::Fault), 684.0, None)],
            ..LiveDevice::default()
        },
    );
    let english = site.reader("en").await;
    english.get(PAGE).await.is(200).says(&[
        "One fault is active: Limescale (",
        "Active, fault",
        "<b>684\u{a0}J/K</b>",
        "warning limit 543\u{a0}J/K, fault 669\u{a0}J/K; when new 418\u{a0}J/K",
        "class=\"bullet\"",
        "href=\"/tickets/T-1\"",
        "lang=\"zh-Hans\"",
        "?lang=zh",
    ]);
    let chinese = site.reader("zh-CN").await;
    chinese.get(PAGE).await.is(200).says(&[
        "1 项故障已触发：结垢（",
        "已触发，故障",
        "预警限值 543\u{a0}J/K，故障 669\u{a0}J/K；初期 418\u{a0}J/K",
        "<html lang=\"zh-Hans\"",
    ]);
}

#[tokio::test]
async fn what_is_pending_learning_or_blind_says_how_far_and_why() {
    let site = site().await;
    let reader = site.reader("en").await;
    let shows = async |fault: LiveFault, words: &[&str]| {
        let faults = vec![fault];
        knows(
            &site,
            LiveDevice {
                faults,
                ..LiveDevice::default()
            },
        );
        reader.get(PAGE).await.is(200).says(words);
    };
    let pending = fault("pending", None, 550.0, None);
    shows(pending, &["One is pending", "2 of the 3 values needed"]).await;
    let learning = Blind::Learning(Learning {
        what: "derive.heat_lag".into(),
        label: Text::new("Heat needed", "热耗"),
        have: 14,
        need: 20,
        ready_at: Some(NOW + 4 * 86_400_000),
    });
    shows(
        fault("learning", None, 0.0, Some(learning)),
        &[
            "class=\"fs learning\"",
            "14 of 20 values",
            "Heat needed",
            "ready in about 4\u{a0}d",
        ],
    )
    .await;
    let stale = Blind::Stale {
        signal: "water.out_c".into(),
        label: Text::new("Outlet", "出水"),
        at: NOW - 86_400_000,
    };
    shows(
        fault("blind", None, 0.0, Some(stale)),
        &[
            "One cannot be judged",
            "no reading",
            "Outlet: no fresh reading",
            "last told 28",
        ],
    )
    .await;
}

#[tokio::test]
async fn values_that_no_longer_count_say_so_and_a_series_store_that_is_away_costs_only_charts() {
    let site = site().await;
    let reader = site.reader("en").await;
    let shown = async |signal: LiveSignal, derives: Vec<LiveDerive>| {
        knows(
            &site,
            LiveDevice {
                signals: vec![signal],
                derives,
                ..LiveDevice::default()
            },
        );
        reader.get(PAGE).await
    };
    let fresh = shown(signal(SignalState::Fresh), Vec::new()).await;
    fresh
        .is(200)
        .says(&[
            "37.5\u{a0}°C",
            "0 to 4\u{a0}°C",
            "<svg",
            "/signals/water.out_c?range=24h",
        ])
        .does_not_say(&["no longer fresh"]);
    let stale = shown(signal(SignalState::Stale), Vec::new()).await;
    stale.says(&["37.5\u{a0}°C", "no longer fresh"]);
    let invalid = shown(signal(SignalState::Invalid), Vec::new()).await;
    invalid.says(&["outside the sensor’s range"]);
    let broken = LiveDerive {
        name: "broken".into(),
        label: Text::new("Share", "比例"),
        unit: "%".into(),
        value: Some(85.0),
        at: Some(NOW),
        normal: None,
        stored: true,
    };
    let away = shown(signal(SignalState::Fresh), vec![broken]).await;
    away.is(200).says(&[
        "The store of series does not answer: connection refused",
        "85\u{a0}%",
        "37.5\u{a0}°C",
    ]);
}

#[tokio::test]
async fn the_client_that_speaks_for_a_device_is_named() {
    let site = site().await;
    knows(&site, LiveDevice::default());
    let connection = crate::web::LiveConnection {
        client_id: HOSTILE.into(),
        user: None,
        peer: "192.0.2.1:50000".into(),
        protocol: "3.1.1".into(),
        tls: true,
        since: NOW - 60_000,
        keep_alive: 60,
        messages: 7,
        denied: 2,
        subscriptions_granted: 1,
        subscriptions_refused: 0,
    };
    site.backend
        .connected
        .lock()
        .expect("no test panicked")
        .push(connection);
    let reader = site.reader("en").await;
    reader
        .get(PAGE)
        .await
        .says(&[
            "MQTT 3.1.1 over TLS since",
            "2 publishes outside its rights",
        ])
        .does_not_say(&["<script>alert"]);
}

#[tokio::test]
async fn a_signal_has_a_page_with_its_chart_and_its_values() {
    let site = site().await;
    knows(
        &site,
        LiveDevice {
            signals: vec![signal(SignalState::Fresh)],
            faults: vec![fault("normal", None, 420.0, None)],
            ..LiveDevice::default()
        },
    );
    let reader = site.reader("en").await;
    let page = format!("{PAGE}/signals/water.out_c?range=7d");
    reader.get(&page).await.is(200).says(&[
        "<h1>Outlet</h1>",
        "37.5\u{a0}°C now.",
        "role=\"img\"",
        "<table>",
        "/api/v1/series?device=ts-flash5%2FTSF5-000123&#38;signal=water.out_c",
    ]);
    let asked = site.series.asked.lock().expect("no test panicked").clone();
    let asked = asked.last().expect("a query");
    assert_eq!(asked.to.since(asked.from), 7 * 86_400_000);
    let unknown = format!("{PAGE}/signals/%3Cscript%3E");
    reader
        .get(&unknown)
        .await
        .is(404)
        .does_not_say(&["<script>/"]);
}

#[tokio::test]
async fn a_device_that_nobody_knows_has_a_page_that_says_so() {
    let site = site().await;
    let reader = site.reader("en").await;
    for path in [
        "/devices/ts-flash5/NOBODY",
        "/devices/TS/1",
        "/devices/ts-flash5/NOBODY/tickets",
        "/devices/ts-flash5/NOBODY/messages",
        "/devices/ts-flash5/NOBODY/signals/water.out_c",
    ] {
        reader
            .get(path)
            .await
            .is(404)
            .says(&["There is no device", "href=\"/fleet\""]);
    }
    site.stranger("en").get(PAGE).await.is(303);
}

#[tokio::test]
async fn counts_are_as_of_now_in_the_api_and_on_the_page() {
    let site = site().await;
    let unwritten = Unwritten {
        last_seen: NOW + 5_000,
        messages: 1_182,
        rejected: 3,
        duplicates: 2,
        seq_restarts: 0,
    };
    site.backend
        .unwritten
        .lock()
        .expect("no test panicked")
        .insert(device(), unwritten);
    let one = site.get("/api/v1/devices/ts-flash5/TSF5-000123").await;
    assert_eq!(one.body["messages"], 1_182);
    assert_eq!(one.body["last_seen"], (NOW + 5_000).to_string());
    let list = site.get("/api/v1/devices").await;
    assert_eq!(list.body["items"][0]["rejected"], 3);
    assert_eq!(list.body["items"][1]["rejected"], 0);
    let reader = site.reader("en").await;
    reader.get(PAGE).await.says(&[
        "1,182 understood, 3 rejected, 2 repeated",
        "3 rejected</span>",
    ]);
}

#[tokio::test]
async fn the_api_tells_how_far_each_fault_is() {
    let site = site().await;
    knows(
        &site,
        LiveDevice {
            faults: vec![fault("normal", None, 543.5, None)],
            ..LiveDevice::default()
        },
    );
    let reply = site.get("/api/v1/devices/ts-flash5/TSF5-000123").await;
    reply.is_ok();
    let fault = &reply.body["faults"][0];
    assert_eq!(fault["code"], "TF3");
    assert_eq!(fault["title"]["zh"], "结垢");
    // Over the warning limit, half way to the fault limit: the warning decides.
    assert_eq!(fault["nearest"]["own"]["limit"], 543.0);
    assert!(fault["distance"].as_f64().is_some_and(|far| far > 1.0));
    assert_eq!(fault["stages"][1]["stage"], "fault");
    assert_eq!(fault["stages"][1]["holds"], false);
    assert_eq!(fault["stages"][0]["terms"][0]["hold"]["unit"], "values");
    assert_eq!(fault["stages"][0]["terms"][0]["baseline"], 418.0);
}
