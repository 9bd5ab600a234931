//! Who is known, who is not, and what is kept of them.

use super::*;
use crate::telemetry::{DeviceAction, DeviceId, Identity};

fn of_serial(serial: usize) -> RawMessage {
    message(
        &format!("appl/v1/ts-flash5/S{serial}/tele"),
        r#"{"s":{"a":1}}"#,
    )
}

fn is_unknown(decoded: &Decoded) -> bool {
    matches!(decoded, Decoded::Rejected(rejection) if rejection.reason == RejectReason::UnknownDevice)
}

fn action(serial: usize, action: DeviceAction) -> Control {
    Control::Device {
        device: DeviceId::new("ts-flash5", &format!("S{serial}")).expect("an id"),
        action,
        by: "ann".into(),
    }
}

#[test]
fn a_hundred_strangers_a_second_are_admitted() {
    let mut state = DecodeState::new();
    let second = Timestamp::from_ms(1_772_347_269_000);
    for serial in 0..100 {
        assert!(taken_at(&mut state, second, &of_serial(serial)).new_device);
    }
    assert!(is_unknown(&decode_at(
        &mut state,
        second + 999,
        &of_serial(100)
    )));
    assert!(!taken_at(&mut state, second + 999, &of_serial(5)).new_device);
    assert!(taken_at(&mut state, second + 1_000, &of_serial(100)).new_device);
}

#[test]
fn in_quarantine_a_device_waits_until_someone_adopts_it() {
    let mut state = DecodeState::new();
    taken_at(&mut state, NOW, &of_serial(0));
    state.configure(&Settings {
        adopt_unknown: false,
        ..Settings::default()
    });
    assert!(
        !taken_at(&mut state, NOW, &of_serial(0)).new_device,
        "known before"
    );
    assert!(is_unknown(&decode_at(&mut state, NOW, &of_serial(1))));
    state.control(NOW, &action(1, DeviceAction::Adopt));
    assert!(taken_at(&mut state, NOW, &of_serial(1)).new_device);
    let identity = Identity::default();
    state.control(NOW, &action(2, DeviceAction::Set { identity }));
    assert!(taken_at(&mut state, NOW, &of_serial(2)).new_device);
    state.control(NOW, &action(1, DeviceAction::Retire));
    assert!(is_unknown(&decode_at(&mut state, NOW, &of_serial(1))));
}

#[test]
fn a_restored_state_decides_as_the_one_that_went_on() {
    let mut state = DecodeState::new();
    let mut rows = std::collections::BTreeMap::new();
    for step in 0..50_u64 {
        let at = NOW + i64::try_from(step).unwrap() * 5 * MINUTE_MS;
        decode_at(&mut state, at, &counted(step * 3, at - 3 * HOUR_MS));
        decode_at(
            &mut state,
            at,
            &of_serial(usize::try_from(step % 7).unwrap()),
        );
        if step == 40 {
            state.control(at, &action(3, DeviceAction::Retire));
        }
        for (id, row) in state.take_dirty() {
            match row {
                Some(row) => rows.insert(id, row),
                None => rows.remove(&id),
            };
        }
    }
    let mut restored = DecodeState::restore_common(&state.common()).expect("the common row");
    for (id, row) in rows {
        restored.restore_device(id, &row).expect("a row");
    }
    let whole = DecodeState::restore(&state.snapshot()).expect("the whole");
    assert_eq!(restored, whole);
    assert_eq!(whole, state);
    assert!(state.take_dirty().is_empty());
}

#[test]
fn a_damaged_or_foreign_state_is_refused() {
    let bytes = DecodeState::new().snapshot();
    assert!(DecodeState::restore(&[]).is_err());
    assert!(DecodeState::restore(&bytes[..bytes.len() - 1]).is_err());
    let mut foreign = bytes;
    foreign[0] = 99;
    assert_eq!(
        DecodeState::restore(&foreign),
        Err(crate::decode::RestoreError::Format(99))
    );
}

#[test]
fn a_message_of_no_kind_still_belongs_to_the_device_of_its_topic() {
    let state = DecodeState::new();
    let device = |topic: &str| {
        let device = state.device_of(&message(topic, "{}"));
        device.map(|device| device.to_string())
    };
    assert_eq!(
        device("appl/v1/ts-flash5/S1/telemetry").as_deref(),
        Some("ts-flash5/S1")
    );
    assert_eq!(
        device("appl/v1/ts-flash5/S1/tele").as_deref(),
        Some("ts-flash5/S1")
    );
    assert_eq!(device("appl/v1/ts-flash5/S 1/telemetry"), None);
    assert_eq!(device("shop/S1/status"), None);
}
