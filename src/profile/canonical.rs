//! A profile in one form, whatever its layout: what its version is made from.

use std::fmt::Write;

use toml_edit::{Item, TableLike, Value};

/// Everything but comments, layout, the order of keys and `[[case]]`s.
pub(super) fn text(root: &dyn TableLike) -> String {
    let mut out = String::new();
    table(root, true, &mut out);
    out
}

fn table(table: &dyn TableLike, root: bool, out: &mut String) {
    let mut entries: Vec<(&str, &Item)> = table.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (key, value) in entries {
        if root && key == "case" {
            continue;
        }
        quoted(key, out);
        out.push('=');
        item(value, out);
        out.push(',');
    }
    out.push('}');
}

fn item(one: &Item, out: &mut String) {
    match one {
        Item::None => {}
        Item::Value(one) => value(one, out),
        Item::Table(inner) => table(inner, false, out),
        Item::ArrayOfTables(list) => {
            out.push('[');
            for inner in list {
                table(inner, false, out);
                out.push(',');
            }
            out.push(']');
        }
    }
}

fn value(one: &Value, out: &mut String) {
    match one {
        Value::String(text) => quoted(text.value(), out),
        Value::Integer(number) => plain(number.value(), out),
        Value::Float(number) => plain(number.value(), out),
        Value::Boolean(truth) => plain(truth.value(), out),
        Value::Datetime(time) => plain(&time.value().to_string(), out),
        Value::Array(list) => {
            out.push('[');
            for inner in list {
                value(inner, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::InlineTable(inner) => table(inner, false, out),
    }
}

fn quoted(text: &str, out: &mut String) {
    plain(&text, out);
}

fn plain(value: &impl std::fmt::Debug, out: &mut String) {
    // Writing to a String does not fail.
    write!(out, "{value:?}").ok();
}
