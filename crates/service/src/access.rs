//! Who is calling.

use std::net::IpAddr;

use otpost_domain::{ApiKey, KeyId, Mode, Permission, ProjectName, Timestamp};
use otpost_ports::{Actor, KeyRecord, Owner, Scope};

use crate::{Otp, ServiceError};

/// A caller whose key was accepted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose sessions it may touch.
    pub owner: Owner,
    /// The key that it called with.
    pub key: KeyId,
}

impl Caller {
    /// `quotas` of its project, unless it called with a test key, which touches no counter.
    pub(crate) fn live<T>(&self, quotas: impl FnOnce(&ProjectName) -> T) -> Option<T> {
        match self.owner.mode {
            Mode::Live => Some(quotas(&self.owner.project)),
            Mode::Test => None,
        }
    }

    /// Who it is, for the audit log.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Key(self.key)
    }

    /// Where it looks for recipients.
    pub(crate) fn scope(&self) -> Scope {
        let project = self.owner.project.clone();
        match self.owner.mode {
            Mode::Live => Scope::Project(project),
            Mode::Test => Scope::Tests(project),
        }
    }

    /// Whether it called with a test key.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.owner.mode == Mode::Test
    }
}

/// Why a key was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Unknown, revoked or expired, from where it is not allowed, or a test key where none are
    /// accepted.
    #[error("the key is not accepted")]
    Unauthorized,
    /// A key without the permission that is needed.
    #[error("the key lacks the permission {}", .0.name())]
    Forbidden(Permission),
    /// Nobody can tell now.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Otp {
    /// Accepts or refuses what a client, who calls `from` there, presented as its API key for what
    /// `needs` this permission.
    ///
    /// What was read of a key is believed for a second: so long it may go on after it was revoked.
    /// All the rest is judged at each call.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub async fn authenticate(
        &self,
        presented: &str,
        from: Option<IpAddr>,
        needs: Permission,
    ) -> Result<Caller, AccessError> {
        let key = ApiKey::parse(presented).ok_or(AccessError::Unauthorized)?;
        let found = self.known_keys.find(&key.id()).await;
        let record = found
            .map_err(ServiceError::from)?
            .ok_or(AccessError::Unauthorized)?;
        let digest = self.ports.vault.key_digest(&key);
        let now = self.now();
        if !record.digest.matches(&digest) || !is_in_force(&record, now) {
            return Err(AccessError::Unauthorized);
        }
        if !is_allowed(&record, from) {
            tracing::warn!(
                key.id = %record.id,
                "a key was refused: it came from an address that --allow-ip does not name; \
                 behind a proxy, server.trusted_proxies has to name that"
            );
            return Err(AccessError::Unauthorized);
        }
        if record.mode == Mode::Test && !self.accepts_test_keys {
            tracing::warn!(
                key.id = %record.id,
                "a test key was refused: test keys are for `otpost dev`, or server.test_keys = true"
            );
            return Err(AccessError::Unauthorized);
        }
        self.key_uses.note(record.id, now);
        if !record.permissions.include(needs) {
            return Err(AccessError::Forbidden(needs));
        }
        Ok(Caller {
            key: record.id,
            owner: Owner {
                project: record.project.clone(),
                mode: record.mode,
            },
        })
    }
}

fn is_allowed(record: &KeyRecord, from: Option<IpAddr>) -> bool {
    let allowed = &record.allowed_from;
    allowed.is_empty() || from.is_some_and(|from| allowed.iter().any(|one| one.contains(from)))
}

