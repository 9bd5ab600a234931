//! A journal in memory: holds back what it is told to, refuses, and remembers the order.

use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use crate::intake::sink::Done;
use crate::intake::sink::Sink;
use crate::intake::sink::SinkError;
use crate::telemetry::Control;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;

/// How long anything may take that happens by itself, on a slow machine too.
pub(super) const SOON: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct MemoryJournal {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Vec<Record>,
    appends: usize,
    held: Vec<Done>,
    holds: bool,
    refuses: Option<SinkError>,
    refusals: usize,
}

impl Sink for MemoryJournal {
    fn append(&self, records: Vec<Record>, done: Done) {
        let mut state = self.state.lock().unwrap();
        if let Some(error) = state.refuses {
            state.refusals += 1;
            drop(state);
            done(Err(error));
            return;
        }
        state.appends += 1;
        state.kept.extend(records);
        if state.holds {
            state.held.push(done);
            return;
        }
        drop(state);
        done(Ok(()));
    }
}

impl MemoryJournal {
    /// From now on it keeps, but says nothing.
    pub(super) fn hold(&self) {
        self.state.lock().unwrap().holds = true;
    }

    /// Says of everything that it is durable, and goes on so.
    pub(super) fn release(&self) {
        // First: what comes in upon the answers is answered too.
        self.state.lock().unwrap().holds = false;
        self.answer(Ok(()));
    }

    /// Answers what it holds, and holds on.
    pub(super) fn answer(&self, result: Result<(), SinkError>) {
        let held = std::mem::take(&mut self.state.lock().unwrap().held);
        for done in held {
            done(result);
        }
    }

    pub(super) fn refuse(&self, error: Option<SinkError>) {
        self.state.lock().unwrap().refuses = error;
    }

    pub(super) fn refusals(&self) -> usize {
        self.state.lock().unwrap().refusals
    }

    pub(super) fn appends(&self) -> usize {
        self.state.lock().unwrap().appends
    }

    /// What was given so far, durable or not: `topic=payload` of messages, `up` and `down` of the source.
    pub(super) fn story(&self) -> Vec<String> {
        self.state.lock().unwrap().kept.iter().map(told).collect()
    }

    /// The messages so far.
    pub(super) fn messages(&self) -> Vec<RawMessage> {
        let state = self.state.lock().unwrap();
        let messages = state.kept.iter().filter_map(|record| match record {
            Record::Message(message) => Some(message.clone()),
            _ => None,
        });
        messages.collect()
    }

    /// Until so many messages are here. Whoever else has work to do does it meanwhile; in a paused runtime no time passes.
    #[expect(
        clippy::disallowed_methods,
        reason = "the time that a test may take is that of a clock on the wall"
    )]
    pub(super) async fn wait_for(&self, count: usize) -> Vec<String> {
        let late = Instant::now() + SOON;
        loop {
            if self.messages().len() >= count {
                return self.story();
            }
            assert!(
                Instant::now() < late,
                "waited in vain for {count} messages: {:?}",
                self.story()
            );
            tokio::task::yield_now().await;
        }
    }
}

fn told(record: &Record) -> String {
    match record {
        Record::Message(message) => format!(
            "{}={}",
            message.topic,
            String::from_utf8_lossy(&message.payload)
        ),
        Record::Control(Control::SourceUp { source }) => format!("up {source}"),
        Record::Control(Control::SourceDown { source }) => format!("down {source}"),
        other => format!("{other:?}"),
    }
}
