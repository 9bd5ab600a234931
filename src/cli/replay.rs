//! `foremend replay`: recordings through the same pipeline as live.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Outcome;
use super::output::complain;
use super::output::say;
use super::profiles::check_profiles;
use super::progress::Progress;
use crate::config;
use crate::config::Config;
use crate::daemon::KeptReplay;
use crate::daemon::check_empty;
use crate::daemon::load_base;
use crate::daemon::zone_table;
use crate::decode::PayloadReader;
use crate::desk::change_line;
use crate::desk::change_text;
use crate::lab::recording;
use crate::lab::recording::ReadAhead;
use crate::lab::recording::Recorded;
use crate::lab::recording::SkippedLine;
use crate::lab::replay::ProfilesFrom;
use crate::lab::replay::Replayer;
use crate::lab::replay::World;
use crate::pipeline::Counts;
use crate::pipeline::Effects;
use crate::telemetry::Control;
use crate::telemetry::Lang;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::Settings;
use crate::telemetry::Timestamp;

/// How many unreadable lines of a recording are told one by one; the rest are counted.
const LINES_TOLD: u64 = 10;
/// After how many records progress is shown: some hundredths of a second.
const SHOWN_EVERY: u64 = 1_024;

/// Plays recordings through the same pipeline as live, in their own time, and prints each ticket change.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend replay tests/recordings/small-fleet.jsonl.gz\n  mosquitto_sub -F %j -t 'appl/v1/#' > today.jsonl; foremend replay today.jsonl --json"
)]
pub(super) struct Replay {
    /// Recordings, one message a line as `mosquitto_sub -F %j` prints them; .gz and .zst too. Several are played one after the other.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judge by the profiles of this folder, whatever the recording carries.
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// One JSON object for each ticket change.
    #[arg(long)]
    json: bool,
    /// Chinese instead of English.
    #[arg(long, conflicts_with = "json")]
    zh: bool,
    /// Fire what is due up to this time; without it, up to the recording's `end` line, else its last message.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Settings file, for its sources and site.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep the result as a data directory that `foremend run --data DIR` opens; it must be empty or not exist.
    /// The daemon keeps its journal for `journal.max_age`, counted from the recording's own times.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Go on from a state that `foremend journal export --base FILE` wrote: only what came after it is played.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profiles", "into"])]
    base: Option<PathBuf>,
}

/// What a replay adds up for its last line.
#[derive(Default)]
struct Totals {
    bar: Progress,
    records: u64,
    lines_skipped: u64,
    counts: Counts,
    changes: u64,
    alerts: u64,
}

/// A replay under way.
struct Playing {
    player: Replayer,
    kept: Option<KeptReplay>,
    /// What was played up to here is in the base already.
    base: Option<Position>,
}

impl Playing {
    /// The settings that the next message comes under.
    fn settings(&self) -> &Settings {
        self.player.pipeline().settings()
    }

    /// Whether a record lies behind the base; each does when there is none.
    fn is_new(&self, file: &Path, recorded: &Recorded) -> anyhow::Result<bool> {
        let Some(base) = self.base else {
            return Ok(true);
        };
        let end = recorded.record == Record::Control(Control::End);
        anyhow::ensure!(
            end || recorded.position.is_some(),
            "{}: line {} has no position; --base goes with an export of the same journal",
            file.display(),
            recorded.line
        );
        Ok(recorded.position.is_none_or(|position| position > base))
    }

    fn keep(&mut self, effects: Effects) -> anyhow::Result<()> {
        match &mut self.kept {
            Some(kept) => kept.take(self.player.take_played(), effects),
            None => Ok(()),
        }
    }

