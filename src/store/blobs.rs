//! Texts of people, outside the journal, so that they can be erased while the journal stays whole.

use smol_str::SmolStr;
use sqlx::Row;

use super::{Store, StoreError};

/// Longest text: several pages; more belongs into a document.
pub const BLOB_LIMIT_BYTES: usize = 16 * 1024;

impl Store {
    /// Keeps a text and gives its id. Durable when this returns, so that the control naming it may follow.
    ///
    /// The id is random: one made from the content would let an erased text come back by being written again.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] over [`BLOB_LIMIT_BYTES`].
    pub async fn put_blob(&self, text: &str) -> Result<SmolStr, StoreError> {
        if text.len() > BLOB_LIMIT_BYTES {
            return Err(StoreError::TooLarge {
                what: "the text",
                size: text.len(),
                limit: BLOB_LIMIT_BYTES,
            });
        }
        let id = SmolStr::from(format!("{:032x}", rand::random::<u128>()));
        self.insert_blob(&id, text).await?;
        Ok(id)
    }

    /// Keeps a text under an id that the caller made: for a past that is made up, equal each time.
    ///
    /// # Errors
    /// When the id is taken.
    pub async fn import_blob(&self, id: &str, text: &str) -> Result<(), StoreError> {
        self.insert_blob(id, text).await
    }

    async fn insert_blob(&self, id: &str, text: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO blobs (id, text, erased) VALUES (?, ?, 0)")
            .bind(id)
            .bind(text)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// A text; `None` when there is none of that id or it was erased.
    pub async fn blob(&self, id: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT text FROM blobs WHERE id = ? AND erased = 0")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Erases a text for good, also from the write-ahead log. `false` when there is none of that id.
    pub async fn erase_blob(&self, id: &str) -> Result<bool, StoreError> {
        let erased = sqlx::query("UPDATE blobs SET text = '', erased = 1 WHERE id = ?")
            .bind(id)
            .execute(&self.writer)
            .await?
            .rows_affected();
        // A reader in the middle of something may keep the log from shrinking; the next erasure or close does it then.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.writer)
            .await?;
        Ok(erased > 0)
    }
}
