//! Durations and sizes as people write them: `35 d`, `20 GiB`.

/// Parses `35 d`, `90 min`, `1.5 h`, `250 ms` to whole milliseconds.
///
/// # Errors
/// A sentence that says what was expected.
pub fn parse_duration_ms(text: &str) -> Result<u64, String> {
    let units = [
        ("ms", 1.0),
        ("s", 1e3),
        ("min", 60e3),
        ("h", 3_600e3),
        ("d", 86_400e3),
        ("wk", 604_800e3),
    ];
    quantity(text, &units).ok_or_else(|| {
        format!(
            "'{text}' is not a duration; write a number and ms, s, min, h, d or wk, such as 35 d"
        )
    })
}

/// Parses `20 GiB`, `512 MB` to bytes.
///
/// # Errors
/// A sentence that says what was expected.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("B", 1.0),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
    ];
    quantity(text, &units).ok_or_else(|| format!("'{text}' is not a size; write a number and B, kB, MB, GB, KiB, MiB or GiB, such as 20 GiB"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "checked to be finite, not negative and within the range of u64 just before"
)]
fn quantity(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let scale = units.iter().find(|(name, _)| *name == unit.trim())?.1;
    let value = number.parse::<f64>().ok()? * scale;
    (value.is_finite() && value >= 0.0 && value <= u64::MAX as f64 / 2.0)
        .then(|| value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_written() {
        assert_eq!(parse_duration_ms("35 d"), Ok(35 * 86_400_000));
        assert_eq!(parse_duration_ms("1.5h"), Ok(5_400_000));
        assert_eq!(parse_bytes("20 GiB"), Ok(20 << 30));
        assert!(parse_duration_ms("35").is_err());
        assert!(parse_duration_ms("-1 d").is_err());
        assert!(parse_bytes("20 Gib").expect_err("a typo").contains("GiB"));
    }
}
