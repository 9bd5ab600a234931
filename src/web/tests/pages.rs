//! The frame of the pages and the queue, as readers see them: the way in, languages, forms, refusals, hostile texts.

use axum::http::header;

use crate::desk::TicketChange;
use crate::profile::Severity;
use crate::store::Batch;
use crate::telemetry::Control;
use crate::telemetry::DeviceId;
use crate::telemetry::Position;
use crate::telemetry::TicketAction;

use super::double::opened;
use super::site;

#[tokio::test]
async fn a_stranger_sees_the_login_and_comes_back_after_it() {
    let site = site().await;
    let stranger = site.stranger("en");
    stranger
        .get("/?view=mine")
        .await
        .leads_to("/login?return_to=%2F%3Fview%3Dmine");
    stranger
        .get("/login?return_to=%2F%3Fview%3Dmine")
        .await
        .is(200)
        .says(&["Admin token", "/?view=mine"])
        .does_not_say(&["TSF5-000123"]);
    let entered = [("token", super::TOKEN), ("return_to", "/?view=mine")];
    stranger
        .send_form("/login", &entered)
        .await
        .leads_to("/?view=mine");
    stranger.get("/").await.is(200).says(&["TSF5-000123"]);
    // Once inside, the login has nothing to ask.
    stranger.get("/login").await.leads_to("/");
}

#[tokio::test]
async fn a_login_leads_nowhere_else() {
    let site = site().await;
    let stranger = site.stranger("en");
    let entered = [("token", super::TOKEN), ("return_to", "//evil.example/")];
    stranger.send_form("/login", &entered).await.leads_to("/");
}

#[tokio::test]
async fn wrong_tokens_are_counted_and_then_have_to_wait() {
    let site = site().await;
    let stranger = site.stranger("en");
    for left in ["4 tries left", "3 tries left", "2 tries left", "1 try left"] {
        stranger
            .send_form("/login", &[("token", "wrong")])
            .await
            .is(422)
            .says(&[left, "aria-invalid"]);
    }
    let pause = ["Too many wrong tokens", "5\u{a0}min"];
    stranger
        .send_form("/login", &[("token", "wrong")])
        .await
        .is(422)
        .says(&pause);
    // Now even the right one has to wait.
    let entered = [("token", super::TOKEN)];
    stranger
        .send_form("/login", &entered)
        .await
        .is(422)
        .says(&pause);
}

#[tokio::test]
async fn the_queue_tells_what_needs_a_person_in_both_languages() {
    let site = site().await;
    let page = site.reader("en").await.get("/").await;
    page.is(200)
        .says(&[
            "lang=\"en\"",
            "3 cases need a person.",
            "One safety case has nobody yet.",
        ])
        .says(&["S1 Safety", "class=\"row hot\"", "TSF5-000124", "Limescale"]);
    let first = page.html.find("TSF5-000124").expect("the safety case");
    let second = page.html.find("TSF5-000125").expect("the urgent case");
    assert!(first < second);
    site.reader("zh-CN").await.get("/").await.is(200).says(&[
        "lang=\"zh-Hans\"",
        "3 件需要处理。",
        "S1 安全",
        "尚无人负责",
    ]);
}

#[tokio::test]
async fn the_language_is_kept_once_it_was_chosen() {
    let site = site().await;
    let reader = site.reader("en").await;
    reader
        .get("/?lang=zh")
        .await
        .says(&["待办工单", "href=\"/?lang=en\""]);
    reader.get("/").await.says(&["待办工单"]);
}

#[tokio::test]
async fn filters_stand_in_the_address_and_an_empty_view_says_so() {
    let site = site().await;
    let reader = site.reader("en").await;
    reader
        .get("/?severity=S2")
        .await
        .says(&["TSF5-000125"])
        .does_not_say(&["TSF5-000124"]);
    reader
        .get("/?q=0123")
        .await
        .says(&["TSF5-000123", "value=\"0123\""])
        .does_not_say(&["TSF5-000124"]);
    reader.get("/?severity=S1&model=none").await.is(200).says(&[
        "No case fits these filters",
        "3 cases are here without them.",
        "Clear the filters",
    ]);
    reader.get("/?view=mine").await.says(&["No case here"]);
    reader.get("/?page=9&view=%FF").await.is(200);
}

