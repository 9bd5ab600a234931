//! How long one message takes: printed, not judged, since the machine decides.

use std::time::Instant;

use super::*;

/// The shipped appliance with most signals.
const TOILET: &str = include_str!("../../../device-profiles/ts-flash5.toml");

/// Messages of one run.
const MESSAGES: i64 = 20_000;

#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement: it reads the clock and prints"
)]
#[ignore = "prints a measurement; run it alone, optimised: cargo test --release --lib speed -- --ignored --nocapture"]
fn a_message_of_five_readings_takes_this_long() {
    let words = [
        (
            "actions.toml",
            include_str!("../../../device-profiles/words/actions.toml"),
        ),
        (
            "causes.toml",
            include_str!("../../../device-profiles/words/causes.toml"),
        ),
        (
            "guides.toml",
            include_str!("../../../device-profiles/words/guides.toml"),
        ),
        (
            "messages.toml",
            include_str!("../../../device-profiles/words/messages.toml"),
        ),
    ]
    .map(|(name, text)| ProfileText {
        name: name.into(),
        text: text.into(),
    });
    let mut site = Site::new();
    site.put(
        0,
        Record::Control(Control::Profiles {
            profiles: vec![ProfileText {
                name: "ts-flash5.toml".into(),
                text: TOILET.into(),
            }],
            words: words.to_vec(),
        }),
    );
    for serials in [1, 100] {
        let began = Instant::now();
        for nth in 0..MESSAGES {
            let second = 1 + nth * 10 / serials;
            let body = format!(
                "{{\"ts\":{},\"seq\":{nth},\"boot\":1,\"s\":{{\"water.out_c\":{}.5,\"water.in_c\":14.25,\"water.flow_lpm\":0.5,\"heater.power_w\":{},\"seat.temp_c\":35.5}}}}",
                START / 1_000 + second,
                30 + nth % 7,
                900 + nth % 50
            );
            let topic = format!("appl/v1/ts-flash5/TSF5-{serials}-{:06}/tele", nth % serials);
            site.put(second, Record::Message(message(&topic, body)));
        }
        let each = began.elapsed().as_nanos() / u128::from(MESSAGES.unsigned_abs());
        println!("{serials} devices: {each} ns a message");
    }
    assert_eq!(site.effects.counts.rejected, 0);
}
