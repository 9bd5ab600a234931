//! What changes a hash, and what does not.

use super::worked::{BRUSH, FLASH, program};
use crate::profile::Program;

fn fault(program: &Program, name: &str) -> u64 {
    let fault = program.faults.iter().find(|f| f.name == name);
    fault.expect("the fault is there").hash
}

fn derive(program: &Program, name: &str) -> u64 {
    let derive = program.derives.iter().find(|d| d.name == name);
    derive.expect("the derive is there").hash
}

fn changed(old: &str, new: &str) -> Program {
    assert!(FLASH.contains(old), "the profile has no {old:?}");
    program(&FLASH.replacen(old, new, 1))
}

#[test]
fn a_changed_label_or_title_keeps_every_hash() {
    let before = program(FLASH);
    for (old, new) in [
        ("label = { en = \"out\"", "label = { en = \"Outlet water\""),
        ("title    = { en = \"Limescale", "title    = { en = \"Scale"),
        ("parts = [\"FILTER-F5\"", "parts = [\"FILTER-F6\""),
        ("# told after power returns", "# told later"),
    ] {
        let after = changed(old, new);
        let of = |p: &Program| -> Vec<u64> {
            let faults = p.faults.iter().map(|f| f.hash);
            let derives = p.derives.iter().map(|d| d.hash);
            let sessions = p.sessions.iter().map(|s| s.hash);
            let nodes = p.nodes.iter().map(|n| n.hash);
            faults.chain(derives).chain(sessions).chain(nodes).collect()
        };
        assert_eq!(of(&before), of(&after), "{new}");
    }
}

#[test]
fn a_renamed_signal_keeps_every_hash() {
    let before = program(FLASH);
    let renamed = FLASH
        .replace("leak ", "leakage_now ")
        .replace("(leak)", "(leakage_now)");
    let after = program(&renamed);
    assert_eq!(fault(&before, "leakage"), fault(&after, "leakage"));
}

#[test]
fn a_changed_signal_changes_whatever_depends_on_it() {
    let before = program(FLASH);
    for (old, new) in [
        (
            "unit = \"°C\",    range = [-25, 120]",
            "unit = \"°C\",    range = [-25, 125]",
        ),
        ("\"water.out_c\", ", "\"water.out_c\", scale = 0.1, "),
        ("\"water.out_c\"", "\"water.outlet_c\""),
    ] {
        let after = changed(old, new);
        assert_ne!(
            derive(&before, "heat_lag"),
            derive(&after, "heat_lag"),
            "{new}"
        );
        assert_ne!(fault(&before, "scale"), fault(&after, "scale"), "{new}");
        assert_ne!(
            fault(&before, "water_over_temp"),
            fault(&after, "water_over_temp"),
            "{new}"
        );
        assert_eq!(fault(&before, "leakage"), fault(&after, "leakage"), "{new}");
        assert_eq!(
            derive(&before, "leak_day"),
            derive(&after, "leak_day"),
            "{new}"
        );
    }
}

#[test]
fn a_changed_enumeration_session_or_limit_changes_whatever_depends_on_it() {
    let before = program(FLASH);
    let words = changed("\"self_clean\"]", "\"self_clean\", \"descale\"]");
    assert_ne!(fault(&before, "valve_leak"), fault(&words, "valve_leak"));
    let session = changed("max = \"60 s\"", "max = \"90 s\"");
    assert_ne!(derive(&before, "heat_lag"), derive(&session, "heat_lag"));
    assert_ne!(fault(&before, "scale"), fault(&session, "scale"));
    let limit = changed("\"0.75 mA\"", "\"0.5 mA\"");
    assert_ne!(fault(&before, "leakage"), fault(&limit, "leakage"));
    assert_eq!(fault(&before, "scale"), fault(&limit, "scale"));
}

#[test]
fn a_fault_that_reads_another_changes_with_it() {
    let before = program(BRUSH);
    let text = BRUSH.replacen("count(charge_on, 1 h) > 6", "count(charge_on, 1 h) > 7", 1);
    let after = program(&text);
    assert_ne!(fault(&before, "no_charge"), fault(&after, "no_charge"));
    assert_ne!(
        fault(&before, "water_ingress"),
        fault(&after, "water_ingress")
    );
    assert_eq!(fault(&before, "rint_high"), fault(&after, "rint_high"));
}

#[test]
fn the_profile_version_ignores_comments_layout_and_cases_alone() {
    let before = program(FLASH).profile_version;
    assert_eq!(before.len(), 12);
    assert!(before.bytes().all(|b| b.is_ascii_hexdigit()));
    let comment = changed("# told after power returns", "# another word");
    assert_eq!(before, comment.profile_version);
    let case = changed("one spike is not a scald", "a spike");
    assert_eq!(before, case.profile_version);
    let layout = changed("code     = \"TF3\"", "code=\"TF3\"");
    assert_eq!(before, layout.profile_version);
    let title = changed("Limescale", "Scale");
    assert_ne!(before, title.profile_version);
}

#[test]
fn equal_calls_share_a_node() {
    let program = program(FLASH);
    let texts: Vec<&str> = program.nodes.iter().map(|n| n.text.as_str()).collect();
    let medians = texts
        .iter()
        .filter(|t| **t == "median(leak_day, last 7)")
        .count();
    assert_eq!(medians, 1);
}
