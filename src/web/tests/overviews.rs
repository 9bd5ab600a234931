//! Fleet, device list and profiles, as readers see them.

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
