//! Every kind of mistake with its exact text.
//!
//! `mistakes.txt` holds, for each, a line `@ old => new` (what is changed in `mistakes.toml`; without `=>` the fault's
//! condition) and the diagnostics.

use super::worked::compile;

const BASE: &str = include_str!("mistakes.toml");
const CONDITION: &str = "out > 60 °C";

fn mistakes() -> Vec<(String, String, String)> {
    let mut list: Vec<(String, String, String)> = Vec::new();
    for line in include_str!("mistakes.txt").lines() {
        if let Some(change) = line.strip_prefix("@ ") {
            let (old, new) = change.split_once(" => ").unwrap_or((CONDITION, change));
            let text = |text: &str| text.replace("\\n", "\n");
            list.push((text(old), text(new), String::new()));
        } else if let Some((_, _, expected)) = list.last_mut() {
            expected.push_str(line);
            expected.push('\n');
        }
    }
    list
}

#[test]
fn the_base_has_no_mistake() {
    assert_eq!(compile(BASE).err(), None);
}

#[test]
fn every_mistake_is_told_with_its_place_and_a_way_out() {
    let mut wrong = Vec::new();
    for (old, new, expected) in mistakes() {
        assert!(BASE.contains(&old), "the base has no {old:?}");
        let found = compile(&BASE.replacen(&old, &new, 1))
            .err()
            .unwrap_or_default();
        if found.trim_end() != expected.trim_end() {
            let change = format!("{old} => {new}").replace('\n', "\\n");
            wrong.push(format!("@ {change}\n{found}\n"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ; found:\n{}",
        wrong.len(),
        wrong.join("")
    );
}
