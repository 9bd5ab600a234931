//! The numbers of the whole path on real parts: CPU per message beside a bare client, event to ticket, start, memory, journal.
//!
//! `cargo bench --bench spine` measures everything; `-- path`, `-- latency` or `-- fleet` one part; `--messages N`, `--rounds N`,
//! `--devices N` change the sizes. `benches/README.md` has what was found, and what each number means. This measures and judges
//! nothing: no number here fails a build. Every process is a child on a free loopback port, ended by its handle.

#[path = "spine/broker.rs"]
mod broker;
#[path = "spine/drain.rs"]
mod drain;
#[path = "spine/fleet.rs"]
mod fleet;
#[path = "spine/latency.rs"]
mod latency;
#[path = "spine/measure.rs"]
mod measure;
#[path = "spine/moments.rs"]
mod moments;
#[path = "spine/path.rs"]
mod path;
#[path = "spine/rig.rs"]
mod rig;

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

use std::io::Write;

/// What to measure, and how much of it.
struct Sizes {
    parts: Vec<String>,
    /// Messages of one round of `path`.
    messages: u32,
    /// Rounds of `path`, each with and without Foremend.
    rounds: usize,
    /// Devices of `fleet`.
    devices: u32,
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
    let sizes = sizes(&arguments);
    let wanted = |part: &str| sizes.parts.is_empty() || sizes.parts.iter().any(|one| one == part);
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime to start InfluxDB with");
    let influx = runtime.block_on(influxd::Influxd::start());
    if wanted("path") {
        path::measure(&influx, sizes.messages, sizes.rounds);
    }
    if wanted("latency") {
        latency::measure(&influx);
    }
    if wanted("fleet") {
        fleet::measure(&influx, sizes.devices);
    }
}

fn sizes(arguments: &[String]) -> Sizes {
    let mut sizes = Sizes {
        parts: Vec::new(),
        messages: 50_000,
        rounds: 5,
        devices: 1_000,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().map(String::as_str).unwrap_or_default();
        match word.as_str() {
            "--messages" => sizes.messages = number(value()),
            "--rounds" => sizes.rounds = number(value()),
            "--devices" => sizes.devices = number(value()),
            "path" | "latency" | "fleet" => sizes.parts.push(word.clone()),
            other => panic!(
                "'{other}' is none of path, latency, fleet, --messages N, --rounds N, --devices N"
            ),
        }
    }
    sizes
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
