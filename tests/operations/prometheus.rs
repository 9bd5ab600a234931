//! A real Prometheus of one test's own, and promtool.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;

use crate::process::Daemon;
use crate::process::http;
use crate::process::wait_for;
use crate::rig::SOON;
use crate::rig::root;

/// Where `tests/run.sh` unpacks Debian's package when the programs are not on the path.
const CACHED: &str = ".cache/foremend/prometheus-2.42";

/// How often a port that somebody else took meanwhile is chosen anew.
const ATTEMPTS: usize = 5;

/// The rules and the sample settings that we ship.
pub(crate) fn shipped() -> PathBuf {
    root().join("dashboards/prometheus")
}

/// A program of Debian's package `prometheus`.
fn program(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("FOREMEND_TEST_PROMETHEUS") {
        return PathBuf::from(folder).join(name);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    std::env::split_paths(&path)
        .chain([home.join(CACHED)])
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("no {name}: run tests/run.sh, which gets it, or name its folder in FOREMEND_TEST_PROMETHEUS"))
}

/// Runs promtool in the folder of the rules.
pub(crate) fn promtool(arguments: &[&str], folder: &Path) -> Output {
    Command::new(program("promtool"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// A running server; it ends when this is dropped.
pub(crate) struct Prometheus {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one that scrapes a daemon every second, with the shipped rules.
    pub(crate) fn watching(daemon: &Daemon) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let target = daemon.url.trim_start_matches("http://");
        let sample = fs::read_to_string(shipped().join("prometheus.yml")).unwrap();
        let settings = sample
            .replace("15s", "1s")
            .replace("127.0.0.1:8700", target);
        assert!(settings.contains(target), "the sample has another target");
        fs::write(dir.path().join("prometheus.yml"), settings).unwrap();
        fs::copy(
            shipped().join("foremend.rules.yml"),
            dir.path().join("foremend.rules.yml"),
        )
        .unwrap();
        let server = (0..ATTEMPTS)
            .find_map(|_| Self::try_start(dir.path()))
            .map(|(child, url)| Self {
                child,
                url,
                _dir: dir,
            })
            .expect("Prometheus starts");
        wait_for("the second scrape", SOON, || {
            let seen = server.query("count_over_time(foremend_ready[1m]) >= 2");
            seen.as_array()
                .is_some_and(|seen| !seen.is_empty())
                .then_some(())
        });
        server
    }

    /// On a port that was free a moment ago; `None` when somebody else took it meanwhile.
    fn try_start(dir: &Path) -> Option<(Child, String)> {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let url = format!("http://127.0.0.1:{port}");
        let mut child = Command::new(program("prometheus"))
            .arg(format!(
                "--config.file={}",
                dir.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.join("log")).unwrap())
            .spawn()
            .unwrap();
        let answers = wait_for("Prometheus", SOON, || {
            if child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
            let (status, _) = http("GET", &format!("{url}/-/ready"), "", None);
            (status == 200).then_some(true)
        });
        answers.then_some((child, url))
    }

    /// What an expression gives now: the samples, or the server's complaint as text.
    pub(crate) fn query(&self, expression: &str) -> Value {
        let encoded: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}"));
        if answer["status"] == "success" {
            answer["data"]["result"].clone()
        } else {
            answer["error"].clone()
        }
    }

    /// Any address of its API.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (_, body) = http("GET", &format!("{}{path}", self.url), "", None);
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
