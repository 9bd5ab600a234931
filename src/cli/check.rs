//! `foremend check`: mistakes in profiles, and what they cost.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use super::output::complain;
use super::output::say;
use super::profiles;

/// Looks for mistakes in fault profiles and prints what they cost per device.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  foremend check device-profiles")]
pub(super) struct Check {
    /// Profiles, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let (texts, words) = profiles::read(&self.paths)?;
        let Some(compiled) = profiles::compile(&texts, &words) else {
            return Ok(Outcome::NotGood);
        };
        for warning in compiled.warnings() {
            complain(&warning.to_string());
        }
        for program in compiled.iter() {
            say(&format!(
                "{}: {} signals, {} faults, version {}+{}, at most {:.1} kB of state per device",
                program.model,
                program.signals.len(),
                program.faults.len(),
                program.version,
                program.profile_version,
                kilobytes(program.state_bytes()),
            ))?;
        }
        Ok(Outcome::Good)
    }
}

/// Thousands of bytes, for people.
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000.0
}
