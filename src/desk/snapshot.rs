//! The desk's state as bytes for a checkpoint: a format version, then the pages of the book. Equal state gives equal bytes.

use super::book::{Book, Pages};

/// Grows when the stored form changes; a release reads the format before its own too.
const FORMAT: u8 = 1;

/// The bytes are not a state of the desk.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Another format.
    #[error("the desk's state has format {found}, and {FORMAT} is the newest known")]
    Format {
        /// Which.
        found: u8,
    },
    /// No bytes at all.
    #[error("the desk's state is empty")]
    Empty,
    /// Damaged.
    #[error("the desk's state cannot be read")]
    Body(#[source] postcard::Error),
    /// It breaks the desk's first rule.
    #[error("the desk's state has two open tickets for one fault of one device")]
    TwoOpen,
}

pub(super) fn write(book: &Book) -> Vec<u8> {
    // Postcard fails on sequences of unknown length and on a full buffer; neither exists here.
    postcard::to_extend(book.pages(), vec![FORMAT]).unwrap_or_default()
}

pub(super) fn read(bytes: &[u8]) -> Result<Book, RestoreError> {
    let (format, body) = bytes.split_first().ok_or(RestoreError::Empty)?;
    if *format != FORMAT {
        return Err(RestoreError::Format { found: *format });
    }
    let pages: Pages = postcard::from_bytes(body).map_err(RestoreError::Body)?;
    Book::from_pages(pages).ok_or(RestoreError::TwoOpen)
}
