//! The alert rules: right in form, right in each state that they are for, and silent on a healthy gateway.

use std::fs;

use serde_json::Value;

use crate::process::Daemon;
use crate::process::wait_for;
use crate::prometheus::Prometheus;
use crate::prometheus::promtool;
use crate::prometheus::shipped;
use crate::rig::SOON;
use crate::rig::overheat;
use crate::rig::settings;

fn said(output: &std::process::Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_rules_and_the_sample_settings_are_right() {
    for arguments in [
        &["check", "rules", "--lint-fatal", "foremend.rules.yml"][..],
        &["check", "config", "prometheus.yml"],
        &["test", "rules", "foremend.rules.test.yml"],
    ] {
        let output = promtool(arguments, &shipped());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn every_alert_has_a_test_and_is_told_in_both_languages() {
    let rules = fs::read_to_string(shipped().join("foremend.rules.yml")).unwrap();
    let tests = fs::read_to_string(shipped().join("foremend.rules.test.yml")).unwrap();
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 15);
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        assert!(tests.contains(&format!("- name: {name}\n")), "{name}");
        for key in ["summary: ", "summary_zh: ", "description: ", "severity: "] {
            assert!(alert.contains(key), "{name} has no {key}");
        }
    }
}

#[test]
fn a_test_of_a_rule_fails_when_the_rule_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let rules = fs::read_to_string(shipped().join("foremend.rules.yml")).unwrap();
    fs::write(
        dir.path().join("foremend.rules.yml"),
        rules.replace("foremend_journal_full == 1", "foremend_journal_full == 2"),
    )
    .unwrap();
    fs::copy(
        shipped().join("foremend.rules.test.yml"),
        dir.path().join("foremend.rules.test.yml"),
    )
    .unwrap();
    let output = promtool(&["test", "rules", "foremend.rules.test.yml"], dir.path());
    assert!(!output.status.success());
    assert!(
        said(&output).contains("ForemendJournalFull"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_healthy_gateway_raises_none_and_every_metric_of_a_rule_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &settings(""));
    overheat(&daemon, "TSF5-MADEUP-07");
    let prometheus = Prometheus::watching(&daemon);
    let rules = wait_for("an evaluation of every rule", SOON, || {
        let answer = prometheus.get("/api/v1/rules");
        let rules = answer["data"]["groups"][0]["rules"].as_array()?.clone();
        let evaluated = rules.iter().all(|rule| {
            rule["health"]
                .as_str()
                .is_some_and(|health| health != "unknown")
        });
        (evaluated && !rules.is_empty()).then_some(rules)
    });
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        // A scrape that was missed on a busy machine makes one pending, no more.
        assert_ne!(rule["state"], "firing", "{rule}");
        for name in metrics_of(rule["query"].as_str().unwrap()) {
            let found = prometheus.query(&format!("count({{__name__=\"{name}\"}})"));
            let is_there = found.as_array().is_some_and(|found| !found.is_empty());
            // Counters by reason begin with their first one.
            let by_reason = [
                "foremend_messages_rejected_total",
                "foremend_series_points_refused_total",
            ];
            assert!(
                is_there || by_reason.contains(&name.as_str()),
                "{name} of {} is not told",
                rule["name"]
            );
        }
    }
    wait_for("a scrape", SOON, || {
        let up = prometheus.query("up{job=\"foremend\"} == 1");
        (!up.as_array()?.is_empty()).then_some(())
    });
    assert!(daemon.stop().success());
}

/// The names of metrics in an expression.
fn metrics_of(expression: &str) -> Vec<String> {
    expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("foremend_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn metrics_say_what_happened() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &settings(""));
    overheat(&daemon, "TSF5-MADEUP-07");
    let prometheus = Prometheus::watching(&daemon);
    let value = |expression: &str| -> Option<f64> {
        let found = prometheus.query(expression);
        found[0]["value"][1].as_str()?.parse().ok()
    };
    let at_last = |what: &str, expression: &str| {
        wait_for(what, SOON, || {
            value(expression).filter(|value| *value > 0.0)
        })
    };
    at_last(
        "the ticket",
        "foremend_tickets_opened_total{model=\"ts-flash5\", severity=\"S1\"}",
    );
    for stage in [
        "receive_to_ack",
        "journal_commit",
        "pipeline",
        "store_commit",
        "series_write",
    ] {
        let count = format!("foremend_stage_duration_seconds_count{{stage=\"{stage}\"}}");
        at_last(stage, &count);
        let mean = value(&format!(
            "foremend_stage_duration_seconds_sum{{stage=\"{stage}\"}} / {count}"
        ))
        .unwrap();
        assert!(mean > 0.0 && mean < 60.0, "{stage}: {mean}");
    }
    for name in [
        "foremend_event_to_ticket_seconds_count",
        "foremend_receive_to_ticket_seconds_count",
        "foremend_listener_received_bytes_total",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "foremend_tickets_open{status=\"new\"}",
        "foremend_tickets_open_by_severity{severity=\"S1\"}",
        "foremend_devices",
        "foremend_log_lines_total{level=\"info\"}",
    ] {
        at_last(name, name);
    }
    let version = prometheus.query("foremend_build_info");
    assert_eq!(
        version[0]["metric"]["version"],
        Value::from(env!("CARGO_PKG_VERSION"))
    );
    let started = value("process_start_time_seconds").unwrap();
    assert!((crate::rig::seconds_now() - started).abs() < 600.0);
    let sum = value(
        "sum(foremend_messages_decoded_total) + sum(foremend_messages_duplicate_total) + (sum(foremend_messages_rejected_total) or vector(0))",
    );
    let all = value("sum(foremend_messages_received_total)");
    assert!(all.is_some_and(|all| all >= 5.0));
    // Read at two moments, but nothing came in between.
    assert_eq!(sum, all);
    assert!(daemon.stop().success());
}
