//! The words that all models share: causes, actions, customer messages, part titles, guides (`words/*.toml`).

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{Diagnostic, Reported, Sink, Span};
use super::sections::{Entry, Fields, document, entries, located_text, wrong_type};
use crate::telemetry::{ProfileText, Text};

/// Most steps of one guide; a person follows no more. More are refused.
const STEP_LIMIT: usize = 30;

/// Words in both languages, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    causes: BTreeMap<String, Text>,
    actions: BTreeMap<String, Text>,
    messages: BTreeMap<String, Text>,
    parts: BTreeMap<String, Text>,
    guides: BTreeMap<String, Vec<Text>>,
    stop_use: BTreeSet<String>,
}

impl Words {
    /// A probable cause.
    pub fn cause(&self, name: &str) -> Option<&Text> {
        self.causes.get(name)
    }

    /// What a person is to do.
    pub fn action(&self, name: &str) -> Option<&Text> {
        self.actions.get(name)
    }

    /// What the customer is told (`M01`…).
    pub fn message(&self, name: &str) -> Option<&Text> {
        self.messages.get(name)
    }

    /// What a part is called.
    pub fn part(&self, number: &str) -> Option<&Text> {
        self.parts.get(number)
    }

    /// The steps of a guide; empty when there is none. An action's guide has the action's name.
    pub fn guide(&self, name: &str) -> &[Text] {
        self.guides.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether this action or message tells the customer to stop using the appliance.
    pub fn stops_use(&self, name: &str) -> bool {
        self.stop_use.contains(name)
    }

    /// Names of causes.
    pub fn cause_names(&self) -> impl Iterator<Item = &str> {
        self.causes.keys().map(String::as_str)
    }

    /// Names of actions.
    pub fn action_names(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }

    /// Names of messages.
    pub fn message_names(&self) -> impl Iterator<Item = &str> {
        self.messages.keys().map(String::as_str)
    }

    /// Numbers of parts.
    pub fn part_names(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().map(String::as_str)
    }

    /// Reads a file of words into these.
    pub(super) fn read(&mut self, file: &ProfileText) -> Vec<Diagnostic> {
        let mut sink = Sink::new(file);
        // What is wrong is written down in the sink.
        self.read_into(&mut sink).ok();
        sink.finish()
    }

    fn read_into(&mut self, sink: &mut Sink<'_>) -> Result<(), Reported> {
        let document = document(sink)?;
        let what = "a file of words".to_owned();
        let mut fields = Fields::of_table(document.as_table(), Span::default(), what);
        for kind in ["cause", "action", "message", "part"] {
            let Some(entry) = fields.take(kind) else {
                continue;
            };
            for word in section(&entry, sink) {
                self.word(kind, &word, sink).ok();
            }
        }
        if let Some(entry) = fields.take("guide") {
            for guide in section(&entry, sink) {
                self.guide_steps(&guide, sink).ok();
            }
        }
        fields.finish(sink);
        Ok(())
    }

    fn word(&mut self, kind: &str, entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<(), Reported> {
        let mut fields = Fields::of(entry, format!("{kind} '{}'", entry.key), sink)?;
        let en = fields.string("en", sink);
        let zh = fields.string("zh", sink);
        if matches!(kind, "action" | "message")
            && fields.maybe_bool("stop_use", sink)?.unwrap_or(false)
        {
            self.stop_use.insert(entry.key.clone());
        }
        fields.finish(sink);
        let text = Text::new(en?.text, zh?.text);
        let list = match kind {
            "cause" => &mut self.causes,
            "action" => &mut self.actions,
            "message" => &mut self.messages,
            _ => &mut self.parts,
        };
        if list.insert(entry.key.clone(), text).is_some() {
            return Err(sink.error(
                entry.key_at,
                format!("{kind} '{}' is given twice", entry.key),
            ));
        }
        Ok(())
    }

    fn guide_steps(&mut self, entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<(), Reported> {
        let mut fields = Fields::of(entry, format!("guide '{}'", entry.key), sink)?;
        let steps = fields.require("steps", sink);
        fields.finish(sink);
        let steps = steps?;
        let Some(list) = steps.item.as_array().filter(|l| l.len() <= STEP_LIMIT) else {
            return Err(wrong_type(&steps, "a list of at most 30 steps", sink));
        };
        let mut texts = Vec::new();
        for value in list {
            let item = toml_edit::Item::Value(value.clone());
            let step = Entry {
                key: "step".to_owned(),
                key_at: Span::of(value.span()),
                item: &item,
            };
            let (en, zh) = located_text(&step, sink)?;
            texts.push(Text::new(en.text, zh.text));
        }
        if self.guides.insert(entry.key.clone(), texts).is_some() {
            return Err(sink.error(
                entry.key_at,
                format!("guide '{}' is given twice", entry.key),
            ));
        }
        Ok(())
    }
}

fn section<'a>(entry: &Entry<'a>, sink: &mut Sink<'_>) -> Vec<Entry<'a>> {
    let Some(table) = entry.item.as_table_like() else {
        let Reported = wrong_type(entry, "a table", sink);
        return Vec::new();
    };
    entries(table)
}
