//! Connections without sockets, in a time that the test moves: `#[tokio::test(start_paused = true)]`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::oneshot;

use super::journal::MemoryJournal;
use super::wire::Peer;
use crate::intake::listener::Access;
use crate::intake::listener::House;
use crate::intake::listener::Limits;
use crate::intake::listener::Subscribe;
use crate::intake::listener::clients::Order;
use crate::intake::listener::door::Door;
use crate::intake::listener::handshake::Entry;
use crate::intake::listener::lane::Lane;
use crate::intake::listener::status::ListenerStatus;

/// Bytes that are on the way between client and listener, each direction.
const WIRE_BYTES: usize = 256 * 1024;

/// Everything behind the sockets.
pub(super) struct Hall {
    pub(super) house: Arc<House>,
    pub(super) journal: Arc<MemoryJournal>,
    door: Arc<Door>,
    _clerk: oneshot::Receiver<()>,
}

impl Hall {
    pub(super) fn new() -> Self {
        Self::with(Limits::default(), Access::anonymous())
    }

    pub(super) fn with(limits: Limits, access: Access) -> Self {
        let status = Arc::new(ListenerStatus::new());
        let journal = Arc::new(MemoryJournal::default());
        let (lane, clerk) = Lane::start(limits, &status, Arc::clone(&journal) as _).unwrap();
        Self {
            house: Arc::new(House {
                limits,
                subscribe: Subscribe::Grant,
                access,
                status,
                lane,
            }),
            journal,
            door: Arc::new(Door::new(limits)),
            _clerk: clerk,
        }
    }

    /// A new connection.
    pub(super) fn dial(&self) -> Peer<DuplexStream> {
        self.dial_through(WIRE_BYTES)
    }

    /// A new connection on which only so many bytes fit.
    pub(super) fn dial_through(&self, bytes: usize) -> Peer<DuplexStream> {
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let (near, far) = tokio::io::duplex(bytes);
        let pass = self.door.enter(peer.ip()).expect("let in");
        let entry = Entry::new(Arc::clone(&self.house), peer, pass);
        tokio::spawn(async move {
            if let Some(connection) = entry.greet(near).await {
                connection.run().await;
            }
        });
        Peer::new(far)
    }

    /// How many connections there are, one that only waits with its will too.
    pub(super) fn inside(&self) -> usize {
        self.door.inside().0
    }

    pub(super) fn stop(&self) {
        self.house.status.clients.order_all(Order::Stop);
    }

    /// How often connections ended for this reason.
    pub(super) fn closed(&self, reason: &str) -> u64 {
        let closed = self.house.status.snapshot().closed;
        closed.iter().find(|(name, _)| *name == reason).unwrap().1
    }
}

/// Lets this much time pass, and everyone act upon it.
pub(super) async fn pass(time: Duration) {
    tokio::time::advance(time).await;
    settle().await;
}

/// Lets everyone act who can without the journal.
pub(super) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
