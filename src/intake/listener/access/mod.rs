//! Who may connect to the built-in listener, and what each may publish.
//!
//! Users come from a file (`users.rs`), or are named by a client certificate that the TLS layer has verified. As long as there is
//! neither a users file nor an authority for certificates, anyone may connect; `anonymous` says otherwise. The file is followed
//! while the daemon runs; one that cannot be read changes nothing and is told in the log. Leaves the protocol's answers to the
//! connection. Invariant: nothing here tells a stranger whether a user name exists, and no password gets into a log.

mod password;

mod rights;

mod standing;

mod throttle;

mod users;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::Weak;
use std::time::Duration;

use sha2::Digest as _;
use sha2::Sha256;
use smol_str::SmolStr;
use tokio::time::Instant;

use password::Checker;
use rights::Rights;
use standing::Book;
use standing::Standing;
use throttle::Throttle;

use super::stamp::Stamp;

pub use password::PasswordError;
pub use password::hash_password;
pub use rights::What;
pub use rights::WhatError;
pub use users::User;
pub use users::UsersError;
pub use users::UsersFile;

/// How often the users file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

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
    standing: Arc<Standing>,
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

/// Where the rules come from.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// The users file. Not being there is no mistake where `must_exist` is false.
    pub users_file: PathBuf,
    /// The settings name the file: then it has to be there, unless `anonymous` is true.
    pub must_exist: bool,
    /// Whether clients without a name are let in; `None`: as long as nobody has said who may come in.
    pub anonymous: Option<bool>,
    /// Clients may show a certificate (`client_ca_file`).
    pub certificates: bool,
}

/// The rules cannot be read at the start.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The users file cannot be used.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// The settings name a file that is not there. A slip in its name must not open the door.
    #[error(
        "listener.users_file: {0} does not exist; `foremend user add NAME --file {0}` makes it, and anonymous = true in [listener] does without"
    )]
    Absent(String),
}

/// Decides who is let in.
#[derive(Clone, Debug)]
pub struct Access(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    settings: AccessSettings,
    book: RwLock<Book>,
    /// What every client without a name stands for: everything or nothing.
    anonymous: Arc<Standing>,
    checker: Checker,
    throttle: Mutex<Throttle>,
    /// The file as it was last read.
    read: Mutex<Option<Stamp>>,
}

impl Default for Access {
    fn default() -> Self {
        Self::anonymous()
    }
}

impl Access {
    /// Everyone is let in and may publish everything.
    #[must_use]
    pub fn anonymous() -> Self {
        Self(Arc::new(Rules {
            settings: AccessSettings {
                users_file: PathBuf::new(),
                must_exist: false,
                anonymous: Some(true),
                certificates: false,
            },
            book: RwLock::default(),
            anonymous: Standing::new(Rights::everything()),
            checker: Checker::new(),
            throttle: Mutex::default(),
            read: Mutex::new(None),
        }))
    }

    /// Reads the users file, and follows it from then on when it is called inside a tokio runtime. What the start should tell
    /// about the door goes to the log.
    ///
    /// # Errors
    /// When the file cannot be read, has a line that says nothing usable, or is named and not there.
    pub fn open(settings: AccessSettings) -> Result<Self, AccessError> {
        let stamp = Stamp::of(&settings.users_file);
        let file = UsersFile::read(&settings.users_file)?;
        if file.is_none() && settings.must_exist && settings.anonymous != Some(true) {
            return Err(AccessError::Absent(
                settings.users_file.display().to_string(),
            ));
        }
        let open = settings
            .anonymous
            .unwrap_or(file.is_none() && !settings.certificates);
        let mut book = Book::default();
        book.follow(&file.unwrap_or_default());
        let access = Self(Arc::new(Rules {
            settings,
            book: RwLock::new(book),
            anonymous: Standing::new(rights_of_strangers(open)),
            checker: Checker::new(),
            throttle: Mutex::default(),
            read: Mutex::new(stamp),
        }));
        if let Some(warning) = access.warning() {
            tracing::warn!("{warning}");
        }
        if tokio::runtime::Handle::try_current().is_ok() {
            tokio::spawn(follow(Arc::downgrade(&access.0)));
        }
        Ok(access)
    }

