//! `/devices/{model}/{serial}/messages`: what a device sent last, what was understood of it, and what was refused and why.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use smol_str::SmolStr;

use crate::decode;
use crate::store::RejectedFilter;
use crate::store::RejectedRow;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;
use crate::web::WebState;
use crate::web::backend::HeardMessage;
use crate::web::backend::Said;
use crate::web::backend::Understood;
use crate::web::pages::frame::Frame;
use crate::web::pages::frame::Nav;
use crate::web::pages::page;
use crate::web::pages::parts;
use crate::web::pages::parts::Markup;
use crate::web::pages::refusal::Refusal;
use crate::web::pages::visit::Fields;
use crate::web::pages::visit::Visit;
use crate::web::pages::visit::address;

use super::head::Head;
use super::head::Page;
use super::raw;
use super::raw::Raw;
use super::subject::Subject;

/// Messages on one page.
const MESSAGES_ON_PAGE: usize = 50;
/// Refused records of one message that are shown; the rest is counted.
const HINTS_LIMIT: usize = 3;

#[derive(Template)]
#[template(path = "device-messages.html", config = "src/web/pages/askama.toml")]
struct MessagesPage {
    frame: Frame,
    head: Head,
    counts: String,
    /// A form was taken, but is not in the store yet.
    taken: bool,
    only_rejected: bool,
    rejected: u64,
    rows: Vec<MessageRow>,
    /// There are none, and why.
    empty: Option<String>,
    /// The journal could not be read.
    trouble: bool,
    older: Option<String>,
    /// Refused messages that a replay may take.
    replayable: bool,
}

struct MessageRow {
    received: Markup,
    kind: Markup,
    understood: String,
    hints: Vec<Hint>,
    more_hints: usize,
    result: Markup,
}

/// What is wrong with a message, in words, with its text.
struct Hint {
    name: SmolStr,
    words: String,
    /// In the language of the sentence that decode said.
    detail: String,
    meant: Option<String>,
    raw: Markup,
}

/// The page.
pub(super) async fn show(
    State(state): State<WebState>,
    visit: Visit,
    Path((model, serial)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    match build(&state, &visit, &model, &serial, query).await {
        Ok(messages) => page(&messages),
        Err(refusal) => refusal.on(&visit, &state).await,
    }
}

async fn build(
    state: &WebState,
    visit: &Visit,
    model: &str,
    serial: &str,
    query: Option<String>,
) -> Result<MessagesPage, Refusal> {
    let subject = Subject::of(state, model, serial).await?;
    let fields = Fields::read(query.unwrap_or_default().as_bytes());
    let only_rejected = fields.get("only") == Some("rejected");
    let frame = visit.frame(state, Nav::Fleet).await;
    let head = Head::new(&frame, &subject, Page::Messages);
    let path = format!("{}/messages", head.address);
    let look = Look {
        state,
        frame: &frame,
        subject: &subject,
        models: state
            .backend
            .profiles()
            .iter()
            .map(|program| program.model.clone())
            .collect(),
    };
    let after = fields.get("after");
    let found = if only_rejected {
        look.refused(after).await?
    } else {
        look.all(after).await?
    };
    let older = found.next.map(|next| {
        let mut pairs = vec![("after", next.as_str())];
        if only_rejected {
            pairs.push(("only", "rejected"));
        }
        address(&path, &pairs)
    });
    let unreplayed = RejectedFilter {
        device: Some(subject.id.clone()),
        replayed: Some(false),
        limit: 1,
        ..RejectedFilter::default()
    };
    let replayable = !state.store.rejected(&unreplayed).await?.items.is_empty();
    let row = &subject.row;
    let counts = frame
        .t
        .say("device-counts")
        .num("messages", row.messages)
        .num("rejected", row.rejected)
        .num("duplicates", row.duplicates)
        .to_string();
    let empty = found.rows.is_empty().then(|| {
        let key = if only_rejected {
            "device-messages-none-rejected"
        } else {
            "device-messages-none"
        };
        frame.t.say(key).to_string()
    });
    Ok(MessagesPage {
        counts,
        taken: fields.get("taken").is_some(),
        only_rejected,
        rejected: row.rejected,
        rows: found.rows,
        empty,
        trouble: found.trouble,
        older,
        replayable,
        head,
        frame,
    })
}

/// Rows, and where older ones are.
#[derive(Default)]
struct Found {
    rows: Vec<MessageRow>,
    next: Option<String>,
    trouble: bool,
}

struct Look<'a> {
    state: &'a WebState,
    frame: &'a Frame,
    subject: &'a Subject,
    models: Vec<SmolStr>,
}

