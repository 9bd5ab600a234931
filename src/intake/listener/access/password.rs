//! Passwords: argon2id hashes, and how many are checked at once.
//!
//! A check takes tens of milliseconds of one core and 19 MiB, on purpose. So only a few run at once, on blocking threads, and
//! only so many wait; and a right password is remembered for some minutes, so that a fleet that comes back does not cost a core.
//! Invariants: an unknown name costs what a wrong password costs; no password is kept, and what is remembered is a digest under
//! a key that this process alone knows and never writes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use argon2::Argon2;
use argon2::Params;
use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use sha2::Digest as _;
use sha2::Sha256;
use smol_str::SmolStr;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Denied;

/// Longest password, bytes.
const PASSWORD_LIMIT: usize = 1_024;
/// Most memory that the hash of a users file may ask for, KiB; `foremend user add` uses 19 MiB.
const MEMORY_LIMIT_KIB: u32 = 256 << 10;
/// Most passes that the hash of a users file may ask for; `foremend user add` uses 2.
const PASSES_LIMIT: u32 = 16;
/// How many passwords are checked at once. The rest of the machine belongs to those who are in already.
const CHECKS_AT_ONCE: usize = 2;
/// How many more may wait for that: some five seconds' worth. The next is told to come again later.
const CHECKS_WAITING: usize = 256;
/// How many right passwords are remembered, in each of two halves; when one is full the older half is forgotten.
const REMEMBERED_LIMIT: usize = 16_384;
/// How long a half is filled: a right password is remembered for this long to twice as long.
const REMEMBERED_FOR: Duration = Duration::from_mins(10);

/// The hash of no password, made like those of `foremend user add`: what an unknown name is checked against.
pub(super) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$Zm9yZW1lbmQtbm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// It is too long.
    #[error("the password has more than {PASSWORD_LIMIT} bytes")]
    TooLong,
    /// The operating system gives no random bytes.
    #[error("the password cannot be hashed")]
    Hash,
}

/// The hash of a password as a PHC string, with argon2id and 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
///
/// # Errors
/// When it is empty or too long.
pub fn hash_password(password: &[u8]) -> Result<SmolStr, PasswordError> {
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    if password.len() > PASSWORD_LIMIT {
        return Err(PasswordError::TooLong);
    }
    let hash = Argon2::default()
        .hash_password(password)
        .map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string().into())
}

/// Whether a text is a hash that can be checked at a price that we are willing to pay.
pub(super) fn check_hash(text: &str) -> Result<(), String> {
    let expected = "expected an argon2id hash as `foremend user add` writes it, or -";
    let hash = PasswordHash::new(text)
        .map_err(|error| format!("the password's hash is wrong ({error}); {expected}"))?;
    if hash.algorithm.as_str() != "argon2id" || hash.hash.is_none() || hash.salt.is_none() {
        return Err(format!(
            "the password is not hashed with argon2id; {expected}"
        ));
    }
    let params = Params::try_from(&hash)
        .map_err(|error| format!("the password's hash is wrong ({error}); {expected}"))?;
    if params.m_cost() > MEMORY_LIMIT_KIB || params.t_cost() > PASSES_LIMIT {
        return Err(format!(
            "the password's hash costs more than m={MEMORY_LIMIT_KIB},t={PASSES_LIMIT} for each login"
        ));
    }
    Ok(())
}

fn verify(hash: &str, password: &[u8]) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

/// Checks passwords, a few at once.
#[derive(Debug)]
pub(super) struct Checker {
    running: Arc<Semaphore>,
    waiting: Semaphore,
    remembered: Mutex<Remembered>,
}

