//! The promises of the architecture page, tried hard on the pure pipeline.
//!
//! Here: a site with one small profile, and entries to step through it. What is promised stands in the files, one promise each.

mod accounts;

mod bounds;

mod edits;

mod one_ticket;

mod panics;

mod past;

mod rechecks;

mod same;

mod speed;

pub(crate) mod story;

use std::collections::BTreeMap;

use crate::desk::change_line;
use crate::telemetry::Control;
use crate::telemetry::DeviceAction;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::TicketAction;
use crate::telemetry::Timestamp;
use crate::telemetry::Verdict;

use super::Effects;
use super::Part;
use super::Pipeline;
use super::RowMaker;
use super::StateRow;
use super::TakenRow;

/// When everything begins: 2026-03-01 00:00 UTC.
pub(super) const START: i64 = 1_772_323_200_000;

/// A made-up appliance with a fault of each kind.
pub(super) const PROFILE: &str = include_str!("appliance.toml");

/// The moment so many seconds after the start.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(START + seconds * 1_000)
}

pub(super) fn message(topic: &str, payload: impl Into<Vec<u8>>) -> RawMessage {
    RawMessage {
        source: "listener".into(),
        topic: topic.into(),
        payload: bytes::Bytes::from(payload.into()),
        qos: 1,
        dup: false,
        retained: false,
        queued: false,
        content_type: None,
        oversize: None,
    }
}

/// A live message of a device of the made-up model, such as `"temp":20`.
pub(super) fn tele(serial: &str, ts: i64, values: &str) -> RawMessage {
    message(
        &format!("appl/v1/x-1/{serial}/tele"),
        format!("{{\"ts\":{},\"s\":{{{values}}}}}", START / 1_000 + ts),
    )
}

/// Records that were kept while offline.
pub(super) fn batch(serial: &str, records: &[(i64, String)]) -> RawMessage {
    let records: Vec<String> = records
        .iter()
        .map(|(ts, values)| format!("{{\"ts\":{},\"s\":{{{values}}}}}", START / 1_000 + ts))
        .collect();
    message(
        &format!("appl/v1/x-1/{serial}/batch"),
        format!("{{\"recs\":[{}]}}", records.join(",")),
    )
}

pub(super) fn profiles(text: &str) -> Record {
    Record::Control(Control::Profiles {
        profiles: vec![ProfileText {
            name: "x-1.toml".into(),
            text: text.into(),
        }],
        words: Vec::new(),
    })
}

pub(super) fn started() -> Record {
    Record::Control(Control::Started {
        version: "0".into(),
    })
}

pub(super) fn source(up: bool) -> Record {
    let source = "listener".into();
    Record::Control(if up {
        Control::SourceUp { source }
    } else {
        Control::SourceDown { source }
    })
}

pub(super) fn on_ticket(ticket: &str, action: TicketAction) -> Record {
    Record::Control(Control::Ticket {
        ticket: ticket.into(),
        action,
        by: "lena".into(),
        expected_version: None,
        key: None,
    })
}

pub(super) fn resolve(ticket: &str, parts: &[&str]) -> Record {
    let action = TicketAction::Resolve {
        verdict: Verdict::ConfirmedFault,
        parts: parts.iter().map(|part| (*part).into()).collect(),
        note: None,
    };
    on_ticket(ticket, action)
}

pub(super) fn on_device(device: &str, action: DeviceAction) -> Record {
    Record::Control(Control::Device {
        device: id(device),
        action,
        by: "lena".into(),
    })
}

pub(super) fn id(device: &str) -> DeviceId {
    device.parse().expect("a device")
}

/// A pipeline with the made-up profile, stepped record by record.
pub(super) struct Site {
    pub(super) pipeline: Pipeline,
    pub(super) effects: Effects,
    pub(super) position: Position,
}

impl Site {
    pub(super) fn new() -> Self {
        Self::with(Pipeline::new(), PROFILE)
    }

