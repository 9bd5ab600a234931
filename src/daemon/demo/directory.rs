//! The demo's directory: whether it holds an earlier demo, how one is begun anew, and the fleet's diary in it.
//!
//! A past is made in a directory beside it and moved into place when it is whole: what was interrupted is begun anew by itself.
//! Invariant: nothing is removed but what a demo wrote.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::daemon::check_empty;
use crate::lab::simulate::tended::Diary;
use crate::telemetry::Timestamp;

/// The fleet's diary, and the mark of a demo's directory.
const DIARY: &str = "demo-fleet.json";
/// What the directory of a past is called while it is made.
const PART: &str = "part";
/// Beginnings of the names of what daemon and demo write into a data directory.
const OURS: [&str; 7] = [
    "journal",
    "store.",
    "state.",
    "series",
    "admin-token",
    "demo-",
    "users",
];

/// The diary of the demo in this directory; `None` when one is to be begun. With `anew` an earlier one is removed.
///
/// # Errors
/// When the directory holds something else.
pub(super) fn earlier(data: &Path, anew: bool) -> anyhow::Result<Option<Diary>> {
    let file = data.join(DIARY);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            check_empty(data)
                .context("this is no directory of an earlier demo; name another with --data")?;
            return Ok(None);
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", file.display()));
        }
    };
    if anew {
        remove(data)?;
        return Ok(None);
    }
    let diary = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} cannot be understood; begin a new demo with --new",
            file.display()
        )
    })?;
    Ok(Some(diary))
}

/// When the demo in this directory was left.
pub(super) fn left_at(data: &Path) -> anyhow::Result<Timestamp> {
    let file = data.join(DIARY);
    let changed = fs::metadata(&file).and_then(|about| about.modified())?;
    let since = changed
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Timestamp::from_ms(
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
    ))
}

/// The directory in which a past is made. One that was left behind is removed.
pub(super) fn begin(data: &Path) -> anyhow::Result<PathBuf> {
    let part = data.with_added_extension(PART);
    remove(&part)?;
    Ok(part)
}

/// Moves a past that is whole into its place.
pub(super) fn finish(part: &Path, data: &Path) -> anyhow::Result<()> {
    fs::rename(part, data)
        .with_context(|| format!("cannot move {} to {}", part.display(), data.display()))
}

/// Writes the diary, whole or not at all.
pub(super) fn save(data: &Path, diary: &Diary) -> anyhow::Result<()> {
    let (file, new) = (data.join(DIARY), data.join("demo-fleet.new"));
    let text = serde_json::to_string(diary)?;
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, &file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Removes what a demo wrote, and the directory if nothing else is in it.
fn remove(data: &Path) -> anyhow::Result<()> {
    let files = match fs::read_dir(data) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        files => files.with_context(|| format!("cannot look into {}", data.display()))?,
    };
    for file in files {
        let file = file?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        anyhow::ensure!(
            OURS.iter().any(|ours| name.starts_with(ours)),
            "{} holds {name}, which no demo wrote; move it away, or name another directory with --data",
            data.display()
        );
    }
    fs::remove_dir_all(data).with_context(|| format!("cannot remove {}", data.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_something_else_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("demo");
        assert_eq!(earlier(&data, false).expect("nothing there"), None);
        fs::create_dir(&data).expect("made");
        fs::write(data.join("thesis.txt"), "years of work").expect("written");
        for anew in [false, true] {
            let error = format!("{:#}", earlier(&data, anew).expect_err("refused"));
            assert!(error.contains("--data"), "{error}");
        }
        // Also when it lies in a demo's directory.
        let diary = Diary::new(1, (1, 0), Timestamp::from_ms(0), Timestamp::from_ms(1));
        save(&data, &diary).expect("saved");
        assert_eq!(earlier(&data, false).expect("a demo"), Some(diary));
        assert!(earlier(&data, true).is_err());
        assert!(data.join("thesis.txt").exists());
    }

    #[test]
    fn a_new_demo_removes_the_earlier_one_and_what_was_interrupted() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("demo");
        let part = begin(&data).expect("begun");
        fs::create_dir_all(part.join("journal")).expect("made");
        assert_eq!(begin(&data).expect("begun again"), part);
        assert!(!part.exists());
        fs::create_dir_all(part.join("journal")).expect("made");
        let diary = Diary::new(1, (1, 0), Timestamp::from_ms(0), Timestamp::from_ms(1));
        save(&part, &diary).expect("saved");
        finish(&part, &data).expect("moved");
        assert!(left_at(&data).expect("a time") > Timestamp::from_ms(0));
        assert_eq!(earlier(&data, true).expect("removed"), None);
        assert!(!data.exists());
    }
}
