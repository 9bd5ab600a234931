//! Everything that runs, and the order in which it begins and ends.
//!
//! A start can be stopped at any moment: before the worker replays there is nothing to save, and while it replays it saves its state
//! where it is. A stop that finds the worker far behind the journal does the same. Leaves to each part how it works.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::announce::announce;
use super::backend::DaemonBackend;
use super::backend::SeriesReader;
use super::brokers;
use super::clock;
use super::compile;
use super::handover::Room;
use super::handover::handover;
use super::journal_dir;
use super::listener;
use super::metrics::Metrics;
use super::numbers;
use super::obstacles;
use super::recover;
use super::reload;
use super::reload::Reload;
use super::reload::Reloader;
use super::series;
use super::series::Links;
use super::series::SeriesConsumer;
use super::series::Stores;
use super::series_path;
use super::series_state_path;
use super::shared;
use super::shared::QUESTIONS_LIMIT;
use super::shared::Question;
use super::shared::Shared;
use super::stage_times;
use super::state_path;
use super::stopping::close;
use super::stopping::last_of_worker;
use super::stopping::part_error;
use super::stopping::within;
use super::stopping::written;
use super::store_path;
use super::systemd;
use super::tally::Tally;
use super::upkeep;
use super::worker::Orders;
use super::worker::Parts;
use super::worker::Worker;
use crate::checkpoint::Checkpoints;
use crate::config;
use crate::config::Config;
use crate::decode::DecodeState;
use crate::journal::Journal;
use crate::journal::JournalOptions;
use crate::series::InfluxOptions;
use crate::series::InfluxStore;
use crate::series::Series;
use crate::series::SqliteStore;
use crate::store::Store;
use crate::telemetry::Position;
use crate::telemetry::SECOND_MS;
use crate::web;
use crate::web::Tokens;
use crate::web::WebHandles;

/// How long a stop lets the worker do what is durable already; then it saves its state where it is.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(10);
/// How often the service manager is told how far the start's replay is.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// How often the log says it.
const LOG_EVERY_MS: i64 = 5 * SECOND_MS;

/// Where the daemon can be reached.
pub(super) struct Addresses {
    pub(super) http: std::net::SocketAddr,
    pub(super) mqtt: Option<std::net::SocketAddr>,
    pub(super) mqtts: Option<std::net::SocketAddr>,
}

/// Everything that runs, to be stopped in order.
pub(super) struct Running {
    journal: Journal,
    store: Store,
    pub(super) shared: Arc<Shared>,
    pub(super) worker: JoinHandle<anyhow::Result<()>>,
    pub(super) consumer: JoinHandle<anyhow::Result<()>>,
    /// What looks after things and can be left at any moment: upkeep, reloads.
    keepers: Vec<JoinHandle<()>>,
    web: JoinHandle<std::io::Result<()>>,
    /// The brokers, and the listener.
    sources: Vec<JoinHandle<()>>,
    /// True: nothing new comes in any more.
    closing: watch::Sender<bool>,
    /// True: the series consumer writes what is left and ends.
    finish: watch::Sender<bool>,
    orders: watch::Sender<Orders>,
}

