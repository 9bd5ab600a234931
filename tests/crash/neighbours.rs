//! What Foremend leans on, killed and started again while it is killed itself.

use tokio::runtime::Runtime;

use crate::influxd::Influxd;
use crate::mosquitto::Mosquitto;

/// A server that can be killed and comes back with what it had saved.
pub(crate) trait Server {
    fn kill(&mut self);
    fn start_again(&mut self);
}

/// An InfluxDB and what asks it.
pub(crate) struct Influx {
    pub(crate) runtime: Runtime,
    pub(crate) server: Influxd,
}

impl Influx {
    pub(crate) fn start() -> Self {
        // An error only says that another test was first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let runtime = Runtime::new().expect("a runtime");
        let server = runtime.block_on(Influxd::start());
        Self { runtime, server }
    }
}

impl Server for Influx {
    fn kill(&mut self) {
        self.server.stop();
    }

    fn start_again(&mut self) {
        self.runtime.block_on(self.server.start_again());
    }
}

impl Server for Mosquitto {
    fn kill(&mut self) {
        Mosquitto::kill(self);
    }

    fn start_again(&mut self) {
        self.run();
    }
}

/// The kills of one neighbour, spread over those of the daemon; it is away until the life after.
pub(crate) struct Neighbour<'a> {
    server: &'a mut dyn Server,
    /// How often it is to be killed, over how many kills of the daemon.
    wanted: u64,
    kills: u64,
    killed: u64,
    is_up: bool,
}

impl<'a> Neighbour<'a> {
    /// One that is killed once for ten kills of the daemon, and three times at least.
    pub(crate) fn new(server: &'a mut dyn Server, kills: u64) -> Self {
        Self {
            server,
            wanted: (kills / 10).max(3),
            kills,
            killed: 0,
            is_up: true,
        }
    }

    /// In the middle of a life, when the daemon was killed so often.
    pub(crate) fn meanwhile(&mut self, kills: u64) {
        let due = (self.killed + 1) * self.kills / (self.wanted + 1);
        if !self.is_up {
            self.come_back();
        } else if self.killed < self.wanted && kills >= due {
            self.server.kill();
            self.killed += 1;
            self.is_up = false;
        }
    }

    /// It was killed as often as it was to be.
    pub(crate) fn is_done(&self) -> bool {
        self.killed == self.wanted
    }

    /// At the end it is there.
    pub(crate) fn come_back(&mut self) {
        if !self.is_up {
            self.server.start_again();
            self.is_up = true;
        }
    }
}
