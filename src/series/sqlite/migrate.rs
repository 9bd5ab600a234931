//! A file of the first format (a table of plain rows per day) becomes one of blocks.
//!
//! The new file is made beside the old one and takes its place at the end, so that a stop at any moment leaves the old one whole
//! and the next start begins anew. It takes about a second for each million values, and a tenth of the old file's room.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::telemetry::FieldValue;

use super::Failed;
use super::connect;
use super::make;
use super::meta;
use super::seal::Sealer;

/// The format that is read here.
pub(super) const OLD_FORMAT: i64 = 1;

/// How long other programs that read the old file may keep it from being finished.
const OTHERS_TIMEOUT: Duration = Duration::from_millis(500);

/// Replaces a file of the old format. `old` is its open connection.
pub(super) fn migrate(path: &Path, old: Connection, journal_id: &str) -> Result<(), Failed> {
    let new_path = beside(path, ".new");
    remove(&new_path)?;
    remove(&beside(&new_path, "-wal"))?;
    remove(&beside(&new_path, "-shm"))?;
    let mut new = connect(&new_path)?;
    make(&mut new, journal_id)?;
    tracing::info!(file = %path.display(), "the series store gets its new form; this is done once");
    let values = copy(&old, &mut new)?;
    for connection in [new, old] {
        connection.busy_timeout(OTHERS_TIMEOUT)?;
        // Everything into the file itself, and that to the disk.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)?;
    }
    for file in [path, &new_path] {
        let wal = beside(file, "-wal");
        if fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
            return Err(Failed::InUse(file.to_owned()));
        }
        remove(&wal)?;
    }
    fs::rename(&new_path, path)?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    tracing::info!(values, "the series store has its new form");
    Ok(())
}

fn copy(old: &Connection, new: &mut Connection) -> Result<u64, Failed> {
    let tx = new.transaction()?;
    if let Some(cutoff) = meta(old, "cutoff")? {
        tx.execute(
            "INSERT INTO meta (key, value) VALUES ('cutoff', ?1)",
            [cutoff],
        )?;
    }
    let mut series =
        old.prepare("SELECT id, measurement, device, field, tags, is_text FROM series")?;
    let mut rows = series.query([])?;
    while let Some(row) = rows.next()? {
        tx.prepare_cached(
            "INSERT INTO series (id, measurement, device, field, tags, is_text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            row.get::<_, i64>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, String>(4)?,
            row.get::<_, bool>(5)?,
        ))?;
    }
    tx.commit()?;
    let days = old
        .prepare("SELECT day FROM day ORDER BY day")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut sealer = Sealer::new()?;
    let mut count = 0;
    for day in days {
        let tx = new.transaction()?;
        count += copy_day(old, day, &tx, &mut sealer)?;
        tx.commit()?;
    }
    Ok(count)
}

/// One day, series by series.
fn copy_day(
    old: &Connection,
    day: i64,
    new: &Connection,
    sealer: &mut Sealer,
) -> Result<u64, Failed> {
    let mut select = old.prepare(&format!(
        "SELECT series, at, value FROM \"day {day}\" ORDER BY series, at"
    ))?;
    let mut rows = select.query([])?;
    let mut count = 0;
    let mut open = None;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        let series: i64 = row.get(0)?;
        if let Some(earlier) = open.replace(series)
            && earlier != series
        {
            sealer.seal(new, earlier, &values, i64::MIN)?;
            values.clear();
        }
        values.push((row.get(1)?, value_of(row.get_ref(2)?)?));
        count += 1;
    }
    if let Some(series) = open {
        sealer.seal(new, series, &values, i64::MIN)?;
    }
    Ok(count)
}

fn value_of(value: ValueRef<'_>) -> rusqlite::Result<FieldValue> {
    match value {
        ValueRef::Text(text) => Ok(FieldValue::Text(String::from_utf8_lossy(text).into())),
        other => Ok(FieldValue::Float(other.as_f64()?)),
    }
}

/// The path with something more at its end.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(more);
    name.into()
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
