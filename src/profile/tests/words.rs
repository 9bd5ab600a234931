//! Shared words: their files, and the rules for stop-use texts.

use crate::profile::{Level, Profiles};
use crate::telemetry::ProfileText;

const PROFILE: &str = r#"[profile]
model = "x"
kind = "toilet"
name = { en = "X", zh = "X" }
version = "1"
[signals]
out = { from = "out", unit = "°C", range = [-25, 120], stale_after = "1 min", label = { en = "Outlet", zh = "出水" } }
[fault.hot]
code = "X1"
title = { en = "Hot", zh = "烫" }
when = "out > 60 °C"
severity = "S1"
ticket = { cause = "heater", action = "stop", message = "M1" }
"#;

const WORDS: &str = r#"[cause.heater]
en = "Heater"
zh = "加热"
[action.stop]
en = "Stop"
zh = "停用"
stop_use = true
[action.visit]
en = "Visit"
zh = "上门"
[message.M1]
en = "Please wait."
zh = "请稍候。"
[message.M2]
en = "Stop now."
zh = "请立即停用。"
stop_use = true
[guide.stop]
steps = [{ en = "Call.", zh = "致电。" }, { en = "Visit.", zh = "上门。" }]
[part.P1]
en = "Pump"
zh = "水泵"
"#;

fn file(name: &str, text: &str) -> ProfileText {
    ProfileText {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn found(profile: &str, words: &str) -> Vec<String> {
    let profiles = [file("x.toml", profile)];
    match Profiles::compile(&profiles, &[file("w.toml", words)]) {
        Ok(profiles) => profiles
            .warnings()
            .iter()
            .map(ToString::to_string)
            .collect(),
        Err(list) => list.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn refused(old: &str, new: &str, expected: &str) {
    let both = [PROFILE.contains(old), WORDS.contains(old)];
    assert!(both.contains(&true), "nothing has {old:?}");
    let list = found(&PROFILE.replacen(old, new, 1), &WORDS.replacen(old, new, 1));
    assert_eq!(list.join("\n"), expected.trim_matches('\n'));
}

#[test]
fn words_are_found_by_name() {
    let profiles = [file("x.toml", PROFILE)];
    let profiles = Profiles::compile(&profiles, &[file("w.toml", WORDS)]).expect("no mistake");
    let words = profiles.words();
    assert_eq!(words.cause("heater").map(|t| t.en.as_str()), Some("Heater"));
    assert_eq!(words.action("visit").map(|t| t.zh.as_str()), Some("上门"));
    assert_eq!(
        words.message("M2").map(|t| t.en.as_str()),
        Some("Stop now.")
    );
    assert_eq!(words.part("P1").map(|t| t.en.as_str()), Some("Pump"));
    assert_eq!(words.guide("stop").len(), 2);
    assert!(words.guide("visit").is_empty());
    assert!(words.stops_use("stop") && !words.stops_use("visit"));
}

#[test]
fn an_unknown_word_is_refused_with_the_nearest_known_one() {
    refused(
        "cause = \"heater\"",
        "cause = \"heatre\"",
        r#"
x.toml:13:20: error: there is no cause 'heatre' in words
 13 | ticket = { cause = "heatre", action = "stop", message = "M1" }
    |                    ^^^^^^^^
    = did you mean 'heater'?"#,
    );
    refused(
        "message = \"M1\" }",
        "message = \"N9\" }",
        r#"
x.toml:13:57: error: there is no message 'N9' in words
 13 | ticket = { cause = "heater", action = "stop", message = "N9" }
    |                                                         ^^^^
    = add it to a file of words/"#,
    );
}

#[test]
fn a_stage_of_the_highest_severity_tells_the_customer_to_stop() {
    refused(
        "action = \"stop\"",
        "action = \"visit\"",
        r#"
x.toml:13:39: error: a stage of severity S1 does not tell the customer to stop using the appliance
 13 | ticket = { cause = "heater", action = "visit", message = "M1" }
    |                                       ^^^^^^^
    = choose an action or a message that is marked stop_use = true"#,
    );
    let by_message = PROFILE
        .replacen("action = \"stop\"", "action = \"visit\"", 1)
        .replacen("\"M1\"", "\"M2\"", 1);
    assert_eq!(found(&by_message, WORDS), Vec::<String>::new());
}

#[test]
fn a_stop_use_text_is_refused_on_the_lower_severities_alone() {
    refused(
        "severity = \"S1\"",
        "severity = \"S3\"",
        r#"
x.toml:13:39: error: 'stop' tells the customer to stop using the appliance, at severity S3
 13 | ticket = { cause = "heater", action = "stop", message = "M1" }
    |                                       ^^^^^^
    = stop-use texts are for S1 and S2"#,
    );
    let works_not = PROFILE.replacen("\"S1\"", "\"S2\"", 1);
    assert_eq!(found(&works_not, WORDS), Vec::<String>::new());
}

#[test]
fn mistakes_in_a_file_of_words_are_told() {
    refused(
        "zh = \"加热\"\n",
        "",
        r#"
w.toml:1:8: error: cause 'heater' needs 'zh'
 1 | [cause.heater]
   |        ^^^^^^
x.toml:13:20: error: there is no cause 'heater' in words
 13 | ticket = { cause = "heater", action = "stop", message = "M1" }
    |                    ^^^^^^^^
    = add it to a file of words/"#,
    );
    refused(
        "steps = [{ en = \"Call.\", zh",
        "steps = [{ en = \"Call.\", hz",
        r#"
w.toml:19:10: error: 'step' needs 'zh'
 19 | steps = [{ en = "Call.", hz = "致电。" }, { en = "Visit.", zh = "上门。" }]
    |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
w.toml:19:26: error: 'step' has no key 'hz'
 19 | steps = [{ en = "Call.", hz = "致电。" }, { en = "Visit.", zh = "上门。" }]
    |                          ^^
    = known keys: en, zh"#,
    );
}

#[test]
fn a_word_given_twice_and_a_model_given_twice_are_refused() {
    let words = [file("w.toml", WORDS), file("v.toml", WORDS)];
    let list = Profiles::compile(&[], &words).expect_err("given twice");
    assert_eq!(list.len(), 7);
    assert_eq!(
        list[0].to_string(),
        "v.toml:1:8: error: cause 'heater' is given twice\n 1 | [cause.heater]\n   |        ^^^^^^"
    );
    let profiles = [file("x.toml", PROFILE), file("y.toml", PROFILE)];
    let list = Profiles::compile(&profiles, &[file("w.toml", WORDS)]).expect_err("two of a model");
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].file, "y.toml");
    assert_eq!(
        list[0].message,
        "another profile speaks for the model 'x' already"
    );
}

#[test]
fn without_words_they_are_not_checked_and_a_warning_says_so() {
    let profiles = Profiles::compile(&[file("x.toml", PROFILE)], &[]).expect("no mistake");
    let warnings: Vec<Level> = profiles.warnings().iter().map(|one| one.level).collect();
    assert_eq!(warnings, [Level::Warning]);
}
