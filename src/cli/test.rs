//! `foremend test`: the cases that profiles carry, run by the very detection that judges devices.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::Outcome;
use super::output::say;
use super::profiles;
use crate::config;
use crate::lab::run_cases;

/// Runs the cases that profiles carry.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  foremend test device-profiles")]
pub(super) struct Test {
    /// Profiles, or folders of them; without any the folder of the settings.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Settings file, for its folder of profiles.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let paths = if self.paths.is_empty() {
            vec![config::load_places(self.config.as_deref())?.profiles_dir]
        } else {
            self.paths
        };
        let (texts, words) = profiles::read(&paths)?;
        let Some(compiled) = profiles::compile(&texts, &words) else {
            return Ok(Outcome::NotGood);
        };
        let results = run_cases(&Arc::new(compiled), &read_beside);
        let failed = results.iter().filter(|result| !result.passed()).count();
        for result in &results {
            say(&result.to_string())?;
        }
        say(&format!("{} cases, {failed} failed", results.len()))?;
        // Profiles without a single case are not good: nothing was shown.
        Ok(if failed == 0 && !results.is_empty() {
            Outcome::Good
        } else {
            Outcome::NotGood
        })
    }
}

/// A file that a case names, beside its profile.
fn read_beside(profile: &str, name: &str) -> Result<String, String> {
    let path = Path::new(profile)
        .parent()
        .unwrap_or_else(|| Path::new("."))
        .join(name);
    std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}
