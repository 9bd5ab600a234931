//! The page of a ticket, as its readers see it: what it tells, what can be done, and what happens when two do it at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::desk::TicketChange;
use crate::desk::TicketStatus;
use crate::detect::Evidence;
use crate::profile::Severity;
use crate::store::Batch;
use crate::store::DeviceUpdate;
use crate::telemetry::Control;
use crate::telemetry::Identity;
use crate::telemetry::Text;
use crate::telemetry::TicketAction;
use crate::telemetry::Verdict;
use crate::telemetry::WaitFor;

use super::Site;
use super::browser::hidden;
use super::double::NOW;
use super::double::opened;
use super::site;
use super::site_that_waits;

const PAGE: &str = "/tickets/T-1";
const ACTIONS: &str = "/tickets/T-1/actions";

fn hot() -> Evidence {
    Evidence {
        term: "out >= 48 °C".into(),
        signal: Some("water.out_c".into()),
        label: Text::new("Outlet water", "出水温度"),
        value: Some(49.04),
        unit: "°C".into(),
        op: ">=".into(),
        limit: Some(48.0),
        baseline: None,
        samples: None,
        since: Some(NOW - 2_000),
        until: None,
        held: true,
    }
}

async fn put(site: &Site, changes: &[TicketChange], devices: &[DeviceUpdate]) {
    let batch = Batch {
        position: site.store.position().next(),
        changes,
        devices,
        ..Batch::default()
    };
    site.store.apply(batch).await.expect("committed");
}

/// A site with one more ticket, T-7, that rests on the outlet's temperature.
async fn site_with_proof() -> Site {
    let site = site().await;
    let mut change = opened(7, "TSF5-000777", Severity::S1);
    let mut cold = hot();
    cold.term = "out < 1 °C".into();
    cold.op = "<".into();
    (cold.limit, cold.held, cold.since) = (Some(1.0), false, None);
    change.ticket.evidence = vec![hot(), cold];
    put(&site, &[change], &[]).await;
    site
}

#[tokio::test]
async fn a_ticket_tells_what_is_wrong_how_sure_and_what_to_do_in_both_languages() {
    let site = site_with_proof().await;
    let page = site.reader("en").await.get("/tickets/T-7").await;
    page.is(200)
        .says(&["<h1>Limescale</h1>", "49.2 °C", "S1 Safety", "TSF5-000777"])
        .says(&["<b>Descale</b>", "Start the programme", "FILTER-F5"])
        .says(&["Outlet water: <b>49\u{a0}°C</b>, limit 48\u{a0}°C."])
        .says(&["is not known yet: it needs 10 verdicts and has none"])
        .says(&[
            "class=\"wide\"",
            "class=\"narrow\"",
            "warning limit 48\u{a0}°C",
        ])
        .says(&["Opened as S1", "name=\"expected_version\" value=\"1\""])
        .says(&["Foremend cannot switch the appliance off"]);
    let zh = site.reader("zh-CN").await.get("/tickets/T-7").await;
    zh.is(200)
        .says(&["<h1>结垢</h1>", "S1 安全", "怎么处理", "<b>除垢</b>"])
        .says(&["出水温度：<b>49\u{a0}°C</b>，限值 48\u{a0}°C。"])
        .says(&["预警限 48\u{a0}°C", "以 S1 开单", "受理"]);
}

#[tokio::test]
async fn there_is_one_primary_move_and_it_follows_the_status() {
    let site = site().await;
    let reader = site.reader("en").await;
    let steps = [
        ("acknowledge", "Acknowledge"),
        ("start", "Start work"),
        ("resolve", "Resolve"),
    ];
    for (action, words) in steps {
        let html = reader.get(PAGE).await.html;
        let panel = html.split("id=\"act\"").nth(1).expect("the panel");
        let panel = panel.split("</section>").next().expect("its end");
        assert_eq!(panel.matches("class=\"go\"").count(), 1, "{panel}");
        let primary = format!("class=\"go\" name=\"action\" value=\"{action}\">{words}");
        assert!(panel.contains(&primary), "{panel}");
        // The double goes from acknowledged to work on either of the two others.
        let fields = [("action", if action == "resolve" { "close" } else { action })];
        reader.post(PAGE, ACTIONS, &fields).await;
    }
}

