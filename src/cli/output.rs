//! Writing to the terminal: results on standard output, complaints on standard error.

use std::io::{self, Write};

/// Writes one line to standard output.
///
/// # Errors
/// When standard output is closed; `head` does that, and it is no failure.
pub(super) fn say(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Writes one line to standard error.
pub(super) fn complain(line: &str) {
    // Nothing is left to tell it to when standard error is closed too.
    drop(writeln!(io::stderr().lock(), "foremend: {line}"));
}

/// The reader of standard output went away.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
