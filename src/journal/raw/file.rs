//! A file's bytes, as far as the disk gives them.
//!
//! Keeps: a sector that cannot be read costs itself alone; it reads as zeros, which no checksum takes for a block.

use std::fs::File;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::path::Path;

use super::PAGE;

/// What is read at once while all goes well; after an error, page by page.
const CHUNK: usize = 1024 * 1024;

/// A file in memory. A segment is closed at 256 MiB; one is held at a time.
#[derive(Default)]
pub(in crate::journal) struct Bytes {
    pub(in crate::journal) data: Vec<u8>,
    /// Bytes that the disk did not give; they are zeros in `data`.
    pub(in crate::journal) unreadable: usize,
}

/// Reads a file; an absent one is empty.
///
/// # Errors
/// When it is there and cannot be opened.
pub(in crate::journal) fn read(path: &Path) -> std::io::Result<Bytes> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Bytes::default()),
        file => file?,
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = Bytes::default();
    while bytes.data.len() < length {
        let at = bytes.data.len();
        let want = CHUNK.min(length - at);
        if read_at(&mut file, at, want, &mut bytes.data).is_err() {
            bytes.data.truncate(at);
            by_page(&mut file, at, want, &mut bytes);
        }
        if bytes.data.len() == at {
            // It became shorter meanwhile.
            break;
        }
    }
    Ok(bytes)
}

fn by_page(file: &mut File, from: usize, length: usize, bytes: &mut Bytes) {
    let mut at = from;
    while at < from + length {
        let want = PAGE.min(from + length - at);
        if read_at(file, at, want, &mut bytes.data).is_err() {
            bytes.data.truncate(at);
            bytes.unreadable += want;
        }
        bytes.data.resize(at + want, 0);
        at += want;
    }
}

fn read_at(file: &mut File, at: usize, want: usize, into: &mut Vec<u8>) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(at as u64))?;
    file.take(want as u64).read_to_end(into).map(|_| ())
}
