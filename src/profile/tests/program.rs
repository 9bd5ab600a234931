//! What the worked faults compile to.

use super::worked::{BRUSH, FLASH, program};
use crate::profile::{Cond, NodeKind, Num, Per, Program, Recheck, StaleAfter, Step, WindowFn};
use crate::telemetry::{DAY_MS, MINUTE_MS};

fn fault<'p>(program: &'p Program, name: &str) -> &'p crate::profile::Fault {
    let fault = program.faults.iter().find(|f| f.name == name);
    fault.expect("the fault is there")
}

/// Nodes, sessions and derives that a condition names.
fn needs(cond: &Cond, list: &mut Vec<Step>) {
    match cond {
        Cond::Compare { left, right, .. } => {
            needs_num(left, list);
            needs_num(right, list);
        }
        Cond::Within {
            value, low, high, ..
        } => {
            for num in [value, low, high] {
                needs_num(num, list);
            }
        }
        Cond::Running(session) => list.push(Step::Session(*session)),
        Cond::Node(node) | Cond::BaselineReady(node) => list.push(Step::Node(*node)),
        Cond::Requires { node, inner, .. } => {
            list.push(Step::Node(*node));
            needs(inner, list);
        }
        Cond::Not(inner) => needs(inner, list),
        Cond::All(all) | Cond::Any(all) => all.iter().for_each(|one| needs(one, list)),
        Cond::Const(_)
        | Cond::Signal(_)
        | Cond::Event(_)
        | Cond::Has(_)
        | Cond::Invalid(_)
        | Cond::Raised(_) => {}
    }
}

fn needs_num(num: &Num, list: &mut Vec<Step>) {
    match num {
        Num::Derive(derive) => list.push(Step::Derive(*derive)),
        Num::Node(node, _) => list.push(Step::Node(*node)),
        Num::Neg(inner) | Num::Abs(inner) => needs_num(inner, list),
        Num::Binary(_, left, right) => {
            needs_num(left, list);
            needs_num(right, list);
        }
        Num::Const(_) | Num::Signal(_) | Num::Limit(_) => {}
    }
}

fn needs_of(program: &Program, step: Step) -> Vec<Step> {
    let mut list = Vec::new();
    match step {
        Step::Session(index) => {
            let session = &program.sessions[index];
            needs(&session.start, &mut list);
            needs(&session.end, &mut list);
            session.abort.iter().for_each(|c| needs(c, &mut list));
        }
        Step::Derive(index) => {
            let derive = &program.derives[index];
            needs_num(&derive.value, &mut list);
            derive.filter.iter().for_each(|c| needs(c, &mut list));
            derive.mode.iter().for_each(|n| needs_num(n, &mut list));
            if let Per::Session(session) = derive.per {
                list.push(Step::Session(session));
            }
        }
        Step::Node(index) => match &program.nodes[index].kind {
            NodeKind::Window { input, .. }
            | NodeKind::Before { input, .. }
            | NodeKind::At { input, .. } => needs_num(input, &mut list),
            NodeKind::HeldFor { cond, .. }
            | NodeKind::HeldOf { cond, .. }
            | NodeKind::CountStarts { cond, .. }
            | NodeKind::Total { cond, .. } => needs(cond, &mut list),
            NodeKind::Baseline { derive, .. } => list.push(Step::Derive(*derive)),
            NodeKind::Duration { session } => list.push(Step::Session(*session)),
            NodeKind::AtLeast { signs, .. } => signs.iter().for_each(|c| needs(c, &mut list)),
            _ => {}
        },
    }
    list
}

#[test]
fn what_a_step_reads_stands_before_it() {
    for text in [FLASH, BRUSH] {
        let program = program(text);
        assert_eq!(
            program.steps.len(),
            program.nodes.len() + program.sessions.len() + program.derives.len()
        );
        for (at, step) in program.steps.iter().enumerate() {
            for need in needs_of(&program, *step) {
                let before = program.steps[..at].contains(&need);
                assert!(before, "{step:?} needs {need:?}");
            }
        }
    }
}

#[test]
fn numbers_are_in_base_units() {
    let program = program(FLASH);
    assert!((program.limits[0].default - 0.000_75).abs() < 1e-12);
    let flow = program.signals.iter().find(|s| s.name == "flow");
    let (low, high) = flow.and_then(|s| s.range).expect("a range");
    assert!(low.abs() < 1e-12 && (high - 5.0 / 60_000.0).abs() < 1e-12);
}

#[test]
fn terms_on_a_derive_of_requires_are_wrapped_and_others_are_not() {
    let program = program(FLASH);
    let leakage = fault(&program, "leakage");
    let warn = &leakage.warn.as_ref().expect("a warn stage").when;
    assert!(
        format!("{warn:?}").matches("Requires").count() == 3,
        "{warn:?}"
    );
    let fault = &leakage.fault.as_ref().expect("a fault stage").when;
    assert!(!format!("{fault:?}").contains("Requires"), "{fault:?}");
}

