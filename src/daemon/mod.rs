//! Opens the edges, wires them, and shuts them down in order.
//!
//! Order of a start: settings and profiles are checked; the journal is opened (which locks the data directory), then store, state
//! and series; the pipeline is restored; what changed of settings, zones and profiles is journalled behind a `Started`; the worker
//! replays; the web answers; only then the brokers are connected and devices are let in. A stop goes the other way: they first, so that nothing new
//! comes in, then the worker does what is durable and saves its state, then the journal is closed.

mod announce;

mod backend;

mod brokers;

mod catch_up;

mod clock;

pub mod demo;

mod effects;

mod feed;

mod kept;

mod listener;

mod messages;

mod metrics;

mod obstacles;

mod reached;

mod readiness;

mod recover;

mod series;

mod shared;

mod stage;

mod stopping;

mod tally;

mod traffic;

mod understanding;

mod upkeep;

mod view;

mod worker;

mod zones;

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use announce::announce;
use backend::DaemonBackend;
use backend::SeriesReader;
use listener::ListenerNumbers;
use metrics::Metrics;
use series::SeriesConsumer;
use series::Stores;
use shared::QUESTIONS_LIMIT;
use shared::Shared;
use stopping::close;
use stopping::last_of_worker;
use stopping::part_error;
use stopping::within;
use stopping::written;
use tally::Tally;
use worker::Orders;
use worker::Parts;
use worker::Worker;

use crate::checkpoint::Checkpoints;
use crate::config;
use crate::config::Config;
use crate::decode::DecodeState;
use crate::intake::listener::ListenerStatus;
use crate::journal::Journal;
use crate::journal::JournalOptions;
use crate::profile::Profiles;
use crate::series::InfluxOptions;
use crate::series::InfluxStore;
use crate::series::Series;
use crate::series::SqliteStore;
use crate::store::Store;
use crate::telemetry::Position;
use crate::web;
use crate::web::Tokens;
use crate::web::WebHandles;

pub use clock::wall as wall_clock;
pub use kept::KeptReplay;
pub use kept::check_empty;
pub use reached::Reached;
pub use reached::reached;
pub use recover::export_base;
pub use recover::load_base;
pub use zones::offset_s;
pub use zones::zone_table;

/// How often a start that works through the journal says how far it is.
const REPLAY_TOLD: Duration = Duration::from_secs(5);

/// The folder of the journal in a data directory.
#[must_use]
pub fn journal_dir(data: &Path) -> PathBuf {
    data.join("journal")
}

/// The file of the store in a data directory.
#[must_use]
pub fn store_path(data: &Path) -> PathBuf {
    data.join("store.sqlite")
}

/// The users of the built-in listener in a data directory, where the settings name no other file.
#[must_use]
pub fn users_path(data: &Path) -> PathBuf {
    data.join("users")
}

/// The file of the pipeline's state.
fn state_path(data: &Path) -> PathBuf {
    data.join("state.sqlite")
}

/// The file of the series writer's state.
fn series_state_path(data: &Path) -> PathBuf {
    data.join("series-state.sqlite")
}

/// The file of the embedded series store.
fn series_path(data: &Path) -> PathBuf {
    data.join("series.sqlite")
}

/// What a person who started the daemon needs to know.
#[derive(Debug)]
pub struct Ready<'a> {
    /// Address of the API.
    pub http: std::net::SocketAddr,
    /// Where the admin token lies.
    pub token_file: &'a Path,
    /// Where devices connect; `None` without a listener, or when it takes TLS only.
    pub mqtt: Option<std::net::SocketAddr>,
    /// Where devices connect over TLS.
    pub mqtts: Option<std::net::SocketAddr>,
}

/// Runs the daemon until `stop` becomes true. `ready` is told where everything is once it is up.
///
/// Told to stop while it still replays, it ends after the batch under way, is never ready, and goes on from there the next time.
///
/// # Errors
/// When a part cannot be opened, or one that nothing can do without fails for good.
pub async fn run(
    config: Config,
    mut stop: watch::Receiver<bool>,
    ready: impl FnOnce(&Ready<'_>),
) -> anyhow::Result<()> {
    let token_file = config.data_dir.join(web::ADMIN_TOKEN_FILE);
    let Some((mut running, addresses)) = Running::start(config, stop.clone()).await? else {
        return Ok(());
    };
    ready(&Ready {
        http: addresses.http,
        token_file: &token_file,
        mqtt: addresses.mqtt,
        mqtts: addresses.mqtts,
    });
    let failed = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => None,
        ended = &mut running.worker => Some(part_error("the worker", ended)),
        // Without it no point is written and the journal is never freed: better stopped and seen.
        ended = &mut running.consumer => Some(part_error("the series writer", ended)),
    };
    running.stop(failed).await
}

