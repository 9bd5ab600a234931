//! A real mosquitto of our own: free port, own directory, ended with its handle.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

/// How long the broker may take to say that it runs, or to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a port that someone else took meanwhile is chosen anew.
const ATTEMPTS: usize = 5;

/// A running broker.
pub(crate) struct Mosquitto {
    /// The process, and the end of its log, which comes when it ends.
    child: Option<(Child, Receiver<()>)>,
    port: u16,
    dir: tempfile::TempDir,
    config: String,
}

impl Mosquitto {
    /// Starts one with persistence on (written when it is stopped in order), anonymous clients allowed, and these lines of settings besides. `{dir}` in them stands for the
    /// broker's directory, and `{listener}` for the place of the listener (which is at the end otherwise).
    pub(crate) fn start(settings: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the broker");
        Self::start_in(dir, settings)
    }

    /// The same in a directory that already holds certificates or other files.
    pub(crate) fn start_in(dir: tempfile::TempDir, settings: &str) -> Self {
        let mut broker = Self {
            child: None,
            port: 0,
            config: settings.replace("{dir}", &dir.path().display().to_string()),
            dir,
        };
        for _ in 0..ATTEMPTS {
            broker.port = free_port();
            if broker.try_run() {
                return broker;
            }
        }
        panic!("mosquitto did not start; its settings:\n{}", broker.text());
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Ends it in order: it saves sessions and queues.
    pub(crate) fn stop(&mut self) {
        let Some((mut child, ended)) = self.child.take() else {
            return;
        };
        // A signal that comes just after the start is lost to it, so it is told until it listens.
        for _ in 0..ATTEMPTS {
            let told = Command::new("kill")
                .args(["-TERM", &child.id().to_string()])
                .status()
                .expect("the kill program");
            assert!(told.success(), "mosquitto was not there to be stopped");
            if ended.recv_timeout(PATIENCE / 10) != Err(RecvTimeoutError::Timeout) {
                child.wait().expect("mosquitto to end");
                return;
            }
        }
        child.kill().ok();
        child.wait().ok();
        panic!("mosquitto did not stop");
    }

    /// Ends it at once: it saves nothing.
    pub(crate) fn kill(&mut self) {
        if let Some((mut child, _)) = self.child.take() {
            child.kill().expect("mosquitto was running");
            child.wait().expect("mosquitto to end");
        }
    }

    /// Starts it again on the same port and with the same files.
    pub(crate) fn run(&mut self) {
        assert!(self.try_run(), "mosquitto did not start again");
    }

    /// Forgets sessions, queues and retained messages; only while it is stopped.
    pub(crate) fn forget(&self) {
        assert!(self.child.is_none(), "still running");
        fs::remove_file(self.dir.path().join("mosquitto.db")).expect("the saved sessions");
    }

    fn text(&self) -> String {
        let listener = format!("listener {} 127.0.0.1", self.port);
        let mut base = String::from("user root\nallow_anonymous true\npersistence true\n");
        // Mosquitto refuses some settings twice.
        if !self.config.contains("persistence_location") {
            let place = self.dir.path().display().to_string();
            base.extend(["persistence_location ", &place, "/\n"]);
        }
        if !self.config.contains("max_queued_messages") {
            base += "max_queued_messages 0\n";
        }
        if self.config.contains("{listener}") {
            format!("{base}{}\n", self.config.replace("{listener}", &listener))
        } else {
            format!("{base}{}\n{listener}\n", self.config)
        }
    }

    fn try_run(&mut self) -> bool {
        let config = self.dir.path().join("mosquitto.conf");
        fs::write(&config, self.text()).expect("the settings of the broker");
        let mut child = Command::new(program())
            .arg("-v")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("mosquitto does not start ({error}); run tests/run.sh, which installs what the tests talk to")
            });
        let log = BufReader::new(child.stderr.take().expect("its log"));
        let (running, is_running) = sync_channel(1);
        let (end, ended) = sync_channel::<()>(0);
        thread::spawn(move || {
            // Read to the end, so that the broker never waits for us.
            for line in log.lines().map_while(Result::ok) {
                if line.contains(" running") {
                    running.try_send(()).ok();
                }
            }
            drop(end);
        });
        if is_running.recv_timeout(PATIENCE).is_ok() {
            self.child = Some((child, ended));
            return true;
        }
        child.kill().ok();
        child.wait().ok();
        false
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// The broker's program. A test without it fails, and says how to get it.
fn program() -> PathBuf {
    let places = [
        "/usr/sbin/mosquitto",
        "/usr/local/sbin/mosquitto",
        "/opt/homebrew/sbin/mosquitto",
    ];
    places
        .iter()
        .map(PathBuf::from)
        .find(|place| place.exists())
        .unwrap_or_else(|| "mosquitto".into())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
