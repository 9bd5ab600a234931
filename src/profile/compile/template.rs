//! `reason`: sentences with typed `{expressions}`.

use smol_str::SmolStr;

use super::{Compiler, Scope};
use crate::profile::diagnostic::Reported;
use crate::profile::lexer::Located;
use crate::profile::parser::parse;
use crate::profile::sections::FaultDef;
use crate::profile::{Piece, SignalKind, Template};

impl Compiler<'_, '_, '_> {
    /// The sentence of a fault in both languages.
    pub(super) fn reason(
        &mut self,
        def: &FaultDef,
        scope: &Scope<'_>,
    ) -> Result<Option<Template>, Reported> {
        let Some((en, zh)) = &def.reason else {
            return Ok(None);
        };
        let en = self.pieces(en, scope);
        let zh = self.pieces(zh, scope);
        Ok(Some(Template { en: en?, zh: zh? }))
    }

    fn pieces(&mut self, text: &Located, scope: &Scope<'_>) -> Result<Vec<Piece>, Reported> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(open) = text.text[at..].find('{').map(|offset| at + offset) {
            push_text(&mut pieces, &text.text[at..open]);
            let Some(close) = text.text[open..].find('}').map(|offset| open + offset) else {
                return Err(self.sink.error_with(
                    text.span(open, text.text.len()),
                    "this { is not closed",
                    "a reason holds values as {expression}",
                ));
            };
            let inner = text.part(open + 1, close);
            pieces.push(self.piece(&inner, scope)?);
            at = close + 1;
        }
        push_text(&mut pieces, &text.text[at..]);
        Ok(pieces)
    }

    fn piece(&mut self, inner: &Located, scope: &Scope<'_>) -> Result<Piece, Reported> {
        let expr = parse(inner, self.sink)?;
        let value = self.quantity(&expr, scope)?;
        if let Some(signal) = value.words
            && let SignalKind::Enum(words) = &self.signals[signal].kind
        {
            return Ok(Piece::Word {
                value: value.num,
                words: words.clone(),
            });
        }
        Ok(Piece::Value {
            value: value.num,
            unit: value.unit,
        })
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(SmolStr::new(text)));
    }
}
