//! The users file: one line a user, with name, hash of the password, and what it may publish.
//!
//! ```text
//! # name     password (argon2id) or -   what it may publish
//! gateway-1  $argon2id$v=19$m=…         ts-flash5/TSF5-MADEUP-07 tb-iq9/TBQ9-MADEUP-03
//! plant      $argon2id$v=19$m=…         *
//! TSF5-8     -                          ts-flash5/TSF5-8
//! ```
//!
//! `-` is a user without a password: only a client certificate with that common name is let in. A line without anything to
//! publish is a user who is not let in. Comments and the order of lines survive every change. Invariant: a reader finds the
//! whole old file or the whole new one, and two programs that change it at once lose nothing of each other.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use smol_str::SmolStr;

use super::password;
use super::rights::What;

/// Largest users file, bytes: some two hundred thousand users.
const FILE_LIMIT_BYTES: u64 = 32 << 20;
/// Longest user name, bytes.
const NAME_LIMIT: usize = 128;
/// Most things that one user may publish; a gateway of more devices takes a topic filter.
const WHAT_LIMIT: usize = 1_000;
/// How many mistakes of a file are told one by one.
const MISTAKES_TOLD: usize = 5;
/// Stands for a password where there is none.
const NO_PASSWORD: &str = "-";
/// What a new file begins with.
const HEADER: &str = "# Who may publish to the built-in MQTT listener; `foremend user` keeps this file, and a running daemon follows it.\n# name  password (argon2id) or - for a client certificate alone  what it may publish: MODEL/SERIAL, a topic filter, *\n";

/// The users file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The operating system refused.
    #[error("cannot {action} the users file {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Lines that say nothing usable.
    #[error("{0}")]
    Lines(String),
    /// A name that cannot stand in the file.
    #[error(
        "'{0}' cannot be a user name; it has 1 to {NAME_LIMIT} bytes without white space, and does not begin with #"
    )]
    Name(String),
}

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name, or common name of a certificate.
    pub name: SmolStr,
    /// Hash of the password as a PHC string; `None`: a certificate only.
    pub hash: Option<SmolStr>,
    /// What it may publish.
    pub may: Vec<What>,
}

impl User {
    /// A user whose name can stand in the file.
    ///
    /// # Errors
    /// When it cannot.
    pub fn new(name: &str, hash: Option<SmolStr>, may: Vec<What>) -> Result<Self, UsersError> {
        let usable = !name.is_empty()
            && name.len() <= NAME_LIMIT
            && !name.starts_with('#')
            && !name.contains(|c: char| c.is_whitespace() || c.is_control());
        if !usable {
            return Err(UsersError::Name(name.chars().take(NAME_LIMIT).collect()));
        }
        Ok(Self {
            name: name.into(),
            hash,
            may,
        })
    }

    fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let (Some(name), Some(hash)) = (words.next(), words.next()) else {
            return Err("expected NAME HASH WHAT…; `foremend user add` writes such lines".into());
        };
        let hash = match hash {
            NO_PASSWORD => None,
            hash => {
                password::check_hash(hash)?;
                Some(hash.into())
            }
        };
        let may: Vec<What> = words
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|error: super::rights::WhatError| error.to_string())?;
        if may.len() > WHAT_LIMIT {
            return Err(format!(
                "{} things to publish are more than one user may have ({WHAT_LIMIT}); use a topic filter",
                may.len()
            ));
        }
        Self::new(name, hash, may).map_err(|error| error.to_string())
    }

    fn line(&self) -> String {
        let mut line = format!(
            "{} {}",
            self.name,
            self.hash.as_deref().unwrap_or(NO_PASSWORD)
        );
        for what in &self.may {
            line.push(' ');
            line.push_str(&what.to_string());
        }
        line
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// A comment or an empty line, as it stands.
    Other(String),
    User(User),
}

/// The users file, with its comments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsersFile {
    lines: Vec<Line>,
}

impl UsersFile {
    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or has lines that say nothing usable: each is named with its number.
    pub fn read(path: &Path) -> Result<Option<Self>, UsersError> {
        let fail = |source| UsersError::Io {
            action: "read",
            path: path.into(),
            source,
        };
        let bytes = match fs::metadata(path) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        if bytes > FILE_LIMIT_BYTES {
            return Err(UsersError::Lines(format!(
                "{}: {bytes} bytes are more than a users file may have ({FILE_LIMIT_BYTES})",
                path.display()
            )));
        }
        let text = fs::read_to_string(path).map_err(fail)?;
        Self::parse(&text, &path.display().to_string()).map(Some)
    }

