//! `/`: the queue of cases: what needs a person now, most urgent first.

mod bulk;

pub(super) mod cases;

mod csv;

mod rows;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse as _;
use axum::response::Response;
use smol_str::SmolStr;

use crate::store::QueueView;
use crate::telemetry::Lang;
use crate::web::WebState;

use super::frame::Frame;
use super::frame::Nav;
use super::page;
use super::refusal::Refusal;
use super::visit::Fields;
use super::visit::Visit;
use super::visit::address;

use cases::Case;
use cases::Group;
use cases::Wish;
use rows::Row;

pub(super) use bulk::act;

/// Cases on one page: what a screen or two hold, and what a bulk action may name.
const CASES_ON_PAGE: usize = 100;
/// People that the list for assigning names.
const PEOPLE_LIMIT: usize = 50;

#[derive(Template)]
#[template(path = "queue.html", config = "src/web/pages/askama.toml")]
struct QueuePage {
    frame: Frame,
    lead: String,
    views: Vec<View>,
    filter: Filter,
    groups: Vec<Section>,
    /// Nothing to show, and why: title, sentence, way on.
    empty: Option<(String, String, Option<String>)>,
    notices: u64,
    people: Vec<SmolStr>,
    /// Nothing here is acted on.
    reading: bool,
    csv: String,
    before: Option<String>,
    after: Option<String>,
}

/// A link of the tab bar.
struct View {
    address: String,
    name: String,
    count: Option<String>,
    current: bool,
}

/// Section under one heading.
struct Section {
    title: String,
    count: String,
    rows: Vec<Row>,
}

/// The filter's fields with their choices.
struct Filter {
    open: bool,
    view: Option<String>,
    severity: Vec<Choice>,
    model: Vec<Choice>,
    region: Vec<Choice>,
    sort: Vec<Choice>,
}

/// An option of a select.
struct Choice {
    value: String,
    name: String,
    chosen: bool,
}

/// The views in the order of their links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    All,
    Mine,
    Nobody,
    Waiting,
    Watched,
    Notices,
    Done,
}

impl Tab {
    const ALL: [Self; 7] = [
        Self::All,
        Self::Mine,
        Self::Nobody,
        Self::Waiting,
        Self::Watched,
        Self::Notices,
        Self::Done,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mine => "mine",
            Self::Nobody => "nobody",
            Self::Waiting => "waiting",
            Self::Watched => "watched",
            Self::Notices => "notices",
            Self::Done => "done",
        }
    }

    fn from_name(name: Option<&str>) -> Self {
        let found = Self::ALL.into_iter().find(|tab| Some(tab.name()) == name);
        found.unwrap_or(Self::All)
    }

    /// What this view asks for beside the filters.
    fn wish(self, caller: &SmolStr) -> Wish {
        Wish {
            mine: (self == Self::Mine).then(|| caller.clone()),
            nobody: self == Self::Nobody,
            group: match self {
                Self::Waiting => Some(Group::Waiting),
                Self::Watched => Some(Group::Watched),
                _ => None,
            },
            ..Wish::default()
        }
    }
}

/// What a queue's address asks for.
struct Asked {
    fields: Fields,
    tab: Tab,
}

impl Asked {
    fn read(uri: &Uri) -> Self {
        let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
        let tab = Tab::from_name(fields.get("view"));
        Self { fields, tab }
    }

    fn wish(&self, caller: &SmolStr) -> Wish {
        let get = |name| self.fields.get(name).map(SmolStr::new);
        Wish {
            severity: get("severity"),
            model: get("model"),
            region: get("region"),
            find: self.fields.get("q").map(str::to_owned),
            oldest: self.fields.get("sort") == Some("oldest"),
            ..self.tab.wish(caller)
        }
    }

    /// Any filter is set.
    fn filters(&self) -> bool {
        ["severity", "model", "region", "q"]
            .iter()
            .any(|name| self.fields.get(name).is_some())
    }

    fn page(&self) -> usize {
        let page = self.fields.get("page").and_then(|page| page.parse().ok());
        page.unwrap_or(1_usize).max(1)
    }

    /// This address on another page.
    fn at_page(&self, page: usize) -> String {
        let base = self
            .fields
            .address("/", |name| !matches!(name, "page" | "lang" | "saved"));
        let join = if base.contains('?') { '&' } else { '?' };
        format!("{base}{join}page={page}")
    }
}

