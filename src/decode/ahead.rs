//! The part of decoding that knows no device, for those who want it done before the message's turn: where a topic belongs, and
//! what its payload says.
//!
//! **Invariant:** what was read ahead gives what reading in its turn would have given, whatever was configured in between: it holds
//! for the way it was read in, and is thrown away when that is no longer the message's way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use smol_str::SmolStr;

use super::native::Content;
use super::quick::Names;
use super::topic::{self, Kind, Route};
use super::{check_size, content};
use crate::telemetry::{RawMessage, Rejection, Settings, SourceSetting};

/// Reads payloads ahead of decoding; it remembers nothing that decides.
#[derive(Debug)]
pub struct PayloadReader {
    sources: Vec<SourceSetting>,
    names: Names,
}

/// What a message's payload says, or why it cannot be read. Give it to decoding with that same message.
#[derive(Debug)]
pub struct ReadPayload {
    way: Way,
    content: Result<Content, Rejection>,
}

/// Everything but the message itself that decides what its payload says.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Native(Kind),
    Plain { time: Option<SmolStr> },
}

impl PayloadReader {
    /// A reader for messages that come under these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            sources: settings.sources.clone(),
            names: Names::default(),
        }
    }

    /// The settings that hold from here on.
    pub fn configure(&mut self, settings: &Settings) {
        self.sources.clone_from(&settings.sources);
    }

    /// Reads a payload; `None` when that is better left to decoding: nobody claims the topic, the payload is too large to be read, or
    /// reading it panics.
    pub fn read(&mut self, message: &RawMessage) -> Option<ReadPayload> {
        let route = topic::route(&self.sources, &message.topic).ok()?;
        check_size(message).ok()?;
        let names = &mut self.names;
        let content = catch_unwind(AssertUnwindSafe(|| content(&route, message, names))).ok()?;
        let way = match route {
            Route::Native { kind, .. } => Way::Native(kind),
            Route::Plain { time, .. } => Way::Plain {
                time: time.map(SmolStr::new),
            },
        };
        Some(ReadPayload { way, content })
    }
}

impl ReadPayload {
    /// What the payload says; `None` when it was read in another way than this route's.
    pub(super) fn by(self, route: &Route<'_>) -> Option<Result<Content, Rejection>> {
        let same = match (&self.way, route) {
            (Way::Native(read), Route::Native { kind, .. }) => read == kind,
            (Way::Plain { time: read }, Route::Plain { time, .. }) => read.as_deref() == *time,
            (Way::Native(_), Route::Plain { .. }) | (Way::Plain { .. }, Route::Native { .. }) => {
                false
            }
        };
        same.then_some(self.content)
    }
}
