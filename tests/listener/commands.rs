//! `foremend user`, `foremend init`, and where the commands find their directories.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use crate::rig::foremend;
use crate::rig::good;
use crate::rig::said;

/// "The thing asked about is not good."
const NOT_GOOD: Option<i32> = Some(1);
/// "Could not run."
const COULD_NOT_RUN: Option<i32> = Some(3);

fn with_variables(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_foremend"))
        .current_dir(dir)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn users_are_added_listed_replaced_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let device = "ts-flash5/TSF5-MADEUP-07";
    let add = [
        "user",
        "add",
        "gateway-1",
        "--publish",
        device,
        "--publish",
        "shop/+/x",
    ];
    let told = good(dir, &add, "made up\n");
    assert!(
        told.starts_with("gateway-1 may publish ts-flash5/TSF5-MADEUP-07 shop/+/x"),
        "{told}"
    );
    let file = dir.join("foremend-data/users");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let again = foremend(dir, &add, "made up\n");
    assert_eq!(again.status.code(), NOT_GOOD);
    assert!(said(&again).contains("--replace"), "{}", said(&again));
    let before = fs::read_to_string(&file).unwrap();
    good(dir, &["user", "add", "gateway-1", "--replace"], "another\n");
    assert_ne!(fs::read_to_string(&file).unwrap(), before);

    good(
        dir,
        &[
            "user",
            "add",
            "TSF5-MADEUP-08",
            "--certificate",
            "--nothing",
        ],
        "",
    );
    let list = good(dir, &["user", "list"], "");
    let lines: Vec<Vec<&str>> = list
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines,
        [
            vec!["gateway-1", "password", "*"],
            vec!["TSF5-MADEUP-08", "certificate", "nothing"]
        ]
    );
    assert!(!list.contains("argon2"), "no hash on the screen: {list}");

    good(dir, &["user", "remove", "gateway-1"], "");
    let gone = foremend(dir, &["user", "remove", "gateway-1"], "");
    assert_eq!(gone.status.code(), NOT_GOOD);
    let closing = foremend(dir, &["user", "remove", "TSF5-MADEUP-08"], "");
    assert!(closing.status.success() && said(&closing).contains("the door stays closed"));
}

#[test]
fn what_cannot_be_a_user_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("two-lines"), "a\nb\n").unwrap();
    for (arguments, input, code, expected) in [
        (
            &["user", "add", "plant"][..],
            "",
            3,
            "the password is empty",
        ),
        (&["user", "add", "plant"], "a\nb", 3, "one line"),
        (&["user", "add", "a b"], "x", 3, "cannot be a user name"),
        (
            &["user", "add", "plant", "--publish", "a/#/b"],
            "x",
            2,
            "MODEL/SERIAL",
        ),
        (
            &["user", "add", "plant", "--password-file", "two-lines"],
            "",
            3,
            "one line",
        ),
        (
            &["user", "add", "plant", "--password-file", "nowhere"],
            "",
            3,
            "nowhere",
        ),
        (
            &["user", "add", "plant", "--nothing", "--publish", "*"],
            "x",
            2,
            "--publish",
        ),
        (&["user", "remove", "plant"], "", 1, "no user 'plant'"),
    ] {
        let output = foremend(dir, arguments, input);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            said(&output)
        );
        assert!(
            said(&output).contains(expected),
            "{arguments:?}: {}",
            said(&output)
        );
        assert!(!dir.join("foremend-data/users").exists(), "{arguments:?}");
    }
    // The file is of no daemon's: it is not looked for.
    good(dir, &["user", "add", "plant", "--file", "here"], "x");
    assert!(dir.join("here").exists() && !dir.join("foremend-data/users").exists());
}

#[test]
fn settings_to_begin_with_are_written_once_and_are_right() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let told = good(dir, &["init"], "");
    assert!(
        told.contains("foremend run --config foremend.toml"),
        "{told}"
    );
    fs::write(dir.join("foremend.toml"), "mine").unwrap();
    let again = foremend(dir, &["init"], "");
    assert_eq!(again.status.code(), NOT_GOOD);
    assert!(said(&again).contains("--force"), "{}", said(&again));
    assert_eq!(
        fs::read_to_string(dir.join("foremend.toml")).unwrap(),
        "mine"
    );
    good(dir, &["init", "--force", "foremend.toml"], "");
    good(dir, &["init", "other.toml"], "");
    good(dir, &["user", "list", "--config", "other.toml"], "");
}

#[test]
fn commands_look_where_the_settings_and_the_variables_say() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/device-profiles");
    let by_variable = [
        ("FOREMEND_PROFILES__DIR", profiles),
        ("FOREMEND_DATA__DIR", "2026"),
    ];
    fs::write(
        dir.join("foremend.toml"),
        format!("[profiles]\ndir = \"{profiles}\"\n[data]\ndir = \"2026\"\n"),
    )
    .unwrap();
    let model = "ts-flash5";
    for (arguments, expected) in [
        (&["test"][..], "0 failed"),
        (&["explain", model], "leakage"),
        (&["tickets"], "2026 is not a data directory"),
        (&["journal", "info"], "2026/journal does not exist"),
    ] {
        let by_file = [arguments, &["--config", "foremend.toml"][..]].concat();
        for output in [
            with_variables(dir, arguments, &by_variable),
            with_variables(dir, &by_file, &[]),
        ] {
            let text = said(&output).to_lowercase();
            assert!(text.contains(expected), "{arguments:?}: {text}");
        }
    }
    let nowhere = with_variables(dir, &["explain", model], &[]);
    assert_eq!(nowhere.status.code(), COULD_NOT_RUN);
    let text = said(&nowhere);
    assert!(
        text.contains("device-profiles, the folder of the fault profiles")
            && text.contains("--profiles"),
        "{text}"
    );
}
