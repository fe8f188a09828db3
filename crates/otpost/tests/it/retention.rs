//! What is kept ends by itself: the use cases and the real database of either engine, on a clock
//! that is set.

use std::collections::BTreeMap;
use std::sync::Arc;

use otpost_domain::{
    Address, Candidate, CodeLength, Mode, Profile, SessionId, TemplateName, Timestamp, Verdict,
};
use otpost_ports::{Actor, Clock as _, KeyStore as _};
use otpost_service::{
    Caller, Catalogue, Idempotency, Janitor, KeyUses, Otp, Policies, Policy, Ports, Recipients,
    Scope, SendError, SendRequest, Slots, StatusAnswer, VerifyAnswer, VerifyRequest,
};
use otpost_storage::Storage;
use otpost_testkit::{FakeVault, ManualClock, SeededEntropy, sample};

use crate::support::{Place, Scan, on_both};

on_both! {
    every_row_goes_when_its_time_is_over_and_not_before
    a_hold_outlives_every_period
}

const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;

/// The use cases on a real database, with a clock that is set.
struct Bench {
    place: Place,
    otp: Otp,
    janitor: Janitor,
    recipients: Recipients,
    clock: Arc<ManualClock>,
    caller: Caller,
}

impl Bench {
    async fn new(place: Place) -> Self {
        let vault = Arc::new(FakeVault::new());
        let clock = Arc::new(ManualClock::default());
        let settings = otpost_storage::Settings::at(place.url_of("otpost.db"));
        let storage = Arc::new(Storage::connect(&settings, vault.clone()).await.unwrap());
        storage.migrate().await.unwrap();
        let mut owner = sample::owner();
        owner.mode = Mode::Live;
        let project = owner.project.as_str();
        storage
            .create_project(
                sample::project_record(project),
                sample::project_entry(project),
            )
            .await
            .unwrap();
        let ports = Ports {
            sessions: storage.clone(),
            keys: storage.clone(),
            recipients: storage.clone(),
            readiness: storage.clone(),
            vault: vault.clone(),
            entropy: Arc::new(SeededEntropy::default()),
            clock: clock.clone(),
        };
        let policies = Policies {
            general: Policy {
                profile: Profile::Strict,
                ..Policy::default()
            },
            projects: BTreeMap::new(),
        };
        let catalogue = Catalogue {
            templates: vec![template("login")],
            ..Catalogue::default()
        };
        let uses = Arc::new(KeyUses::new(storage.clone()));
        Self {
            otp: Otp::new(
                ports,
                policies,
                Arc::new(catalogue),
                false,
                Arc::new(Slots::none()),
                uses,
            ),
            janitor: Janitor {
                sessions: storage.clone(),
                clock: clock.clone(),
            },
            recipients: Recipients {
                store: storage.clone(),
                keys: storage,
                vault,
                clock: clock.clone(),
            },
            caller: Caller {
                owner,
                key: sample::key(1).id(),
            },
            clock,
            place,
        }
    }

    async fn scan(&self) -> Scan {
        self.place.scan_of("otpost.db").await
    }

    /// Rows of each table, once the janitor was there.
    async fn rows_at(&self, at: Timestamp) -> BTreeMap<String, i64> {
        self.clock.set(at);
        self.janitor.round().await.unwrap();
        self.scan().await.counts().await
    }