    fn finish(self) -> anyhow::Result<()> {
        let Some(kept) = self.kept else { return Ok(()) };
        let report = kept.finish(self.player.into_pipeline())?;
        for (reason, points) in &report.refused {
            complain(&format!(
                "the series took {points} points not: {}",
                reason.as_str()
            ));
        }
        Ok(())
    }
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        if let Some(dir) = &self.into {
            check_empty(dir)?;
        }
        let config = config::load(self.config.as_deref())?;
        let mut playing = None;
        let mut totals = Totals {
            bar: if self.json {
                Progress::quiet()
            } else {
                Progress::open("replaying", "records")
            },
            ..Totals::default()
        };
        let mut last = None;
        for file in &self.files {
            let settings = playing.as_ref().map_or(&config.settings, Playing::settings);
            let lines = recording::open(file)
                .map_err(anyhow::Error::from)
                .and_then(|lines| Ok(lines.ahead(PayloadReader::new(settings))?))
                .with_context(|| format!("cannot read {}", file.display()))?;
            for line in lines {
                let ReadAhead { recorded, payload } =
                    match line.with_context(|| file.display().to_string())? {
                        Ok(read) => read,
                        Err(skipped) => {
                            totals.skip(file, &skipped);
                            continue;
                        }
                    };
                if self.until.is_some_and(|until| recorded.received_at > until) {
                    break;
                }
                last = Some(recorded.received_at);
                totals.records += 1;
                if totals.records.is_multiple_of(SHOWN_EVERY) {
                    totals.bar.at(totals.records);
                }
                let playing = match &mut playing {
                    Some(playing) => playing,
                    None => match self.begin(&config, &recorded)? {
                        Some(new) => playing.insert(new),
                        None => return Ok(Outcome::NotGood),
                    },
                };
                if !playing.is_new(file, &recorded)? {
                    continue;
                }
                // An end line tells until when a process was there; like a tick it is nothing that happened.
                let mut effects = Effects::default();
                playing.player.feed_read(
                    recorded.received_at,
                    recorded.record,
                    payload,
                    &mut effects,
                );
                self.print(&effects, &mut totals)?;
                playing.keep(effects)?;
            }
        }
        if let (Some(mut playing), Some(last)) = (playing, self.until.or(last)) {
            let mut effects = Effects::default();
            playing.player.finish(last, &mut effects);
            self.print(&effects, &mut totals)?;
            playing.keep(effects)?;
            totals.bar.at(totals.records);
            playing.finish()?;
        } else if let Some(dir) = &self.into {
            anyhow::bail!(
                "the recording holds nothing to play; {} was not written",
                dir.display()
            );
        }
        totals.tell(self.json)?;
        Ok(Outcome::Good)
    }

    /// Begins to play, and to keep what is played if that is wanted; `None` when the profiles have mistakes.
    fn begin(&self, config: &Config, first: &Recorded) -> anyhow::Result<Option<Playing>> {
        if let Some(base) = &self.base {
            let mut pipeline = load_base(base)?;
            pipeline.set_open_limit(config.open_devices);
            return Ok(Some(Playing {
                base: Some(pipeline.position()),
                player: Replayer::resume(pipeline),
                kept: None,
            }));
        }
        let Some(mut player) = self.player(config, first)? else {
            return Ok(None);
        };
        player.set_open_limit(config.open_devices);
        let kept = match &self.into {
            Some(dir) => {
                player.remember();
                Some(KeptReplay::create(dir)?)
            }
            None => None,
        };
        Ok(Some(Playing {
            player,
            kept,
            base: None,
        }))
    }

    /// A player for a recording with this first record; `None` when the profiles have mistakes. An exported journal begins with
    /// its own settings and profiles; any other recording is judged by those of the settings.
    fn player(&self, config: &Config, first: &Recorded) -> anyhow::Result<Option<Replayer>> {
        // So begins the journal of a daemon, or one that a replay was kept in.
        let exported = matches!(
            first.record,
            Record::Control(Control::Started { .. } | Control::Settings(_))
        );
        if exported && self.profiles.is_none() {
            return Ok(Some(Replayer::new(None, ProfilesFrom::Recording)));
        }
        let dir = self.profiles.as_deref().unwrap_or(&config.profiles_dir);
        let (profiles, words) = config::read_profiles(dir)
            .context("the profiles to judge by; name their folder with --profiles")?;
        if !check_profiles(&profiles, &words) {
            return Ok(None);
        }
        let world = World {
            settings: config.settings.clone(),
            zones: zone_table(first.received_at),
            profiles,
            words,
        };
        let from = if self.profiles.is_some() {
            ProfilesFrom::World
        } else {
            ProfilesFrom::Recording
        };
        Ok(Some(Replayer::new(Some(world), from)))
    }

    fn print(&self, effects: &Effects, totals: &mut Totals) -> anyhow::Result<()> {
        for alert in &effects.alerts {
            totals.alerts += 1;
            totals.bar.aside(|| complain(alert));
        }
        let counts = &effects.counts;
        totals.counts.received += counts.received;
        totals.counts.decoded += counts.decoded;
        totals.counts.rejected += counts.rejected;
        totals.counts.duplicate += counts.duplicate;
        totals.counts.records_rejected += counts.records_rejected;
        for change in &effects.changes {
            let Some(line) = change_line(change) else {
                continue;
            };
            totals.changes += 1;
            if self.json {
                say(&line)?;
            } else {
                let lang = if self.zh { Lang::Zh } else { Lang::En };
                totals.bar.aside(|| say(&change_text(change, lang)))?;
            }
        }
        Ok(())
    }
}

impl Totals {
    fn skip(&mut self, file: &Path, skipped: &SkippedLine) {
        self.lines_skipped += 1;
        if self.lines_skipped <= LINES_TOLD {
            self.bar.aside(|| {
                complain(&format!(
                    "{}: line {} was skipped: {}",
                    file.display(),
                    skipped.line,
                    skipped.reason
                ));
            });
        }
    }

    /// The last line, on standard error so that the output stays data.
    fn tell(&self, json: bool) -> anyhow::Result<()> {
        self.bar.clear();
        let Counts {
            received,
            decoded,
            rejected,
            duplicate,
            records_rejected,
            ..
        } = self.counts;
        if self.lines_skipped > LINES_TOLD {
            complain(&format!(
                "{} lines could not be read and were skipped",
                self.lines_skipped
            ));
        }
        if !json {
            say(&format!(
                "{} ticket changes; {received} messages = {decoded} decoded + {rejected} rejected + {duplicate} duplicate ({records_rejected} single records rejected)",
                self.changes
            ))?;
        }
        Ok(())
    }
}