/// `GET /`.
pub(super) async fn show(State(state): State<WebState>, visit: Visit, uri: Uri) -> Response {
    match build(&state, &visit, &uri).await {
        Ok(response) => response,
        Err(refusal) => refusal.on(&visit, &state).await,
    }
}

async fn build(state: &WebState, visit: &Visit, uri: &Uri) -> Result<Response, Refusal> {
    let asked = Asked::read(uri);
    let caller = &visit.caller.name;
    let frame = visit.frame(state, Nav::Queue).await;
    let open = cases::cases(state.store.queue(QueueView::Open).await?);
    let notices = cases::cases(state.store.queue(QueueView::Notices).await?);
    let listed = match asked.tab {
        Tab::Notices => notices.clone(),
        Tab::Done => done(state).await?,
        _ => open.clone(),
    };
    let shown = cases::wanted(&listed, &asked.wish(caller));
    if asked.fields.get("format") == Some("csv") {
        return Ok(csv::answer(state, &frame, &shown).await?.into_response());
    }
    let first = (asked.page() - 1).saturating_mul(CASES_ON_PAGE);
    let on_page: Vec<&Case> = shown.iter().skip(first).take(CASES_ON_PAGE).collect();
    let rows = rows::rows(state, &frame, &on_page).await?;
    let more = shown.len() > first + on_page.len();
    Ok(page(&QueuePage {
        lead: lead(&frame, &open),
        views: views(&frame, &asked, &open, &notices, caller),
        filter: filter(&frame, &asked, &listed),
        empty: shown
            .is_empty()
            .then(|| empty(&frame, &asked, listed.len())),
        groups: grouped(&frame, &asked, &shown, &on_page, rows),
        notices: notices.len() as u64,
        people: people(&open, caller),
        reading: matches!(asked.tab, Tab::Done),
        csv: asked.fields.address("/", |name| name != "page") + csv_mark(&asked),
        before: (asked.page() > 1).then(|| asked.at_page(asked.page() - 1)),
        after: more.then(|| asked.at_page(asked.page() + 1)),
        frame,
    }))
}

fn csv_mark(asked: &Asked) -> &'static str {
    let bare = asked.fields.address("/", |name| name != "page") == "/";
    if bare { "?format=csv" } else { "&format=csv" }
}

/// What is over: each ticket a row of its own, newest first.
async fn done(state: &WebState) -> Result<Vec<Case>, Refusal> {
    let lines = state.store.queue(QueueView::Done).await?;
    Ok(lines
        .into_iter()
        .map(|line| Case {
            lines: vec![line],
            group: Group::Watched,
        })
        .collect())
}

/// One sentence: how many, and the one that cannot wait.
fn lead(frame: &Frame, open: &[Case]) -> String {
    let t = frame.t;
    let need = open.iter().filter(|case| case.group != Group::Watched);
    let first = t.say("queue-lead").num("n", need.count()).to_string();
    let hot = open.iter().filter(|case| case.is_hot()).count();
    let loose = open.iter().filter(|case| case.group == Group::Now).count();
    let second = if hot > 0 {
        t.say("queue-lead-hot").num("n", hot)
    } else if loose > 0 {
        t.say("queue-lead-now").num("n", loose)
    } else {
        return first;
    };
    match t.lang() {
        Lang::En => format!("{first} {second}"),
        Lang::Zh => format!("{first}{second}"),
    }
}

fn views(
    frame: &Frame,
    asked: &Asked,
    open: &[Case],
    notices: &[Case],
    caller: &SmolStr,
) -> Vec<View> {
    let t = frame.t;
    let link = |tab: Tab| {
        let count = match tab {
            Tab::Notices => Some(notices.len()),
            Tab::Done => None,
            _ => Some(cases::wanted(open, &tab.wish(caller)).len()),
        };
        View {
            address: match tab {
                Tab::All => "/".to_owned(),
                _ => address("/", &[("view", tab.name())]),
            },
            name: match tab {
                Tab::All => t.say("queue-view-all"),
                Tab::Mine => t.say("queue-view-mine"),
                Tab::Nobody => t.say("queue-view-nobody"),
                Tab::Waiting => t.say("queue-view-waiting"),
                Tab::Watched => t.say("queue-view-watched"),
                Tab::Notices => t.say("queue-view-notices"),
                Tab::Done => t.say("queue-view-done"),
            }
            .to_string(),
            count: count.map(|n| frame.show.count(n as u64)),
            current: tab == asked.tab,
        }
    };
    Tab::ALL.into_iter().map(link).collect()
}

