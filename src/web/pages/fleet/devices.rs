//! `/devices`: the devices of a model, or those whose serial holds what was searched for.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use crate::store::DeviceFilter;
use crate::store::DeviceRow;
use crate::store::DeviceStanding;
use crate::web::WebState;
use crate::web::pages::frame::Frame;
use crate::web::pages::frame::Nav;
use crate::web::pages::page;
use crate::web::pages::parts;
use crate::web::pages::parts::Markup;
use crate::web::pages::refusal::Refusal;
use crate::web::pages::visit::Fields;
use crate::web::pages::visit::Visit;
use crate::web::pages::visit::address;

/// Devices on one page.
const DEVICES_ON_PAGE: usize = 100;

#[derive(Template)]
#[template(path = "devices.html", config = "src/web/pages/askama.toml")]
struct DevicesPage {
    frame: Frame,
    title: String,
    model: Option<String>,
    find: String,
    rows: Vec<Row>,
    after: Option<String>,
}

/// A device's row.
struct Row {
    address: String,
    serial: Markup,
    about: Markup,
    presence: Markup,
    seen: Markup,
    messages: String,
    rejected: String,
    tickets: String,
    firmware: Markup,
}

/// `GET /devices?model=&q=&after=`.
pub(in crate::web::pages) async fn list(
    State(state): State<WebState>,
    visit: Visit,
    uri: Uri,
) -> Response {
    match build(&state, &visit, &uri).await {
        Ok(template) => page(&template),
        Err(refusal) => refusal.on(&visit, &state).await,
    }
}

async fn build(state: &WebState, visit: &Visit, uri: &Uri) -> Result<DevicesPage, Refusal> {
    let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let frame = visit.frame(state, Nav::Fleet).await;
    let model = fields.get("model").map(str::to_owned);
    let filter = DeviceFilter {
        model: model.clone(),
        q: fields.get("q").map(str::to_owned),
        limit: DEVICES_ON_PAGE,
        after: fields.get("after").map(str::to_owned),
        ..DeviceFilter::default()
    };
    let found = state.store.devices(&filter).await?;
    let t = frame.t;
    let after = found.next.map(|next| {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        pairs.extend(model.as_deref().map(|model| ("model", model)));
        pairs.extend(fields.get("q").map(|find| ("q", find)));
        pairs.push(("after", &next));
        address("/devices", &pairs)
    });
    Ok(DevicesPage {
        title: model
            .clone()
            .unwrap_or_else(|| t.say("fleet-devices").to_string()),
        find: frame.find.clone(),
        rows: found.items.iter().map(|row| one(&frame, row)).collect(),
        model,
        after,
        frame,
    })
}

fn one(frame: &Frame, row: &DeviceRow) -> Row {
    let (t, show) = (frame.t, &frame.show);
    let recent = show.now().since(row.last_seen) <= super::HEARD_MS;
    let (class, words) = match (row.standing, row.online, recent) {
        (DeviceStanding::Quarantined, ..) => ("blind", t.say("fleet-in-quarantine")),
        (DeviceStanding::Retired, ..) => ("blind", t.say("fleet-retired")),
        (_, Some(false), _) => ("blind", t.say("fleet-is-offline")),
        (_, _, true) => ("normal", t.say("fleet-is-online")),
        (_, _, false) => ("active", t.say("fleet-is-silent")),
    };
    let mut about = vec![parts::escaped(row.device.model())];
    let region = row.identity.region.as_ref();
    about.extend(region.map(|region| parts::told(region).to_string()));
    Row {
        address: format!("/devices/{}/{}", row.device.model(), row.device.serial()),
        serial: parts::told(row.device.serial()),
        about: Markup::trusted(about.join(&t.say("frame-between").to_string())),
        presence: Markup::trusted(format!(
            "<span class=\"fs {class}\">{}</span>",
            parts::escaped(&words.to_string())
        )),
        seen: show.age(row.last_seen),
        messages: show.count(row.messages),
        rejected: show.count(row.rejected),
        tickets: show.count(row.open_tickets),
        firmware: row
            .identity
            .fw
            .as_ref()
            .map(|fw| parts::told(fw))
            .unwrap_or_default(),
    }
}
