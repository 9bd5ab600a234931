//! Who asks for a page, in which language and colours; and what a form of one of our pages said.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use axum::body::to_bytes;
use axum::extract::ConnectInfo;
use axum::extract::FromRequest;
use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use axum_extra::extract::cookie::CookieJar;

use crate::telemetry::Lang;
use crate::web::WebState;
use crate::web::auth::Caller;
use crate::web::extract::BODY_LIMIT_BYTES;
use crate::web::serve::Peer;

use super::frame::Frame;
use super::frame::Nav;
use super::frame::Theme;
use super::preferences::KEYS_COOKIE;
use super::preferences::LANGUAGE_COOKIE;
use super::preferences::THEME_COOKIE;
use super::refusal::Refusal;
use super::show::Show;
use super::texts::Texts;

/// Longest text of the search field that is shown again.
const FIND_CHARS: usize = 80;

/// How a page is wanted, also by someone who is not logged in.
#[derive(Clone, Debug)]
pub(in crate::web) struct Wanted {
    /// Language.
    pub(in crate::web) lang: Lang,
    /// Theme.
    pub(in crate::web) theme: Theme,
    /// Single keys act.
    pub(in crate::web) keys: bool,
    /// Path and query, without the language and the note.
    pub(in crate::web) here: String,
    /// Where the request comes from.
    pub(in crate::web) peer: IpAddr,
    find: String,
    saved: bool,
    gone: u64,
}

/// A request of someone who is logged in. Others are sent to the login, and come back after it.
#[derive(Clone, Debug)]
pub(in crate::web) struct Visit {
    /// Who.
    pub(in crate::web) caller: Caller,
    /// How.
    pub(in crate::web) wanted: Wanted,
    /// Goes back with every form.
    pub(in crate::web) csrf: String,
}

impl Wanted {
    /// Reads it from a request.
    pub(in crate::web) fn of(parts: &Parts) -> Self {
        let jar = CookieJar::from_headers(&parts.headers);
        let cookie = |name| jar.get(name).map(|cookie| cookie.value().to_owned());
        let query = Fields::read(parts.uri.query().unwrap_or_default().as_bytes());
        let lang = query
            .get("lang")
            .and_then(language)
            .or_else(|| cookie(LANGUAGE_COOKIE).as_deref().and_then(language))
            .unwrap_or_else(|| preferred(&parts.headers));
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map_or(
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            |ConnectInfo(Peer(at))| at.ip(),
        );
        Self {
            lang,
            theme: Theme::from_name(&cookie(THEME_COOKIE).unwrap_or_default()),
            keys: cookie(KEYS_COOKIE).as_deref() != Some("off"),
            here: query.address(parts.uri.path(), |name| {
                !matches!(name, "lang" | "saved" | "gone")
            }),
            peer,
            find: query
                .get("q")
                .unwrap_or_default()
                .chars()
                .take(FIND_CHARS)
                .collect(),
            saved: query.get("saved").is_some(),
            gone: query
                .get("gone")
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
        }
    }

    /// The words in the wanted language.
    pub(in crate::web) const fn texts(&self) -> Texts {
        Texts::of(self.lang)
    }

    /// How numbers and times are written for this reader.
    pub(in crate::web) fn show(&self, state: &WebState) -> Show {
        Show::new(self.lang, state.site.timezone, state.backend.now())
    }

    /// The frame of a page for someone who is not logged in.
    pub(in crate::web) fn frame(&self, state: &WebState) -> Frame {
        let twin = match self.lang {
            Lang::En => "zh",
            Lang::Zh => "en",
        };
        let join = if self.here.contains('?') { '&' } else { '?' };
        Frame {
            t: self.texts(),
            show: self.show(state),
            nav: Nav::Elsewhere,
            theme: self.theme,
            keys: self.keys,
            reader: None,
            open_cases: None,
            find: self.find.clone(),
            twin: format!("{}{join}lang={twin}", self.here),
            here: self.here.clone(),
            csrf: String::new(),
            health: String::new(),
            saved: self.saved,
            gone: self.gone,
        }
    }
}

impl Visit {
    /// The words in the wanted language.
    pub(in crate::web) const fn texts(&self) -> Texts {
        self.wanted.texts()
    }

