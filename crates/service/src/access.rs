//! Who is calling.

use otpost_domain::{ApiKey, Mode, ProjectName, Timestamp};
use otpost_ports::{KeyRecord, Owner};

use crate::{Otp, ServiceError};

/// A caller whose key was accepted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose sessions it may touch.
    pub owner: Owner,
}

impl Caller {
    /// `quotas` of its project, unless it called with a test key, which touches no counter.
    pub(crate) fn live<T>(&self, quotas: impl FnOnce(&ProjectName) -> T) -> Option<T> {
        match self.owner.mode {
            Mode::Live => Some(quotas(&self.owner.project)),
            Mode::Test => None,
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
    /// Unknown, revoked or expired, or a test key where none are accepted.
    #[error("the key is not accepted")]
    Unauthorized,
    /// A key without the permission that is needed.
    #[error("the key lacks the permission otp")]
    Forbidden,
    /// Nobody can tell now.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Otp {
    /// Accepts or refuses what a client presented as its API key.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub async fn authenticate(&self, presented: &str) -> Result<Caller, AccessError> {
        let key = ApiKey::parse(presented).ok_or(AccessError::Unauthorized)?;
        let record = self
            .ports
            .keys
            .find_key(&key.id())
            .await
            .map_err(ServiceError::from)?;
        let record = record.ok_or(AccessError::Unauthorized)?;
        let digest = self.ports.vault.key_digest(&key);
        if !record.digest.matches(&digest) || !is_in_force(&record, self.ports.clock.now()) {
            return Err(AccessError::Unauthorized);
        }
        if record.mode == Mode::Test && !self.accepts_test_keys {
            tracing::warn!(
                key.id = %record.id,
                "a test key was refused: test keys are for `otpost dev`, or server.test_keys = true"
            );
            return Err(AccessError::Unauthorized);
        }
        if !record.permissions.otp {
            return Err(AccessError::Forbidden);
        }
        Ok(Caller {
            owner: Owner {
                project: record.project,
                mode: record.mode,
            },
        })
    }
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
        bench.otp().authenticate(presented).await
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
    async fn a_key_without_the_permission_is_forbidden() {
        let record = KeyRecord {
            permissions: Permissions::default(),
            ..live()
        };
        let refused = authenticate(sample::key(1).reveal(), true, Some(record)).await;
        assert!(matches!(refused, Err(AccessError::Forbidden)));
    }

    #[tokio::test]
    async fn a_store_that_is_away_accepts_nobody() {
        let mut bench = Bench::new();
        bench
            .keys
            .expect_find_key()
            .return_once(|_| Err(unavailable()));
        let refused = bench.otp().authenticate(sample::key(1).reveal()).await;
        assert!(matches!(
            refused,
            Err(AccessError::Service(ServiceError::Unavailable(_)))
        ));
    }
}
