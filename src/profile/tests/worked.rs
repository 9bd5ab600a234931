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