#[test]
fn for_is_a_hold_around_the_whole_condition() {
    let text = FLASH.replacen("latched  = true", "for = \"7 s\"", 1);
    let program = program(&text);
    let stage = fault(&program, "water_over_temp")
        .fault
        .as_ref()
        .expect("a stage");
    let Cond::Node(node) = stage.when else {
        panic!("{:?}", stage.when);
    };
    let kind = &program.nodes[node].kind;
    assert!(
        matches!(kind, NodeKind::HeldFor { hold_ms: 7000, cond: Cond::Any(list) } if list.len() == 3),
        "{kind:?}"
    );
}

#[test]
fn an_absent_clear_is_the_opposite_for_ten_minutes_twice_for_or_three_values() {
    let program_1 = program(FLASH);
    let clear = &fault(&program_1, "water_over_temp").clear;
    assert_eq!(hold_of(&program_1, clear), Some(10 * MINUTE_MS));
    let program_2 = program(&FLASH.replacen("latched  = true", "for = \"6 min\"", 1));
    let clear = &fault(&program_2, "water_over_temp").clear;
    assert_eq!(hold_of(&program_2, clear), Some(12 * MINUTE_MS));
    let text = BRUSH.replacen(
        "clear    = \"baseline(rint, 14 d).ratio < 1.3 and median(rint, 14 d) < 180 mΩ\"\n",
        "",
        1,
    );
    let program_3 = program(&text);
    let Cond::Node(node) = fault(&program_3, "rint_high").clear else {
        panic!("no node");
    };
    let kind = &program_3.nodes[node].kind;
    assert!(
        matches!(kind, NodeKind::HeldOf { k: 3, n: 3, .. }),
        "{kind:?}"
    );
}

fn hold_of(program: &Program, clear: &Cond) -> Option<i64> {
    let Cond::Node(node) = clear else {
        return None;
    };
    match &program.nodes[*node].kind {
        NodeKind::HeldFor {
            hold_ms,
            cond: Cond::Not(_),
        } => Some(*hold_ms),
        _ => None,
    }
}

#[test]
fn a_recheck_defaults_to_twice_the_longest_span_and_at_least_three_days() {
    let toilet = program(FLASH);
    assert_eq!(
        fault(&toilet, "leakage").recheck,
        Recheck::Span(28 * DAY_MS)
    );
    assert_eq!(
        fault(&toilet, "water_over_temp").recheck,
        Recheck::Span(3 * DAY_MS)
    );
    assert_eq!(
        fault(&toilet, "scale").recheck,
        Recheck::Sessions {
            session: 0,
            count: 5
        }
    );
}

#[test]
fn a_field_of_an_event_is_known_at_its_instant_only() {
    let program = program(BRUSH);
    let step = program.signals.iter().find(|s| s.name == "step");
    assert_eq!(step.map(|s| s.stale_after), Some(StaleAfter::Instant));
}

#[test]
fn in_a_derive_per_session_windows_are_that_session() {
    let program = program(FLASH);
    let wash = program.sessions.iter().position(|s| s.name == "wash");
    let median = program.nodes.iter().find(|n| n.text == "median(flow)");
    let kind = median.map(|n| n.kind.clone()).expect("the node");
    let NodeKind::Window {
        func: WindowFn::Median,
        window,
        ..
    } = kind
    else {
        panic!("{kind:?}");
    };
    assert_eq!(Some(window), wash.map(crate::profile::Window::Session));
}

#[test]
fn a_fault_is_explained_with_its_numbers_in_both_languages() {
    let program = program(FLASH);
    let words = crate::profile::Words::default();
    let text = program.explain("leakage", &words).expect("the fault");
    for part in [
        "leak_day, median of the last 7 is at least 50 % * leak_limit (once there are 7 values)",
        "leak is at least leak_limit (0.75 mA) for 3 min without a break",
        "rcd_trip, times in 7 d is at least 1",
    ] {
        assert!(text.en.contains(part), "{part}\n{}", text.en);
    }
    assert!(
        text.zh
            .contains("leak不低于 leak_limit (0.75 mA)持续 3 min"),
        "{}",
        text.zh
    );
    let text = program
        .explain("water_over_temp", &words)
        .expect("the fault");
    let times = "the number of times in 1 d that ((out is at least 43 °C and set is at most 40 °C and function is 'wash') for 3 s without a break) is at least 2";
    assert!(text.en.contains(times), "{}", text.en);
    assert_eq!(program.explain("nothing", &words), None);
}

#[test]
fn a_reason_shows_values_in_their_units_and_a_dash_for_the_unknown() {
    let program = program(FLASH);
    let reason = fault(&program, "water_over_temp")
        .reason
        .as_ref()
        .expect("a reason");
    let text = reason.render(&|num| matches!(num, Num::Node(..)).then_some(49.23));
    assert_eq!(text.en, "Outlet water 49.2 °C (limit 48 °C), set –");
    assert_eq!(text.zh, "出水 49.2 °C（上限 48 °C），设定 –");
}
