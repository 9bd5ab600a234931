//! The JSON line that stands for a ticket change in a replay: others compare it byte for byte.
//!
//! Written by hand rather than derived, because the order of the keys and the form of the numbers are the contract.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::detect::Evidence;

use super::{Change, TicketChange};

/// The line of a change without its line end; `None` for what a replay does not print (a person's action, a note).
#[must_use]
pub fn change_line(change: &TicketChange) -> Option<String> {
    match change.change {
        Change::Acted => return None,
        Change::Opened
        | Change::Worsened
        | Change::Eased
        | Change::Cleared
        | Change::Cancelled
        | Change::Reopened => {}
    }
    let ticket = &change.ticket;
    let mut line = String::with_capacity(512);
    field(&mut line, '{', "at", &change.at.to_string());
    field(&mut line, ',', "change", change.change.as_str());
    field(&mut line, ',', "ticket", &ticket.id);
    field(&mut line, ',', "device", ticket.device.as_str());
    field(&mut line, ',', "model", ticket.device.model());
    field(&mut line, ',', "fault", &ticket.fault);
    field(&mut line, ',', "stage", ticket.stage.as_str());
    field(&mut line, ',', "severity", ticket.severity.as_str());
    field(&mut line, ',', "event_time", &change.event_time.to_string());
    field(&mut line, ',', "profile_version", &ticket.profile_version);
    line.push_str(",\"reason\":");
    field(&mut line, '{', "en", &ticket.reason.en);
    field(&mut line, ',', "zh", &ticket.reason.zh);
    line.push_str("},\"values\":{");
    values(&mut line, &ticket.evidence);
    line.push_str("}}");
    Some(line)
}

/// The terms that held, by path in rising order. Of several on one path the first that the profile names is shown.
fn values(line: &mut String, evidence: &[Evidence]) {
    let mut by_path = BTreeMap::new();
    for term in evidence.iter().filter(|term| term.held) {
        if let Some(path) = &term.signal {
            by_path.entry(path.as_str()).or_insert(term);
        }
    }
    let mut between = "";
    for (path, term) in by_path {
        line.push_str(between);
        between = ",";
        text(line, path);
        line.push_str(":{\"value\":");
        number(line, term.value);
        field(line, ',', "unit", &term.unit);
        line.push_str(",\"limit\":");
        number(line, term.limit);
        line.push('}');
    }
}

fn field(line: &mut String, before: char, name: &str, value: &str) {
    line.push(before);
    text(line, name);
    line.push(':');
    text(line, value);
}

/// A JSON string: only what must be escaped is.
fn text(line: &mut String, value: &str) {
    line.push('"');
    for letter in value.chars() {
        match letter {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            control if control < ' ' => {
                form(line, format_args!("\\u{:04x}", u32::from(control)));
            }
            other => line.push(other),
        }
    }
    line.push('"');
}

/// The shortest digits that read back as the same number; a whole number has no point; what JSON cannot say is `null`. Very
/// large and very small numbers have an exponent, from the same sizes on as in JavaScript.
fn number(line: &mut String, value: Option<f64>) {
    match value.filter(|value| value.is_finite()) {
        Some(value) if value != 0.0 && !(1e-6..1e21).contains(&value.abs()) => {
            form(line, format_args!("{value:e}"));
        }
        // Adding zero makes a negative zero positive: one spelling for one value.
        Some(value) => form(line, format_args!("{}", value + 0.0)),
        None => line.push_str("null"),
    }
}

fn form(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    line.write_fmt(arguments)
        .expect("writing into a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::tests::{Bench, START, event, evidence};
    use crate::detect::FaultEventKind;
    use crate::profile::Stage;
    use crate::telemetry::TicketAction;

    fn line_of(change: &TicketChange) -> String {
        change_line(change).expect("a printed change")
    }

    #[test]
    fn an_opened_ticket_is_this_line_to_the_byte() {
        let mut bench = Bench::new();
        let mut raised = event(FaultEventKind::Raised, "scale", Stage::Warn, START);
        raised.evidence = vec![evidence("water.out_c", 49.2)];
        bench.give(&raised);
        assert_eq!(
            line_of(&bench.out.changes[0]),
            r#"{"at":"2026-03-01T06:41:09.120Z","change":"opened","ticket":"T-1","device":"basin-1/0001","model":"basin-1","fault":"scale","stage":"warn","severity":"S3","event_time":"2026-03-01T06:41:08.120Z","profile_version":"0123456789ab","reason":{"en":"Water is hot","zh":"水很热"},"values":{"water.out_c":{"value":49.2,"unit":"°C","limit":48}}}"#
        );
    }

    #[test]
    fn only_terms_that_held_and_name_a_path_are_values_in_rising_order() {
        let mut term = evidence("b", 2.0);
        let mut evidence = vec![
            term.clone(),
            evidence("a", -0.0),
            evidence("b", 3.0),
            evidence("c", 1e-7),
        ];
        term.held = false;
        term.signal = Some("not.held".into());
        evidence.push(term.clone());
        term.held = true;
        term.signal = None;
        evidence.push(term);
        evidence[3].limit = None;
        let mut line = String::new();
        values(&mut line, &evidence);
        assert_eq!(
            line,
            r#""a":{"value":0,"unit":"°C","limit":48},"b":{"value":2,"unit":"°C","limit":48},"c":{"value":1e-7,"unit":"°C","limit":null}"#
        );
    }

    #[test]
    fn numbers_read_back_as_they_were() {
        for value in [
            0.1,
            1.0 / 3.0,
            1e300,
            5e-324,
            -48.0,
            9_007_199_254_740_993.0,
        ] {
            let mut line = String::new();
            number(&mut line, Some(value));
            let read: f64 = serde_json::from_str(&line).expect("JSON");
            assert_eq!(read.to_bits(), value.to_bits(), "{line}");
        }
        let mut line = String::new();
        number(&mut line, Some(f64::NAN));
        assert_eq!(line, "null");
    }

    #[test]
    fn any_text_survives_as_json() {
        let odd = "a\"b\\c\nd\te\rf\u{1}g\u{7f}中\u{2028}";
        let mut line = String::new();
        text(&mut line, odd);
        assert_eq!(serde_json::from_str::<String>(&line).expect("JSON"), odd);
        assert_eq!(line, serde_json::to_string(odd).expect("JSON"));
    }

    #[test]
    fn what_people_do_is_not_printed_except_taking_a_ticket_up_again() {
        let mut bench = Bench::resolved(START);
        assert_eq!(change_line(&bench.out.changes[0]), None);
        bench.act(START, "T-1", &TicketAction::Reopen { reason: None });
        assert!(line_of(&bench.out.changes[0]).contains(r#""change":"reopened""#));
    }
}
