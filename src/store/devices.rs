//! Devices: what was seen of them and what they say they are.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};

use crate::telemetry::{DeviceId, Identity, Timestamp};

use super::cursor::{cut_to, read_cursor, write_cursor};
use super::{DeviceStanding, DeviceUpdate, PAGE_LIMIT, Page, Store, StoreError};

/// A device as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Which.
    pub device: DeviceId,
    /// When it was first heard of.
    pub first_seen: Timestamp,
    /// When it was last heard of.
    pub last_seen: Timestamp,
    /// Its presence; `None` when it is not known: it never told, or nobody could have heard it go.
    pub online: Option<bool>,
    /// What it or the registry said it is.
    pub identity: Identity,
    /// Whether it is in service.
    pub standing: DeviceStanding,
    /// Messages understood.
    pub messages: u64,
    /// Messages refused.
    pub rejected: u64,
    /// Messages received twice.
    pub duplicates: u64,
    /// Times its record counter restarted without a new boot.
    pub seq_restarts: u64,
    /// Its open tickets (notices too).
    pub open_tickets: u64,
}

/// Which devices. `None` asks for nothing. Listed by model and serial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// This model.
    pub model: Option<String>,
    /// Serials that contain this, upper or lower case.
    pub q: Option<String>,
    /// Present or not.
    pub online: Option<bool>,
    /// In service or not.
    pub standing: Option<DeviceStanding>,
    /// At most so many, 1 to [`PAGE_LIMIT`]; 0 counts as 1.
    pub limit: usize,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// Rows that one statement writes: several times faster than one by one, and far from SQLite's 32,766 values.
const ROWS_AT_ONCE: usize = 128;
/// The list's name in its cursors.
const CURSOR: &str = "device";
const SELECT: &str = "SELECT device, first_seen, last_seen, online, identity, standing, messages, rejected, duplicates, \
     seq_restarts, (SELECT count(*) FROM tickets WHERE tickets.device = devices.device AND closed = 0) AS open_tickets \
     FROM devices WHERE ";

impl Store {
    /// A page of devices.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when `after` is not a cursor of this list.
    pub async fn devices(&self, filter: &DeviceFilter) -> Result<Page<DeviceRow>, StoreError> {
        let limit = filter.limit.clamp(1, PAGE_LIMIT);
        let mut query = QueryBuilder::new(SELECT);
        query.push("1 = 1");
        if let Some(model) = &filter.model {
            query.push(" AND model = ").push_bind(model.clone());
        }
        if let Some(text) = &filter.q {
            query.push(" AND instr(serial_lower, ");
            query
                .push_bind(text.trim().to_ascii_lowercase())
                .push(") > 0");
        }
        if let Some(online) = filter.online {
            query.push(" AND online = ").push_bind(online);
        }
        if let Some(standing) = filter.standing {
            query.push(" AND coalesce(standing, 'in_service') = ");
            query.push_bind(standing.as_str());
        }
        if let Some(cursor) = &filter.after {
            let [device] = read_cursor(cursor, CURSOR)?;
            query.push(" AND device > ").push_bind(device.to_owned());
        }
        query
            .push(" ORDER BY device LIMIT ")
            .push_bind(limit.cast_signed() as i64 + 1);
        let mut items = query
            .build()
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_device)
            .collect::<Result<Vec<_>, _>>()?;
        let more = cut_to(&mut items, limit);
        let next = items.last().filter(|_| more);
        let next = next.map(|last| write_cursor(CURSOR, &[&last.device]));
        Ok(Page { items, next })
    }

    /// One device; `None` when it was never heard of.
    pub async fn device(&self, device: &DeviceId) -> Result<Option<DeviceRow>, StoreError> {
        let mut query = QueryBuilder::new(SELECT);
        query.push("device = ").push_bind(device.to_string());
        query
            .build()
            .fetch_optional(&self.readers)
            .await?
            .as_ref()
            .map(read_device)
            .transpose()
    }
}

/// Adds what was seen of devices to what is known of them.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    updates: &[DeviceUpdate],
) -> Result<(), StoreError> {
    // An identity is laid over the one before it, which an earlier update of the same batch may have brought.
    for group in updates.chunk_by(|a, b| a.identity.is_none() && b.identity.is_none()) {
        let identity = match group {
            [update] => merged_identity(&mut *connection, update).await?,
            _ => None,
        };
        for rows in group.chunks(ROWS_AT_ONCE) {
            write_rows(&mut *connection, rows, identity.as_deref()).await?;
        }
    }
    Ok(())
}

