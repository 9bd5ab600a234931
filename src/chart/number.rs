//! Numbers as people read them in a chart, in both languages.
//!
//! Leaves times to `calendar` and sentences to `words`. English groups thousands and sets a no-break space before every unit;
//! Chinese writes the percent sign without a space.

use crate::telemetry::Lang;

/// Numbers from here on are written with an exponent: more digits than a label has room for.
const LONG: f64 = 1e7;
/// Numbers below this are written with an exponent.
const TINY: f64 = 1e-5;

/// Three significant digits, no trailing zeros; what is no number is a dash.
#[must_use]
pub fn number(value: f64, lang: Lang) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let mut decimals = 0;
    let mut border = 100.0;
    // A number that rounds up into the next power of ten loses a decimal there.
    while size < border && decimals < 9 && size > 0.0 {
        border /= 10.0;
        decimals += 1;
    }
    if size > 0.0 && !(TINY..LONG).contains(&size) {
        return with_minus(&short_exponent(value));
    }
    let text = fixed(value, decimals, lang);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number with its unit.
#[must_use]
pub fn quantity(value: f64, unit: &str, lang: Lang) -> String {
    with_unit(&number(value, lang), unit, lang)
}

/// A number that is written already, with its unit.
pub(super) fn with_unit(number: &str, unit: &str, lang: Lang) -> String {
    match (unit, lang) {
        ("", _) => number.to_owned(),
        ("%", Lang::Zh) => format!("{number}%"),
        _ => format!("{number}\u{a0}{unit}"),
    }
}

/// A change in percent with its sign: `+64 %`, `−28 %`.
#[must_use]
pub fn relative(percent: f64, lang: Lang) -> String {
    let size = with_unit(&number(percent.abs(), lang), "%", lang);
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{size}")
}

/// A tick of an axis with so many decimals.
pub(super) fn tick(value: f64, decimals: usize, lang: Lang) -> String {
    let size = value.abs();
    if size >= LONG || (size > 0.0 && decimals > 5) {
        return with_minus(&short_exponent(value));
    }
    fixed(value, decimals, lang)
}

fn short_exponent(value: f64) -> String {
    let text = format!("{value:.2e}");
    let Some((digits, power)) = text.split_once('e') else {
        return text;
    };
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}e{power}")
}

fn fixed(value: f64, decimals: usize, lang: Lang) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let negative = value < 0.0 && text.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
    let text = match lang {
        Lang::En => grouped(&text),
        Lang::Zh => text,
    };
    if negative { format!("−{text}") } else { text }
}

fn with_minus(text: &str) -> String {
    text.strip_prefix('-')
        .map_or_else(|| text.to_owned(), |rest| format!("−{rest}"))
}

fn grouped(text: &str) -> String {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let mut out = String::with_capacity(text.len() + 4);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_the_guide_says() {
        let cases = [
            (684.2, "J/K", "684\u{a0}J/K", "684\u{a0}J/K"),
            (64.0, "%", "64\u{a0}%", "64%"),
            (1182.4, "", "1,182", "1182"),
            (0.583, "L/min", "0.583\u{a0}L/min", "0.583\u{a0}L/min"),
            (49.2, "°C", "49.2\u{a0}°C", "49.2\u{a0}°C"),
            (-12.5, "K", "−12.5\u{a0}K", "−12.5\u{a0}K"),
            (0.0, "", "0", "0"),
            (-0.0, "", "0", "0"),
            (1e300, "", "1e300", "1e300"),
            (f64::NAN, "W", "–\u{a0}W", "–\u{a0}W"),
            (2.5e-7, "A", "2.5e-7\u{a0}A", "2.5e-7\u{a0}A"),
        ];
        for (value, unit, en, zh) in cases {
            assert_eq!(quantity(value, unit, Lang::En), en);
            assert_eq!(quantity(value, unit, Lang::Zh), zh);
        }
        assert_eq!(relative(-28.4, Lang::Zh), "−28.4%");
        assert_eq!(relative(64.0, Lang::En), "+64\u{a0}%");
        assert_eq!(tick(1_000_000.0, 0, Lang::En), "1,000,000");
        assert_eq!(tick(0.5, 2, Lang::En), "0.50");
    }
}
