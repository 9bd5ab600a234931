//! Fleet, device list and profiles, as readers see them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::web::{Backlog, Behind, HeldBack, JournalHolder};

use super::site;

#[tokio::test]
async fn the_fleet_accounts_for_every_message() {
    let site = site().await;
    site.reader("en").await.get("/fleet").await.is(200).says(&[
        "2 of 2 devices are online.",
        "Every message is accounted for",
        "<dt>Received</dt><dd class=\"r\">90</dd>",
        "<dt>Rejected</dt><dd class=\"r\">3</dd>",
        "<b>0</b>",
        "Detection is 2 records behind",
        "3.0\u{a0}MiB",
    ]);
    site.reader("zh").await.get("/fleet").await.is(200).says(&[
        "2 台设备中 2 台在线。",
        "没有档案认识的型号",
        "去向不明",
    ]);
}

#[tokio::test]
async fn what_was_rejected_is_replayed_from_the_page() {
    let site = site().await;
    let reader = site.reader("en").await;
    reader.get("/fleet").await.says(&[
        "A model that no profile knows",
        "unknown_model",
        "<b>3</b>",
    ]);
    reader
        .post("/fleet", "/rejected/replay", &[("return_to", "/fleet")])
        .await
        .leads_to("/fleet?saved=1");
    let replayed = site.backend.replayed();
    assert_eq!(replayed.len(), 1);
    assert_eq!(replayed[0].len(), 3);
    reader
        .post("/fleet", "/rejected/replay", &[("device", "nonsense")])
        .await
        .is(404);
}

#[tokio::test]
async fn what_cannot_be_replayed_any_more_is_said() {
    let site = site().await;
    let reader = site.reader("en").await;
    site.backend.first_kept.store(5, Ordering::Relaxed);
    reader
        .post("/fleet", "/rejected/replay", &[("return_to", "/fleet")])
        .await
        .leads_to("/fleet?saved=1&gone=1");
    reader
        .get("/fleet?saved=1&gone=3")
        .await
        .says(&["3 messages are not in the journal any more"]);
    let chinese = site.reader("zh").await;
    let page = chinese.get("/fleet?saved=1&gone=3").await;
    page.says(&["3 条消息已不在日志中"]);
    site.backend.first_kept.store(99, Ordering::Relaxed);
    reader
        .post("/fleet", "/rejected/replay", &[("return_to", "/fleet")])
        .await
        .is(409)
        .says(&["too old to be replayed"]);
    assert_eq!(site.backend.replayed().len(), 1);
}

#[tokio::test]
async fn a_backlog_is_told_with_its_speed_and_the_time_left() {
    let site = site().await;
    *site.backend.backlog.lock().unwrap() = Backlog {
        detection: Behind {
            records: 10_000,
            per_second: 0,
            left: None,
        },
        series: Behind {
            records: 1_200_000,
            per_second: 20_500,
            left: Some(Duration::from_secs(59)),
        },
        journal_bytes: 3 << 30,
        held: Some(HeldBack {
            holder: JournalHolder::Series,
            bytes: 2 << 30,
        }),
    };
    site.reader("en").await.get("/fleet").await.says(&[
        "Detection is catching up: 10,000 records behind, 0 a second, not getting nearer now.",
        "The series store is catching up: 1,200,000 records behind, 20,500 a second, about 59\u{a0}s left.",
        "The journal keeps 2.0\u{a0}GiB that it should have removed, for the series store",
    ]);
    site.reader("zh").await.get("/fleet").await.says(&[
        "检测正在追赶：落后 10,000 条",
        "时序存储正在追赶：落后 1,200,000 条，每秒 20,500 条，约剩 59\u{a0}秒",
        "日志保留了本应删除的 2.0\u{a0}GiB，因为时序存储尚未接收",
    ]);
}

#[tokio::test]
async fn devices_are_listed_by_model_and_serial() {
    let site = site().await;
    let reader = site.reader("en").await;
    reader.get("/devices?model=ts-flash5").await.is(200).says(&[
        "TSF5-000123",
        "TSF5-000124",
        "href=\"/devices/ts-flash5/TSF5-000123\"",
    ]);
    reader
        .get("/devices?q=0124")
        .await
        .says(&["TSF5-000124"])
        .does_not_say(&["TSF5-000123"]);
    reader
        .get("/devices?q=nothing")
        .await
        .is(200)
        .says(&["No device fits"]);
}

#[tokio::test]
async fn a_profile_says_its_faults_in_plain_words() {
    let site = site().await;
    let reader = site.reader("en").await;
    reader
        .get("/profiles")
        .await
        .leads_to("/profiles/ts-flash5");
    reader.get("/profiles/ts-flash5").await.is(200).says(&[
        "ts-flash5, Flash 5",
        "One fault is watched on 2 devices.",
        "1+0123456789ab",
        "S3 Routine",
        "needs 10 verdicts",
    ]);
    site.reader("zh")
        .await
        .get("/profiles/ts-flash5")
        .await
        .says(&["闪电 5", "型号"]);
    reader
        .get("/profiles/ts-nothing")
        .await
        .is(404)
        .says(&["There is no profile for ts-nothing"]);
}
