//! A replay kept as a data directory: the same files that a daemon would have left behind, written by the same code.
//!
//! Journal first, then the store, then the series, batch by batch, so that none ever knows more than the one before it; the state
//! once at the end. Points of derived values and ticket
//! changes go to the embedded series at once, so that the outbox holds nothing that a daemon would deliver. Keeps: the entries lie
//! at the positions at which they were played, with the recording's own times.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use smol_str::SmolStr;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::effects::StoreBatch;
use super::journal_dir;
use super::recover;
use super::series;
use super::series_path;
use super::series_state_path;
use super::stage::Place;
use super::state_path;
use super::store_path;
use super::understanding::Understanding;
use crate::checkpoint::Checkpoints;
use crate::journal::Journal;
use crate::journal::JournalOptions;
use crate::pipeline::Effects;
use crate::pipeline::Pipeline;
use crate::series::SeriesError;
use crate::series::SeriesStore as _;
use crate::series::SqliteStore;
use crate::series::WriteReport;
use crate::series::consumer::Gatherer;
use crate::store::Store;
use crate::telemetry::Entry;
use crate::telemetry::Point;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// Entries of one batch: an fsync of each of four files is spread over them.
const BATCH_ENTRIES: usize = 8_192;
/// Payload bytes of one batch, well below what one append to the journal may hold.
const BATCH_BYTES: usize = 8 << 20;
/// What a control counts in a batch: enough that a few dozen large ones make a batch of their own.
const CONTROL_BYTES: usize = 256 << 10;
/// A byte budget that no recording reaches: nothing that was played is refused or removed. The daemon that opens the directory has
/// a budget and an age of its own.
const UNLIMITED_BYTES: u64 = 1 << 60;

/// A data directory that is being filled.
pub struct KeptReplay {
    runtime: Runtime,
    journal: Journal,
    store: Store,
    state: Checkpoints,
    series_state: Checkpoints,
    series: SqliteStore,
    /// The points of the newest batch, at most one.
    points_under_way: Option<JoinHandle<Result<WriteReport, SeriesError>>>,
    understanding: Understanding,
    gatherer: Gatherer,
    entries: Vec<Entry>,
    bytes: usize,
    effects: Effects,
    written: WriteReport,
}

/// Whether a replay may be kept in this directory: it does not exist, or is empty.
///
/// # Errors
/// When it holds something, or cannot be looked at; the text says what to do.
pub fn check_empty(dir: &Path) -> anyhow::Result<()> {
    let mut files = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        files => files.with_context(|| format!("cannot look into {}", dir.display()))?,
    };
    anyhow::ensure!(
        files.next().is_none(),
        "{} is not empty; a replay is kept in a directory that is empty or does not exist yet",
        dir.display()
    );
    Ok(())
}

