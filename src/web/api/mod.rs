//! The API: one file per noun, every address on one screen.

mod answer;

mod tickets;

mod ticket_action;

mod events;

mod devices;

mod device_action;

mod fault_state;

mod series;

mod rejected;

mod profiles;

mod health;

mod messages;

mod decode;

mod openapi;

use axum::routing::{MethodRouter, get, post};

use super::WebState;

pub(super) use events::FOLLOWERS_LIMIT;
pub(super) use ticket_action::perform as act_on_ticket;

/// One address.
pub(super) struct Route {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "tests compare it with the description")
    )]
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) handler: MethodRouter<WebState>,
}

/// Addresses that need a token.
pub(super) fn protected() -> Vec<Route> {
    vec![
        read("/api/v1/tickets", get(tickets::tickets)),
        read("/api/v1/tickets/{id}", get(tickets::ticket)),
        write(
            "/api/v1/tickets/{id}/actions",
            post(ticket_action::ticket_action),
        ),
        read("/api/v1/events", get(events::events)),
        read("/api/v1/devices", get(devices::devices)),
        read("/api/v1/devices/{model}/{serial}", get(devices::device)),
        read(
            "/api/v1/devices/{model}/{serial}/messages",
            get(messages::messages),
        ),
        write(
            "/api/v1/devices/{model}/{serial}/actions",
            post(device_action::device_action),
        ),
        read("/api/v1/series", get(series::series)),
        read("/api/v1/rejected", get(rejected::rejected)),
        write("/api/v1/rejected/replay", post(rejected::replay)),
        write("/api/v1/decode", post(decode::decode)),
        read("/api/v1/profiles", get(profiles::profiles)),
        read("/api/v1/profiles/{model}", get(profiles::profile)),
    ]
}

/// Addresses that everyone may read.
pub(super) fn open() -> Vec<Route> {
    vec![
        read("/healthz", get(health::healthz)),
        read("/readyz", get(health::readyz)),
        read("/metrics", get(health::metrics)),
        read("/api/v1/openapi.json", get(openapi::openapi)),
    ]
}

const fn read(path: &'static str, handler: MethodRouter<WebState>) -> Route {
    Route {
        method: "get",
        path,
        handler,
    }
}

const fn write(path: &'static str, handler: MethodRouter<WebState>) -> Route {
    Route {
        method: "post",
        path,
        handler,
    }
}
