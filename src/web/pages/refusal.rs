//! Pages that say why there is nothing else to show: what was looked for or failed, what still works, what to do.

use askama::Template;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Response;
use smol_str::SmolStr;

use crate::store::StoreError;
use crate::telemetry::Text;
use crate::web::WebState;

use super::frame::Frame;
use super::frame::Nav;
use super::session::random_key;
use super::visit::Visit;

/// A page that cannot be shown.
#[derive(Clone, Debug)]
pub(in crate::web) struct Refusal {
    status: StatusCode,
    kind: Kind,
    /// For the administrator: stands in the log, too.
    number: Option<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Nothing of that kind and name; the nearest address that exists.
    NoTicket {
        id: SmolStr,
        newest: Option<SmolStr>,
    },
    NoDevice {
        device: String,
    },
    NoProfile {
        model: String,
    },
    NoPage {
        path: String,
    },
    ForeignForm,
    FormTooLarge,
    Failed,
    Said(Text),
}

#[derive(Template)]
#[template(path = "refusal.html", config = "src/web/pages/askama.toml")]
struct RefusalPage {
    frame: Frame,
    title: String,
    detail: String,
    number: Option<String>,
    /// A way on: address and words.
    way: (String, String),
}

impl Refusal {
    const fn new(status: StatusCode, kind: Kind) -> Self {
        Self {
            status,
            kind,
            number: None,
        }
    }

    /// There is no such ticket; `newest` is the latest one that there is.
    pub(in crate::web) const fn no_ticket(id: SmolStr, newest: Option<SmolStr>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Kind::NoTicket { id, newest })
    }

    /// There is no such device.
    pub(in crate::web) const fn no_device(device: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, Kind::NoDevice { device })
    }

    /// There is no profile of that model.
    pub(in crate::web) const fn no_profile(model: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, Kind::NoProfile { model })
    }

    /// There is nothing at that address.
    pub(in crate::web) const fn no_page(path: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, Kind::NoPage { path })
    }

    /// The form did not come from one of our pages, or from a login that is over.
    pub(in crate::web) const fn foreign_form() -> Self {
        Self::new(StatusCode::FORBIDDEN, Kind::ForeignForm)
    }

    /// The form is larger than any of ours.
    pub(in crate::web) const fn form_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Kind::FormTooLarge)
    }

    /// What the pipeline said to an action, in its own words.
    pub(in crate::web) const fn said(status: StatusCode, text: Text) -> Self {
        Self::new(status, Kind::Said(text))
    }

    /// A failure of our own; it gets a number that stands in the log.
    pub(in crate::web) fn failed() -> Self {
        let number = random_key();
        tracing::error!(number, "a page could not be built");
        Self {
            number: Some(number),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, Kind::Failed)
        }
    }

    /// The page of it.
    pub(in crate::web) async fn on(self, visit: &Visit, state: &WebState) -> Response {
        let frame = visit.frame(state, Nav::Elsewhere).await;
        self.within(frame)
    }

    fn within(self, frame: Frame) -> Response {
        let t = frame.t;
        let queue = || ("/".to_owned(), t.say("refusal-to-queue").to_string());
        let (title, detail, way) = match &self.kind {
            Kind::NoTicket { id, newest } => (
                t.say("refusal-no-ticket").with("id", id),
                newest.as_ref().map_or_else(
                    || t.say("refusal-no-ticket-yet"),
                    |newest| t.say("refusal-latest").with("id", newest),
                ),
                newest.as_ref().map_or_else(queue, |newest| {
                    (format!("/tickets/{newest}"), newest.to_string())
                }),
            ),
            Kind::NoDevice { device } => (
                t.say("refusal-no-device").with("device", device),
                t.say("refusal-no-device-why"),
                ("/fleet".to_owned(), t.say("frame-fleet").to_string()),
            ),
            Kind::NoProfile { model } => (
                t.say("refusal-no-profile").with("model", model),
                t.say("refusal-no-profile-why"),
                ("/profiles".to_owned(), t.say("frame-profiles").to_string()),
            ),
            Kind::NoPage { path } => (
                t.say("refusal-no-page").with("path", path),
                t.say("refusal-no-page-why"),
                queue(),
            ),
            Kind::ForeignForm => (
                t.say("refusal-foreign"),
                t.say("refusal-foreign-why"),
                queue(),
            ),
            Kind::FormTooLarge => (
                t.say("refusal-too-large"),
                t.say("refusal-too-large-why"),
                queue(),
            ),
            Kind::Failed => (
                t.say("refusal-failed"),
                t.say("refusal-failed-why"),
                queue(),
            ),
            Kind::Said(text) => {
                let words = (t.say("refusal-said"), t.one(text).to_owned(), queue());
                return draw(
                    self.status,
                    self.number,
                    frame,
                    (words.0.to_string(), words.1, words.2),
                );
            }
        };
        let words = (title.to_string(), detail.to_string(), way);
        draw(self.status, self.number, frame, words)
    }
}

type Words = (String, String, (String, String));

fn draw(
    status: StatusCode,
    number: Option<String>,
    frame: Frame,
    (title, detail, way): Words,
) -> Response {
    let page = RefusalPage {
        frame,
        title,
        detail,
        number,
        way,
    };
    let Ok(text) = page.render() else {
        return (status, page.title).into_response();
    };
    (status, axum::response::Html(text)).into_response()
}

/// Without a frame: when even that cannot be drawn.
impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let number = self.number.unwrap_or_default();
        let text = format!("Foremend could not build this page. 页面无法生成。 {number}");
        (self.status, text).into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let refusal = Self::failed();
        tracing::error!(%error, number = refusal.number, "the store did not answer a page");
        refusal
    }
}
