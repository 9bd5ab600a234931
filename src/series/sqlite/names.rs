//! The dictionary: which number stands for which (measurement, device, tags, field).
//!
//! Leaves values to others. Invariant: a number is never given twice, not even after its series is gone; memory holds only what the
//! file has, and is forgotten after a failed transaction.

use std::collections::HashMap;
use std::fmt::Write as _;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;
use smol_str::SmolStr;

use super::super::check::Checked;

/// Most fields whose numbers are remembered, some 30 MB; when there are more, all are forgotten and looked up again.
const KNOWN_LIMIT: usize = 200_000;

/// The numbers that were given lately.
#[derive(Default)]
pub(super) struct Names {
    /// By measurement, device and tags in one text.
    known: HashMap<String, Vec<Known>>,
    fields: usize,
    key: String,
    tags: String,
}

/// What is remembered of a series.
struct Known {
    field: SmolStr,
    id: i64,
    is_text: bool,
}

/// A series as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Series {
    /// Its number.
    pub(super) id: i64,
    /// What all its values are.
    pub(super) is_text: bool,
}

impl Names {
    /// Forgets everything remembered; the file has it.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.fields = 0;
    }

    /// Puts the series of each field of a point into `found`, in the order of the fields; unknown ones are made.
    pub(super) fn of(
        &mut self,
        db: &Connection,
        point: &Checked<'_>,
        found: &mut Vec<Series>,
    ) -> rusqlite::Result<()> {
        found.clear();
        if self.fields >= KNOWN_LIMIT {
            self.clear();
        }
        self.name(point);
        if !self.known.contains_key(&self.key) {
            self.known.insert(self.key.clone(), Vec::new());
        }
        let Some(known) = self.known.get_mut(&self.key) else {
            return Ok(());
        };
        for (place, (field, value)) in point.fields.iter().enumerate() {
            // A device names its fields in the same order each time.
            let at_its_place = known.get(place).filter(|known| *known.field == **field);
            let known_one =
                at_its_place.or_else(|| known.iter().find(|known| *known.field == **field));
            if let Some(Known { id, is_text, .. }) = known_one {
                found.push(Series {
                    id: *id,
                    is_text: *is_text,
                });
                continue;
            }
            let series = look_up(db, point, &self.tags, field, value.is_text())?;
            known.push(Known {
                field: SmolStr::from(field.as_ref()),
                id: series.id,
                is_text: series.is_text,
            });
            self.fields += 1;
            found.push(series);
        }
        Ok(())
    }

    /// No name holds a control character, so the parts stay apart.
    fn name(&mut self, point: &Checked<'_>) {
        self.key.clear();
        self.tags.clear();
        self.key.push_str(point.measurement.as_str());
        for (key, value) in &point.tags {
            if key == "model" || key == "serial" {
                let _infallible = write!(self.key, "\0{value}");
            } else {
                let _infallible = write!(self.tags, "{key}\u{1}{value}\u{2}");
            }
        }
        self.key.push('\0');
        self.key.push_str(&self.tags);
    }
}

fn look_up(
    db: &Connection,
    point: &Checked<'_>,
    tags: &str,
    field: &str,
    is_text: bool,
) -> rusqlite::Result<Series> {
    let of = |wanted: &str| {
        let tag = point.tags.iter().find(|(key, _)| key == wanted);
        tag.map(|(_, value)| value.as_ref()).unwrap_or_default()
    };
    let device = format!("{}/{}", of("model"), of("serial"));
    let measurement = point.measurement.as_str();
    let found = db
        .prepare_cached(
            "SELECT id, is_text FROM series WHERE measurement = ?1 AND device = ?2 AND field = ?3 AND tags = ?4",
        )?
        .query_row([measurement, &device, field, tags], |row| {
            Ok(Series {
                id: row.get(0)?,
                is_text: row.get(1)?,
            })
        })
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    db.prepare_cached(
        "INSERT INTO series (measurement, device, field, tags, is_text) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![measurement, device, field, tags, is_text])?;
    Ok(Series {
        id: db.last_insert_rowid(),
        is_text,
    })
}