    fn parse(text: &str, name: &str) -> Result<Self, UsersError> {
        let mut lines = Vec::new();
        let mut names = BTreeSet::new();
        let mut mistakes = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                lines.push(Line::Other(line.into()));
                continue;
            }
            match User::parse(trimmed) {
                Ok(user) if !names.insert(user.name.clone()) => mistakes.push(format!(
                    "{name}:{}: a second line for '{}'; keep one",
                    number + 1,
                    user.name
                )),
                Ok(user) => lines.push(Line::User(user)),
                Err(why) => mistakes.push(format!("{name}:{}: {why}", number + 1)),
            }
        }
        if mistakes.is_empty() {
            return Ok(Self { lines });
        }
        let more = mistakes.len().saturating_sub(MISTAKES_TOLD);
        mistakes.truncate(MISTAKES_TOLD);
        if more > 0 {
            mistakes.push(format!("{name}: and {more} more"));
        }
        Err(UsersError::Lines(mistakes.join("\n")))
    }

    /// The users, in the order of the file.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.lines.iter().filter_map(|line| match line {
            Line::User(user) => Some(user),
            Line::Other(_) => None,
        })
    }

    /// One user.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&User> {
        self.users().find(|user| user.name == name)
    }

    /// Puts a user in, in place of the one of that name.
    pub fn set(&mut self, user: User) {
        let place = self
            .lines
            .iter_mut()
            .find(|line| matches!(line, Line::User(known) if known.name == user.name));
        match place {
            Some(line) => *line = Line::User(user),
            None => self.lines.push(Line::User(user)),
        }
    }

    /// Takes a user out; false when there was none.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.lines.len();
        self.lines
            .retain(|line| !matches!(line, Line::User(user) if user.name == name));
        self.lines.len() < before
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Other(other) => text.push_str(other),
                Line::User(user) => text.push_str(&user.line()),
            }
            text.push('\n');
        }
        text
    }

    /// Reads the file (an empty one where there is none), lets `change` change it, and writes it back in one step, readable for
    /// its owner alone. Nothing is written when `change` gives an error.
    ///
    /// # Errors
    /// What `change` says, or when the file cannot be read or written.
    pub fn edit<E: From<UsersError>>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let fail = |action, source| UsersError::Io {
            action,
            path: path.into(),
            source,
        };
        // Held until the change is made: a second program waits here.
        let lock = beside(path, "lock");
        let lock = options().open(&lock).map_err(|error| fail("lock", error))?;
        lock.lock().map_err(|error| fail("lock", error))?;
        let mut file = match Self::read(path)? {
            Some(file) => file,
            None => Self::parse(HEADER, "")?,
        };
        change(&mut file)?;
        write(path, &file.text()).map_err(|error| fail("write", error))?;
        Ok(())
    }
}

/// `users.lock` for `users`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// For the owner alone.
fn options() -> fs::OpenOptions {
    let mut options = fs::File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    options
}

/// A whole new file in place of the old one.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let new = beside(path, "new");
    // What a killed program left is of no use, and its mode may be another.
    fs::remove_file(&new).ok();
    let mut file = options().open(&new)?;
    // Written by root, it still has to be readable for the daemon's own user.
    let owner = fs::metadata(path).or_else(|_| fs::metadata(folder))?;
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) != (owner.uid(), owner.gid()) {
        // Only root may give files away; everybody else keeps what is theirs.
        std::os::unix::fs::chown(&new, Some(owner.uid()), Some(owner.gid())).ok();
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const HASH: &str = super::password::NOBODY;

    fn user(name: &str, may: &[&str]) -> User {
        let may = may.iter().map(|what| what.parse().unwrap()).collect();
        User::new(name, Some(HASH.into()), may).unwrap()
    }

    fn add(path: &Path, user: User) {
        UsersFile::edit(path, |file| {
            file.set(user);
            Ok::<_, UsersError>(())
        })
        .unwrap();
    }

    #[test]
    fn what_is_written_is_read_back_and_nobody_else_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        assert_eq!(UsersFile::read(&path).unwrap(), None);
        let gateway = user("gateway-1", &["ts-flash5/TSF5-MADEUP-07", "shop/+/x"]);
        add(&path, gateway.clone());
        add(&path, user("plant", &["*"]));
        let file = UsersFile::read(&path).unwrap().unwrap();
        assert_eq!(file.get("gateway-1"), Some(&gateway));
        assert_eq!(file.users().count(), 2);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // A change keeps the place of the user and the comments of people.
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}\n# the hall\n")).unwrap();
        add(&path, user("gateway-1", &["#"]));
        let changed = fs::read_to_string(&path).unwrap();
        assert!(changed.starts_with(HEADER) && changed.ends_with("\n# the hall\n"));
        assert!(changed.find("gateway-1").unwrap() < changed.find("plant").unwrap());
    }

    #[test]
    fn changes_at_once_lose_nothing_of_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        std::thread::scope(|scope| {
            for number in 0..16 {
                let path = &path;
                scope.spawn(move || add(path, user(&format!("user-{number}"), &["*"])));
            }
        });
        assert_eq!(UsersFile::read(&path).unwrap().unwrap().users().count(), 16);
    }

    #[test]
    fn a_change_that_fails_leaves_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        add(&path, user("plant", &["*"]));
        let before = fs::read(&path).unwrap();
        let result = UsersFile::edit(&path, |file| {
            assert!(file.remove("plant"));
            assert!(!file.remove("plant"));
            Err(UsersError::Name("no".into()))
        });
        assert!(result.is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn every_bad_line_is_named_with_its_number() {
        let cases = [
            ("plant", "users:1: expected NAME HASH WHAT"),
            ("\n# x\nplant abc *", "users:3: the password"),
            ("plant - a/#/b", "users:1: 'a/#/b' is nothing"),
            ("plant - *\nplant - *", "users:2: a second line"),
        ];
        for (text, expected) in cases {
            let error = UsersFile::parse(text, "users").unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        let many = "x\n".repeat(9);
        let error = UsersFile::parse(&many, "users").unwrap_err().to_string();
        assert!(error.ends_with("users: and 4 more"), "{error}");
        for name in ["", "a b", "#a", "a\tb", &"x".repeat(129)] {
            assert!(User::new(name, None, Vec::new()).is_err(), "{name:?}");
        }
    }
}
