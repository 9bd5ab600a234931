//! When a file was changed: users and certificates are renewed while the daemon runs.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What changes when a file is written or replaced: device, inode, size, time of its last change in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// The file as it is now; `None` when it is not there or cannot be looked at, which a reader will find out.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let look = || -> io::Result<Self> {
            let about = fs::metadata(path)?;
            Ok(Self {
                file: (about.dev(), about.ino()),
                bytes: about.len(),
                // The time of change rather than of writing: a renewed certificate may be copied with its old time.
                changed: (about.ctime(), about.ctime_nsec()),
            })
        };
        look().ok()
    }
}
