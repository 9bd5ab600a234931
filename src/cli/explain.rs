//! `foremend explain`: a model's faults in plain words.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use super::output::complain;
use super::output::say;
use super::profiles;
use crate::config;

/// Says a model's faults in plain words.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend explain MODEL FAULT\n\nModels are those of device-profiles; without FAULT all of a model are told."
)]
pub(super) struct Explain {
    /// The model.
    model: String,
    /// One of its faults; without it all of them.
    fault: Option<String>,
    /// Folder of the profiles; wins over the settings.
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// Settings file, for its folder of profiles.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Chinese instead of English.
    #[arg(long)]
    zh: bool,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let dir = match self.profiles.clone() {
            Some(dir) => dir,
            None => config::load_places(self.config.as_deref())?.profiles_dir,
        };
        let (texts, words) = profiles::read(&[dir])?;
        let Some(compiled) = profiles::compile(&texts, &words) else {
            return Ok(Outcome::NotGood);
        };
        let Some(program) = compiled.get(&self.model) else {
            let known: Vec<&str> = compiled
                .iter()
                .map(|program| program.model.as_str())
                .collect();
            complain(&format!(
                "no profile speaks for '{}'; there are {}",
                self.model,
                known.join(", ")
            ));
            return Ok(Outcome::NotGood);
        };
        let mut told = false;
        for fault in &program.faults {
            if self
                .fault
                .as_deref()
                .is_some_and(|name| name != fault.name && name != fault.code)
            {
                continue;
            }
            if let Some(text) = program.explain(&fault.name, compiled.words()) {
                told = true;
                say(if self.zh { &text.zh } else { &text.en })?;
                say("")?;
            }
        }
        if !told {
            let known: Vec<&str> = program
                .faults
                .iter()
                .map(|fault| fault.name.as_str())
                .collect();
            complain(&format!(
                "{} has no such fault; there are {}",
                self.model,
                known.join(", ")
            ));
            return Ok(Outcome::NotGood);
        }
        Ok(Outcome::Good)
    }
}
