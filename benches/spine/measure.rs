//! Clocks and counters: wall time, the CPU and memory that the kernel accounts to a process, and order statistics.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time since a moment.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Seconds since 1970, as a device would say them.
#[expect(clippy::disallowed_methods, reason = "a device's own clock")]
pub(crate) fn seconds_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs_f64()
}

/// The same in ms.
pub(crate) fn wall_ms() -> u64 {
    let seconds = seconds_now();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time after 1970 in ms"
    )]
    let ms = (seconds * 1e3) as u64;
    ms
}

/// A pause: the load that is wanted has gaps.
#[expect(clippy::disallowed_methods, reason = "the pace of a made-up device")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// CPU time of a process, user and system, in ticks of the kernel (10 ms as a rule).
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu(u64);

impl Cpu {
    pub(crate) fn of(process: u32) -> Self {
        Self(ticks(&format!("/proc/{process}/stat")))
    }

    pub(crate) fn since(self, before: Self) -> Duration {
        time(self.0.saturating_sub(before.0))
    }
}

/// CPU time of the main thread of this process, exact to the nanosecond; a program with one thread has no other.
pub(crate) fn this_thread() -> Duration {
    let text = fs::read_to_string("/proc/self/schedstat").expect("a kernel that counts");
    let first = text
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(first.expect("nanoseconds"))
}

/// CPU time of each live thread's name, the largest first.
pub(crate) fn threads(process: u32) -> Vec<(String, Duration)> {
    let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("a live process");
    for task in tasks.filter_map(Result::ok) {
        let path = task.path();
        if let Ok(name) = fs::read_to_string(path.join("comm")) {
            *by_name.entry(name.trim().to_owned()).or_default() +=
                ticks(&path.join("stat").display().to_string());
        }
    }
    let mut list: Vec<_> = by_name
        .into_iter()
        .map(|(name, ticks)| (name, time(ticks)))
        .collect();
    list.sort_by_key(|(_, cpu)| std::cmp::Reverse(*cpu));
    list
}

/// Memory of a process in MiB: resident now, and the most it ever was.
pub(crate) fn memory(process: u32) -> (f64, f64) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a live process");
    let mebibytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let kibibytes: u32 = line
            .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .expect("a size in kB");
        f64::from(kibibytes) / 1024.0
    };
    (mebibytes("VmRSS:"), mebibytes("VmHWM:"))
}

/// User and system time, fields 14 and 15; the second field, the name, may hold anything.
fn ticks(path: &str) -> u64 {
    let text = fs::read_to_string(path).expect("a live process");
    let rest = text.rsplit_once(')').expect("a name in brackets").1;
    rest.split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number of ticks"))
        .sum()
}

fn time(ticks: u64) -> Duration {
    static A_SECOND: OnceLock<u64> = OnceLock::new();
    let a_second = *A_SECOND.get_or_init(|| {
        let said = Command::new("getconf").arg("CLK_TCK").output();
        said.ok()
            .and_then(|said| String::from_utf8(said.stdout).ok()?.trim().parse().ok())
            .unwrap_or(100)
    });
    Duration::from_micros(ticks * 1_000_000 / a_second)
}

/// `min / median / max` of numbers, with this many decimals.
pub(crate) fn spread(values: &[f64], decimals: usize) -> String {
    format!(
        "{:.decimals$} / {:.decimals$} / {:.decimals$}",
        quantile(values, 0.0),
        quantile(values, 0.5),
        quantile(values, 1.0)
    )
}

/// The value that this share of the values does not exceed.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index among some hundreds"
    )]
    let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
