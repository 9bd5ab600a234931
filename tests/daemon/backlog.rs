//! A hundred thousand messages wait for a series store that is away: tickets come first, the way back is shown, memory stays flat.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;

use crate::fake_influx::Answer;
use crate::fake_influx::FakeInflux;
use crate::process::Daemon;
use crate::process::wait_for;
use crate::publisher::Publisher;
use crate::rig::Rig;
use crate::rig::check;
use crate::rig::metric;
use crate::rig::now_ms;
use crate::rig::publish;
use crate::rig::readings;
use crate::rig::status;
use crate::rig::tele;
use crate::rig::topic;
use crate::rig::wait_for_ticket;

/// Connections that publish at once.
const PUBLISHERS: u64 = 8;
/// Messages of each.
const EACH: u64 = 12_500;
/// Unacknowledged messages of a connection: below what the listener takes of one.
const WINDOW: u64 = 200;
const LAG: &str = "foremend_journal_lag_messages{consumer=\"series\"}";
const WRITTEN: &str = "foremend_series_points_written_total";
/// 1 while they take what the pipeline decoded; what they decoded themselves.
const ATTACHED: &str = "foremend_series_attached";
const DECODED: &str = "foremend_series_messages_decoded_total";
/// An outage of a minute makes the writer wait up to a minute.
const LATER: Duration = Duration::from_mins(5);
/// What the backlog may cost in memory: the caches of journal and store, batches under way, what was handed to the series before
/// they fell behind (32 MiB), and the devices themselves.
const GROWTH_KIB: u64 = 192 * 1024;

fn port(daemon: &Daemon) -> u16 {
    let address = daemon.mqtt.as_deref().expect("a listener");
    address.rsplit(':').next().unwrap().parse().unwrap()
}

fn flood(port: u16) {
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|index| {
            thread::spawn(move || {
                let serial = format!("TSF5-MADEUP-{index:02}");
                let mut publisher = Publisher::connect(port, &serial);
                // A millisecond apart: values of one device and millisecond are one point.
                let begin = now_ms() - 2 * EACH;
                for seq in 1..=EACH {
                    let payload = tele(begin + seq, seq, &json!({"water.out_c": 37.5}));
                    publisher.publish(&topic(&serial, "tele"), payload.as_bytes());
                    if seq % WINDOW == 0 {
                        publisher.settle();
                    }
                }
                publisher.settle();
            })
        })
        .collect();
    for publisher in publishers {
        publisher.join().unwrap();
    }
}

/// Most writes that one batch of the series takes: 20,000 points by 5,000, and a rest in each of four lanes. Points count as written
/// when all of their batch is.
const WRITES_OF_A_BATCH: usize = 8;

/// Memory of the process, KiB: `VmRSS` now, `VmHWM` at most so far.
fn memory(daemon: &Daemon, which: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    let number = line
        .unwrap()
        .trim_start_matches(':')
        .split_whitespace()
        .next();
    number.unwrap().parse().unwrap()
}

#[test]
fn a_backlog_of_the_series_is_shown_and_worked_off_behind_the_tickets() {
    let runtime = Runtime::new().unwrap();
    // How many writes the server takes before it is away again.
    let takes = Arc::new(AtomicUsize::new(0));
    let allowed = Arc::clone(&takes);
    let influx = runtime.block_on(FakeInflux::start(move |request| {
        let write = request.head.starts_with("post /api/v2/write");
        let take = |left: usize| left.checked_sub(1);
        if write
            && allowed
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
        {
            Answer::Say(204, "", String::new())
        } else {
            Answer::Say(503, "", "{}".to_owned())
        }
    }));
    let influxdb = format!(
        "[influxdb]\nurl = \"{}\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"\n",
        influx.url
    );
    let rig = Rig::alone(&influxdb);
    fs::write(rig.dir().join("influx-token"), "a-token").unwrap();
    let daemon = rig.start();
    let port = port(&daemon);

    publish(port, "TSF5-MADEUP-90", &readings(1, 200, 37.5));
    let before = memory(&daemon, "VmRSS");
    flood(port);
    publish(port, "TSF5-MADEUP-91", &readings(1, 20, 49.2));
    wait_for_ticket(&daemon, "TSF5-MADEUP-91", "water_over_temp");
    assert_eq!(
        metric(&daemon, WRITTEN),
        0,
        "the ticket did not wait for a point"
    );
    let detail = wait_for("the backlog in /readyz", LATER, || {
        let detail = check(&daemon, "series")?["detail"].to_string();
        detail
            .contains("records behind the journal")
            .then_some(detail)
    });
    assert!(detail.contains("not getting nearer"), "{detail}");
    assert_eq!(
        status(&daemon, "/readyz"),
        200,
        "tickets do not wait for the series"
    );
    assert!(metric(&daemon, LAG) >= PUBLISHERS * EACH);

    // It comes back for a moment: some of the backlog goes, and a new ticket comes before the rest.
    takes.store(WRITES_OF_A_BATCH, Ordering::SeqCst);
    wait_for("a part of the backlog", LATER, || {
        (metric(&daemon, WRITTEN) > 0).then_some(())
    });
    publish(port, "TSF5-MADEUP-92", &readings(1, 20, 49.2));
    wait_for_ticket(&daemon, "TSF5-MADEUP-92", "water_over_temp");
    assert!(
        metric(&daemon, LAG) > 0,
        "the ticket came before the backlog was gone"
    );

    takes.store(usize::MAX, Ordering::SeqCst);
    wait_for("every point", LATER, || {
        (metric(&daemon, WRITTEN) >= PUBLISHERS * EACH).then_some(())
    });
    wait_for("the all-clear", LATER, || {
        check(&daemon, "series").is_none().then_some(())
    });
    wait_for("no lag", LATER, || {
        (metric(&daemon, LAG) == 0).then_some(())
    });
    let lines: usize = influx
        .requests()
        .iter()
        .filter(|request| request.head.starts_with("post /api/v2/write"))
        .flat_map(|request| request.lines())
        .filter(|line| line.starts_with("telemetry,") && line.contains("water.out_c"))
        .map(str::to_owned)
        .collect::<std::collections::BTreeSet<String>>()
        .len();
    assert!(
        lines as u64 >= PUBLISHERS * EACH,
        "{lines} different points"
    );
    let log = daemon.log();
    for word in [
        "catching up with the journal",
        "caught up with the journal",
        "per_second",
    ] {
        assert!(log.contains(word), "{word} is not in the log");
    }
    let most = memory(&daemon, "VmHWM");
    decodes_once_more(&daemon, port);
    eprintln!("memory: {before} KiB before the flood, {most} KiB at most");
    assert!(
        most < before + GROWTH_KIB,
        "{before} KiB before, {most} KiB at most"
    );
    assert!(daemon.stop().success());
}

/// Once they have caught up, the series take what the pipeline decoded.
fn decodes_once_more(daemon: &Daemon, port: u16) {
    wait_for("the hand-over", LATER, || {
        publish(port, "TSF5-MADEUP-93", &readings(1, 1, 37.5));
        (metric(daemon, ATTACHED) == 1).then_some(())
    });
    let (written, decoded) = (metric(daemon, WRITTEN), metric(daemon, DECODED));
    assert!(decoded >= PUBLISHERS * EACH, "they caught up by themselves");
    publish(port, "TSF5-MADEUP-94", &readings(1, 200, 37.5));
    wait_for("points of what was handed over", LATER, || {
        (metric(daemon, WRITTEN) >= written + 200).then_some(())
    });
    assert_eq!(metric(daemon, DECODED), decoded, "decoded twice");
}
