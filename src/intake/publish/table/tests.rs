//! Tables as text in, messages of the native convention out.

use std::io::Write as _;

use super::*;

fn options() -> TableOptions {
    TableOptions {
        model: Cell::Fixed("ts-flash5".into()),
        serial: Cell::Column("serial".into()),
        kind: Kind::Tele,
        time: None,
        columns: Vec::new(),
        constants: Vec::new(),
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("the table");
    file
}

fn messages(text: &str, options: &TableOptions) -> Result<Vec<(String, String)>, TableError> {
    let file = file(text);
    let table = Table::open(file.path(), options)?;
    table.check()?;
    table
        .rows()?
        .map(|row| {
            let row = row?;
            let at = row.at;
            let message = row.message(at, 7);
            let payload = String::from_utf8_lossy(&message.payload).into_owned();
            Ok((message.topic, payload))
        })
        .collect()
}

const TABLE: &str = "time,serial,water.out_c,state,note\n\
    2026-03-01T06:41:09.120Z,A1,37.5,idle,\n\
    2026-03-01 06:41:10,A1,38,running,warm\n\
    1772347271,B2,,,\n\
    1772347271250,B2,true,007,x\n";

#[test]
fn a_row_becomes_a_message_of_the_native_convention() {
    let all = messages(TABLE, &options()).expect("a good table");
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].0, "appl/v1/ts-flash5/A1/tele");
    let first: Value = serde_json::from_str(&all[0].1).expect("JSON");
    assert_eq!(
        first,
        serde_json::json!({"ts": 1_772_347_269.12, "seq": 1, "boot": 7, "s": {"water.out_c": 37.5, "state": "idle"}})
    );
    let second: Value = serde_json::from_str(&all[1].1).expect("JSON");
    assert_eq!(second["ts"], 1_772_347_270.0);
    assert_eq!(second["seq"], 2);
    assert_eq!(
        second["s"],
        serde_json::json!({"water.out_c": 38, "state": "running", "note": "warm"})
    );
    let third: Value = serde_json::from_str(&all[2].1).expect("JSON");
    assert_eq!(
        (&third["ts"], &third["seq"]),
        (&1_772_347_271.25.into(), &1.into())
    );
    assert_eq!(third["s"]["water.out_c"], true);
}

#[test]
fn a_row_without_a_value_is_counted_and_not_sent() {
    let file = file(TABLE);
    let table = Table::open(file.path(), &options()).expect("a table");
    let summary = table.check().expect("a good table");
    assert_eq!((summary.rows, summary.empty), (4, 1));
    assert_eq!(summary.first.map(Timestamp::ms), Some(1_772_347_269_120));
}

#[test]
fn columns_can_be_named_and_constants_added() {
    let mut options = options();
    options.columns = vec![("state".into(), "function".into())];
    options.constants = vec![("mains.v".into(), "230".into())];
    let all = messages(TABLE, &options).expect("a good table");
    let first: Value = serde_json::from_str(&all[0].1).expect("JSON");
    assert_eq!(
        first["s"],
        serde_json::json!({"function": "idle", "mains.v": 230})
    );
}

#[test]
fn an_event_takes_its_name_from_a_column_or_is_always_the_same() {
    let mut options = options();
    options.kind = Kind::Event(Cell::Column("note".into()));
    let all = messages(TABLE, &options).expect("a good table");
    assert_eq!(all.len(), 2, "rows without an event's name say nothing");
    let first: Value = serde_json::from_str(&all[0].1).expect("JSON");
    assert_eq!(all[0].0, "appl/v1/ts-flash5/A1/event");
    assert_eq!(
        (&first["e"], &first["d"]["state"]),
        (&"warm".into(), &"running".into())
    );
    options.kind = Kind::Event(Cell::Fixed("power_up".into()));
    assert_eq!(messages(TABLE, &options).expect("a good table").len(), 4);
}

#[test]
fn an_unknown_column_is_named_with_what_was_probably_meant() {
    let mut options = options();
    options.columns = vec![("water.outc".into(), "x".into())];
    let error = messages(TABLE, &options).expect_err("refused").to_string();
    assert!(
        error.contains("no column 'water.outc', did you mean 'water.out_c'?"),
        "{error}"
    );
    options.columns = vec![("zzz".into(), "x".into())];
    let error = messages(TABLE, &options).expect_err("refused").to_string();
    assert!(
        error.contains("the table has: time, serial, water.out_c, state, note"),
        "{error}"
    );
    assert!(!error.contains("did you mean"), "{error}");
}

#[test]
fn a_mistake_in_the_last_line_is_found_with_its_line_before_anything_is_sent() {
    let text = format!("{TABLE}yesterday,A1,1,x,\n");
    let error = messages(&text, &options())
        .expect_err("refused")
        .to_string();
    assert!(
        error.starts_with("line 6: 'yesterday' is not a time"),
        "{error}"
    );
    let text = format!("{TABLE}1772347272,A 1,1,x,\n");
    let error = messages(&text, &options())
        .expect_err("refused")
        .to_string();
    assert!(
        error.starts_with("line 6: 'ts-flash5/A 1' does not name a device"),
        "{error}"
    );
}

#[test]
fn a_table_without_a_time_or_with_two_values_for_one_path_is_refused() {
    let mut options = options();
    assert!(matches!(
        messages("serial,x\nA,1\n", &options),
        Err(TableError::NoTime(_))
    ));
    assert!(matches!(
        messages("time,serial\n1,A\n", &options),
        Err(TableError::NoValues(_))
    ));
    options.constants = vec![("state".into(), "1".into())];
    assert!(
        matches!(messages(TABLE, &options), Err(TableError::TwiceTheSame(path)) if path == "state")
    );
}

#[test]
fn numbers_that_are_no_times_are_refused() {
    for bad in ["nan", "inf", "1e300", "-1e16", ""] {
        assert_eq!(time(bad), None, "{bad}");
    }
    assert_eq!(
        time("99999999999").map(Timestamp::ms),
        Some(99_999_999_999_000)
    );
    assert_eq!(
        time("100000000000").map(Timestamp::ms),
        Some(100_000_000_000)
    );
}
