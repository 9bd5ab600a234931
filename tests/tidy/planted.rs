//! Each rule finds what was planted for it, where it stands, and leaves alone what only looks like it.

use super::{Source, form, imports, model_of, models, purity, sleeps};

fn check(rule: fn(&Source) -> Vec<String>, path: &str, text: &str, expected: &[&str]) {
    assert_eq!(rule(&Source::new(path, text)), expected, "{text}");
}

#[test]
fn a_forbidden_import_is_found_with_file_and_line() {
    let found = ["src/decode/a.rs:2: `decode` may not know `store`"];
    check(
        imports,
        "src/decode/a.rs",
        "//! A.\nuse crate::store::Store;\n",
        &found,
    );
    check(
        imports,
        "src/decode/a.rs",
        "//! A.\nlet x = crate::store::open();\n",
        &found,
    );
    check(
        imports,
        "src/decode/a.rs",
        "//! A.\nuse super::super::store::Store;\n",
        &found,
    );
    check(
        imports,
        "src/decode/mod.rs",
        "use super::lab::A;\n",
        &["src/decode/mod.rs:1: `decode` may not know `lab`"],
    );
    check(
        imports,
        "src/series/sqlite/mod.rs",
        "use crate::decode::DecodeState;\n",
        &["src/series/sqlite/mod.rs:1: `series` may not know `decode`"],
    );
    check(
        imports,
        "src/web/a.rs",
        "use crate::daemon::run;\n",
        &["src/web/a.rs:1: `web` may not know `daemon`"],
    );
}

#[test]
fn what_the_table_allows_is_no_violation() {
    check(
        imports,
        "src/desk/a.rs",
        "use crate::detect::FaultEvent;\nuse crate::desk::Ticket;\n",
        &[],
    );
    check(
        imports,
        "src/web/a.rs",
        "use crate::store::Store;\nuse crate::series::Point;\n",
        &[],
    );
    check(
        imports,
        "src/desk/a.rs",
        "use super::super::desk::Ticket;\nuse super::store;\n",
        &[],
    );
    check(
        imports,
        "src/daemon.rs",
        "use crate::intake::Intake;\n",
        &[],
    );
    check(imports, "src/main.rs", "use foremend::cli;\n", &[]);
    check(imports, "tests/a.rs", "use foremend::store::Store;\n", &[]);
    check(
        imports,
        "src/desk/a.rs",
        "// crate::store\n/* crate::store */ let a = \"crate::store\";\n",
        &[],
    );
}

#[test]
fn grouped_imports_and_unknown_modules_are_found() {
    check(
        imports,
        "src/desk/a.rs",
        "use crate::{detect, telemetry};\n",
        &["src/desk/a.rs:1: a grouped import; one line for each module, please"],
    );
    check(
        imports,
        "src/utils/a.rs",
        "",
        &["src/utils/a.rs:1: the module `utils` has no line in the table of imports"],
    );
}

#[test]
fn a_pure_module_with_a_clock_a_file_or_chance_is_found() {
    for (line, name) in [
        ("use tokio::sync::watch;", "tokio"),
        ("let a = std::fs::read(path);", "std::fs"),
        ("use std::collections::HashMap;", "HashMap"),
        ("let at = chrono::Utc::now();", "::now("),
        ("pub async fn run() {}", "async fn"),
        ("self.read().await?;", "await"),
        ("let a = rand::random();", "rand"),
        ("use std::time::SystemTime;", "SystemTime"),
        ("use std::time::Instant;", "std::time::Instant"),
        ("use std::{fs, io};", "std::{"),
        ("let a = b.ln();", ".ln("),
        ("let a = b.powf(2.0);", ".powf("),
        ("let a = f64::exp(b);", "f64::exp"),
    ] {
        let found = format!("src/detect/a.rs:2: `{name}` in a pure module");
        check(
            purity,
            "src/detect/a.rs",
            &format!("//! A.\n{line}\n"),
            &[&found],
        );
        check(purity, "src/store/a.rs", &format!("//! A.\n{line}\n"), &[]);
    }
}