#[tokio::test]
async fn chosen_cases_are_acted_on_by_the_reader() {
    let site = site().await;
    let reader = site.reader("en").await;
    let fields = [
        ("ticket", "T-1"),
        ("ticket", "T-2"),
        ("action", "assign"),
        ("to", "agent-4"),
        ("return_to", "/?view=nobody"),
    ];
    reader
        .post("/", "/tickets/actions", &fields)
        .await
        .leads_to("/?view=nobody&saved=1");
    let told = site.backend.told();
    assert_eq!(told.len(), 2);
    for (control, id) in told.iter().zip(["T-1", "T-2"]) {
        let Control::Ticket {
            ticket, action, by, ..
        } = control
        else {
            panic!("{control:?}");
        };
        assert_eq!((ticket.as_str(), by.as_str()), (id, "admin"));
        let to = "agent-4".into();
        assert_eq!(*action, TicketAction::Assign { to });
    }
    reader
        .post("/", "/tickets/actions", &[("action", "acknowledge")])
        .await
        .is(422)
        .says(&["Choose at least one case first."]);
}

#[tokio::test]
async fn a_form_from_elsewhere_is_not_taken() {
    let site = site().await;
    let reader = site.reader("en").await;
    let fields = [
        ("ticket", "T-1"),
        ("action", "acknowledge"),
        ("csrf", "guessed"),
    ];
    reader
        .send_form("/tickets/actions", &fields)
        .await
        .is(403)
        .says(&["This form was not taken"]);
    site.stranger("en")
        .send_form("/tickets/actions", &fields)
        .await
        .is(303);
    let huge = "x".repeat(70_000);
    reader
        .send_form("/tickets/actions", &[("note", &huge)])
        .await
        .is(413);
    assert!(site.backend.told().is_empty());
}

#[tokio::test]
async fn a_page_asks_no_other_host_and_runs_no_foreign_script() {
    let site = site().await;
    let page = site.reader("en").await.get("/").await;
    let policy = page.headers[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .expect("text");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    page.does_not_say(&["http://", "https://", " style=", "onclick", "<script>"]);
    let style = page
        .html
        .split("rel=\"stylesheet\" href=\"")
        .nth(1)
        .expect("a style sheet");
    let style = style.split('"').next().expect("an address");
    let sheet = site.stranger("en").get(style).await;
    sheet.is(200).says(&["--surface"]);
    assert!(
        sheet.headers[header::CACHE_CONTROL]
            .to_str()
            .expect("text")
            .contains("immutable")
    );
}

#[tokio::test]
async fn an_address_that_is_none_says_what_to_do() {
    let site = site().await;
    site.reader("en")
        .await
        .get("/%3Cb%3Enowhere")
        .await
        .is(404)
        .says(&["There is nothing at", "To the queue"])
        .does_not_say(&["<b>"]);
    site.stranger("en").get("/nowhere").await.is(303);
}

#[tokio::test]
async fn a_login_reads_the_api_and_does_not_write_it() {
    let site = site().await;
    let reader = site.reader("en").await;
    reader.get("/api/v1/tickets").await.is(200);
    reader
        .send_form("/api/v1/tickets/T-1/actions", &[("action", "close")])
        .await
        .is(401);
}

#[tokio::test]
async fn hostile_texts_stay_texts() {
    let site = site().await;
    let mut hostile = opened(9, "TSF5-000999", Severity::S2);
    let text = "<script>alert(1)</script>\u{202e}".to_owned() + &"水".repeat(10_000);
    hostile.ticket.device = DeviceId::new("ts-flash5", "TSF5-000999").expect("a device");
    hostile.ticket.region = Some(text.as_str().into());
    hostile.ticket.title.en = text.clone();
    hostile.ticket.reason.en = text;
    let changes: [TicketChange; 1] = [hostile];
    let batch = Batch {
        position: Position(99),
        changes: &changes,
        ..Batch::default()
    };
    site.store.apply(batch).await.expect("committed");
    let reader = site.reader("en").await;
    let page = reader.get("/").await;
    page.is(200)
        .says(&["&#60;script&#62;"])
        .does_not_say(&["<script>alert"]);
    reader
        .get("/?format=csv")
        .await
        .is(200)
        .says(&["TSF5-000999"]);
}

#[tokio::test]
async fn thousands_of_cases_are_paged() {
    let site = site().await;
    let changes: Vec<TicketChange> = (100..350)
        .map(|n| opened(n, &format!("TSF5-9{n:05}"), Severity::S3))
        .collect();
    let batch = Batch {
        position: Position(99),
        changes: &changes,
        ..Batch::default()
    };
    site.store.apply(batch).await.expect("committed");
    let reader = site.reader("en").await;
    let rows = |html: &str| html.matches("class=\"row").count();
    let first = reader.get("/").await;
    assert_eq!(rows(&first.html), 100);
    first.says(&["253 cases need a person.", "href=\"/?page=2\""]);
    let last = reader.get("/?page=3").await;
    assert_eq!(rows(&last.html), 53);
    last.says(&["href=\"/?page=2\""]).does_not_say(&["page=4"]);
}
