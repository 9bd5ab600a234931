//! The bounded queue between those who append and the one who writes.
//!
//! Keeps: appends leave in the order in which they came in; what was taken in is written, also when the journal closes; the
//! queue never holds more than its limits (one append alone may be larger than they are).

use std::collections::VecDeque;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;

use crate::telemetry::Record;
use crate::telemetry::Timestamp;

use super::Done;
use super::block::Encoded;
use super::error::AppendError;
use super::files::lock;
use super::options::APPEND_BYTES;
use super::options::COMMIT_BYTES;
use super::options::QUEUE_BYTES;
use super::options::QUEUE_RECORDS;

/// Records that belong to one call of `append`.
pub(super) struct Append {
    pub(super) records: Vec<Record>,
    pub(super) encoded: Encoded,
    /// When each was received, when that is known from elsewhere; `None`: the journal gives the time.
    pub(super) times: Option<Vec<Timestamp>>,
    pub(super) done: Done,
}

/// What became of an attempt to put an append in.
pub(super) enum Put {
    Taken,
    /// No room now; the append comes back.
    NoRoom(Append),
    Refused(Append, AppendError),
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The writer waits here.
    ready: Condvar,
    /// Blocking callers wait here.
    room: Condvar,
    /// Asynchronous callers wait here: for room, and for space after `Full`.
    changed: Notify,
}

/// What the byte budget has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Space {
    #[default]
    Everything,
    /// The budget is used up, the reserve is not.
    ControlsOnly,
    Nothing,
}

#[derive(Default)]
struct State {
    appends: VecDeque<Append>,
    bytes: usize,
    records: usize,
    closed: bool,
    space: Space,
}

impl Append {
    /// Encodes records, on the thread of whoever appends them. `done` is told when that cannot be.
    pub(super) fn new(records: Vec<Record>, done: Done) -> Result<Self, AppendError> {
        let checked = Encoded::new(&records)
            .map_err(AppendError::Encode)
            .and_then(|encoded| {
                let (bytes, limit) = (encoded.len(), APPEND_BYTES);
                if bytes > limit {
                    return Err(AppendError::TooLarge { bytes, limit });
                }
                Ok(encoded)
            });
        match checked {
            Ok(encoded) => Ok(Self {
                records,
                encoded,
                times: None,
                done,
            }),
            Err(error) => {
                done(Err(error.clone()));
                Err(error)
            }
        }
    }

    /// Tells that it was not written.
    pub(super) fn give_up(self) {
        (self.done)(Err(AppendError::Closed));
    }

    fn refuse(self, error: AppendError) -> Result<(), AppendError> {
        (self.done)(Err(error.clone()));
        Err(error)
    }
}

impl Space {
    fn takes(self, records: &[Record]) -> bool {
        match self {
            Self::Everything => true,
            Self::ControlsOnly => !records
                .iter()
                .any(|record| matches!(record, Record::Message(_))),
            Self::Nothing => records.is_empty(),
        }
    }
}

impl Queue {
    /// Puts an append in if there is room now.
    pub(super) fn try_put(&self, append: Append) -> Put {
        let mut state = lock(&self.state);
        let put = Self::put_locked(&mut state, append);
        if matches!(put, Put::Taken) {
            self.call_writer(state);
        }
        put
    }

    /// Puts an append in; blocks while there is no room.
    pub(super) fn put(&self, mut append: Append) -> Result<(), AppendError> {
        let mut state = lock(&self.state);
        loop {
            match Self::put_locked(&mut state, append) {
                Put::Taken => {
                    self.call_writer(state);
                    return Ok(());
                }
                Put::Refused(append, error) => {
                    drop(state);
                    return append.refuse(error);
                }
                Put::NoRoom(back) => append = back,
            }
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts an append in; waits while there is no room.
    pub(super) async fn put_async(&self, mut append: Append) -> Result<(), AppendError> {
        loop {
            // Armed before the look, so that a change in between is not missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.try_put(append) {
                Put::Taken => return Ok(()),
                Put::Refused(append, error) => return append.refuse(error),
                Put::NoRoom(back) => append = back,
            }
            changed.await;
        }
    }

    /// Waits until the byte budget has room again, or the journal is closed.
    pub(super) async fn space(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let state = lock(&self.state);
                if state.space == Space::Everything || state.closed {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Waits until there is something to write; with `gather` it first waits that long for company, or until a commit is full.
    /// `false` when closed and empty.
    pub(super) fn wait(&self, gather: Option<Duration>) -> bool {
        let mut state = lock(&self.state);
        if let Some(time) = gather {
            let waited = self.ready.wait_timeout_while(state, time, |state| {
                state.bytes < COMMIT_BYTES && !state.closed
            });
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let state = self
            .ready
            .wait_while(state, |state| state.appends.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        !state.appends.is_empty()
    }

    /// What the next commit takes, in the order in which it came in; nothing when nothing waits.
    pub(super) fn take(&self) -> Vec<Append> {
        let mut state = lock(&self.state);
        let mut taken = Vec::new();
        let mut bytes = 0;
        while bytes < COMMIT_BYTES
            && let Some(append) = state.appends.pop_front()
        {
            bytes += append.encoded.len();
            state.records -= append.records.len();
            state.bytes -= append.encoded.len();
            taken.push(append);
        }
        drop(state);
        self.wake();
        taken
    }

    /// Pauses the writer; `false` when the journal closes meanwhile.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let waited = self
            .ready
            .wait_timeout_while(lock(&self.state), time, |state| !state.closed);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Takes nothing more in.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.ready.notify_all();
        self.wake();
    }

    /// Says what there is room for; returns what it was before.
    pub(super) fn set_space(&self, space: Space) -> Space {
        let before = std::mem::replace(&mut lock(&self.state).space, space);
        if before != space {
            self.wake();
        }
        before
    }

    pub(super) fn space_now(&self) -> Space {
        lock(&self.state).space
    }

    /// Records and bytes that wait.
    pub(super) fn size(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.records, state.bytes)
    }

    fn put_locked(state: &mut State, append: Append) -> Put {
        if state.closed {
            return Put::Refused(append, AppendError::Closed);
        }
        if !state.space.takes(&append.records) {
            return Put::Refused(append, AppendError::Full);
        }
        let bytes = state.bytes + append.encoded.len();
        let records = state.records + append.records.len();
        let fits =
            bytes <= QUEUE_BYTES && records <= QUEUE_RECORDS && state.appends.len() < QUEUE_RECORDS;
        if !fits && !state.appends.is_empty() {
            return Put::NoRoom(append);
        }
        state.bytes = bytes;
        state.records = records;
        state.appends.push_back(append);
        Put::Taken
    }

    /// While it gathers a commit, the writer wants to know only that the commit is full.
    fn call_writer(&self, state: MutexGuard<'_, State>) {
        let call = state.appends.len() == 1 || state.bytes >= COMMIT_BYTES;
        drop(state);
        if call {
            self.ready.notify_one();
        }
    }

    fn wake(&self) {
        self.room.notify_all();
        self.changed.notify_waiters();
    }
}