fn is_in_force(record: &KeyRecord, now: Timestamp) -> bool {
    record.revoked_at.is_none() && record.expires_at.is_none_or(|expires_at| now < expires_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Bench, unavailable};
    use otpost_domain::{KeyDigest, Permissions};
    use otpost_ports::Vault;
    use otpost_testkit::{FakeVault, sample};

    async fn authenticate(
        presented: &str,
        accepts_test_keys: bool,
        record: Option<KeyRecord>,
    ) -> Result<Caller, AccessError> {
        let mut bench = Bench::new();
        bench.accepts_test_keys = accepts_test_keys;
        bench
            .keys
            .expect_find_key()
            .times(..=1)
            .return_once(move |_| Ok(record));
        authenticate_at(&bench.otp(), presented, Permission::Otp).await
    }

    /// From an address for documentation.
    async fn authenticate_at(
        otp: &Otp,
        presented: &str,
        needs: Permission,
    ) -> Result<Caller, AccessError> {
        let from = "192.0.2.1".parse().unwrap();
        otp.authenticate(presented, Some(from), needs).await
    }

    fn live() -> KeyRecord {
        let digest = FakeVault::new().key_digest(&sample::key(1));
        KeyRecord {
            digest,
            ..sample::key_record(1)
        }
    }

    #[tokio::test]
    async fn a_key_in_force_names_its_project() {
        let caller = authenticate(sample::key(1).reveal(), false, Some(live()))
            .await
            .unwrap();
        assert_eq!(caller.owner, sample::owner());
    }

    #[tokio::test]
    async fn every_other_key_is_refused_alike() {
        let key = sample::key(1);
        let foreign = KeyRecord {
            digest: KeyDigest([0; 32]),
            ..live()
        };
        let revoked = KeyRecord {
            revoked_at: Some(sample::NOON),
            ..live()
        };
        let expired = KeyRecord {
            expires_at: Some(sample::NOON),
            ..live()
        };
        for (name, presented, record) in [
            ("no key", "YOUR_API_KEY", Some(live())),
            ("unknown", key.reveal(), None),
            ("another secret", key.reveal(), Some(foreign)),
            ("revoked", key.reveal(), Some(revoked)),
            ("expired at this instant", key.reveal(), Some(expired)),
        ] {
            let refused = authenticate(presented, true, record).await;
            assert!(matches!(refused, Err(AccessError::Unauthorized)), "{name}");
        }
    }

    #[tokio::test]
    async fn a_test_key_is_accepted_only_where_they_are() {
        let key = sample::key(1);
        let record = || KeyRecord {
            mode: Mode::Test,
            ..live()
        };

        let refused = authenticate(key.reveal(), false, Some(record())).await;
        assert!(matches!(refused, Err(AccessError::Unauthorized)));

        let caller = authenticate(key.reveal(), true, Some(record())).await;
        assert!(caller.unwrap().is_test());
    }

    #[tokio::test]
    async fn a_key_is_forbidden_what_it_lacks_the_permission_for() {
        let key = sample::key(1);
        for (names, needs, is_permitted) in [
            ("", Permission::Otp, false),
            ("otp", Permission::Otp, true),
            ("otp", Permission::Admin, false),
            ("admin", Permission::Otp, false),
            ("otp admin", Permission::Admin, true),
        ] {
            let mut bench = Bench::new();
            let record = KeyRecord {
                permissions: Permissions::parse(names).unwrap(),
                ..live()
            };
            bench
                .keys
                .expect_find_key()
                .return_once(|_| Ok(Some(record)));
            let answer = authenticate_at(&bench.otp(), key.reveal(), needs).await;
            let is_forbidden = matches!(answer, Err(AccessError::Forbidden(one)) if one == needs);
            assert_eq!(
                (answer.is_ok(), is_forbidden),
                (is_permitted, !is_permitted),
                "{names:?} where {} is needed",
                needs.name()
            );
        }
    }

    #[tokio::test]
    async fn a_key_is_accepted_from_its_ranges_alone_and_refused_uses_are_not_noted() {
        let key = sample::key(1);
        let allowed_from = vec![
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8::1".parse().unwrap(),
        ];
        for (from, is_allowed) in [
            (Some("10.9.8.7"), true),
            (Some("::ffff:10.9.8.7"), true),
            (Some("2001:db8::1"), true),
            (Some("2001:db8::2"), false),
            (Some("192.0.2.1"), false),
            (None, false),
        ] {
            let mut bench = Bench::new();
            let record = KeyRecord {
                allowed_from: allowed_from.clone(),
                ..live()
            };
            bench
                .keys
                .expect_find_key()
                .return_once(|_| Ok(Some(record)));
            bench
                .keys
                .expect_note_uses()
                .times(usize::from(is_allowed))
                .returning(|_| Ok(()));
            let otp = bench.otp();
            let address = from.map(|from| from.parse().unwrap());
            let answer = otp
                .authenticate(key.reveal(), address, Permission::Otp)
                .await;
            let is_refused = matches!(answer, Err(AccessError::Unauthorized));
            assert_eq!(
                (answer.is_ok(), is_refused),
                (is_allowed, !is_allowed),
                "{from:?}"
            );
            otp.key_uses.round().await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_known_is_judged_at_each_call_and_read_once() {
        let mut bench = Bench::new();
        let record = KeyRecord {
            expires_at: Some(Timestamp::from_millis(sample::NOON.as_millis() + 300)),
            allowed_from: vec!["192.0.2.1".parse().unwrap()],
            ..live()
        };
        bench
            .keys
            .expect_find_key()
            .once()
            .return_once(|_| Ok(Some(record)));
        let clock = bench.clock.clone();
        let otp = bench.otp();
        let key = sample::key(1);
        let ask = async |presented: &str, from: &str, needs: Permission| {
            let from = Some(from.parse().unwrap());
            otp.authenticate(presented, from, needs).await
        };
        let here = "192.0.2.1";
        let last = if key.reveal().ends_with('0') {
            "1"
        } else {
            "0"
        };
        let other_secret = format!("{}{last}", &key.reveal()[..59]);

        assert!(ask(key.reveal(), here, Permission::Otp).await.is_ok());
        let refused = ask(&other_secret, here, Permission::Otp).await;
        assert!(matches!(refused, Err(AccessError::Unauthorized)));
        let refused = ask(key.reveal(), "192.0.2.2", Permission::Otp).await;
        assert!(matches!(refused, Err(AccessError::Unauthorized)));
        let refused = ask(key.reveal(), here, Permission::Admin).await;
        assert!(matches!(refused, Err(AccessError::Forbidden(_))));
        clock.advance_millis(299);
        assert!(ask(key.reveal(), here, Permission::Otp).await.is_ok());
        clock.advance_millis(1);
        let refused = ask(key.reveal(), here, Permission::Otp).await;
        assert!(matches!(refused, Err(AccessError::Unauthorized)));
    }

    #[tokio::test(start_paused = true)]
    async fn another_secret_does_not_stand_in_the_way_of_the_right_one() {
        let mut bench = Bench::new();
        bench
            .keys
            .expect_find_key()
            .once()
            .return_once(|_| Ok(Some(live())));
        let otp = bench.otp();
        let key = sample::key(1);
        let guess = format!("{}{}", &key.reveal()[..17], "0".repeat(43));
        assert_ne!(guess, key.reveal());
        let refused = authenticate_at(&otp, &guess, Permission::Otp).await;
        assert!(matches!(refused, Err(AccessError::Unauthorized)));
        assert!(
            authenticate_at(&otp, key.reveal(), Permission::Otp)
                .await
                .is_ok()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_revoked_while_the_store_is_away_is_accepted_for_a_second_at_most() {
        let mut bench = Bench::new();
        let mut order = mockall::Sequence::new();
        bench
            .keys
            .expect_find_key()
            .once()
            .in_sequence(&mut order)
            .return_once(|_| Ok(Some(live())));
        bench
            .keys
            .expect_find_key()
            .in_sequence(&mut order)
            .returning(|_| Err(unavailable()));
        let clock = bench.clock.clone();
        let otp = bench.otp();
        let key = sample::key(1);
        let ask = async || authenticate_at(&otp, key.reveal(), Permission::Otp).await;
        assert!(ask().await.is_ok());
        clock.advance(1);
        for _ in 0..2 {
            let refused = ask().await;
            assert!(matches!(
                refused,
                Err(AccessError::Service(ServiceError::Unavailable(_)))
            ));
            clock.advance(1);
        }
    }

    #[tokio::test]
    async fn a_store_that_is_away_accepts_nobody() {
        let mut bench = Bench::new();
        bench
            .keys
            .expect_find_key()
            .return_once(|_| Err(unavailable()));
        let refused = authenticate_at(&bench.otp(), sample::key(1).reveal(), Permission::Otp).await;
        assert!(matches!(
            refused,
            Err(AccessError::Service(ServiceError::Unavailable(_)))
        ));
    }
}
