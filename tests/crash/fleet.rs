//! The load: four clients that speak until they are told to stop, whatever happens to the server meanwhile.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::appliances;
use crate::bell::Bell;
use crate::place::pass;
use crate::process::wait_for;
use crate::proof::SOON;
use crate::publisher::Publisher;
use crate::publisher::Said;
use crate::publisher::Server;

/// What a client says in a round at this time.
type Round = fn(u64, u64) -> Vec<Said>;

/// Who speaks, and their pause between two rounds: some 300 messages a second, with one of each of the unpausing ones always on
/// its way.
const CLIENTS: [(&str, Round, Duration); 4] = [
    ("bathroom", appliances::bathroom, Duration::from_millis(80)),
    ("eager", appliances::eager, Duration::from_millis(5)),
    ("careful", appliances::careful, Duration::from_millis(12)),
    ("odd", appliances::odd, Duration::from_millis(250)),
];
/// The client that breaks its connection every so many rounds, besides what crashes do.
const HANGS_UP: (&str, u64) = ("odd", 23);

/// Rounds of each client after which the slowest has told all of its troubles at least once.
const ENOUGH: u64 = appliances::CYCLE + 10;

/// Clients under way.
pub(crate) struct Fleet {
    stop: Arc<AtomicBool>,
    /// Rounds of the bathroom.
    rounds: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<Said>>>,
}

impl Fleet {
    /// Lets them speak to the server that this tells.
    pub(crate) fn start(
        server: impl Fn() -> Option<String> + Clone + Send + 'static,
        bell: &Bell,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let rounds = Arc::new(AtomicU64::new(0));
        let threads = CLIENTS
            .iter()
            .map(|client| {
                let stopped = Arc::clone(&stop);
                let server: Server = Box::new(server.clone());
                let rounds = Arc::clone(&rounds);
                let publisher = Publisher::new(client.0, server, bell.clone());
                thread::spawn(move || speak(*client, publisher, &stopped, &rounds))
            })
            .collect();
        Self {
            stop,
            rounds,
            threads,
        }
    }

    /// Waits until every trouble was told, in a life of the daemon that goes on.
    pub(crate) fn wait_until_all_is_told(&self) {
        wait_for("the appliances", SOON, || {
            (self.rounds.load(Ordering::Relaxed) >= ENOUGH).then_some(())
        });
    }

    /// Ends them, once the server has acknowledged what they are saying; gives what each said, in order.
    pub(crate) fn end(self) -> Vec<Vec<Said>> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads
            .into_iter()
            .map(|thread| thread.join().expect("a client that ends"))
            .collect()
    }
}

fn speak(
    (name, round, pause): (&str, Round, Duration),
    mut publisher: Publisher,
    stopped: &AtomicBool,
    rounds: &AtomicU64,
) -> Vec<Said> {
    if name == HANGS_UP.0 {
        publisher.leave_a_will("appl/v1/ts-flash5/TSF5-KEPT/state", r#"{"online":false}"#);
    }
    let mut last = 0;
    for number in 1.. {
        // No two rounds have the same instant.
        last = now_ms().max(last + 1);
        publisher.say(round(number, last));
        if name == CLIENTS[0].0 {
            rounds.store(number, Ordering::Relaxed);
        }
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        if name == HANGS_UP.0 && number % HANGS_UP.1 == 0 {
            publisher.hang_up();
        }
        pass(pause);
    }
    publisher.said
}

/// The wall clock in ms.
#[expect(
    clippy::disallowed_methods,
    reason = "messages to a running daemon carry the time of today"
)]
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970");
    u64::try_from(since.as_millis()).expect("a clock of this century")
}
