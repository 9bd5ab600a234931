//! How many may be inside: connections in all, those that have not logged in, and both per address.
//!
//! Leaves closing to the one who asks. Invariant: who was let in is counted until its pass is dropped, whatever happens to it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use super::settings::Limits;
use super::status::Refusal;

/// The door of the listener.
#[derive(Debug)]
pub(super) struct Door {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    inside: usize,
    strangers: usize,
    peers: HashMap<IpAddr, Peer>,
}

#[derive(Debug, Default)]
struct Peer {
    inside: usize,
    strangers: usize,
}

/// Whoever is inside has one.
#[derive(Debug)]
pub(super) struct Pass {
    door: Arc<Door>,
    peer: IpAddr,
    is_stranger: bool,
}

impl Door {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            counts: Mutex::default(),
        }
    }

    /// Lets a stranger in, or says why not.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Pass, Refusal> {
        let peer = neighbourhood(peer);
        let mut guard = self.counts();
        let counts = &mut *guard;
        if counts.inside >= self.limits.connections {
            return Err(Refusal::Full);
        }
        if counts.strangers >= self.limits.strangers {
            return Err(Refusal::Strangers);
        }
        let here = counts.peers.entry(peer).or_default();
        if here.inside >= self.limits.per_peer {
            return Err(Refusal::PeerFull);
        }
        if here.strangers >= self.limits.strangers_per_peer {
            return Err(Refusal::PeerStrangers);
        }
        here.inside += 1;
        here.strangers += 1;
        counts.inside += 1;
        counts.strangers += 1;
        Ok(Pass {
            door: Arc::clone(self),
            peer,
            is_stranger: true,
        })
    }

    /// How many are inside, and how many of them have not logged in.
    pub(super) fn inside(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts.inside, counts.strangers)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// It has logged in.
    pub(super) fn known(&mut self) {
        if std::mem::take(&mut self.is_stranger) {
            let mut counts = self.door.counts();
            counts.strangers -= 1;
            if let Some(peer) = counts.peers.get_mut(&self.peer) {
                peer.strangers -= 1;
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.known();
        let mut counts = self.door.counts();
        counts.inside -= 1;
        if let Some(peer) = counts.peers.get_mut(&self.peer) {
            peer.inside -= 1;
            if peer.inside == 0 {
                counts.peers.remove(&self.peer);
            }
        }
    }
}

/// What counts as one address. A home or a server has a whole /64 of IPv6, so single addresses would bound nobody.
fn neighbourhood(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}
