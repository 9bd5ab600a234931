//! Small pieces of text that the parts of the page share: bold words, numbers in a reason, values with units.

use crate::chart;
use crate::profile::Piece;
use crate::profile::Template;
use crate::telemetry::Lang;
use crate::telemetry::Text;
use crate::web::pages::parts::Markup;
use crate::web::pages::parts::escaped;

/// Spans from here on are told in larger units than seconds.
const LONG_S: f64 = 120.0;

/// Text in which `**…**` is bold; everything else is escaped. A mark without its twin stays as it is.
pub(super) fn marked(text: &str) -> Markup {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("**") {
        let Some((bold, after)) = after.split_once("**") else {
            break;
        };
        out.push_str(&escaped(before));
        out.push_str("<b>");
        out.push_str(&escaped(bold));
        out.push_str("</b>");
        rest = after;
    }
    out.push_str(&escaped(rest));
    Markup::trusted(out)
}

/// A value with its unit; a long time in larger units than seconds.
pub(super) fn shown(value: f64, unit: &str, lang: Lang) -> String {
    if unit == "s" && value.is_finite() && value.abs() >= LONG_S {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast saturates; no span of a device is that long"
        )]
        return chart::span_words((value * 1000.0) as i64, lang);
    }
    chart::quantity(value, unit, lang)
}

/// The reason with its numbers in bold: where the profile's sentence has a value, else nowhere.
pub(super) fn reason(reason: &Text, template: Option<&Template>, lang: Lang) -> Markup {
    let text = reason.of(lang);
    let pieces = template.map(|template| match lang {
        Lang::En => &template.en,
        Lang::Zh => &template.zh,
    });
    pieces
        .and_then(|pieces| bold_values(text, pieces))
        .unwrap_or_else(|| Markup::text(text))
}

/// `None` when the text was not made from this sentence: the profile has changed since.
fn bold_values(text: &str, pieces: &[Piece]) -> Option<Markup> {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    for (at, piece) in pieces.iter().enumerate() {
        if let Piece::Text(fixed) = piece {
            rest = rest.strip_prefix(fixed.as_str())?;
            out.push_str(&escaped(fixed));
            continue;
        }
        let end = match pieces.get(at + 1) {
            Some(Piece::Text(fixed)) => rest.find(fixed.as_str())?,
            Some(_) => return None,
            None => rest.len(),
        };
        let (value, after) = rest.split_at(end);
        out.push_str("<b>");
        out.push_str(&escaped(value));
        out.push_str("</b>");
        rest = after;
    }
    rest.is_empty().then(|| Markup::trusted(out))
}

#[cfg(test)]
mod tests {
    use crate::profile::Num;
    use crate::profile::Unit;

    use super::*;

    fn value() -> Piece {
        Piece::Value {
            value: Num::Const(1.0),
            unit: Unit::NONE,
        }
    }

    #[test]
    fn the_values_of_a_reason_are_bold_and_its_text_is_escaped() {
        let template = Template {
            en: vec![
                Piece::Text("Outlet ".into()),
                value(),
                Piece::Text(" (limit 48 °C), <set> ".into()),
                value(),
            ],
            zh: vec![Piece::Text("出水 ".into()), value()],
        };
        let told = Text::new("Outlet 49 °C (limit 48 °C), <set> 38 °C", "出水 49 °C");
        assert_eq!(
            reason(&told, Some(&template), Lang::En).as_str(),
            "Outlet <b>49 °C</b> (limit 48 °C), &lt;set&gt; <b>38 °C</b>"
        );
        assert_eq!(
            reason(&told, Some(&template), Lang::Zh).as_str(),
            "出水 <b>49 °C</b>"
        );
        // Made from another sentence: shown as it is.
        let other = Text::same("Water <i>49 °C</i>");
        assert_eq!(
            reason(&other, Some(&template), Lang::En).as_str(),
            "Water &lt;i&gt;49 °C&lt;/i&gt;"
        );
        assert_eq!(reason(&told, None, Lang::Zh).as_str(), "出水 49 °C");
    }

    #[test]
    fn bold_marks_come_in_pairs() {
        assert_eq!(marked("**3 of 5** <b>").as_str(), "<b>3 of 5</b> &lt;b&gt;");
        assert_eq!(marked("2 ** 3").as_str(), "2 ** 3");
        assert_eq!(marked("**a** **b").as_str(), "<b>a</b> **b");
    }

    #[test]
    fn a_long_time_is_told_in_hours() {
        assert_eq!(shown(35_514.0, "s", Lang::En), "9\u{a0}h 51\u{a0}min");
        assert_eq!(shown(5.4, "s", Lang::En), "5.4\u{a0}s");
    }
}
