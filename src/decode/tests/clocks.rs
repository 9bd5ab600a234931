//! Clocks that are wrong, and clocks that only seem so.

use super::*;
use crate::telemetry::TelemetryRecord;

fn one(
    state: &mut DecodeState,
    at: Timestamp,
    device_time: Timestamp,
) -> (Timestamp, bool, Option<i64>) {
    let telemetry = taken_at(state, at, &tele(device_time));
    let record = &telemetry.records[0];
    (record.event_time, record.clock_suspect, telemetry.lag_ms)
}

/// Live messages every 4 min with a steady lag.
fn live(state: &mut DecodeState, from: Timestamp, count: i64, lag_ms: i64) -> Timestamp {
    let mut at = from;
    for _ in 0..count {
        one(state, at, at - lag_ms);
        at = at + 4 * MINUTE_MS;
    }
    at
}

#[test]
fn a_time_counts_from_45_days_before_to_10_minutes_after_receipt() {
    for (before, taken) in [
        (45 * DAY_MS, true),
        (45 * DAY_MS + 1, false),
        (0, true),
        (-MINUTE_MS, true),
        (-10 * MINUTE_MS - 1, false),
    ] {
        let (time, suspect, _) = one(&mut DecodeState::new(), NOW, NOW - before);
        let expected = if taken {
            (NOW - before, false)
        } else {
            (NOW, true)
        };
        assert_eq!((time, suspect), expected, "{before}");
    }
}

