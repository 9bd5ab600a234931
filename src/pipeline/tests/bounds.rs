//! Everything has a bound.

use super::*;
use crate::telemetry::RejectReason;

/// What strangers send: no two alike.
fn strange(nth: u64) -> Record {
    Record::Message(message(
        &format!("appl/v1/x-1/S{nth}/tele"),
        "{\"s\":{\"temp\":20}}",
    ))
}

#[test]
fn a_hundred_thousand_strangers_are_let_in_a_hundred_a_second() {
    let mut site = Site::new();
    let mut refused = 0;
    for nth in 0..100_000 {
        // Fifty thousand in each of two seconds.
        site.put(i64::try_from(nth / 50_000).expect("small"), strange(nth));
        refused += site.effects.rejected.len();
        assert!(
            site.effects
                .rejected
                .iter()
                .all(|one| one.rejection.reason == RejectReason::UnknownDevice)
        );
        site.effects.rejected.clear();
        site.effects.devices.clear();
    }
    assert_eq!(site.effects.counts.decoded, 200);
    assert_eq!(refused, 99_800);
    assert_eq!(site.pipeline.devices().count(), 200);
    let bytes: usize = site
        .pipeline
        .take_changed_rows()
        .iter()
        .filter(|row| row.part == Part::Presence || row.key.is_empty())
        .map(|row| row.bytes.as_ref().map_or(0, Vec::len))
        .sum();
    assert!(
        bytes < 200_000,
        "{bytes} bytes for 1,000 in quarantine and 200 in service"
    );
}

#[test]
fn a_batch_of_a_thousand_records_is_taken_and_one_more_is_not() {
    let records: Vec<(i64, String)> = (0..1_001)
        .map(|second| (second, "\"temp\":20".into()))
        .collect();
    let mut site = Site::new();
    site.put(2_000, Record::Message(batch("A", &records)));
    assert_eq!(
        site.effects.rejected[0].rejection.reason,
        RejectReason::TooManyRecords
    );
    site.put(2_000, Record::Message(batch("A", &records[1..])));
    assert_eq!(site.effects.counts.decoded, 1);
    assert_eq!(site.effects.counts.records_rejected, 0);
}

#[test]
fn ten_thousand_unknown_paths_leave_no_trace_in_the_state() {
    let size = |unknown: bool| -> usize {
        let mut site = Site::new();
        for nth in 0..100 {
            let paths = if unknown { 100 } else { 0 };
            let values: Vec<String> = (0..paths)
                .map(|path| format!(",\"p{nth}x{path}\":{path}"))
                .collect();
            site.tele(1 + nth, "A", &format!("\"temp\":20{}", values.concat()));
        }
        assert_eq!(site.effects.counts.decoded, 100);
        let mut file = File::default();
        file.take(&mut site.pipeline);
        file.0.values().map(Vec::len).sum()
    };
    // What remembers repetitions differs by the length of some numbers.
    assert!(size(true).abs_diff(size(false)) < 100);
}