    /// What a person should know about the door as it is now; `None`: nothing.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let rules = &self.0;
        let users = rules.book().len();
        let file = rules.settings.users_file.display();
        if rules.is_open() {
            let why = if users > 0 {
                "anonymous = true in [listener] lets them in although there are users"
            } else {
                "`foremend user add NAME` adds the first user and closes the door, or set anonymous = false in [listener]"
            };
            return Some(format!(
                "anyone who reaches the MQTT listener may publish everything; {why}"
            ));
        }
        (users == 0 && !rules.settings.certificates).then(|| {
            format!(
                "nobody can log in at the MQTT listener: {file} has no users; `foremend user add NAME` adds one"
            )
        })
    }

    /// Whether the users file could be taken up as it is now; changes nothing.
    ///
    /// # Errors
    /// When it cannot be read, has a line that says nothing usable, or is gone while its users hold.
    pub fn check(&self) -> Result<(), AccessError> {
        let rules = &self.0;
        let path = &rules.settings.users_file;
        if UsersFile::read(path)?.is_none() && rules.book().len() > 0 {
            return Err(AccessError::Absent(path.display().to_string()));
        }
        Ok(())
    }

    /// Takes the users file up now rather than at the next look, and tells whether it had changed. One that cannot be read
    /// changes nothing and is told in the log.
    pub fn refresh(&self) -> bool {
        self.0.look()
    }

    /// Whether a client is let in. May take tens of milliseconds, in which nothing else waits.
    ///
    /// A name and a password are checked against the users file, whatever else the client shows. Without a password its
    /// certificate's common name is the user: by its line in the users file, else for the device of that name. As long as anyone
    /// may come in and there are no users, names and passwords mean nothing.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn login(&self, attempt: &LoginAttempt<'_>) -> Result<Grant, Denied> {
        let rules = &self.0;
        let stranger = Grant {
            user: None,
            standing: Arc::clone(&rules.anonymous),
        };
        match (attempt.username, attempt.password) {
            (Some(name), Some(password)) => {
                if rules.is_open() && rules.book().len() == 0 {
                    return Ok(rules.by_certificate(attempt).unwrap_or(stranger));
                }
                rules.by_password(attempt, name, password).await
            }
            _ => match rules.by_certificate(attempt) {
                Some(grant) => Ok(grant),
                // A certificate whose line says "nothing" is no stranger: it was shut out.
                None if rules.is_open() && !rules.knows(attempt.certificate) => Ok(stranger),
                None => Err(Denied::BadCredentials),
            },
        }
    }
}

impl Grant {
    /// Whether it may publish to this topic, as of now: rights that the users file has taken back are gone.
    #[must_use]
    pub fn may_publish(&self, topic: &str) -> bool {
        self.standing.allows(topic)
    }
}

fn rights_of_strangers(open: bool) -> Rights {
    if open {
        Rights::everything()
    } else {
        Rights::default()
    }
}

/// 64 bits of a name, of the same size whatever a stranger sends.
fn short(name: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(name).into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

impl Rules {
    fn book(&self) -> std::sync::RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self) -> bool {
        !self.anonymous.is_nothing()
    }

    fn knows(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.book().get(name).is_some())
    }

    fn by_certificate(&self, attempt: &LoginAttempt<'_>) -> Option<Grant> {
        let name = attempt.certificate?;
        let known = self
            .book()
            .get(name)
            .map(|known| Arc::clone(&known.standing));
        let standing = match known {
            Some(standing) => standing,
            None => Standing::new(Rights::of_name(name)?),
        };
        (!standing.is_nothing()).then(|| Grant {
            user: Some(name.into()),
            standing,
        })
    }

    async fn by_password(
        &self,
        attempt: &LoginAttempt<'_>,
        name: &str,
        password: &[u8],
    ) -> Result<Grant, Denied> {
        let known = self.book().get(name).cloned();
        let hash = known.as_ref().and_then(|known| known.hash.as_deref());
        if !self.checker.remembers(name, hash, password) {
            let charged = self
                .throttle()
                .charge(attempt.peer, short(name), Instant::now())
                .ok_or(Denied::Busy)?;
            match self.checker.check(name, hash, password).await {
                Ok(true) => self.throttle().pay_back(&charged),
                Ok(false) => {
                    if charged.notable {
                        // An unknown name is not repeated: people type passwords in its place.
                        tracing::warn!(
                            peer = %attempt.peer,
                            client = attempt.client_id,
                            user = if known.is_some() { name } else { "(unknown)" },
                            "wrong user name or password at the MQTT listener"
                        );
                    }
                    return Err(Denied::BadCredentials);
                }
                Err(busy) => {
                    self.throttle().pay_back(&charged);
                    return Err(busy);
                }
            }
        }
        // A user who may publish nothing is shut out, and learns no more than a stranger.
        known
            .filter(|known| !known.standing.is_nothing())
            .map(|known| Grant {
                user: Some(name.into()),
                standing: known.standing,
            })
            .ok_or(Denied::BadCredentials)
    }

    /// Reads the users file again if it has changed, and tells whether others hold now. One that cannot be read, or is gone,
    /// changes nothing.
    fn look(&self) -> bool {
        let path = &self.settings.users_file;
        let now = Stamp::of(path);
        {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if *read == now {
                return false;
            }
            *read = now;
        }
        match UsersFile::read(path) {
            Ok(Some(file)) => {
                let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
                book.follow(&file);
                let users = book.len();
                drop(book);
                let open = self.settings.anonymous.unwrap_or(false);
                if open != self.is_open() {
                    self.anonymous.change(rights_of_strangers(open));
                }
                tracing::info!(file = %path.display(), users, "the users of the MQTT listener have changed");
                true
            }
            // The door stays as it was: a file that vanished must not open it.
            Ok(None) => {
                tracing::error!(file = %path.display(), "the users file is gone; the users read before still hold");
                false
            }
            Err(error) => {
                tracing::error!(error = %whole(&error), "the users read before still hold");
                false
            }
        }
    }
}

/// An error with what lies behind it, in one line.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(behind) = source {
        text = format!("{text}: {behind}");
        source = behind.source();
    }
    text
}

/// Follows the users file for as long as anyone holds the rules.
async fn follow(rules: Weak<Rules>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Some(rules) = rules.upgrade() else { return };
        // Thousands of lines take a moment, and that of nobody else.
        if tokio::task::spawn_blocking(move || rules.look())
            .await
            .is_err()
        {
            tracing::error!("looking at the users file failed; trying again");
        }
    }
}