impl Running {
    /// Starts everything; `None` when the stop came first.
    pub(super) async fn start(
        config: Config,
        stop: watch::Receiver<bool>,
        reload: Option<Reload>,
    ) -> anyhow::Result<Option<(Self, Addresses)>> {
        let (profiles, words) = config::read_profiles(&config.profiles_dir)?;
        let compiled = compile(&profiles, &words, &config)?;
        let metrics = Metrics::default();
        systemd::starting("opening the journal and the stores");
        let Opened {
            journal,
            store,
            checkpoints,
            series_state,
            series,
        } = Opened::open(&config, &metrics).await?;
        // Before anything is journalled: a start that cannot be is none.
        let listener = obstacles::listen(config.http.listen, "http.listen").await?;
        let mqtt = config.listener.as_ref().map(listener::open).transpose()?;
        let addresses = Addresses {
            http: listener.local_addr()?,
            mqtt: mqtt.as_ref().and_then(|mqtt| mqtt.listener.address()),
            mqtts: mqtt.as_ref().and_then(|mqtt| mqtt.listener.tls_address()),
        };
        let tokens = Tokens::open(&config.data_dir)?;
        let mut pipeline = recover::load(&checkpoints, &journal, store.position())?;
        pipeline.set_open_limit(config.open_devices);
        if *stop.borrow() {
            systemd::stopping();
            return Ok(None);
        }
        let in_force = reload::Running {
            config: config.clone(),
            profiles: profiles.clone(),
            words: words.clone(),
        };
        let announced = announce(&journal, &pipeline, &config, profiles, words).await?;

        let status = mqtt.as_ref().map(|mqtt| Arc::clone(&mqtt.status));
        let shared = Arc::new(Shared::new(metrics, Arc::new(compiled), status));
        let (questions, asked) = mpsc::channel(QUESTIONS_LIMIT);
        let (orders, ordered) = watch::channel(Orders::Work);
        let ((finish, finishing), (closing, closes)) =
            (watch::channel(false), watch::channel(false));
        let stores = Stores {
            journal: journal.clone(),
            store: store.clone(),
            series: series.clone(),
        };
        let (giver, taker) = handover(Room::default());
        let links = Links {
            shared: Arc::clone(&shared),
            taker,
            shutdown: finishing,
        };
        let consumer = SeriesConsumer::open(stores.clone(), series_state, links)?;
        let status = consumer.status();
        let parts = Parts {
            journal: journal.clone(),
            store: store.clone(),
            shared: Arc::clone(&shared),
            questions: asked,
            orders: ordered,
        };
        let worker = Worker::new(pipeline, checkpoints, giver, parts)?;
        let mut worker = on_a_thread(shared::PIPELINE, worker.run())?;
        if !replayed(&shared, announced, &mut worker, stop).await? {
            systemd::stopping();
            orders.send_replace(Orders::Leave);
            let left = last_of_worker(worker).await;
            close(store, journal).await?;
            return left.map(|()| None);
        }

        let inside = Inside {
            stores,
            shared: Arc::clone(&shared),
            questions,
            tokens,
        };
        let web = inside.open_web(listener, &config, &closes);
        let mut sources = brokers::start(&config, &journal, &shared, &closes);
        let doors = mqtt.as_ref().map(|mqtt| mqtt.doors.clone());
        sources.extend(mqtt.map(|mqtt| mqtt.start(&journal, &shared, &closes)));
        let reloads = reload.map(|reload| inside.reloader(reload, in_force, doors));
        let keeper = upkeep::keep(inside.stores, config, Arc::clone(&shared), status);
        let mut keepers = vec![tokio::spawn(keeper)];
        keepers.extend(reloads.map(|reloads| tokio::spawn(reloads.run(closes))));
        let consumer = on_a_thread(series::CONSUMER, consumer.run())?;
        Ok(Some((
            Self {
                journal,
                store,
                shared,
                worker,
                consumer,
                keepers,
                web,
                sources,
                closing,
                finish,
                orders,
            },
            addresses,
        )))
    }

    /// Brokers first, so that nothing new comes in; then the web; then what they left in the journal's queue; then the worker does what
    /// is durable and saves its state; then the series, to which the worker may have left a last delivery.
    pub(super) async fn stop(mut self, failed: Option<anyhow::Error>) -> anyhow::Result<()> {
        tracing::info!("stopping");
        systemd::stopping();
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
            let in_time = tokio::time::timeout(CATCH_UP_LIMIT, &mut self.worker).await;
            if let Ok(ended) = in_time {
                ended.context("the worker did not end well")?
            } else {
                tracing::info!("far behind the journal: the next start goes on from here");
                self.orders.send_replace(Orders::Leave);
                last_of_worker(self.worker).await
            }
        };
        self.finish.send_replace(true);
        if !(self.consumer.is_finished() && failed.is_some()) {
            within("the series", self.consumer).await;
        }
        let result = failed.map_or(worked, Err);
        for keeper in self.keepers {
            keeper.abort();
        }
        close(self.store, self.journal).await?;
        result
    }
}

