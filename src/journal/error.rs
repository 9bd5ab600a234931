//! What can go wrong with the journal, by what the caller does about it.
//!
//! Every text names the file or the position, and what a person can do. The source of an error is in `source`, not in its text.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::telemetry::Position;

/// The journal cannot be opened, read or kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has the directory.
    #[error(
        "the journal in {} is in use by another foremend{}; stop that one, or give this one a data directory of its own",
        dir.display(),
        if pid.is_empty() { String::new() } else { format!(" (process {pid})") }
    )]
    InUse {
        /// The journal's directory.
        dir: PathBuf,
        /// Process id of the other one, empty when unknown.
        pid: String,
    },
    /// The operating system refused.
    #[error("{action} {} failed", path.display())]
    Io {
        /// What was tried, such as `reading`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// SQLite refused.
    #[error("{action} {} failed", path.display())]
    Sqlite {
        /// What was tried, such as `reading`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// Written by a release that this one does not know.
    #[error("{} has the format {found}, and this foremend knows {known}; use the release that wrote it, or a newer one", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: String,
        /// The newest known format.
        known: u32,
    },
    /// A file of another journal lies in the directory.
    #[error(
        "{} belongs to the journal {found}, but this directory holds the journal {expected}; move that file away (nothing was changed)",
        path.display()
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// The directory's journal id.
        expected: String,
        /// The file's journal id.
        found: String,
    },
    /// A file is not what was written.
    #[error(
        "{} is damaged (positions {}): {detail}; run `foremend journal verify` to see what is whole, `foremend journal salvage` to save it",
        path.display(),
        range(*first, *last)
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// First position that is concerned.
        first: Position,
        /// Last position that is concerned; none: to the end.
        last: Option<Position>,
        /// What was found.
        detail: String,
    },
    /// Segments are missing between others.
    #[error(
        "the journal in {} lacks the positions {from} to {to}: a segment file is missing; put it back, or save what is there with `foremend journal salvage` (`foremend journal verify` says more)",
        dir.display()
    )]
    Hole {
        /// The journal's directory.
        dir: PathBuf,
        /// First missing position.
        from: Position,
        /// Last missing position.
        to: Position,
    },
    /// The directory knows a journal, but holds none of its segments.
    #[error(
        "{} names the journal {id}, but no segment of it is here; put the segments back, or remove this file too to begin a new journal",
        path.display()
    )]
    NoSegments {
        /// The file that names it.
        path: PathBuf,
        /// Its id.
        id: String,
    },
    /// There is no journal in the directory.
    #[error("{} holds no journal", dir.display())]
    Absent {
        /// Which directory.
        dir: PathBuf,
    },
    /// A new journal is to be written where something lies already.
    #[error("{} is not empty; name a directory that is empty or does not exist yet", dir.display())]
    Occupied {
        /// Which directory.
        dir: PathBuf,
    },
    /// Retention has removed what is asked for.
    #[error("position {from} is no longer in the journal, which begins at {first}")]
    Gone {
        /// What was asked for.
        from: Position,
        /// The first that is kept.
        first: Position,
    },
}

/// A record was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The byte budget is used up and retention may not remove more. Nothing of this append was taken:
    /// do not acknowledge it, wait for [`super::Journal::space`].
    #[error("the journal has reached its byte budget")]
    Full,
    /// The journal is being closed; what was not taken is not acknowledged.
    #[error("the journal is closed")]
    Closed,
    /// More than the journal takes at once.
    #[error("{bytes} bytes at once are more than the journal takes ({limit})")]
    TooLarge {
        /// Size of the encoded records.
        bytes: usize,
        /// The most it takes.
        limit: usize,
    },
    /// A record could not be encoded.
    #[error("a record cannot be written: {0}")]
    Encode(String),
}

impl JournalError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io {
            action,
            path,
            source,
        }
    }

    pub(super) fn sqlite(action: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        Self::Sqlite {
            action,
            path,
            source,
        }
    }
}

fn range(first: Position, last: Option<Position>) -> String {
    last.map_or_else(
        || format!("{first} and after"),
        |last| format!("{first} to {last}"),
    )
}
