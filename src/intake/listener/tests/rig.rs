//! A whole listener on a port that the kernel chose.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::journal::MemoryJournal;
use super::journal::SOON;
use super::wire::Hello;
use super::wire::Peer;
use crate::intake::IntakeError;
use crate::intake::listener::Access;
use crate::intake::listener::Limits;
use crate::intake::listener::Listener;
use crate::intake::listener::ListenerSettings;
use crate::intake::listener::ListenerStatus;
use crate::intake::listener::Subscribe;

pub(super) struct Rig {
    pub(super) address: SocketAddr,
    pub(super) status: Arc<ListenerStatus>,
    pub(super) journal: Arc<MemoryJournal>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), IntakeError>>,
}

impl Rig {
    pub(super) fn start() -> Self {
        Self::with(Limits::default(), Subscribe::Grant, Access::anonymous())
    }

    pub(super) fn with(limits: Limits, subscribe: Subscribe, access: Access) -> Self {
        let listener = Listener::bind(ListenerSettings {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            tls: None,
            subscribe,
            limits,
        })
        .expect("a port");
        let address = listener.address().unwrap();
        let status = Arc::new(ListenerStatus::new());
        let journal = Arc::new(MemoryJournal::default());
        let (stop, stops) = watch::channel(false);
        let task = tokio::spawn(listener.run(
            access,
            Arc::clone(&journal) as _,
            Arc::clone(&status),
            stops,
        ));
        Self {
            address,
            status,
            journal,
            stop,
            task,
        }
    }

    pub(super) async fn dial(&self) -> Peer<TcpStream> {
        Peer::new(TcpStream::connect(self.address).await.expect("connected"))
    }

    /// From another address of this machine.
    pub(super) async fn dial_from(&self, last: u8) -> Option<Peer<TcpStream>> {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(SocketAddr::from(([127, 0, 0, last], 0)))
            .unwrap();
        Some(Peer::new(socket.connect(self.address).await.ok()?))
    }

    /// A client that is in.
    pub(super) async fn client(&self, version: u8, id: &str) -> Peer<TcpStream> {
        let mut peer = self.dial().await;
        peer.enter(&Hello::new(version, id)).await;
        peer
    }

    pub(super) fn refused(&self, reason: &str) -> u64 {
        let refused = self.status.snapshot().refused;
        refused.iter().find(|(name, _)| *name == reason).unwrap().1
    }

    /// Stops, and tells what the journal was given.
    pub(super) async fn stop(self) -> Vec<String> {
        self.stop.send_replace(true);
        timeout(SOON, self.task)
            .await
            .expect("it stops")
            .expect("no panic")
            .expect("no error");
        self.journal.story()
    }
}

/// Looks until it is so.
pub(super) async fn until(what: &str, reached: impl Fn() -> bool) {
    let looking = async {
        while !reached() {
            tokio::task::yield_now().await;
            std::thread::yield_now();
        }
    };
    assert!(
        timeout(SOON, looking).await.is_ok(),
        "waited in vain for {what}"
    );
}