fn filter(frame: &Frame, asked: &Asked, listed: &[Case]) -> Filter {
    let t = frame.t;
    let lines = || listed.iter().flat_map(|case| &case.lines);
    let any = t.say("queue-any").to_string();
    let choices = |name: &'static str, values: BTreeSet<(String, String)>| {
        let chosen = asked.fields.get(name);
        let first = Choice {
            value: String::new(),
            name: any.clone(),
            chosen: chosen.is_none(),
        };
        let rest = values.into_iter().map(|(value, name)| Choice {
            chosen: chosen == Some(value.as_str()),
            value,
            name,
        });
        std::iter::once(first).chain(rest).collect::<Vec<_>>()
    };
    let severities = [
        ("S1", t.say("severity-s1")),
        ("S2", t.say("severity-s2")),
        ("S3", t.say("severity-s3")),
    ];
    let same = |value: &SmolStr| (value.to_string(), value.to_string());
    let oldest = asked.fields.get("sort") == Some("oldest");
    Filter {
        open: asked.filters() || oldest,
        view: asked.fields.get("view").map(str::to_owned),
        severity: choices(
            "severity",
            severities
                .into_iter()
                .map(|(value, name)| (value.to_owned(), name.to_string()))
                .collect(),
        ),
        model: choices("model", lines().map(|line| same(&line.model)).collect()),
        region: choices(
            "region",
            lines()
                .filter_map(|line| line.region.as_ref().map(same))
                .collect(),
        ),
        sort: vec![
            Choice {
                value: String::new(),
                name: t.say("queue-sort-urgent").to_string(),
                chosen: !oldest,
            },
            Choice {
                value: "oldest".to_owned(),
                name: t.say("queue-sort-oldest").to_string(),
                chosen: oldest,
            },
        ],
    }
}

fn empty(frame: &Frame, asked: &Asked, without: usize) -> (String, String, Option<String>) {
    let t = frame.t;
    if asked.filters() {
        let clear = asked.fields.address("/", |name| name == "view");
        return (
            t.say("queue-none-fits").to_string(),
            t.say("queue-without-filters").num("n", without).to_string(),
            Some(clear),
        );
    }
    let (title, why) = match asked.tab {
        Tab::All => (t.say("queue-none"), t.say("queue-none-why")),
        Tab::Notices => (t.say("queue-none-notices"), t.say("queue-none-notices-why")),
        Tab::Done => (t.say("queue-none-done"), t.say("queue-none-done-why")),
        _ => (t.say("queue-none-here"), t.say("queue-none-here-why")),
    };
    (title.to_string(), why.to_string(), None)
}

/// The rows of the page under their headings; a heading counts the whole view, not only this page.
fn grouped(
    frame: &Frame,
    asked: &Asked,
    shown: &[Case],
    on_page: &[&Case],
    rows: Vec<Row>,
) -> Vec<Section> {
    let t = frame.t;
    let with_case = || on_page.iter().zip(&rows);
    if matches!(asked.tab, Tab::Notices | Tab::Done) {
        let title = match asked.tab {
            Tab::Notices => t.say("queue-view-notices"),
            _ => t.say("queue-view-done"),
        };
        let count = frame.show.count(shown.len() as u64);
        return vec![Section {
            title: title.to_string(),
            count,
            rows,
        }];
    }
    let mut groups = Vec::new();
    for group in Group::ALL {
        let of_group: Vec<Row> = with_case()
            .filter(|(case, _)| case.group == group)
            .map(|(_, row)| row.clone())
            .collect();
        if of_group.is_empty() {
            continue;
        }
        let title = match group {
            Group::Now => t.say("queue-now"),
            Group::Next => t.say("queue-next"),
            Group::Waiting => t.say("queue-waiting"),
            Group::Watched => t.say("queue-watched"),
        };
        let count = shown.iter().filter(|case| case.group == group).count();
        groups.push(Section {
            title: title.to_string(),
            count: frame.show.count(count as u64),
            rows: of_group,
        });
    }
    groups
}

/// Whom cases can be given to: the reader, and whoever has one now.
fn people(open: &[Case], caller: &SmolStr) -> Vec<SmolStr> {
    let mut names: Vec<SmolStr> = vec![caller.clone()];
    let known: BTreeSet<&SmolStr> = open
        .iter()
        .flat_map(|case| &case.lines)
        .filter_map(|line| line.assignee.as_ref())
        .filter(|name| *name != caller)
        .collect();
    names.extend(known.into_iter().take(PEOPLE_LIMIT).cloned());
    names
}