    /// A new session; `None` when the address is on hold.
    async fn send(&self, email: &str) -> Option<SessionId> {
        let request = SendRequest {
            email: Address::parse(email).unwrap(),
            template: template("login"),
            lifetime_secs: 300,
            code_length: CodeLength::DEFAULT,
            languages: vec![],
            variables: [("name".to_owned(), "Ada".to_owned())].into(),
            client_ip: None,
            idempotency: Some(idempotency(email)),
        };
        match self.otp.send(&self.caller, request).await {
            Ok(sent) => Some(sent.answer.session_id),
            Err(SendError::OnHold) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// A guess that is wrong whatever the code is; whether it was judged.
    async fn miss(&self, session_id: SessionId, key: &str) -> bool {
        let request = VerifyRequest {
            session_id,
            candidate: Candidate::normalise("000000"),
            email: None,
            template: Some(template("reset")),
            idempotency: Some(idempotency(key)),
        };
        let verified = self.otp.verify(&self.caller, request).await.unwrap();
        match verified.answer {
            VerifyAnswer::Refused(verdict) => matches!(verdict, Verdict::Mismatch { .. }),
            other => panic!("{other:?}"),
        }
    }

    async fn is_found(&self, session: &SessionId) -> bool {
        let status = self.otp.status(&self.caller, session).await.unwrap();
        match status.answer {
            StatusAnswer::Found(_) => true,
            StatusAnswer::NotFound => false,
            StatusAnswer::Limited(limited) => panic!("{limited:?}"),
        }
    }
}

fn template(name: &str) -> TemplateName {
    TemplateName::parse(name).unwrap()
}

fn idempotency(key: &str) -> Idempotency {
    Idempotency {
        key: key.to_owned(),
        body: b"{}".to_vec(),
    }
}

/// The rows of `table`.
fn of(rows: &BTreeMap<String, i64>, table: &str) -> i64 {
    rows.get(table).copied().unwrap_or_default()
}

async fn every_row_goes_when_its_time_is_over_and_not_before(place: Place) {
    let bench = Bench::new(place).await;
    let start = bench.clock.now();
    let after = |secs: u32| start.plus_secs(secs);
    let session = bench.send("ada@example.com").await.unwrap();
    assert!(bench.miss(session, "miss").await);
    let actor = || Actor::Operator("ada".to_owned());
    let ada = Address::parse("ada@example.com").unwrap();
    let policies = Policies::default();
    bench
        .recipients
        .look_up(&policies, actor(), &Scope::Installation, &ada, 1)
        .await
        .unwrap();

    let mut printed = Vec::new();
    let hard_end = HOUR / 2;
    let secrets = "SELECT secret_nonce AS value FROM sessions WHERE secret_nonce IS NOT NULL \
                   UNION ALL SELECT variables FROM sessions WHERE variables IS NOT NULL";
    for (what, last, tables) in [
        ("answer of verify", 120, &[("kept_answers", 2, 1)][..]),
        ("answer of send", DAY, &[("kept_answers", 1, 0)]),
        (
            "session with its delivery",
            hard_end + DAY,
            &[("sessions", 1, 0), ("deliveries", 1, 0)],
        ),
        (
            "counters of the project and the recipient in it",
            2 * DAY,
            &[("counters", 3, 1)],
        ),
        (
            "failures of the recipient",
            366 * DAY,
            &[("counters", 1, 0)],
        ),
        ("audit log", 731 * DAY, &[("audit_log", 2, 0)]),
    ] {
        let is_session = tables[0].0 == "sessions";
        let rows = bench.rows_at(after(last - 1)).await;
        for (table, before, _) in tables {
            assert_eq!(
                of(&rows, table),
                *before,
                "{what}, {table} a second before: {rows:?}"
            );
        }
        if is_session {
            assert!(bench.is_found(&session).await);
            let kept = bench.scan().await.hex(secrets).await;
            assert!(kept.is_empty(), "erased at the hard end: {kept:?}");
        }
        let rows = bench.rows_at(after(last)).await;
        for (table, _, then) in tables {
            assert_eq!(
                of(&rows, table),
                *then,
                "{what}, {table} at the end: {rows:?}"
            );
        }
        if is_session {
            assert!(!bench.is_found(&session).await);
        }
        printed.push(format!("{what} {last} s"));
    }
    println!(
        "{}: retention on a set clock, each row there a second before and gone at: {}",
        bench.place.engine(),
        printed.join(", ")
    );
}

async fn a_hold_outlives_every_period(place: Place) {
    let bench = Bench::new(place).await;
    let start = bench.clock.now();
    let mut failures = 0;
    for number in 0.. {
        bench.clock.set(start.plus_secs(number * DAY / 10));
        let email = format!("ada+{number}@example.com");
        let Some(session) = bench.send(&email).await else {
            break;
        };
        let mut guess = 0;
        while bench.miss(session, &format!("{number} {guess}")).await {
            guess += 1;
            failures += 1;
        }
    }
    assert_eq!(failures, 100);
    let rows = bench
        .rows_at(bench.clock.now().plus_secs(3_000 * DAY))
        .await;
    assert_eq!(of(&rows, "counters"), 1, "{rows:?}");
    assert!(bench.send("ada@example.com").await.is_none(), "on hold");
    println!("the row of an address on hold is there after 3000 days, and it is on hold");
}
