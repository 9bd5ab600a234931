//! Sentences with values in them, filled in.

use super::{Num, Piece, Template};
use crate::telemetry::Text;

/// What stands for a value that is unknown.
const UNKNOWN: &str = "–";

impl Template {
    /// The sentence in both languages; `value_of` gives values in base units.
    pub fn render(&self, value_of: &dyn Fn(&Num) -> Option<f64>) -> Text {
        Text::new(render(&self.en, value_of), render(&self.zh, value_of))
    }
}

fn render(pieces: &[Piece], value_of: &dyn Fn(&Num) -> Option<f64>) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Value { value, unit } => match value_of(value).filter(|v| v.is_finite()) {
                Some(value) => text.push_str(&unit.format(value)),
                None => text.push_str(UNKNOWN),
            },
            Piece::Word { value, words } => {
                let word = value_of(value).and_then(|index| {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a cast saturates, and an index beyond the words gives none"
                    )]
                    words.get(index as usize)
                });
                text.push_str(word.map_or(UNKNOWN, |word| word.as_str()));
            }
        }
    }
    text
}
