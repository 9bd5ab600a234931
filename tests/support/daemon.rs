//! The real binary as a child process: started on free ports in a directory of the test's own, ended with the test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a start may take on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(1);

/// A running `foremend run`.
pub(crate) struct Daemon {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// `host:port` of the built-in listener, when there is one.
    pub(crate) mqtt: Option<String>,
    /// The admin token.
    pub(crate) token: String,
    /// What it said when it was ready.
    pub(crate) ready: String,
    dir: PathBuf,
}

impl Daemon {
    /// Starts `foremend run` with these settings in `dir`; `[http]` and `[data]` are added, and where the settings name no broker,
    /// a `[listener]` on a port of the kernel's choice.
    pub(crate) fn start(dir: &Path, settings: &str) -> Self {
        match Self::try_start(dir, settings) {
            Ok(daemon) => daemon,
            Err(said) => panic!("foremend did not start: {said}"),
        }
    }

    /// Like [`Daemon::start`]; the text of a refusal is returned.
    pub(crate) fn try_start(dir: &Path, settings: &str) -> Result<Self, String> {
        Self::try_start_by(dir, settings, Command::new(env!("CARGO_BIN_EXE_foremend")))
    }

    /// Like [`Daemon::try_start`]; the command gets `run` and its arguments, and becomes the daemon.
    pub(crate) fn try_start_by(
        dir: &Path,
        settings: &str,
        command: Command,
    ) -> Result<Self, String> {
        Self::try_start_within(dir, settings, command, START_LIMIT)
    }

    /// Like [`Daemon::try_start_by`] with another limit, for states that take longer to load than any test's.
    pub(crate) fn try_start_within(
        dir: &Path,
        settings: &str,
        mut command: Command,
        limit: Duration,
    ) -> Result<Self, String> {
        let config = dir.join("foremend.toml");
        let listener = if settings.contains("[listener]") || settings.contains("[[broker]]") {
            ""
        } else {
            "[listener]\nlisten = \"127.0.0.1:0\"\n"
        };
        let whole = format!(
            "[data]\ndir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n{listener}{settings}"
        );
        std::fs::write(&config, whole).expect("the settings are written");
        let mut child = command
            .args(["run", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::from(
                std::fs::File::options()
                    .create(true)
                    .append(true)
                    .open(dir.join("foremend.log"))
                    .expect("a log"),
            ))
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = mpsc::sync_channel(64);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let log = || std::fs::read_to_string(dir.join("foremend.log")).unwrap_or_default();
        while let Ok(line) = lines.recv_timeout(limit) {
            let found = line
                .split_whitespace()
                .find(|word| word.starts_with("http://"));
            if let Some(url) = found {
                let token =
                    std::fs::read_to_string(dir.join("data/admin-token")).expect("the admin token");
                let mqtt = line
                    .split_whitespace()
                    .find_map(|word| word.trim_end_matches(',').strip_prefix("mqtt://"));
                return Ok(Self {
                    mqtt: mqtt.map(str::to_owned),
                    child,
                    url: url.trim_end_matches('/').to_owned(),
                    token: token.trim().to_owned(),
                    ready: line.clone(),
                    dir: dir.to_owned(),
                });
            }
        }
        drop(child.kill());
        drop(child.wait());
        Err(log())
    }

    /// `GET path` as JSON, with the admin token.
    pub(crate) fn get(&self, path: &str) -> serde_json::Value {
        let (status, body) = http("GET", &format!("{}{path}", self.url), &self.token, None);
        assert!((200..300).contains(&status), "GET {path}: {status} {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("GET {path}: {error}: {body}"))
    }

    /// `GET path` as text.
    pub(crate) fn text(&self, path: &str) -> String {
        http("GET", &format!("{}{path}", self.url), &self.token, None).1
    }

    /// `POST path` with a JSON body: status and answer.
    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> (u16, serde_json::Value) {
        let (status, body) = http(
            "POST",
            &format!("{}{path}", self.url),
            &self.token,
            Some(body.to_string()),
        );
        (
            status,
            serde_json::from_str(&body).unwrap_or(serde_json::Value::Null),
        )
    }

    /// The daemon's log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("foremend.log")).unwrap_or_default()
    }

    /// The daemon's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and wait for the end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.child.wait().expect("the child ends")
    }

    /// SIGTERM; nobody waits.
    pub(crate) fn terminate(&mut self) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "SIGTERM could not be sent"
        );
    }

    /// SIGKILL, if it still runs; tells whether it did.
    pub(crate) fn kill_unless_ended(&mut self) -> bool {
        if self.child.try_wait().expect("its state").is_some() {
            return false;
        }
        self.child.kill().expect("killed");
        self.child.wait().expect("the child ends");
        true
    }

    /// SIGKILL, and wait for the end.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("the child ends");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One HTTP/1.1 request on a connection of its own.
pub(crate) fn http(method: &str, url: &str, token: &str, body: Option<String>) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    try_http(method, url, &[("authorization", &bearer)], body).expect("an answer")
}

/// The same with headers of the caller's choice, for a daemon that may be gone before it has answered.
pub(crate) fn try_http(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<String>,
) -> std::io::Result<(u16, String)> {
    use std::io::{Error, ErrorKind, Read, Write};
    let rest = url.strip_prefix("http://").expect("plain http");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = std::net::TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let body = body.unwrap_or_default();
    let mut request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.extend(["\r\n", &body]);
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let cut_off = || Error::new(ErrorKind::UnexpectedEof, "the answer is cut off");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut_off)?;
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(cut_off)?;
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    if length.is_some_and(|length: usize| body.len() < length) {
        return Err(cut_off());
    }
    let body = if head.contains("transfer-encoding: chunked") {
        unchunk(body)
    } else {
        body.to_owned()
    };
    Ok((status, body))
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// Asks until `ready` gives something, at most `limit`; panics with `what` otherwise.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let (_sender, timeout) = mpsc::sync_channel::<()>(1);
    let mut left = limit;
    let pause = Duration::from_millis(20);
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(left > Duration::ZERO, "waited {limit:?} in vain for {what}");
        // A pause between two looks at a state, not a wait for a time: nothing is ever sent.
        let Err(mpsc::RecvTimeoutError::Timeout) = timeout.recv_timeout(pause) else {
            unreachable!("nothing is ever sent, and the sender lives");
        };
        left = left.saturating_sub(pause);
    }
}
