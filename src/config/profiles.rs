//! The folder of fault profiles, as texts: `*.toml` are profiles, `words/*.toml` the words they share.

use std::fs;
use std::path::Path;

use super::ConfigError;
use crate::telemetry::ProfileText;

/// Largest file of the folder, bytes; a profile of a hundred faults has a tenth of it.
const FILE_LIMIT_BYTES: u64 = 4 << 20;

/// Profiles and shared words of a folder, each sorted by file name so that equal folders give equal records.
///
/// # Errors
/// When the folder or one of its files cannot be read, is not UTF-8 or is larger than 4 MiB.
pub fn read_profiles(dir: &Path) -> Result<(Vec<ProfileText>, Vec<ProfileText>), ConfigError> {
    let profiles = read_folder(dir).map_err(|error| match error {
        ConfigError::Read { path, source } if path == dir => ConfigError::Profiles { path, source },
        other => other,
    })?;
    let words = dir.join("words");
    let words = if words.is_dir() {
        read_folder(&words)?
    } else {
        Vec::new()
    };
    Ok((profiles, words))
}

fn read_folder(dir: &Path) -> Result<Vec<ProfileText>, ConfigError> {
    let wrong = |path: &Path, source| ConfigError::Read {
        path: path.into(),
        source,
    };
    let mut texts = Vec::new();
    for item in fs::read_dir(dir).map_err(|why| wrong(dir, why))? {
        let path = item.map_err(|why| wrong(dir, why))?.path();
        if path.extension().is_none_or(|ending| ending != "toml") || !path.is_file() {
            continue;
        }
        texts.push(read_profile(&path)?);
    }
    texts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(texts)
}

/// One profile file.
///
/// # Errors
/// When it cannot be read, is not UTF-8 or is larger than 4 MiB.
pub fn read_profile(path: &Path) -> Result<ProfileText, ConfigError> {
    let wrong = |source| ConfigError::Read {
        path: path.into(),
        source,
    };
    let bytes = fs::metadata(path).map_err(wrong)?.len();
    if bytes > FILE_LIMIT_BYTES {
        return Err(ConfigError::Wrong(format!(
            "{}: {bytes} bytes is more than a profile may have ({FILE_LIMIT_BYTES})",
            path.display()
        )));
    }
    Ok(ProfileText {
        name: path.display().to_string(),
        text: fs::read_to_string(path).map_err(wrong)?,
    })
}
