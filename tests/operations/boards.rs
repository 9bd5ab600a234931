//! The dashboards as files: what Grafana would refuse or draw wrongly, and what a person would miss.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::rig::root;

/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;
/// The newest form of the classic model that older Grafana still takes.
const SCHEMA: u64 = 39;

/// Every dashboard, with its file name.
pub(crate) fn boards() -> Vec<(String, Value)> {
    let mut boards: Vec<(String, Value)> = fs::read_dir(root().join("dashboards/grafana"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let board =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, board)
        })
        .collect();
    boards.sort_by(|a, b| a.0.cmp(&b.0));
    boards
}

/// A list in a document; empty where there is none.
pub(crate) fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

/// A text for people of both languages.
fn is_bilingual(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
        && text.chars().any(|c| c.is_ascii_alphabetic())
}

#[test]
fn every_board_has_its_place_and_names() {
    let boards = boards();
    let names: Vec<&str> = boards.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "foremend-device.json",
            "foremend-fleet.json",
            "foremend-gateway.json",
            "foremend-tickets.json"
        ]
    );
    for (name, board) in &boards {
        assert!(board["id"].is_null(), "{name}: Grafana gives the id");
        let uid = text(board, "uid");
        assert_eq!(format!("{uid}.json"), *name);
        assert!(uid.len() <= 40, "{name}");
        assert_eq!(board["schemaVersion"], SCHEMA, "{name}");
        assert_eq!(board["timezone"], "browser", "{name}");
        assert!(list(board, "tags").contains(&"foremend".into()), "{name}");
        assert!(!text(board, "description").is_empty(), "{name}");
        // The gateway's is for whoever runs it; the others are read by service people.
        let for_service = uid != "foremend-gateway";
        let mut shown = vec![text(board, "title")];
        for panel in list(board, "panels") {
            shown.push(text(panel, "title"));
            if panel["type"] != "row" {
                shown.push(text(panel, "description"));
            }
        }
        for title in shown {
            assert!(!title.is_empty(), "{name}");
            assert!(!for_service || is_bilingual(title), "{name}: '{title}'");
        }
    }
}

#[test]
fn every_panel_has_a_place_a_unit_and_its_own_id() {
    for (name, board) in boards() {
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in list(&board, "panels") {
            let title = text(panel, "title");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title}");
            let place = &panel["gridPos"];
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| place[key].as_u64().unwrap());
            assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{name}: {title}");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{name}: {title} lies on another");
            }
            if panel["type"] == "row" {
                continue;
            }
            assert!(
                ["stat", "timeseries", "table"].contains(&text(panel, "type")),
                "{name}: {title}"
            );
            let unit = text(&panel["fieldConfig"]["defaults"], "unit");
            assert!(!unit.is_empty(), "{name}: {title} has no unit");
            let targets = list(panel, "targets");
            assert!(!targets.is_empty(), "{name}: {title} shows nothing");
            let refs: BTreeSet<&str> = targets.iter().map(|target| text(target, "refId")).collect();
            assert_eq!(refs.len(), targets.len(), "{name}: {title}");
        }
    }
}

#[test]
fn every_source_and_variable_is_defined_and_nothing_names_a_machine() {
    for (name, board) in boards() {
        let variables: BTreeSet<&str> = list(&board["templating"], "list")
            .iter()
            .map(|variable| text(variable, "name"))
            .collect();
        let kinds = [("influxdb", "DS_INFLUXDB"), ("prometheus", "DS_PROMETHEUS")];
        let check_source = |of: &Value, what: &str| {
            let (kind, uid) = (
                text(&of["datasource"], "type"),
                text(&of["datasource"], "uid"),
            );
            let known = kinds
                .iter()
                .any(|(known, variable)| kind == *known && uid == format!("${{{variable}}}"));
            assert!(known, "{name}: {what} has the source {kind} {uid}");
        };
        for panel in list(&board, "panels") {
            if panel["type"] == "row" {
                continue;
            }
            check_source(panel, text(panel, "title"));
            for target in list(panel, "targets") {
                check_source(target, text(panel, "title"));
            }
        }
        for annotation in list(&board["annotations"], "list") {
            check_source(annotation, text(annotation, "name"));
        }
        let whole = board.to_string();
        for (at, _) in whole.match_indices("${") {
            let rest = &whole[at + 2..];
            let used = &rest[..rest.find(['}', ':']).unwrap()];
            assert!(
                variables.contains(used),
                "{name}: ${{{used}}} is not defined"
            );
        }
        for variable in variables {
            assert!(
                whole.contains(&format!("${{{variable}")),
                "{name}: {variable} is not used"
            );
        }
        assert!(
            !whole.contains("http://") && !whole.contains("localhost"),
            "{name}"
        );
    }
}

#[test]
fn provisioning_names_what_is_there() {
    let read = |path: &str| fs::read_to_string(root().join("dashboards").join(path)).unwrap();
    let sources = read("provisioning/datasources/foremend.yaml");
    for needed in [
        "type: influxdb",
        "version: Flux",
        "type: prometheus",
        "defaultBucket: $FOREMEND_INFLUXDB_BUCKET",
        "token: $FOREMEND_INFLUXDB_TOKEN",
    ] {
        assert!(sources.contains(needed), "{needed}");
    }
    let boards = read("provisioning/dashboards/foremend.yaml");
    assert!(boards.contains("type: file") && boards.contains("path: "));
    for text in [sources, boards] {
        assert!(text.contains("apiVersion: 1") && !text.contains('\t'));
    }
}