#[tokio::test]
async fn every_action_of_the_page_reaches_the_journal_as_the_readers_own() {
    let site = site().await;
    let reader = site.reader("en").await;
    let forms: [&[(&str, &str)]; 4] = [
        &[("action", "assign"), ("to", "agent-4")],
        &[
            ("action", "wait"),
            ("for", "visit"),
            ("until", "2026-03-20"),
            ("note", "after noon"),
        ],
        &[("action", "comment"), ("text", "called")],
        &[
            ("action", "resolve"),
            ("verdict", "confirmed_fault"),
            ("parts", "FILTER-F5"),
            ("parts", "HEATER-F5"),
        ],
    ];
    for form in forms {
        reader
            .post(PAGE, ACTIONS, form)
            .await
            .leads_to("/tickets/T-1?saved=1");
    }
    let done: Vec<TicketAction> = site
        .backend
        .told()
        .into_iter()
        .map(|control| match control {
            Control::Ticket {
                action, by, key, ..
            } => {
                assert_eq!(by, "admin");
                assert!(key.is_some_and(|key| !key.is_empty()));
                action
            }
            other => panic!("{other:?}"),
        })
        .collect();
    // Nine in the morning of that day, in the site's zone.
    let until = "2026-03-20T01:00:00.000Z".parse().expect("a time");
    let reason = WaitFor::Visit;
    assert_eq!(
        done[0],
        TicketAction::Assign {
            to: "agent-4".into()
        }
    );
    assert_eq!(done[1], TicketAction::Wait { reason, until });
    assert!(matches!(done[2], TicketAction::Comment { .. }));
    assert!(matches!(done[3], TicketAction::Comment { .. }));
    assert_eq!(
        done[4],
        TicketAction::Resolve {
            verdict: Verdict::ConfirmedFault,
            parts: vec!["FILTER-F5".into(), "HEATER-F5".into()],
            note: None
        }
    );
    let page = reader.get("/tickets/T-1?saved=1").await;
    page.says(&[
        "<b>Saved.</b>",
        "Resolved: Confirmed fault",
        "after noon",
        "called",
    ]);
}

#[tokio::test]
async fn a_mistake_brings_the_form_back_as_it_was() {
    let site = site().await;
    let reader = site.reader("en").await;
    let resolve = [
        ("action", "resolve"),
        ("note", "rinsed <the> filter"),
        ("parts", "FILTER-F5"),
    ];
    let page = reader.post(PAGE, ACTIONS, &resolve).await;
    page.is(422)
        .says(&["Choose a verdict.", "aria-invalid=\"true\""])
        .says(&["rinsed &#60;the&#62; filter</textarea>"])
        .says(&["value=\"FILTER-F5\" checked"]);
    let wait = [("action", "wait"), ("for", "part"), ("until", "2020-01-01")];
    let page = reader.post(PAGE, ACTIONS, &wait).await;
    page.is(422)
        .says(&["Choose a day from today", "value=\"2020-01-01\""])
        .says(&["value=\"part\" selected"]);
    for (form, says) in [
        (
            [("action", "comment"), ("text", "  ")],
            "Write something first.",
        ),
        ([("action", "assign"), ("to", "")], "Write a name"),
        ([("action", "explode"), ("to", "")], "That was not possible"),
    ] {
        reader
            .post(PAGE, ACTIONS, &form)
            .await
            .is(422)
            .says(&[says]);
    }
    let long = "x".repeat(20_000);
    let comment = [("action", "comment"), ("text", long.as_str())];
    let page = reader.post(PAGE, ACTIONS, &comment).await;
    page.is(422).says(&["at most 16 KiB", long.as_str()]);
    // What the desk itself refuses is told in its words.
    let close = [("action", "close")];
    let page = reader.post(PAGE, ACTIONS, &close).await;
    page.is(409).says(&["close is not allowed while new"]);
    let zh = site.reader("zh-CN").await;
    zh.post(PAGE, ACTIONS, &resolve)
        .await
        .is(422)
        .says(&["请选择结论。"]);
    assert!(
        site.backend.told().iter().all(|control| matches!(
            control,
            Control::Ticket {
                action: TicketAction::Close,
                ..
            }
        )),
        "no mistake reached the journal"
    );
}

