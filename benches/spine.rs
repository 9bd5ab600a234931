//! The numbers of the whole path on real parts: CPU per message beside other programs, event to ticket, start, memory, journal.
//!
//! `cargo bench --bench spine` measures path, latency and fleet; `-- PART…` the parts that are named; each says at the top of its
//! file what it does:
//!
//! - `path` CPU per message from a broker's queue, beside a bare client; `telegraf` the same beside Telegraf too
//! - `latency` event to ticket at low load; `fleet` memory and start with a thousand devices
//! - `rates` CPU per message at a steady trickle, broker and listener; `listener` its acknowledgements, and flat out
//! - `connections` memory of idle MQTT connections; `scale` a hundred thousand devices
//! - `soak` the highest rate without a growing backlog, then 70 % of it for half an hour
//! - `queue` half a million messages that wait in a broker; `replay` messages a second of a recording
//!
//! Sizes: `--messages N`, `--rounds N`, `--devices N`, `--connections N`, `--seconds N`, `--minutes N`, for `soak` `--rate N`
//! a second and `--tickets N` a minute, for `scale` `--open N` devices kept ready; what is not given is the part's own. `benches/README.md` has what was found, and what each number means. This measures and judges
//! nothing: no number here fails a build. Every process is a child on a free loopback port, ended by its handle.

#[path = "spine/acks.rs"]
mod acks;
#[path = "spine/broker.rs"]
mod broker;
#[path = "spine/connections.rs"]
mod connections;
#[path = "spine/copies.rs"]
mod copies;
#[path = "spine/day.rs"]
mod day;
#[path = "spine/drain.rs"]
mod drain;
#[path = "spine/events.rs"]
mod events;
#[path = "spine/flat.rs"]
mod flat;
#[path = "spine/fleet.rs"]
mod fleet;
#[path = "spine/latency.rs"]
mod latency;
#[path = "spine/listener.rs"]
mod listener;
#[path = "spine/measure.rs"]
mod measure;
#[path = "spine/moments.rs"]
mod moments;
#[path = "spine/path.rs"]
mod path;
#[path = "spine/probes.rs"]
mod probes;
#[path = "spine/queue.rs"]
mod queue;
#[path = "spine/rates.rs"]
mod rates;
#[path = "spine/replay.rs"]
mod replay;
#[path = "spine/rig.rs"]
mod rig;
#[path = "spine/scale.rs"]
mod scale;
#[path = "spine/soak.rs"]
mod soak;
#[path = "spine/steady.rs"]
mod steady;
#[path = "spine/stored.rs"]
mod stored;
#[path = "spine/telegraf.rs"]
mod telegraf;
#[path = "spine/usage.rs"]
mod usage;
#[path = "spine/voice.rs"]
mod voice;

#[expect(dead_code, reason = "a part of it is for tests")]
#[path = "../tests/support/influxd.rs"]
mod influxd;
#[expect(
    dead_code,
    reason = "written for tests, where other lints hold, and only a part of it is needed here"
)]
#[path = "../tests/support/daemon.rs"]
mod process;
#[path = "../tests/daemon/publisher.rs"]
mod publisher;

use std::cell::OnceCell;
use std::io::Write;

/// Measures one part and says what it found.
type Part = fn(&Bench);

/// The parts by name.
const PARTS: [(&str, Part); 11] = [
    ("path", |bench| path::measure(bench, false)),
    ("latency", |bench| latency::measure(bench.influx())),
    ("fleet", |bench| {
        fleet::measure(bench.influx(), bench.devices.unwrap_or(1_000));
    }),
    ("telegraf", |bench| path::measure(bench, true)),
    ("rates", rates::measure),
    ("listener", listener::measure),
    ("connections", connections::measure),
    ("scale", scale::measure),
    ("soak", soak::measure),
    ("queue", queue::measure),
    ("replay", replay::measure),
];
/// How many of them are meant when none is named: the others take from a minute to three quarters of an hour each.
const USUAL: usize = 3;

/// What is measured with, and how much of it; `None`: as each part likes it.
#[derive(Default)]
struct Bench {
    influx: OnceCell<influxd::Influxd>,
    messages: Option<u32>,
    /// Rounds of `path` and `telegraf`.
    rounds: Option<usize>,
    devices: Option<u32>,
    connections: Option<u32>,
    seconds: Option<u32>,
    /// Devices that `scale` has kept ready, in place of as many as usual.
    open: Option<u32>,
    /// How long `soak` holds its rate.
    minutes: Option<u32>,
    /// Messages a second that `soak` holds, in place of a share of what it finds.
    rate: Option<u32>,
    /// Tickets that open in each minute of `soak`.
    tickets: Option<u32>,
}

impl Bench {
    /// A real InfluxDB, started when it is first needed.
    fn influx(&self) -> &influxd::Influxd {
        self.influx
            .get_or_init(|| runtime().block_on(influxd::Influxd::start()))
    }
}

/// A runtime for a few calls.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

fn main() {
    // `cargo bench` adds `--bench` to what the user asked for.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if let [word, port, count] = arguments.as_slice()
        && word == drain::CHILD
    {
        return drain::run(number(port), number(count));
    }
    let (bench, named) = understand(&arguments);
    drop(rustls::crypto::ring::default_provider().install_default());
    for (at, (name, measure)) in PARTS.iter().enumerate() {
        if named.iter().any(|one| one == name) || (named.is_empty() && at < USUAL) {
            measure(&bench);
        }
    }
}

/// Sizes, and the parts that were named.
fn understand(arguments: &[String]) -> (Bench, Vec<String>) {
    let (mut bench, mut named) = (Bench::default(), Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().map(String::as_str).unwrap_or_default();
        match word.as_str() {
            "--messages" => bench.messages = Some(number(value())),
            "--rounds" => bench.rounds = Some(number(value())),
            "--devices" => bench.devices = Some(number(value())),
            "--connections" => bench.connections = Some(number(value())),
            "--seconds" => bench.seconds = Some(number(value())),
            "--minutes" => bench.minutes = Some(number(value())),
            "--open" => bench.open = Some(number(value())),
            "--rate" => bench.rate = Some(number(value())),
            "--tickets" => bench.tickets = Some(number(value())),
            part if PARTS.iter().any(|(name, _)| *name == part) => named.push(part.to_owned()),
            other => panic!(
                "'{other}' is none of {}, --messages N, --rounds N, --devices N, --connections N, --seconds N, --minutes N, --open N, --rate N, --tickets N",
                PARTS.map(|(name, _)| name).join(", ")
            ),
        }
    }
    (bench, named)
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| panic!("'{text}' is no number that fits here"))
}

/// One line of the result; a closed standard output ends nothing.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}
