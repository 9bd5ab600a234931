//! Every message is accounted for: received = decoded + rejected + duplicate, and one bad message never stops another.

use proptest::prelude::*;

use super::*;
use crate::properties::cases;
use crate::telemetry::RejectReason;

/// Messages as a hostile or broken network may bring them.
fn any_message() -> impl Strategy<Value = RawMessage> {
    let topic = prop_oneof![
        4 => "appl/v1/x-1/[AB]/(tele|tele|tele|event|batch|state|ident)",
        1 => "appl/v1/(x-1|y-9|gateway)/[A-C]?/(tele|hum)?",
        1 => ".{0,20}",
    ];
    let payload = prop_oneof![
        3 => "\\{\"seq\":[0-9],\"s\":\\{\"temp\":-?[0-9]{1,3}\\}\\}".prop_map(String::into_bytes),
        1 => "\\{\"recs\":\\[\\{\"ts\":17723232[0-9]{2},\"s\":\\{\"temp\":70\\}\\},\\{\"s\":\\{\\}\\}\\]\\}".prop_map(String::into_bytes),
        1 => "\\{\"(ts|s|e|recs|online|serial)\":[0-9\\[\\]{}\"]{0,6}\\}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ];
    (topic, payload, any::<[bool; 3]>(), 0..100u8).prop_map(
        |(topic, payload, [dup, retained, queued], rare)| {
            let mut made = message(&topic, payload);
            (made.dup, made.retained, made.queued) = (dup, retained, queued);
            made.oversize = (rare == 0).then_some(9_000_000);
            made.content_type = (rare == 1).then(|| "application/cbor".into());
            made
        },
    )
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn what_came_is_what_was_decoded_refused_or_a_repetition(messages in proptest::collection::vec(any_message(), 1..60)) {
        let mut site = Site::new();
        for (second, message) in (0..).zip(&messages) {
            let before = site.effects.rejected.len();
            let counts = site.effects.counts.clone();
            site.put(second, Record::Message(message.clone()));
            let after = &site.effects.counts;
            prop_assert_eq!(after.received, counts.received + 1);
            prop_assert_eq!(after.received, after.decoded + after.rejected + after.duplicate);
            let kept = &site.effects.rejected[before..];
            let whole = kept.iter().filter(|one| one.index.is_none()).count() as u64;
            prop_assert_eq!(whole, after.rejected - counts.rejected);
            prop_assert_eq!(kept.len() as u64 - whole, after.records_rejected - counts.records_rejected);
            for one in kept {
                prop_assert_eq!(one.position, site.position);
                prop_assert_eq!(one.received_at, at(second));
                prop_assert_eq!(&one.message, message);
                prop_assert!(!one.rejection.detail.is_empty());
            }
        }
        // And a good one is taken still.
        site.effects = Effects::default();
        site.put(100, Record::Message(message("appl/v1/x-1/Z/tele", "{\"s\":{\"temp\":1}}")));
        prop_assert_eq!(site.effects.counts.decoded, 1);
    }
}

#[test]
fn bad_messages_between_good_ones_change_nothing() {
    let mut clean = Site::new();
    let mut soiled = Site::new();
    for minute in 0..10 {
        for site in [&mut clean, &mut soiled] {
            site.tele(minute * 60, "A", "\"temp\":70");
        }
        for body in ["", "{", "[]", "{\"s\":1}", "{\"e\":5}", "\u{7f}"] {
            let bad = message("appl/v1/x-1/A/tele", body);
            soiled.put(minute * 60 + 30, Record::Message(bad));
        }
    }
    assert!(soiled.effects.counts.rejected >= 50);
    assert_eq!(lines(&clean.effects), lines(&soiled.effects));
    assert_eq!(clean.told().len(), 1);
}

fn replay(site: &Site, nth: usize) -> Record {
    let rejected = &site.effects.rejected[nth];
    Record::Control(Control::Replay {
        position: rejected.position,
        received_at: rejected.received_at,
        message: rejected.message.clone(),
    })
}

/// A site whose model is not known while these samples of a fault come: at these minutes, this warm.
fn unknown_then_known(samples: &[(i64, i64)]) -> Site {
    let mut site = Site::with(Pipeline::new(), PROFILE);
    site.put(
        -30,
        Record::Control(Control::Profiles {
            profiles: Vec::new(),
            words: Vec::new(),
        }),
    );
    for (minute, temp) in samples {
        let values = format!("\"temp\":{temp}");
        site.tele(minute * 60, "A", &values);
    }
    assert_eq!(site.effects.counts.rejected, samples.len() as u64);
    assert!(
        site.effects
            .rejected
            .iter()
            .all(|one| one.rejection.reason == RejectReason::UnknownModel)
    );
    site.put(7_200, profiles(PROFILE));
    site
}

#[test]
fn what_is_replayed_is_decoded_and_what_is_over_opens_nothing() {
    let samples: Vec<(i64, i64)> = (0..20)
        .map(|minute| (minute, if minute < 10 { 70 } else { 20 }))
        .collect();
    let mut site = unknown_then_known(&samples);
    for nth in 0..samples.len() {
        site.put(7_200, replay(&site, nth));
    }
    assert_eq!(site.effects.replayed.len(), samples.len());
    assert_eq!(site.effects.counts.decoded, samples.len() as u64);
    site.wait(7_400);
    assert_eq!(site.told(), [""; 0], "the heat was over long ago");
}

#[test]
fn what_is_replayed_and_holds_still_opens_a_ticket() {
    let samples: Vec<(i64, i64)> = (0..20).map(|minute| (minute, 70)).collect();
    let mut site = unknown_then_known(&samples);
    for nth in 0..samples.len() {
        site.put(7_200, replay(&site, nth));
    }
    assert_eq!(site.told(), [""; 0], "not before it has caught up");
    site.wait(7_400);
    assert_eq!(site.told(), ["opened T-1 x-1/A hot.fault @7230"]);
}

#[test]
fn a_replayed_message_is_counted_once() {
    let mut site = unknown_then_known(&[(0, 20)]);
    let with_seq = |seq: u64| {
        message(
            "appl/v1/x-1/B/event",
            format!(
                "{{\"ts\":{},\"seq\":{seq},\"boot\":1,\"e\":\"knock\"}}",
                START / 1_000 + 7_000
            ),
        )
    };
    let replay = |message| {
        Record::Control(Control::Replay {
            position: Position(9),
            received_at: at(7_000),
            message,
        })
    };
    for seq in [1, 2, 1, 2, 2] {
        site.put(7_300, replay(with_seq(seq)));
    }
    site.wait(7_400);
    assert_eq!(site.effects.counts.duplicate, 3);
    assert_eq!(
        site.told(),
        [""; 0],
        "two knocks, however often they are told"
    );
    site.put(7_410, replay(with_seq(3)));
    site.wait(7_500);
    assert_eq!(site.told().len(), 1);
}

#[test]
fn what_is_refused_again_is_not_called_replayed() {
    let mut site = Site::new();
    site.put(
        0,
        Record::Message(message("appl/v1/y-9/A/tele", "{\"s\":{}}")),
    );
    site.put(60, replay(&site, 0));
    assert_eq!(site.effects.replayed, []);
    assert_eq!(site.effects.rejected.len(), 2);
    assert_eq!(
        site.effects.rejected[0].position,
        site.effects.rejected[1].position
    );
}

#[test]
fn a_presence_of_yesterday_that_is_replayed_says_nothing_of_today() {
    let mut site = Site::new();
    site.tele(0, "A", "\"temp\":20");
    site.put(
        600,
        Record::Message(message("appl/v1/x-1/A/state", "{\"online\":true}")),
    );
    site.put(
        700,
        Record::Control(Control::Replay {
            position: Position(1),
            received_at: at(300),
            message: message("appl/v1/x-1/A/state", "{\"online\":false}"),
        }),
    );
    let presence = site.pipeline.presence(&id("x-1/A")).expect("known");
    assert_eq!(presence.online, Some(true));
}
