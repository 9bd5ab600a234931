//! SIGHUP: what can be taken up while the daemon runs is read again.
//!
//! Everything is read and checked first; one mistake anywhere and nothing at all is changed, and the log says what is wrong. Taken
//! up are the fault profiles (journalled as at a start, so that a replay sees them at the same place), the users and the certificate
//! of the listener, the admin token, the token of InfluxDB and the level of the log. What else differs is named as waiting for a
//! restart. A broker's password needs nothing: it is read at each attempt to connect.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::sync::watch;

use super::compile;
use super::listener::Doors;
use super::logging;
use super::logging::LevelChange;
use super::shared::Shared;
use super::systemd;
use crate::config;
use crate::config::Config;
use crate::config::ConfigError;
use crate::config::Influxdb;
use crate::intake::listener::Certificate;
use crate::journal::Journal;
use crate::series::InfluxOptions;
use crate::series::InfluxStore;
use crate::series::Series;
use crate::telemetry::Control;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::Record;
use crate::web::Tokens;

/// How long a reload waits until the pipeline has come to new profiles.
const IN_FORCE_LIMIT: Duration = Duration::from_secs(10);
/// The section, as it is named among what waits for a restart.
const INFLUXDB: &str = "[influxdb]";

/// Reads the settings as the start did.
pub type ReadSettings = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// How a reload is asked for, and where the settings come from.
pub struct Reload {
    /// One item each time it is asked for; a place for one is enough, since a reload reads everything.
    pub asked: mpsc::Receiver<()>,
    /// Reads the settings as the start did.
    pub read: ReadSettings,
}

/// What a reload works on.
pub(super) struct Reloader {
    pub(super) reload: Reload,
    /// What is in force.
    pub(super) running: Running,
    pub(super) journal: Journal,
    pub(super) shared: Arc<Shared>,
    pub(super) tokens: Tokens,
    pub(super) series: Series,
    pub(super) doors: Option<Doors>,
}

/// What is in force: settings, profiles, shared words.
pub(super) struct Running {
    pub(super) config: Config,
    pub(super) profiles: Vec<ProfileText>,
    pub(super) words: Vec<ProfileText>,
}

/// Everything that was read, and found good.
struct Checked {
    config: Config,
    profiles: Vec<ProfileText>,
    words: Vec<ProfileText>,
    tokens: Tokens,
}

/// What a reload did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    changed: Vec<String>,
    restart: Vec<&'static str>,
}

impl Reloader {
    /// Reloads whenever it is asked to, until the daemon closes.
    pub(super) async fn run(mut self, mut closing: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                asked = self.reload.asked.recv() => if asked.is_none() { return },
                _ = closing.wait_for(|closing| *closing) => return,
            }
            systemd::reloading();
            let result = self.reload().await;
            self.shared.metrics.count_reload(result.is_ok());
            match result {
                Ok(report) => {
                    let text = report.text();
                    tracing::info!("{text}");
                    systemd::ready(&text);
                }
                Err(error) => {
                    tracing::error!(
                        "the reload is refused, and everything stays as it was: {error:#}"
                    );
                    systemd::ready("running; the last reload was refused, the log says why");
                }
            }
        }
    }

    /// Checks everything, then takes it up.
    async fn reload(&mut self) -> anyhow::Result<Report> {
        let checked = self.check()?;
        let mut report = Report {
            restart: self.waiting_for_restart(&checked.config),
            ..Report::default()
        };
        if checked.profiles != self.running.profiles || checked.words != self.running.words {
            let position = self
                .journalled(Control::Profiles {
                    profiles: checked.profiles.clone(),
                    words: checked.words.clone(),
                })
                .await
                .context("the profiles could not be journalled")?;
            let mut told = profiles_changed(&self.running, &checked);
            (self.running.profiles, self.running.words) = (checked.profiles, checked.words);
            let mut processed = self.shared.processed();
            let in_force = processed.wait_for(|reached| *reached >= position);
            // They are journalled, so they come into force in any case; a pipeline that is far behind is not waited for.
            if tokio::time::timeout(IN_FORCE_LIMIT, in_force)
                .await
                .is_err()
            {
                told += " once the pipeline has caught up";
            }
            report.changed.push(told);
        }
        if let Some(doors) = &self.doors {
            if doors.access.refresh() {
                report.changed.push("the users of the listener".into());
            }
            let certificate = doors.certificate.as_ref();
            if certificate.is_some_and(Certificate::refresh) {
                report
                    .changed
                    .push("the certificate of the listener".into());
            }
        }
        if self.tokens.replace(&checked.tokens) {
            report
                .changed
                .push("the admin token (logins of the pages end)".into());
        }
        // A token for another server would lock us out of this one.
        if let (Series::Influx(store), Some(influxdb)) = (&self.series, &checked.config.influxdb)
            && !report.restart.contains(&INFLUXDB)
            && store.set_token(influxdb.token.reveal())?
        {
            report.changed.push("the token of InfluxDB".into());
        }
        let level = checked.config.log.level;
        if level != self.running.config.log.level {
            match logging::set_level(&level) {
                LevelChange::Taken => report.changed.push(format!("log.level = \"{level}\"")),
                LevelChange::ByVariable => report
                    .changed
                    .push("log.level (but RUST_LOG is set and wins)".into()),
                LevelChange::Refused => {}
            }
            self.running.config.log.level = level;
        }
        self.running.config.profiles_dir = checked.config.profiles_dir;
        Ok(report)
    }

    /// Reads and checks everything that a reload takes up; changes nothing.
    fn check(&self) -> anyhow::Result<Checked> {
        let config = (self.reload.read)()?;
        let (profiles, words) = config::read_profiles(&config.profiles_dir)?;
        compile(&profiles, &words, &config)?;
        if let Some(doors) = &self.doors {
            doors.access.check()?;
            if let Some(certificate) = &doors.certificate {
                certificate.check()?;
            }
        }
        if let Some(influxdb) = &config.influxdb {
            let Influxdb {
                url, org, bucket, ..
            } = influxdb;
            // Made for its checks alone.
            InfluxStore::new(InfluxOptions::new(
                url,
                org,
                bucket,
                influxdb.token.reveal(),
            ))?;
        }
        // One that was removed is made anew: that is how a token is changed.
        let tokens = Tokens::open(&self.running.config.data_dir)?;
        Ok(Checked {
            config,
            profiles,
            words,
            tokens,
        })
    }

    async fn journalled(&self, control: Control) -> anyhow::Result<Position> {
        let (done, durable) = tokio::sync::oneshot::channel();
        let records = vec![Record::Control(control)];
        self.journal
            .append_async(records, Box::new(move |result| drop(done.send(result))))
            .await?;
        Ok(durable.await??)
    }

    /// The settings that differ from those in force and wait for a restart.
    fn waiting_for_restart(&self, new: &Config) -> Vec<&'static str> {
        let old = &self.running.config;
        let without_token = |config: &Config| {
            config.influxdb.clone().map(|influxdb| {
                (
                    influxdb.url,
                    influxdb.org,
                    influxdb.bucket,
                    influxdb.retention,
                )
            })
        };
        let mut waiting: Vec<_> = [
            ("data.dir", old.data_dir != new.data_dir),
            ("[http]", old.http != new.http),
            ("[listener]", old.listener != new.listener),
            ("[[broker]]", old.brokers != new.brokers),
            (
                "devices.unknown",
                old.settings.adopt_unknown != new.settings.adopt_unknown,
            ),
            ("devices.open", old.open_devices != new.open_devices),
            (
                "site.timezone",
                old.settings.timezone != new.settings.timezone,
            ),
            ("[[source]]", old.settings.sources != new.settings.sources),
            (INFLUXDB, without_token(old) != without_token(new)),
            ("[series]", old.series != new.series),
            ("[journal]", old.journal != new.journal),
            ("log.format", old.log.format != new.log.format),
        ]
        .into_iter()
        .filter_map(|(key, differs)| differs.then_some(key))
        .collect();
        let certificate = self
            .doors
            .as_ref()
            .and_then(|doors| doors.certificate.as_ref());
        if certificate.is_some_and(Certificate::has_other_authorities) {
            waiting.push("the file of listener.client_ca_file");
        }
        waiting
    }
}

