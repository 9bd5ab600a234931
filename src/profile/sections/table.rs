//! Strict reading of TOML tables: each key is taken once, what remains is a mistake with a suggestion.

use toml_edit::{Item, TableLike, Value};

use crate::profile::diagnostic::{Reported, Sink, Span, suggest};
use crate::profile::lexer::Located;
use crate::telemetry::Text;

/// A table whose keys are being read.
pub(crate) struct Fields<'a> {
    what: String,
    at: Span,
    table: &'a dyn TableLike,
    known: Vec<&'static str>,
}

/// A key's value with its places.
pub(crate) struct Entry<'a> {
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_at: Span,
    /// The value.
    pub(crate) item: &'a Item,
}

impl Entry<'_> {
    /// Where the value stands (the key, for tables spread over lines).
    pub(crate) fn at(&self) -> Span {
        match self.item {
            Item::Value(value) => Span::of(value.span()),
            Item::None | Item::Table(_) | Item::ArrayOfTables(_) => self.key_at,
        }
    }
}

impl<'a> Fields<'a> {
    /// Starts reading; `what` names the table in diagnostics.
    pub(crate) fn of(
        entry: &Entry<'a>,
        what: String,
        sink: &mut Sink<'_>,
    ) -> Result<Self, Reported> {
        let at = entry.at();
        let Some(table) = entry.item.as_table_like() else {
            return Err(sink.error_with(
                at,
                format!("{what} is {}", type_name(entry.item)),
                "expected a table, as in { key = value }",
            ));
        };
        Ok(Self::of_table(table, at, what))
    }

    /// Starts reading a table that is already at hand.
    pub(crate) fn of_table(table: &'a dyn TableLike, at: Span, what: String) -> Self {
        Self {
            what,
            at,
            table,
            known: Vec::new(),
        }
    }

    /// Where the table stands.
    pub(crate) fn at(&self) -> Span {
        self.at
    }

