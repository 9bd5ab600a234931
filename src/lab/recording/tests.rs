//! What recordings promise.

use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::decode::PayloadReader;
use crate::properties::cases;
use crate::telemetry::{
    Control, DeviceAction, DeviceId, Entry, Identity, Position, ProfileText, RawMessage, Record,
    Settings, Timestamp,
};

const NOW: Timestamp = Timestamp::from_ms(1_772_347_269_120);

fn read(text: &str) -> Vec<Result<Recorded, SkippedLine>> {
    Lines::new(text.as_bytes())
        .map(|line| line.expect("readable"))
        .collect()
}

fn message(line: &str) -> RawMessage {
    match read(line).pop() {
        Some(Ok(Recorded {
            record: Record::Message(message),
            ..
        })) => message,
        other => panic!("{line} gave {other:?}"),
    }
}

fn raw(payload: &[u8]) -> RawMessage {
    RawMessage {
        source: "plant".into(),
        topic: "appl/v1/ts-flash5/F5-1/tele".into(),
        payload: Bytes::copy_from_slice(payload),
        qos: 1,
        dup: false,
        retained: false,
        queued: false,
        content_type: None,
        oversize: None,
    }
}

#[test]
fn a_line_of_mosquitto_sub_is_read() {
    let line = r#"{"tst":"2026-03-01T06:41:09.120000Z+0000","topic":"appl/v1/a/b/tele","qos":1,"retain":1,"payloadlen":57,"payload":"{\"ts\":1}","properties":{"CONTENT-TYPE":"application/json"}}"#;
    let read = read(line).pop().expect("a line").expect("a record");
    assert_eq!((read.line, read.received_at, read.position), (1, NOW, None));
    let message = message(line);
    assert_eq!(message.source, "recording");
    assert_eq!(&message.payload[..], br#"{"ts":1}"#);
    assert!(message.retained && !message.dup && message.qos == 1);
    assert_eq!(message.content_type.as_deref(), Some("application/json"));
}

#[test]
fn the_time_of_receipt_is_read_in_all_its_forms() {
    for text in [
        "2026-03-01T06:41:09.120000Z+0000",
        "2026-03-01T06:41:09.120999Z+0000",
        "2026-03-01T14:41:09.120000Z+0800",
        "2026-03-01T14:41:09.120+0800",
        "2026-03-01T14:41:09.12+08:00",
        "2026-03-01T03:11:09.120-0330",
        "2026-03-01T06:41:09.120Z",
        "2026-03-01 14:41:09.120+08",
    ] {
        assert_eq!(parse_tst(text), Some(NOW), "{text}");
    }
    assert_eq!(parse_tst("2026-03-01T14:41:09+0800"), Some(NOW - 120));
    for text in [
        "",
        "T",
        "2026-03-01",
        "2026-03-01T06:41:09.120",
        "2026-13-01T06:41:09Z",
        "2026-03-01T06:41:09+8",
        "2026-03-01T06:41:09Zulu",
        "2026-03-01T06:41:09+中中",
    ] {
        assert_eq!(parse_tst(text), None, "{text}");
    }
}

#[test]
fn a_payload_is_text_a_json_value_or_hexadecimal() {
    let of = |payload: &str| {
        message(&format!(
            r#"{{"tst":"2026-03-01T06:41:09Z","topic":"t",{payload}}}"#
        ))
        .payload
    };
    assert_eq!(of(r#""payload":"offline""#), "offline");
    assert_eq!(of(r#""payload":"""#), "");
    assert_eq!(of(r#""payload":{"a":[1,"x",1.5]}"#), r#"{"a":[1,"x",1.5]}"#);
    assert_eq!(of(r#""payload":61"#), "61");
    assert_eq!(of(r#""payload":null,"payloadlen":0"#), "");
    assert_eq!(of(r#""payload":null,"payloadlen":4"#), "null");
    assert_eq!(of(r#""payload_hex":"a0FF00""#), &[0xA0, 0xFF, 0x00][..]);
}

#[test]
fn a_bad_line_is_reported_with_its_number_and_stops_nothing() {
    let good = r#"{"tst":"2026-03-01T06:41:09Z","topic":"t","payload":""}"#;
    let bad = [
        ("hello", "not an object"),
        ("[]", "not an object"),
        (r#"{"topic":"t","payload":""}"#, "no tst"),
        (r#"{"tst":7,"topic":"t","payload":""}"#, "tst is not text"),
        (r#"{"tst":"soon","topic":"t","payload":""}"#, "'soon'"),
        (
            r#"{"tst":"2026-03-01T06:41:09Z","payload":""}"#,
            "neither a topic nor a control",
        ),
        (
            r#"{"tst":"2026-03-01T06:41:09Z","topic":"t"}"#,
            "neither payload nor payload_hex",
        ),
        (
            r#"{"tst":"2026-03-01T06:41:09Z","topic":"t","payload_hex":"a0f"}"#,
            "payload_hex",
        ),
        (
            r#"{"tst":"2026-03-01T06:41:09Z","topic":"t","payload":"","qos":3}"#,
            "qos is 3",
        ),
        (
            r#"{"tst":"2026-03-01T06:41:09Z","topic":"t","payload":"","retain":2}"#,
            "neither 0 nor 1",
        ),
        (
            r#"{"tst":"2026-03-01T06:41:09Z","control":{"kind":"dance"}}"#,
            "dance",
        ),
    ];
    for (line, words) in bad {
        let lines = read(&format!("{good}\n\n{line}\r\n{good}"));
        assert_eq!(lines.len(), 3, "{line}");
        let skipped = lines[1].clone().expect_err("a bad line");
        assert_eq!(skipped.line, 3);
        assert!(skipped.reason.contains(words), "{}", skipped.reason);
        assert_eq!(lines[2].as_ref().expect("a good line").line, 4);
    }
    let bytes = [good.as_bytes(), b"\n\xff\xfe\n", good.as_bytes()].concat();
    let lines: Vec<_> = Lines::new(&bytes[..])
        .map(|line| line.expect("readable").is_ok())
        .collect();
    assert_eq!(lines, [true, false, true]);
}

#[test]
fn a_line_beyond_the_limit_is_skipped_without_being_held() {
    let good = r#"{"tst":"2026-03-01T06:41:09Z","topic":"t","payload":""}"#;
    let text = format!("{good}\n{}\n{good}\n", "x".repeat(17 << 20));
    let lines = read(&text);
    assert!(
        lines[1]
            .as_ref()
            .expect_err("too long")
            .reason
            .contains("longer than")
    );
    assert_eq!(lines[2].as_ref().expect("the next").line, 3);
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_time_that_goes_back_is_raised_to_the_one_before() {
    let line = |tst: &str| format!(r#"{{"tst":"{tst}","topic":"t","payload":""}}"#);
    let text = [
        line("2026-03-01T06:41:09.120Z"),
        line("2026-03-01T06:41:00.000Z"),
        line("2026-03-01T06:41:10.120Z"),
    ];
    let times: Vec<_> = read(&text.join("\n"))
        .into_iter()
        .map(|line| line.expect("a record").received_at)
        .collect();
    assert_eq!(times, [NOW, NOW, NOW + 1_000]);
}

#[test]
fn the_control_of_the_convention_is_read() {
    let line = r#"{"tst":"2026-03-01T06:41:09.120Z","control":{"kind":"part_replaced","device":"ts-flash5/TSF5-000123","part":"HEATER-F5"}}"#;
    let read = read(line).pop().expect("a line").expect("a record");
    assert_eq!(
        read.record,
        Record::Control(Control::PartReplaced {
            device: DeviceId::new("ts-flash5", "TSF5-000123").expect("an id"),
            part: "HEATER-F5".into(),
            lot: None,
        })
    );
}

fn controls() -> Vec<Control> {
    let device = DeviceId::new("ts-flash5", "F5-1").expect("an id");
    let by = |action| Control::Device {
        device: device.clone(),
        action,
        by: "ann".into(),
    };
    vec![
        Control::Started {
            version: "0.1.0".into(),
        },
        Control::Settings(Settings::default()),
        Control::Profiles {
            profiles: vec![ProfileText {
                name: "a.toml".into(),
                text: "[profile]\nname = \"先修\"\n".into(),
            }],
            words: Vec::new(),
        },
        Control::Zones {
            zones: [("Asia/Shanghai".into(), vec![(NOW, 28_800)])].into(),
        },
        Control::ClockStep {
            from: NOW,
            to: NOW + 5_000,
        },
        by(DeviceAction::Adopt),
        by(DeviceAction::PartReplaced {
            part: "P".into(),
            lot: None,
        }),
        by(DeviceAction::Set {
            identity: Identity {
                lots: [("heater".into(), "H1".into())].into(),
                ..Identity::default()
            },
        }),
        Control::Replay {
            position: Position(7),
            received_at: Timestamp::from_ms(7),
            message: raw(b"\xff{"),
        },
        Control::End,
    ]
}

#[test]
fn what_is_written_is_read_back_equal() {
    let mut odd = raw(b"\xa1\x61s\xa0");
    odd.content_type = Some("application/cbor".into());
    (odd.dup, odd.retained, odd.queued, odd.qos) = (true, true, true, 2);
    odd.oversize = Some(5_000_000);
    let mut records = vec![
        Record::Message(raw(b"{\"s\":{\"a\":1}}\n\x00\"\\")),
        Record::Message(odd),
        Record::Message(raw(b"")),
        Record::Tick,
    ];
    records.extend(controls().into_iter().map(Record::Control));
    let entries: Vec<Entry> = (1..)
        .zip(records)
        .map(|(position, record)| Entry {
            position: Position(position),
            received_at: NOW + i64::try_from(position).unwrap(),
            record,
        })
        .collect();
    let mut writer = RecordingWriter::new(Vec::new());
    for entry in &entries {
        let written = writer.write(entry).expect("written");
        assert_eq!(written, entry.record != Record::Tick);
    }
    let text = writer.end(NOW + 60_000).expect("ended");
    let back: Vec<Entry> = Lines::new(&text[..])
        .map(|line| line.expect("readable").expect("a record"))
        .filter_map(|recorded| {
            Some(Entry {
                position: recorded.position?,
                received_at: recorded.received_at,
                record: recorded.record,
            })
        })
        .collect();
    let expected: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.record != Record::Tick)
        .collect();
    assert_eq!(back, expected);
    assert!(text.ends_with(b"\"control\":{\"kind\":\"end\"}}\n"));
}

#[test]
fn compressed_files_are_read_by_their_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = RecordingWriter::new(Vec::new());
    for second in 0..1_000 {
        writer
            .message(NOW + second * 1_000, &raw(b"{}"))
            .expect("written");
    }
    let text = writer.end(NOW + 1_000_000).expect("ended");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text).expect("compressed");
    let files = [
        ("a.jsonl", text.clone()),
        ("a.jsonl.gz", gzip.finish().expect("compressed")),
        (
            "a.jsonl.zst",
            zstd::encode_all(&text[..], 1).expect("compressed"),
        ),
    ];
    for (name, bytes) in files {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        let lines: Vec<_> = open(&path).expect("opened").collect();
        assert_eq!(lines.len(), 1_001, "{name}");
        assert!(
            lines
                .into_iter()
                .all(|line| line.is_ok_and(|line| line.is_ok()))
        );
    }
    assert!(open(&dir.path().join("none")).is_err());
}

#[test]
fn a_damaged_file_ends_with_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.gz");
    std::fs::write(&path, b"this is no gzip").expect("a file");
    let lines: Vec<_> = open(&path).expect("opened").collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].as_ref().expect_err("damaged").line, 1);
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn any_payload_and_topic_survives(payload in prop::collection::vec(any::<u8>(), 0..80), topic in ".{1,40}", ms in 0..4_102_444_800_000_i64) {
        let mut written = raw(&payload);
        written.topic = topic.into();
        let mut writer = RecordingWriter::new(Vec::new());
        writer.message(Timestamp::from_ms(ms), &written).expect("written");
        let text = writer.end(Timestamp::MIN).expect("ended");
        let read = Lines::new(&text[..]).next().expect("a line").expect("readable").expect("a record");
        prop_assert_eq!(read.received_at.ms(), ms);
        prop_assert_eq!(read.record, Record::Message(written));
    }

    #[test]
    fn no_line_panics(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for line in Lines::new(text.as_bytes()).chain(Lines::new(&bytes[..])) {
            prop_assert!(line.is_ok());
        }
    }
}

/// Gives its bytes, then panics.
struct Breaks(&'static [u8]);

impl std::io::Read for Breaks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        assert!(!self.0.is_empty(), "the planted panic");
        self.0.read(buffer)
    }
}

fn ahead(text: &[u8]) -> LinesAhead {
    let reader = PayloadReader::new(&Settings::default());
    Lines::new(std::io::Cursor::new(text.to_vec()))
        .ahead(reader)
        .expect("a thread")
}

/// More lines than may wait, bad ones among them, and a change of settings.
#[test]
fn lines_read_ahead_are_the_lines_in_their_order() {
    let mut text = String::new();
    for second in 0..4_000 {
        text += &match second % 5 {
            0 if second == 2_000 => {
                format!(
                    r#"{{"tst":"2026-03-01T06:41:09.{second:06}Z+0000","control":{{"kind":"settings","timezone":"UTC","adopt_unknown":true,"sources":[]}}}}"#
                ) + "\n"
            }
            0 => "no line at all\n".to_owned(),
            _ => {
                format!(
                    r#"{{"tst":"2026-03-01T06:41:09.{second:06}Z+0000","topic":"appl/v1/ts-flash5/F5-1/tele","payload":"{{\"s\":{{\"a\":{second}}}}}"}}"#
                ) + "\n"
            }
        };
    }
    let plain: Vec<_> = Lines::new(text.as_bytes()).map(Result::unwrap).collect();
    assert!(plain.iter().filter(|line| line.is_err()).count() > 500);
    let (mut read, mut payloads) = (Vec::new(), 0);
    for line in ahead(text.as_bytes()).map(Result::unwrap) {
        payloads += usize::from(line.as_ref().is_ok_and(|line| line.payload.is_some()));
        read.push(line.map(|line| line.recorded));
    }
    assert_eq!(read, plain);
    assert_eq!(
        payloads, 1_600,
        "after the settings no source claims the topic"
    );
}

#[test]
fn what_cannot_be_read_on_is_an_error_here_too() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&b"x\n".repeat(3_000)).expect("written");
    let mut gz = gz.finish().expect("written");
    gz.truncate(gz.len() - 9);
    let file = std::io::BufReader::new(flate2::bufread::MultiGzDecoder::new(std::io::Cursor::new(
        gz,
    )));
    let reader = PayloadReader::new(&Settings::default());
    let mut lines = Lines::new(file).ahead(reader).expect("a thread");
    let error = lines.find_map(Result::err).expect("an error");
    assert_eq!(error.line, 3_001);
    assert!(lines.next().is_none());
}

#[test]
#[should_panic(expected = "the planted panic")]
fn a_reader_that_panics_is_not_taken_for_the_end() {
    let reader = PayloadReader::new(&Settings::default());
    let lines = Lines::new(std::io::BufReader::new(Breaks(b"x\ny\n")))
        .ahead(reader)
        .expect("a thread");
    assert!(lines.count() < 3, "it ended as if all was read");
}

#[test]
fn a_reader_that_nobody_listens_to_ends() {
    /// Is dropped with the reader, and the other end hears of it.
    struct Held {
        text: std::io::Cursor<Vec<u8>>,
        _held: SyncSender<()>,
    }
    impl std::io::Read for Held {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.text.read(buffer)
        }
    }
    let (held, ended) = sync_channel(1);
    let text = std::io::Cursor::new(b"x\n".repeat(100_000));
    let reader = PayloadReader::new(&Settings::default());
    let held = Held { text, _held: held };
    let mut lines = Lines::new(std::io::BufReader::new(held))
        .ahead(reader)
        .expect("a thread");
    assert!(lines.next().is_some());
    drop(lines);
    assert!(ended.recv().is_err(), "the thread has ended");
}
