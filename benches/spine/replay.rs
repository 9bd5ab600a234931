//! Messages a second of `foremend replay` on a file of small messages, with the profile of twenty conditions: reading, decoding,
//! detection, nothing kept.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::{Command, Stdio};

use crate::measure::{Cpu, Stopwatch, pause, spread, wall_ms};
use crate::{Bench, day, say};

const MESSAGES: u32 = 500_000;
const ROUNDS: usize = 3;
/// A daemon takes in a hundred strangers a second, and in the recording all speak within one.
const DEVICES: u32 = 100;
/// Between two looks at its CPU, the last of which is the number.
const LOOK: std::time::Duration = std::time::Duration::from_millis(5);

pub(crate) fn measure(bench: &Bench) {
    let messages = bench.messages.unwrap_or(MESSAGES);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("small.jsonl");
    let mut out = BufWriter::new(File::create(&path).expect("a file"));
    let start = wall_ms() - u64::from(messages / DEVICES) * 1_000 - 60_000;
    day::small(&mut out, messages, DEVICES, start).expect("written");
    out.flush().expect("written");
    let bytes = path.metadata().expect("a file").len();
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    let mut said = String::new();
    for _ in 0..bench.rounds.unwrap_or(ROUNDS) {
        let log = dir.path().join("log");
        let clock = Stopwatch::start();
        let mut player = Command::new(env!("CARGO_BIN_EXE_foremend"))
            .args(["replay", "--profiles"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/spine"))
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(File::create(&log).expect("a log"))
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary starts");
        let mut cpu;
        let status = loop {
            // Of a process that has ended and was not yet asked for, the kernel still tells it.
            cpu = Cpu::of(player.id()).since(Cpu::default());
            if let Some(status) = player.try_wait().expect("its state") {
                break status;
            }
            pause(LOOK);
        };
        let wall = clock.elapsed();
        said = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(status.success(), "the replay failed: {said}");
        rates.push(f64::from(messages) / wall.as_secs_f64());
        costs.push(cpu.as_secs_f64() * 1e6 / f64::from(messages));
    }
    say(&format!(
        "replay   {messages} messages, {} MB: {} messages/s, {} µs CPU a message (min / median / max of {}); it said: {}",
        bytes / 1_000_000,
        spread(&rates, 0),
        spread(&costs, 1),
        rates.len(),
        said.lines().last().unwrap_or_default()
    ));
}
