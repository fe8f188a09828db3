//! The fault matrix with the real program: what becomes of a mail whose relay misbehaves, and that
//! nobody who asked for it waited.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use otpost_testkit::relay::{Fault, Received, Relay, Security, Settings, Verb};
use tokio::task::LocalSet;

use crate::support::{Api, Otpost, Place, code_in, eventually};

const MINUTE: Duration = Duration::from_mins(1);

/// What becomes of the mail at its first try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The relay has it.
    Sent,
    /// Nobody has it; the relay has it once it is well again.
    Later,
    /// Nobody knows; the relay has it twice once it is well again.
    Unknown,
    /// It never has it.
    Failed,
}

#[derive(Clone, Debug)]
enum Trouble {
    None,
    Fault(Fault),
    /// Nobody listens.
    Down,
    /// Its certificate is for another name, and remains so.
    WrongName,
}

#[derive(Clone, Debug)]
struct Case {
    name: &'static str,
    trouble: Trouble,
    fate: Fate,
    /// The reply code that an operator is shown.
    reply: &'static str,
}

/// What was seen of a case.
struct Row {
    took: Duration,
    delivery: String,
    tries: String,
    then: String,
}

fn cases() -> Vec<Case> {
    let words = |verb, words: &str| Fault::Reply(verb, words.to_owned());
    let case = |name, fault, fate, reply| Case {
        name,
        trouble: Trouble::Fault(fault),
        fate,
        reply,
    };
    let other = |name, trouble, fate| Case {
        name,
        trouble,
        fate,
        reply: "-",
    };
    let refused =
        |name, verb, code: u16, fate, reply| case(name, Fault::refuse(verb, code), fate, reply);
    let later = |name, fault| case(name, fault, Fate::Later, "-");
    let multi_line = "550-5.1.1 no\r\n550 5.1.1 such user";
    vec![
        other("none: a healthy relay", Trouble::None, Fate::Sent),
        other("refused connect", Trouble::Down, Fate::Later),
        refused("421 greeting", Verb::Greeting, 421, Fate::Later, "421"),
        refused("450 to RCPT", Verb::Rcpt, 450, Fate::Later, "450"),
        refused("451 to DATA", Verb::Data, 451, Fate::Later, "451"),
        refused(
            "452 to the message",
            Verb::EndOfData,
            452,
            Fate::Later,
            "452",
        ),
        refused("535 to AUTH", Verb::Auth, 535, Fate::Later, "535"),
        refused("550 to RCPT", Verb::Rcpt, 550, Fate::Failed, "550"),
        refused(
            "552 to the message",
            Verb::EndOfData,
            552,
            Fate::Failed,
            "552",
        ),
        later(
            "tarpit, a byte a minute: greeting",
            Fault::Tarpit(Verb::Greeting, MINUTE),
        ),
        later(
            "tarpit, a byte a minute: RCPT",
            Fault::Tarpit(Verb::Rcpt, MINUTE),
        ),
        later("close after DATA", Fault::CloseAfter(Verb::Data)),
        case(
            "close after the final dot",
            Fault::Close(Verb::EndOfData),
            Fate::Unknown,
            "-",
        ),
        later("TLS failure", Fault::BrokenTls),
        later("STARTTLS stripped", Fault::StripStartTls),
        other(
            "wrong name in the certificate",
            Trouble::WrongName,
            Fate::Later,
        ),
        case(
            "several lines: 550 to RCPT",
            words(Verb::Rcpt, multi_line),
            Fate::Failed,
            "550",
        ),
        later("malformed greeting", words(Verb::Greeting, "hello")),
        later("malformed answer to MAIL", words(Verb::Mail, "999 strange")),
        case(
            "malformed answer to the message",
            words(Verb::EndOfData, "2500 taken"),
            Fate::Unknown,
            "-",
        ),
        later("10 MB banner", Fault::HugeBanner(10_000_000)),
    ]
}

struct Bench {
    relay: Relay,
    place: Place,
    otpost: Otpost,
    api: Api,
}

impl Bench {
    async fn new(case: &Case) -> Self {
        let mut settings = Settings::from(Security::StartTls);
        settings.credentials = Some(("user".to_owned(), "s3cret".to_owned()));
        if matches!(case.trouble, Trouble::WrongName) {
            settings.names = vec!["other.example".to_owned()];
        }
        let mut relay = Relay::start(settings).await;
        let place = Place::new();
        place.write("ca.pem", relay.ca_pem());
        place.init(&format!(
            "[{{ url = \"{}\", ca_file = \"ca.pem\" }}]",
            relay.url()
        ));
        let key = place.key(&[]);
        let otpost = Otpost::serve(place.path());
        match &case.trouble {
            Trouble::None | Trouble::WrongName => {}
            // Met once, so that there is one more copy and no third.
            Trouble::Fault(fault) if case.fate == Fate::Unknown => {
                relay.inject_times(fault.clone(), 1);
            }
            Trouble::Fault(fault) => relay.inject(fault.clone()),
            Trouble::Down => relay.stop().await,
        }
        relay.hold();
        let api = otpost.api(&key);
        Self {
            relay,
            place,
            otpost,
            api,
        }
    }

    /// The row of the only mail in `outbox list`; `None` when it neither waits nor failed.
    fn listed(&self) -> Option<Vec<String>> {
        let said = self.place.output_of(&["outbox", "list"]);
        let row = said.lines().nth(1)?;
        Some(row.split_whitespace().map(str::to_owned).collect())
    }

    async fn until_logged(&self, what: &str) {
        eventually(what, async || {
            self.otpost.log().contains(what).then_some(())
        })
        .await;
    }

