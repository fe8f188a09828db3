//! The mails that wait or failed, shown to an operator, retried and dropped.

use std::sync::Arc;

use otpost_ports::{Clock, MessageId, Outbox, OutboxEntry, OutboxQuery};

use crate::ServiceError;
use crate::mailer::is_of_use;

/// Looks after the mails that did not go out by themselves.
#[derive(Clone)]
pub struct Postmaster {
    /// Where they are kept.
    pub outbox: Arc<dyn Outbox>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why there is no one mail that an operator means.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It was not said in hexadecimal digits.
    #[error(
        "a mail is named by the first of its hexadecimal digits, as `otpost outbox list` shows them"
    )]
    Name,
    /// None that waits or failed.
    #[error("no mail that waits or failed begins so: `otpost outbox list` shows those that do")]
    None,
    /// More than one.
    #[error("more than one mail begins so: say more of its digits")]
    Several,
    /// The storage is away.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// What became of the wish to try a mail again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It is due.
    Due,
    /// Its session ended, or too little of the code's lifetime is left to answer it.
    TooLate,
    /// It was sent, dropped or replaced in the meantime.
    Gone,
}

impl Postmaster {
    /// The mails that wait or failed, or those that failed alone, the newest sessions first, at
    /// most `limit`.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn list(
        &self,
        is_failed_only: bool,
        limit: u32,
    ) -> Result<Vec<OutboxEntry>, ServiceError> {
        let query = OutboxQuery {
            is_failed_only,
            ..OutboxQuery::any(limit)
        };
        Ok(self.outbox.list(query).await?)
    }

    /// The one mail whose identifier begins with `digits`.
    ///
    /// # Errors
    ///
    /// [`MailError`].
    pub async fn find(&self, digits: &str) -> Result<OutboxEntry, MailError> {
        let range = MessageId::beginning_with(digits).ok_or(MailError::Name)?;
        let query = OutboxQuery {
            messages: Some(range),
            ..OutboxQuery::any(2)
        };
        let mut found = self.outbox.list(query).await.map_err(ServiceError::from)?;
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(MailError::None),
            (Some(entry), true) => Ok(entry),
            (Some(_), false) => Err(MailError::Several),
        }
    }

    /// Makes a mail due now, if whoever gets it can still answer it.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn retry(&self, entry: &OutboxEntry) -> Result<Retried, ServiceError> {
        let (session, delivery) = (&entry.session, &entry.delivery);
        let now = self.clock.now();
        if !is_of_use(session, delivery.tries, now) {
            return Ok(Retried::TooLate);
        }
        let retried = self.outbox.retry(session.id(), &delivery.message, now);
        Ok(if retried.await? {
            Retried::Due
        } else {
            Retried::Gone
        })
    }

    /// Drops a mail: it failed for good, and is shown no more. `false` when it was sent, dropped
    /// or replaced in the meantime.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn discard(&self, entry: &OutboxEntry) -> Result<bool, ServiceError> {
        let (session, message) = (entry.session.id(), &entry.delivery.message);
        Ok(self.outbox.discard(session, message).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::Timestamp;
    use otpost_ports::{Admitted, DeliveryState, LeaseToken, SessionStore, Settlement};
    use otpost_testkit::{FakeVault, ManualClock, MemoryStore, sample};

    struct Bench {
        store: Arc<MemoryStore>,
        clock: Arc<ManualClock>,
        postmaster: Postmaster,
    }

    impl Bench {
        async fn with_failed_mails(numbers: &[u8]) -> Self {
            let vault = Arc::new(FakeVault::new());
            let store = Arc::new(MemoryStore::new(vault.clone()));
            let clock = Arc::new(ManualClock::default());
            for number in numbers {
                let opening = sample::opening(&*vault, *number);
                let opened = store.open(opening).await;
                assert!(matches!(opened, Ok(Admitted::Open(_))), "{opened:?}");
            }
            let token = LeaseToken([1; 16]);
            let claim = otpost_ports::Claim {
                lease: otpost_ports::Lease {
                    token,
                    until: sample::NOON.plus_secs(60),
                },
                now: sample::NOON,
                limit: 99,
            };
            for mail in store.claim(claim).await.unwrap() {
                let failed = Settlement::Failed { reply: None };
                let id = mail.session.id();
                assert!(store.settle(id, token, failed).await.unwrap());
            }
            Self {
                postmaster: Postmaster {
                    outbox: store.clone(),
                    clock: clock.clone(),
                },
                store,
                clock,
            }
        }

        fn due(&self, at: Timestamp) -> usize {
            self.store.edit(|tables| tables.due(at).len())
        }
    }

    #[tokio::test]
    async fn a_mail_is_named_by_as_much_of_its_digits_as_no_other_has() {
        let bench = Bench::with_failed_mails(&[0x11, 0x12]).await;

        let found = bench.postmaster.find("12").await.unwrap();
        assert_eq!(found.delivery.message, MessageId([0x12; 16]));
        let refused = |digits| bench.postmaster.find(digits);
        assert!(matches!(refused("1").await, Err(MailError::Several)));
        assert!(matches!(refused("13").await, Err(MailError::None)));
        assert!(matches!(refused("ada@").await, Err(MailError::Name)));
    }

    #[tokio::test]
    async fn a_mail_that_failed_is_retried_while_it_can_be_answered() {
        let bench = Bench::with_failed_mails(&[1]).await;
        let entry = bench.postmaster.find("01").await.unwrap();
        let last = entry.session.expires_at().minus_secs(30);

        bench.clock.set(last.plus_secs(1));
        let retried = bench.postmaster.retry(&entry).await.unwrap();
        assert_eq!(retried, Retried::TooLate);
        assert_eq!(bench.due(last.plus_secs(1)), 0);

        bench.clock.set(last);
        let retried = bench.postmaster.retry(&entry).await.unwrap();
        assert_eq!(retried, Retried::Due);
        assert_eq!(bench.due(last), 1);
    }

    #[tokio::test]
    async fn a_mail_that_was_dropped_is_gone() {
        let bench = Bench::with_failed_mails(&[1]).await;
        let entry = bench.postmaster.find("01").await.unwrap();
        assert_eq!(entry.delivery.state, DeliveryState::Failed);

        assert!(bench.postmaster.discard(&entry).await.unwrap());

        assert!(!bench.postmaster.discard(&entry).await.unwrap());
        let retried = bench.postmaster.retry(&entry).await.unwrap();
        assert_eq!(retried, Retried::Gone);
        assert!(bench.postmaster.list(false, 9).await.unwrap().is_empty());
        assert_eq!(bench.due(sample::NOON), 0);
    }
}
