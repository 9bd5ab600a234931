//! Entries become bytes and entries again.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::any;
use proptest::prelude::*;
use smol_str::SmolStr;

use super::support::append;
use super::support::message;
use super::support::open;
use super::support::read_all;
use super::support::records;
use crate::journal::block::Block;
use crate::journal::block::Encoded;
use crate::journal::block::Head;
use crate::journal::block::decode;
use crate::properties::cases;
use crate::telemetry::Control;
use crate::telemetry::DeviceAction;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::Identity;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::Settings;
use crate::telemetry::TicketAction;
use crate::telemetry::Timestamp;
use crate::telemetry::Verdict;
use crate::telemetry::WaitFor;

fn text() -> impl Strategy<Value = SmolStr> {
    "\\PC{0,40}".prop_map(SmolStr::from)
}

fn any_message() -> impl Strategy<Value = Record> {
    let flags = any::<(bool, bool, bool)>();
    let payload = vec(any::<u8>(), 0..300);
    let rest = (option::of(text()), option::of(any::<u64>()), 0..=2_u8);
    (text(), text(), payload, flags, rest).prop_map(|(source, topic, payload, flags, rest)| {
        let (dup, retained, queued) = flags;
        let (content_type, oversize, qos) = rest;
        Record::Message(RawMessage {
            source,
            topic,
            payload: Bytes::from(payload),
            qos,
            dup,
            retained,
            queued,
            content_type,
            oversize,
        })
    })
}

fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![
        4 => any_message(),
        1 => Just(Record::Tick),
        1 => text().prop_map(|source| Record::Control(Control::SourceUp { source })),
        1 => (any::<u64>(), any_message()).prop_map(|(position, message)| match message {
            Record::Message(message) => Record::Control(Control::Replay {
                position: Position(position),
                received_at: Timestamp::from_ms(7),
                message,
            }),
            other => other,
        }),
    ]
}

