//! A device's messages and forms as readers see them, and what a device says to do harm.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::store::{Batch, DeviceUpdate, RejectedMessage};
use crate::telemetry::{Control, DeviceAction, Identity, Position, RawMessage, RejectReason};
use crate::web::{HeardMessage, LiveDevice, Said, Understood};

use super::device::{HOSTILE, PAGE, device, knows};
use super::double::NOW;
use super::{Site, site};

async fn apply(site: &Site, batch: Batch<'_>) {
    let position = site.store.position().next();
    let batch = Batch { position, ..batch };
    site.store.apply(batch).await.expect("committed");
}

/// Every field a device tells of itself, hostile.
fn hostile_identity(long: &str) -> Identity {
    let told = || Some(long.into());
    Identity {
        hw: told(),
        fw: told(),
        made: told(),
        batch: told(),
        lots: BTreeMap::from([(HOSTILE.into(), long.into())]),
        first_use: told(),
        region: told(),
        tz: told(),
        site: told(),
        via: told(),
    }
}

fn message(kind: &str, payload: &str) -> RawMessage {
    RawMessage {
        source: "test".into(),
        topic: format!("appl/v1/ts-flash5/TSF5-000123/{kind}").into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos: 1,
        dup: false,
        retained: false,
        queued: false,
        content_type: None,
        oversize: None,
    }
}

fn rejected(
    position: u64,
    kind: &str,
    reason: RejectReason,
    detail: &str,
    payload: &str,
) -> RejectedMessage {
    RejectedMessage {
        position: Position(position),
        received_at: NOW,
        source: "listener".into(),
        topic: format!("appl/v1/ts-flash5/TSF5-000123/{kind}").into(),
        reason,
        detail: detail.into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        device: Some(device()),
        item: None,
    }
}

fn heard(position: u64, kind: &str, understood: Understood) -> HeardMessage {
    HeardMessage {
        position: Position(position),
        received_at: NOW,
        message: message(kind, ""),
        understood,
        hints: Vec::new(),
    }
}

fn said(values: usize, event: Option<&str>) -> Understood {
    Understood::Said(Said {
        records: 1,
        values,
        event: event.map(Into::into),
        ..Said::default()
    })
}

#[tokio::test]
async fn whatever_a_device_says_of_itself_is_text() {
    let site = site().await;
    let long = format!("{HOSTILE}{}", "x".repeat(10_000));
    let update = DeviceUpdate {
        identity: Some(hostile_identity(&long)),
        ..DeviceUpdate::seen(device(), NOW)
    };
    let detail = format!("'{HOSTILE}' is no kind of message");
    let refused = rejected(20, HOSTILE, RejectReason::UnknownKind, &detail, &long);
    apply(
        &site,
        Batch {
            received_at: NOW,
            devices: &[update],
            rejected: &[refused],
            ..Batch::default()
        },
    )
    .await;
    let said = Said {
        records: 1,
        values: 1,
        event: Some(long.as_str().into()),
        ..Said::default()
    };
    site.backend
        .heard
        .lock()
        .expect("no test panicked")
        .push(HeardMessage {
            position: Position(21),
            received_at: NOW,
            message: message(HOSTILE, &long),
            understood: Understood::Said(said),
            hints: Vec::new(),
        });
    knows(
        &site,
        LiveDevice {
            source: HOSTILE.into(),
            ..LiveDevice::default()
        },
    );
    for language in ["en", "zh-CN"] {
        let reader = site.reader(language).await;
        for page in [
            PAGE.to_owned(),
            format!("{PAGE}/tickets"),
            format!("{PAGE}/messages"),
            format!("{PAGE}/messages?only=rejected"),
        ] {
            let seen = reader.get(&page).await;
            seen.is(200)
                .does_not_say(&["<script>alert", "<b onload", "\"><script"]);
            assert!(
                seen.html.len() < 60_000,
                "{page}: {} bytes",
                seen.html.len()
            );
        }
        let overview = reader.get(PAGE).await;
        overview.says(&["<bdi title=\"&quot;&gt;&lt;script&gt;", "…</bdi>"]);
    }
}