#[test]
fn what_only_looks_impure_is_left_alone() {
    check(
        purity,
        "src/detect/a.rs",
        "let a = libm::log(b.sqrt()); // b.ln()\n",
        &[],
    );
    check(
        purity,
        "src/detect/a.rs",
        "StaleAfter::Instant => self.awaits(brand), // tokio\n",
        &[],
    );
    check(
        purity,
        "src/detect/a.rs",
        "let a = \"std::fs\"; let b = r#\"a \" tokio\"#; let c = b'\"';\n",
        &[],
    );
    let tests = "#[cfg(test)]\nmod tests {\n    fn a() { std::fs::read(b); }\n}\nuse tokio::a;\n";
    check(
        purity,
        "src/detect/a.rs",
        tests,
        &["src/detect/a.rs:5: `tokio` in a pure module"],
    );
    check(
        purity,
        "src/detect/a.rs",
        "fn a<'a>(b: &'a str) { tokio::c('\\'') }\n",
        &["src/detect/a.rs:1: `tokio` in a pure module"],
    );
}

#[test]
fn a_long_file_a_silent_file_and_a_silenced_lint_are_found() {
    let lines = |count: usize| format!("//! A.\n{}", "\n".repeat(count - 1));
    check(form, "src/a.rs", &lines(500), &[]);
    check(
        form,
        "src/a.rs",
        &lines(501),
        &["src/a.rs:501: 501 lines; at most 500"],
    );
    check(
        form,
        "tests/a.rs",
        "use a::b;\n",
        &["tests/a.rs:1: the file does not open with `//!`"],
    );
    for line in [
        "#[allow(dead_code)]",
        "#![allow(unused)]",
        "#[cfg_attr(test, allow(unused))]",
        "#[ allow (a)]",
    ] {
        let found = ["src/a.rs:2: `allow`; use `#[expect(lint, reason = \"…\")]`"];
        check(form, "src/a.rs", &format!("//! A.\n{line}\n"), &found);
    }
    check(
        form,
        "src/a.rs",
        "//! A.\n// #[allow(a)]\n#[expect(a, reason = \"#[allow(b)]\")]\n",
        &[],
    );
}

#[test]
fn a_sleep_in_a_test_is_found() {
    check(
        sleeps,
        "tests/a.rs",
        "tokio::time::sleep(a).await;\n",
        &["tests/a.rs:1: a sleep in a test"],
    );
    let source =
        "fn run() { sleep(a) }\n#[cfg(test)]\nmod tests { fn a() { std::thread::sleep(b) } }\n";
    check(
        sleeps,
        "src/intake/a.rs",
        source,
        &["src/intake/a.rs:3: a sleep in a test"],
    );
    check(
        sleeps,
        "tests/a.rs",
        "fn nothing_sleeps() {} // sleep(a)\n",
        &[],
    );
}

#[test]
fn a_named_device_model_is_found_in_strings_and_nowhere_else() {
    let known = [model_of("[profile]\nmodel = \"ts-flash5\"\n").expect("a model")];
    let text =
        "// ts-flash5\n/// ts-flash5\nlet a = \"ts-flash5\";\nlet b = \"ats-flash5 ts-flash5x\";\n";
    let found = models(&Source::new("src/cli/a.rs", text), &known);
    assert_eq!(
        found,
        ["src/cli/a.rs:3: the device model `ts-flash5` is named"]
    );
    let tests = "#[cfg(test)]\nmod tests { const A: &str = \"ts-flash5\"; }\n";
    assert!(models(&Source::new("src/cli/a.rs", tests), &known).is_empty());
    assert!(models(&Source::new("tests/a.rs", text), &known).is_empty());
    assert!(models(&Source::new("src/lab/simulate/a.rs", text), &known).is_empty());
    assert_eq!(models(&Source::new("src/lab/a.rs", text), &known).len(), 1);
}

#[test]
fn the_simulator_may_throw_dice_and_nothing_else() {
    let dice = "//! A.\nuse rand::Rng;\nlet a = SystemTime::now();\n";
    let found: Vec<String> = purity(&Source::new("src/lab/simulate/a.rs", dice));
    assert!(
        !found.is_empty() && found.iter().all(|line| line.contains(":3:")),
        "{found:?}"
    );
    assert!(purity(&Source::new("src/lab/a.rs", dice)).is_empty());
}
