//! Forgetting what is older than is kept, in small steps, and giving the room back to the disk.
//!
//! Leaves it to the parent to take one step after another and let writes pass between them. Invariant: what is older than the
//! border is not read from the moment that the border is set, however long its removal takes.

use rusqlite::Connection;
use rusqlite::TransactionBehavior;

use crate::telemetry::Timestamp;

use super::Failed;
use super::seal::whole;
use super::tail::Tail;
use super::write::Rows;

/// Most series that one step looks at.
const SERIES_LIMIT: usize = 1_000;
/// Most blocks that one step removes: some 5 MB.
const BLOCKS_LIMIT: usize = 2_000;
/// Most pages that one step gives back to the disk: 8 MB.
const PAGES_LIMIT: i64 = 1_024;
/// Of the file one part in so many may be empty pages, which the next values use…
const EMPTY_SHARE: i64 = 8;
/// …and in any case as many pages as this: 0.5 MB.
const EMPTY_PAGES: i64 = 64;

/// How far the removal has come.
#[derive(Debug, Default)]
pub(super) struct Forgetting {
    /// Series with a larger number are still to be looked at.
    after: i64,
}

impl Rows {
    /// Sets the border and begins from the first series.
    pub(super) fn keep_from(&mut self, cutoff: Option<Timestamp>) -> Result<(), Failed> {
        if let Some(cutoff) = cutoff {
            self.connection.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES ('cutoff', ?1)",
                [cutoff.ms().to_string()],
            )?;
        } else {
            self.connection
                .execute("DELETE FROM meta WHERE key = 'cutoff'", [])?;
        }
        self.cutoff = cutoff;
        self.forgetting = Forgetting::default();
        Ok(())
    }

    /// Takes one step and tells whether there is more to do.
    pub(super) fn forget(&mut self) -> Result<bool, Failed> {
        let Some(cutoff) = self.cutoff else {
            return Ok(false);
        };
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let series = next_series(&tx, self.forgetting.after)?;
        let mut room = BLOCKS_LIMIT;
        let mut after = self.forgetting.after;
        {
            let tail = self
                .tail
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            for id in &series {
                room -= remove(&tx, *id, cutoff.ms(), room)?;
                if room == 0 {
                    break;
                }
                if is_empty(&tx, &tail, *id)? {
                    tx.prepare_cached("DELETE FROM series WHERE id = ?1")?
                        .execute([id])?;
                }
                after = *id;
            }
        }
        tx.commit()?;
        // Of the removed series the numbers must not be remembered.
        self.names.clear();
        self.forgetting.after = after;
        if room == 0 || series.len() == SERIES_LIMIT {
            return Ok(true);
        }
        shrink(&self.connection)
    }
}

fn next_series(db: &Connection, after: i64) -> rusqlite::Result<Vec<i64>> {
    db.prepare_cached("SELECT id FROM series WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map([after, whole(SERIES_LIMIT)], |row| row.get(0))?
        .collect()
}

/// Removes the oldest blocks of a series that lie wholly before the border; tells how many.
fn remove(db: &Connection, series: i64, border: i64, limit: usize) -> rusqlite::Result<usize> {
    let old = db
        .prepare_cached(
            "SELECT start, data FROM block WHERE series = ?1 AND start < ?2 AND last < ?2 ORDER BY start LIMIT ?3",
        )?
        .query_map([series, border, whole(limit)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
    for (start, data) in &old {
        db.prepare_cached("DELETE FROM block WHERE series = ?1 AND start = ?2")?
            .execute([series, *start])?;
        db.prepare_cached("DELETE FROM data WHERE id = ?1")?
            .execute([data])?;
    }
    Ok(old.len())
}

fn is_empty(db: &Connection, tail: &Tail, series: i64) -> rusqlite::Result<bool> {
    let in_blocks: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM block WHERE series = ?1)")?
        .query_row([series], |row| row.get(0))?;
    Ok(!in_blocks && !tail.knows(series))
}

/// Gives some empty pages back; tells whether there are more to give.
fn shrink(db: &Connection) -> Result<bool, Failed> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (empty, all) = (pragma("freelist_count")?, pragma("page_count")?);
    let too_many = empty - (all / EMPTY_SHARE).max(EMPTY_PAGES);
    if too_many <= 0 {
        return Ok(false);
    }
    let pages = too_many.min(PAGES_LIMIT);
    let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = vacuum.query([])?;
    // It frees a page with each step.
    while rows.next()?.is_some() {}
    drop(rows);
    // A file without the list that this needs frees nothing: then it is not tried for ever.
    Ok(too_many > PAGES_LIMIT && pragma("freelist_count")? < empty)
}