fn block(first: u64, start: i64, records: &[(i64, Record)]) -> (Block, Vec<Entry>) {
    let mut block = Block::new(Position(first), Timestamp::from_ms(start));
    let mut entries = Vec::new();
    let mut received_at = Timestamp::from_ms(start);
    for (delta, record) in records {
        received_at = received_at + *delta;
        let encoded = Encoded::new(std::slice::from_ref(record)).unwrap();
        let position = block.push(received_at, encoded.records().next().unwrap());
        entries.push(Entry {
            position,
            received_at,
            record: record.clone(),
        });
    }
    (block, entries)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_block_reads_as_it_was_written(
        first in 1..1_u64 << 60,
        start in -1_000_000_i64..4_000_000_000_000,
        records in vec((0..100_000_i64, any_record()), 1..20),
    ) {
        let (block, entries) = block(first, start, &records);
        prop_assert_eq!(decode(&block.head, &block.data).unwrap(), entries);
        prop_assert_eq!(block.head.last(), Position(first + records.len() as u64 - 1));
    }

    #[test]
    fn a_block_cut_short_or_with_more_behind_it_is_refused(
        records in vec((0..1000_i64, any_record()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let (block, _) = block(1, 0, &records);
        let cut = cut.index(block.data.len());
        prop_assert!(decode(&block.head, block.data.get(..cut).unwrap()).is_err());
        let mut longer = block.data.clone();
        longer.extend([0, 3]);
        prop_assert!(decode(&block.head, &longer).is_err());
    }

    #[test]
    fn any_bytes_are_refused_or_read_but_never_a_panic(
        bytes in vec(any::<u8>(), 0..200),
        count in any::<u64>(),
    ) {
        let head = Head {
            first: Position(u64::MAX / 2),
            count,
            received_first: Timestamp::MAX,
            received_last: Timestamp::MIN,
        };
        let read = decode(&head, &bytes);
        prop_assert!(read.is_err() || read.unwrap().len() as u64 == count);
    }
}

fn device() -> DeviceId {
    "ts-flash5/TSF5-000123".parse().unwrap()
}

fn device_controls() -> Vec<Control> {
    let identity = Identity {
        fw: Some("2.1".into()),
        lots: [("heater".into(), "L7".into())].into(),
        ..Identity::default()
    };
    let part: SmolStr = "HEATER-F5".into();
    let lot: Option<SmolStr> = Some("L8".into());
    let actions = [
        DeviceAction::PartReplaced {
            part: part.clone(),
            lot: lot.clone(),
        },
        DeviceAction::Set { identity },
        DeviceAction::Adopt,
        DeviceAction::Retire,
    ];
    let by: SmolStr = "维修员".into();
    let mut controls: Vec<Control> = actions
        .into_iter()
        .map(|action| Control::Device {
            device: device(),
            action,
            by: by.clone(),
        })
        .collect();
    controls.push(Control::PartReplaced {
        device: device(),
        part,
        lot,
    });
    controls
}

fn ticket_controls() -> Vec<Control> {
    let actions = [
        TicketAction::Acknowledge,
        TicketAction::Assign { to: "li".into() },
        TicketAction::Start,
        TicketAction::Wait {
            reason: WaitFor::Part,
            until: Timestamp::from_ms(1_772_347_269_120),
        },
        TicketAction::Comment { blob: "b1".into() },
        TicketAction::Resolve {
            verdict: Verdict::ConfirmedFault,
            parts: vec!["HEATER-F5".into()],
            note: None,
        },
        TicketAction::Close,
        TicketAction::Reopen {
            reason: Some("b2".into()),
        },
    ];
    let control = |(index, action)| Control::Ticket {
        ticket: "T-1".into(),
        action,
        by: "li".into(),
        expected_version: (index % 2 == 0).then_some(7),
        key: (index % 2 == 1).then(|| "k".into()),
    };
    actions.into_iter().enumerate().map(control).collect()
}

fn other_controls() -> Vec<Control> {
    let file = |name: &str| ProfileText {
        name: name.into(),
        text: "title = { zh = \"加热\" }\n".into(),
    };
    let at = Timestamp::from_ms;
    vec![
        Control::Started {
            version: "0.1.0".into(),
        },
        Control::SourceUp {
            source: "home".into(),
        },
        Control::SourceDown {
            source: "home".into(),
        },
        Control::ClockStep {
            from: at(1),
            to: at(4000),
        },
        Control::Settings(Settings::default()),
        Control::Profiles {
            profiles: vec![file("a.toml"), file("b.toml")],
            words: vec![file("words.toml")],
        },
        Control::Zones {
            zones: [(
                "Asia/Shanghai".into(),
                vec![(at(-5_000_000), 28_800), (at(0), -3_600)],
            )]
            .into(),
        },
        Control::End,
    ]
}

#[test]
fn every_kind_of_record_comes_back_from_the_disk_as_it_went_in() {
    let controls = [device_controls(), ticket_controls(), other_controls()].concat();
    let mut expected: Vec<Record> = controls.into_iter().map(Record::Control).collect();
    expected.extend([Record::Tick, message(1, 0), message(2, 5000)]);
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append(&journal, expected.clone()).unwrap();
    journal.close();
    assert_eq!(records(&read_all(&open(dir.path()))), expected);
}

#[test]
fn a_block_of_a_later_format_is_refused_and_its_format_named() {
    let (block, _) = block(1, 0, &[(0, Record::Tick)]);
    let mut data = block.data;
    *data.first_mut().unwrap() = 2;
    let error = decode(&block.head, &data).unwrap_err();
    assert!(error.contains("format 2"), "{error}");
}

#[test]
fn the_checksum_covers_the_head_and_the_data() {
    let (block, _) = block(1, 0, &[(0, Record::Tick)]);
    let crc = block.head.crc(&block.data);
    let mut other = block.head;
    other.count += 1;
    assert_ne!(other.crc(&block.data), crc);
    let mut other = block.head;
    other.received_last = other.received_last + 1;
    assert_ne!(other.crc(&block.data), crc);
    let mut data = block.data;
    data.push(0);
    assert_ne!(block.head.crc(&data), crc);
}
