//! `foremend init`: a settings file with every key, its meaning and its default.

use std::fs;
use std::io::ErrorKind;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Outcome;
use super::output::complain;
use super::output::say;

/// The file as it is written. Its comments are checked: `cli/tests.rs`.
pub(super) const TEMPLATE: &str = include_str!("init.toml");

/// Writes a settings file with every key and its default, as comments.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend init\n  foremend run --config foremend.toml\n\nEverything in it is a comment: as it stands, it changes nothing."
)]
pub(super) struct Init {
    /// Where to.
    #[arg(default_value = "foremend.toml", value_name = "FILE")]
    file: PathBuf,
    /// In place of a file that is there.
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let mut options = fs::File::options();
        options.write(true);
        if self.force {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        let mut file = match options.open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                complain(&format!(
                    "{} is there already; --force overwrites it, or name another file",
                    self.file.display()
                ));
                return Ok(Outcome::NotGood);
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot write {}", self.file.display()));
            }
        };
        file.write_all(TEMPLATE.as_bytes())
            .with_context(|| format!("cannot write {}", self.file.display()))?;
        say(&format!(
            "wrote {0}; next: foremend run --config {0}",
            self.file.display()
        ))?;
        Ok(Outcome::Good)
    }
}
