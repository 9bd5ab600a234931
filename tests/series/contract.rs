//! What every series store does; each promise is checked on both.

use foremend::series::{RefusedReason, Series, SeriesStore, SqliteLimits, SqliteStore};
use foremend::telemetry::{DAY_MS, FieldValue, HOUR_MS, Measurement, Timestamp};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::given::{device, noon, number, query, text, values_of, write};
use super::influxd::Influxd;

/// The contract on a store; each part uses devices of its own.
async fn contract(store: &Series) {
    store.health().await.expect("a store that answers");
    what_is_written_is_read_back(store).await;
    writing_again_changes_nothing(store).await;
    fields_unite_and_the_later_value_wins(store).await;
    texts_come_back_exactly(store).await;
    odd_tags_and_names_are_kept_apart(store).await;
    names_that_the_database_uses_itself_do_no_harm(store).await;
    any_text_comes_back_exactly(store).await;
    no_text_reaches_another_device(store).await;
    thinning_keeps_the_extremes(store).await;
    what_is_not_there_reads_as_nothing(store).await;
    many_points_go_in_at_once(store).await;
    from_is_inclusive_and_to_exclusive(store).await;
    another_type_is_refused_and_the_rest_kept(store).await;
    single_values_can_be_paged(store).await;
    the_newest_value_of_each_field_is_found(store).await;
    baselines_of_all_modes_are_read_together(store).await;
    the_ends_of_time_are_no_trouble(store).await;
    super::over_time::contract(store).await;
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("series.db"), "j").unwrap();
    contract(&Series::Embedded(store)).await;
}

/// So that points go from one state to the next all the time: logged, being sealed, sealed.
#[tokio::test]
async fn the_embedded_store_keeps_the_contract_while_it_seals() {
    let dir = tempfile::tempdir().unwrap();
    let limits = SqliteLimits {
        values: 50,
        values_per_series: 1,
        values_at_most: 500,
        text_bytes: 1_000,
        rows: 7,
        sealed_per_write: 20,
    };
    let store = SqliteStore::open_with(&dir.path().join("series.db"), "j", limits).unwrap();
    contract(&Series::Embedded(store)).await;
}

#[tokio::test]
async fn influxdb_keeps_the_contract() {
    super::install_tls();
    let server = Influxd::start().await;
    contract(&Series::Influx(server.store("telemetry"))).await;
}

async fn what_is_written_is_read_back(store: &Series) {
    let device = device("rw");
    let numbers = [0.0, -0.5, 48.5, 1e300, 5e-324, 0.1, 123_456_789.123_456_78];
    let points = (0_i64..)
        .zip(numbers)
        .map(|(ms, value)| number(&device, noon() + ms, "water.out_c", value));
    assert_eq!(write(store, points.collect()).await, 7);
    let samples = store
        .range(&query(&device, "water.out_c", noon(), noon() + 100))
        .await
        .unwrap();
    assert_eq!(values_of(&samples), numbers);
    assert_eq!(samples[3].at, noon() + 3);
    assert!(samples.iter().all(|sample| sample.count == 1));
}

async fn writing_again_changes_nothing(store: &Series) {
    let device = device("again");
    let points = vec![
        number(&device, noon(), "a", 1.0),
        number(&device, noon() + 1, "a", 2.0),
    ];
    write(store, points.clone()).await;
    let query = query(&device, "a", noon(), noon() + 10);
    let before = store.values(&query).await.unwrap();
    write(store, points).await;
    assert_eq!(store.values(&query).await.unwrap(), before);
    assert_eq!(before.len(), 2);
}

async fn fields_unite_and_the_later_value_wins(store: &Series) {
    let device = device("unite");
    write(store, vec![number(&device, noon(), "a", 1.0)]).await;
    let mut second = number(&device, noon(), "b", 2.0);
    second.fields.push(("a".into(), FieldValue::Float(3.0)));
    write(store, vec![second]).await;
    let last = store.last(Measurement::Telemetry, &device).await.unwrap();
    let values: Vec<_> = last
        .iter()
        .map(|(name, read)| (name.as_str(), read.value.clone()))
        .collect();
    assert_eq!(
        values,
        [("a", FieldValue::Float(3.0)), ("b", FieldValue::Float(2.0))]
    );
}

