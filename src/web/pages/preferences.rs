//! How a reader wants the pages: language, theme, single keys. Kept in cookies of the reader's own browser.

use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::AppendHeaders;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use axum_extra::extract::cookie::Cookie;
use axum_extra::extract::cookie::SameSite;

use super::frame::Theme;
use super::visit::Fields;
use super::visit::Posted;
use super::visit::own_path;

/// Name of the language's cookie.
pub(super) const LANGUAGE_COOKIE: &str = "foremend-lang";
/// Name of the theme's cookie.
pub(super) const THEME_COOKIE: &str = "foremend-theme";
/// Name of the cookie that switches single keys off.
pub(super) const KEYS_COOKIE: &str = "foremend-keys";
/// How long a browser keeps a preference, in seconds: a year.
const KEPT_S: u64 = 365 * 24 * 3_600;

/// `POST /preferences`: the form in the reader's menu.
pub(super) async fn save(Posted { fields, .. }: Posted) -> Response {
    let theme = Theme::from_name(fields.get("theme").unwrap_or_default());
    let keys = if fields.get("keys").is_some() {
        "on"
    } else {
        "off"
    };
    let cookies = AppendHeaders([
        (header::SET_COOKIE, cookie(THEME_COOKIE, theme.as_str())),
        (header::SET_COOKIE, cookie(KEYS_COOKIE, keys)),
    ]);
    let back = own_path(fields.get("return_to"));
    (cookies, Redirect::to(&back)).into_response()
}

/// A page that was asked for in a language by `?lang=` makes it the reader's.
pub(in crate::web) async fn remember_language(request: Request, next: Next) -> Response {
    let query = Fields::read(request.uri().query().unwrap_or_default().as_bytes());
    let chosen = match query.get("lang") {
        Some(name) if name.starts_with("zh") => Some("zh"),
        Some(name) if name.starts_with("en") => Some("en"),
        _ => None,
    };
    let response = next.run(request).await;
    match chosen {
        Some(name) => {
            let cookies = AppendHeaders([(header::SET_COOKIE, cookie(LANGUAGE_COOKIE, name))]);
            (cookies, response).into_response()
        }
        None => response,
    }
}

fn cookie(name: &'static str, value: &'static str) -> String {
    let base = Cookie::build((name, value))
        .path("/")
        .same_site(SameSite::Lax)
        .build();
    format!("{base}; Max-Age={KEPT_S}")
}
