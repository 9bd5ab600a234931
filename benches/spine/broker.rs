//! A real mosquitto with the sample settings of `packaging/`, in a directory and on a port of its own, and without a word on
//! each message in a log (unlike that of the tests): its pace decides how well others can batch.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process::wait_for;

const SAMPLE: &str = include_str!("../../packaging/mosquitto.conf");

/// A running broker; it ends when this is dropped.
pub(crate) struct Broker {
    child: Child,
    pub(crate) port: u16,
    _dir: tempfile::TempDir,
}

impl Broker {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory for the broker");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let place = format!("{}/", dir.path().display());
        let settings = SAMPLE
            .replace("listener 1883 ", &format!("listener {port} "))
            .replace("/var/lib/mosquitto/", &place);
        assert!(settings.contains(&place) && settings.contains(&format!("listener {port} ")));
        let file = dir.path().join("mosquitto.conf");
        // Started as root it would become someone who may not write here.
        std::fs::write(&file, format!("user root\n{settings}")).expect("the settings");
        let broker = Self {
            child: spawn(&file),
            port,
            _dir: dir,
        };
        wait_for("mosquitto", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        broker
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(settings: &Path) -> Child {
    let usual = Path::new("/usr/sbin/mosquitto");
    let program = if usual.exists() {
        usual
    } else {
        Path::new("mosquitto")
    };
    Command::new(program)
        .arg("-c")
        .arg(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto is installed; tests/run.sh does that")
}
