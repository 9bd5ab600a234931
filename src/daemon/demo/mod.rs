//! The demo: a daemon of its own with a made-up past and a fleet that speaks to it over MQTT, so that a visitor sees a desk at work.
//!
//! [`prepare`] looks at the directory, and makes the past where there is none; [`run`] starts the daemon and the fleet, which goes
//! on where its past ended. It leaves arguments and printing to the command line. Invariant: nothing here changes what the daemon
//! does; the past was made by the same pipeline and lies in the same files as any other.

mod directory;

mod live;

mod past;

mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch as signal;

use super::clock;
use super::compile;
use super::zone_table;
use crate::config;
use crate::config::Config;
use crate::intake::BrokerAddress;
use crate::intake::BrokerSettings;
use crate::intake::devices;
use crate::intake::devices::DevicesOptions;
use crate::intake::devices::Pace;
use crate::intake::devices::Tally;
use crate::lab::replay::World;
use crate::lab::simulate::tended::Diary;
use crate::lab::simulate::tended::Tended;
use crate::telemetry::DAY_MS;
use crate::telemetry::Timestamp;

use live::Directed;

pub use live::Act;
pub use live::message;
pub use live::speakers;

/// Publishes on their way at once, per device.
const WINDOW: u16 = 20;
/// Repairs that wait for the fleet; a visitor makes a few an hour. When full, the one who found them waits.
const REPAIRS: usize = 64;
/// Days that the demo keeps its journal beyond those of its past.
const KEPT_DAYS: u64 = 60;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// The demo's own directory.
    pub data: PathBuf,
    /// Seed of fleet and people.
    pub seed: u64,
    /// How many devices.
    pub devices: usize,
    /// How many days of past.
    pub days: u32,
    /// Begin anew, also when there is an earlier demo.
    pub anew: bool,
}

/// A demo that can be started.
pub struct Prepared {
    config: Config,
    fleet: Tended,
    /// Since when its past was over; `None`: it was made just now.
    pub continued: Option<Timestamp>,
}

/// What a visitor is to know once everything is up.
pub struct Opening {
    /// Address of pages and API.
    pub http: SocketAddr,
    /// Where devices connect.
    pub mqtt: SocketAddr,
    /// File with the admin token.
    pub token_file: PathBuf,
    /// The time now.
    pub now: Timestamp,
    /// What will happen, and how long from now, ms.
    pub acts: Vec<(i64, Act)>,
}

/// Seats and brushes of a demo with so many devices: three to two.
#[must_use]
pub const fn shares(devices: usize) -> (usize, usize) {
    let brushes = devices * 2 / 5;
    (devices - brushes, brushes)
}

/// Looks at the directory and makes the past, or the fleet of an earlier demo. `progress` is told how much of the past is lived
/// through, of how much, in ms.
///
/// # Errors
/// When a port is taken, the directory is not a demo's, or it cannot be written.
pub fn prepare(
    options: &DemoOptions,
    mut config: Config,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<Prepared> {
    check_ports(&config)?;
    let days = u64::from(options.days) + KEPT_DAYS;
    config.journal.max_age = config
        .journal
        .max_age
        .max(std::time::Duration::from_hours(24 * days));
    config.data_dir.clone_from(&options.data);
    if let Some(diary) = directory::earlier(&options.data, options.anew)? {
        let continued = Some(directory::left_at(&options.data)?);
        return Ok(Prepared {
            fleet: Tended::again(diary, clock::wall()),
            continued,
            config,
        });
    }
    let (profiles, words) = config::read_profiles(&config.profiles_dir)?;
    compile(&profiles, &words, &config)?;
    let now = clock::wall();
    let world = World {
        settings: config.settings.clone(),
        zones: zone_table(now),
        profiles,
        words,
    };
    let from = now - i64::from(options.days) * DAY_MS;
    let diary = Diary::new(options.seed, shares(options.devices), from, now);
    let part = directory::begin(&options.data)?;
    let fleet = past::make(&part, world, diary, clock::wall, progress)?;
    directory::save(&part, fleet.diary())?;
    directory::finish(&part, &options.data)?;
    Ok(Prepared {
        config,
        fleet,
        continued: None,
    })
}

/// Runs daemon and fleet until `stop` becomes true: then the fleet leaves first.
///
/// # Errors
/// When the daemon cannot start or ends by itself.
pub async fn run(
    prepared: Prepared,
    stop: signal::Receiver<bool>,
    opened: impl FnOnce(&Opening),
) -> anyhow::Result<()> {
    let Prepared { config, fleet, .. } = prepared;
    let data = config.data_dir.clone();
    let (halt, halted) = signal::channel(false);
    let (tell, told) = oneshot::channel();
    let signals = super::Signals {
        stop: halted,
        reload: None,
    };
    let daemon = super::run(config, signals, move |ready| {
        // Without anybody to tell, the demo is ending already.
        drop(tell.send((ready.http, ready.mqtt, ready.token_file.to_owned())));
    });
    tokio::pin!(daemon);
    let play = async {
        let mut stopped = stop.clone();
        let ready = tokio::select! {
            ready = told => ready.context("the daemon did not start")?,
            _ = stopped.wait_for(|stop| *stop) => return anyhow::Ok(()),
        };
        let (http, mqtt, token_file) = ready;
        let mqtt =
            mqtt.context("the demo needs the built-in MQTT listener; it is off in the settings")?;
        let (repairs, repaired) = mpsc::channel(REPAIRS);
        let speakers = speakers(&fleet.devices());
        let mut script = Directed::new(fleet, data.clone(), repaired, clock::wall());
        let now = clock::wall();
        opened(&Opening {
            http,
            mqtt,
            token_file,
            now,
            acts: script.acts(now),
        });
        let watching = tokio::spawn(watch::repairs(data.clone(), repairs));
        let options = server(mqtt);
        let tally = Arc::new(Tally::default());
        let played =
            devices::play(&options, &speakers, &mut script, Pace::Live, &tally, stop).await;
        watching.abort();
        directory::save(&data, script.diary())?;
        played?;
        Ok(())
    };
    tokio::select! {
        ended = &mut daemon => ended,
        played = play => {
            halt.send_replace(true);
            let ended = daemon.await;
            played.and(ended)
        }
    }
}

/// The listener as its devices reach it.
fn server(mqtt: SocketAddr) -> DevicesOptions {
    let host = match mqtt.ip() {
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        ip => ip.to_string(),
    };
    let address = BrokerAddress {
        host,
        port: mqtt.port(),
        tls: false,
    };
    DevicesOptions {
        server: BrokerSettings::new("demo", address, "foremend-demo".into(), Vec::new()),
        connections: devices::CONNECTIONS,
        window: WINDOW,
        limit: None,
    }
}

/// A port that is taken is told before the past is made, not after.
fn check_ports(config: &Config) -> anyhow::Result<()> {
    let mqtt = config
        .listener
        .as_ref()
        .and_then(|listener| listener.listen);
    let ports: BTreeMap<&str, SocketAddr> =
        [("--http", Some(config.http.listen)), ("--mqtt", mqtt)]
            .into_iter()
            .filter_map(|(option, address)| Some((option, address?)))
            .collect();
    for (option, address) in ports {
        std::net::TcpListener::bind(address).with_context(|| {
            let other = SocketAddr::new(address.ip(), 0);
            format!("cannot listen on {address}, perhaps another program does; name another address with {option}, such as {option} {other} for any free port")
        })?;
    }
    Ok(())
}
