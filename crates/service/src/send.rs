//! Opening a session and queueing its first mail.

use std::collections::BTreeMap;

use otpost_domain::{
    Address, CodeLength, FoldedAddress, Language, Session, SessionId, TemplateName, Terms,
    Timestamp,
};
use otpost_ports::{Context, Delivery, DeliveryState, MessageId, Opening, Sealed, SealedField};

use crate::test_mode::{self, TestOutcome};
use crate::{Caller, Otp, ServiceError};

/// What a caller asks for, checked against [`Rules`](crate::Rules).
#[derive(Clone, Debug)]
pub struct SendRequest {
    /// Where the mail goes.
    pub email: Address,
    /// The purpose.
    pub template: TemplateName,
    /// How long the code can be answered, in seconds.
    pub lifetime_secs: u32,
    /// Digits of the code.
    pub code_length: CodeLength,
    /// Languages that the reader understands, the best first, as BCP 47 tags.
    pub languages: Vec<String>,
    /// What the caller gives the template.
    pub variables: BTreeMap<String, String>,
}

/// A session whose mail is durably queued.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its identifier.
    pub session_id: SessionId,
    /// Where the mail goes.
    pub email: Address,
    /// When the code is too late.
    pub expires_at: Timestamp,
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// A limit is reached; nothing was charged.
    #[error("the limit {limit} is reached")]
    RateLimited {
        /// The limit that waits longest.
        limit: &'static str,
        /// How long it waits, in seconds.
        retry_after_secs: u32,
    },
    /// It could not be carried out.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Otp {
    /// Opens a session and queues its mail, in one commit. Never waits for a mail server.
    ///
    /// # Errors
    ///
    /// [`SendError`]: then there is neither session nor mail, or nobody can know.
    pub async fn send(&self, caller: &Caller, request: SendRequest) -> Result<Sent, SendError> {
        let outcome = TestOutcome::asked_for(caller, &request.email);
        if outcome == Some(TestOutcome::RateLimited) {
            return Err(test_mode::rate_limited());
        }
        let opening = self.opening(caller, &request, outcome)?;
        let session_id = *opening.session.id();
        let expires_at = opening.session.expires_at();
        self.ports
            .sessions
            .open(opening)
            .await
            .map_err(ServiceError::from)?;
        self.mail_queued.notify_one();
        Ok(Sent {
            session_id,
            email: request.email,
            expires_at,
        })
    }

    fn opening(
        &self,
        caller: &Caller,
        request: &SendRequest,
        outcome: Option<TestOutcome>,
    ) -> Result<Opening, ServiceError> {
        let now = self.ports.clock.now();
        let id = SessionId::new(now, self.ports.entropy.bytes()?);
        let session = self.session(caller, request, outcome, id, now)?;
        let vault = &self.ports.vault;
        let secret = match session.pending() {
            Some(_) => Some(vault.new_secret()?),
            None => None,
        };
        let context = Context {
            owner: caller.owner.clone(),
            address: vault.seal(&id, SealedField::Address, request.email.as_str().as_bytes())?,
            recipient: vault.digest(&FoldedAddress::of(&request.email)),
            template: request.template.clone(),
            language: self.language(caller, &request.languages),
            variables: self.seal_variables(&id, &request.variables)?,
        };
        let delivery = Delivery {
            message: MessageId(self.ports.entropy.bytes()?),
            generation: 0,
            state: match outcome {
                Some(TestOutcome::Undeliverable) => DeliveryState::Failed,
                _ => DeliveryState::Queued,
            },
            due_at: now,
            tries: 0,
        };
        Ok(Opening {
            session,
            context,
            secret,
            delivery,
        })
    }

    fn session(
        &self,
        caller: &Caller,
        request: &SendRequest,
        outcome: Option<TestOutcome>,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Session, ServiceError> {
        let policy = self.policies.of(&caller.owner.project);
        let terms = policy.terms(
            caller.owner.mode,
            request.lifetime_secs,
            request.code_length,
        );
        let terms = Terms::new(terms).map_err(|error| ServiceError::Broken(error.into()))?;
        Ok(match outcome {
            Some(outcome) => outcome.session(id, terms, now),
            None => Session::open(id, terms, now),
        })
    }

    fn seal_variables(
        &self,
        id: &SessionId,
        variables: &BTreeMap<String, String>,
    ) -> Result<Option<Sealed>, ServiceError> {
        if variables.is_empty() {
            return Ok(None);
        }
        let json =
            serde_json::to_vec(variables).map_err(|error| ServiceError::Broken(error.into()))?;
        Ok(Some(self.ports.vault.seal(
            id,
            SealedField::Variables,
            &json,
        )?))
    }

    /// The language of the first wish that can be met, else the project's.
    fn language(&self, caller: &Caller, wishes: &[String]) -> Language {
        wishes
            .iter()
            .find_map(|wish| Language::nearest(&self.catalogue.languages, wish))
            .unwrap_or(&self.policies.of(&caller.owner.project).language)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Bench, caller, unavailable, was_announced};
    use otpost_domain::{Mode, Status};
    use otpost_testkit::sample;
    use std::sync::{Arc, Mutex};

    fn request(email: &str) -> SendRequest {
        SendRequest {
            email: Address::parse(email).unwrap(),
            template: TemplateName::parse("signup").unwrap(),
            lifetime_secs: 300,
            code_length: CodeLength::DEFAULT,
            languages: vec![],
            variables: BTreeMap::new(),
        }
    }

    /// Sends, and gives back what was committed.
    async fn send(mode: Mode, request: SendRequest) -> (Opening, Sent) {
        let mut bench = Bench::new();
        let committed = Arc::new(Mutex::new(None));
        let seen = committed.clone();
        bench
            .sessions
            .expect_open()
            .once()
            .return_once(move |opening| {
                *seen.lock().unwrap() = Some(opening);
                Ok(())
            });
        let sent = bench.otp().send(&caller(mode), request).await.unwrap();
        let opening = committed.lock().unwrap().take().unwrap();
        (opening, sent)
    }

    #[tokio::test]
    async fn session_and_mail_are_committed_before_the_mailer_is_told() {
        let mut bench = Bench::new();
        let (vault, mail_queued) = (bench.vault.clone(), bench.mail_queued.clone());
        let told_too_early = mail_queued.clone();
        bench
            .sessions
            .expect_open()
            .once()
            .return_once(move |opening| {
                assert_eq!(opening.delivery.state, DeliveryState::Queued);
                assert_eq!(opening.session.opened_at(), sample::NOON);
                assert!(opening.secret.is_some());
                let id = opening.session.id();
                let to = (&*vault as &dyn otpost_ports::Vault)
                    .open_address(id, &opening.context.address)
                    .unwrap();
                assert_eq!(to.as_str(), "Person@example.com");
                let notified = told_too_early.notified();
                let mut notified = std::pin::pin!(notified);
                assert!(!notified.as_mut().enable(), "told before the commit");
                Ok(())
            });

        let sent = bench
            .otp()
            .send(&caller(Mode::Live), request("Person@example.com"))
            .await
            .unwrap();

        assert_eq!(sent.email.as_str(), "Person@example.com");
        assert_eq!(sent.expires_at, sample::NOON.plus_secs(300));
        assert!(was_announced(&mail_queued).await);
    }

    #[tokio::test]
    async fn what_could_not_be_committed_is_not_announced() {
        let mut bench = Bench::new();
        let mail_queued = bench.mail_queued.clone();
        bench
            .sessions
            .expect_open()
            .return_once(|_| Err(unavailable()));

        let refused = bench
            .otp()
            .send(&caller(Mode::Live), request("person@example.com"))
            .await;

        assert!(matches!(
            refused,
            Err(SendError::Service(ServiceError::Unavailable(_)))
        ));
        assert!(!was_announced(&mail_queued).await);
    }

    #[tokio::test]
    async fn the_first_wish_that_can_be_met_is_the_language() {
        for (wishes, language) in [
            (vec!["de-AT"], "de"),
            (vec!["fr", "de", "en"], "de"),
            (vec!["fr"], "en"),
            (vec![], "en"),
        ] {
            let languages = wishes.iter().map(ToString::to_string).collect();
            let wish = SendRequest {
                languages,
                ..request("person@example.com")
            };
            let (opening, _) = send(Mode::Live, wish).await;
            assert_eq!(opening.context.language.as_str(), language, "{wishes:?}");
        }
    }

    #[tokio::test]
    async fn variables_are_sealed_and_come_back() {
        let mut wish = request("person@example.com");
        wish.variables.insert("name".into(), "Ada".into());
        let (opening, _) = send(Mode::Live, wish).await;

        let sealed = opening.context.variables.unwrap();
        let vault = otpost_testkit::FakeVault::new();
        let json = otpost_ports::Vault::open(
            &vault,
            opening.session.id(),
            SealedField::Variables,
            &sealed,
        );
        assert_eq!(json.unwrap(), br#"{"name":"Ada"}"#);
    }

    #[tokio::test]
    async fn under_a_test_key_a_tag_gives_an_outcome() {
        let now = sample::NOON;
        let (expired, sent) = send(Mode::Test, request("a+expired@example.com")).await;
        assert_eq!(expired.session.status(now), Status::Expired);
        assert!(sent.expires_at <= now);

        let (exhausted, _) = send(Mode::Test, request("a+exhausted@example.com")).await;
        assert_eq!(exhausted.session.attempts(), 5);
        assert!(exhausted.session.pending().is_none());
        assert!(exhausted.secret.is_none());

        let (undeliverable, _) = send(Mode::Test, request("a+undeliverable@example.com")).await;
        assert_eq!(undeliverable.delivery.state, DeliveryState::Failed);
        assert_eq!(undeliverable.session.status(now), Status::Pending);
    }

    #[tokio::test]
    async fn a_test_address_can_ask_for_a_limit_and_nothing_is_opened() {
        let mut bench = Bench::new();
        bench.sessions.expect_open().never();
        let refused = bench
            .otp()
            .send(&caller(Mode::Test), request("a+ratelimited@example.com"))
            .await;
        assert!(matches!(refused, Err(SendError::RateLimited { .. })));
    }

    #[tokio::test]
    async fn under_a_live_key_a_tag_is_only_a_tag() {
        for tag in ["expired", "exhausted", "ratelimited", "undeliverable"] {
            let (opening, _) = send(Mode::Live, request(&format!("a+{tag}@example.com"))).await;
            assert_eq!(
                opening.session.status(sample::NOON),
                Status::Pending,
                "{tag}"
            );
            assert_eq!(opening.delivery.state, DeliveryState::Queued, "{tag}");
        }
    }

    #[tokio::test]
    async fn only_live_sessions_have_a_cooldown() {
        let (live, _) = send(Mode::Live, request("a@example.com")).await;
        let (test, _) = send(Mode::Test, request("a@example.com")).await;
        assert_eq!(live.session.terms().record().cooldown_secs, 30);
        assert_eq!(test.session.terms().record().cooldown_secs, 0);
    }
}