impl Checker {
    pub(super) fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(CHECKS_AT_ONCE)),
            waiting: Semaphore::new(CHECKS_AT_ONCE + CHECKS_WAITING),
            remembered: Mutex::new(Remembered::new()),
        }
    }

    /// Whether the password was found right some minutes ago. Costs next to nothing.
    pub(super) fn remembers(&self, user: &str, hash: Option<&str>, password: &[u8]) -> bool {
        hash.is_some_and(|hash| {
            self.remembered()
                .holds(user, hash, password, Instant::now())
        })
    }

    /// Whether the password is right; `hash` is that of the user, `None` for an unknown one or one without a password.
    pub(super) async fn check(
        &self,
        user: &str,
        hash: Option<&str>,
        password: &[u8],
    ) -> Result<bool, Denied> {
        if password.len() > PASSWORD_LIMIT {
            return Ok(false);
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(Denied::Busy);
        };
        let Ok(permit) = Arc::clone(&self.running).acquire_owned().await else {
            return Err(Denied::Busy);
        };
        let (against, secret) = (SmolStr::from(hash.unwrap_or(NOBODY)), password.to_vec());
        // The permit goes along: a client that leaves meanwhile does not make room before its check has ended.
        let checking = tokio::task::spawn_blocking(move || {
            let right = verify(&against, &secret);
            drop(permit);
            right
        });
        let right = checking.await.unwrap_or(false);
        match hash {
            Some(hash) if right => {
                self.remembered().keep(user, hash, password, Instant::now());
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        // A half-made change is at worst a forgotten password.
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Right passwords of the last minutes, as digests, in an older and a newer half.
struct Remembered {
    key: [u8; 32],
    newer: HashSet<[u8; 32]>,
    older: HashSet<[u8; 32]>,
    since: Instant,
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} remembered", self.newer.len() + self.older.len())
    }
}

impl Remembered {
    fn new() -> Self {
        Self {
            key: rand::random(),
            newer: HashSet::new(),
            older: HashSet::new(),
            since: Instant::now(),
        }
    }

    /// A digest under the process's own key. The hash is part of it: with a new password the old one is forgotten at once. The
    /// digest is never shown, so a keyed prefix is as good as an HMAC here.
    fn digest(&self, user: &str, hash: &str, password: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        for part in [user.as_bytes(), hash.as_bytes(), password] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    fn turn(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= REMEMBERED_FOR {
            // Two rounds without anyone coming by: nothing of it is new.
            let stale = now.saturating_duration_since(self.since) >= 2 * REMEMBERED_FOR;
            self.older = std::mem::take(&mut self.newer);
            if stale {
                self.older.clear();
            }
            self.since = now;
        } else if self.newer.len() >= REMEMBERED_LIMIT {
            self.older = std::mem::take(&mut self.newer);
        }
    }

    fn holds(&mut self, user: &str, hash: &str, password: &[u8], now: Instant) -> bool {
        self.turn(now);
        let digest = self.digest(user, hash, password);
        self.newer.contains(&digest) || self.older.contains(&digest)
    }

    fn keep(&mut self, user: &str, hash: &str, password: &[u8], now: Instant) {
        self.turn(now);
        let digest = self.digest(user, hash, password);
        self.newer.insert(digest);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;

    async fn is_waiting<F: Future>(mut future: Pin<&mut F>) -> bool {
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }

    #[test]
    fn a_hash_is_of_one_password_and_of_the_form_that_is_checked() {
        let hash = hash_password(b"made up").unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(check_hash(&hash).is_ok());
        assert!(verify(&hash, b"made up") && !verify(&hash, b"made up "));
        assert_eq!(hash_password(b""), Err(PasswordError::Empty));
        assert_eq!(hash_password(&[7; 1_025]), Err(PasswordError::TooLong));
    }

    #[test]
    fn hashes_that_cannot_be_checked_or_cost_too_much_are_refused() {
        assert_eq!(check_hash(NOBODY), Ok(()));
        for bad in [
            "secret",
            "$2b$12$abcdefghijklmnopqrstuv",
            "$argon2id$v=19$m=19456,t=2,p=1$Zm9yZW1lbmQtbm9ib2R5",
            &NOBODY.replace("argon2id", "argon2d"),
            &NOBODY.replace("m=19456", "m=4000000"),
            &NOBODY.replace("t=2", "t=1000"),
        ] {
            assert!(check_hash(bad).is_err(), "{bad} was taken");
        }
    }

    #[tokio::test]
    async fn an_unknown_name_is_checked_like_a_wrong_password() {
        let checker = Checker::new();
        assert_eq!(checker.check("nobody", None, b"x").await, Ok(false));
        // It took its turn among the checks, so it was one.
        assert_eq!(checker.running.available_permits(), CHECKS_AT_ONCE);
        let _held = checker.running.acquire_many(2).await.unwrap();
        let mut waiting = Box::pin(checker.check("nobody", None, b"x"));
        assert!(is_waiting(waiting.as_mut()).await);
    }

    #[tokio::test]
    async fn when_too_many_wait_the_next_is_told_to_come_later() {
        let checker = Checker::new();
        let _held = checker.running.acquire_many(2).await.unwrap();
        let mut waiting: Vec<_> = (0..CHECKS_AT_ONCE + CHECKS_WAITING)
            .map(|_| Box::pin(checker.check("a", None, b"x")))
            .collect();
        for check in &mut waiting {
            assert!(is_waiting(check.as_mut()).await);
        }
        assert_eq!(checker.check("a", None, b"x").await, Err(Denied::Busy));
        // Those who leave make room.
        waiting.pop();
        let mut check = Box::pin(checker.check("a", None, b"x"));
        assert!(is_waiting(check.as_mut()).await);
    }

    #[tokio::test]
    async fn a_right_password_is_remembered_for_minutes_and_only_with_its_own_hash() {
        let checker = Checker::new();
        let hash = hash_password(b"right").unwrap();
        assert_eq!(checker.check("a", Some(&hash), b"wrong").await, Ok(false));
        assert!(!checker.remembers("a", Some(&hash), b"wrong"));
        assert_eq!(checker.check("a", Some(&hash), b"right").await, Ok(true));
        assert!(checker.remembers("a", Some(&hash), b"right"));
        assert!(!checker.remembers("b", Some(&hash), b"right"));
        assert!(!checker.remembers("a", Some(NOBODY), b"right"));
        assert!(!checker.remembers("a", None, b"right"));
        let mut remembered = checker.remembered();
        let now = Instant::now();
        assert!(remembered.holds("a", &hash, b"right", now + REMEMBERED_FOR));
        assert!(!remembered.holds("a", &hash, b"right", now + 3 * REMEMBERED_FOR));
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let mut remembered = Remembered::new();
        let now = Instant::now();
        for number in 0..3 * REMEMBERED_LIMIT {
            remembered.keep(&number.to_string(), "hash", b"x", now);
        }
        assert!(remembered.newer.len() <= REMEMBERED_LIMIT);
        assert!(remembered.older.len() <= REMEMBERED_LIMIT);
    }
}
