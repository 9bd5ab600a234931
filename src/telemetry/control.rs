//! Everything but messages that detection depends on, as journal records: settings, profiles, people's actions.
//!
//! Controls carry ids, enumerations and numbers. Free text of people (comments, notes) and contact data lie in the store under
//! a blob id, written before the control, so that erasing them leaves the journal whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{DeviceId, Identity, Position, RawMessage, Timestamp};

/// A record that is not a message. In recordings and in the journal: a JSON object with its `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Control {
    /// The first record of each process.
    Started {
        /// Version of the program.
        version: SmolStr,
    },
    /// A broker connection (or the listener) is up; messages may flow.
    SourceUp {
        /// Its name.
        source: SmolStr,
    },
    /// A broker connection (or the listener) went down: from here to `SourceUp` is a blind span of its devices.
    SourceDown {
        /// Its name.
        source: SmolStr,
    },
    /// The journal could not be written for a while, which ends here: since the record before, nothing could come in.
    Stalled,
    /// The wall clock stepped by more than 2 s.
    ClockStep {
        /// What it said before.
        from: Timestamp,
        /// What it says now.
        to: Timestamp,
    },
    /// The settings that decode, detect and desk depend on.
    Settings(Settings),
    /// The profiles in force from here on, by content.
    Profiles {
        /// Every profile file.
        profiles: Vec<ProfileText>,
        /// Every file of shared words.
        words: Vec<ProfileText>,
    },
    /// Offsets of the time zones, expanded to UTC instants, so that a tzdata update changes no result.
    Zones {
        /// By IANA name.
        zones: ZoneTable,
    },
    /// What a person or a registry did with a device.
    Device {
        /// Which device.
        device: DeviceId,
        /// What was done.
        action: DeviceAction,
        /// Who did it: a user name or a token's name.
        by: SmolStr,
    },
    /// A part was replaced: the short form used in recordings; the same as `Device` with `part_replaced`.
    PartReplaced {
        /// Which device.
        device: DeviceId,
        /// Part number.
        part: SmolStr,
        /// Lot of the new part.
        #[serde(default)]
        lot: Option<SmolStr>,
    },
    /// What a person did with a ticket.
    Ticket {
        /// Ticket id, such as `T-1`.
        ticket: SmolStr,
        /// What was done.
        action: TicketAction,
        /// Who did it.
        by: SmolStr,
        /// The version of the ticket that the person saw; a stale one is refused.
        #[serde(default)]
        expected_version: Option<u64>,
        /// Repeating the same key does nothing the second time.
        #[serde(default)]
        key: Option<SmolStr>,
    },
    /// A rejected message is decoded once more, as of the time it came.
    Replay {
        /// Where it was rejected.
        position: Position,
        /// When it came.
        received_at: Timestamp,
        /// The message itself.
        message: RawMessage,
    },
    /// Records that were lost with a damaged journal lay in front of this one, back to the position `from`: what they said is not
    /// known, so nothing that was waited for came due between the record before them and this one.
    Lost {
        /// The first lost position.
        from: Position,
        /// How many positions were lost, this one included.
        records: u64,
    },
    /// The last line of an exported recording: what is due up to here fires.
    End,
}

/// UTC instants from which each zone has an offset to UTC in seconds, by IANA name, in rising order.
pub type ZoneTable = BTreeMap<SmolStr, Vec<(Timestamp, i32)>>;

/// One file of `device-profiles`, by content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileText {
    /// File name, for diagnostics.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// The settings that results depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// IANA name of the zone of devices that name none.
    pub timezone: SmolStr,
    /// A known model's new device is taken at once (`true`) or held in quarantine.
    pub adopt_unknown: bool,
    /// Which topics speak which convention, in the order of the settings; the first match wins.
    pub sources: Vec<SourceSetting>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timezone: "Asia/Shanghai".into(),
            adopt_unknown: true,
            sources: vec![SourceSetting::native()],
        }
    }
}

/// One `[[source]]` of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSetting {
    /// MQTT topic filter.
    pub filter: SmolStr,
    /// `native` or `json` (plain JSON or CBOR with a topic template).
    pub convention: SmolStr,
    /// For `json`: the topic with `{model}` (or a fixed `model` below) and `{serial}` in place of its parts,
    /// such as `shop/{serial}/status`.
    pub topic: Option<SmolStr>,
    /// For `json`: the model of all its devices, when the topic does not name it.
    pub model: Option<SmolStr>,
    /// For `json`: the path of the time in the payload; absent: time of receipt.
    pub time: Option<SmolStr>,
}

