//! Points as InfluxDB line protocol, written by ourselves because a string field must not be able to begin another line.
//!
//! Leaves checking to `check`, whose cleaned names this relies on. Invariant: one point is one line, whatever the texts are.

use super::super::check::{Checked, CheckedValue};

/// Appends one line, with its line end.
pub(in crate::series) fn encode(point: &Checked<'_>, out: &mut String) {
    // The names of measurements are our own and hold nothing to escape.
    out.push_str(point.measurement.as_str());
    for (key, value) in &point.tags {
        out.push(',');
        push_name(key, out);
        out.push('=');
        push_name(value, out);
    }
    let mut before = ' ';
    for (name, value) in &point.fields {
        out.push(before);
        before = ',';
        push_name(name, out);
        out.push('=');
        match value {
            CheckedValue::Float(number) => {
                out.push_str(ryu::Buffer::new().format_finite(*number));
            }
            CheckedValue::Text(text) => push_text(text, out),
        }
    }
    out.push(' ');
    out.push_str(itoa::Buffer::new().format(point.at_ms));
    out.push('\n');
}

/// Tag keys, tag values and field names: comma, equals and space are escaped.
fn push_name(name: &str, out: &mut String) {
    if !name.bytes().any(|b| matches!(b, b',' | b'=' | b' ')) {
        out.push_str(name);
        return;
    }
    for c in name.chars() {
        if matches!(c, ',' | '=' | ' ') {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Texts: in quotes, with quote and backslash escaped. A line end inside the quotes belongs to the text.
fn push_text(text: &str, out: &mut String) {
    out.push('"');
    if text.bytes().any(|b| matches!(b, b'"' | b'\\')) {
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
    } else {
        out.push_str(text);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use influxdb_line_protocol::FieldValue as ParsedValue;
    use influxdb_line_protocol::parse_lines;
    use proptest::prelude::*;
    use smol_str::SmolStr;

    use super::*;
    use crate::properties::cases;
    use crate::series::WriteReport;
    use crate::series::check::check;
    use crate::series::check::clean;
    use crate::telemetry::FieldValue;
    use crate::telemetry::Measurement;
    use crate::telemetry::Point;
    use crate::telemetry::Timestamp;

    fn point(tags: &[(&str, &str)], fields: &[(&str, FieldValue)], ms: i64) -> Point {
        Point {
            measurement: Measurement::Telemetry,
            device: "ts-flash5/A1".parse().unwrap(),
            tags: tags
                .iter()
                .map(|(key, value)| (SmolStr::from(*key), SmolStr::from(*value)))
                .collect(),
            at: Timestamp::from_ms(ms),
            fields: fields
                .iter()
                .map(|(name, value)| (SmolStr::from(*name), value.clone()))
                .collect(),
        }
    }

    fn line(point: &Point) -> String {
        let mut out = String::new();
        let checked = check(point, &mut WriteReport::default()).expect("a point to store");
        encode(&checked, &mut out);
        out
    }

    #[test]
    fn a_point_is_one_line_with_sorted_tags_and_its_milliseconds() {
        let point = point(
            &[("fault", "scale, \"b\"=c"), ("severity", "S3")],
            &[
                ("water.out_c", FieldValue::Float(48.5)),
                ("on", FieldValue::Float(1.0)),
                ("text", FieldValue::Text("a \"b\" \\ 水".into())),
            ],
            1_772_347_269_120,
        );
        assert_eq!(
            line(&point),
            "telemetry,fault=scale\\,\\ \"b\"\\=c,model=ts-flash5,serial=A1,severity=S3 \
             water.out_c=48.5,on=1.0,text=\"a \\\"b\\\" \\\\ 水\" 1772347269120\n"
        );
    }

    #[test]
    fn a_text_cannot_inject_a_point_of_another_device() {
        let hostile = "x\\\" 1\ntelemetry,model=ts-flash5,serial=VICTIM f=9 1\ntelemetry f=\"";
        let fields = [("f", FieldValue::Text(hostile.into()))];
        let text = line(&point(&[("mode", hostile)], &fields, 1));
        let lines: Vec<_> = parse_lines(&text).collect();
        assert_eq!(lines.len(), 1, "{text}");
        let parsed = lines[0].as_ref().expect("a valid line");
        assert_eq!(
            parsed
                .tag_value("serial")
                .map(ToString::to_string)
                .as_deref(),
            Some("A1")
        );
        assert!(
            matches!(parsed.field_value("f"), Some(ParsedValue::String(text)) if text.as_str() == hostile)
        );
    }

    fn hostile_text() -> impl Strategy<Value = String> {
        prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    '\\', '"', '\'', ',', '=', ' ', '\n', '\r', '\t', '\0', '#', 'a', '水'
                ]),
                any::<char>(),
            ],
            1..12,
        )
        .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn every_point_parses_back_to_itself(
            tag in hostile_text(),
            names in prop::collection::vec(hostile_text(), 1..4),
            text in hostile_text(),
            number in any::<f64>(),
            ms in -9_000_000_000_000_i64..9_000_000_000_000,
        ) {
            let mut fields: Vec<_> = names
                .iter()
                .map(|name| (name.as_str(), FieldValue::Float(number)))
                .collect();
            fields.push(("text", FieldValue::Text(text.as_str().into())));
            let given = point(&[("zone", tag.as_str())], &fields, ms);
            let mut report = WriteReport::default();
            let checked = check(&given, &mut report).expect("the text is left");
            let mut out = String::new();
            encode(&checked, &mut out);
            let lines: Vec<_> = parse_lines(&out).collect();
            prop_assert_eq!(lines.len(), 1, "{}", out);
            let parsed = match &lines[0] {
                Ok(parsed) => parsed,
                Err(error) => return Err(TestCaseError::fail(format!("{error}: {out:?}"))),
            };
            let zone = parsed.tag_value("zone").map(ToString::to_string);
            prop_assert_eq!(zone, Some(clean(&tag).into_owned()));
            prop_assert_eq!(parsed.timestamp, Some(ms));
            prop_assert_eq!(parsed.field_set.len(), checked.fields.len());
            for ((key, value), (name, expected)) in parsed.field_set.iter().zip(&checked.fields) {
                prop_assert_eq!(key.to_string(), name.as_ref());
                match (value, expected) {
                    (ParsedValue::F64(read), CheckedValue::Float(wrote)) => {
                        prop_assert_eq!(read.to_bits(), wrote.to_bits());
                    }
                    (ParsedValue::String(read), CheckedValue::Text(wrote)) => {
                        prop_assert_eq!(read.as_str(), wrote.as_ref());
                    }
                    _ => prop_assert!(false, "another type"),
                }
            }
        }
    }
}