/// What the edges that people and devices see are given.
struct Inside {
    stores: Stores,
    shared: Arc<Shared>,
    questions: mpsc::Sender<Question>,
    tokens: Tokens,
}

impl Inside {
    /// Pages and API.
    fn open_web(
        &self,
        listener: TcpListener,
        config: &Config,
        closes: &watch::Receiver<bool>,
    ) -> JoinHandle<std::io::Result<()>> {
        let Stores {
            journal,
            store,
            series,
        } = &self.stores;
        let timezone = config.settings.timezone.parse().unwrap_or(chrono_tz::UTC);
        let handles = WebHandles {
            backend: Arc::new(DaemonBackend {
                journal: journal.clone(),
                shared: Arc::clone(&self.shared),
                tally: Arc::new(Tally::new(self.questions.clone())),
                questions: self.questions.clone(),
                sources: sources(config),
                timezone,
            }),
            store: store.clone(),
            series: Arc::new(SeriesReader(series.clone())),
            tokens: self.tokens.clone(),
            registry: Arc::new(numbers::registry(&self.shared, journal)),
            closing: closes.clone(),
            site: web::Site { timezone },
        };
        tokio::spawn(web::serve(listener, web::router(handles), closes.clone()))
    }

    /// What reads settings and profiles again.
    fn reloader(
        &self,
        reload: Reload,
        running: reload::Running,
        doors: Option<listener::Doors>,
    ) -> Reloader {
        Reloader {
            reload,
            running,
            journal: self.stores.journal.clone(),
            shared: Arc::clone(&self.shared),
            tokens: self.tokens.clone(),
            series: self.stores.series.clone(),
            doors,
        }
    }
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
    async fn open(config: &Config, metrics: &Metrics) -> anyhow::Result<Self> {
        let dir = &config.data_dir;
        obstacles::make_writable(dir)?;
        let options = JournalOptions {
            max_age: config.journal.max_age,
            max_bytes: config.journal.max_bytes,
            committed: Some(Arc::new({
                let commits = metrics.stages.journal_commit.clone();
                move |took| commits.observe(stage_times::seconds(took))
            })),
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

/// Waits until the worker has replayed up to `position`, and tells the service manager how far it is; `false` when `stop` became
/// true before.
async fn replayed(
    shared: &Shared,
    position: Position,
    worker: &mut JoinHandle<anyhow::Result<()>>,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<bool> {
    let mut processed = shared.processed();
    let mut look = tokio::time::interval(PROGRESS_EVERY);
    let mut told = None;
    let mut logged = clock::monotonic_ms();
    loop {
        tokio::select! {
            reached = processed.wait_for(|reached| *reached >= position) => {
                reached.context("the worker is gone")?;
                return Ok(true);
            }
            ended = &mut *worker => return Err(part_error("the worker", ended)),
            // Nobody may ever say stop: then only the others count.
            Ok(_) = stop.wait_for(|stop| *stop) => return Ok(false),
            _ = look.tick() => {}
        }
        let reached = *processed.borrow();
        // Only progress earns more time.
        if told != Some(reached) {
            systemd::starting(&format!(
                "replaying the journal: at {reached} of {position}"
            ));
            told = Some(reached);
        }
        // Nobody can look at a page yet.
        if clock::monotonic_ms() - logged >= LOG_EVERY_MS {
            tracing::info!(at = %reached, until = %position, "working through the journal since the last saved state");
            logged = clock::monotonic_ms();
        }
    }
}
