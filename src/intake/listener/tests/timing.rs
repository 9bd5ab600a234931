//! Clocks: who must speak by when.

use std::time::Duration;

use super::hall::Hall;
use super::hall::pass;
use super::wire::Hello;
use super::wire::PING;
use super::wire::PONG;
use super::wire::publish;

#[tokio::test(start_paused = true)]
async fn only_whole_packets_restart_the_keep_alive() {
    let hall = Hall::new();
    let mut peer = hall.dial();
    let hello = Hello {
        keep_alive: 10,
        ..Hello::new(4, "a")
    };
    peer.enter(&hello).await;
    for _ in 0..5 {
        pass(Duration::from_secs(14)).await;
        peer.send(&PING).await;
        peer.expect(&[PONG.to_vec()]).await;
    }
    // One byte every second is no sign of life.
    let bytes = publish(4, "t", &[b'x'; 100], 0, 0);
    for byte in &bytes[..20] {
        peer.send(&[*byte]).await;
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(peer.packet().await, None);
    assert_eq!(hall.closed("keep_alive"), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_keep_alive_a_client_may_be_silent_for_a_day() {
    let hall = Hall::new();
    let mut peer = hall.dial();
    peer.enter(&Hello::new(4, "a")).await;
    pass(Duration::from_hours(24)).await;
    peer.send(&PING).await;
    peer.expect(&[PONG.to_vec()]).await;
    pass(Duration::from_hours(26)).await;
    assert_eq!(peer.packet().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_has_five_seconds_for_its_connect() {
    let hall = Hall::new();
    let mut silent = hall.dial();
    let mut slow = hall.dial();
    let bytes = Hello::new(4, "slow").packet();
    for byte in &bytes[..4] {
        slow.send(&[*byte]).await;
        pass(Duration::from_secs(1)).await;
    }
    silent.silence().await;
    assert_eq!(hall.inside(), 2);
    pass(Duration::from_millis(1_100)).await;
    assert_eq!(silent.packet().await, None);
    assert_eq!(slow.packet().await, None);
    assert_eq!(hall.inside(), 0);
    let refused = hall.house.status.snapshot().refused;
    assert!(refused.contains(&("handshake_timeout", 2)), "{refused:?}");
}
