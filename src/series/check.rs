//! What both stores agree to take: a point becomes a checked one, or is counted as refused.
//!
//! Leaves the form on the wire or on disk to the stores. Invariant: names and tag values of a [`Checked`] hold no control
//! character and no backslash that could join what follows; tags are sorted and unique, fields unique, numbers finite.

use std::borrow::Cow;

use crate::telemetry::FieldValue;
use crate::telemetry::Measurement;
use crate::telemetry::Point;

use super::{RefusedReason, WriteReport};

/// Longest name of a tag or field and longest tag value, bytes. InfluxDB takes keys of 65,535 with all their parts.
const NAME_LIMIT: usize = 1_024;
/// Longest text of a string field, bytes. Status texts are far shorter; InfluxDB takes more.
const TEXT_LIMIT: usize = 16 * 1_024;
/// Instants must lie within this many ms of 1970: InfluxDB counts nanoseconds in 64 bits.
const TIME_LIMIT_MS: i64 = i64::MAX / 1_000_000;

/// A point that can be stored as it is.
#[derive(Debug)]
pub(super) struct Checked<'point> {
    /// Which measurement.
    pub(super) measurement: Measurement,
    /// Tags without an empty one, sorted by key.
    pub(super) tags: Vec<(Cow<'point, str>, Cow<'point, str>)>,
    /// When, ms.
    pub(super) at_ms: i64,
    /// At least one field; each name once.
    pub(super) fields: Vec<(Cow<'point, str>, CheckedValue<'point>)>,
}

/// A value that can be stored as it is.
#[derive(Debug, PartialEq)]
pub(super) enum CheckedValue<'point> {
    /// A finite number.
    Float(f64),
    /// Text with LF as its only line end.
    Text(Cow<'point, str>),
}

impl CheckedValue<'_> {
    /// Whether it is no number.
    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// Checks a point; what cannot be stored is counted in `report`.
pub(super) fn check<'point>(
    point: &'point Point,
    report: &mut WriteReport,
) -> Option<Checked<'point>> {
    if point.at.ms().saturating_abs() >= TIME_LIMIT_MS {
        report.refuse(RefusedReason::TimeOutOfRange, 1);
        return None;
    }
    let tags = tags(point, report);
    let fields = fields(point, report);
    if fields.is_empty() {
        report.refuse(RefusedReason::NoFields, 1);
        return None;
    }
    Some(Checked {
        measurement: point.measurement,
        tags,
        at_ms: point.at.ms(),
        fields,
    })
}

/// Replaces what a tag or a name cannot carry: control characters, and a backslash that would escape what follows.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    // Nearly every name; this runs for each value.
    if text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'[' | b']'..=b'~'))
    {
        return Cow::Borrowed(text);
    }
    let wrong = |c: char, next: Option<char>| {
        c.is_control()
            || (c == '\\' && next.is_none_or(|next| next.is_control() || " ,=\\\"".contains(next)))
    };
    let mut chars = text.chars().peekable();
    let mut all_right = true;
    while let Some(c) = chars.next() {
        all_right &= !wrong(c, chars.peek().copied());
    }
    if all_right {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let keep = !wrong(c, chars.peek().copied());
        clean.push(if keep { c } else { '_' });
    }
    Cow::Owned(clean)
}

fn tags<'point>(
    point: &'point Point,
    report: &mut WriteReport,
) -> Vec<(Cow<'point, str>, Cow<'point, str>)> {
    let mut tags = Vec::with_capacity(point.tags.len() + 2);
    tags.push((Cow::Borrowed("model"), clean(point.device.model())));
    tags.push((Cow::Borrowed("serial"), clean(point.device.serial())));
    for (key, value) in &point.tags {
        if value.is_empty() {
            continue;
        }
        if key.is_empty() || key.len() > NAME_LIMIT || value.len() > NAME_LIMIT {
            report.refuse(RefusedReason::NameOrTextTooLong, 1);
            continue;
        }
        let key = clean(key);
        if is_reserved_tag(&key) || tags.iter().any(|(taken, _)| *taken == key) {
            report.refuse(RefusedReason::ReservedName, 1);
            continue;
        }
        tags.push((key, clean(value)));
    }
    tags.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    tags
}

fn fields<'point>(
    point: &'point Point,
    report: &mut WriteReport,
) -> Vec<(Cow<'point, str>, CheckedValue<'point>)> {
    let mut fields: Vec<(Cow<'point, str>, CheckedValue<'point>)> =
        Vec::with_capacity(point.fields.len());
    for (name, value) in &point.fields {
        if name.is_empty() || name.len() > NAME_LIMIT {
            report.refuse(RefusedReason::NameOrTextTooLong, 1);
            continue;
        }
        let value = match value {
            FieldValue::Float(number) if number.is_finite() => CheckedValue::Float(*number),
            FieldValue::Float(_) => {
                report.refuse(RefusedReason::NonFinite, 1);
                continue;
            }
            FieldValue::Text(text) if text.len() <= TEXT_LIMIT => {
                CheckedValue::Text(line_ends(text))
            }
            FieldValue::Text(_) => {
                report.refuse(RefusedReason::NameOrTextTooLong, 1);
                continue;
            }
        };
        let name = clean(name);
        // InfluxDB drops a field of this name without a word.
        if name == "time" {
            report.refuse(RefusedReason::ReservedName, 1);
            continue;
        }
        match fields.iter_mut().find(|(taken, _)| *taken == name) {
            Some((_, earlier)) => *earlier = value,
            None => fields.push((name, value)),
        }
    }
    fields
}