#[tokio::test]
async fn messages_show_what_was_understood_and_what_was_wrong() {
    let site = site().await;
    let refused = [
        rejected(
            20,
            "telemetry",
            RejectReason::UnknownKind,
            "telemetry is no kind of message; expected state, tele, event, batch or ident",
            "{}",
        ),
        rejected(
            22,
            "tele",
            RejectReason::InvalidJson,
            "not JSON near byte 6 of 9: expected value",
            "{\"ts\":oh}",
        ),
    ];
    apply(
        &site,
        Batch {
            received_at: NOW,
            rejected: &refused,
            ..Batch::default()
        },
    )
    .await;
    site.backend
        .heard
        .lock()
        .expect("no test panicked")
        .extend([
            heard(24, "event", said(2, Some("wash_stop"))),
            heard(23, "tele", Understood::Repeated),
            heard(22, "tele", Understood::Nothing),
            heard(20, "telemetry", Understood::Nothing),
            heard(19, "tele", said(10, None)),
        ]);
    let reader = site.reader("en").await;
    let all = reader.get(&format!("{PAGE}/messages")).await;
    all.is(200).says(&[
        "10 values",
        "wash_stop, 2 values",
        "Repeated",
        "<b>unknown_kind</b>",
        "/<mark>telemetry</mark>",
        "Did you mean <code>tele</code>",
        "{&quot;ts&quot;:<mark>oh}</mark>",
        "Try the rejected messages again",
    ]);
    let only = reader.get(&format!("{PAGE}/messages?only=rejected")).await;
    only.is(200)
        .says(&["<b>unknown_kind</b>", "<b>invalid_json</b>"])
        .does_not_say(&["wash_stop"]);
    let chinese = site.reader("zh").await;
    chinese
        .get(&format!("{PAGE}/messages"))
        .await
        .says(&["不是 JSON", "是否应为", "10 个值"]);
    let from = format!("{PAGE}/messages");
    let replay = format!("{PAGE}/replay");
    reader
        .post(&from, &replay, &[])
        .await
        .leads_to(&format!("{PAGE}/messages?saved=1"));
    assert_eq!(site.backend.replayed(), [vec![Position(20), Position(22)]]);
}

#[tokio::test]
async fn a_form_with_a_mistake_comes_back_as_it_was_sent() {
    let site = site().await;
    let reader = site.reader("en").await;
    let actions = format!("{PAGE}/actions");
    let act = async |fields: &[(&str, &str)]| reader.post(PAGE, &actions, fields).await;

    let missing = act(&[("action", "part_replaced"), ("lot", "H2509")]).await;
    missing.is(422).says(&[
        "Choose the part that was replaced.",
        "value=\"H2509\"",
        "aria-invalid=\"true\"",
    ]);
    act(&[("action", "part_replaced"), ("part", "NO-SUCH")])
        .await
        .is(422);
    let long = "x".repeat(65);
    act(&[
        ("action", "part_replaced"),
        ("part", "FILTER-F5"),
        ("lot", &long),
    ])
    .await
    .is(422)
    .says(&["at most 64 characters", "selected"]);
    act(&[("action", "retire")])
        .await
        .is(422)
        .says(&["cannot be undone"]);
    act(&[("action", "explode")]).await.is(422);
    assert!(site.backend.told().is_empty());
}

#[tokio::test]
async fn a_form_is_done_once_however_often_it_is_sent() {
    let site = site().await;
    let reader = site.reader("en").await;
    let actions = format!("{PAGE}/actions");
    let act = async |fields: &[(&str, &str)]| reader.post(PAGE, &actions, fields).await;
    let page = reader.get(PAGE).await.html;
    let csrf = super::browser::hidden(&page, "csrf");
    let fields = [
        ("csrf", csrf.as_str()),
        ("key", "one-key"),
        ("action", "part_replaced"),
        ("part", "FILTER-F5"),
        ("lot", "H2509"),
    ];
    for _ in 0..2 {
        reader
            .send_form(&actions, &fields)
            .await
            .leads_to(&format!("{PAGE}?saved=1"));
    }
    let told = site.backend.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        told[0],
        Control::Device {
            device: device(),
            action: DeviceAction::PartReplaced {
                part: "FILTER-F5".into(),
                lot: Some("H2509".into()),
            },
            by: "admin".into(),
        }
    );
    reader
        .get(&format!("{PAGE}?saved=1"))
        .await
        .says(&["Saved."]);
    act(&[("action", "retire"), ("sure", "yes")])
        .await
        .leads_to(&format!("{PAGE}?saved=1"));
    // A form from elsewhere changes nothing.
    reader
        .send_form(&actions, &[("action", "retire"), ("sure", "yes")])
        .await
        .is(403);
    assert_eq!(site.backend.told().len(), 2);
    site.backend
        .full
        .store(true, std::sync::atomic::Ordering::Relaxed);
    act(&[("action", "retire"), ("sure", "yes")])
        .await
        .is(503)
        .says(&["Nothing was changed."]);
}