/// Where the daemon can be reached.
struct Addresses {
    http: std::net::SocketAddr,
    mqtt: Option<std::net::SocketAddr>,
    mqtts: Option<std::net::SocketAddr>,
}

/// Everything that runs, to be stopped in order.
struct Running {
    journal: Journal,
    store: Store,
    worker: JoinHandle<anyhow::Result<()>>,
    consumer: JoinHandle<anyhow::Result<()>>,
    keeper: JoinHandle<()>,
    web: JoinHandle<std::io::Result<()>>,
    /// The brokers, and the listener.
    sources: Vec<JoinHandle<()>>,
    /// True: nothing new comes in any more.
    closing: watch::Sender<bool>,
    orders: watch::Sender<Orders>,
    /// True: the series consumer writes what is left and ends.
    finish: watch::Sender<bool>,
}

impl Running {
    /// Opens and starts everything; `None` when `stop` became true before the journal was replayed.
    async fn start(
        config: Config,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Option<(Self, Addresses)>> {
        let (profiles, words) = config::read_profiles(&config.profiles_dir)?;
        let compiled = compile(&profiles, &words, &config)?;
        let Opened {
            journal,
            store,
            checkpoints,
            series_state,
            series,
        } = Opened::open(&config).await?;
        // Before anything is journalled: a start that cannot be is none.
        let listener = obstacles::listen(config.http.listen, "http.listen").await?;
        let mqtt = config.listener.as_ref().map(listener::open).transpose()?;
        let addresses = Addresses {
            http: listener.local_addr()?,
            mqtt: mqtt.as_ref().and_then(|mqtt| mqtt.listener.address()),
            mqtts: mqtt.as_ref().and_then(|mqtt| mqtt.listener.tls_address()),
        };
        let tokens = Tokens::open(&config.data_dir)?;
        let pipeline = recover::load(&checkpoints, &journal, store.position())?;
        let announced = announce(&journal, &pipeline, &config, profiles, words).await?;

        let (shared, registry) = shared(compiled, mqtt.as_ref().map(|mqtt| &mqtt.status));
        let (questions, asked) = mpsc::channel(QUESTIONS_LIMIT);
        let (orders, ordered) = watch::channel(Orders::Work);
        let ((finish, finishing), (closing, closes)) =
            (watch::channel(false), watch::channel(false));
        let stores = Stores {
            journal: journal.clone(),
            store: store.clone(),
            series: series.clone(),
        };
        let consumer = SeriesConsumer::open(stores, series_state, Arc::clone(&shared), finishing)?;
        let status = consumer.status();
        let parts = Parts {
            journal: journal.clone(),
            store: store.clone(),
            checkpoints,
            shared: Arc::clone(&shared),
            questions: asked,
            orders: ordered,
        };
        let mut worker = on_a_thread(shared::PIPELINE, Worker::new(pipeline, parts).run())?;
        if !replayed(&shared, announced, &mut worker, stop).await? {
            tracing::info!(
                "stopping before everything is replayed; the next start goes on from here"
            );
            orders.send_replace(Orders::Leave);
            let left = last_of_worker(worker).await;
            close(store, journal).await?;
            return left.map(|()| None);
        }

        let handles = WebHandles {
            backend: Arc::new(DaemonBackend {
                journal: journal.clone(),
                shared: Arc::clone(&shared),
                tally: Arc::new(Tally::new(questions.clone())),
                questions,
                sources: sources(&config),
                timezone: config.settings.timezone.parse().unwrap_or(chrono_tz::UTC),
            }),
            store: store.clone(),
            series: Arc::new(SeriesReader(series.clone())),
            tokens,
            registry,
            closing: closes.clone(),
            site: web::Site {
                timezone: config.settings.timezone.parse().unwrap_or(chrono_tz::UTC),
            },
        };
        let web = tokio::spawn(web::serve(listener, web::router(handles), closes.clone()));
        let mut sources = brokers::start(&config, &journal, &shared, &closes);
        sources.extend(mqtt.map(|mqtt| mqtt.start(&journal, &shared, &closes)));
        let keeper = tokio::spawn(upkeep::keep(
            journal.clone(),
            store.clone(),
            series,
            config,
            shared,
            status,
        ));
        let consumer = on_a_thread(series::CONSUMER, consumer.run())?;
        Ok(Some((
            Self {
                journal,
                store,
                worker,
                consumer,
                keeper,
                web,
                sources,
                closing,
                orders,
                finish,
            },
            addresses,
        )))
    }

    /// Brokers first, so that nothing new comes in; then the web; then what they left in the journal's queue; then the worker does what is durable and saves its state; then
    /// the series, to which the worker may have left a last delivery.
    async fn stop(self, failed: Option<anyhow::Error>) -> anyhow::Result<()> {
        tracing::info!("stopping");
        self.closing.send_replace(true);
        for source in self.sources {
            within("a broker connection or the listener", source).await;
        }
        within("the web server", self.web).await;
        within("the journal", tokio::spawn(written(self.journal.clone()))).await;
        self.orders.send_replace(Orders::Finish);
        // A part that failed has been looked at, and must not be again.
        let worked = if self.worker.is_finished() && failed.is_some() {
            Ok(())
        } else {
            last_of_worker(self.worker).await
        };
        self.finish.send_replace(true);
        if !(self.consumer.is_finished() && failed.is_some()) {
            within("the series", self.consumer).await;
        }
        let result = failed.map_or(worked, Err);
        self.keeper.abort();
        close(self.store, self.journal).await?;
        result
    }
}

/// What the parts share, and the registry of its numbers.
fn shared(
    profiles: Profiles,
    mqtt: Option<&Arc<ListenerStatus>>,
) -> (Arc<Shared>, Arc<prometheus_client::registry::Registry>) {
    let metrics = Metrics::default();
    let mut registry = metrics.registry();
    if let Some(status) = mqtt {
        registry.register_collector(Box::new(ListenerNumbers(Arc::clone(status))));
    }
    let shared = Shared::new(metrics, Arc::new(profiles), mqtt.cloned());
    (Arc::new(shared), Arc::new(registry))
}

fn compile(
    profiles: &[crate::telemetry::ProfileText],
    words: &[crate::telemetry::ProfileText],
    config: &Config,
) -> anyhow::Result<Profiles> {
    anyhow::ensure!(
        !profiles.is_empty(),
        "{} holds no profile (*.toml); name the folder with profiles.dir",
        config.profiles_dir.display()
    );
    Profiles::compile(profiles, words).map_err(|mistakes| {
        let texts: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(
            "the profiles have mistakes; foremend check shows them:\n{}",
            texts.join("\n")
        )
    })
}

/// The edges, opened in the order in which they depend on each other.
struct Opened {
    journal: Journal,
    store: Store,
    checkpoints: Checkpoints,
    series_state: Checkpoints,
    series: Series,
}

impl Opened {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let dir = &config.data_dir;
        obstacles::make_writable(dir)?;
        let options = JournalOptions {
            max_age: config.journal.max_age,
            max_bytes: config.journal.max_bytes,
            ..JournalOptions::default()
        };
        let folder = journal_dir(dir);
        let journal =
            tokio::task::spawn_blocking(move || Journal::open(&folder, options)).await??;
        let store = Store::open(&store_path(dir), journal.id()).await?;
        let checkpoints = Checkpoints::open(&state_path(dir), journal.id())?;
        let series_state = Checkpoints::open(&series_state_path(dir), journal.id())?;
        let series = match &config.influxdb {
            Some(influxdb) => {
                let options = InfluxOptions::new(
                    &influxdb.url,
                    &influxdb.org,
                    &influxdb.bucket,
                    influxdb.token.reveal(),
                );
                Series::Influx(InfluxStore::new(options)?)
            }
            None => Series::Embedded(SqliteStore::open(&series_path(dir), journal.id())?),
        };
        Ok(Self {
            journal,
            store,
            checkpoints,
            series_state,
            series,
        })
    }
}

