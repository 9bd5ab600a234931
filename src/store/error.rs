//! What can go wrong, by what the caller does about it.

use std::path::PathBuf;

use crate::telemetry::DeviceId;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Stop: the file belongs to another journal.
    #[error(
        "the store {path} belongs to the journal {store_journal}, not to {journal}; files of different data directories were mixed"
    )]
    ForeignJournal {
        /// The store's file.
        path: PathBuf,
        /// The journal it was made for.
        store_journal: String,
        /// The journal it was opened with.
        journal: String,
    },
    /// Stop: the file cannot be opened, or its schema is not one that this program knows.
    #[error("the store {path} cannot be opened")]
    Open {
        /// The store's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Stop, never retry: two open tickets for one fault of one device; the decision and its unique index disagree.
    #[error(
        "a second open ticket for fault {fault} of {device} ({ticket}) was refused by the unique index"
    )]
    TwoOpenTickets {
        /// Whose.
        device: DeviceId,
        /// Which fault.
        fault: String,
        /// The ticket that was refused.
        ticket: String,
    },
    /// Stop, never retry: the same version of a ticket came twice with different positions.
    #[error("version {version} of ticket {ticket} was written before")]
    RepeatedVersion {
        /// The ticket.
        ticket: String,
        /// Its version.
        version: u64,
    },
    /// Stop, never retry: a ticket id of another form than `T-<number>`.
    #[error("'{0}' is not a ticket id; expected T- and a number")]
    TicketId(String),
    /// Refuse the request: a text is over its limit.
    #[error("{what} has {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Refuse the request: the cursor is not one of this list.
    #[error(
        "'{0}' is not a cursor of this list; use the value of `next` of the page before, with the same sort"
    )]
    Cursor(String),
    /// Stop: something in the file cannot be read back.
    #[error("{what} in the store cannot be read")]
    Corrupt {
        /// What.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Try again later: disk full, file locked, or another error of the database.
    #[error("the store is not available")]
    Unavailable(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    pub(super) fn corrupt(
        what: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Corrupt {
            what: what.into(),
            source: Box::new(source),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { ref index, .. } => {
                let what = format!("column {index}");
                Self::corrupt(what, error)
            }
            error => Self::Unavailable(error),
        }
    }
}
