//! Who is logged in: a signed cookie, and a pause for those who guess.
//!
//! The cookie names the person and the time of the login; its signature rests on the admin token, so that it outlives a restart and
//! ends with a new token. Nothing is kept on the server but the guesses of the last minutes, for a bounded number of addresses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;

use axum::http::HeaderMap;
use axum_extra::extract::SignedCookieJar;
use axum_extra::extract::cookie::Cookie;
use axum_extra::extract::cookie::Key;
use axum_extra::extract::cookie::SameSite;
use sha2::Digest as _;
use sha2::Sha256;
use smol_str::SmolStr;

use crate::telemetry::DAY_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Timestamp;
use crate::web::auth::Caller;
use crate::web::auth::Tokens;

/// Name of the login's cookie.
pub(super) const SESSION_COOKIE: &str = "foremend-session";
/// How long a login lasts: a working week and its weekend.
pub(super) const SESSION_MS: i64 = 7 * DAY_MS;
/// Wrong tokens from one address before it has to pause.
pub(super) const TRIES: u32 = 5;
/// How long it pauses.
pub(super) const PAUSE_MS: i64 = 5 * MINUTE_MS;
/// Addresses whose guesses are remembered; beyond that the oldest is forgotten.
const GUESSERS_LIMIT: usize = 4_096;
/// Random bytes of an idempotency key.
const KEY_BYTES: usize = 12;

/// Signs and reads logins.
#[derive(Clone)]
pub(in crate::web) struct Sessions {
    tokens: Tokens,
    /// What the key was made of, and the key: made anew when the tokens are others.
    key: Arc<RwLock<(Vec<u8>, Key)>>,
    guesses: Arc<Mutex<BTreeMap<IpAddr, Guesses>>>,
}

/// What one address guessed.
#[derive(Clone, Copy, Debug)]
struct Guesses {
    wrong: u32,
    last: Timestamp,
}

/// A login as the cookie tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) name: SmolStr,
    /// Goes back with every form of this login.
    pub(super) csrf: String,
}

impl Sessions {
    /// The tokens sign the cookies: whoever knows one can log in, and a login ends when they change.
    pub(in crate::web) fn new(tokens: Tokens) -> Self {
        let secret = tokens.secret();
        let key = key_of(&secret);
        Self {
            tokens,
            key: Arc::new(RwLock::new((secret, key))),
            guesses: Arc::default(),
        }
    }

    fn key(&self) -> Key {
        let secret = self.tokens.secret();
        {
            let known = self.key.read().unwrap_or_else(PoisonError::into_inner);
            if known.0 == secret {
                return known.1.clone();
            }
        }
        let key = key_of(&secret);
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = (secret, key.clone());
        key
    }

    /// The login of a request, when it has one that is not over.
    pub(super) fn read(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        let jar = SignedCookieJar::from_headers(headers, self.key());
        let cookie = jar.get(SESSION_COOKIE)?;
        let (since, name) = cookie.value().split_once('.')?;
        let since = Timestamp::from_ms(since.parse().ok()?);
        (0..SESSION_MS)
            .contains(&now.since(since))
            .then(|| Session {
                name: name.into(),
                csrf: self.csrf(cookie.value()),
            })
    }

    /// Who is logged in.
    pub(in crate::web) fn caller(&self, headers: &HeaderMap, now: Timestamp) -> Option<Caller> {
        let name = self.read(headers, now)?.name;
        Some(Caller { name })
    }

    /// A jar that holds a login from now on.
    pub(super) fn begin(&self, name: &str, now: Timestamp) -> SignedCookieJar {
        let cookie = Cookie::build((SESSION_COOKIE, format!("{}.{name}", now.ms())))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .build();
        SignedCookieJar::new(self.key()).add(cookie)
    }

    /// A jar that ends a login.
    pub(super) fn end(&self, headers: &HeaderMap) -> SignedCookieJar {
        SignedCookieJar::from_headers(headers, self.key())
            .remove(Cookie::build(SESSION_COOKIE).path("/"))
    }

    /// Bound to the login, so that another site's form cannot know it.
    fn csrf(&self, session: &str) -> String {
        let hash = Sha256::new()
            .chain_update(self.key().master())
            .chain_update(b"\nform\n")
            .chain_update(session)
            .finalize();
        hex(hash.get(..16).unwrap_or_default())
    }

