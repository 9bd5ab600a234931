//! A recording through the same pipeline as live, in its own time, without a daemon.

use crate::decode::ReadPayload;
use crate::pipeline::Effects;
use crate::pipeline::Pipeline;
use crate::telemetry::Control;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::Record;
use crate::telemetry::Settings;
use crate::telemetry::Timestamp;
use crate::telemetry::ZoneTable;

/// What a recording needs to know before its first message, when it does not say so itself.
pub struct World {
    /// Sources and site.
    pub settings: Settings,
    /// Offsets of the zones around the recording's time.
    pub zones: ZoneTable,
    /// Profile files.
    pub profiles: Vec<ProfileText>,
    /// Files of shared words.
    pub words: Vec<ProfileText>,
}

/// Which profiles judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfilesFrom {
    /// Those that the recording carries; else those of the world.
    Recording,
    /// Those of the world, whatever the recording carries: what a change would have done.
    World,
}

/// Plays records, one after the other.
pub struct Replayer {
    pipeline: Pipeline,
    position: Position,
    at: Timestamp,
    world: Option<World>,
    from: ProfilesFrom,
    /// The entries played since they were last asked for; `None` when nobody asks.
    played: Option<Vec<Entry>>,
}

impl Replayer {
    /// A replay in this world; `None` when the recording brings its own.
    #[must_use]
    pub fn new(world: Option<World>, from: ProfilesFrom) -> Self {
        Self {
            pipeline: Pipeline::new(),
            position: Position::default(),
            at: Timestamp::MIN,
            world,
            from,
            played: None,
        }
    }

    /// A replay that goes on where this pipeline stood.
    #[must_use]
    pub fn resume(pipeline: Pipeline) -> Self {
        Self {
            position: pipeline.position(),
            at: pipeline.last_received_at().unwrap_or(Timestamp::MIN),
            pipeline,
            world: None,
            from: ProfilesFrom::Recording,
            played: None,
        }
    }

    /// At most so many devices stand open in detection from here on; it changes no result.
    pub fn set_open_limit(&mut self, limit: usize) {
        self.pipeline.set_open_limit(limit);
    }

    /// From now on remembers what it plays, for [`Self::take_played`].
    pub fn remember(&mut self) {
        self.played = Some(Vec::new());
    }

    /// The entries played since the last call, in order and as they would lie in a journal of their own. Call it after each
    /// record: they are kept until then.
    pub fn take_played(&mut self) -> Vec<Entry> {
        self.played.as_mut().map_or_else(Vec::new, std::mem::take)
    }

    /// Plays one record. A time that goes back is raised to the one before it.
    pub fn feed(&mut self, at: Timestamp, record: Record, effects: &mut Effects) {
        self.feed_read(at, record, None, effects);
    }

    /// Plays one record whose payload may have been read ahead, with the same effects.
    pub fn feed_read(
        &mut self,
        at: Timestamp,
        record: Record,
        read: Option<ReadPayload>,
        effects: &mut Effects,
    ) {
        self.at = self.at.max(at);
        if let Some(world) = self.world.take() {
            self.introduce(world, effects);
        }
        let is_profiles = matches!(record, Record::Control(Control::Profiles { .. }));
        if !(is_profiles && self.from == ProfilesFrom::World) {
            self.step(record, read, effects);
        }
    }

    /// Fires what is due up to `until` (or up to the last record, if that is later).
    pub fn finish(&mut self, until: Timestamp, effects: &mut Effects) {
        self.at = self.at.max(until);
        self.step(Record::Tick, None, effects);
    }

    /// The pipeline, to look into.
    #[must_use]
    pub const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The pipeline as it is after everything that was played.
    #[must_use]
    pub fn into_pipeline(self) -> Pipeline {
        self.pipeline
    }

    fn introduce(&mut self, world: World, effects: &mut Effects) {
        let World {
            settings,
            zones,
            profiles,
            words,
        } = world;
        for control in [
            Control::Settings(settings),
            Control::Zones { zones },
            Control::Profiles { profiles, words },
        ] {
            self.step(Record::Control(control), None, effects);
        }
    }

    fn step(&mut self, record: Record, read: Option<ReadPayload>, effects: &mut Effects) {
        self.position = self.position.next();
        let entry = Entry {
            position: self.position,
            received_at: self.at,
            record,
        };
        self.pipeline.step_read(&entry, read, effects);
        if let Some(played) = &mut self.played {
            played.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::recording::Lines;
    use crate::lab::recording::RecordingWriter;
    use crate::pipeline::tests::lines;
    use crate::pipeline::tests::story::entries;
    use crate::pipeline::tests::story::story;

    #[test]
    fn an_exported_recording_prints_the_same_lines() {
        let story = story(7, 1_500);
        let (mut pipeline, mut live) = (Pipeline::new(), Effects::default());
        let mut writer = RecordingWriter::new(Vec::new());
        for entry in entries(&story) {
            pipeline.step(&entry, &mut live);
            writer.write(&entry).expect("written");
        }
        let last = story.last().expect("a story").0;
        let text = writer.end(last).expect("written");
        let mut player = Replayer::new(None, ProfilesFrom::Recording);
        let mut effects = Effects::default();
        for line in Lines::new(&text[..]) {
            let recorded = line.expect("readable").expect("a record");
            player.feed(recorded.received_at, recorded.record, &mut effects);
        }
        player.finish(last, &mut effects);
        assert_eq!(lines(&effects), lines(&live));
        assert!(lines(&live).len() > 100);
    }
}
