//! Bounds what a peer without a valid key can make this process do, before a key is looked up.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::http::header::HeaderMap;
use otpost_domain::{AddressRange, Admission, Bucket, Limit, Network, Timestamp};
use otpost_service::Limited;

use crate::proxies::{self, Origin};

/// The limit's name.
const NAME: &str = "peer_requests_per_second";
/// The most peers that are remembered.
const PEERS_MAX: usize = 10_000;
/// The most keys that are remembered as accepted.
const KEYS_MAX: usize = 10_000;
/// A charge in tenths.
const WHOLE: u32 = 10;

/// What peers have used of their limit, for this process alone.
///
/// A credential is charged before it is judged, so that however many are judged at once, no more
/// are than the limit lets through. What an accepted one was charged is given back.
///
/// A key that this process accepted before is not charged, and is looked up also for a peer that
/// has used its limit up: an attacker does not take it from others at the same address, such as
/// all behind a proxy that is not named. That does not hold for a key that this process has not
/// accepted yet, as none is after a restart: from such a peer it is refused like any other, until
/// the limit lets one through and that one happens to be it.
pub(crate) struct Peers {
    limit: Limit,
    trusted: Vec<AddressRange>,
    keys: RandomState,
    seen: Mutex<Seen>,
}

/// What was charged for one credential. It stays charged unless it is given back, also when nobody
/// waits for the answer any more: or else whoever hangs up would have lookups for nothing.
pub(crate) struct Charge {
    peer: Network,
    /// The peer's, after it.
    bucket: Bucket,
}

#[derive(Default)]
struct Seen {
    buckets: HashMap<Network, Bucket>,
    /// Hashes of keys that were accepted, never a key. Two that collide let one more key be looked
    /// up, and nothing else.
    accepted: HashSet<u64>,
}

impl Peers {
    pub(crate) fn new(limit: Limit, trusted: Vec<AddressRange>) -> Self {
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

    /// Who asks, as far as proxies tell.
    pub(crate) fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> Origin {
        proxies::origin(peer, headers, &self.trusted)
    }

    /// Lets a credential be judged for who asks, and charges the network: a key, or none that can
    /// be read. `None` where nothing was charged, for a key that was accepted before.
    ///
    /// # Errors
    ///
    /// The limit, once the peer has used it up.
    pub(crate) fn check(
        &self,
        peer: Network,
        key: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Charge>, Limited> {
        let mut seen = self.seen();
        if key.is_some_and(|key| seen.accepted.contains(&self.hash(key))) {
            return Ok(None);
        }
        let bucket = seen.buckets.get(&peer).copied().unwrap_or_default();
        match self.limit.admit(bucket, now) {
            Admission::Admitted(bucket) => {
                if seen.buckets.len() >= PEERS_MAX && !seen.buckets.contains_key(&peer) {
                    self.make_room(&mut seen.buckets, now);
                }
                seen.buckets.insert(peer, bucket);
                Ok(Some(Charge { peer, bucket }))
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

    /// Forgets a key that was refused.
    pub(crate) fn forget(&self, key: &str) {
        self.seen().accepted.remove(&self.hash(key));
    }

    /// Gives a charge back, unless time has paid it back already.
    pub(crate) fn give_back(&self, charge: &Charge, now: Timestamp) {
        if self.limit.allowance(charge.bucket, now).full_in_secs == 0 {
            return;
        }
        if let Some(bucket) = self.seen().buckets.get_mut(&charge.peer) {
            *bucket = self.limit.give_back(*bucket, WHOLE, now);
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

    fn ask(peers: &Peers, number: u32, key: Option<&str>, now: Timestamp) -> Option<Charge> {
        peers.check(peer(number), key, now).unwrap()
    }

    fn is_refused(peers: &Peers, number: u32, key: Option<&str>, now: Timestamp) -> bool {
        peers.check(peer(number), key, now).is_err()
    }

    #[test]
    fn a_peer_is_refused_once_it_asked_for_its_quota_and_nobody_else_is() {
        let peers = peers(2);
        for _ in 0..2 {
            assert!(ask(&peers, 1, None, NOON).is_some());
        }
        let refused = peers.check(peer(1), Some("unknown"), NOON).err().unwrap();
        assert_eq!((refused.name, refused.wait.as_millis()), (NAME, 500));
        assert!(!is_refused(&peers, 2, None, NOON));
        assert!(!is_refused(&peers, 1, None, NOON.plus_secs(1)));
    }

    #[test]
    fn what_is_given_back_can_be_asked_for_again() {
        let peers = peers(2);
        ask(&peers, 1, None, NOON);
        let charge = ask(&peers, 1, Some("good"), NOON).unwrap();
        assert!(is_refused(&peers, 1, None, NOON));
        peers.give_back(&charge, NOON);
        assert!(!is_refused(&peers, 1, None, NOON));
        assert!(is_refused(&peers, 1, None, NOON));
    }

    #[test]
    fn what_time_has_paid_back_is_not_given_back_again() {
        let peers = peers(2);
        let charge = ask(&peers, 1, Some("slow"), NOON).unwrap();
        let later = NOON.plus_secs(1);
        for _ in 0..2 {
            ask(&peers, 1, None, later);
        }
        peers.give_back(&charge, later);
        assert!(is_refused(&peers, 1, None, later));
    }

    #[test]
    fn a_key_that_was_accepted_is_not_charged_until_it_is_refused() {
        let peers = peers(1);
        peers.welcome("good");
        assert!(ask(&peers, 1, Some("good"), NOON).is_none());
        assert!(ask(&peers, 1, Some("bad"), NOON).is_some());
        assert!(is_refused(&peers, 1, Some("bad"), NOON));
        assert!(ask(&peers, 1, Some("good"), NOON).is_none());
        peers.forget("good");
        assert!(is_refused(&peers, 1, Some("good"), NOON));
    }

    #[test]
    fn many_peers_and_keys_take_bounded_room() {
        let peers = peers(2);
        for number in 0..3 * 10_000 {
            // The clock moves, or all would owe alike.
            let now = Timestamp::from_millis(NOON.as_millis() + i64::from(number / 1000));
            ask(&peers, number, None, now);
            peers.welcome(&number.to_string());
            let seen = peers.seen();
            assert!(seen.buckets.len() <= PEERS_MAX && seen.accepted.len() <= KEYS_MAX);
        }
    }

    #[test]
    fn what_is_forgotten_first_owes_least() {
        let peers = peers(2);
        for _ in 0..2 {
            ask(&peers, 0, None, NOON);
        }
        for number in 1..2 * 10_000 {
            ask(&peers, number, None, NOON);
        }
        assert!(is_refused(&peers, 0, None, NOON));
    }

    #[test]
    fn peers_that_owe_nothing_any_more_are_forgotten() {
        let peers = peers(2);
        for number in 0..10_000 {
            ask(&peers, number, None, NOON);
        }
        assert_eq!(peers.seen().buckets.len(), PEERS_MAX);
        ask(&peers, 10_000, None, NOON.plus_secs(1));
        assert_eq!(peers.seen().buckets.len(), 1);
    }
}