#[test]
fn the_years_1970_2000_and_2099_are_not_believed() {
    let year_ms = 31_556_952_000;
    for ms in [0, -5, 30 * year_ms, 129 * year_ms] {
        let (time, suspect, lag) = one(&mut DecodeState::new(), NOW, Timestamp::from_ms(ms));
        assert_eq!((time, suspect, lag), (NOW, true, None), "{ms}");
    }
    for ts in ["1e300", "-1e300", "1772347268000"] {
        let telemetry = taken(TELE, &format!(r#"{{"ts":{ts},"s":{{}}}}"#));
        assert_eq!(telemetry.records[0].event_time, NOW, "{ts}");
        assert!(telemetry.records[0].clock_suspect);
    }
}

#[test]
fn one_stray_time_of_2099_does_not_spoil_the_next_message() {
    let mut state = DecodeState::new();
    one(&mut state, NOW, NOW - 100);
    one(&mut state, NOW + 1_000, NOW + 27_000 * DAY_MS);
    assert_eq!(
        one(&mut state, NOW + 2_000, NOW + 1_900),
        (NOW + 1_900, false, Some(100))
    );
}

#[test]
fn a_clock_that_is_steadily_ahead_is_corrected() {
    let mut state = DecodeState::new();
    assert_eq!(one(&mut state, NOW, NOW + 3 * HOUR_MS), (NOW, true, None));
    let at = NOW + MINUTE_MS;
    assert_eq!(one(&mut state, at, at + 3 * HOUR_MS), (at, true, Some(0)));
    let late = NOW + 2 * MINUTE_MS;
    assert_eq!(
        one(&mut state, late, late + 3 * HOUR_MS - 5_000),
        (late - 5_000, true, Some(5_000))
    );
}

#[test]
fn an_offset_falls_when_a_second_message_agrees_and_up_to_two_minutes_moves_nothing() {
    let mut state = DecodeState::new();
    assert_eq!(
        one(&mut state, NOW, NOW + 2 * MINUTE_MS),
        (NOW + 2 * MINUTE_MS, false, Some(0))
    );
    let mut state = DecodeState::new();
    let ahead = 2 * MINUTE_MS + 1;
    // One stray time is no clock: taken for one, it would make all that follows look old.
    assert_eq!(
        one(&mut state, NOW, NOW + ahead),
        (NOW + ahead, false, Some(-ahead))
    );
    let at = NOW + SECOND_MS;
    assert_eq!(one(&mut state, at, at), (at, false, Some(0)));
    assert_eq!(one(&mut state, at, at + ahead).0, at + ahead);
    let at = NOW + 2 * SECOND_MS;
    assert_eq!(one(&mut state, at, at + ahead), (at, true, Some(0)));
}

#[test]
fn an_offset_rises_after_20_messages_over_an_hour_that_all_lagged_more() {
    let behind = 3 * HOUR_MS;
    let mut state = DecodeState::new();
    let at = live(&mut state, NOW, 19, behind);
    assert_eq!(one(&mut state, at, at - behind), (at, true, Some(0)));
    let mut early = DecodeState::new();
    let at = live(&mut early, NOW, 18, behind);
    assert_eq!(
        one(&mut early, at, at - behind),
        (at - behind, false, Some(behind))
    );
    let mut quick = DecodeState::new();
    for second in 0..100 {
        one(
            &mut quick,
            NOW + second * SECOND_MS,
            NOW + second * SECOND_MS - behind,
        );
    }
    let at = NOW + 100 * SECOND_MS;
    assert_eq!(
        one(&mut quick, at, at - behind),
        (at - behind, false, Some(behind))
    );
}

#[test]
fn a_clock_that_is_set_right_is_believed_at_once() {
    let mut state = DecodeState::new();
    let at = live(&mut state, NOW, 25, 3 * HOUR_MS);
    assert_eq!(one(&mut state, at, at - 500), (at - 500, false, Some(0)));
}

#[test]
fn a_clock_of_1970_that_runs_steadily_is_corrected_in_time() {
    let mut state = DecodeState::new();
    let behind = NOW.ms();
    let at = live(&mut state, NOW, 25, behind);
    assert_eq!(
        one(&mut state, at, at - behind - 7_000),
        (at - 7_000, true, Some(7_000))
    );
}

#[test]
fn a_backlog_that_is_being_sent_moves_no_clock() {
    let mut state = DecodeState::new();
    for step in 0..100 {
        let at = NOW + step * MINUTE_MS;
        let own = NOW - 2 * DAY_MS + step * 20 * MINUTE_MS;
        let (time, suspect, lag) = one(&mut state, at, own);
        assert_eq!(
            (time, suspect, lag),
            (own, false, Some(at.since(own))),
            "{step}"
        );
    }
}

#[test]
fn what_was_queued_or_repeated_teaches_nothing_about_the_clock() {
    let mut state = DecodeState::new();
    let behind = 3 * HOUR_MS;
    for step in 0..40 {
        let at = NOW + step * 4 * MINUTE_MS;
        let mut queued = tele(at - behind);
        (queued.queued, queued.dup) = (step % 2 == 0, step % 2 == 1);
        let telemetry = taken_at(&mut state, at, &queued);
        assert_eq!(telemetry.records[0].event_time, at - behind);
    }
}

fn batch(sent: Option<Timestamp>, times: &[Timestamp]) -> RawMessage {
    let records: Vec<String> = times
        .iter()
        .map(|at| format!(r#"{{"ts":{},"s":{{"a":1}}}}"#, seconds(*at)))
        .collect();
    let sent = sent.map_or(String::new(), |at| format!(r#""sent":{},"#, seconds(at)));
    message(
        BATCH,
        format!(r#"{{{sent}"recs":[{}]}}"#, records.join(",")),
    )
}

fn times(records: &[TelemetryRecord]) -> Vec<(Timestamp, bool)> {
    records
        .iter()
        .map(|record| (record.event_time, record.clock_suspect))
        .collect()
}

fn check_batch(
    state: &mut DecodeState,
    at: Timestamp,
    batch: &RawMessage,
    expected: &[(Timestamp, bool)],
) {
    assert_eq!(times(&taken_at(state, at, batch).records), expected);
}

#[test]
fn an_early_sent_is_a_delay_of_delivery_and_moves_nothing() {
    let sent = NOW - 5 * HOUR_MS;
    let own = [sent - 2 * MINUTE_MS, sent - MINUTE_MS];
    let mut state = DecodeState::new();
    check_batch(
        &mut state,
        NOW,
        &batch(Some(sent), &own),
        &[(own[0], false), (own[1], false)],
    );
    one(&mut state, NOW + MINUTE_MS, NOW + MINUTE_MS);
    check_batch(
        &mut state,
        NOW + 2 * MINUTE_MS,
        &batch(Some(sent), &own),
        &[(own[0], false), (own[1], false)],
    );
}

#[test]
fn a_sent_of_the_future_moves_the_batch_back() {
    for (ahead, moves) in [
        (10 * MINUTE_MS, false),
        (10 * MINUTE_MS + 1, true),
        (DAY_MS, true),
    ] {
        let sent = NOW + ahead;
        let own = [sent - 30 * MINUTE_MS, sent - 20 * MINUTE_MS];
        let expected = if moves {
            [(NOW - 30 * MINUTE_MS, true), (NOW - 20 * MINUTE_MS, true)]
        } else {
            [(own[0], false), (own[1], false)]
        };
        check_batch(
            &mut DecodeState::new(),
            NOW,
            &batch(Some(sent), &own),
            &expected,
        );
    }
}

#[test]
fn a_sent_of_1970_moves_what_was_written_since_the_clock_fell() {
    let reset = Timestamp::from_ms(0);
    let own = [
        NOW - 2 * HOUR_MS,
        NOW - HOUR_MS,
        reset + MINUTE_MS,
        reset + 2 * MINUTE_MS,
    ];
    let sent = reset + 10 * MINUTE_MS;
    check_batch(
        &mut DecodeState::new(),
        NOW,
        &batch(Some(sent), &own),
        &[
            (own[0], false),
            (own[1], false),
            (NOW - 9 * MINUTE_MS, true),
            (NOW - 8 * MINUTE_MS, true),
        ],
    );
}

#[test]
fn a_jump_ahead_inside_a_batch_parts_the_clocks() {
    let wrong = DAY_MS;
    let own = [
        NOW - 30 * MINUTE_MS,
        NOW - 29 * MINUTE_MS,
        NOW - 28 * MINUTE_MS + wrong,
        NOW - 27 * MINUTE_MS + wrong,
    ];
    check_batch(
        &mut DecodeState::new(),
        NOW,
        &batch(Some(NOW + wrong), &own),
        &[
            (own[0], false),
            (own[1], false),
            (NOW - 28 * MINUTE_MS, true),
            (NOW - 27 * MINUTE_MS, true),
        ],
    );
}

#[test]
fn a_record_that_is_implausible_after_the_move_takes_the_time_of_receipt() {
    let sent = NOW + DAY_MS;
    let own = [sent - 47 * DAY_MS, sent - 46 * DAY_MS, sent - 45 * DAY_MS];
    check_batch(
        &mut DecodeState::new(),
        NOW,
        &batch(Some(sent), &own),
        &[(NOW - 45 * DAY_MS, true), (NOW, true), (NOW, true)],
    );
}

#[test]
fn a_sent_that_differs_as_live_messages_do_shows_a_wrong_clock() {
    let behind = 3 * HOUR_MS;
    let own = |at: Timestamp| [at - behind - 2 * MINUTE_MS, at - behind - MINUTE_MS];
    let moved = |at: Timestamp| [(at - 2 * MINUTE_MS, true), (at - MINUTE_MS, true)];
    let kept = |at: Timestamp| own(at).map(|time| (time, false));
    let after = |pause: i64, off: i64| {
        let mut state = DecodeState::new();
        one(&mut state, NOW, NOW - behind - off);
        let at = NOW + pause;
        let batch = batch(Some(at - behind), &own(at));
        (at, times(&taken_at(&mut state, at, &batch).records))
    };
    let (at, found) = after(30 * MINUTE_MS, 0);
    assert_eq!(found, moved(at));
    let (at, found) = after(30 * MINUTE_MS, 2 * MINUTE_MS);
    assert_eq!(found, moved(at));
    let (at, found) = after(30 * MINUTE_MS, 2 * MINUTE_MS + 1);
    assert_eq!(found, kept(at), "the live messages show another difference");
    let (at, found) = after(HOUR_MS + 1, 0);
    assert_eq!(found, kept(at), "the live message is over an hour old");
}

#[test]
fn a_batch_without_sent_is_corrected_by_what_was_learnt() {
    let mut state = DecodeState::new();
    let behind = 3 * HOUR_MS;
    let at = live(&mut state, NOW, 25, behind);
    let own = [at - behind - 2 * MINUTE_MS, at - behind - MINUTE_MS];
    check_batch(
        &mut state,
        at,
        &batch(None, &own),
        &[(at - 2 * MINUTE_MS, true), (at - MINUTE_MS, true)],
    );
    // Its own `sent` shows that the clock has been set right meanwhile.
    let own = [at - 2 * MINUTE_MS, at - MINUTE_MS];
    check_batch(
        &mut state,
        at,
        &batch(Some(at), &own),
        &[(own[0], false), (own[1], false)],
    );
}

#[test]
fn a_step_of_our_own_clock_changes_no_device() {
    let mut state = DecodeState::new();
    // Our clock is an hour behind, so that every device seems an hour ahead.
    one(&mut state, NOW, NOW + HOUR_MS);
    let at = NOW + MINUTE_MS;
    assert_eq!(one(&mut state, at, at + HOUR_MS), (at, true, Some(0)));
    let step = |from, to| Control::ClockStep { from, to };
    state.control(at, &step(at, at + HOUR_MS));
    let at = at + HOUR_MS + MINUTE_MS;
    assert_eq!(one(&mut state, at, at - 500), (at - 500, false, Some(500)));
    state.control(at, &step(at, at - HOUR_MS));
    assert_eq!(one(&mut state, at, at - 500), (at - 500, false, Some(500)));
}
