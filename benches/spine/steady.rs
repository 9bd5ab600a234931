//! A load at a steady rate over many connections, and how long each acknowledgement took.
//!
//! Open loop: a message is due at its time whether or not the one before it was acknowledged, and its latency counts from when it
//! was due, so that a server that stalls shows it. It runs on two threads of this process, none of which is in the daemon's numbers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Runtime;

use crate::acks::{Acks, Took};
use crate::measure::{Stopwatch, wall_ms};
use crate::process::wait_for;
use crate::voice;

/// How long a server may take nothing, or leave an acknowledgement out.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(1);

/// Loads so far: no client takes the place of another with its id.
static LOADS: AtomicU32 = AtomicU32::new(0);

/// Says message number so-and-so at this time (ms since 1970) with this packet id: appends a PUBLISH.
pub(crate) type Speak<'a> = dyn FnMut(u64, u64, u16, &mut Vec<u8>) + 'a;

/// Packet ids and when each was due; acknowledgements come in this order as a rule.
type UnderWay = Arc<Mutex<VecDeque<(u16, Duration)>>>;

/// Connections that messages are spread over, one after the other.
pub(crate) struct Steady {
    runtime: Runtime,
    lines: Vec<Line>,
    acks: Arc<Acks>,
    clock: Stopwatch,
    /// Messages sent.
    sent: u64,
}

struct Line {
    out: OwnedWriteHalf,
    under_way: UnderWay,
    id: u16,
}

impl Line {
    /// The message with the newest id was due then.
    fn awaits(&self, due_at: Duration) {
        let mut under_way = self.under_way.lock().expect("no panic before");
        under_way.push_back((self.id, due_at));
    }
}

/// What was sent in a time.
pub(crate) struct Sent {
    pub(crate) messages: u64,
    /// Messages that were due in that time, and not sent: the generator or the server is too slow.
    pub(crate) missing: u64,
}

impl Steady {
    pub(crate) fn connect(address: SocketAddr, connections: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("load")
            .enable_all()
            .build()
            .expect("a runtime");
        let load = LOADS.fetch_add(1, Ordering::Relaxed);
        let (acks, clock) = (Arc::new(Acks::new()), Stopwatch::start());
        let lines = runtime.block_on(async {
            let mut lines = Vec::new();
            for number in 0..connections {
                let stream = open(address, &format!("load-{load}-{number:06}")).await;
                let (reader, out) = stream.into_split();
                let under_way = UnderWay::default();
                let (answers, acks) = (Arc::clone(&under_way), Arc::clone(&acks));
                tokio::spawn(listen(reader, answers, acks, clock));
                lines.push(Line {
                    out,
                    under_way,
                    id: 0,
                });
            }
            lines
        });
        Self {
            runtime,
            lines,
            acks,
            clock,
            sent: 0,
        }
    }

    /// Sends at `rate` messages a second for this time. Message `n` goes over connection `n % connections`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a count of messages"
    )]
    pub(crate) fn run(&mut self, rate: f64, time: Duration, speak: &mut Speak) -> Sent {
        let Self {
            runtime,
            lines,
            clock,
            sent,
            ..
        } = self;
        let connections = lines.len() as u64;
        let begin = clock.elapsed();
        let end = begin + time;
        let wanted = (time.as_secs_f64() * rate) as u64;
        let mut done = 0;
        let mut packet = Vec::new();
        runtime.block_on(async {
            loop {
                let (now, at_ms) = (clock.elapsed().min(end), wall_ms());
                let due = (now.saturating_sub(begin).as_secs_f64() * rate) as u64;
                while done < due.min(wanted) && clock.elapsed() < end + time / 10 {
                    let line = &mut lines[usize::try_from(*sent % connections).unwrap_or(0)];
                    line.id = line.id.checked_add(1).unwrap_or(1);
                    packet.clear();
                    speak(*sent, at_ms, line.id, &mut packet);
                    let due_at = begin + Duration::from_secs_f64(done as f64 / rate);
                    line.awaits(due_at);
                    write(&mut line.out, &packet).await;
                    (done, *sent) = (done + 1, *sent + 1);
                }
                if now >= end {
                    break;
                }
                tokio::time::sleep(TICK).await;
            }
        });
        Sent {
            messages: done,
            missing: wanted - done,
        }
    }

    /// Waits until everything is acknowledged.
    pub(crate) fn settle(&self) {
        wait_for("every acknowledgement", PATIENCE, || {
            (self.acks.all() == self.sent).then_some(())
        });
    }

    /// What was acknowledged since the last call.
    pub(crate) fn take(&self) -> Took {
        self.acks.take()
    }
}

/// Connects, and is let in.
pub(crate) async fn open(address: SocketAddr, client_id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a server");
    stream.set_nodelay(true).expect("a socket");
    let hello = voice::connect(client_id, 0);
    stream.write_all(&hello).await.expect("it takes a CONNECT");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.expect("a CONNACK");
    assert_eq!(answer, [0x20, 2, 0, 0], "the server lets us in");
    stream
}

/// Mostly there is room, and nothing to wait for.
async fn write(out: &mut OwnedWriteHalf, packet: &[u8]) {
    let written = out.try_write(packet).unwrap_or(0);
    if written < packet.len() {
        tokio::time::timeout(PATIENCE, out.write_all(&packet[written..]))
            .await
            .expect("the server takes something within minutes")
            .expect("the connection holds");
    }
}

/// Notes every acknowledgement until the connection ends.
async fn listen(mut reader: OwnedReadHalf, under_way: UnderWay, acks: Arc<Acks>, clock: Stopwatch) {
    let mut buffer = Vec::with_capacity(4_096);
    while reader
        .read_buf(&mut buffer)
        .await
        .is_ok_and(|read| read > 0)
    {
        let now = clock.elapsed();
        let whole = buffer.len() / 4 * 4;
        for answer in buffer[..whole].chunks_exact(4) {
            assert_eq!(answer[..2], [0x40, 2], "a PUBACK");
            let id = u16::from_be_bytes([answer[2], answer[3]]);
            let mut waiting = under_way.lock().expect("no panic before");
            let at = waiting.iter().position(|(one, _)| *one == id);
            let due = at.and_then(|at| waiting.remove(at)).expect("sent before").1;
            drop(waiting);
            acks.note(now.saturating_sub(due));
        }
        buffer.drain(..whole);
    }
}
