//! A client that follows the events of tickets, and notes when each came.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use crate::measure::Stopwatch;
use crate::process::Daemon;

/// Events that wait here for whoever asked; then the connection waits.
const WAITING: usize = 10_000;

/// An event.
pub(crate) struct Event {
    /// When it came, by the clock that was given.
    pub(crate) at: Duration,
    pub(crate) data: String,
}

/// Every ticket event, as it comes in. The thread ends with the daemon.
pub(crate) fn follow(daemon: &Daemon, clock: Stopwatch) -> Receiver<Event> {
    let host = daemon.url.strip_prefix("http://").expect("plain http");
    let mut stream = TcpStream::connect(host).expect("connected");
    let token = &daemon.token;
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\naccept: text/event-stream\r\n\r\n").expect("sent");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let status = lines.next().expect("an answer");
    assert!(status.contains(" 200 "), "{status}");
    let (sender, events) = sync_channel(WAITING);
    std::thread::spawn(move || {
        for line in lines {
            let at = clock.elapsed();
            if let Some(data) = line.strip_prefix("data:") {
                let data = data.to_owned();
                if sender.send(Event { at, data }).is_err() {
                    break;
                }
            }
        }
    });
    events
}