impl Look<'_> {
    /// The newest messages in the journal.
    async fn all(&self, after: Option<&str>) -> Result<Found, Refusal> {
        let before = after.and_then(|after| after.parse().ok()).map(Position);
        let heard = self
            .state
            .backend
            .messages(&self.subject.id, before, MESSAGES_ON_PAGE)
            .await;
        let Ok(heard) = heard else {
            return Ok(Found {
                trouble: true,
                ..Found::default()
            });
        };
        let positions: Vec<Position> = heard.items.iter().map(|item| item.position).collect();
        let mut refused: BTreeMap<Position, Vec<RejectedRow>> = BTreeMap::new();
        for row in self.state.store.rejected_at(&positions).await? {
            refused.entry(row.position).or_default().push(row);
        }
        let rows = heard.items.iter().map(|heard| {
            let refused = refused.remove(&heard.position).unwrap_or_default();
            self.heard(heard, &refused)
        });
        Ok(Found {
            rows: rows.collect(),
            next: heard.next.map(|next| next.0.to_string()),
            trouble: false,
        })
    }

    /// What was refused, also when the journal no longer has it.
    async fn refused(&self, after: Option<&str>) -> Result<Found, Refusal> {
        let filter = RejectedFilter {
            device: Some(self.subject.id.clone()),
            limit: MESSAGES_ON_PAGE,
            after: after.map(str::to_owned),
            ..RejectedFilter::default()
        };
        let found = self.state.store.rejected(&filter).await?;
        let rows = found.items.iter().map(|row| MessageRow {
            received: self.time(row.received_at),
            kind: kind(&row.topic),
            understood: self.nothing(row.item),
            hints: vec![self.hint(row)],
            more_hints: 0,
            result: self.refused_result(row),
        });
        Ok(Found {
            rows: rows.collect(),
            next: found.next,
            trouble: false,
        })
    }

    fn heard(&self, heard: &HeardMessage, refused: &[RejectedRow]) -> MessageRow {
        let t = self.frame.t;
        let whole = refused.iter().find(|row| row.item.is_none());
        let result = match (whole, refused.len(), &heard.understood) {
            (Some(row), ..) => self.refused_result(row),
            (None, 0, Understood::Repeated) => state("learning", &t.say("device-result-repeated")),
            (None, 0, _) if !heard.hints.is_empty() => {
                let words = t.say("device-result-hints").num("n", heard.hints.len());
                state("pending", &words)
            }
            (None, 0, _) => state("normal", &t.say("device-result-decoded")),
            (None, n, _) => state("pending", &t.say("device-result-partly").num("n", n)),
        };
        let understood = match (&heard.understood, whole) {
            (_, Some(row)) => self.nothing(row.item),
            (Understood::Said(said), None) => self.said(said, heard.message.retained),
            (Understood::Repeated, None) => t.say("device-said-repeated").to_string(),
            (Understood::Nothing, None) => t.say("device-said-unknown").to_string(),
        };
        // A refusal says itself what is wrong; guesses are for what was taken.
        let guesses = if refused.is_empty() {
            &heard.hints[..]
        } else {
            &[]
        };
        MessageRow {
            received: self.time(heard.received_at),
            kind: kind(&heard.message.topic),
            understood,
            hints: refused
                .iter()
                .map(|row| self.hint(row))
                .chain(guesses.iter().map(|hint| self.guess(heard, hint)))
                .take(HINTS_LIMIT)
                .collect(),
            more_hints: (refused.len() + guesses.len()).saturating_sub(HINTS_LIMIT),
            result,
        }
    }

    /// What a message said, in a few words.
    fn said(&self, said: &Said, retained: bool) -> String {
        let t = self.frame.t;
        let mut words: Vec<String> = Vec::new();
        if let Some(online) = said.online {
            let key = if online {
                "device-said-online"
            } else {
                "device-said-offline"
            };
            words.push(t.say(key).to_string());
        }
        if said.identity {
            words.push(t.say("device-said-identity").to_string());
        }
        if let Some(event) = &said.event {
            words.push(event.chars().take(64).collect());
        }
        if said.records > 1 {
            words.push(
                t.say("device-said-records")
                    .num("n", said.records)
                    .to_string(),
            );
        }
        if said.values > 0 {
            words.push(
                t.say("device-said-values")
                    .num("n", said.values)
                    .to_string(),
            );
        }
        if retained {
            words.push(t.say("device-said-retained").to_string());
        }
        if words.is_empty() {
            return t.say("device-said-empty").to_string();
        }
        words.join(&t.say("device-lead-comma").to_string())
    }

    fn nothing(&self, item: Option<u32>) -> String {
        let t = self.frame.t;
        match item {
            None => t.say("device-said-nothing").to_string(),
            Some(item) => t.say("device-said-record").num("n", item + 1).to_string(),
        }
    }

    /// What is probably wrong with a message that was taken.
    fn guess(&self, heard: &HeardMessage, hint: &decode::Hint) -> Hint {
        let raw = Raw {
            topic: &heard.message.topic,
            payload: &heard.message.payload,
            cut: false,
        };
        Hint {
            name: SmolStr::new_static(hint.name.as_str()),
            words: self.frame.t.one(&hint.text).to_owned(),
            detail: String::new(),
            meant: hint.did_you_mean.clone(),
            raw: raw::marked_at(&raw, hint.mark.as_deref()),
        }
    }

    fn hint(&self, row: &RejectedRow) -> Hint {
        let raw = Raw {
            topic: &row.topic,
            payload: &row.payload,
            cut: row.payload_len > row.payload.len() as u64,
        };
        Hint {
            words: words(self.frame, &row.reason),
            meant: raw::meant(&row.topic, &row.reason, &self.models),
            raw: raw::marked(&raw, &row.reason, &row.detail),
            name: row.reason.clone(),
            detail: row.detail.clone(),
        }
    }

    fn refused_result(&self, row: &RejectedRow) -> Markup {
        let t = self.frame.t;
        match row.replayed_at {
            Some(at) => {
                let when = self.frame.show.brief(at);
                state(
                    "normal",
                    &t.say("device-result-replayed").with("when", when),
                )
            }
            None => Markup::trusted(format!(
                "<span class=\"clock late\">{}</span>",
                parts::escaped(&t.say("device-result-rejected").to_string())
            )),
        }
    }

    fn time(&self, at: Timestamp) -> Markup {
        let show = &self.frame.show;
        let text = if show.is_today(at) {
            show.clock_s(at)
        } else {
            format!("{} {}", show.date(at), show.clock_s(at))
        };
        show.time(at, &text)
    }
}

