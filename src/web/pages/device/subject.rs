//! What every page of a device knows of it: the store's row as of now, what detection holds, and its profile.

use std::sync::Arc;

use crate::profile::Program;
use crate::store::DeviceRow;
use crate::telemetry::DeviceId;
use crate::telemetry::Timestamp;
use crate::web::WebState;
use crate::web::backend::LiveDevice;
use crate::web::fresh;
use crate::web::pages::refusal::Refusal;

/// A device.
pub(super) struct Subject {
    pub(super) id: DeviceId,
    pub(super) row: DeviceRow,
    /// `None` when detection holds no state of it.
    pub(super) live: Option<LiveDevice>,
    /// `None` when no profile knows its model.
    pub(super) program: Option<Arc<Program>>,
}

impl Subject {
    /// Looks it up.
    ///
    /// # Errors
    /// A page that says that there is none, or that the store does not answer.
    pub(super) async fn of(state: &WebState, model: &str, serial: &str) -> Result<Self, Refusal> {
        let unknown = || {
            let name = format!("{model}/{serial}");
            Refusal::no_device(name.chars().take(120).collect())
        };
        let id = DeviceId::new(model, serial).map_err(|_| unknown())?;
        let row = fresh::device(state, &id).await?.ok_or_else(unknown)?;
        Ok(Self {
            live: state.backend.live(&id).await,
            program: state.backend.profile(id.model()),
            row,
            id,
        })
    }

    /// Its own address, to which a page's name is added. Neither part can hold what an address would have to encode but `:`, which
    /// a path may carry as it is.
    pub(super) fn address(&self) -> String {
        format!("/devices/{}", self.id)
    }

    /// When its newest record happened, by its own time; else when it was last heard of.
    pub(super) fn newest(&self) -> Timestamp {
        self.live
            .as_ref()
            .and_then(|live| live.last_event)
            .unwrap_or(self.row.last_seen)
    }
}
