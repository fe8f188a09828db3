//! Opening a session and queueing its first mail.

use std::collections::BTreeMap;

use otpost_domain::{
    Address, CodeLength, FoldedAddress, Language, Network, Session, SessionId, TemplateName, Terms,
    Timestamp,
};
use otpost_ports::{
    Admitted, Context, Delivery, DeliveryState, Endpoint, MessageId, Opening, Replayed, Said,
    Sealed, SealedField,
};

use crate::error::foreign_outcome;
use crate::mailer::Slot;
use crate::test_mode::{self, TestOutcome};
use crate::{Caller, Idempotency, Limited, Metered, Otp, ServiceError};

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
    /// Where the end user calls from, for limits only.
    pub client_ip: Option<Network>,
    /// Whether it is to be carried out once.
    pub idempotency: Option<Idempotency>,
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
    #[error("the limit {} is reached", .0.name)]
    Limited(Limited),
    /// The address is on hold; nothing was charged.
    #[error("the address is on hold")]
    OnHold,
    /// Another request came under the same idempotency key; nothing was charged.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// It could not be carried out.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Otp {
    /// Opens a session and queues its mail, in one commit. Never waits for a mail server. A request
    /// that came before gets the answer that it got then.
    ///
    /// # Errors
    ///
    /// [`SendError`]: then there is neither session nor mail, or nobody can know.
    pub async fn send(
        &self,
        caller: &Caller,
        request: SendRequest,
    ) -> Result<Metered<Sent>, SendError> {
        let outcome = TestOutcome::asked_for(caller, &request.email);
        if outcome == Some(TestOutcome::RateLimited) {
            return Err(SendError::Limited(test_mode::limited()));
        }
        let opening = self.opening(caller, &request, outcome)?;
        let session_id = *opening.session.id();
        let expires_at = opening.session.expires_at();
        let slot = self.slots.reserve(&opening, &*self.ports.entropy)?;
        let opening = Opening {
            lease: slot.as_ref().map(Slot::lease),
            ..opening
        };
        let opened = self.ports.sessions.open(opening).await;
        let opened = opened.map_err(ServiceError::from)?;
        match (slot, matches!(opened, Admitted::Open(_))) {
            (Some(slot), true) => slot.hand_over(),
            (Some(slot), false) => slot.give_back(),
            (None, true) => self.slots.announce(),
            (None, false) => {}
        }
        let counted = match opened {
            Admitted::Open(counted) => counted,
            Admitted::Limited(limited) => return Err(SendError::Limited(limited)),
            Admitted::OnHold => return Err(SendError::OnHold),
            Admitted::KeyReused => return Err(SendError::KeyReused),
            Admitted::Replayed(Replayed { session, said }) => {
                let Said::Mailed { expires_at } = said else {
                    return Err(foreign_outcome().into());
                };
                return Ok(Metered::replayed(Sent {
                    session_id: session,
                    email: request.email,
                    expires_at,
                }));
            }
        };
        let answer = Sent {
            session_id,
            email: request.email,
            expires_at,
        };
        Ok(Metered::new(answer, counted))
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
        let policy = self.policies.of(&caller.owner.project);
        let secret = match session.pending() {
            Some(_) => Some(vault.new_secret()?),
            None => None,
        };
        let context = Context {
            owner: caller.owner.clone(),
            address: vault.seal(&id, SealedField::Address, request.email.as_str().as_bytes())?,
            recipient: vault.digest(&FoldedAddress::of(&request.email)),
            template: request.template.clone(),
            language: self.language(caller, request),
            variables: self.seal_variables(&id, &request.variables)?,
            is_exempt: policy.limits.exempts(&request.email),
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
            lease: None,
            quotas: caller.live(|project| {
                let (limits, vault) = (&policy.limits, &**vault);
                limits.of_mail(project, request.client_ip.as_ref(), policy.profile, vault)
            }),
            once: self.once(caller, Endpoint::Send, request.idempotency.as_ref()),
            at: now,
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
    fn language(&self, caller: &Caller, request: &SendRequest) -> Language {
        let catalogue = self.catalogues.of(&caller.owner.project);
        let there = catalogue.languages_of(&request.template);
        let mut wishes = request.languages.iter();
        wishes
            .find_map(|wish| Language::nearest(there, wish))
            .unwrap_or(&self.policies.of(&caller.owner.project).language)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exempt;
    use crate::Slots;
    use crate::mailer::HandedOver;
    use crate::mocks::{Bench, caller, slots, unavailable, was_announced};
    use otpost_domain::{Mode, Standing, Status};
    use otpost_ports::{Lease, StoreError};
    use otpost_testkit::{FakeVault, SeededEntropy, sample};
    use std::sync::{Arc, Mutex};

    fn request(email: &str) -> SendRequest {
        SendRequest {
            email: Address::parse(email).unwrap(),
            template: TemplateName::parse("signup").unwrap(),
            lifetime_secs: 300,
            code_length: CodeLength::DEFAULT,
            languages: vec![],
            variables: BTreeMap::new(),
            client_ip: None,
            idempotency: None,
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
                Ok(Admitted::Open(vec![]))
            });
        let sent = bench
            .otp()
            .send(&caller(mode), request)
            .await
            .unwrap()
            .answer;
        let opening = committed.lock().unwrap().take().unwrap();
        (opening, sent)
    }

    #[tokio::test]
    async fn session_and_mail_are_committed_before_the_mailer_is_told() {
        let mut bench = Bench::new();
        let (vault, slots) = (bench.vault.clone(), bench.slots.clone());
        let told_too_early = slots.clone();
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
                assert!(!was_announced(&told_too_early), "told before the commit");
                Ok(Admitted::Open(vec![]))
            });

        let sent = bench
            .otp()
            .send(&caller(Mode::Live), request("Person@example.com"))
            .await
            .unwrap()
            .answer;

        assert_eq!(sent.email.as_str(), "Person@example.com");
        assert_eq!(sent.expires_at, sample::NOON.plus_secs(300));
        assert!(was_announced(&slots));
    }

    /// Sends with one slot free, and says whether it was asked for, and what became of it.
    async fn with_a_slot(
        email: &str,
        mode: Mode,
        answer: Result<Admitted, StoreError>,
    ) -> (Option<Lease>, Arc<Slots>) {
        let mut bench = Bench::new();
        bench.slots = slots(1);
        let slots = bench.slots.clone();
        let lease = Arc::new(Mutex::new(None));
        let seen = lease.clone();
        bench
            .sessions
            .expect_open()
            .once()
            .return_once(move |opening| {
                *seen.lock().unwrap() = opening.lease;
                answer
            });
        let _answer = bench.otp().send(&caller(mode), request(email)).await;
        assert!(!was_announced(&slots), "it is leased, or there is none");
        let lease = *lease.lock().unwrap();
        (lease, slots)
    }

    /// Whether the one slot is free.
    fn is_free(slots: &Arc<Slots>) -> bool {
        let opening = sample::opening(&FakeVault::new(), 9);
        let slot = slots.reserve(&opening, &SeededEntropy::new(9)).unwrap();
        slot.map(Slot::give_back).is_some()
    }

    #[tokio::test]
    async fn a_mail_that_has_a_slot_is_committed_under_a_lease_and_handed_over() {
        let admitted = Ok(Admitted::Open(vec![]));
        let (lease, slots) = with_a_slot("person@example.com", Mode::Live, admitted).await;

        let lease = lease.expect("a slot was free");
        assert_eq!(lease.until, sample::NOON.plus_secs(60));
        assert!(!is_free(&slots), "it waits for the mailer");
        let handed_over = slots.handed_over().await;
        let [HandedOver::Mail { stored, token, .. }] = &handed_over[..] else {
            panic!("{handed_over:?}");
        };
        assert_eq!(*token, lease.token);
        assert_eq!(stored.session.opened_at(), sample::NOON);
        assert_eq!(stored.delivery.state, DeliveryState::Queued);
    }

    #[tokio::test]
    async fn a_refused_mail_leaves_its_slot_to_others() {
        let (lease, slots) = with_a_slot("a@example.com", Mode::Live, Ok(Admitted::OnHold)).await;
        assert!(lease.is_some());
        assert!(is_free(&slots));
    }

    #[tokio::test]
    async fn a_mail_of_which_nobody_knows_is_looked_after() {
        let (lease, slots) = with_a_slot("a@example.com", Mode::Live, Err(unavailable())).await;
        let handed_over = slots.handed_over().await;
        let [HandedOver::Unknown { token, .. }] = &handed_over[..] else {
            panic!("{handed_over:?}");
        };
        assert_eq!(*token, lease.unwrap().token);
    }

    #[tokio::test]
    async fn what_could_not_be_committed_is_not_announced() {
        let mut bench = Bench::new();
        let slots = bench.slots.clone();
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
        assert!(!was_announced(&slots));
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
        assert_eq!(
            expired.session.status(Standing::default(), now),
            Status::Expired
        );
        assert!(sent.expires_at <= now);

        let (exhausted, _) = send(Mode::Test, request("a+exhausted@example.com")).await;
        assert_eq!(exhausted.session.attempts(), 5);
        assert!(exhausted.session.pending().is_none());
        assert!(exhausted.secret.is_none());

        let (undeliverable, _) = send(Mode::Test, request("a+undeliverable@example.com")).await;
        assert_eq!(undeliverable.delivery.state, DeliveryState::Failed);
        assert_eq!(
            undeliverable.session.status(Standing::default(), now),
            Status::Pending
        );
    }

    #[tokio::test]
    async fn a_test_address_can_ask_for_a_limit_and_nothing_is_opened() {
        let mut bench = Bench::new();
        bench.sessions.expect_open().never();
        let refused = bench
            .otp()
            .send(&caller(Mode::Test), request("a+ratelimited@example.com"))
            .await;
        assert!(matches!(refused, Err(SendError::Limited(_))));
    }

    #[tokio::test]
    async fn under_a_live_key_a_tag_is_only_a_tag() {
        for tag in ["expired", "exhausted", "ratelimited", "undeliverable"] {
            let (opening, _) = send(Mode::Live, request(&format!("a+{tag}@example.com"))).await;
            assert_eq!(
                opening.session.status(Standing::default(), sample::NOON),
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

    #[tokio::test]
    async fn what_is_refused_is_not_announced() {
        for (admitted, name) in [
            (Admitted::Limited(test_mode::limited()), "limited"),
            (Admitted::OnHold, "on hold"),
        ] {
            let mut bench = Bench::new();
            let slots = bench.slots.clone();
            bench
                .sessions
                .expect_open()
                .return_once(move |_| Ok(admitted));

            let refused = bench
                .otp()
                .send(&caller(Mode::Live), request("person@example.com"))
                .await;

            match refused {
                Err(SendError::Limited(limited)) => {
                    assert_eq!(limited.name, "recipient_per_10_minutes");
                }
                Err(SendError::OnHold) => assert_eq!(name, "on hold"),
                other => panic!("{name}: {other:?}"),
            }
            assert!(!was_announced(&slots), "{name}");
        }
    }

    #[tokio::test]
    async fn a_live_key_is_counted_and_a_test_key_is_not() {
        let client_ip = Some(Network::of([192, 0, 2, 1].into()));
        let from_somewhere = SendRequest {
            client_ip,
            ..request("person@example.com")
        };
        let (test, _) = send(Mode::Test, from_somewhere.clone()).await;
        assert!(test.quotas.is_none());

        let (live, _) = send(Mode::Live, from_somewhere).await;
        let names = live.quotas.unwrap().caller;
        let names: Vec<_> = names.iter().map(|charge| charge.name).collect();
        assert_eq!(
            names,
            [
                "project_sends_per_minute",
                "installation_mails_per_minute",
                "client_ip_per_10_minutes",
                "client_ip_per_day"
            ]
        );
    }

    #[tokio::test]
    async fn an_address_can_be_exempt() {
        for (exempt, is_exempt) in [("example.com", true), ("example.net", false)] {
            let mut bench = Bench::new();
            let limits = &mut bench.policies.general.limits;
            limits.exempt_recipients.extend(Exempt::parse(exempt));
            bench
                .sessions
                .expect_open()
                .once()
                .withf(move |opening| opening.context.is_exempt == is_exempt)
                .return_once(|_| Ok(Admitted::Open(vec![])));
            let sent = bench
                .otp()
                .send(&caller(Mode::Live), request("qa@example.com"))
                .await;
            assert!(sent.is_ok(), "{exempt}");
        }
    }
}
