//! Those who have not said who they are, by the hundred; and a fleet that comes back at once.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use super::rig::Rig;
use super::rig::until;
use super::wire::Hello;
use super::wire::Peer;
use super::wire::ack;
use super::wire::publish;
use crate::intake::listener::Access;
use crate::intake::listener::Limits;
use crate::intake::listener::Listener;
use crate::intake::listener::ListenerError;
use crate::intake::listener::ListenerSettings;
use crate::intake::listener::Subscribe;
use crate::intake::listener::socket::is_of_one_connection;

#[tokio::test]
async fn strangers_are_bounded_and_hurt_nobody_who_is_in() {
    let limits = Limits {
        strangers: 40,
        strangers_per_peer: 20,
        handshake: Duration::from_millis(500),
        ..Limits::default()
    };
    let rig = Rig::with(limits, Subscribe::Grant, Access::anonymous());
    let mut healthy = rig.client(4, "healthy").await;
    let mut strangers = Vec::new();
    for number in 0..400_u16 {
        // Half a CONNECT, from an address of its own and then from another one.
        let Some(mut peer) = rig.dial_from(2 + u8::from(number >= 200)).await else {
            continue;
        };
        peer.send(&Hello::new(4, "half").packet()[..7]).await;
        strangers.push(peer);
        if number % 50 == 0 {
            let id = 1 + number;
            healthy.send(&publish(4, "t", b"x", 1, id)).await;
            healthy.expect(&[ack(0x40, id)]).await;
            assert!(rig.status.snapshot().unauthenticated <= 40);
        }
    }
    until("most to be turned away", || {
        rig.refused("address_unauthenticated_full") + rig.refused("unauthenticated_full") >= 100
    })
    .await;
    until("the rest to be out of time", || {
        rig.status.snapshot().connections == 1
    })
    .await;
    assert!(rig.refused("handshake_timeout") >= 1);
    // From their address too, a client with a login comes in.
    let mut peer = rig.dial_from(2).await.expect("connected");
    peer.enter(&Hello::new(4, "honest")).await;
    drop(strangers);
    rig.stop().await;
}

/// With the backlog of 128 that a plain bind gives, a burst waits for resent packets, a second each; beyond it, for ever.
#[tokio::test]
async fn connections_that_nobody_has_accepted_yet_are_kept_by_the_kernel() {
    let listener = Listener::bind(ListenerSettings {
        listen: Some(([127, 0, 0, 1], 0).into()),
        tls: None,
        subscribe: Subscribe::Grant,
        limits: Limits::default(),
    })
    .expect("a port");
    let address = listener.address().unwrap();
    // The kernel may be told to keep fewer.
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    let burst = most.trim().parse().unwrap_or(4_096).min(500);
    let waiting: Vec<_> = (0..burst)
        .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_secs(20)))
        .collect();
    let connected = waiting.iter().filter(|stream| stream.is_ok()).count();
    assert_eq!(connected, burst);
}

#[tokio::test]
async fn a_fleet_that_comes_back_at_once_is_let_in() {
    let rig = Rig::start();
    let burst: Vec<_> = (0..600)
        .map(|_| tokio::spawn(TcpStream::connect(rig.address)))
        .collect();
    let mut peers = Vec::new();
    for connecting in burst {
        let stream = connecting.await.unwrap().expect("connected");
        peers.push(Peer::new(stream));
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.enter(&Hello::new(4, &format!("device-{number}")))
            .await;
    }
    assert_eq!(rig.status.snapshot().connects, 600);
    assert_eq!(rig.status.clients().len(), 600);
    drop(peers);
    rig.stop().await;
}

#[tokio::test]
async fn a_stop_tells_the_source_up_first_and_down_last() {
    let rig = Rig::start();
    let mut one = rig.client(5, "one").await;
    one.send(&publish(5, "t", b"1", 1, 1)).await;
    one.expect(&[ack(0x40, 1)]).await;
    let stranger = rig.dial().await;
    let story = rig.stop().await;
    assert_eq!(story, ["up listener", "t=1", "down listener"]);
    assert_eq!(one.packet().await.expect("a DISCONNECT")[2], 0x8B);
    drop(stranger);
}

#[tokio::test]
async fn a_port_in_use_is_told_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings = |listen| ListenerSettings {
        listen,
        tls: None,
        subscribe: Subscribe::Grant,
        limits: Limits::default(),
    };
    let error = Listener::bind(settings(Some(address))).err().unwrap();
    let text = error.to_string();
    let port = format!("port {} is in use", address.port());
    assert!(
        text.contains(&port) && text.contains("enabled = false"),
        "{text}"
    );
    assert!(text.contains("listener.listen"), "{text}");
    let elsewhere = "192.0.2.1:1883".parse().unwrap();
    let error = Listener::bind(settings(Some(elsewhere))).err().unwrap();
    assert!(matches!(error, ListenerError::Address { .. }), "{error}");
    let error = Listener::bind(settings(None)).err().unwrap();
    assert!(matches!(error, ListenerError::Nowhere), "{error}");
}

#[test]
fn accepting_pauses_when_no_file_is_left_and_only_then() {
    // EMFILE and ENFILE.
    for code in [24, 23] {
        assert!(!is_of_one_connection(&io::Error::from_raw_os_error(code)));
    }
    for kind in [io::ErrorKind::ConnectionAborted, io::ErrorKind::Interrupted] {
        assert!(is_of_one_connection(&kind.into()));
    }
}