impl Report {
    /// One sentence for the log and for `systemctl status`.
    fn text(&self) -> String {
        let mut text = if self.changed.is_empty() {
            "reloaded; nothing has changed".to_owned()
        } else {
            format!("reloaded: {}", self.changed.join(", "))
        };
        if !self.restart.is_empty() {
            // Writing to a String cannot fail.
            write!(text, "; waiting for a restart: {}", self.restart.join(", ")).ok();
        }
        text
    }
}

/// Which profile files are new, other or gone.
fn profiles_changed(old: &Running, new: &Checked) -> String {
    let file = |text: &ProfileText| {
        let name = text.name.rsplit('/').next().unwrap_or_default();
        name.to_owned()
    };
    let texts = |profiles: &[ProfileText], words: &[ProfileText]| -> Vec<ProfileText> {
        profiles.iter().chain(words).cloned().collect()
    };
    let (before, after) = (
        texts(&old.profiles, &old.words),
        texts(&new.profiles, &new.words),
    );
    let mut said = Vec::new();
    for text in &after {
        match before.iter().find(|known| known.name == text.name) {
            None => said.push(format!("{} is new", file(text))),
            Some(known) if known.text != text.text => said.push(format!("{} changed", file(text))),
            Some(_) => {}
        }
    }
    let gone = before
        .iter()
        .filter(|known| !after.iter().any(|text| text.name == known.name));
    said.extend(gone.map(|known| format!("{} is gone", file(known))));
    format!("profiles ({})", said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, text: &str) -> ProfileText {
        ProfileText {
            name: name.into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_reload_says_what_changed_and_what_waits() {
        let mut report = Report::default();
        assert_eq!(report.text(), "reloaded; nothing has changed");
        report.restart = vec!["[http]", "[journal]"];
        assert_eq!(
            report.text(),
            "reloaded; nothing has changed; waiting for a restart: [http], [journal]"
        );
        report.changed = vec!["the admin token".into()];
        assert_eq!(
            report.text(),
            "reloaded: the admin token; waiting for a restart: [http], [journal]"
        );
    }

    #[test]
    fn profiles_are_told_by_file() {
        let old = Running {
            config: Config::built_in(),
            profiles: vec![text("p/a.toml", "1"), text("p/b.toml", "1")],
            words: vec![text("p/words/w.toml", "1")],
        };
        let new = Checked {
            config: Config::built_in(),
            profiles: vec![text("p/a.toml", "2"), text("p/c.toml", "1")],
            words: vec![text("p/words/w.toml", "1")],
            tokens: Tokens::single("admin", "x"),
        };
        assert_eq!(
            profiles_changed(&old, &new),
            "profiles (a.toml changed, c.toml is new, b.toml is gone)"
        );
    }
}