/// What is known of the device with what it tells now, as JSON; `None` when it tells nothing.
async fn merged_identity(
    connection: &mut SqliteConnection,
    update: &DeviceUpdate,
) -> Result<Option<String>, StoreError> {
    let Some(told) = &update.identity else {
        return Ok(None);
    };
    let before: Option<Option<String>> =
        sqlx::query_scalar("SELECT identity FROM devices WHERE device = ?")
            .bind(update.device.as_str())
            .fetch_optional(connection)
            .await?;
    let mut known = read_identity(before.flatten().as_deref())?;
    overlay(&mut known, told);
    serde_json::to_string(&known)
        .map(Some)
        .map_err(|error| StoreError::corrupt("an identity", error))
}

/// Rows of one statement; `identity` is that of all of them.
async fn write_rows(
    connection: &mut SqliteConnection,
    updates: &[DeviceUpdate],
    identity: Option<&str>,
) -> Result<(), StoreError> {
    let mut query = QueryBuilder::new(
        "INSERT INTO devices (device, model, serial, serial_lower, first_seen, last_seen, online, identity, standing, \
         messages, rejected, duplicates, seq_restarts) ",
    );
    query.push_values(updates, |mut row, update| {
        row.push_bind(update.device.to_string());
        row.push_bind(update.device.model().to_owned());
        row.push_bind(update.device.serial().to_owned());
        row.push_bind(update.device.serial().to_ascii_lowercase());
        row.push_bind(update.first_seen.ms());
        row.push_bind(update.last_seen.ms());
        row.push_bind(update.online);
        row.push_bind(identity.map(str::to_owned));
        row.push_bind(update.standing.map(DeviceStanding::as_str));
        row.push_bind(update.messages.cast_signed());
        row.push_bind(update.rejected.cast_signed());
        row.push_bind(update.duplicates.cast_signed());
        row.push_bind(update.seq_restarts.cast_signed());
    });
    query.push(
        " ON CONFLICT (device) DO UPDATE SET \
         first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen), \
         online = excluded.online, identity = coalesce(excluded.identity, identity), \
         standing = coalesce(excluded.standing, standing), messages = messages + excluded.messages, \
         rejected = rejected + excluded.rejected, duplicates = duplicates + excluded.duplicates, \
         seq_restarts = seq_restarts + excluded.seq_restarts",
    );
    query.build().execute(connection).await?;
    Ok(())
}

/// Fields that are told replace those of before; lots part by part.
fn overlay(known: &mut Identity, told: &Identity) {
    let Identity {
        hw,
        fw,
        made,
        batch,
        lots,
        first_use,
        region,
        tz,
        site,
        via,
    } = told.clone();
    for (field, told) in [
        (&mut known.hw, hw),
        (&mut known.fw, fw),
        (&mut known.made, made),
        (&mut known.batch, batch),
        (&mut known.first_use, first_use),
        (&mut known.region, region),
        (&mut known.tz, tz),
        (&mut known.site, site),
        (&mut known.via, via),
    ] {
        if told.is_some() {
            *field = told;
        }
    }
    known.lots.extend(lots);
}

fn read_identity(json: Option<&str>) -> Result<Identity, StoreError> {
    let Some(json) = json else {
        return Ok(Identity::default());
    };
    serde_json::from_str(json).map_err(|error| StoreError::corrupt("an identity", error))
}

fn read_device(row: &SqliteRow) -> Result<DeviceRow, StoreError> {
    let device: String = row.try_get("device")?;
    let identity: Option<String> = row.try_get("identity")?;
    let standing: Option<String> = row.try_get("standing")?;
    let count = |column: &str| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
    Ok(DeviceRow {
        device: device
            .parse()
            .map_err(|error| StoreError::corrupt("a device id", error))?,
        first_seen: Timestamp::from_ms(row.try_get("first_seen")?),
        last_seen: Timestamp::from_ms(row.try_get("last_seen")?),
        online: row.try_get("online")?,
        identity: read_identity(identity.as_deref())?,
        standing: standing
            .and_then(|name| DeviceStanding::from_name(&name))
            .unwrap_or(DeviceStanding::InService),
        messages: count("messages")?,
        rejected: count("rejected")?,
        duplicates: count("duplicates")?,
        seq_restarts: count("seq_restarts")?,
        open_tickets: count("open_tickets")?,
    })
}
