//! Rust sources as text: without comments, without the contents of strings, and with the lines that are compiled for tests
//! only. It understands as much of the language as that takes, and decides nothing.

use std::fs;
use std::path::Path;

/// A source file in three forms of equal length and lines.
pub(super) struct Source {
    /// From the package's folder on, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// Without comments.
    pub(super) spoken: String,
    /// Without comments and without the contents of strings.
    pub(super) code: String,
    /// For each line: it is compiled for tests only.
    pub(super) test: Vec<bool>,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = blank(text, false);
        let mut tested = vec![path.starts_with("tests/"); text.lines().count()];
        for (from, to) in test_spans(&code) {
            tested[from..=to].fill(true);
        }
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            spoken: blank(text, true),
            code,
            test: tested,
        }
    }

    /// The module below `src` that it belongs to.
    pub(super) fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let end = below.find('/').unwrap_or(below.len());
        Some(below[..end].trim_end_matches(".rs"))
    }

    /// How many `super` lead from the file's own level to the root of the crate.
    pub(super) fn depth(&self) -> usize {
        let folders = self.path.matches('/').count() - 1;
        if self.path.ends_with("/mod.rs") {
            folders
        } else {
            folders + 1
        }
    }

    pub(super) fn at(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }
}

/// Every Rust file below `src` and `tests`.
pub(super) fn tree() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests"] {
        collect(root, &root.join(folder), &mut sources);
    }
    assert!(sources.len() > 20, "the sources were not found");
    mark_test_files(&mut sources);
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root)
                .expect("below the root")
                .to_string_lossy();
            let text = fs::read_to_string(&path).expect("readable text");
            sources.push(Source::new(&name.replace('\\', "/"), &text));
        }
    }
}

/// A file that its parent takes in under `#[cfg(test)] mod name;` is test code as a whole.
fn mark_test_files(sources: &mut [Source]) {
    let mut roots = Vec::new();
    for source in sources.iter() {
        let folder = source
            .path
            .trim_end_matches(".rs")
            .trim_end_matches("/mod")
            .trim_end_matches("/lib");
        let lines = source.code.lines().enumerate();
        for (_, line) in lines.filter(|(number, _)| source.test[*number]) {
            if let Some(name) = line
                .trim()
                .trim_start_matches("pub(crate) ")
                .strip_prefix("mod ")
                && let Some(name) = name.strip_suffix(';')
            {
                roots.push(format!("{folder}/{name}"));
            }
        }
    }
    for source in sources.iter_mut() {
        let stem = source.path.trim_end_matches(".rs");
        let is_test = |root: &String| {
            stem.strip_prefix(root.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if roots.iter().any(is_test) {
            source.test.fill(true);
        }
    }
}

pub(super) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

pub(super) fn first_word(text: &str) -> &str {
    let end = text
        .bytes()
        .position(|byte| !is_word(byte))
        .unwrap_or(text.len());
    &text[..end]
}

/// `needle` stands in `line` with no byte of the same kind before or after it.
fn stands_alone(line: &str, needle: &str, same: fn(u8) -> bool) -> bool {
    line.match_indices(needle).any(|(start, _)| {
        let before = start.checked_sub(1).map(|place| line.as_bytes()[place]);
        let after = line.as_bytes().get(start + needle.len());
        !before.is_some_and(same) && !after.copied().is_some_and(same)
    })
}

pub(super) fn has_word(line: &str, word: &str) -> bool {
    stands_alone(line, word, is_word)
}

pub(super) fn names(line: &str, model: &str) -> bool {
    stands_alone(line, model, |byte| byte == b'-' || is_word(byte))
}

pub(super) fn calls(line: &str, name: &str) -> bool {
    has_word(line, name) && line.contains(&format!("{name}("))
}

/// First and last line of each item under `#[cfg(test)]`.
fn test_spans(code: &str) -> Vec<(usize, usize)> {
    let line_of = |place: usize| code[..place].matches('\n').count();
    let mut spans = Vec::new();
    for (start, mark) in code.match_indices("#[cfg(test)]") {
        let mut open = 0_usize;
        let body = code[start + mark.len()..]
            .char_indices()
            .find(|(_, letter)| {
                match letter {
                    '{' => open += 1,
                    '}' => open = open.saturating_sub(1),
                    _ => {}
                }
                open == 0 && matches!(letter, '}' | ';')
            });
        let end = body.map_or(code.trim_end().len() - 1, |(place, _)| {
            start + mark.len() + place
        });
        spans.push((line_of(start), line_of(end)));
    }
    spans
}

/// The text with its comments (and, unless `strings` are kept, the contents of its strings) replaced by blanks.
fn blank(text: &str, strings: bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let (length, keep) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else if let Some(length) =
            string(rest).filter(|_| !kept.bytes().last().is_some_and(is_word))
        {
            (length, strings)
        } else {
            (letter.len_utf8(), true)
        };
        let (taken, after) = rest.split_at(length);
        if keep {
            kept.push_str(taken);
        } else {
            kept.extend(
                taken
                    .chars()
                    .map(|letter| if letter == '\n' { '\n' } else { ' ' }),
            );
        }
        rest = after;
    }
    kept
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut place) = (0_usize, 0);
    while place < rest.len() {
        let here = &rest.as_bytes()[place..];
        if here.starts_with(b"/*") {
            depth += 1;
            place += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            place += 2;
            if depth == 0 {
                return place;
            }
        } else {
            place += 1;
        }
    }
    rest.len()
}

/// The length of the string or character literal that `rest` begins with.
fn string(rest: &str) -> Option<usize> {
    let prefix = rest
        .bytes()
        .take_while(|byte| b"bcr".contains(byte))
        .count();
    let body = &rest[prefix..];
    let raw = rest[..prefix].contains('r');
    let hashes = body.bytes().take_while(|byte| *byte == b'#').count();
    if raw && body[hashes..].starts_with('"') {
        let close = format!("\"{}", "#".repeat(hashes));
        let from = prefix + hashes + 1;
        let end = rest[from..].find(&close)?;
        return Some(from + end + close.len());
    }
    let quote = body
        .chars()
        .next()
        .filter(|letter| matches!(letter, '"' | '\''))?;
    let mut letters = body.char_indices().skip(1);
    let mut inside = 0;
    while let Some((place, letter)) = letters.next() {
        if letter == quote {
            return Some(prefix + place + 1);
        }
        inside += 1;
        if letter == '\\' {
            letters.next();
        } else if quote == '\'' && inside > 1 {
            // More than one plain letter: a lifetime.
            return None;
        }
    }
    None
}