/// What tells whose a message is: decode, knowing the sources and nothing else.
fn sources(config: &Config) -> Arc<DecodeState> {
    let mut decode = DecodeState::new();
    decode.configure(&config.settings);
    Arc::new(decode)
}

/// A part on a thread of its own: it steps, or waits for files, for longer than the network may be held up.
fn on_a_thread(
    name: &str,
    part: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let (done, ended) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || drop(done.send(runtime.block_on(part))))
        .with_context(|| format!("no thread for the {name}"))?;
    let panicked = format!("the thread '{name}' panicked");
    Ok(tokio::spawn(async move {
        ended
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!(panicked)))
    }))
}

/// Waits until the worker has replayed up to `position`; `false` when `stop` became true before.
async fn replayed(
    shared: &Shared,
    position: Position,
    worker: &mut JoinHandle<anyhow::Result<()>>,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<bool> {
    let mut processed = shared.processed();
    loop {
        tokio::select! {
            reached = processed.wait_for(|reached| *reached >= position) => {
                reached.context("the worker is gone")?;
                return Ok(true);
            }
            ended = &mut *worker => return Err(part_error("the worker", ended)),
            // Nobody may ever say stop: then only the others count.
            Ok(_) = stop.wait_for(|stop| *stop) => return Ok(false),
            () = tokio::time::sleep(REPLAY_TOLD) => {}
        }
        // Nobody can look at a page yet.
        let at = *shared.processed().borrow();
        tracing::info!(%at, until = %position, "working through the journal since the last saved state");
    }
}
