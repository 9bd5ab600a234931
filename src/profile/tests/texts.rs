//! No text makes the compiler panic or run out of stack.

use proptest::prelude::*;

use super::worked::{FLASH, compile};
use crate::properties::cases;

fn with_condition(condition: &str) -> String {
    let toml = toml_edit::Value::from(condition).to_string();
    FLASH.replacen(
        "\"S1\"\nlatched  = true",
        &format!("\"S1\"\ngate = {}", toml.trim()),
        1,
    )
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_text_as_a_condition_gives_a_program_or_diagnostics(text in "\\PC{0,60}") {
        compile(&with_condition(&text)).ok();
    }

    #[test]
    fn any_sequence_of_tokens_gives_a_program_or_diagnostics(
        list in proptest::collection::vec(
            proptest::sample::select(vec![
                "(", ")", "out", "flow", "wash", "heat_lag", "rcd_trip", "held(", "count(", "last 5", "3 of 5", "48 °C",
                "3 s", "'wash'", "function", "and", "or", "not", "==", ">", "..", "in", ",", ".up", "baseline(", "-", "*",
                "/", "leak_limit", "80 %", "ago = 2 d", "raised(", "scale", "=", "{", "1e9", "at_least(", "signs", "µ",
            ]),
            0..14,
        )
    ) {
        compile(&with_condition(&list.join(" "))).ok();
    }

    #[test]
    fn any_text_in_a_case_or_a_reason_gives_a_program_or_diagnostics(
        given in "\\PC{0,30}",
        expect in "((quiet|raised|cleared|unknown|scale|within|by|every|ramp|csv|[.:{} ]|10 s|\\PC){0,9})",
    ) {
        let [given, expect] = [given, expect].map(|text| toml_edit::Value::from(text).to_string());
        let text = FLASH.replacen("[[case]]", &format!("[[case]]\nname = \"x\"\ngiven = [{given}, {expect}]\nexpect = [{expect}, {given}]\n[[case]]"), 1);
        compile(&text).ok();
        let start = FLASH.find("en = \"Outlet water").unwrap_or_default();
        let end = FLASH[start..].find(", zh").map_or(start, |at| start + at);
        compile(&format!("{}en = {given}{}", &FLASH[..start], &FLASH[end..])).ok();
    }

    #[test]
    fn any_text_as_a_profile_gives_a_program_or_diagnostics(text in "(\\[[a-z.]{0,8}\\]|[a-z]{1,5} = |\"[^\"]{0,9}\"|\\{|\\}|[0-9]{1,3}|\n|\\PC){0,40}") {
        compile(&text).ok();
    }

    #[test]
    fn a_profile_cut_anywhere_gives_a_program_or_diagnostics(cut in 0..20_000usize) {
        let mut cut = cut.min(FLASH.len());
        while !FLASH.is_char_boundary(cut) {
            cut -= 1;
        }
        compile(&FLASH[..cut]).ok();
    }
}

#[test]
fn nesting_is_bounded() {
    for text in [
        format!("{}out > 3 °C{}", "(".repeat(1000), ")".repeat(1000)),
        format!("{}wet", "not ".repeat(900)),
        format!("flow > {}1 L/min", "-".repeat(1000)),
        format!("flow > 1 L/min{}", " + 1 L/min".repeat(300)),
        format!("{}flow{} > 1 L/min", "abs(".repeat(500), ")".repeat(500)),
        "x".repeat(5000),
    ] {
        let found = compile(&with_condition(&text)).err().unwrap_or_default();
        assert!(
            found.contains("nested deeper than 48 levels")
                || found.contains("longer than 4096 bytes"),
            "{found}"
        );
    }
}

#[test]
fn nesting_up_to_the_limit_is_taken() {
    let text = format!("{}out > 3 °C{}", "(".repeat(47), ")".repeat(47));
    assert_eq!(compile(&with_condition(&text)).err(), None);
}