    /// How long an address still has to pause before it may try a token, in milliseconds.
    pub(super) fn pause(&self, peer: IpAddr, now: Timestamp) -> Option<i64> {
        let guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = guesses.get(&peer)?;
        let left = PAUSE_MS - now.since(of_peer.last);
        (of_peer.wrong >= TRIES && left > 0).then_some(left)
    }

    /// A token was wrong; tells how many tries are left.
    pub(super) fn wrong(&self, peer: IpAddr, now: Timestamp) -> u32 {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        if guesses.len() >= GUESSERS_LIMIT && !guesses.contains_key(&peer) {
            let oldest = guesses
                .iter()
                .min_by_key(|(_, of_peer)| of_peer.last)
                .map(|(peer, _)| *peer);
            oldest.and_then(|oldest| guesses.remove(&oldest));
        }
        let of_peer = guesses.entry(peer).or_insert(Guesses {
            wrong: 0,
            last: now,
        });
        if now.since(of_peer.last) >= PAUSE_MS {
            of_peer.wrong = 0;
        }
        of_peer.wrong += 1;
        of_peer.last = now;
        TRIES.saturating_sub(of_peer.wrong)
    }

    /// A token was right.
    pub(super) fn right(&self, peer: IpAddr) {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.remove(&peer);
    }
}

fn key_of(secret: &[u8]) -> Key {
    let hash = Sha256::new()
        .chain_update(b"foremend session cookie\n")
        .chain_update(secret)
        .finalize();
    Key::derive_from(&hash)
}

/// A new idempotency key.
pub(super) fn random_key() -> String {
    let bytes: [u8; KEY_BYTES] = rand::random();
    hex(&bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header;
    use axum::response::IntoResponse as _;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_772_347_269_120);
    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn sessions() -> Sessions {
        Sessions::new(Tokens::single("admin", "secret"))
    }

    fn cookie_of(sessions: &Sessions, name: &str) -> HeaderMap {
        let response = sessions.begin(name, NOW).into_response();
        let set = response.headers()[header::SET_COOKIE]
            .to_str()
            .expect("text");
        assert!(
            set.contains("HttpOnly") && set.contains("SameSite=Lax"),
            "{set}"
        );
        let pair = set.split(';').next().expect("a cookie");
        HeaderMap::from_iter([(
            header::COOKIE,
            HeaderValue::from_str(pair).expect("a value"),
        )])
    }

    #[test]
    fn a_login_is_read_back_until_it_is_over() {
        let sessions = sessions();
        let headers = cookie_of(&sessions, "admin");
        let session = sessions.read(&headers, NOW + 1).expect("a login");
        assert_eq!(session.name, "admin");
        assert_eq!(sessions.read(&headers, NOW + SESSION_MS), None);
        assert_eq!(sessions.read(&HeaderMap::new(), NOW), None);
        sessions.tokens.replace(&Tokens::single("admin", "other"));
        assert_eq!(sessions.read(&headers, NOW), None);
    }

    #[test]
    fn a_changed_cookie_is_no_login() {
        let sessions = sessions();
        let headers = cookie_of(&sessions, "agent-1");
        let text = headers[header::COOKIE]
            .to_str()
            .expect("text")
            .replace("agent-1", "admin");
        let headers = HeaderMap::from_iter([(
            header::COOKIE,
            HeaderValue::from_str(&text).expect("a value"),
        )]);
        assert_eq!(sessions.read(&headers, NOW), None);
    }

    #[test]
    fn who_guesses_has_to_pause() {
        let sessions = sessions();
        for left in (0..TRIES).rev() {
            assert_eq!(sessions.pause(PEER, NOW), None);
            assert_eq!(sessions.wrong(PEER, NOW), left);
        }
        assert_eq!(sessions.pause(PEER, NOW), Some(PAUSE_MS));
        assert_eq!(sessions.pause(PEER, NOW + PAUSE_MS), None);
        assert_eq!(sessions.wrong(PEER, NOW + PAUSE_MS), TRIES - 1);
    }

    #[test]
    fn guessers_are_remembered_up_to_a_limit() {
        let sessions = sessions();
        for n in 0..GUESSERS_LIMIT + 10 {
            let n = u32::try_from(n).expect("a small number");
            let peer = IpAddr::from(u128::from(n).to_be_bytes());
            sessions.wrong(peer, NOW + i64::from(n));
        }
        assert_eq!(
            sessions.guesses.lock().expect("whole").len(),
            GUESSERS_LIMIT
        );
    }
}
