//! What can be set about the journal, and the limits that cannot.
//!
//! Every queue, cache and size of the journal has its limit here, with where it comes from and what happens when it is reached.

use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::clock::SystemClock;

/// A commit is written at once when the records waiting for it reach this: an fsync of 1 MB takes 0.5 ms on a quiet disk, four
/// times one of 250 bytes, so larger commits gain nothing.
pub(super) const COMMIT_BYTES: usize = 1024 * 1024;
/// Records waiting for the writer, in encoded bytes: eight full commits. When reached, `append` waits.
pub(super) const QUEUE_BYTES: usize = 8 * COMMIT_BYTES;
/// Records waiting for the writer, by number: what 65,535 packet ids of one MQTT connection can have under way.
/// When reached, `append` waits.
pub(super) const QUEUE_RECORDS: usize = 65_536;
/// The most that one append may hold, in encoded bytes: the profiles of a large maker are a few MiB. More is refused.
pub(super) const APPEND_BYTES: usize = 64 * 1024 * 1024;
/// Size of a sealed block before compression: the ratio gains little beyond, and a read of one entry unpacks one block.
pub(super) const SEALED_BLOCK_BYTES: usize = 256 * 1024;
/// Compression of sealed blocks. Measured on blocks of 200-byte payloads (tests/measure.rs): levels 1 to 4 take 30 bytes a message at
/// the same speed, level 6 takes 27 in five times the time, level 9 the same 27 in eight times; sealing shares the machine with
/// detection.
pub(super) const ZSTD_LEVEL: i32 = 3;
/// Decoded entries kept for readers, in bytes of memory. When full the oldest span leaves.
pub(super) const CACHE_BYTES: usize = 16 * 1024 * 1024;
/// What one read from a file takes at once into the cache, in stored bytes before decompression; at least one block.
pub(super) const READ_AHEAD_BYTES: usize = 256 * 1024;
/// Open files kept for readers. When full the one not used longest is closed.
pub(super) const OPEN_FILES: usize = 8;
/// A segment takes at most this part of the byte budget, so that retention, which removes whole files, can work in steps.
pub(super) const SEGMENTS_PER_BUDGET: u64 = 8;
/// Beyond the byte budget this part of it is kept for controls and ticks alone: a full journal must still take the start of the
/// daemon and the work of people. When that is used up too, they are refused as well.
pub(super) const RESERVE_PART: u64 = 16;
/// Consumers with a cursor: a handful are part of the program. One more is refused.
pub(super) const CURSORS: usize = 64;
/// The longest pause between attempts to write after an error; the first attempt follows at once, the second after 50 ms.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(2);
/// How long the housekeeper waits for something to do before it looks at ages again.
pub(super) const HOUSEKEEPING: Duration = Duration::from_mins(1);

/// How the journal is kept.
#[derive(Clone)]
pub struct JournalOptions {
    /// Segments whose newest record is older than this are removed, once nobody needs them.
    pub max_age: Duration,
    /// The byte budget of the directory. Retention removes old segments to stay within it; when it may not, messages are refused
    /// with [`super::AppendError::Full`]; controls and ticks have a sixteenth more. While a segment is being sealed, its packed copy comes on top.
    pub max_bytes: u64,
    /// The live segment is sealed at this size in bytes, or at an eighth of `max_bytes` when that is less.
    pub segment_bytes: u64,
    /// The live segment is sealed at this age.
    pub segment_age: Duration,
    /// How long a commit waits for company when the one before it left records waiting.
    pub commit_interval: Duration,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Told on the writer's thread how long each commit took, its fsync included; `None`: nobody wants to know.
    pub committed: Option<CommitWatch>,
}

/// See [`JournalOptions::committed`]. Must not block: the acks of all wait behind it.
pub type CommitWatch = Arc<dyn Fn(Duration) + Send + Sync>;

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(35 * 24),
            max_bytes: 20 * 1024 * 1024 * 1024,
            segment_bytes: 256 * 1024 * 1024,
            segment_age: Duration::from_hours(1),
            commit_interval: Duration::from_millis(5),
            clock: Arc::new(SystemClock::new()),
            committed: None,
        }
    }
}

impl JournalOptions {
    /// The size at which the live segment is sealed.
    pub(super) fn seal_at_bytes(&self) -> u64 {
        self.segment_bytes
            .min(self.max_bytes / SEGMENTS_PER_BUDGET)
            .max(1)
    }
}