/// `model` and `serial` say whose the point is; the others are columns of the database's own in an answer.
fn is_reserved_tag(key: &str) -> bool {
    key.starts_with('_')
        || matches!(
            key,
            "model" | "serial" | "time" | "result" | "table" | "error" | "reference"
        )
}

/// One kind of line end, so that a text reads back the same from every store: CSV answers cannot tell them apart.
fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Timestamp;

    fn point(fields: Vec<(&str, FieldValue)>) -> Point {
        Point {
            measurement: Measurement::Telemetry,
            device: "ts-flash5/A1".parse().unwrap(),
            tags: Vec::new(),
            at: Timestamp::from_ms(1),
            fields: fields
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        }
    }

    #[test]
    fn a_name_loses_only_what_could_break_a_line() {
        for (given, expected) in [
            ("water.out_c", "water.out_c"),
            ("水温 a=b,c", "水温 a=b,c"),
            ("a\nb\r\tc\0", "a_b__c_"),
            ("C:\\dir", "C:\\dir"),
            ("end\\", "end_"),
            ("a\\,b\\=c\\ d", "a_,b_=c_ d"),
            ("a\\\\b", "a_\\b"),
            ("a\\\n", "a__"),
        ] {
            assert_eq!(clean(given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_number_that_is_not_finite_is_counted_and_the_rest_is_kept() {
        let mut report = WriteReport::default();
        let point = point(vec![
            ("a", FieldValue::Float(f64::NAN)),
            ("b", FieldValue::Float(2.0)),
            ("c", FieldValue::Float(f64::INFINITY)),
        ]);
        let checked = check(&point, &mut report).expect("b is left");
        assert_eq!(checked.fields, vec![("b".into(), CheckedValue::Float(2.0))]);
        assert_eq!(report.refused[&RefusedReason::NonFinite], 2);
    }

    #[test]
    fn a_point_without_a_field_is_refused() {
        let mut report = WriteReport::default();
        assert!(check(&point(vec![("time", FieldValue::Float(1.0))]), &mut report).is_none());
        assert_eq!(report.refused[&RefusedReason::ReservedName], 1);
        assert_eq!(report.refused[&RefusedReason::NoFields], 1);
    }

    #[test]
    fn a_time_is_taken_up_to_the_end_of_the_range_and_no_further() {
        for (ms, taken) in [
            (TIME_LIMIT_MS - 1, true),
            (TIME_LIMIT_MS, false),
            (1 - TIME_LIMIT_MS, true),
            (-TIME_LIMIT_MS, false),
            (i64::MIN, false),
        ] {
            let mut given = point(vec![("a", FieldValue::Float(1.0))]);
            given.at = Timestamp::from_ms(ms);
            let mut report = WriteReport::default();
            assert_eq!(check(&given, &mut report).is_some(), taken, "{ms}");
        }
    }

    #[test]
    fn a_tag_cannot_take_the_place_of_the_device() {
        let mut given = point(vec![("a", FieldValue::Float(1.0))]);
        given.tags = vec![
            ("serial".into(), "VICTIM".into()),
            ("mode".into(), "1".into()),
            ("fault".into(), SmolStr::default()),
        ];
        let mut report = WriteReport::default();
        let checked = check(&given, &mut report).expect("it has a field");
        let tags: Vec<_> = checked
            .tags
            .iter()
            .map(|(key, value)| (key.as_ref(), value.as_ref()))
            .collect();
        assert_eq!(
            tags,
            [("mode", "1"), ("model", "ts-flash5"), ("serial", "A1")]
        );
        assert_eq!(report.refused[&RefusedReason::ReservedName], 1);
    }

    use smol_str::SmolStr;

    #[test]
    fn of_a_field_named_twice_the_later_value_is_taken() {
        let mut report = WriteReport::default();
        let point = point(vec![
            ("a\n", FieldValue::Float(1.0)),
            ("a_", FieldValue::Float(2.0)),
            ("t", FieldValue::Text("x\r\ny\rz".into())),
        ]);
        let checked = check(&point, &mut report).expect("it has fields");
        assert_eq!(
            checked.fields,
            vec![
                ("a_".into(), CheckedValue::Float(2.0)),
                ("t".into(), CheckedValue::Text("x\ny\nz".into()))
            ]
        );
    }
}