    /// The frame of a page.
    pub(in crate::web) async fn frame(&self, state: &WebState, nav: Nav) -> Frame {
        let t = self.texts();
        let broken = state
            .backend
            .readiness()
            .into_iter()
            .find(|check| !check.ok);
        Frame {
            nav,
            reader: Some(self.caller.name.clone()),
            // A page is shown without the number when the store is slow; the page's own reading tells the trouble.
            open_cases: state.store.open_cases().await.ok(),
            csrf: self.csrf.clone(),
            health: match broken {
                None => t.say("frame-healthy").to_string(),
                Some(check) => t
                    .say("frame-unhealthy")
                    .with("part", check.name)
                    .with("detail", check.detail)
                    .to_string(),
            },
            ..self.wanted.frame(state)
        }
    }
}

impl FromRequestParts<WebState> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Response> {
        let wanted = Wanted::of(parts);
        let Some(session) = state.sessions.read(&parts.headers, state.backend.now()) else {
            let to = address("/login", &[("return_to", &wanted.here)]);
            return Err(Redirect::to(&to).into_response());
        };
        Ok(Self {
            caller: Caller { name: session.name },
            wanted,
            csrf: session.csrf,
        })
    }
}

impl FromRequestParts<WebState> for Wanted {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &WebState,
    ) -> Result<Self, std::convert::Infallible> {
        Ok(Self::of(parts))
    }
}

/// A form that one of our own pages sent.
#[derive(Clone, Debug)]
pub(in crate::web) struct Posted {
    /// Who sent it.
    pub(in crate::web) visit: Visit,
    /// What it says.
    pub(in crate::web) fields: Fields,
}

/// Names and values, in the order in which they were sent; a name may stand there more than once.
#[derive(Clone, Debug, Default)]
pub(in crate::web) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `name=value&…`.
    pub(in crate::web) fn read(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of that name, without white space around it; `None` when it is empty or not there.
    pub(in crate::web) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Every value of that name.
    pub(in crate::web) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The fields of which `keep` is true, as a query behind a path.
    pub(in crate::web) fn address(&self, path: &str, keep: impl Fn(&str) -> bool) -> String {
        let kept: Vec<(&str, &str)> = self
            .0
            .iter()
            .filter(|(key, value)| keep(key) && !value.is_empty())
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        address(path, &kept)
    }
}

impl FromRequest<WebState> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, state: &WebState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, state).await?;
        let Ok(text) = to_bytes(body, BODY_LIMIT_BYTES).await else {
            return Err(Refusal::form_too_large().on(&visit, state).await);
        };
        let fields = Fields::read(&text);
        if fields.get("csrf") != Some(visit.csrf.as_str()) {
            return Err(Refusal::foreign_form().on(&visit, state).await);
        }
        Ok(Self { visit, fields })
    }
}

fn language(name: &str) -> Option<Lang> {
    if name.starts_with("zh") {
        Some(Lang::Zh)
    } else if name.starts_with("en") {
        Some(Lang::En)
    } else {
        None
    }
}

/// The first of the browser's languages that we speak; they come in the order of preference.
fn preferred(headers: &HeaderMap) -> Lang {
    headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.split(',').find_map(|name| language(name.trim())))
        .unwrap_or(Lang::En)
}

/// A path with its query, encoded.
pub(in crate::web) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    if pairs.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("{path}?{query}")
}

/// A path of our own to go to after a form; anything else (another host, no path) becomes the queue.
pub(in crate::web) fn own_path(path: Option<&str>) -> String {
    path.filter(|path| path.starts_with('/') && !path.starts_with("//"))
        .filter(|path| !path.contains(['\\', '\r', '\n']))
        .unwrap_or("/")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_are_gone_to() {
        assert_eq!(
            own_path(Some("/tickets/T-1?saved=1")),
            "/tickets/T-1?saved=1"
        );
        for foreign in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "x",
        ] {
            assert_eq!(own_path(Some(foreign)), "/", "{foreign}");
        }
        assert_eq!(own_path(None), "/");
    }

    #[test]
    fn a_form_may_name_a_field_twice() {
        let fields = Fields::read(b"parts=A&parts=B+C&note=+&x=%E6%B0%B4");
        assert_eq!(fields.all("parts").collect::<Vec<_>>(), ["A", "B C"]);
        assert_eq!(fields.get("note"), None);
        assert_eq!(fields.get("x"), Some("水"));
        assert_eq!(fields.address("/q", |name| name == "x"), "/q?x=%E6%B0%B4");
    }

    #[test]
    fn the_language_is_the_browsers_until_it_is_chosen() {
        let of = |list: &'static str| {
            preferred(&HeaderMap::from_iter([(
                header::ACCEPT_LANGUAGE,
                list.parse().expect("a value"),
            )]))
        };
        assert_eq!(of("de-DE,zh-CN;q=0.8,en;q=0.5"), Lang::Zh);
        assert_eq!(of("fr"), Lang::En);
    }
}
