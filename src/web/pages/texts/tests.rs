//! The catalogues hold together: equal keys, equal variables, no key that is asked for and missing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

/// Keys of a file with their variables. Messages stand at the start of a line; what belongs to them is indented.
fn messages(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        let starts = line.starts_with(|c: char| c.is_ascii_lowercase());
        if let Some((key, _)) = line.split_once('=').filter(|_| starts) {
            current = key.trim().to_owned();
            let twice = all.insert(current.clone(), BTreeSet::new());
            assert!(twice.is_none(), "{current} stands twice");
        }
        if line.starts_with('#') {
            continue;
        }
        for (_, rest) in line.match_indices('$').map(|(at, _)| line.split_at(at + 1)) {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            all.entry(current.clone()).or_default().insert(name);
        }
    }
    all
}

#[test]
fn both_languages_have_the_same_keys_with_the_same_variables() {
    for (file, english, chinese) in FILES {
        for text in [english, chinese] {
            let read = FluentResource::try_new(text.to_owned());
            assert!(
                read.is_ok(),
                "{file} cannot be read: {:?}",
                read.err().map(|(_, errors)| errors)
            );
        }
        assert_eq!(messages(english), messages(chinese), "{file}");
    }
}

fn asked(dir: &Path, keys: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            asked(&path, keys);
        } else if path
            .extension()
            .is_some_and(|ext| ext == "html" || ext == "rs")
        {
            let text = fs::read_to_string(&path).expect("text");
            for (at, found) in text.match_indices(".say(\"") {
                let rest = &text[at + found.len()..];
                keys.insert(rest.split('"').next().unwrap_or_default().to_owned());
            }
        }
    }
}

#[test]
fn every_key_that_is_asked_for_exists() {
    let mut keys = BTreeSet::new();
    asked(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/pages"),
        &mut keys,
    );
    assert!(keys.len() > 10, "the search finds what pages ask for");
    let missing: Vec<_> = keys
        .iter()
        .filter(|key| !ENGLISH.has_message(key))
        .collect();
    assert!(missing.is_empty(), "no words for {missing:?}");
}

#[test]
fn numbers_are_grouped_and_choose_the_plural() {
    let cases = |n: u64| {
        Texts::of(Lang::En)
            .say("frame-cases")
            .num("n", n)
            .to_string()
    };
    assert_eq!(cases(1), "1 case");
    assert_eq!(cases(1182), "1,182 cases");
}
