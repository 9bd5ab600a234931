//! What arrives more than once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::decode::duplicates::{Counters, Mark, Seen};
use crate::properties::cases;

fn verdict(state: &mut DecodeState, at: Timestamp, message: &RawMessage) -> &'static str {
    match decode_at(state, at, message) {
        Decoded::Telemetry(telemetry) if telemetry.seq_restarted => "restarted",
        Decoded::Telemetry(_) => "new",
        Decoded::Duplicate(device) => {
            assert_eq!(device.as_str(), "ts-flash5/F5-1");
            "again"
        }
        Decoded::Rejected(rejection) => panic!("{rejection:?}"),
    }
}

#[test]
fn the_same_record_a_hundred_times_counts_once() {
    let mut state = DecodeState::new();
    let verdicts: Vec<_> = (0..100)
        .map(|second| verdict(&mut state, NOW + second * SECOND_MS, &counted(7, NOW)))
        .collect();
    assert_eq!(
        verdicts.iter().filter(|verdict| **verdict == "new").count(),
        1
    );
    assert_eq!(
        verdicts
            .iter()
            .filter(|verdict| **verdict == "again")
            .count(),
        99
    );
    let mut untimed = DecodeState::new();
    let message = message(TELE, r#"{"seq":7,"s":{}}"#);
    let fresh = (0..100)
        .filter(|second| verdict(&mut untimed, NOW + second * SECOND_MS, &message) == "new");
    assert_eq!(fresh.count(), 1);
}

#[test]
fn a_batch_is_a_repetition_only_when_all_its_records_are() {
    let record = |seq: u64| {
        format!(
            r#"{{"ts":{},"seq":{seq},"s":{{"a":1}}}}"#,
            seconds(NOW - 1_000 + i64::try_from(seq).unwrap())
        )
    };
    let batch =
        |records: &[String]| message(BATCH, format!(r#"{{"recs":[{}]}}"#, records.join(",")));
    let mut state = DecodeState::new();
    let copies = taken_at(&mut state, NOW, &batch(&vec![record(1); 100]));
    assert_eq!((copies.records.len(), copies.duplicate_records), (1, 99));
    let half = taken_at(&mut state, NOW, &batch(&[record(1), record(2)]));
    assert_eq!((half.records.len(), half.duplicate_records), (1, 1));
    assert_eq!(
        verdict(&mut state, NOW, &batch(&[record(1), record(2)])),
        "again"
    );
    let bad = taken_at(&mut state, NOW, &batch(&[record(1), "7".into()]));
    assert_eq!(
        (
            bad.records.len(),
            bad.duplicate_records,
            bad.bad_records.len()
        ),
        (0, 1, 1)
    );
    assert_eq!(verdict(&mut state, NOW, &counted(2, NOW - 998)), "again");
}

#[test]
fn a_counter_seen_before_with_a_newer_time_has_restarted() {
    let mut state = DecodeState::new();
    for seq in 0..5 {
        verdict(&mut state, NOW, &counted(seq, NOW));
    }
    assert_eq!(verdict(&mut state, NOW, &counted(0, NOW)), "again");
    assert_eq!(
        verdict(&mut state, NOW + 2_000, &counted(0, NOW + 1)),
        "restarted"
    );
    assert_eq!(
        verdict(&mut state, NOW + 2_000, &counted(0, NOW + 1)),
        "again"
    );
    assert_eq!(
        verdict(&mut state, NOW + 3_000, &counted(1, NOW + 2_000)),
        "new"
    );
}

#[test]
fn a_counter_starts_anew_with_each_boot() {
    let of = |boot: u64, seq: u64| {
        message(
            TELE,
            format!(
                r#"{{"ts":{},"boot":{boot},"seq":{seq},"s":{{}}}}"#,
                seconds(NOW)
            ),
        )
    };
    let mut state = DecodeState::new();
    assert_eq!(verdict(&mut state, NOW, &of(1, 5)), "new");
    assert_eq!(verdict(&mut state, NOW, &of(2, 5)), "new");
    assert_eq!(verdict(&mut state, NOW, &of(1, 5)), "again");
    assert_eq!(verdict(&mut state, NOW, &of(2, 5)), "again");
}

#[test]
fn the_boot_of_state_holds_for_what_names_none() {
    let state_at = |at: Timestamp, boot: u64| {
        message(
            STATE,
            format!(r#"{{"online":true,"ts":{},"boot":{boot}}}"#, seconds(at)),
        )
    };
    let mut state = DecodeState::new();
    verdict(&mut state, NOW - 10_000, &state_at(NOW - 10_000, 17));
    assert_eq!(
        verdict(&mut state, NOW - 9_000, &counted(5, NOW - 9_000)),
        "new"
    );
    verdict(&mut state, NOW - 5_000, &state_at(NOW - 5_000, 18));
    assert_eq!(
        verdict(&mut state, NOW - 4_000, &counted(5, NOW - 9_500)),
        "new"
    );
    // A batch's records belong to the boot of their own time.
    let batch = message(
        BATCH,
        format!(
            r#"{{"recs":[{{"ts":{},"seq":5,"s":{{}}}}]}}"#,
            seconds(NOW - 9_000)
        ),
    );
    assert_eq!(verdict(&mut state, NOW, &batch), "again");
}

#[test]
fn without_any_boot_a_counter_that_falls_far_starts_an_implied_one() {
    let mut state = DecodeState::new();
    verdict(&mut state, NOW, &counted(5_000, NOW));
    assert_eq!(
        verdict(&mut state, NOW + 2_000, &counted(3_999, NOW + 1_000)),
        "new"
    );
    assert_eq!(
        verdict(&mut state, NOW + 2_000, &counted(4_000, NOW + 1_000)),
        "new"
    );
    assert_eq!(
        verdict(&mut state, NOW + 3_000, &counted(5_000, NOW)),
        "again",
        "it is known from the boot before"
    );
    assert_eq!(
        verdict(&mut state, NOW + 3_000, &counted(5_000, NOW + 2_500)),
        "new"
    );
}

#[test]
fn gaps_beyond_the_ranges_kept_are_taken_as_late_news() {
    let mut state = DecodeState::new();
    for range in 0..9 {
        verdict(&mut state, NOW, &counted(range * 10, NOW));
    }
    assert_eq!(verdict(&mut state, NOW, &counted(10, NOW)), "again");
    assert_eq!(
        verdict(&mut state, NOW, &counted(0, NOW)),
        "new",
        "the lowest range was dropped"
    );
    for seq in 11..=19 {
        assert_eq!(verdict(&mut state, NOW, &counted(seq, NOW)), "new");
    }
    for seq in 10..=20 {
        assert_eq!(
            verdict(&mut state, NOW, &counted(seq, NOW)),
            "again",
            "{seq}"
        );
    }
}

#[test]
fn without_a_counter_only_a_flagged_repetition_within_the_hour_is_one() {
    let first = message(TELE, r#"{"s":{"a":1}}"#);
    let mut again = first.clone();
    again.dup = true;
    let mut state = DecodeState::new();
    assert_eq!(
        verdict(&mut state, NOW, &again),
        "new",
        "the first copy may have been lost"
    );
    assert_eq!(verdict(&mut state, NOW, &first), "new", "not flagged");
    assert_eq!(verdict(&mut state, NOW + HOUR_MS, &again), "again");
    let mut elsewhere = again.clone();
    elsewhere.source = "plant".into();
    assert_eq!(verdict(&mut state, NOW, &elsewhere), "new");
    let mut late = DecodeState::new();
    verdict(&mut late, NOW, &first);
    assert_eq!(verdict(&mut late, NOW + HOUR_MS + 1, &again), "new");
}

#[test]
fn a_repetition_is_forgotten_after_4096_others() {
    let mut again = message(TELE, r#"{"s":{"a":1}}"#);
    again.dup = true;
    for (others, expected) in [(4_095, "again"), (4_096, "new")] {
        let mut state = DecodeState::new();
        verdict(&mut state, NOW, &again);
        for n in 0..others {
            verdict(
                &mut state,
                NOW,
                &message(TELE, format!(r#"{{"s":{{"b":{n}}}}}"#)),
            );
        }
        assert_eq!(verdict(&mut state, NOW, &again), expected, "{others}");
    }
}

#[test]
fn retained_copies_give_identity_and_presence_only_however_often_they_come() {
    let mut state = DecodeState::new();
    for _ in 0..3 {
        for mut copy in [
            counted(7, NOW),
            message(EVENT, r#"{"seq":8,"e":"fault"}"#),
            message(BATCH, r#"{"recs":[{"ts":1772347260,"seq":9,"s":{"a":1}}]}"#),
            message(STATE, r#"{"online":true,"boot":3,"seq":10}"#),
            message(IDENT, r#"{"serial":"F5-1","model":"ts-flash5"}"#),
        ] {
            copy.retained = true;
            let telemetry = taken_at(&mut state, NOW, &copy);
            assert!(telemetry.retained && telemetry.records.is_empty());
            assert_eq!(telemetry.lag_ms, None);
            assert_eq!(telemetry.availability.is_some(), copy.topic == STATE);
            assert_eq!(telemetry.identity.is_some(), copy.topic == IDENT);
        }
    }
    assert_eq!(verdict(&mut state, NOW, &counted(7, NOW)), "new");
}

#[test]
fn a_clock_that_restarts_with_the_device_hides_no_record() {
    let since_2000 = Timestamp::from_ms(946_684_800_000);
    let mut state = DecodeState::new();
    for seq in 0..1_200 {
        let at = NOW + i64::try_from(seq).unwrap() * SECOND_MS;
        verdict(&mut state, at, &counted(seq, since_2000 + at.since(NOW)));
    }
    let later = NOW + DAY_MS;
    assert_eq!(
        verdict(&mut state, later, &counted(0, since_2000)),
        "restarted"
    );
    for seq in 1..100 {
        assert_eq!(
            verdict(&mut state, later, &counted(seq, since_2000 + 500)),
            "new",
            "{seq}"
        );
    }
    assert_eq!(
        verdict(&mut state, later, &counted(50, since_2000 + 500)),
        "again"
    );
}

#[test]
fn a_clock_that_is_ahead_makes_no_repetition_new() {
    let mut state = DecodeState::new();
    for minute in 0..30_u64 {
        let at = NOW + i64::try_from(minute).unwrap() * MINUTE_MS;
        let message = counted(minute, at + 12 * MINUTE_MS);
        assert_eq!(verdict(&mut state, at, &message), "new");
        assert_eq!(verdict(&mut state, at + 5 * SECOND_MS, &message), "again");
        assert_eq!(verdict(&mut state, at + 3 * MINUTE_MS, &message), "again");
    }
}

#[test]
fn presence_that_changes_back_is_no_repetition() {
    let mut online = message(STATE, r#"{"online":true}"#);
    online.dup = true;
    let mut state = DecodeState::new();
    assert_eq!(verdict(&mut state, NOW, &online), "new");
    verdict(
        &mut state,
        NOW + 1_000,
        &message(STATE, r#"{"online":false}"#),
    );
    assert_eq!(verdict(&mut state, NOW + 2_000, &online), "new");
    let mut timed = message(STATE, r#"{"online":true,"ts":1772347260}"#);
    timed.dup = true;
    assert_eq!(verdict(&mut state, NOW, &timed), "new");
    assert_eq!(verdict(&mut state, NOW, &timed), "again");
}

#[test]
fn of_three_boots_the_two_with_the_newest_records_are_known() {
    let of = |boot: u64, at: Timestamp| {
        message(
            TELE,
            format!(r#"{{"ts":{},"boot":{boot},"seq":5,"s":{{}}}}"#, seconds(at)),
        )
    };
    let mut state = DecodeState::new();
    let (first, second, third) = (of(1, NOW - 3_000), of(2, NOW - 2_000), of(3, NOW - 1_000));
    assert_eq!(verdict(&mut state, NOW, &second), "new");
    assert_eq!(verdict(&mut state, NOW, &third), "new");
    assert_eq!(
        verdict(&mut state, NOW, &first),
        "new",
        "back-fill from before both"
    );
    assert_eq!(verdict(&mut state, NOW, &second), "again");
    assert_eq!(verdict(&mut state, NOW, &third), "again");
    let fourth = of(0, NOW - 500);
    assert_eq!(verdict(&mut state, NOW, &fourth), "new");
    assert_eq!(verdict(&mut state, NOW, &fourth), "again");
    assert_eq!(verdict(&mut state, NOW, &third), "again");
}

#[test]
fn of_many_restarts_the_newest_four_find_their_back_fill() {
    let at = |boot: i64| NOW - HOUR_MS + boot * MINUTE_MS;
    let mut device = crate::decode::devices::Device::default();
    for boot in [3, 0, 4, 1, 2] {
        device.restarted(at(boot), u64::try_from(boot).unwrap());
        device.restarted(at(boot) + 1, u64::try_from(boot).unwrap());
    }
    assert_eq!(device.boot(), Some(4));
    assert_eq!(device.boot_at(at(3) + 5), Some(3));
    assert_eq!(device.boot_at(at(1)), Some(1));
    assert_eq!(device.boot_at(at(0)), None, "the oldest was dropped");
}

proptest! {
    #![proptest_config(cases(200))]

    /// Of sixteen numbers at most eight ranges can be made, so that nothing is ever forgotten.
    #[test]
    fn ranges_know_exactly_what_was_received(seqs in prop::collection::vec(0..16_u64, 0..60)) {
        let mut counters = Counters::default();
        let mut known = BTreeSet::new();
        for seq in seqs {
            let mark = Mark { boot: Some(1), seq, own_ms: Some(5), time_ms: Some(5) };
            let expected = if known.insert(seq) { Seen::New } else { Seen::Again };
            prop_assert_eq!(counters.see(mark), expected);
        }
    }
}
