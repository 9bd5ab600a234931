//! The house rules that no compiler checks: who may know whom, what a pure module may not touch, and how a file looks.
//!
//! It reads the sources as text, without comments and without what stands inside strings. Each rule is one function from a
//! source to its violations, tried below on planted ones; the tests at the end run every rule over the whole tree.

#[path = "tidy/source.rs"]
mod source;

#[path = "tidy/planted.rs"]
mod planted;

use std::fs;
use std::path::Path;

use source::{Source, calls, first_word, has_word, is_word, names, tree};

/// Which modules a module may name besides itself. A module that is not listed here is a violation of its own.
const MAY_KNOW: [(&str, &[&str]); 22] = [
    ("telemetry", &[]),
    ("sweep", &["telemetry"]),
    ("profile", WORDS),
    ("chart", &["telemetry"]),
    ("decode", SAVED),
    ("detect", SAVED),
    ("desk", &["telemetry", "profile", "detect"]),
    (
        "pipeline",
        &["telemetry", "sweep", "profile", "decode", "detect", "desk"],
    ),
    ("intake", WORDS),
    ("journal", WORDS),
    ("checkpoint", WORDS),
    ("series", WORDS),
    ("store", TICKETS),
    (
        "notify",
        &["telemetry", "chart", "profile", "detect", "desk", "store"],
    ),
    (
        "web",
        // Detection, the desk and decoding in their own words, which pages show as they are.
        &[
            "decode",
            "telemetry",
            "chart",
            "profile",
            "detect",
            "desk",
            "store",
            "series",
        ],
    ),
    (
        "lab",
        &[
            "telemetry",
            "profile",
            "decode",
            "detect",
            "desk",
            "pipeline",
            "journal",
            "series",
        ],
    ),
    // Settings are checked into the options of the edges that they configure.
    (
        "config",
        &[
            "telemetry",
            "profile",
            "detect",
            "intake",
            "journal",
            "store",
            "series",
            "notify",
            "web",
        ],
    ),
    ("daemon", ALL),
    ("cli", ALL),
    ("main", ALL),
    ("lib", &[]),
    // For tests, which may know anything.
    ("properties", &[]),
];

const WORDS: &[&str] = &["telemetry", "profile"];
/// What a stage whose state is saved in slices needs.
const SAVED: &[&str] = &["telemetry", "sweep", "profile"];
/// What an edge that shows or keeps tickets and devices needs.
const TICKETS: &[&str] = &["telemetry", "profile", "detect", "desk"];
const ALL: &[&str] = &[
    "telemetry",
    "sweep",
    "chart",
    "profile",
    "decode",
    "detect",
    "desk",
    "pipeline",
    "intake",
    "journal",
    "checkpoint",
    "store",
    "series",
    "notify",
    "web",
    "lab",
    "config",
    "daemon",
    "cli",
];

const PURE: [&str; 8] = [
    "telemetry",
    "sweep",
    "chart",
    "profile",
    "decode",
    "detect",
    "desk",
    "pipeline",
];

/// Whole words that a pure module may not contain: I/O, clocks, chance, and what has no order of its own.
const BANNED_WORDS: [&str; 15] = [
    "tokio",
    "sqlx",
    "rumqttc",
    "reqwest",
    "axum",
    "rusqlite",
    "influxdb2",
    "rand",
    "chrono_tz",
    "HashMap",
    "HashSet",
    "SystemTime",
    "await",
    "async fn",
    "async move",
];

/// Beginnings of paths and calls that a pure module may not contain. The methods of `f64` that differ between platforms are
/// among them; `libm` has them all. A square root is exact everywhere.
const BANNED_TEXT: [&str; 36] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "std::time::Instant",
    "std::time::{",
    "std::{",
    "::now(",
    ".sin(",
    ".cos(",
    ".tan(",
    ".asin(",
    ".acos(",
    ".atan(",
    ".atan2(",
    ".sin_cos(",
    ".sinh(",
    ".cosh(",
    ".tanh(",
    ".exp(",
    ".exp2(",
    ".exp_m1(",
    ".ln(",
    ".ln_1p(",
    ".log(",
    ".log2(",
    ".log10(",
    ".powf(",
    ".powi(",
    ".cbrt(",
    ".hypot(",
    "f64::ln",
    "f64::exp",
    "f64::powf",
    "f64::powi",
];

const LINES_LIMIT: usize = 500;

/// The one place that may name models: a simulator is a made-up fleet of given appliances. It decides nothing, and nothing that
/// decides may know it.
const SIMULATOR: &str = "src/lab/simulate/";

