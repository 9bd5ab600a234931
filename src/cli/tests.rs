//! What the help and the settings template promise.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;

use super::Cli;
use super::init::TEMPLATE;
use crate::config;
use crate::config::Config;

/// Every command below this one, with the way to it.
fn walk(command: &clap::Command, way: &str, found: &mut Vec<(String, String)>) {
    let way = format!("{way} {}", command.get_name());
    let help = command
        .get_after_help()
        .map_or_else(String::new, ToString::to_string);
    found.push((way.trim().to_owned(), help));
    for inner in command.get_subcommands() {
        if inner.get_name() != "help" {
            walk(inner, &way, found);
        }
    }
}

#[test]
fn the_help_of_every_command_shows_an_example_of_that_command() {
    let mut all = Vec::new();
    walk(&Cli::command(), "", &mut all);
    assert!(all.len() >= 14, "{all:?}");
    for (way, help) in all {
        let (_, examples) = help
            .split_once("Example")
            .unwrap_or_else(|| panic!("`{way} --help` shows no example"));
        assert!(
            examples.contains(&format!("  {way} ")) || examples.contains(&format!("  {way}\n")),
            "the example of `{way}` is of something else: {help}"
        );
    }
}

/// Loads a text with the files beside it that it may name.
fn load(text: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("foremend.toml");
    fs::write(&path, text).unwrap();
    fs::write(dir.path().join("influx-token"), "made-up").unwrap();
    let mut config = config::load(Some(&path)).unwrap_or_else(|error| panic!("{error}"));
    // As if the file lay where nothing is read from.
    config.move_data(Path::new(".").join(config.data_dir.file_name().unwrap()));
    let profiles = config.profiles_dir.file_name().unwrap();
    config.profiles_dir = Path::new(".").join(profiles);
    config
}

/// The template with the first comment sign of every line taken away.
fn uncommented() -> String {
    TEMPLATE
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[test]
fn the_written_settings_change_nothing() {
    assert_eq!(
        format!("{:?}", load(TEMPLATE)),
        format!("{:?}", Config::built_in())
    );
    for line in TEMPLATE.lines() {
        assert!(line.is_empty() || line.starts_with('#'), "{line}");
        assert!(line.chars().count() <= 130, "{line}");
    }
}

#[test]
fn every_comment_of_the_written_settings_is_right_and_shows_the_default() {
    let config = load(&uncommented());
    assert_eq!(config.brokers.len(), 1);
    assert!(config.influxdb.is_some());
    let listener = config.listener.unwrap();
    assert!(listener.tls.is_some() && listener.users_file_is_named);
    // What is not an example is a default.
    let built_in = Config::built_in();
    let door = built_in.listener.as_ref().unwrap();
    assert_eq!(listener.listen, door.listen);
    assert_eq!(listener.grants_subscriptions, door.grants_subscriptions);
    assert_eq!(config.data_dir, built_in.data_dir);
    assert_eq!(config.profiles_dir, built_in.profiles_dir);
    assert_eq!(config.http.listen, built_in.http.listen);
    assert_eq!(config.journal, built_in.journal);
    assert_eq!(config.series, built_in.series);
    assert_eq!(config.log, built_in.log);
    assert_eq!(config.settings.timezone, built_in.settings.timezone);
    assert_eq!(
        config.settings.adopt_unknown,
        built_in.settings.adopt_unknown
    );
    assert_eq!(config.settings.sources[..1], built_in.settings.sources[..]);
}

/// The keys that an error says are known in this section; the empty name: the sections.
fn known(section: &str) -> BTreeSet<String> {
    let text = match section {
        "" => "nonsense_key = 1\n".to_owned(),
        "broker" => "[[broker]]\nnonsense_key = 1\n".into(),
        "source" => "[[source]]\nnonsense_key = 1\n".into(),
        section => format!("[{section}]\nnonsense_key = 1\n"),
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("foremend.toml");
    fs::write(&path, text).unwrap();
    let error = config::load(Some(&path)).unwrap_err().to_string();
    let (_, list) = error
        .split_once("known here: ")
        .unwrap_or_else(|| panic!("{section}: {error}"));
    let (list, _) = list.split_once(')').unwrap();
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_stands_in_the_written_settings() {
    let text = uncommented();
    let document: toml_edit::DocumentMut = text.parse().unwrap();
    for section in known("") {
        let item = document
            .get(&section)
            .unwrap_or_else(|| panic!("[{section}] is missing"));
        let mut shown = BTreeSet::new();
        match item {
            toml_edit::Item::ArrayOfTables(tables) => {
                for table in tables {
                    shown.extend(table.iter().map(|(key, _)| key.to_owned()));
                }
            }
            item => {
                let table = item.as_table_like().unwrap();
                shown.extend(table.iter().map(|(key, _)| key.to_owned()));
            }
        }
        assert_eq!(shown, known(&section), "[{section}]");
    }
}
