//! Progress of long work, on standard error and only on a terminal: nothing of it reaches a log or a pipe.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressState;
use indicatif::ProgressStyle;

/// How often a bar is drawn at most, per second: enough for the eye.
const DRAWS_PER_SECOND: u8 = 8;

/// A bar, or nothing when standard error is no terminal.
#[derive(Default)]
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Work of this many parts. `what` says what is done, `unit` what the parts are called.
    pub(super) fn of(what: &str, total: u64, unit: &'static str) -> Self {
        let template = "{msg} {bar:28} {percent:>3} %  {parts}  {eta} left";
        Self::new(what, Some(total), template, unit)
    }

    /// Work whose end is not known.
    pub(super) fn open(what: &str, unit: &'static str) -> Self {
        Self::new(what, None, "{spinner} {msg}  {parts}  {elapsed}", unit)
    }

    /// None at all: for machine-readable output.
    pub(super) const fn quiet() -> Self {
        Self(None)
    }

    fn new(what: &str, total: Option<u64>, template: &str, unit: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::quiet();
        }
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(total, target);
        let parts = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A bar that cannot be written is no failure.
            write!(out, "{} {unit}", grouped(state.pos())).ok();
        };
        // The templates above are right; a wrong one would show a plain bar.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("parts", parts).progress_chars("━━╌"));
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Some(bar))
    }

    /// So many parts are done.
    pub(super) fn at(&self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
        }
    }

    /// So many parts are done, of so many: for work whose end moves.
    pub(super) fn of_total(&self, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(total.max(1));
            bar.set_position(done);
        }
    }

    /// Takes the bar away, so that a line can be written or the work is over.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }

    /// Does something that writes to the terminal, with the bar out of its way.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// A bar does not outlive its work, also when that fails.
impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }
}