    pub(super) fn with(pipeline: Pipeline, profile: &str) -> Self {
        let mut site = Self {
            pipeline,
            effects: Effects::default(),
            position: Position::default(),
        };
        site.put(-60, started());
        site.put(-60, profiles(profile));
        site.put(-60, source(true));
        assert_eq!(site.effects.alerts, [""; 0], "the profile compiles");
        assert!(site.pipeline.profiles().get("x-1").is_some());
        site
    }

    /// Steps one record, so many seconds after the start.
    pub(super) fn put(&mut self, seconds: i64, record: Record) {
        self.put_at(at(seconds), record);
    }

    pub(super) fn put_at(&mut self, received_at: Timestamp, record: Record) {
        self.position = self.position.next();
        let entry = Entry {
            position: self.position,
            received_at,
            record,
        };
        self.pipeline.step(&entry, &mut self.effects);
    }

    /// A message that arrives in the second of its own time.
    pub(super) fn tele(&mut self, seconds: i64, serial: &str, values: &str) {
        self.put(seconds, Record::Message(tele(serial, seconds, values)));
    }

    /// Time goes by up to here.
    pub(super) fn wait(&mut self, seconds: i64) {
        self.put(seconds, Record::Tick);
    }

    /// What was printed since the last call, in short: `opened T-1 x-1/A hot.fault @60`.
    pub(super) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.effects.changes)
            .iter()
            .filter(|change| change_line(change).is_some())
            .map(|change| {
                let ticket = &change.ticket;
                format!(
                    "{} {} {} {}.{} @{}",
                    change.change.as_str(),
                    ticket.id,
                    ticket.device,
                    ticket.fault,
                    ticket.stage.as_str(),
                    change.at.since(at(0)) / 1_000
                )
            })
            .collect()
    }

    /// What was done with tickets since the last call, without words for people.
    pub(super) fn whats(&mut self) -> Vec<String> {
        std::mem::take(&mut self.effects.changes)
            .iter()
            .map(|change| format!("{} {}", change.change.as_str(), change.what))
            .collect()
    }
}

/// The lines that a replay prints.
pub(crate) fn lines(effects: &Effects) -> Vec<String> {
    effects.changes.iter().filter_map(change_line).collect()
}

/// Rows as a checkpoint file keeps them: the newest of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct File(pub(super) BTreeMap<(Part, String), Vec<u8>>);

impl File {
    pub(super) fn take(&mut self, pipeline: &mut Pipeline) {
        for StateRow { part, key, bytes } in pipeline.take_changed_rows() {
            match bytes {
                Some(bytes) => self.0.insert((part, key), bytes),
                None => self.0.remove(&(part, key)),
            };
        }
    }

    /// What a snapshot brought.
    pub(super) fn put(&mut self, rows: Vec<TakenRow>) {
        let mut maker = RowMaker::default();
        for row in rows {
            let row = row.into_row(&mut maker).expect("memory");
            let StateRow { part, key, bytes } = row;
            match bytes {
                Some(bytes) => self.0.insert((part, key), bytes),
                None => self.0.remove(&(part, key)),
            };
        }
    }

    /// Which rows differ, or are in one of both.
    pub(super) fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a (Part, String)> {
        let keys = self.0.keys().chain(other.0.keys());
        keys.filter(|key| self.0.get(*key) != other.0.get(*key))
            .collect()
    }

    pub(super) fn rows(&self) -> Vec<StateRow> {
        self.0
            .iter()
            .map(|((part, key), bytes)| StateRow {
                part: *part,
                key: key.clone(),
                bytes: Some(bytes.clone()),
            })
            .collect()
    }

    /// The pipeline that goes on from this file.
    pub(super) fn restore(&self, of: &Pipeline) -> Pipeline {
        let last = of.last_received_at().expect("it has seen something");
        let (restored, unread) =
            Pipeline::restore(of.position(), last, self.rows()).expect("it was just saved");
        assert_eq!(unread, [""; 0]);
        restored
    }
}
