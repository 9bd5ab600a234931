//! As much as a server takes: each connection keeps a few messages on their way and sends the next when one is acknowledged.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::acks::{Acks, Took};
use crate::measure::{Stopwatch, wall_ms};
use crate::steady::open;
use crate::voice::Voice;

/// Messages on their way on one connection: a device that does not wait for each.
const WINDOW: usize = 20;
/// How long the last acknowledgements may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// One device on each connection speaks until the time is over; returns what was acknowledged and how long that took.
pub(crate) fn out(
    address: SocketAddr,
    connections: u32,
    prefix: &str,
    time: Duration,
) -> (Took, Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("load")
        .enable_all()
        .build()
        .expect("a runtime");
    let acks = Arc::new(Acks::new());
    let took = runtime.block_on(async {
        let mut streams = Vec::new();
        for device in 0..connections {
            let stream = open(address, &format!("flat-{device:06}")).await;
            streams.push((stream, Voice::new(prefix, device)));
        }
        let clock = Stopwatch::start();
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|(stream, voice)| tokio::spawn(speak(stream, voice, time, Arc::clone(&acks))))
            .collect();
        for task in tasks {
            task.await.expect("a device that speaks to the end");
        }
        clock.elapsed()
    });
    (acks.take(), took)
}

async fn speak(
    mut stream: tokio::net::TcpStream,
    mut voice: Voice,
    time: Duration,
    acks: Arc<Acks>,
) {
    let clock = Stopwatch::start();
    let (mut packets, mut answers) = (Vec::new(), Vec::with_capacity(4_096));
    let mut under_way: VecDeque<Duration> = VecDeque::new();
    let mut id: u16 = 0;
    loop {
        packets.clear();
        let now = clock.elapsed();
        while now < time && under_way.len() < WINDOW {
            id = id.checked_add(1).unwrap_or(1);
            packets.extend(voice.next(wall_ms(), id));
            under_way.push_back(now);
        }
        if under_way.is_empty() {
            break;
        }
        stream.write_all(&packets).await.expect("it takes more");
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut answers));
        let read = read
            .await
            .expect("an answer within minutes")
            .expect("a connection");
        assert!(read > 0, "the server closed the connection");
        let now = clock.elapsed();
        let whole = answers.len() / 4 * 4;
        for answer in answers[..whole].chunks_exact(4) {
            assert_eq!(answer[..2], [0x40, 2], "a PUBACK");
            let sent = under_way.pop_front().expect("sent before");
            acks.note(now.saturating_sub(sent));
        }
        answers.drain(..whole);
    }
}
