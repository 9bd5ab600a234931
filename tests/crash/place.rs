//! One Foremend under test: its directory and settings, the process that runs just now, and the commands on its data.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde_json::Value;

use crate::process::Daemon;
use crate::process::try_http;
use crate::process::wait_for;
use crate::proof::SOON;

/// Where the process that runs now can be reached.
#[derive(Clone)]
pub(crate) struct Address {
    /// `http://127.0.0.1:PORT`
    pub(crate) http: String,
    /// The admin token.
    pub(crate) token: String,
    /// `host:port` of the listener, when there is one.
    pub(crate) mqtt: Option<String>,
}

/// Tells everyone who talks to the daemon where it is; closed while there is none.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<Mutex<Option<Address>>>);

impl Door {
    pub(crate) fn address(&self) -> Option<Address> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, address: Option<Address>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

/// The directory of a run.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    settings: String,
    pub(crate) door: Door,
}

impl Place {
    /// Shipped profiles, and these settings besides.
    pub(crate) fn new(more: &str) -> Self {
        let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/device-profiles");
        Self {
            dir: tempfile::tempdir().expect("a directory"),
            settings: format!("[profiles]\ndir = \"{profiles}\"\n{more}\n"),
            door: Door::default(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file beside the settings.
    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file beside the settings");
    }

    /// Starts, and opens the door once it is ready.
    pub(crate) fn start(&self) -> Daemon {
        let daemon = Daemon::start(self.dir.path(), &self.settings);
        self.door.set(Some(Address {
            http: daemon.url.clone(),
            token: daemon.token.clone(),
            mqtt: daemon.mqtt.clone(),
        }));
        daemon
    }

    /// The same, and waits until messages may flow.
    pub(crate) fn start_connected(&self) -> Daemon {
        let daemon = self.start();
        wait_for("the broker connection", SOON, || {
            let ready = try_http("GET", &format!("{}/readyz", daemon.url), &[], None);
            ready.is_ok_and(|(status, _)| status == 200).then_some(())
        });
        daemon
    }

    /// Begins to start with the settings of the last start; nobody waits until it is ready, and nobody is told where it is.
    pub(crate) fn launch(&self) -> Child {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("foremend.log"))
            .expect("a log");
        Command::new(env!("CARGO_BIN_EXE_foremend"))
            .args(["run", "--config"])
            .arg(self.path("foremend.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts")
    }

    /// SIGKILL; the door is closed first.
    pub(crate) fn kill(&self, daemon: Daemon) {
        self.door.set(None);
        daemon.kill();
    }

    /// SIGTERM, and SIGKILL this much later, unless it has ended by then. Tells whether it was killed.
    pub(crate) fn kill_in_the_stop(&self, daemon: &mut Daemon, later: Duration) -> bool {
        self.door.set(None);
        daemon.terminate();
        pass(later);
        daemon.kill_unless_ended()
    }

    /// SIGTERM, and it ends well.
    pub(crate) fn stop(&self, daemon: Daemon) {
        self.door.set(None);
        let ended = daemon.stop();
        assert!(ended.success(), "it was stopped in order: {ended}");
    }

    /// What a command printed that ended well.
    pub(crate) fn command(arguments: &[&str], paths: &[(&str, &Path)]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_foremend"));
        command.args(arguments);
        for (option, path) in paths {
            if !option.is_empty() {
                command.arg(option);
            }
            command.arg(path);
        }
        let output = command.output().expect("the binary runs");
        assert!(
            output.status.success(),
            "{arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    }
}

/// One JSON object a line.
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Lets this much time pass: for moments that are chosen by chance and for the pace of a load, never to wait for something.
pub(crate) fn pass(time: Duration) {
    let (_sender, never) = sync_channel::<()>(1);
    assert!(never.recv_timeout(time).is_err(), "nothing is ever sent");
}
