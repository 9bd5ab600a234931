//! What is wrong in a profile, where, and how to put it right.
//!
//! Every mistake of a file is listed, not just the first; a diagnostic shows the line it speaks of. It leaves colours and
//! files to the caller. A diagnostic's position always lies inside the text it was made from.

use std::fmt;

use crate::telemetry::ProfileText;

/// Most diagnostics kept for one file: more do not help anyone, and a broken file could give thousands. The rest is dropped.
const PER_FILE_LIMIT: usize = 200;
/// Longest source line shown, in characters; longer ones are cut around the position.
const LINE_LIMIT: usize = 160;
/// How alike two names must be (Jaro-Winkler, 0 to 1) for one to be suggested for the other; below, guesses read as noise.
const ALIKE: f64 = 0.75;

/// How alike names are that one slip of the finger tells apart.
const ONE_SLIP: f64 = 0.9;

/// Whether a diagnostic refuses the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The profile is refused.
    Error,
    /// The profile works; a person should look.
    Warning,
}

/// One mistake, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it refuses the profile.
    pub level: Level,
    /// File name as given.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub width: usize,
    /// The line itself.
    pub source: String,
    /// What is wrong.
    pub message: String,
    /// What was expected, or what was probably meant.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        writeln!(
            out,
            "{}:{}:{}: {level}: {}",
            self.file, self.line, self.column, self.message
        )?;
        let number = self.line.to_string();
        let gap = " ".repeat(number.len());
        let (source, column) = shorten(&self.source, self.column);
        writeln!(out, " {number} | {source}")?;
        let left = source.chars().count().saturating_sub(column - 1).max(1);
        write!(
            out,
            " {gap} | {}{}",
            " ".repeat(column - 1),
            "^".repeat(self.width.clamp(1, left))
        )?;
        if let Some(help) = &self.help {
            write!(out, "\n {gap} = {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// A place in a file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last.
    pub(crate) end: usize,
}

impl Span {
    /// From a range, where one is known.
    pub(crate) fn of(range: Option<std::ops::Range<usize>>) -> Self {
        range.map_or(Self::default(), |range| Self {
            start: range.start,
            end: range.end,
        })
    }

    /// From the start of this to the end of the other.
    pub(crate) const fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// Proof that a mistake was written down: who gets it has nothing to add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported;

/// Collects the diagnostics of one file.
pub(crate) struct Sink<'a> {
    file: &'a ProfileText,
    list: Vec<Diagnostic>,
    failed: bool,
}

impl<'a> Sink<'a> {
    /// None so far.
    pub(crate) fn new(file: &'a ProfileText) -> Self {
        Self {
            file,
            list: Vec::new(),
            failed: false,
        }
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> &'a str {
        &self.file.text
    }

    /// The name of the file.
    pub(crate) fn file(&self) -> &'a str {
        &self.file.name
    }

    /// The line, from 1, of a place.
    pub(crate) fn line(&self, at: Span) -> usize {
        let start = floor(&self.file.text, at.start);
        self.file.text[..start].matches('\n').count() + 1
    }

    /// Whether an error was written down.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Everything written down, in the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|one| (one.line, one.column));
        self.list
    }

    /// Writes down a mistake.
    pub(crate) fn error(&mut self, at: Span, message: impl Into<String>) -> Reported {
        self.push(Level::Error, at, message.into(), None)
    }

    /// Writes down a mistake with what was expected or meant.
    pub(crate) fn error_with(
        &mut self,
        at: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Reported {
        self.push(Level::Error, at, message.into(), Some(help.into()))
    }

    /// Writes down a mistake, with a suggestion if there is one.
    pub(crate) fn error_maybe(
        &mut self,
        at: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Reported {
        self.push(Level::Error, at, message.into(), help)
    }

    /// Writes down something a person should look at.
    pub(crate) fn warning(
        &mut self,
        at: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let Reported = self.push(Level::Warning, at, message.into(), Some(help.into()));
    }

    fn push(&mut self, level: Level, at: Span, message: String, help: Option<String>) -> Reported {
        self.failed |= level == Level::Error;
        if self.list.len() >= PER_FILE_LIMIT {
            return Reported;
        }
        let text = &self.file.text;
        let start = floor(text, at.start);
        let end = floor(text, at.end.max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let one = Diagnostic {
            level,
            file: self.file.name.clone(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: text[start..end.min(line_end).max(start)]
                .chars()
                .count()
                .max(1),
            source: text[line_start..line_end].trim_end().replace('\t', " "),
            message,
            help,
        };
        if !self.list.contains(&one) {
            self.list.push(one);
        }
        Reported
    }
}

/// "did you mean 'x'?", when one of the known names is alike.
pub(crate) fn did_you_mean<'n>(
    written: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<String> {
    let mut best: Option<(f64, &str)> = None;
    for name in known {
        let (one, other) = (written.to_lowercase(), name.to_lowercase());
        let slip = one.len() > 2 && strsim::damerau_levenshtein(&one, &other) == 1;
        let alike = strsim::jaro_winkler(&one, &other).max(if slip { ONE_SLIP } else { 0.0 });
        if alike >= ALIKE && best.is_none_or(|(most, _)| alike > most) {
            best = Some((alike, name));
        }
    }
    best.map(|(_, name)| format!("did you mean '{name}'?"))
}

/// A suggestion, or else the list of what is known.
pub(crate) fn suggest(written: &str, known: &[&str], what: &str) -> Option<String> {
    did_you_mean(written, known.iter().copied()).or_else(|| {
        (!known.is_empty() && known.len() <= 40).then(|| format!("{what}: {}", known.join(", ")))
    })
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn shorten(source: &str, column: usize) -> (String, usize) {
    if source.chars().count() <= LINE_LIMIT {
        return (source.to_owned(), column);
    }
    let skip = (column - 1).saturating_sub(LINE_LIMIT / 2);
    let part = source.chars().skip(skip).take(LINE_LIMIT).collect();
    (part, column - skip)
}
