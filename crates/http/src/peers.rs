//! Bounds what a peer without a valid key can make this process do, before a key is looked up.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::http::header::HeaderMap;
use otpost_domain::{Admission, Bucket, Limit, Network, Timestamp};
use otpost_service::Limited;

use crate::proxies::{self, ProxyRange};

/// The limit's name.
const NAME: &str = "peer_requests_per_second";
/// The most peers that are remembered.
const PEERS_MAX: usize = 10_000;
/// The most keys that are remembered as accepted.
const KEYS_MAX: usize = 10_000;

/// What peers have used of their limit, for this process alone.
///
/// Only refused credentials are charged. Once a peer has used its limit up, a key is looked up for
/// it only if this process accepted that key before, so that nobody who shares an address with an
/// attacker, such as everyone behind a proxy that is not named, loses an access that works.
pub(crate) struct Peers {
    limit: Limit,
    trusted: Vec<ProxyRange>,
    keys: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    buckets: HashMap<Network, Bucket>,
    /// Hashes of keys that were accepted, never a key. Two that collide let one more key be looked
    /// up, and nothing else.
    accepted: HashSet<u64>,
}

impl Peers {
    pub(crate) fn new(limit: Limit, trusted: Vec<ProxyRange>) -> Self {
        Self {
            limit,
            trusted,
            keys: RandomState::new(),
            seen: Mutex::default(),
        }
    }

    /// Whether no peer is ever refused, so that nobody need be remembered.
    pub(crate) fn is_off(&self) -> bool {
        self.limit.is_off()
    }

    /// Who asks: the network of the nearest address that is no trusted proxy.
    pub(crate) fn network(&self, peer: IpAddr, headers: &HeaderMap) -> Network {
        Network::of(proxies::client(peer, headers, &self.trusted))
    }

    /// Whether a key may be looked up for this peer, or a credential be refused in detail.
    ///
    /// # Errors
    ///
    /// The limit, once the peer has used it up.
    pub(crate) fn check(
        &self,
        peer: &Network,
        key: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Limited> {
        let seen = self.seen();
        let bucket = seen.buckets.get(peer).copied().unwrap_or_default();
        match self.limit.admit(bucket, now) {
            Admission::Admitted(_) => Ok(()),
            Admission::Wait(_)
                if key.is_some_and(|key| seen.accepted.contains(&self.hash(key))) =>
            {
                Ok(())
            }
            Admission::Wait(wait) => Err(Limited {
                name: NAME,
                limit: self.limit,
                wait,
            }),
        }
    }

    /// Remembers a key that was accepted.
    pub(crate) fn welcome(&self, key: &str) {
        let mut seen = self.seen();
        if seen.accepted.len() >= KEYS_MAX {
            // They are learned again as they come.
            seen.accepted.clear();
        }
        seen.accepted.insert(self.hash(key));
    }

    /// Charges a peer whose credential was refused, and forgets the key.
    pub(crate) fn charge(&self, peer: Network, key: Option<&str>, now: Timestamp) {
        let mut seen = self.seen();
        if let Some(key) = key {
            seen.accepted.remove(&self.hash(key));
        }
        if seen.buckets.len() >= PEERS_MAX && !seen.buckets.contains_key(&peer) {
            self.make_room(&mut seen.buckets, now);
        }
        let bucket = seen.buckets.entry(peer).or_default();
        if let Admission::Admitted(next) = self.limit.admit(*bucket, now) {
            *bucket = next;
        }
    }

    /// Forgets the peers that owe nothing any more. Where that frees less than half, it forgets
    /// the half that owes least, so that a flood from many peers does not cost a walk each time.
    fn make_room(&self, buckets: &mut HashMap<Network, Bucket>, now: Timestamp) {
        buckets.retain(|_, bucket| self.limit.allowance(*bucket, now).full_in_secs > 0);
        if buckets.len() <= PEERS_MAX / 2 {
            return;
        }
        let mut owed: Vec<_> = buckets.values().copied().collect();
        let surplus = owed.len() - PEERS_MAX / 2;
        let (_, last, _) = owed.select_nth_unstable(surplus - 1);
        let last = *last;
        buckets.retain(|_, bucket| *bucket > last);
    }

    fn hash(&self, key: &str) -> u64 {
        self.keys.hash_one(key)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A count that a panic left behind is still a count.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_testkit::sample::NOON;
    use std::net::Ipv4Addr;

    fn peers(quota: u32) -> Peers {
        Peers::new(Limit::new(quota, 1), Vec::new())
    }

    fn peer(number: u32) -> Network {
        Network::of(Ipv4Addr::from_bits(number).into())
    }

    fn is_refused(peers: &Peers, number: u32, key: Option<&str>, now: Timestamp) -> bool {
        peers.check(&peer(number), key, now).is_err()
    }

    #[test]
    fn a_peer_is_refused_once_it_was_charged_its_quota_and_nobody_else_is() {
        let peers = peers(2);
        for _ in 0..2 {
            assert!(!is_refused(&peers, 1, None, NOON));
            peers.charge(peer(1), None, NOON);
        }
        let refused = peers.check(&peer(1), Some("unknown"), NOON).unwrap_err();
        assert_eq!((refused.name, refused.wait.as_millis()), (NAME, 500));
        assert!(!is_refused(&peers, 2, None, NOON));
        assert!(!is_refused(&peers, 1, None, NOON.plus_secs(1)));
    }

    #[test]
    fn a_key_that_was_accepted_is_looked_up_until_it_is_refused() {
        let peers = peers(1);
        peers.welcome("good");
        peers.charge(peer(1), Some("bad"), NOON);
        assert!(is_refused(&peers, 1, Some("bad"), NOON));
        assert!(!is_refused(&peers, 1, Some("good"), NOON));
        peers.charge(peer(1), Some("good"), NOON);
        assert!(is_refused(&peers, 1, Some("good"), NOON));
    }

    #[test]
    fn many_peers_and_keys_take_bounded_room() {
        let peers = peers(2);
        for number in 0..3 * 10_000 {
            // The clock moves, or all would owe alike.
            let now = Timestamp::from_millis(NOON.as_millis() + i64::from(number / 1000));
            peers.charge(peer(number), None, now);
            peers.welcome(&number.to_string());
            let seen = peers.seen();
            assert!(seen.buckets.len() <= PEERS_MAX && seen.accepted.len() <= KEYS_MAX);
        }
    }

    #[test]
    fn what_is_forgotten_first_owes_least() {
        let peers = peers(2);
        for _ in 0..2 {
            peers.charge(peer(0), None, NOON);
        }
        for number in 1..2 * 10_000 {
            peers.charge(peer(number), None, NOON);
        }
        assert!(is_refused(&peers, 0, None, NOON));
    }

    #[test]
    fn peers_that_owe_nothing_any_more_are_forgotten() {
        let peers = peers(2);
        for number in 0..10_000 {
            peers.charge(peer(number), None, NOON);
        }
        assert_eq!(peers.seen().buckets.len(), PEERS_MAX);
        peers.charge(peer(10_000), None, NOON.plus_secs(1));
        assert_eq!(peers.seen().buckets.len(), 1);
    }
}
