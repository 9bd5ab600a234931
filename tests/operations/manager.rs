//! The service manager: what it is told by the real binary, and what it thinks of our unit.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::process::wait_for;
use crate::rig::SOON;
use crate::rig::Service;
use crate::rig::root;
use crate::rig::settings;
use crate::rig::signal;

/// The socket of a service manager, and what it was told.
struct Manager {
    socket: UnixDatagram,
    told: Vec<String>,
    dir: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        // Whoever waits looks again by itself.
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            told: Vec::new(),
            dir,
        }
    }

    /// Starts the daemon under it, with a watchdog.
    fn start(&self, watchdog: Duration) -> Service {
        let address = self.dir.path().join("notify").display().to_string();
        let period = watchdog.as_micros().to_string();
        Service::start(
            self.dir.path(),
            &settings(""),
            &[("NOTIFY_SOCKET", &address), ("WATCHDOG_USEC", &period)],
        )
    }

    /// Takes what has come.
    fn listen(&mut self) {
        let mut buffer = [0; 4_096];
        while let Ok(bytes) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..bytes]);
            self.told.extend(text.lines().map(str::to_owned));
        }
    }

    /// Waits until a line begins so, and gives how many lines came before the first of them.
    fn wait(&mut self, beginning: &str) -> usize {
        wait_for(beginning, SOON, || {
            self.listen();
            self.told
                .iter()
                .position(|line| line.starts_with(beginning))
        })
    }

    fn count(&mut self, line: &str) -> usize {
        self.listen();
        self.told.iter().filter(|told| *told == line).count()
    }
}

#[test]
fn it_is_told_of_start_life_reload_and_stop() {
    let mut manager = Manager::new();
    let mut service = manager.start(Duration::from_secs(8));
    let ready = manager.wait("READY=1");
    assert!(manager.wait("EXTEND_TIMEOUT_USEC=") < ready);
    assert!(manager.wait("STATUS=") < ready);
    manager.wait("WATCHDOG=1");
    let before = manager.count("WATCHDOG=1");
    wait_for("the next sign of life", SOON, || {
        (manager.count("WATCHDOG=1") > before).then_some(())
    });
    signal(service.child.id(), "HUP");
    let reloading = manager.wait("RELOADING=1");
    assert!(reloading > ready);
    manager.wait("MONOTONIC_USEC=");
    manager.wait("STATUS=reloaded; nothing has changed");
    assert_eq!(manager.count("READY=1"), 2);
    signal(service.child.id(), "TERM");
    manager.wait("STOPPING=1");
    assert!(service.child.wait().unwrap().success());
}

#[test]
fn a_start_that_fails_is_never_ready() {
    let mut manager = Manager::new();
    let address = manager.dir.path().join("notify").display().to_string();
    let mut service = Service::start(
        manager.dir.path(),
        "[profiles]\ndir = \"nowhere\"",
        &[("NOTIFY_SOCKET", &address)],
    );
    assert_eq!(service.child.wait().unwrap().code(), Some(3));
    assert_eq!(manager.count("READY=1"), 0);
}

/// The unit, with the binary of this build in place of the installed one.
fn unit(dir: &std::path::Path) -> std::path::PathBuf {
    let text = std::fs::read_to_string(root().join("packaging/foremend.service")).unwrap();
    assert!(text.contains("ExecStart=/usr/bin/foremend run"));
    let path = dir.join("foremend.service");
    std::fs::write(
        &path,
        text.replace("/usr/bin/foremend", env!("CARGO_BIN_EXE_foremend")),
    )
    .unwrap();
    path
}

fn analyze(arguments: &[&str], unit: &std::path::Path) -> (bool, String) {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output()
        .expect("systemd-analyze is installed; tests/run.sh does that");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let dir = tempfile::tempdir().unwrap();
    let (good, said) = analyze(&["verify"], &unit(dir.path()));
    assert!(good && said.trim().is_empty(), "{said}");
}

#[test]
fn the_unit_is_locked_down() {
    let dir = tempfile::tempdir().unwrap();
    // Tenths of its exposure, of 100; what it needs is the network.
    let (good, said) = analyze(
        &["security", "--offline=true", "--threshold=20"],
        &unit(dir.path()),
    );
    assert!(good, "{said}");
}

#[test]
fn the_sample_settings_are_settings() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(root().join("packaging/foremend.toml")).unwrap();
    // Its commented keys too: everything but the paths of the machine is read.
    let whole: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    for (name, text) in [("plain.toml", text.clone()), ("whole.toml", whole)] {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::write(dir.path().join("influx-token"), "made-up").unwrap();
        let config = foremend::config::load(Some(&file)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.data_dir, std::path::Path::new("/var/lib/foremend"));
        assert!(config.listener.is_some());
    }
    let unit = std::fs::read_to_string(root().join("packaging/foremend.service")).unwrap();
    assert!(unit.contains("StateDirectory=foremend\n"));
}
