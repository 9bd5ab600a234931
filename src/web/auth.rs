//! Who asks: bearer tokens. The admin token is made at the first start and lies in a file that only its owner reads.
//!
//! Invariant: a token is compared in the same time whether its first or its last character is wrong, and never written to a log.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::WebState;
use super::problem::Problem;

/// Name of the admin token's file in the data directory.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";
/// Who the admin token speaks for, in timelines.
const ADMIN_NAME: &str = "admin";
/// Random bytes of a token: beyond all guessing.
const TOKEN_BYTES: usize = 32;

/// The tokens that are accepted. Clones share them, also when they change.
#[derive(Clone)]
pub struct Tokens(Arc<RwLock<Arc<[Token]>>>);

/// One token: whose it is, and the hash of its text.
#[derive(PartialEq, Eq)]
struct Token {
    name: SmolStr,
    hash: [u8; 32],
}

/// Who made a request; its name stands in timelines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// A user's or a token's name.
    pub name: SmolStr,
}

/// The admin token cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("the admin token {path} cannot be read or written")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds something else.
    #[error(
        "{path} does not hold a token of 64 hexadecimal digits; remove it and a new one is made"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Tokens {
    /// Reads the admin token of a data directory; the first time it is made.
    ///
    /// # Errors
    /// When the file can neither be read nor made, or holds something else.
    pub fn open(data_dir: &Path) -> Result<Self, TokenError> {
        let path = data_dir.join(ADMIN_TOKEN_FILE);
        let failed = |source| TokenError::File {
            path: path.clone(),
            source,
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let token = new_token();
                write_private(&path, &token).map_err(failed)?;
                token
            }
            Err(error) => return Err(failed(error)),
        };
        let token = text.trim();
        if token.len() != 2 * TOKEN_BYTES || !token.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(TokenError::Malformed { path });
        }
        Ok(Self::single(ADMIN_NAME, token))
    }

    /// One token of that name.
    #[must_use]
    pub fn single(name: &str, token: &str) -> Self {
        let known: Arc<[Token]> = Arc::new([Token {
            name: name.into(),
            hash: Sha256::digest(token.as_bytes()).into(),
        }]);
        Self(Arc::new(RwLock::new(known)))
    }

    /// Accepts these and no others from now on, here and in every clone; tells whether they are others. Logins of the pages that
    /// were signed with the former ones end.
    pub fn replace(&self, with: &Self) -> bool {
        let new = with.known();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = **known != *new;
        *known = new;
        changed
    }

    fn known(&self) -> Arc<[Token]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What only the holder of a token could know the like of: signs the logins of the pages.
    pub(super) fn secret(&self) -> Vec<u8> {
        self.known().iter().flat_map(|token| token.hash).collect()
    }

    /// Whose token this is.
    #[must_use]
    pub fn caller(&self, token: &str) -> Option<Caller> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut caller = None;
        for known in self.known().iter() {
            let difference = known
                .hash
                .iter()
                .zip(&hash)
                .fold(0, |all, (a, b)| all | (a ^ b));
            if difference == 0 {
                caller = Some(Caller {
                    name: known.name.clone(),
                });
            }
        }
        caller
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list()
            .entries(self.known().iter().map(|token| &token.name))
            .finish()
    }
}

fn new_token() -> String {
    use fmt::Write as _;
    let bytes: [u8; TOKEN_BYTES] = rand::random();
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// Makes a file that only its owner may read, and has it on the disk before anyone is told the token.
fn write_private(path: &Path, token: &str) -> Result<(), std::io::Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

/// Lets a request through when it carries a known token, and notes whose. A login of the pages may read, too: their live updates
/// and tables come from here. It may not write, so that no foreign page can act in its name.
pub(super) async fn require_token(
    State(state): State<WebState>,
    mut request: Request,
    next: Next,
) -> Response {
    match known(&state, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn known(state: &WebState, request: &Request) -> Result<Caller, Problem> {
    let by_token = authenticate(&state.tokens, request.headers());
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match by_token {
        Err(problem) if reads => {
            let now = state.backend.now();
            state.sessions.caller(request.headers(), now).ok_or(problem)
        }
        known => known,
    }
}

fn authenticate(tokens: &Tokens, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(Problem::unauthorized(format!(
            "send the header Authorization: Bearer <token>; the admin token is in the file {ADMIN_TOKEN_FILE} of the data directory"
        )));
    };
    let token = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| {
            Problem::unauthorized("the header Authorization has to be: Bearer <token>")
        })?;
    tokens
        .caller(token)
        .ok_or_else(|| Problem::unauthorized("this token is not known here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_token_is_made_once_and_read_by_its_owner_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = Tokens::open(dir.path()).expect("made");
        let path = dir.path().join(ADMIN_TOKEN_FILE);
        let token = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(token.trim().len(), 64);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path)
                .expect("a file")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let second = Tokens::open(dir.path()).expect("read");
        for tokens in [first, second] {
            let caller = tokens.caller(token.trim()).expect("known");
            assert_eq!(caller.name, "admin");
            assert_eq!(tokens.caller(""), None);
            assert_eq!(tokens.caller(&token.trim()[1..]), None);
            assert!(!format!("{tokens:?}").contains(token.trim()));
        }
    }

    #[test]
    fn a_new_token_takes_the_place_of_the_old_one_in_every_clone() {
        let tokens = Tokens::single("admin", "old");
        let clone = tokens.clone();
        assert!(tokens.replace(&Tokens::single("admin", "new")));
        assert!(!tokens.replace(&Tokens::single("admin", "new")));
        assert_eq!(clone.caller("old"), None);
        assert!(clone.caller("new").is_some());
    }

    #[test]
    fn two_data_directories_have_two_tokens() {
        assert_ne!(new_token(), new_token());
    }

    #[test]
    fn a_file_with_something_else_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        for text in ["", "secret", &"g".repeat(64), &"a".repeat(63)] {
            std::fs::write(dir.path().join(ADMIN_TOKEN_FILE), text).expect("written");
            let error = Tokens::open(dir.path()).expect_err("no token");
            assert!(error.to_string().contains(ADMIN_TOKEN_FILE));
        }
    }
}
