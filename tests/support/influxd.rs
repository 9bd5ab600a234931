//! A real InfluxDB 2.9.1 of one test's own: a process on a port the kernel chose, with its data in a temporary directory.
//!
//! The binary is named by `FOREMEND_TEST_INFLUXD`, else it lies in `~/.cache/foremend/`. Where it is missing the test fails
//! and says how to get it; it never passes without having spoken to a server.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use foremend::series::{InfluxOptions, InfluxStore, SeriesStore};

/// How long a start may take on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// The token of every test server.
pub(crate) const TOKEN: &str = "the-tests-own-token";

/// A running server; it ends when this is dropped.
pub(crate) struct Influxd {
    process: Child,
    /// Its base address.
    pub(crate) url: String,
    port: u16,
    data: tempfile::TempDir,
}

impl Influxd {
    /// Starts a server and sets it up with organisation `home` and bucket `telemetry`.
    pub(crate) async fn start() -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let server = Self {
            process: spawn(port, data.path()),
            url: format!("http://127.0.0.1:{port}"),
            port,
            data,
        };
        server.ready().await;
        server
            .store("telemetry")
            .onboard("tester", "a-password-of-tests")
            .await
            .expect("a fresh server can be set up");
        server
    }

    /// Kills the server; its data stays.
    pub(crate) fn stop(&mut self) {
        // It may have ended by itself; both calls then fail and there is nothing left to do.
        drop(self.process.kill());
        drop(self.process.wait());
    }

    /// Starts it again at the same address with the same data.
    pub(crate) async fn start_again(&mut self) {
        self.process = spawn(self.port, self.data.path());
        self.ready().await;
    }

    async fn ready(&self) {
        let store = self.store("telemetry");
        let mut look_again = tokio::time::interval(Duration::from_millis(50));
        let ready = async {
            while store.health().await.is_err() {
                look_again.tick().await;
            }
        };
        tokio::time::timeout(START_LIMIT, ready)
            .await
            .expect("influxd answers /health in time");
    }

    /// A store on a bucket of this server; the bucket may not exist yet.
    pub(crate) fn store(&self, bucket: &str) -> InfluxStore {
        InfluxStore::new(InfluxOptions::new(&self.url, "home", bucket, TOKEN))
            .expect("a good address")
    }
}

impl Drop for Influxd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(port: u16, data: &Path) -> Child {
    let log = std::fs::File::create(data.join("log")).expect("a log file");
    let binary = binary();
    Command::new(&binary)
        .args(["--http-bind-address", &format!("127.0.0.1:{port}")])
        .arg("--bolt-path")
        .arg(data.join("bolt"))
        .arg("--sqlite-path")
        .arg(data.join("sqlite"))
        .arg("--engine-path")
        .arg(data.join("engine"))
        .arg("--reporting-disabled")
        .env("HOME", data)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()))
}

fn binary() -> PathBuf {
    let named = std::env::var_os("FOREMEND_TEST_INFLUXD").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let home = std::env::var_os("HOME").expect("HOME is set");
        PathBuf::from(home).join(".cache/foremend/influxd-2.9.1")
    });
    assert!(
        path.is_file(),
        "no influxd at {}: run tests/run.sh, which builds it, or name one in FOREMEND_TEST_INFLUXD",
        path.display()
    );
    path
}
