//! Text of an expression to tokens.
//!
//! A unit follows its number and has no spaces inside (`4.19 kJ/L/K`); after a number `min` is minutes, before `(` the function.
//! Every token carries its place in the file. Never panics on any text.

use super::diagnostic::{Reported, Sink, Span};

/// Longest expression, in bytes; the longest real one has 400. Longer ones are refused.
pub(crate) const EXPRESSION_LIMIT: usize = 4096;

/// Words that are operators; they are no names and no units.
pub(crate) const KEYWORDS: &[&str] = &["and", "or", "not", "in", "of", "true", "false", "last"];

const SYMBOLS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "..", "(", ")", "[", "]", ",", ".", "+", "-", "*", "/",
    "<", ">", "=", "!",
];

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A number.
    Number(f64),
    /// The unit after a number.
    Unit(String),
    /// A name or a word such as `and`.
    Name(String),
    /// Text in single or double quotes.
    Quoted(String),
    /// An operator or bracket.
    Symbol(&'static str),
    /// The end.
    End,
}

/// A token with its place in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Where it stands.
    pub(crate) at: Span,
}

/// A text taken from a profile, with where its characters stand in the file.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// The text, escapes resolved.
    pub(crate) text: String,
    /// The whole value in the file, quotes included.
    pub(crate) at: Span,
    /// Where the text's first character stands, when it stands in the file unchanged (no escapes).
    pub(crate) inner: Option<usize>,
}

impl Located {
    /// The place in the file of a part of the text.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        self.inner.map_or(self.at, |inner| Span {
            start: inner + start,
            end: inner + end,
        })
    }

    /// A part of the text.
    pub(crate) fn part(&self, start: usize, end: usize) -> Self {
        Self {
            text: self.text.get(start..end).unwrap_or_default().to_owned(),
            at: self.span(start, end),
            inner: self.inner.map(|inner| inner + start),
        }
    }
}

/// Cuts an expression into tokens; the last one is [`TokenKind::End`].
pub(crate) fn tokens(source: &Located, sink: &mut Sink<'_>) -> Result<Vec<Token>, Reported> {
    if source.text.len() > EXPRESSION_LIMIT {
        return Err(sink.error_with(
            source.at,
            format!("the expression is longer than {EXPRESSION_LIMIT} bytes"),
            "put parts of it into derives or into two faults",
        ));
    }
    Lexer {
        source,
        at: 0,
        list: Vec::new(),
    }
    .run(sink)
}

struct Lexer<'a> {
    source: &'a Located,
    at: usize,
    list: Vec<Token>,
}

impl Lexer<'_> {
    fn run(mut self, sink: &mut Sink<'_>) -> Result<Vec<Token>, Reported> {
        loop {
            self.skip(char::is_whitespace);
            let start = self.at;
            let Some(first) = self.rest().chars().next() else {
                self.push(TokenKind::End, start);
                return Ok(self.list);
            };
            if first.is_ascii_digit() {
                self.number(sink)?;
            } else if first.is_alphabetic() || first == '_' {
                self.skip(|c| c.is_alphanumeric() || c == '_');
                let name = self.source.text[start..self.at].to_owned();
                self.push(TokenKind::Name(name), start);
            } else if first == '\'' || first == '"' {
                self.quoted(first, sink)?;
            } else if let Some(symbol) = SYMBOLS.iter().find(|s| self.rest().starts_with(**s)) {
                self.at += symbol.len();
                self.push(TokenKind::Symbol(symbol), start);
            } else {
                let at = self.source.span(start, start + first.len_utf8());
                return Err(sink.error_maybe(
                    at,
                    format!("'{first}' has no meaning here"),
                    instead_of(first).map(|write| format!("write {write}")),
                ));
            }
        }
    }

    fn rest(&self) -> &str {
        self.source.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, while_true: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c: char| !while_true(c)).unwrap_or(rest.len());
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.list.push(Token {
            kind,
            at: self.source.span(start, self.at),
        });
    }

    fn number(&mut self, sink: &mut Sink<'_>) -> Result<(), Reported> {
        let start = self.at;
        self.skip(|c| c.is_ascii_digit());
        let follows = |lexer: &Self, by: usize| {
            lexer
                .rest()
                .as_bytes()
                .get(by)
                .is_some_and(u8::is_ascii_digit)
        };
        if self.rest().starts_with('.') && follows(self, 1) {
            self.at += 1;
            self.skip(|c| c.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            let sign = usize::from(self.rest()[1..].starts_with(['+', '-']));
            if follows(self, 1 + sign) {
                self.at += 1 + sign;
                self.skip(|c| c.is_ascii_digit());
            }
        }
        let text = &self.source.text[start..self.at];
        let Some(number) = text.parse::<f64>().ok().filter(|n| n.is_finite()) else {
            let at = self.source.span(start, self.at);
            return Err(sink.error(at, format!("'{text}' is too large a number")));
        };
        self.push(TokenKind::Number(number), start);
        self.unit();
        Ok(())
    }

    /// The unit after a number, if there is one.
    fn unit(&mut self) {
        let before = self.at;
        self.skip(|c| c == ' ' || c == '\t');
        let start = self.at;
        let rest = self.rest();
        let is_unit = |c: char| c.is_alphabetic() || "°˚º℃%％‰²³".contains(c);
        let word_end = rest.find(|c: char| !is_unit(c)).unwrap_or(rest.len());
        if word_end == 0 || KEYWORDS.contains(&&rest[..word_end]) {
            self.at = before;
            return;
        }
        let mut end = 0;
        let mut chars = rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let joins = "/*·^".contains(c)
                && chars
                    .peek()
                    .is_some_and(|(_, next)| is_unit(*next) || next.is_ascii_digit());
            if !(is_unit(c) || c.is_ascii_digit() || c == '_' || joins) {
                break;
            }
            end = at + c.len_utf8();
        }
        self.at += end;
        let unit = self.source.text[start..self.at].to_owned();
        self.push(TokenKind::Unit(unit), start);
    }

    fn quoted(&mut self, quote: char, sink: &mut Sink<'_>) -> Result<(), Reported> {
        let start = self.at;
        let Some(length) = self.rest()[1..].find(quote) else {
            let at = self.source.span(start, self.source.text.len());
            return Err(sink.error(at, format!("the quote {quote} is not closed")));
        };
        let text = self.rest()[1..=length].to_owned();
        self.at += length + 2;
        self.push(TokenKind::Quoted(text), start);
        Ok(())
    }
}

fn instead_of(written: char) -> Option<&'static str> {
    match written {
        '≥' => Some(">="),
        '≤' => Some("<="),
        '≠' => Some("!="),
        '×' => Some("*"),
        '÷' => Some("/"),
        '−' | '–' => Some("-"),
        '（' => Some("("),
        '）' => Some(")"),
        '，' => Some(","),
        '’' | '‘' | '“' | '”' => Some("'straight quotes'"),
        _ => None,
    }
}
