//! How often a wrong password may be tried: by one address, and by one address under one name.
//!
//! Each has a bucket that failures fill and time empties. The one for a name is small, so that a device with a wrong password
//! that tries for ever is refused there and does not shut out the others behind the same address. An attempt is charged when it
//! begins and paid back when it was right, so that a thousand at once are no way around it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;

use tokio::time::Instant;

/// How many failures an address may have before it waits.
const ADDRESS_FAILURES: u32 = 40;
/// After this time one failure of an address is forgiven.
const ADDRESS_FORGIVEN: Duration = Duration::from_secs(1);
/// The same for one name from one address.
const NAME_FAILURES: u32 = 5;
/// After this time one failure of a name is forgiven.
const NAME_FORGIVEN: Duration = Duration::from_secs(10);
/// How many buckets there are at most. When all are in use, newcomers share one: strangers by the ten thousand slow down each
/// other, and nobody who was here before.
const BUCKETS_LIMIT: usize = 20_000;

/// When all buckets are in use, how often they are gone through for empty ones.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Whose failures are counted: an address, and 64 bits of a name where it is one of a name.
type Key = (IpAddr, Option<u64>);

/// Who shares a bucket when there are too many.
const EVERYBODY_ELSE: Key = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), None);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    failures: u32,
    /// Since when the failures are forgiven.
    since: Instant,
}

impl Bucket {
    /// What is left of it.
    fn now(self, forgiven: Duration, now: Instant) -> Self {
        let passed = now.saturating_duration_since(self.since);
        let gone =
            u32::try_from(passed.as_millis() / forgiven.as_millis().max(1)).unwrap_or(u32::MAX);
        if gone >= self.failures {
            return Self {
                failures: 0,
                since: now,
            };
        }
        Self {
            failures: self.failures - gone,
            since: self.since + forgiven * gone,
        }
    }
}

/// An attempt that was let through, to be paid back when it was right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charged {
    address: Key,
    name: Key,
    /// The first failure after a while, or the last before waiting: worth a line in the log if it is one.
    pub(super) notable: bool,
}

/// The buckets.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    buckets: BTreeMap<Key, Bucket>,
    swept: Option<Instant>,
}

/// IPv6 addresses are given out by networks of 64 bits.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        four @ IpAddr::V4(_) => four,
    }
}

const fn most(key: &Key) -> (u32, Duration) {
    match key.1 {
        Some(_) => (NAME_FAILURES, NAME_FORGIVEN),
        None => (ADDRESS_FAILURES, ADDRESS_FORGIVEN),
    }
}

impl Throttle {
    /// Charges an attempt; `None`: too many failed, it has to wait. `name` is 64 bits of a digest of the name.
    pub(super) fn charge(&mut self, peer: IpAddr, name: u64, now: Instant) -> Option<Charged> {
        let peer = network(peer);
        let address = self.key((peer, None), now);
        let name = self.key((peer, Some(name)), now);
        // The name first: what it refuses is not charged to the address.
        let (by_name, by_address) = (self.look(name, now), self.look(address, now));
        if by_name.failures >= most(&name).0 || by_address.failures >= most(&address).0 {
            return None;
        }
        for (key, bucket) in [(name, by_name), (address, by_address)] {
            let failures = bucket.failures + 1;
            self.buckets.insert(key, Bucket { failures, ..bucket });
        }
        Some(Charged {
            address,
            name,
            notable: by_name.failures == 0 || by_name.failures + 1 == most(&name).0,
        })
    }

    /// The attempt was right, or was not judged.
    pub(super) fn pay_back(&mut self, charged: &Charged) {
        for key in [charged.name, charged.address] {
            if let Some(bucket) = self.buckets.get_mut(&key) {
                bucket.failures = bucket.failures.saturating_sub(1);
                if bucket.failures == 0 {
                    self.buckets.remove(&key);
                }
            }
        }
    }