/// Who may know whom.
fn imports(source: &Source) -> Vec<String> {
    let Some(module) = source.module() else {
        return Vec::new();
    };
    let Some((_, known)) = MAY_KNOW.iter().find(|(name, _)| *name == module) else {
        return vec![source.at(
            0,
            format!("the module `{module}` has no line in the table of imports"),
        )];
    };
    let root = if module == "main" {
        "foremend::"
    } else {
        "crate::"
    };
    let upwards = "super::".repeat(source.depth());
    let mut found = Vec::new();
    for (number, line) in source.code.lines().enumerate() {
        for (start, _) in line.match_indices(root) {
            if start > 0 && is_word(line.as_bytes()[start - 1]) {
                continue;
            }
            let rest = &line[start + root.len()..];
            if rest.starts_with('{') || rest.starts_with('*') {
                found.push(source.at(number, "a grouped import; one line for each module, please"));
                continue;
            }
            let name = first_word(rest);
            let is_module = ALL.contains(&name);
            if is_module && name != module && !known.contains(&name) {
                found.push(source.at(number, format!("`{module}` may not know `{name}`")));
            }
        }
        for (start, _) in line.match_indices(&upwards) {
            let rest = line[start..].trim_start_matches("super::");
            let name = first_word(rest);
            if ALL.contains(&name) && name != module && !known.contains(&name) {
                found.push(source.at(number, format!("`{module}` may not know `{name}`")));
            }
        }
    }
    found
}

/// What a pure module may not touch; its tests may.
fn purity(source: &Source) -> Vec<String> {
    // A simulator may throw dice, from a seed; all else that is banned here would make its fleets differ, too.
    let simulator = source.path.starts_with(SIMULATOR);
    if !simulator && !source.module().is_some_and(|module| PURE.contains(&module)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in source.code.lines().enumerate() {
        if source.test[number] {
            continue;
        }
        let words = BANNED_WORDS
            .iter()
            .filter(|banned| has_word(line, banned) && !(simulator && **banned == "rand"));
        let texts = BANNED_TEXT.iter().filter(|banned| line.contains(*banned));
        for banned in words.chain(texts) {
            found.push(source.at(number, format!("`{banned}` in a pure module")));
        }
    }
    found
}

/// How a file looks: its length, its first line, and no lint that is switched off.
fn form(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > LINES_LIMIT {
        found.push(source.at(lines - 1, format!("{lines} lines; at most {LINES_LIMIT}")));
    }
    let opening = source.text.trim_start();
    if !opening.starts_with("//!") && !opening.starts_with("#![doc") {
        found.push(source.at(0, "the file does not open with `//!`"));
    }
    for (number, line) in source.code.lines().enumerate() {
        let packed: String = line.split_whitespace().collect();
        if packed.contains("#[allow(") || packed.contains("#![allow(") || packed.contains(",allow(")
        {
            found.push(source.at(number, "`allow`; use `#[expect(lint, reason = \"…\")]`"));
        }
    }
    found
}

/// A test waits for the thing itself.
fn sleeps(source: &Source) -> Vec<String> {
    let lines = source.code.lines().enumerate();
    lines
        .filter(|(number, line)| {
            source.test[*number]
                && ["sleep", "sleep_until"]
                    .iter()
                    .any(|call| calls(line, call))
        })
        .map(|(number, _)| source.at(number, "a sleep in a test"))
        .collect()
}

/// No device model is named in the program.
fn models(source: &Source, models: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if source.module().is_none() || source.path.starts_with(SIMULATOR) {
        return found;
    }
    for (number, line) in source.spoken.lines().enumerate() {
        if source.test[number] {
            continue;
        }
        for model in models.iter().filter(|model| names(line, model)) {
            found.push(source.at(number, format!("the device model `{model}` is named")));
        }
    }
    found
}

/// The models that a profile defines.
fn model_of(profile: &str) -> Option<String> {
    let line = profile
        .lines()
        .find(|line| first_word(line.trim_start()) == "model")?;
    let value = line.split_once('=')?.1.trim();
    Some(value.trim_matches(['"', '\'']).to_owned())
}

fn nothing_found(rule: impl Fn(&Source) -> Vec<String>) {
    let found: Vec<String> = tree().iter().flat_map(rule).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_module_knows_only_whom_it_may() {
    nothing_found(imports);
}

#[test]
fn pure_modules_touch_nothing() {
    nothing_found(purity);
}

#[test]
fn every_file_is_short_and_says_what_it_is_for() {
    nothing_found(form);
}

#[test]
fn no_test_sleeps() {
    nothing_found(sleeps);
}

#[test]
fn no_device_model_is_named_in_the_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("device-profiles");
    let known: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .filter_map(|profile| model_of(&profile))
        .collect();
    nothing_found(|source| models(source, &known));
}