impl KeptReplay {
    /// Begins a data directory.
    ///
    /// # Errors
    /// When it is not empty or cannot be written.
    pub fn create(dir: &Path) -> anyhow::Result<Self> {
        check_empty(dir)?;
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        // One thread beside the caller's, for what is written while the next batch is made.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let options = JournalOptions {
            max_age: Duration::MAX,
            max_bytes: UNLIMITED_BYTES,
            // By size alone: hours of a recording go by in an instant.
            segment_age: Duration::MAX,
            ..JournalOptions::default()
        };
        let journal = Journal::open(&journal_dir(dir), options)?;
        let store = runtime.block_on(Store::open(&store_path(dir), journal.id()))?;
        Ok(Self {
            store,
            state: Checkpoints::open(&state_path(dir), journal.id())?,
            series_state: Checkpoints::open(&series_state_path(dir), journal.id())?,
            series: SqliteStore::open(&series_path(dir), journal.id())?,
            points_under_way: None,
            understanding: Understanding::new(),
            gatherer: Gatherer::default(),
            entries: Vec::new(),
            bytes: 0,
            effects: Effects::default(),
            written: WriteReport::default(),
            journal,
            runtime,
        })
    }

    /// Takes entries that were played and what they caused. Writes when enough has come together.
    ///
    /// # Errors
    /// When a file cannot be written; the directory is then of no use.
    pub fn take(&mut self, played: Vec<Entry>, effects: Effects) -> anyhow::Result<()> {
        self.bytes += played.iter().map(size).sum::<usize>();
        self.entries.extend(played);
        self.effects.append(effects);
        if self.entries.len() >= BATCH_ENTRIES || self.bytes >= BATCH_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// Keeps texts of people, under ids of their own. Call it before the entries that name them are taken: a control never names
    /// a text that is not there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn take_texts(&mut self, texts: Vec<(SmolStr, String)>) -> anyhow::Result<()> {
        for (id, text) in texts {
            self.runtime
                .block_on(self.store.import_blob(&id, &text))
                .context("cannot write the store")?;
        }
        Ok(())
    }

    /// Writes the rest and the state as of the last entry, and closes the directory. Tells what became of the points.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(mut self, mut pipeline: Pipeline) -> anyhow::Result<WriteReport> {
        self.write()?;
        self.await_points()?;
        let position = pipeline.position();
        let received_at = pipeline.last_received_at().unwrap_or(Timestamp::MIN);
        let rows = pipeline.take_changed_rows();
        recover::save(&self.state, (position, received_at), rows)
            .context("cannot save the state")?;
        let place = Place {
            position,
            received_at,
        };
        self.understanding
            .save(&self.gatherer, &self.series_state, place)?;
        self.journal.set_cursor(series::CONSUMER, position)?;
        self.journal.set_base(position)?;
        self.runtime.block_on(self.store.close());
        self.journal.close();
        Ok(self.written)
    }

    /// One batch, in the order in which a crash between the steps would lose nothing.
    fn write(&mut self) -> anyhow::Result<()> {
        let entries = std::mem::take(&mut self.entries);
        let effects = std::mem::take(&mut self.effects);
        self.bytes = 0;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        let (position, received_at) = (last.position, last.received_at);
        let mut points = self.points_of(&entries);
        let records = entries
            .into_iter()
            .map(|entry| (entry.received_at, entry.record))
            .collect();
        let (done, durable) = mpsc::sync_channel(1);
        self.journal
            .import(records, Box::new(move |result| drop(done.send(result))))?;
        let reached = durable.recv().context("the journal's writer is gone")??;
        anyhow::ensure!(
            reached == position,
            "the journal stands at {reached}, the replay at {position}"
        );
        let mut batch = StoreBatch::of(&effects);
        points.extend(batch.take_points());
        self.runtime
            .block_on(self.store.apply(batch.at(position, received_at)))
            .context("cannot write the store")?;
        // The points of this batch are written while the next one is understood and journalled; those before it are there first.
        self.await_points()?;
        if !points.is_empty() {
            let series = self.series.clone();
            let written = async move { series.write(&points).await };
            self.points_under_way = Some(self.runtime.spawn(written));
        }
        Ok(())
    }

    /// Waits for the points of the batch before.
    fn await_points(&mut self) -> anyhow::Result<()> {
        let Some(under_way) = self.points_under_way.take() else {
            return Ok(());
        };
        let report = self
            .runtime
            .block_on(under_way)
            .context("the series' writer ended")?
            .context("cannot write the series")?;
        self.written.add(&report);
        Ok(())
    }

    /// What devices said, as points.
    fn points_of(&mut self, entries: &[Entry]) -> Vec<Point> {
        let mut points = Vec::new();
        let mut rest = entries;
        while !rest.is_empty() {
            let understanding = &mut self.understanding;
            // No time goes by: a batch is due when this function says so.
            let taken = self
                .gatherer
                .gather(Timestamp::MIN, rest, &mut |entry| understanding.take(entry));
            rest = rest.get(taken..).unwrap_or_default();
            if let Some(batch) = self.gatherer.drain() {
                self.written.add(&batch.refused);
                points.extend(batch.points);
            }
        }
        points
    }
}

/// About how much of a batch an entry is.
fn size(entry: &Entry) -> usize {
    match &entry.record {
        Record::Message(message) => message.payload.len(),
        Record::Control(_) => CONTROL_BYTES,
        Record::Tick => 0,
    }
}
