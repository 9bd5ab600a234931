//! Profiles from a folder or from files, with their mistakes told.

use std::path::Path;
use std::path::PathBuf;

use super::output::complain;
use crate::config;
use crate::profile::Profiles;
use crate::telemetry::ProfileText;

/// Tells every mistake on standard error; true when there is none.
pub(super) fn check_profiles(profiles: &[ProfileText], words: &[ProfileText]) -> bool {
    compile(profiles, words).is_some()
}

/// The compiled profiles; every mistake is told on standard error.
pub(super) fn compile(profiles: &[ProfileText], words: &[ProfileText]) -> Option<Profiles> {
    match Profiles::compile(profiles, words) {
        Ok(compiled) => Some(compiled),
        Err(mistakes) => {
            for mistake in &mistakes {
                complain(&mistake.to_string());
            }
            let plural = if mistakes.len() == 1 {
                "mistake"
            } else {
                "mistakes"
            };
            complain(&format!("{} {plural} in the profiles", mistakes.len()));
            None
        }
    }
}

/// Reads folders and single files; the shared words lie in `words/` beside a profile.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<(Vec<ProfileText>, Vec<ProfileText>)> {
    let mut profiles = Vec::new();
    let mut words: Vec<ProfileText> = Vec::new();
    for path in paths {
        // What is not there was meant as a folder, unless it has the name of a profile.
        let is_profile = path.extension().is_some_and(|ending| ending == "toml");
        let folder = if path.is_dir() || (!is_profile && !path.exists()) {
            let (texts, _) = config::read_profiles(path)?;
            anyhow::ensure!(
                !texts.is_empty(),
                "{} holds no profile (*.toml)",
                path.display()
            );
            profiles.extend(texts);
            path.clone()
        } else {
            profiles.push(config::read_profile(path)?);
            path.parent()
                .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
        };
        let (_, shared) = config::read_profiles(if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &folder
        })?;
        for text in shared {
            if !words.iter().any(|known| known.name == text.name) {
                words.push(text);
            }
        }
    }
    Ok((profiles, words))
}
