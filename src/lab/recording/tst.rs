//! The time of receipt in its forms: `2026-03-01T06:41:09.120000Z+0000`, `…+0800`, without a fraction, plain RFC 3339.

use chrono::NaiveDateTime;

use crate::telemetry::{MINUTE_MS, SECOND_MS, Timestamp};

/// Reads a time with its offset to UTC; what is finer than a millisecond is cut off.
#[must_use]
pub fn parse_tst(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    // The date has signs of its own; the offset is looked for behind it.
    let time = text.find(['T', ' '])?;
    let end = text
        .get(time..)?
        .find(['Z', 'z', '+', '-'])
        .map(|index| time + index)?;
    let (local, zone) = text.split_at_checked(end)?;
    let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S%.f"))
        .ok()?;
    let offset = offset_ms(zone.strip_prefix(['Z', 'z']).unwrap_or(zone))?;
    Some(Timestamp::from_ms(local.and_utc().timestamp_millis()) - offset)
}

/// `+0800`, `+08:00` or `+08`; nothing is UTC.
fn offset_ms(zone: &str) -> Option<i64> {
    if zone.is_empty() {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at_checked(2)?;
    let hours: i64 = hours.parse().ok()?;
    let minutes: i64 = if minutes.is_empty() {
        0
    } else {
        minutes.parse().ok()?
    };
    Some(sign * (hours * 60 + minutes) * MINUTE_MS)
}

/// As `mosquitto_sub` 2.0 prints it.
pub(super) fn format_tst(at: Timestamp) -> String {
    match chrono::DateTime::from_timestamp_millis(at.ms()) {
        Some(time) => time.format("%Y-%m-%dT%H:%M:%S%.6fZ+0000").to_string(),
        // Outside the calendar; no journal holds such a time.
        None => format!("{} s", at.ms() / SECOND_MS),
    }
}
