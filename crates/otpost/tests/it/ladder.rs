//! Guessing over many sessions of one address: in a simulated year, and in parallel on sessions
//! that were opened first, on one node with SQLite and over two nodes with PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use otpost_domain::{Address, Candidate, CodeLength, Mode, Profile, TemplateName, Verdict};
use otpost_service::{
    Caller, Catalogue, KeyUses, Otp, Policies, Policy, Ports, SendError, SendRequest, Slots,
    VerifyAnswer, VerifyRequest,
};
use otpost_testkit::{FakeVault, ManualClock, MemoryStore, SeededEntropy, sample};
use serde_json::{Value, json};

use crate::support::{Place, Service, on_both, wrong};

on_both! {
    an_address_on_hold_gets_no_mail_and_another_does
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_were_opened_first_and_are_guessed_in_parallel_give_no_more_guesses() {
    is_narrowed(&Service::dev(Place::new())).await;
    let strict = Place::new();
    strict.write("otpost.toml", "policy.profile = \"strict\"");
    is_held(&Service::dev(strict)).await;
}

mod two_nodes {
    use crate::support::Service;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sessions_that_were_opened_first_and_are_guessed_in_parallel_give_no_more_guesses() {
        if let Some(service) = Service::two_nodes(&[]).await {
            super::is_narrowed(&service).await;
        }
        let strict = [("OTPOST_POLICY__PROFILE", "strict")];
        if let Some(service) = Service::two_nodes(&strict).await {
            super::is_held(&service).await;
        }
    }
}

const DAYS: u32 = 365;
const HALF_HOUR: u32 = 1_800;
const MAILS_PER_DAY: u64 = 20;

/// An attacker who opens a session whenever the limits let him, and guesses until it closes.
struct Attacker {
    otp: Otp,
    clock: Arc<ManualClock>,
    caller: Caller,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
struct Year {
    mails: u64,
    judged: u64,
}

impl Attacker {
    fn new(profile: Profile) -> Self {
        let clock = Arc::new(ManualClock::default());
        let vault = Arc::new(FakeVault::new());
        let store = Arc::new(MemoryStore::new(vault.clone()));
        let policies = Policies {
            general: Policy {
                profile,
                ..Policy::default()
            },
            projects: BTreeMap::new(),
        };
        let ports = Ports {
            sessions: store.clone(),
            keys: store.clone(),
            recipients: store.clone(),
            readiness: store.clone(),
            vault,
            entropy: Arc::new(SeededEntropy::default()),
            clock: clock.clone(),
        };
        let catalogue = Catalogue {
            templates: vec![template("login")],
            ..Catalogue::default()
        };
        let mut owner = sample::owner();
        owner.mode = Mode::Live;
        Self {
            otp: Otp::new(
                ports,
                policies,
                Arc::new(catalogue),
                false,
                Arc::new(Slots::none()),
                Arc::new(KeyUses::new(store)),
            ),
            clock,
            caller: Caller {
                owner,
                key: sample::key(1).id(),
            },
        }
    }

    /// Every half hour as many sessions as are let through, each guessed to its end.
    async fn year(&self) -> Year {
        let mut year = Year::default();
        for _ in 0..DAYS * 86_400 / HALF_HOUR {
            while let Some(judged) = self.session().await {
                year.mails += 1;
                year.judged += judged;
            }
            self.clock.advance(HALF_HOUR);
        }
        year
    }

    /// The guesses that a new session judged; `None` when none may be opened.
    async fn session(&self) -> Option<u64> {
        let request = SendRequest {
            email: Address::parse("victim@example.com").unwrap(),
            template: template("login"),
            lifetime_secs: 300,
            code_length: CodeLength::DEFAULT,
            languages: vec![],
            variables: BTreeMap::new(),
            client_ip: None,
            idempotency: None,
        };
        let session_id = match self.otp.send(&self.caller, request).await {
            Ok(sent) => sent.answer.session_id,
            Err(SendError::Limited(_) | SendError::OnHold) => return None,
            Err(error @ (SendError::KeyReused | SendError::Service(_))) => panic!("{error}"),
        };
        let mut judged = 0;
        loop {
            // For another purpose: an attempt as any other, which is never right by chance.
            let request = VerifyRequest {
                session_id,
                candidate: Candidate::normalise("000000"),
                email: None,
                template: Some(template("reset")),
                idempotency: None,
            };
            match self.otp.verify(&self.caller, request).await.unwrap().answer {
                VerifyAnswer::Refused(Verdict::Mismatch { attempts_remaining }) => {
                    judged += 1;
                    if attempts_remaining == 0 {
                        return Some(judged);
                    }
                }
                VerifyAnswer::Refused(_) => return Some(judged),
                VerifyAnswer::Limited(limited) => {
                    assert_eq!(limited.name, "project_failures_per_day");
                    return Some(judged);
                }
                VerifyAnswer::Verified { .. }
                | VerifyAnswer::KeyReused
                | VerifyAnswer::NotFound => panic!("not guessed"),
            }
        }
    }
}

fn template(name: &str) -> TemplateName {
    TemplateName::parse(name).unwrap()
}

/// How likely one of so many guesses is right, each at a code of its own.
fn hit(guesses: u64, digits: i32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let guesses = guesses as f64;
    -f64::exp_m1(guesses * f64::ln_1p(-f64::powi(10.0, -digits)))
}

#[tokio::test]
async fn a_year_of_guessing_at_one_address_is_bounded_as_documented() {
    let standard = Attacker::new(Profile::Standard).year().await;
    let strict = Attacker::new(Profile::Strict).year().await;
    for (name, year) in [("standard", standard), ("strict", strict)] {
        let Year { mails, judged } = year;
        let [four, six, eight] = [4, 6, 8].map(|digits| hit(judged, digits));
        println!(
            "a year, {name}: {mails} mails, {judged} guesses judged; one of them right: \
             {four:.1e} with 4 digits, {six:.1e} with 6, {eight:.1e} with 8"
        );
    }
    let without = hit(5 * standard.mails, 6);
    println!("five guesses in each of these sessions, without the ladder: {without:.1e}");

    // A full burst on the first day, and what refills in a year.
    let most = u64::from(DAYS) * MAILS_PER_DAY + MAILS_PER_DAY - 1;
    let least = u64::from(DAYS) * MAILS_PER_DAY;
    assert!((least..=most).contains(&standard.mails), "{standard:?}");
    // Two significant digits, as documented.
    assert!(hit(standard.judged, 6) < 7.35e-3, "{standard:?}");
    assert!(hit(standard.judged, 4) < 0.525, "{standard:?}");
    assert!(standard.judged >= standard.mails, "{standard:?}");
    assert_eq!(strict.judged, 100, "{strict:?}");
    assert!(hit(strict.judged, 6) <= 1.0e-4, "{strict:?}");
    assert!((3.5e-2..3.65e-2).contains(&without), "{without}");
}

const SESSIONS: usize = 1_000;

/// Opens all sessions of one address first, and then guesses so often at each of them at once: how
/// many guesses were answered in which way, and how many the sessions say were judged.
async fn flood(service: &Service, guesses_each: usize) -> (BTreeMap<String, u64>, u64) {
    let send = json!({ "email": "victim@customer.example", "code_length": 8 });
    let sends = vec![("send".to_owned(), send); SESSIONS];
    let opened = service.storm(sends).await;
    let sessions: Vec<_> = opened
        .iter()
        .map(|answer| answer.text("/data/session_id"))
        .collect();

    // Always the next session, so that all are guessed at before one of them is at its end.
    let guess = |session: &String| json!({ "session_id": session, "code": "00000000" });
    let round = sessions
        .iter()
        .map(|session| ("verify".to_owned(), guess(session)));
    let guesses = round.cycle().take(SESSIONS * guesses_each).collect();
    let mut tally = BTreeMap::new();
    for answer in service.storm(guesses).await {
        let json = answer.json();
        let reason = json["error"]["details"]["reason"].as_str().unwrap_or("-");
        *tally
            .entry(format!("{} {reason}", answer.status))
            .or_default() += 1;
    }

    let looks = sessions
        .iter()
        .map(|session| (format!("status/{session}"), Value::Null));
    let looks = service.storm(looks.collect()).await;
    let attempts = looks.iter().map(|look| {
        let attempts = look.json()["data"]["attempts"].as_u64();
        attempts.unwrap_or_else(|| panic!("{look:?}"))
    });
    (tally, attempts.sum())
}

/// One guess a session that was not tried yet, and more only up to 50 wrong ones.
async fn is_narrowed(service: &Service) {
    let (tally, judged) = flood(service, 5).await;
    println!(
        "{}: {SESSIONS} sessions of one address, 5 guesses at each: {judged} judged, {tally:?}",
        service.name()
    );
    let ladder = u64::try_from(SESSIONS).unwrap() + 49;
    assert!((1_000..=ladder).contains(&judged), "{judged}");
    assert!(tally["400 wrong_code"] <= judged, "{tally:?}");
    assert!(
        tally["400 too_many_attempts"] >= 5_000 - ladder,
        "{tally:?}"
    );
}

/// Under the strict profile: 100 guesses in all.
async fn is_held(service: &Service) {
    let (tally, judged) = flood(service, 1).await;
    println!(
        "{}: {SESSIONS} sessions, strict, one guess at each: {judged} judged, {tally:?}",
        service.name()
    );
    assert_eq!(judged, 100);
    assert!(tally["400 recipient_on_hold"] >= 900, "{tally:?}");
}

async fn an_address_on_hold_gets_no_mail_and_another_does(place: Place) {
    place.write(
        "otpost.toml",
        "policy.profile = \"strict\"\npolicy.session_cooldown = 0",
    );
    let (otpost, api) = place.dev();
    let kept = api.send("victim@example.com").await;
    let code = api.code(&kept).await;
    let mut mails = 1;
    loop {
        let sent = api
            .post("send", &json!({ "email": "Victim+a@example.com" }))
            .await;
        if sent.status == 403 {
            assert_eq!(sent.text("/error/code"), "RECIPIENT_ON_HOLD");
            break;
        }
        assert!(mails < 100, "it is never on hold");
        mails += 1;
        let session = sent.text("/data/session_id");
        let guess = wrong(&api.code(&session).await);
        while api.status(&session).await.text("/data/status") == "pending" {
            let refused = api.verify(&session, &guess).await;
            assert_eq!(refused.status, 400, "{refused:?}");
        }
    }
    otpost.kill();

    let (_restarted, api) = place.dev();
    let held = api.verify(&kept, &code).await;
    assert_eq!(held.status, 400, "{held:?}");
    assert_eq!(held.text("/error/details/reason"), "recipient_on_hold");
    let again = api.resend(&kept).await;
    assert_eq!(
        (again.status, again.text("/error/code")),
        (403, "RECIPIENT_ON_HOLD".to_owned())
    );
    let inbox = api.client().await.get("/dev/inbox/messages").await;
    assert_eq!(inbox.json()["messages"].as_array().unwrap().len(), mails);

    let other = api.send("other@example.com").await;
    let code = api.code(&other).await;
    assert_eq!(api.verify(&other, &code).await.status, 200);
}