    /// The relay is as it should be from now on, if it can be.
    async fn heal(&mut self, case: &Case) -> bool {
        match case.trouble {
            Trouble::None => true,
            Trouble::WrongName => false,
            Trouble::Fault(_) => {
                self.relay.heal();
                true
            }
            Trouble::Down => {
                self.relay.restart().await;
                true
            }
        }
    }
}

/// Asks for a mail while the relay says nothing, which it does only after the answer, and tells
/// how long the answer took.
async fn ask(bench: &Bench, name: &str) -> (String, Duration) {
    // The first request of a process has more to do than any other.
    let unknown = bench.api.status(&"A".repeat(30)).await;
    assert_eq!(unknown.status, 404, "{unknown:?}");

    let start = Instant::now();
    let session = bench.api.send("ada@customer.example").await;
    let took = start.elapsed();
    assert_eq!(bench.api.delivery(&session).await, "queued", "{name}");
    assert!(bench.relay.messages().is_empty(), "{name}");
    bench.relay.release();
    (session, took)
}

/// Sees what becomes of the mail.
async fn meet(mut bench: Bench, case: &Case, session: &str, took: Duration) -> Row {
    let Case { name, fate, .. } = case;

    let (delivery, tries, then) = match fate {
        Fate::Sent => {
            bench.api.wait_until_sent(session).await;
            assert_eq!(bench.listed(), None, "{name}");
            ("sent".to_owned(), "1".to_owned(), String::new())
        }
        Fate::Failed => failed(&bench, case, session).await,
        Fate::Later | Fate::Unknown => retried(&mut bench, case, session).await,
    };
    let received = bench.relay.messages();
    let expected = match (fate, &case.trouble) {
        (_, Trouble::WrongName) => 0,
        // Of one that failed it has the mail that came after it.
        (Fate::Sent | Fate::Later | Fate::Failed, _) => 1,
        (Fate::Unknown, _) => 2,
    };
    assert_eq!(received.len(), expected, "{name}");
    assert!(received.iter().all(|one| one.is_encrypted), "{name}");
    assert!(
        received
            .iter()
            .map(same)
            .all(|one| one == same(&received[0])),
        "{name}"
    );
    let log = bench.otpost.log();
    assert!(
        !log.contains("s3cret") && !log.contains("customer.example"),
        "{name}: {log}"
    );
    Row {
        took,
        delivery,
        tries,
        then,
    }
}

/// What all copies of one mail have in common: the `Message-ID` and the code.
fn same(received: &Received) -> (String, String) {
    let message = received.message();
    let parsed = mail_parser::MessageParser::default().parse(&message);
    let id = parsed.unwrap().message_id().unwrap().to_owned();
    (id, code_in(&message, 6))
}

/// A mail that failed for good is told of in the header, in the list and in the log, and is not
/// sent when the relay is well again.
async fn failed(bench: &Bench, case: &Case, session: &str) -> (String, String, String) {
    let name = case.name;
    bench.api.wait_until_failed(session).await;
    let row = bench.listed().unwrap();
    assert_eq!(
        (row[4].as_str(), row[5].as_str()),
        ("failed", "1"),
        "{name}: {row:?}"
    );
    assert_eq!(row[7], case.reply, "{name}");
    let log = bench.otpost.log();
    let line = log
        .lines()
        .find(|line| line.contains("mail failed for good"));
    assert!(
        line.is_some_and(|line| line.contains(case.reply)),
        "{name}: {log}"
    );
    // What would still be queued would come before this one, or with it.
    bench.relay.heal();
    let other = bench.api.send("bob@customer.example").await;
    bench.api.wait_until_sent(&other).await;
    let received = bench.relay.messages();
    assert_eq!(received.len(), 1, "{name}");
    assert_eq!(received[0].recipients, ["bob@customer.example"], "{name}");
    (row[4].clone(), row[5].clone(), "never sent".to_owned())
}

/// A mail that nobody took yet is told of, and is sent when the relay is well again.
async fn retried(bench: &mut Bench, case: &Case, session: &str) -> (String, String, String) {
    let name = case.name;
    bench.until_logged("mail not sent yet").await;
    let row = eventually("the try to be written down", async || {
        bench.listed().filter(|row| row[5] != "0")
    })
    .await;
    assert_eq!(row[4], "queued", "{name}");
    assert_eq!(row.get(7).map(String::as_str), Some(case.reply), "{name}");
    let unknown = bench.relay.messages().len();
    assert_eq!(unknown > 0, case.fate == Fate::Unknown, "{name}");
    let then = if bench.heal(case).await {
        bench.api.wait_until_sent(session).await;
        "sent once it is well"
    } else {
        "not sent"
    };
    (row[4].clone(), row[5].clone(), then.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_a_relay_keeps_a_request_waiting_or_loses_a_mail() {
    let mut benches = Vec::new();
    for case in cases() {
        benches.push((Bench::new(&case).await, case));
    }
    let mut asked = Vec::new();
    for (bench, case) in benches {
        let (session, took) = ask(&bench, case.name).await;
        asked.push((bench, case, session, took));
    }
    let here = LocalSet::new();
    let meeting = asked.into_iter().map(|(bench, case, session, took)| {
        here.spawn_local(async move { (meet(bench, &case, &session, took).await, case) })
    });
    let meeting: Vec<_> = meeting.collect();
    here.await;

    let mut told = format!(
        "{:36} answered  Otpost-Delivery  tries  reply  then\n",
        "fault"
    );
    for met in meeting {
        let (row, case) = met.await.unwrap();
        let Row {
            took,
            delivery,
            tries,
            then,
        } = row;
        let millis = took.as_millis();
        let Case { name, reply, .. } = case;
        writeln!(
            told,
            "{name:36} {millis:5} ms  {delivery:15}  {tries:5}  {reply:5}  {then}"
        )
        .unwrap();
    }
    println!("{told}");
}
