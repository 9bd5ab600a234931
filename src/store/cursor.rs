//! Where a page ended: the sort and the last row's keys, so that paging neither skips nor repeats when rows come and go.

use super::StoreError;

/// Reads `<head>.<key>.<key>…`, as [`write_cursor`] made it.
pub(super) fn read_cursor<'a, const N: usize>(
    cursor: &'a str,
    head: &str,
) -> Result<[&'a str; N], StoreError> {
    let refused = || StoreError::Cursor(cursor.chars().take(120).collect());
    let keys = cursor
        .strip_prefix(head)
        .and_then(|rest| rest.strip_prefix('.'))
        .ok_or_else(refused)?;
    let keys: Vec<&str> = keys.splitn(N, '.').collect();
    keys.try_into().map_err(|_| refused())
}

/// A key that is a whole number.
pub(super) fn number(cursor: &str, key: &str) -> Result<i64, StoreError> {
    key.parse()
        .map_err(|_| StoreError::Cursor(cursor.chars().take(120).collect()))
}

/// `<head>.<key>.<key>…`
pub(super) fn write_cursor(head: &str, keys: &[&dyn std::fmt::Display]) -> String {
    keys.iter()
        .fold(head.to_owned(), |cursor, key| format!("{cursor}.{key}"))
}

/// Cuts the one row too many that was asked for, and says whether it was there.
pub(super) fn cut_to<T>(rows: &mut Vec<T>, limit: usize) -> bool {
    let more = rows.len() > limit;
    rows.truncate(limit);
    more
}