    fn look(&self, key: Key, now: Instant) -> Bucket {
        let none = Bucket {
            failures: 0,
            since: now,
        };
        self.buckets
            .get(&key)
            .map_or(none, |bucket| bucket.now(most(&key).1, now))
    }

    /// The bucket to use: its own where there is room.
    fn key(&mut self, key: Key, now: Instant) -> Key {
        if self.buckets.len() < BUCKETS_LIMIT || self.buckets.contains_key(&key) {
            return key;
        }
        let due = |swept| now.saturating_duration_since(swept) >= SWEEP_EVERY;
        if self.swept.is_none_or(due) {
            self.swept = Some(now);
            self.buckets
                .retain(|key, bucket| bucket.now(most(key).1, now).failures > 0);
        }
        if self.buckets.len() < BUCKETS_LIMIT {
            key
        } else {
            EVERYBODY_ELSE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn fail(throttle: &mut Throttle, name: u64, now: Instant) -> bool {
        throttle.charge(PEER, name, now).is_some()
    }

    #[tokio::test]
    async fn a_name_waits_after_some_failures_and_is_forgiven_with_time() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..NAME_FAILURES {
            assert!(fail(&mut throttle, 1, now));
        }
        assert!(!fail(&mut throttle, 1, now));
        assert!(fail(&mut throttle, 2, now), "another name is not shut out");
        assert!(fail(&mut throttle, 1, now + NAME_FORGIVEN));
        assert!(!fail(&mut throttle, 1, now + NAME_FORGIVEN));
    }

    #[tokio::test]
    async fn one_wrong_device_that_tries_for_ever_does_not_shut_out_its_neighbours() {
        let mut throttle = Throttle::default();
        let mut now = Instant::now();
        for _ in 0..10_000 {
            fail(&mut throttle, 1, now);
            now += Duration::from_millis(100);
        }
        for neighbour in 2..20 {
            assert!(fail(&mut throttle, neighbour, now));
        }
    }

    #[tokio::test]
    async fn names_tried_by_the_thousand_make_the_address_wait() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        let let_through = (0..1_000)
            .filter(|name| fail(&mut throttle, *name, now))
            .count();
        assert_eq!(let_through, ADDRESS_FAILURES as usize);
        let later = now + Duration::from_secs(3);
        let let_through = (2_000..3_000)
            .filter(|name| fail(&mut throttle, *name, later))
            .count();
        assert_eq!(let_through, 3, "one a second");
    }

    #[tokio::test]
    async fn right_passwords_cost_nothing() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..1_000 {
            let charged = throttle.charge(PEER, 1, now).expect("let through");
            throttle.pay_back(&charged);
        }
        assert!(throttle.buckets.is_empty());
    }

    #[tokio::test]
    async fn addresses_of_one_network_are_one_and_a_mapped_one_is_itself() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for number in 0..ADDRESS_FAILURES {
            let peer: IpAddr = format!("2001:db8::{number:x}").parse().expect("an address");
            assert!(throttle.charge(peer, u64::from(number), now).is_some());
        }
        let same: IpAddr = "2001:db8::ffff:1".parse().expect("an address");
        assert!(throttle.charge(same, 999, now).is_none());
        let other: IpAddr = "2001:db8:0:1::1".parse().expect("an address");
        assert!(throttle.charge(other, 999, now).is_some());
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().expect("an address");
        assert_eq!(network(mapped), PEER);
    }

    #[tokio::test]
    async fn strangers_by_the_ten_thousand_take_no_more_memory_and_shut_out_nobody_who_was_here() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        assert!(fail(&mut throttle, 1, now));
        for number in 0..30_000_u32 {
            let peer = IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + number));
            throttle.charge(peer, 1, now);
        }
        assert!(throttle.buckets.len() <= BUCKETS_LIMIT + 2);
        assert!(fail(&mut throttle, 1, now), "it has its own bucket still");
        let new = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));
        assert!(throttle.charge(new, 1, now).is_none());
        let later = now + Duration::from_mins(2);
        assert!(throttle.charge(new, 1, later).is_some());
    }
}