#[tokio::test]
async fn when_two_act_at_once_the_second_keeps_the_own_text() {
    let site = site().await;
    let (first, second) = (site.reader("en").await, site.reader("en").await);
    let seen = second.get(PAGE).await.html;
    let (csrf, version) = (hidden(&seen, "csrf"), hidden(&seen, "expected_version"));
    let fields = [("action", "acknowledge"), ("expected_version", "1")];
    first.post(PAGE, ACTIONS, &fields).await.is(303);
    let late = [
        ("csrf", csrf.as_str()),
        ("key", "a-key-of-its-own"),
        ("expected_version", version.as_str()),
        ("action", "resolve"),
        ("verdict", "environment"),
        ("note", "the angle valve was half closed"),
    ];
    let page = second.send_form(ACTIONS, &late).await;
    page.is(412)
        .says(&[
            "was changed by admin while you were writing",
            "Acknowledged",
        ])
        .says(&[
            "the angle valve was half closed</textarea>",
            "Save my text as a comment",
        ])
        .says(&["name=\"expected_version\" value=\"2\""]);
    let ticket = site.store.ticket("T-1").await.expect("a read").expect("it");
    assert_eq!(ticket.status, TicketStatus::Acknowledged);
    // The offered form saves it; a remark is never too late.
    let again = [
        ("csrf", csrf.as_str()),
        ("key", hidden(&page.html, "key").as_str()),
        ("expected_version", "1"),
        ("action", "comment"),
        ("text", "the angle valve was half closed"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let again: Vec<(&str, &str)> = again
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    second.send_form(ACTIONS, &again).await.is(303);
    second.get(PAGE).await.says(&["half closed</bdi>"]);
}

#[tokio::test]
async fn the_same_form_twice_is_done_once() {
    let site = site().await;
    let reader = site.reader("en").await;
    let page = reader.get(PAGE).await.html;
    let (csrf, key) = (hidden(&page, "csrf"), hidden(&page, "key"));
    let form = [
        ("csrf", csrf.as_str()),
        ("key", key.as_str()),
        ("expected_version", "1"),
        ("action", "comment"),
        ("text", "called"),
    ];
    reader.send_form(ACTIONS, &form).await.is(303);
    reader.send_form(ACTIONS, &form).await.is(303);
    assert_eq!(site.backend.told().len(), 1);
}

#[tokio::test]
async fn what_takes_long_is_taken_and_says_so() {
    let site = site_that_waits(Duration::from_millis(1)).await;
    site.backend.stuck.store(true, Ordering::Relaxed);
    let reader = site.reader("en").await;
    let form = [("action", "acknowledge")];
    reader
        .post(PAGE, ACTIONS, &form)
        .await
        .leads_to("/tickets/T-1?taken=1");
    let page = reader.get("/tickets/T-1?taken=1").await;
    page.is(200)
        .says(&["Taken. It will show here within seconds."]);
}

#[tokio::test]
async fn a_ticket_that_is_none_names_the_latest() {
    let site = site().await;
    let reader = site.reader("en").await;
    for path in ["/tickets/T-99", "/tickets/%3Cb%3E", "/tickets/T-0"] {
        let page = reader.get(path).await;
        page.is(404)
            .says(&["There is no ticket", "The latest is T-3"])
            .does_not_say(&["<b>T", "<b></b>"]);
    }
    let form = [("action", "acknowledge")];
    reader
        .post(PAGE, "/tickets/T-99/actions", &form)
        .await
        .is(404);
    site.stranger("en").get(PAGE).await.is(303);
}

#[tokio::test]
async fn a_series_store_that_is_away_costs_the_chart_and_not_the_page() {
    let site = site_with_proof().await;
    site.series.down.store(true, Ordering::Relaxed);
    let page = site.reader("en").await.get("/tickets/T-7").await;
    page.is(200)
        .says(&[
            "The series store does not answer now",
            "Outlet water",
            "Acknowledge",
        ])
        .does_not_say(&["class=\"wide\""]);
    let zh = site.reader("zh-CN").await.get("/tickets/T-7").await;
    zh.is(200).says(&["时序存储暂无响应"]);
}

#[tokio::test]
async fn the_values_behind_the_chart_are_a_table_with_times_in_utc() {
    let site = site_with_proof().await;
    let reader = site.reader("en").await;
    reader
        .get("/tickets/T-7")
        .await
        .says(&["/tickets/T-7/values.csv?range=near", "All 3 values as CSV"]);
    let table = reader.get("/tickets/T-7/values.csv?range=near").await;
    table
        .is(200)
        .says(&["at,signal,unit,mean,min,max", "water.out_c,°C,1,0,2"]);
    assert!(table.html.contains("Z,water.out_c"), "{}", table.html);
    reader.get("/tickets/T-99/values.csv").await.is(404);
}

#[tokio::test]
async fn ten_verdicts_make_a_precision() {
    let site = site_with_proof().await;
    let others: Vec<TicketChange> = (0..12)
        .map(|n| {
            let mut change = opened(100 + n, &format!("TSF5-MADEUP-{n}"), Severity::S3);
            change.ticket.status = TicketStatus::Closed;
            change.ticket.verdict = Some(match n {
                0 => Verdict::NoFaultFound,
                1 => Verdict::Unreachable,
                _ => Verdict::ConfirmedFault,
            });
            change
        })
        .collect();
    put(&site, &others, &[]).await;
    let page = site.reader("en").await.get("/tickets/T-7").await;
    page.says(&["Right in <b>10 of 11</b> checked cases", "class=\"whisk\""])
        .says(&["<b>91\u{a0}%</b> (likely 62 to 98\u{a0}%)"]);
}

#[tokio::test]
async fn a_case_links_the_devices_other_tickets_and_its_neighbours() {
    let site = site_with_proof().await;
    let mut second = opened(8, "TSF5-000777", Severity::S3);
    second.ticket.fault = "nozzle".into();
    second.ticket.title = Text::new("Nozzle moves slowly", "喷嘴伸缩变慢");
    let mut done = opened(9, "TSF5-000777", Severity::S3);
    done.ticket.fault = "seat".into();
    done.ticket.title = Text::new("Seat too hot", "座圈温度过高");
    done.ticket.status = TicketStatus::Closed;
    put(&site, &[second, done], &[]).await;
    let reader = site.reader("en").await;
    reader
        .get("/tickets/T-7")
        .await
        .says(&[
            "2 tickets of this device",
            "href=\"/tickets/T-8\">T-8 S3 Nozzle moves slowly",
        ])
        .says(&["href=\"/tickets/T-9\">T-9 Seat too hot"])
        .says(&["rel=\"next\"", " of 4"]);
}

#[tokio::test]
async fn what_devices_and_people_say_stays_text() {
    let site = site_with_proof().await;
    let evil = "<script>alert(1)</script>\"'\u{202e}".to_owned() + &"水".repeat(10_000);
    let mut change = opened(20, "TSF5-000020", Severity::S2);
    change.ticket.firmware = Some(evil.as_str().into());
    change.ticket.lot = Some(evil.as_str().into());
    change.ticket.region = Some(evil.as_str().into());
    change.ticket.assignee = Some(evil.as_str().into());
    change.ticket.reason = Text::same(&evil);
    change.ticket.evidence = vec![Evidence {
        label: Text::same("<script>alert(2)</script>"),
        term: "<script>".into(),
        unit: "<b>".into(),
        ..hot()
    }];
    let device = DeviceUpdate {
        identity: Some(Identity {
            hw: Some(evil.as_str().into()),
            first_use: Some(evil.as_str().into()),
            tz: Some("<Nowhere>".into()),
            ..Identity::default()
        }),
        ..DeviceUpdate::seen(change.ticket.device.clone(), NOW)
    };
    put(&site, &[change], &[device]).await;
    for language in ["en", "zh-CN"] {
        let reader = site.reader(language).await;
        let form = [("action", "comment"), ("text", "<script>alert(3)</script>")];
        reader
            .post("/tickets/T-20", "/tickets/T-20/actions", &form)
            .await
            .is(303);
        let page = reader.get("/tickets/T-20").await;
        page.is(200).says(&["alert(3)"]).does_not_say(&[
            "<script>alert",
            "<b>&",
            " style=",
            "javascript:",
        ]);
    }
}