async fn texts_come_back_exactly(store: &Series) {
    let device = device("texts");
    let texts = [
        "plain",
        "",
        " ",
        "a \"quoted\" word",
        "C:\\dir\\",
        "\\\"",
        "line\nbreak",
        "\n",
        "加热水路结垢",
        "a,b=c d",
        "${x}",
        "#datatype",
        "error",
        "true",
        "12",
        "tab\there",
        "'",
    ];
    let points = (0_i64..)
        .zip(texts)
        .map(|(ms, value)| text(&device, noon() + ms, "state_text", value));
    write(store, points.collect()).await;
    let query = query(&device, "state_text", noon(), noon() + 100);
    let read = store.values(&query).await.unwrap();
    let read: Vec<_> = read.into_iter().map(|read| read.value).collect();
    let expected: Vec<_> = texts
        .into_iter()
        .map(|text| FieldValue::Text(text.into()))
        .collect();
    assert_eq!(read, expected);
    assert_eq!(
        store.range(&query).await.unwrap(),
        [],
        "a text is no number"
    );
}

async fn odd_tags_and_names_are_kept_apart(store: &Series) {
    let device = device("tags");
    for (mode, value) in [
        ("a b", 1.0),
        ("a,b", 2.0),
        ("a=b", 3.0),
        ("水\n", 4.0),
        ("x\\", 5.0),
        ("\\,", 6.0),
    ] {
        let mut point = number(&device, noon(), "odd name,=\"\\ ${r}\n水", value);
        point.tags = vec![("mode".into(), mode.into())];
        write(store, vec![point]).await;
    }
    let query = query(&device, "odd name,=\"\\ ${r}\n水", noon(), noon() + 1);
    let mut values = values_of(&store.range(&query).await.unwrap());
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

/// The database's own parser, which differs in places from the one that the unit tests use.
async fn any_text_comes_back_exactly(store: &Series) {
    let device = device("any-text");
    let characters = prop_oneof![
        prop::sample::select(vec![
            '\\', '"', '\'', ',', '=', ' ', '\n', '\t', '#', '$', '{', 'a', '水', '\u{7f}', '\0',
        ]),
        any::<char>(),
    ];
    let texts = prop::collection::vec(characters, 1..12).prop_map(String::from_iter);
    let mut runner = TestRunner::deterministic();
    let mut next = || texts.new_tree(&mut runner).expect("a text").current();
    let (mut points, mut expected) = (Vec::new(), Vec::new());
    for ms in 0..500 {
        // One kind of line end is kept; which one is not told by every answer.
        let given = next().replace('\r', "\n");
        let mut point = text(&device, noon() + ms, "any", &given);
        point.fields.push((next().into(), FieldValue::Float(1.0)));
        point.tags = vec![("mode".into(), next().into())];
        points.push(point);
        expected.push(FieldValue::Text(given.into()));
    }
    assert_eq!(write(store, points).await, 500);
    let values = store
        .values(&query(&device, "any", noon(), noon() + 1_000))
        .await;
    let read: Vec<_> = values.unwrap().into_iter().map(|read| read.value).collect();
    for (read, expected) in read.iter().zip(&expected) {
        assert_eq!(read, expected);
    }
    assert_eq!(read.len(), expected.len());
}

async fn names_that_the_database_uses_itself_do_no_harm(store: &Series) {
    let device = device("reserved");
    let names = [
        "_time",
        "_value",
        "_field",
        "result",
        "table",
        "error",
        "model",
        "serial",
        "#datatype",
    ];
    let mut given = number(&device, noon(), "time", 1.0);
    given
        .fields
        .extend(names.map(|name| (name.into(), FieldValue::Float(2.0))));
    given.tags = ["_field", "_measurement", "error", "mode", "time"]
        .map(|key| (key.into(), "x".into()))
        .to_vec();
    let report = store.write(&[given]).await.unwrap();
    assert_eq!(
        (report.written, report.refused[&RefusedReason::ReservedName]),
        (1, 5)
    );
    let mut expected = names.to_vec();
    expected.sort_unstable();
    let fields = store.fields(Measurement::Telemetry, &device).await.unwrap();
    assert_eq!(fields, expected);
    for name in names {
        let query = query(&device, name, noon(), noon() + 1);
        assert_eq!(
            values_of(&store.range(&query).await.unwrap()),
            [2.0],
            "{name}"
        );
    }
}

async fn no_text_reaches_another_device(store: &Series) {
    let (attacker, victim) = (device("attacker"), device("VICTIM"));
    let hostile = [
        "x\\\" 1\ntelemetry,model=ts-flash5,serial=VICTIM f=9 1772366400000\ntelemetry f=\"",
        "\"\ntelemetry,model=ts-flash5,serial=VICTIM f=9 1772366400000\n",
        "x\ntelemetry,model=ts-flash5,serial=VICTIM f=9 1772366400000",
        "x\\\ntelemetry,model=ts-flash5,serial=VICTIM f=9 1772366400000",
        "1,serial=VICTIM",
        "1\\,serial=VICTIM",
        "1 f=9 1772366400000\\",
    ];
    for (ms, hostile) in (0_i64..).zip(hostile) {
        let mut point = text(&attacker, noon() + ms, "f", hostile);
        point.fields.push((hostile.into(), FieldValue::Float(1.0)));
        point.tags = vec![("mode".into(), hostile.into())];
        assert_eq!(write(store, vec![point]).await, 1, "{hostile:?}");
    }
    let last = store.last(Measurement::Telemetry, &victim).await.unwrap();
    assert!(last.is_empty(), "{last:?}");
    let read = store
        .values(&query(&attacker, "f", noon(), noon() + 100))
        .await
        .unwrap();
    assert_eq!(read.len(), hostile.len());
}

async fn thinning_keeps_the_extremes(store: &Series) {
    let device = device("thin");
    // Over a midnight; one spike up and one down that a mean alone would hide.
    let from = noon() + 12 * HOUR_MS - 500_000;
    let points = (0_u32..1_000).map(|place| {
        let value = match place {
            123 => 999.0,
            777 => -999.0,
            place => f64::from(place % 10),
        };
        number(&device, from + i64::from(place) * 1_000, "a", value)
    });
    write(store, points.collect()).await;
    let mut query = query(&device, "a", from, from + 1_000_000);
    query.points = 100;
    let samples = store.range(&query).await.unwrap();
    assert_eq!(samples.len(), 100);
    assert_eq!((samples[12].max, samples[77].min), (999.0, -999.0));
    for (place, sample) in (0_i64..).zip(&samples) {
        assert_eq!((sample.at, sample.count), (from + place * 10_000, 10));
        if place != 12 && place != 77 {
            assert_eq!((sample.min, sample.max, sample.mean), (0.0, 9.0, 4.5));
        }
    }
    query.points = 1_000;
    assert_eq!(store.range(&query).await.unwrap().len(), 1_000);
    query.points = 1;
    let one = store.range(&query).await.unwrap();
    assert_eq!(
        (one.len(), one[0].min, one[0].max, one[0].count),
        (1, -999.0, 999.0, 1_000)
    );
    // Windows that do not divide the range, and begin at an odd instant.
    query.from = from + 7;
    query.points = 3;
    let samples = store.range(&query).await.unwrap();
    let starts: Vec<_> = samples
        .iter()
        .map(|sample| sample.at.since(query.from))
        .collect();
    assert_eq!(starts, [0, 333_331, 666_662]);
    assert_eq!(samples.iter().map(|sample| sample.count).sum::<u64>(), 999);
}

async fn what_is_not_there_reads_as_nothing(store: &Series) {
    let known = device("nothing");
    write(store, vec![number(&known, noon(), "a", 1.0)]).await;
    let to = noon() + 10;
    for (device, field, from, to) in [
        (&known, "b", noon(), to),
        (&known, "a", noon() + 1, to),
        (&known, "a", noon(), noon()),
        (&known, "a", to, noon()),
        (&device("nobody"), "a", noon(), to),
    ] {
        let query = query(device, field, from, to);
        assert_eq!(store.range(&query).await.unwrap(), [], "{query:?}");
        assert_eq!(store.values(&query).await.unwrap(), [], "{query:?}");
    }
    let mut other = query(&known, "a", noon(), to);
    other.measurement = Measurement::Derived;
    assert_eq!(store.range(&other).await.unwrap(), []);
    let nobody = device("nobody");
    assert!(
        store
            .fields(Measurement::Telemetry, &nobody)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.write(&[]).await.unwrap().written, 0);
}

async fn many_points_go_in_at_once(store: &Series) {
    let devices: Vec<_> = (0..10)
        .map(|place| device(&format!("many-{place}")))
        .collect();
    let points = (0..12_345_i64).map(|place| {
        let device = &devices[usize::try_from(place % 10).unwrap()];
        number(device, noon() + place, "a", 1.0)
    });
    assert_eq!(write(store, points.collect()).await, 12_345);
    let mut query = query(&devices[4], "a", noon(), noon() + DAY_MS);
    query.points = 10_000;
    assert_eq!(store.range(&query).await.unwrap().len(), 1_235);
}

async fn from_is_inclusive_and_to_exclusive(store: &Series) {
    let device = device("borders");
    let points = (0..4).map(|ms| number(&device, noon() + ms, "a", 1.0));
    write(store, points.collect()).await;
    let samples = store
        .range(&query(&device, "a", noon() + 1, noon() + 3))
        .await
        .unwrap();
    let at: Vec<_> = samples
        .iter()
        .map(|sample| sample.at.since(noon()))
        .collect();
    assert_eq!(at, [1, 2]);
}

async fn another_type_is_refused_and_the_rest_kept(store: &Series) {
    let device = device("types");
    write(store, vec![number(&device, noon(), "typed", 1.0)]).await;
    let points = [
        text(&device, noon() + 1, "typed", "two"),
        number(&device, noon() + 2, "typed", 3.0),
    ];
    let report = store.write(&points).await.unwrap();
    assert_eq!(report.written, 1);
    assert_eq!(report.refused[&RefusedReason::FieldTypeConflict], 1);
    let samples = store
        .range(&query(&device, "typed", noon(), noon() + 10))
        .await
        .unwrap();
    assert_eq!(values_of(&samples), [1.0, 3.0]);
}

async fn single_values_can_be_paged(store: &Series) {
    let device = device("pages");
    let points = (0..25_u8).map(|ms| number(&device, noon() + i64::from(ms), "a", f64::from(ms)));
    write(store, points.collect()).await;
    let mut query = query(&device, "a", noon(), noon() + 1_000);
    query.points = 10;
    let mut read = Vec::new();
    loop {
        let page = store.values(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.from = last.at + 1;
        read.extend(page.into_iter().map(|read| read.value));
    }
    let expected: Vec<_> = (0..25_u8)
        .map(|value| FieldValue::Float(value.into()))
        .collect();
    assert_eq!(read, expected);
}

async fn the_newest_value_of_each_field_is_found(store: &Series) {
    let device = device("last");
    write(
        store,
        vec![
            number(&device, noon(), "a", 2.0),
            number(&device, noon() - 40 * DAY_MS, "a", 1.0),
            number(&device, noon() - 50 * DAY_MS, "b", 9.0),
            text(&device, noon() + DAY_MS, "c", "x"),
        ],
    )
    .await;
    let last = store.last(Measurement::Telemetry, &device).await.unwrap();
    let read: Vec<_> = last
        .iter()
        .map(|(name, read)| {
            (
                name.as_str(),
                read.at.since(noon()) / DAY_MS,
                read.value.clone(),
            )
        })
        .collect();
    assert_eq!(
        read,
        [
            ("a", 0, FieldValue::Float(2.0)),
            ("b", -50, FieldValue::Float(9.0)),
            ("c", 1, FieldValue::Text("x".into())),
        ]
    );
    assert_eq!(
        store.fields(Measurement::Telemetry, &device).await.unwrap(),
        ["a", "b", "c"]
    );
}

async fn baselines_of_all_modes_are_read_together(store: &Series) {
    let device = device("modes");
    let points = (0..20_u8).map(|place| {
        let mut point = number(&device, noon() + i64::from(place), "heat_lag", place.into());
        point.measurement = Measurement::Derived;
        let mode = if place % 2 == 0 { "1" } else { "2" };
        point.tags = vec![("any".into(), mode.into()), ("mode".into(), mode.into())];
        point
    });
    write(store, points.collect()).await;
    let mut query = query(&device, "heat_lag", noon(), noon() + 20);
    query.measurement = Measurement::Derived;
    query.points = 2;
    let samples = store.range(&query).await.unwrap();
    let read: Vec<_> = samples
        .iter()
        .map(|s| (s.min, s.max, s.mean, s.count))
        .collect();
    assert_eq!(read, [(0.0, 9.0, 4.5, 10), (10.0, 19.0, 14.5, 10)]);
    query.points = 100;
    assert_eq!(store.range(&query).await.unwrap().len(), 20);
}

async fn the_ends_of_time_are_no_trouble(store: &Series) {
    let device = device("ends");
    write(store, vec![number(&device, noon(), "a", 1.0)]).await;
    let query = query(&device, "a", Timestamp::MIN, Timestamp::MAX);
    assert_eq!(store.range(&query).await.unwrap().len(), 1);
    let report = store
        .write(&[
            number(&device, Timestamp::MAX, "a", 1.0),
            number(&device, noon() + 1, "a", 2.0),
        ])
        .await
        .unwrap();
    assert_eq!(
        (
            report.written,
            report.refused[&RefusedReason::TimeOutOfRange]
        ),
        (1, 1)
    );
}