fn state(class: &str, words: &dyn std::fmt::Display) -> Markup {
    Markup::trusted(format!(
        "<span class=\"fs {class}\">{}</span>",
        parts::escaped(&words.to_string())
    ))
}

/// The last part of the topic: what kind of message it is.
fn kind(topic: &str) -> Markup {
    parts::told(topic.rsplit('/').next().unwrap_or(topic))
}

/// A reason in the reader's language; empty for one that has no words yet.
fn words(frame: &Frame, reason: &str) -> String {
    let t = frame.t;
    match reason {
        "unknown_topic" => t.say("device-reason-unknown-topic"),
        "unknown_kind" => t.say("device-reason-unknown-kind"),
        "unknown_model" => t.say("device-reason-unknown-model"),
        "unknown_device" => t.say("device-reason-unknown-device"),
        "too_large" => t.say("device-reason-too-large"),
        "too_many_records" => t.say("device-reason-too-many-records"),
        "too_deep" => t.say("device-reason-too-deep"),
        "invalid_utf8" => t.say("device-reason-invalid-utf8"),
        "invalid_json" => t.say("device-reason-invalid-json"),
        "invalid_cbor" => t.say("device-reason-invalid-cbor"),
        "invalid_shape" => t.say("device-reason-invalid-shape"),
        "no_time" => t.say("device-reason-no-time"),
        "identity_mismatch" => t.say("device-reason-identity-mismatch"),
        "empty" => t.say("device-reason-empty"),
        "internal_error" => t.say("device-reason-internal-error"),
        _ => return String::new(),
    }
    .to_string()
}
