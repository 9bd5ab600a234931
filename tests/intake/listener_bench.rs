//! A measurement of the built-in listener over a real journal: messages a second, CPU a message, memory of an idle connection.
//!
//! It prints numbers and proves nothing: `cargo test --release --test intake -- --ignored --nocapture the_listener`. Clients and
//! listener share the process; CPU is told apart by the names of threads, and idle clients are sockets without any memory of ours.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use foremend::intake::Done;
use foremend::intake::Sink;
use foremend::intake::SinkError;
use foremend::intake::listener::Access;
use foremend::intake::listener::Limits;
use foremend::intake::listener::Listener;
use foremend::intake::listener::ListenerSettings;
use foremend::intake::listener::ListenerStatus;
use foremend::intake::listener::Subscribe;
use foremend::journal::Journal;
use foremend::journal::JournalOptions;
use foremend::telemetry::Record;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::time::Instant;

const CONNECTIONS: usize = 1_000;
const WINDOW: usize = 5;
const PAYLOAD_BYTES: usize = 200;
const IDLE: usize = 5_000;
const TIME: Duration = Duration::from_secs(5);

struct JournalSink(Journal);

impl Sink for JournalSink {
    fn append(&self, records: Vec<Record>, done: Done) {
        let told: foremend::journal::Done =
            Box::new(move |result| done(result.map(|_| ()).map_err(|_| SinkError::Failed)));
        drop(self.0.append(records, told));
    }
}

fn connect(id: usize) -> Vec<u8> {
    let id = format!("load-{id:06}");
    let mut packet = vec![0x10, 12 + 11];
    packet.extend(b"\0\x04MQTT\x04\x02\0\0\0\x0B");
    packet.extend(id.as_bytes());
    packet
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "seven bits at a time, and a short topic"
)]
fn publish(id: u16) -> Vec<u8> {
    let topic = b"appl/v1/ts-flash5/TSF5-MADEUP-07/tele";
    let length = 2 + topic.len() + 2 + PAYLOAD_BYTES;
    let mut packet = vec![0x32];
    packet.extend([(length & 0x7F) as u8 | 0x80, (length >> 7) as u8]);
    packet.extend([0, topic.len() as u8]);
    packet.extend(topic);
    packet.extend(id.to_be_bytes());
    packet.resize(packet.len() + PAYLOAD_BYTES, b'x');
    packet
}

/// One client that keeps its window full until the time is over. Returns its acknowledged messages.
async fn load(address: SocketAddr, number: usize, until: Instant) -> u64 {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(&connect(number)).await.unwrap();
    let mut answers = [0; 4 * WINDOW];
    stream.read_exact(&mut answers[..4]).await.unwrap();
    assert_eq!(answers[..4], [0x20, 2, 0, 0]);
    let window: Vec<Vec<u8>> = (1..).map(publish).take(WINDOW).collect();
    let (mut free, mut acked, mut half) = (WINDOW, 0, 0);
    while Instant::now() < until {
        let bytes: Vec<u8> = window[..free].concat();
        stream.write_all(&bytes).await.unwrap();
        let count = half + stream.read(&mut answers).await.unwrap();
        (free, half) = (count / 4, count % 4);
        acked += free as u64;
    }
    acked
}

/// CPU of threads whose name is wanted, in ms.
fn cpu_ms(wanted: impl Fn(&str) -> bool) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("stat")).ok())
        .filter_map(|stat| {
            let (head, rest) = stat.rsplit_once(')')?;
            let name = head.split_once('(')?.1;
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let ticks: u64 = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
            // A tick is 10 ms on Linux.
            wanted(name).then_some(ticks * 10)
        })
        .sum()
}

fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "a measurement: it prints numbers and proves nothing"]
#[expect(clippy::print_stdout, reason = "the numbers are what it is for")]
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn the_listener_over_a_real_journal() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(&dir.path().join("journal"), JournalOptions::default()).unwrap();
    let runtime = |name: &str| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(name)
            .enable_all()
            .build()
            .unwrap()
    };
    let (server, clients) = (runtime("server"), runtime("load"));
    let status = Arc::new(ListenerStatus::new());
    let (stop, stops) = watch::channel(false);
    let (address, running) = {
        let _inside = server.enter();
        let listener = Listener::bind(ListenerSettings {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            tls: None,
            subscribe: Subscribe::Grant,
            limits: Limits::default().within_open_files(),
        })
        .unwrap();
        let address = listener.address().unwrap();
        let sink = Arc::new(JournalSink(journal.clone()));
        let run = listener.run(Access::anonymous(), sink, Arc::clone(&status), stops);
        (address, server.spawn(run))
    };
    let is_listener = |name: &str| name == "server" || name == "intake-listener";
    let is_load = |name: &str| name == "load";
    let cpu = || {
        let all = cpu_ms(|_| true);
        (cpu_ms(is_listener), all - cpu_ms(is_load))
    };
    let before = cpu();
    let acked = Arc::new(AtomicU64::new(0));
    clients.block_on(async {
        let until = Instant::now() + TIME;
        let tasks: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let acked = Arc::clone(&acked);
                tokio::spawn(async move {
                    acked.fetch_add(load(address, number, until).await, Ordering::Relaxed);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let after = cpu();
    let messages = acked.load(Ordering::Relaxed);
    let each = |from: u64, to: u64| (to - from) as f64 * 1_000.0 / messages as f64;
    println!(
        "{CONNECTIONS} connections x window {WINDOW}, QoS 1, {PAYLOAD_BYTES} B: {} k messages/s, {:.2} us CPU of the listener, {:.2} us with the journal",
        messages / TIME.as_secs() / 1_000,
        each(before.0, after.0),
        each(before.1, after.1),
    );
    let idle_before = resident_kb();
    let idle: Vec<TcpStream> = (0..IDLE)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&connect(100_000 + number)).unwrap();
            let mut connack = [0; 4];
            stream.read_exact(&mut connack).unwrap();
            stream
        })
        .collect();
    println!(
        "{IDLE} idle connections: {:.2} kB each",
        (resident_kb() - idle_before) as f64 / IDLE as f64
    );
    drop(idle);
    stop.send_replace(true);
    server.block_on(running).unwrap().unwrap();
    journal.close();
}
