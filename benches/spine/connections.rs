//! Nineteen thousand MQTT connections that say nothing: what each takes of the daemon's memory, whether all are alive, and whether
//! a publish on some of them is acknowledged.
//!
//! The clients' sockets are in this process, which may need as many open files as the daemon; so the limit is raised for both as far as
//! the system lets it. One address has some 28,000 ports; the clients come from four.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::acks::Acks;
use crate::measure::{Cpu, Stopwatch, memory, pause, wall_ms};
use crate::rig::{Door, FIRST_GAP, Rig, listener_of, metric};
use crate::voice::{self, Voice};
use crate::{Bench, runtime, say};

const CONNECTIONS: u32 = 19_000;
/// How long nobody says anything unless told, s.
const SECONDS: u32 = 20;
/// Connections that publish in the end.
const SAMPLE: usize = 200;
/// Addresses of the clients: 127.0.0.2 and on.
const ADDRESSES: u32 = 4;
/// Long enough for the whole measurement.
const KEEP_ALIVE_S: u16 = 600;
/// Open files beside the connections.
const FILES: u32 = 300;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure(bench: &Bench) {
    let connections = bench.connections.unwrap_or(CONNECTIONS);
    allow_files(connections + FILES);
    let rig = Rig::with(&Door::Listener, None, "benches/spine", "");
    let daemon = rig.start();
    let address = listener_of(&daemon);
    let before = memory(daemon.pid()).0;
    let runtime = runtime();
    let clock = Stopwatch::start();
    let mut clients = runtime.block_on(async {
        let mut clients = Vec::new();
        for number in 0..connections {
            clients.push(client(address, number).await);
        }
        clients
    });
    let connecting = clock.elapsed();
    let with = memory(daemon.pid()).0;
    let inside = metric(&daemon.text("/metrics"), "foremend_listener_connections");
    say(&format!(
        "connections {connections} made in {:.1} s; the daemon counts {inside}: {with:.0} MiB resident, {before:.0} without: {:.2} kB each",
        connecting.as_secs_f64(),
        (with - before) * 1_048.576 / f64::from(connections)
    ));
    let cpu = Cpu::of(daemon.pid());
    let idle = Duration::from_secs(bench.seconds.unwrap_or(SECONDS).into());
    pause(idle);
    let idle_cpu = Cpu::of(daemon.pid()).since(cpu);
    let clock = Stopwatch::start();
    runtime.block_on(ping(&mut clients));
    say(&format!(
        "connections after {} s without a word ({:.1} ms of CPU a second) every one answers a ping: {:.1} s for all, {:.0} MiB then",
        idle.as_secs(),
        idle_cpu.as_secs_f64() * 1e3 / idle.as_secs_f64(),
        clock.elapsed().as_secs_f64(),
        memory(daemon.pid()).0,
    ));
    let acks = Acks::new();
    let step = (clients.len() / SAMPLE).max(1);
    runtime.block_on(async {
        for (device, stream) in (0..).zip(clients.iter_mut().step_by(step)) {
            acks.note(publish(stream, device).await);
            pause(FIRST_GAP);
        }
    });
    let took = acks.take();
    say(&format!(
        "connections a publish on {} of them was acknowledged: {}",
        took.count(),
        took.text()
    ));
    drop(clients);
    assert!(daemon.stop().success(), "SIGTERM ends it well");
}

/// This process and its children may open so many files.
fn allow_files(wanted: u32) {
    let allowed = || {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        line.and_then(|line| line.split_whitespace().nth(3)?.parse::<u32>().ok())
            .unwrap_or(0)
    };
    if allowed() < wanted {
        let ours = std::process::id().to_string();
        // Without the right to raise the hard limit, at least up to it.
        for limit in [format!("{wanted}:{wanted}"), format!("{wanted}:")] {
            let raised = Command::new("prlimit")
                .args(["--pid", &ours, &format!("--nofile={limit}")])
                .status();
            if raised.is_ok_and(|status| status.success()) {
                break;
            }
        }
    }
    assert!(
        allowed() >= wanted,
        "{} files may be open and {wanted} are needed: raise the limit (ulimit -n {wanted}) or ask for fewer with --connections N",
        allowed()
    );
}

async fn client(server: SocketAddr, number: u32) -> TcpStream {
    let last = u8::try_from(2 + number % ADDRESSES).unwrap_or(2);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))
        .expect("a free port");
    let mut stream = socket.connect(server).await.expect("it listens");
    let hello = voice::connect(&format!("idle-{number:06}"), KEEP_ALIVE_S);
    stream.write_all(&hello).await.expect("it takes a CONNECT");
    assert_eq!(
        answer(&mut stream).await,
        [0x20, 2, 0, 0],
        "the listener lets it in"
    );
    stream
}

async fn answer<const BYTES: usize>(stream: &mut TcpStream) -> [u8; BYTES] {
    let mut answer = [0; BYTES];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer))
        .await
        .expect("an answer in time")
        .expect("the connection lives");
    answer
}

/// All at once, then each answer.
async fn ping(clients: &mut [TcpStream]) {
    for stream in &mut *clients {
        stream.write_all(&[0xc0, 0]).await.expect("it lives");
    }
    for stream in clients {
        assert_eq!(answer(stream).await, [0xd0, 0], "a PINGRESP");
    }
}

async fn publish(stream: &mut TcpStream, device: u32) -> Duration {
    let clock = Stopwatch::start();
    let mut voice = Voice::new("ID", device);
    stream
        .write_all(voice.next(wall_ms(), 1))
        .await
        .expect("it lives");
    assert_eq!(answer(stream).await, [0x40, 2, 0, 1], "a PUBACK");
    clock.elapsed()
}
