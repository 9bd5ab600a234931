//! A device's pages: how near each fault is, the signals with their charts, tickets, messages, and what a person does with it.
//!
//! Each page is one file here; `subject` is what all of them know, `head` what stands above all of them. Whatever a device told is
//! shown through `parts::told` only. Invariant: a store of series that is slow or away costs the charts, never the page.

mod act;

mod facts;

mod faults;

mod head;

mod messages;

mod overview;

mod picture;

mod range;

mod raw;

mod signal;

mod signals;

mod subject;

mod tickets;

use axum::Router;
use axum::routing::get;
use axum::routing::post;

use crate::web::WebState;

/// The addresses of a device.
pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/{model}/{serial}", get(overview::show))
        .route("/devices/{model}/{serial}/tickets", get(tickets::show))
        .route("/devices/{model}/{serial}/messages", get(messages::show))
        .route(
            "/devices/{model}/{serial}/signals/{signal}",
            get(signal::show),
        )
        .route("/devices/{model}/{serial}/actions", post(act::act))
        .route("/devices/{model}/{serial}/replay", post(act::replay))
}
