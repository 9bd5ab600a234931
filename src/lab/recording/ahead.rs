//! A recording read by a thread of its own, so that the lines and their payloads are read while what came before them is judged.
//!
//! **Invariant:** it gives what [`Lines`] gives, in the same order and to the last line; a panic of the thread is one of the reader.

use std::io::BufRead;
use std::mem;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::vec;

use super::reader::{Lines, Recorded, RecordingError, SkippedLine};
use crate::decode::{PayloadReader, ReadPayload};
use crate::telemetry::{Control, Record};

/// Lines handed over at a time: waking the other thread for each would cost more than reading it.
const BATCH_LINES: usize = 256;
/// Bytes of payload after which a batch is handed over with fewer lines.
const BATCH_BYTES: usize = 1024 * 1024;
/// Batches that may wait to be judged; with one more the thread waits.
const BATCHES_AHEAD: usize = 8;

/// A record with its payload read.
pub struct ReadAhead {
    /// The record.
    pub recorded: Recorded,
    /// What its payload says; `None` for anything but a message, and for one that decoding is to read.
    pub payload: Option<ReadPayload>,
}

type Line = Result<Result<ReadAhead, SkippedLine>, RecordingError>;

/// The lines of a recording, read ahead. Dropping it ends the thread with the batch that it is at.
pub struct LinesAhead {
    batches: Receiver<Vec<Line>>,
    batch: vec::IntoIter<Line>,
    thread: Option<JoinHandle<()>>,
}

impl<R: BufRead + Send + 'static> Lines<R> {
    /// Goes on in a thread of its own. The reader begins with the settings of the one who judges, and follows those of the recording.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn ahead(self, reader: PayloadReader) -> std::io::Result<LinesAhead> {
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        let thread = thread::Builder::new()
            .name("recording".into())
            .spawn(move || read(self, reader, &sender))?;
        Ok(LinesAhead {
            batches,
            batch: Vec::new().into_iter(),
            thread: Some(thread),
        })
    }
}

fn read<R: BufRead>(lines: Lines<R>, mut reader: PayloadReader, batches: &SyncSender<Vec<Line>>) {
    let (mut batch, mut bytes) = (Vec::with_capacity(BATCH_LINES), 0);
    for line in lines {
        let line = line.map(|line| {
            line.map(|recorded| {
                let payload = match &recorded.record {
                    Record::Message(message) => {
                        bytes += message.payload.len();
                        reader.read(message)
                    }
                    Record::Control(Control::Settings(settings)) => {
                        reader.configure(settings);
                        None
                    }
                    Record::Control(_) | Record::Tick => None,
                };
                ReadAhead { recorded, payload }
            })
        });
        batch.push(line);
        if batch.len() >= BATCH_LINES || bytes >= BATCH_BYTES {
            bytes = 0;
            let full = mem::replace(&mut batch, Vec::with_capacity(BATCH_LINES));
            if batches.send(full).is_err() {
                // Nobody wants to know how it goes on.
                return;
            }
        }
    }
    // As above.
    let _unwanted = batches.send(batch);
}

impl Iterator for LinesAhead {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.batch.next() {
                return Some(line);
            }
            let Ok(batch) = self.batches.recv() else {
                // It has read all, or panicked: then what was read is not all.
                if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                return None;
            };
            self.batch = batch.into_iter();
        }
    }
}