    /// Takes a key.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        self.known.push(key);
        entry(self.table, key)
    }

    /// Takes a key that must be there.
    pub(crate) fn require(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Result<Entry<'a>, Reported> {
        self.take(key)
            .ok_or_else(|| sink.error(self.at, format!("{} needs '{key}'", self.what)))
    }

    /// Text that must be there.
    pub(crate) fn string(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Result<Located, Reported> {
        let entry = self.require(key, sink)?;
        string(&entry, sink)
    }

    /// Text that may be there.
    pub(crate) fn maybe_string(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Located>, Reported> {
        self.take(key).map(|e| string(&e, sink)).transpose()
    }

    /// A truth value that may be there.
    pub(crate) fn maybe_bool(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Result<Option<bool>, Reported> {
        let Some(entry) = self.take(key) else {
            return Ok(None);
        };
        match entry.item.as_bool() {
            Some(truth) => Ok(Some(truth)),
            None => Err(wrong_type(&entry, "true or false", sink)),
        }
    }

    /// A number that may be there.
    pub(crate) fn maybe_number(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Result<Option<f64>, Reported> {
        self.take(key).map(|e| number(&e, sink)).transpose()
    }

    /// Text in both languages that may be there.
    pub(crate) fn maybe_text(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Text>, Reported> {
        self.take(key).map(|e| text(&e, sink)).transpose()
    }

    /// Every key of the table, in the order of the file; nothing is left for [`Fields::finish`].
    pub(crate) fn entries(&self) -> Vec<Entry<'a>> {
        entries(self.table)
    }

    /// Reports every key that was not taken.
    pub(crate) fn finish(self, sink: &mut Sink<'_>) {
        for entry in entries(self.table) {
            if !self.known.contains(&entry.key.as_str()) {
                sink.error_maybe(
                    entry.key_at,
                    format!("{} has no key '{}'", self.what, entry.key),
                    suggest(&entry.key, &self.known, "known keys"),
                );
            }
        }
    }
}

/// Every key of a table, in the order of the file.
pub(crate) fn entries(table: &dyn TableLike) -> Vec<Entry<'_>> {
    table
        .iter()
        .filter_map(|(key, _)| entry(table, key))
        .collect()
}

/// Text.
pub(crate) fn string(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Located, Reported> {
    match entry.item.as_value() {
        Some(Value::String(text)) => Ok(located(text.value(), Span::of(text.span()), sink.text())),
        _ => Err(wrong_type(entry, "text in quotes", sink)),
    }
}

/// A list of texts.
pub(crate) fn strings(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Vec<Located>, Reported> {
    let Some(array) = entry.item.as_array() else {
        return Err(wrong_type(entry, "a list of texts", sink));
    };
    let mut list = Vec::new();
    for value in array {
        let Value::String(text) = value else {
            return Err(sink.error_with(
                Span::of(value.span()),
                format!("{} in a list of texts", article(value.type_name())),
                "expected text in quotes",
            ));
        };
        list.push(located(text.value(), Span::of(text.span()), sink.text()));
    }
    Ok(list)
}

/// A list of numbers.
pub(crate) fn numbers(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Vec<f64>, Reported> {
    let Some(array) = entry.item.as_array() else {
        return Err(wrong_type(entry, "a list of numbers", sink));
    };
    let mut list = Vec::new();
    for value in array {
        match as_number(value) {
            Some(number) => list.push(number),
            None => {
                return Err(sink.error_with(
                    Span::of(value.span()),
                    format!("{} in a list of numbers", article(value.type_name())),
                    "expected a number",
                ));
            }
        }
    }
    Ok(list)
}

/// A number.
pub(crate) fn number(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<f64, Reported> {
    entry
        .item
        .as_value()
        .and_then(as_number)
        .ok_or_else(|| wrong_type(entry, "a number", sink))
}

/// A whole number from 1.
pub(crate) fn count(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<u32, Reported> {
    entry
        .item
        .as_integer()
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n > 0)
        .ok_or_else(|| wrong_type(entry, "a whole number from 1", sink))
}

/// Text in both languages: `{ en = "…", zh = "…" }`.
pub(crate) fn text(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Text, Reported> {
    let (en, zh) = located_text(entry, sink)?;
    Ok(Text::new(en.text, zh.text))
}

/// Text in both languages, with the places of both.
pub(crate) fn located_text(
    entry: &Entry<'_>,
    sink: &mut Sink<'_>,
) -> Result<(Located, Located), Reported> {
    if !entry.item.is_table_like() {
        return Err(wrong_type(
            entry,
            "both languages, as in { en = \"…\", zh = \"…\" }",
            sink,
        ));
    }
    let mut fields = Fields::of(entry, format!("'{}'", entry.key), sink)?;
    let en = fields.string("en", sink);
    let zh = fields.string("zh", sink);
    fields.finish(sink);
    Ok((en?, zh?))
}

/// Writes down that a value has the wrong type.
pub(crate) fn wrong_type(entry: &Entry<'_>, expected: &str, sink: &mut Sink<'_>) -> Reported {
    sink.error_with(
        entry.at(),
        format!("'{}' is {}", entry.key, type_name(entry.item)),
        format!("expected {expected}"),
    )
}

fn entry<'a>(table: &'a dyn TableLike, key: &str) -> Option<Entry<'a>> {
    let (name, item) = table.get_key_value(key)?;
    Some(Entry {
        key: name.get().to_owned(),
        key_at: Span::of(name.span()),
        item,
    })
}

fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number.value()).filter(|n| n.is_finite()),
        #[expect(
            clippy::cast_precision_loss,
            reason = "profile numbers are far below 2^53"
        )]
        Value::Integer(number) => Some(*number.value() as f64),
        _ => None,
    }
}

fn located(text: &str, at: Span, file: &str) -> Located {
    let raw = file.get(at.start..at.end).unwrap_or_default();
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        3
    } else {
        1
    };
    let mut skip = quotes;
    let after = raw.get(quotes..).unwrap_or_default();
    if quotes == 3 {
        skip += after.len() - after.trim_start_matches('\r').len();
        let after = raw.get(skip..).unwrap_or_default();
        skip += usize::from(after.starts_with('\n'));
    }
    let unchanged = raw.get(skip..).is_some_and(|rest| rest.starts_with(text));
    Located {
        text: text.to_owned(),
        at,
        inner: unchanged.then_some(at.start + skip),
    }
}

fn type_name(item: &Item) -> String {
    article(item.type_name())
}

fn article(name: &str) -> String {
    match name {
        "string" => "text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "integer" | "array" | "inline table" | "array of tables" => format!("an {name}"),
        "float" => "a number".to_owned(),
        _ => format!("a {name}"),
    }
}
