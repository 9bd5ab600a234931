//! The style sheet and the script, in the binary; their addresses change with their content, so that browsers keep them for ever.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;
use sha2::Digest as _;
use sha2::Sha256;

const STYLE: &str = include_str!("foremend.css");
const SCRIPT: &str = include_str!("foremend.js");
/// The mark in the browser's tab.
const MARK: &str = include_str!("mark.svg");

static STYLE_ADDRESS: LazyLock<String> = LazyLock::new(|| address(STYLE, "css"));
static SCRIPT_ADDRESS: LazyLock<String> = LazyLock::new(|| address(SCRIPT, "js"));

/// Where the style sheet lies.
pub(super) fn style_address() -> &'static str {
    &STYLE_ADDRESS
}

/// Where the script lies.
pub(super) fn script_address() -> &'static str {
    &SCRIPT_ADDRESS
}

fn address(content: &str, kind: &str) -> String {
    let hash = Sha256::digest(content.as_bytes());
    let mut short = String::new();
    for byte in hash.iter().take(6) {
        // Writing to a String cannot fail.
        write!(short, "{byte:02x}").ok();
    }
    format!("/assets/foremend-{short}.{kind}")
}

/// Answers with an asset. An address of an older content is answered with the present one, but not kept.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let (content, kind, now) = match name.rsplit_once('.') {
        Some((_, "css")) => (STYLE, "text/css; charset=utf-8", style_address()),
        Some((_, "js")) => (SCRIPT, "text/javascript; charset=utf-8", script_address()),
        Some(("mark", "svg")) => (MARK, "image/svg+xml", "/assets/mark.svg"),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let keep = if now.ends_with(&name) {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)];
    (headers, content).into_response()
}
