//! `/api/v1/openapi.json`: the description of every address, made from the code that answers them.

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{
    decode, device_action, devices, events, health, messages, profiles, rejected, series,
    ticket_action, tickets,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Foremend",
        description = "Listens to smart appliances, recognises the early signs of failure, and opens the service ticket before the customer calls. \
            Errors are problems of RFC 9457; times are RFC 3339 in UTC with milliseconds; lists are {items, next}."
    ),
    paths(
        tickets::tickets, tickets::ticket, ticket_action::ticket_action, events::events,
        devices::devices, devices::device, messages::messages, device_action::device_action, series::series,
        rejected::rejected, rejected::replay, decode::decode, profiles::profiles, profiles::profile,
        health::healthz, health::readyz, health::metrics, openapi
    ),
    modifiers(&BearerToken),
    security(("token" = []))
)]
pub(super) struct ApiDoc;

/// Adds how to authenticate.
struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "The admin token lies in the file admin-token of the data directory.",
            ))
            .build();
        api.components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "health", security(()),
    responses((status = 200, description = "OpenAPI 3.1")))]
pub(super) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(ApiDoc::openapi())
}
