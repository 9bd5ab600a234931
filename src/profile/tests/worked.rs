//! The worked faults of the language parse and type-check.

use crate::profile::{Profiles, Program};
use crate::telemetry::ProfileText;

pub(super) const FLASH: &str = include_str!("ts-flash5.toml");
pub(super) const BRUSH: &str = include_str!("tb-iq9.toml");

pub(super) fn compile(text: &str) -> Result<Profiles, String> {
    let file = ProfileText {
        name: "x.toml".to_owned(),
        text: text.to_owned(),
    };
    Profiles::compile(&[file], &[]).map_err(|list| {
        let list: Vec<String> = list
            .iter()
            .filter(|one| one.level == crate::profile::Level::Error)
            .map(ToString::to_string)
            .collect();
        list.join("\n")
    })
}

pub(super) fn program(text: &str) -> Program {
    let profiles = compile(text).unwrap_or_else(|list| panic!("{list}"));
    let program = profiles.iter().next().expect("one profile");
    Program::clone(program)
}

#[test]
fn the_worked_faults_of_the_toilet_compile() {
    let program = program(FLASH);
    assert_eq!(program.faults.len(), 4);
}

#[test]
fn the_worked_faults_of_the_brush_compile() {
    let program = program(BRUSH);
    assert_eq!(program.faults.len(), 3);
}

#[test]
fn the_shipped_profiles_compile_with_their_words_and_without_a_warning() {
    let file = |name: &str, text: &str| ProfileText {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let profiles = [file(
        "ts-flash5.toml",
        include_str!("../../../device-profiles/ts-flash5.toml"),
    )];
    let words = [
        file(
            "messages.toml",
            include_str!("../../../device-profiles/words/messages.toml"),
        ),
        file(
            "causes.toml",
            include_str!("../../../device-profiles/words/causes.toml"),
        ),
        file(
            "actions.toml",
            include_str!("../../../device-profiles/words/actions.toml"),
        ),
        file(
            "guides.toml",
            include_str!("../../../device-profiles/words/guides.toml"),
        ),
    ];
    let profiles = Profiles::compile(&profiles, &words).unwrap_or_else(|list| {
        let list: Vec<String> = list.iter().map(ToString::to_string).collect();
        panic!("{}", list.join("\n"))
    });
    let warnings: Vec<String> = profiles
        .warnings()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(profiles.get("ts-flash5").map(|p| p.faults.len()), Some(9));
    let bytes = profiles.get("ts-flash5").map_or(0, |p| p.state_bytes());
    assert!((10_000..300_000).contains(&bytes), "{bytes} bytes a device");
}