impl SourceSetting {
    /// Foremend's own convention on its own topics.
    #[must_use]
    pub fn native() -> Self {
        Self {
            filter: "appl/v1/#".into(),
            convention: "native".into(),
            topic: None,
            model: None,
            time: None,
        }
    }
}

/// What can be done with a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum DeviceAction {
    /// A part was replaced: the baselines that the part resets are learnt anew.
    PartReplaced {
        /// Part number, as in the profile's `[parts]`.
        part: SmolStr,
        /// Lot of the new part.
        lot: Option<SmolStr>,
    },
    /// The registry told the device's identity.
    Set {
        /// Identity; its fields replace what was known, field by field.
        identity: Identity,
    },
    /// A quarantined device is taken.
    Adopt,
    /// The serial is out of service: its state is dropped and its open tickets are cancelled.
    Retire,
}

/// What a person can do with a ticket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum TicketAction {
    /// Someone has seen it.
    Acknowledge,
    /// It belongs to someone.
    Assign {
        /// User name.
        to: SmolStr,
    },
    /// Work began.
    Start,
    /// It waits for something, until a time.
    Wait {
        /// What for.
        #[serde(rename = "for")]
        reason: WaitFor,
        /// Until when, at most.
        until: Timestamp,
    },
    /// A remark was written; the text lies in the store.
    Comment {
        /// Blob id of the text.
        blob: SmolStr,
    },
    /// The work is done, with a verdict; the fault's recheck begins.
    Resolve {
        /// What it was.
        verdict: Verdict,
        /// Part numbers that were fitted.
        parts: Vec<SmolStr>,
        /// Blob id of the note.
        note: Option<SmolStr>,
    },
    /// Closed by a person.
    Close,
    /// Taken up again.
    Reopen {
        /// Blob id of the reason.
        reason: Option<SmolStr>,
    },
}

/// The name of an action, without what it carries: for tables of allowed moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BasicAction {
    /// See [`TicketAction::Acknowledge`].
    Acknowledge,
    /// See [`TicketAction::Assign`].
    Assign,
    /// See [`TicketAction::Start`].
    Start,
    /// See [`TicketAction::Wait`].
    Wait,
    /// See [`TicketAction::Comment`].
    Comment,
    /// See [`TicketAction::Resolve`].
    Resolve,
    /// See [`TicketAction::Close`].
    Close,
    /// See [`TicketAction::Reopen`].
    Reopen,
}

impl BasicAction {
    /// Every action, in the order in which people meet them.
    pub const ALL: [Self; 8] = [
        Self::Acknowledge,
        Self::Assign,
        Self::Start,
        Self::Wait,
        Self::Comment,
        Self::Resolve,
        Self::Close,
        Self::Reopen,
    ];

    /// The name in API, journal, database and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Assign => "assign",
            Self::Start => "start",
            Self::Wait => "wait",
            Self::Comment => "comment",
            Self::Resolve => "resolve",
            Self::Close => "close",
            Self::Reopen => "reopen",
        }
    }
}

impl TicketAction {
    /// Which action this is.
    #[must_use]
    pub const fn basic(&self) -> BasicAction {
        match self {
            Self::Acknowledge => BasicAction::Acknowledge,
            Self::Assign { .. } => BasicAction::Assign,
            Self::Start => BasicAction::Start,
            Self::Wait { .. } => BasicAction::Wait,
            Self::Comment { .. } => BasicAction::Comment,
            Self::Resolve { .. } => BasicAction::Resolve,
            Self::Close => BasicAction::Close,
            Self::Reopen { .. } => BasicAction::Reopen,
        }
    }
}

/// What a waiting ticket waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// The customer's answer.
    Customer,
    /// A part.
    Part,
    /// A visit.
    Visit,
}

/// What a ticket turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The fault was there.
    ConfirmedFault,
    /// A consumable was due.
    Consumable,
    /// The customer needed an explanation.
    UserEducation,
    /// The surroundings were the cause.
    Environment,
    /// Nothing was found.
    NoFaultFound,
    /// A sensor or the data were wrong.
    SensorError,
    /// The customer could not be reached.
    Unreachable,
    /// The customer declined.
    Declined,
    /// Another ticket covers it.
    Duplicate,
    /// A known problem of a lot or a firmware.
    KnownProblem,
}
