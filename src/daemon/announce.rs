//! What the journal is told at a start: that the process began, and what is different from what the journal knows.
//!
//! It compares with the journal's end, not with the saved state: after a kill the state is older, and a setting that was changed
//! and changed back would otherwise stay changed.

use anyhow::Context as _;

use super::clock;
use super::zones::zone_table;
use crate::config::Config;
use crate::journal::Journal;
use crate::pipeline::Pipeline;
use crate::telemetry::Control;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::Record;
use crate::telemetry::Settings;
use crate::telemetry::ZoneTable;

/// Entries read at once.
const READ_ENTRIES: usize = 8_192;
/// Bytes read at once.
const READ_BYTES: usize = 8 << 20;

/// What detection depends on beside messages.
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) zones: ZoneTable,
    pub(super) profiles: Vec<ProfileText>,
    pub(super) words: Vec<ProfileText>,
}

impl World {
    /// What the restored pipeline knows, and what the journal says after it.
    fn read(journal: &Journal, pipeline: &Pipeline) -> anyhow::Result<Self> {
        let (profiles, words) = pipeline.profile_texts();
        let mut known = Self {
            settings: pipeline.settings().clone(),
            zones: pipeline.zones().clone(),
            profiles: profiles.to_vec(),
            words: words.to_vec(),
        };
        let mut next = pipeline.position().next();
        while next <= journal.last() {
            let entries = journal
                .read(next, READ_ENTRIES, READ_BYTES)
                .context("cannot read the journal")?;
            let Some(newest) = entries.last() else { break };
            next = newest.position.next();
            for entry in entries {
                match entry.record {
                    Record::Control(Control::Settings(settings)) => known.settings = settings,
                    Record::Control(Control::Zones { zones }) => known.zones = zones,
                    Record::Control(Control::Profiles { profiles, words }) => {
                        (known.profiles, known.words) = (profiles, words);
                    }
                    _ => {}
                }
            }
        }
        Ok(known)
    }
}

/// Journals the start, and keeps the journal from removing what the next start needs. Returns the last position written.
///
/// # Errors
/// When the journal cannot be read or written.
pub(super) async fn announce(
    journal: &Journal,
    pipeline: &Pipeline,
    config: &Config,
    profiles: Vec<ProfileText>,
    words: Vec<ProfileText>,
) -> anyhow::Result<Position> {
    let world = World {
        settings: config.settings.clone(),
        zones: zone_table(clock::wall()),
        profiles,
        words,
    };
    let records = announcement(journal, pipeline, world)?;
    let (done, durable) = tokio::sync::oneshot::channel();
    journal
        .append_async(records, Box::new(move |result| drop(done.send(result))))
        .await?;
    Ok(durable.await??)
}

/// The records of a start: that it is one, and what is not as the journal's end says.
///
/// # Errors
/// When the journal cannot be read, or its base not be written.
pub(super) fn announcement(
    journal: &Journal,
    pipeline: &Pipeline,
    world: World,
) -> anyhow::Result<Vec<Record>> {
    // Until the next snapshot a start needs the journal from here on, also when every consumer is further.
    journal.set_base(pipeline.position())?;
    let mut records = vec![Record::Control(Control::Started {
        version: env!("CARGO_PKG_VERSION").into(),
    })];
    let World {
        settings,
        zones,
        profiles,
        words,
    } = world;
    let known = World::read(journal, pipeline)?;
    if known.settings != settings {
        records.push(Record::Control(Control::Settings(settings)));
    }
    if known.zones != zones {
        records.push(Record::Control(Control::Zones { zones }));
    }
    if (&known.profiles, &known.words) != (&profiles, &words) {
        records.push(Record::Control(Control::Profiles { profiles, words }));
    }
    Ok(records)
}
