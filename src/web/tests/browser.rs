//! A reader with a browser: keeps cookies, fills forms, reads pages.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::body::Body;
use axum::body::to_bytes;
use axum::http::HeaderMap;
use axum::http::Request;
use axum::http::StatusCode;
use axum::http::header;

use super::Site;
use super::TOKEN;

/// A reader of the site's pages.
pub(super) struct Browser<'s> {
    site: &'s Site,
    cookies: Mutex<BTreeMap<String, String>>,
    language: &'static str,
}

/// A page as it came.
pub(super) struct PageSeen {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) html: String,
}

impl Site {
    /// Someone who is not logged in; `language` as browsers say it.
    pub(super) fn stranger(&self, language: &'static str) -> Browser<'_> {
        Browser {
            site: self,
            cookies: Mutex::default(),
            language,
        }
    }

    /// Someone who has logged in with the admin token.
    pub(super) async fn reader(&self, language: &'static str) -> Browser<'_> {
        let browser = self.stranger(language);
        let entered = browser.send_form("/login", &[("token", TOKEN)]).await;
        assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.html);
        browser
    }
}

impl Browser<'_> {
    pub(super) async fn get(&self, path: &str) -> PageSeen {
        self.send(Request::get(path), Body::empty()).await
    }

    /// Posts a form of the page at `from`: its hidden fields `csrf` and `key` go with it.
    pub(super) async fn post(&self, from: &str, to: &str, fields: &[(&str, &str)]) -> PageSeen {
        let page = self.get(from).await.html;
        let csrf = hidden(&page, "csrf");
        let key = hidden(&page, "key");
        let mut all = vec![("csrf", csrf.as_str()), ("key", key.as_str())];
        all.extend_from_slice(fields);
        self.send_form(to, &all).await
    }

    /// Posts exactly these fields.
    pub(super) async fn send_form(&self, to: &str, fields: &[(&str, &str)]) -> PageSeen {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request =
            Request::post(to).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(body)).await
    }

    async fn send(&self, request: axum::http::request::Builder, body: Body) -> PageSeen {
        let cookies: Vec<String> = self
            .cookies
            .lock()
            .expect("no test panicked")
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request
            .header(header::ACCEPT, "text/html")
            .header(header::ACCEPT_LANGUAGE, self.language)
            .header(header::COOKIE, cookies.join("; "))
            .body(body)
            .expect("a request");
        let response = self.site.raw(request).await;
        let (parts, body) = response.into_parts();
        for set in parts.headers.get_all(header::SET_COOKIE) {
            let pair = set.to_str().expect("text").split(';').next();
            let (name, value) = pair
                .and_then(|pair| pair.split_once('='))
                .expect("a cookie");
            let mut cookies = self.cookies.lock().expect("no test panicked");
            cookies.insert(name.to_owned(), value.to_owned());
        }
        let bytes = to_bytes(body, 8 << 20).await.expect("a body");
        PageSeen {
            status: parts.status,
            headers: parts.headers,
            html: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

impl PageSeen {
    /// It is a whole page and says all of this.
    pub(super) fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.html.contains(word), "no '{word}' in {}", self.html);
        }
        self
    }

    /// It says none of this.
    pub(super) fn does_not_say(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(!self.html.contains(word), "'{word}' in {}", self.html);
        }
        self
    }

    pub(super) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.html);
        self
    }

    /// Where it sends the browser.
    pub(super) fn leads_to(&self, path: &str) -> &Self {
        self.is(303);
        assert_eq!(self.headers[header::LOCATION], path);
        self
    }
}

/// The value of the first hidden field of that name; empty when there is none.
pub(super) fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    page.split_once(&start)
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or_default()
        .to_owned()
}
