//! The fault matrix: what becomes of a mail when its relay misbehaves, with and without another.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use otpost_mail::{RelaySettings, SmtpCourier};
use otpost_ports::{Courier, DeliveryError};
use otpost_testkit::relay::{Fault, Relay, Security, Settings, Verb};
use otpost_testkit::sample;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{renderer, settings};

const MINUTE: Duration = Duration::from_mins(1);
/// What a mail may take in these tests: three steps of a second each, and time to breathe.
const TOOK_MAX: Duration = Duration::from_secs(5);
/// So many faults are met at a time.
const AT_ONCE: usize = 12;

/// What becomes of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The first relay has it.
    Sent,
    /// The second relay has it; without one, it comes later.
    Next,
    /// Nobody has it, and the second relay is not asked: it comes later.
    Later,
    /// Nobody knows whether the first relay has it, and the second is not asked: it comes later.
    Unknown,
    /// Nobody has it, and nobody is asked again.
    Failed,
}

impl Fate {
    const fn without_second(self) -> Self {
        match self {
            Self::Next => Self::Later,
            Self::Sent | Self::Later | Self::Unknown | Self::Failed => self,
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sent => "sent",
            Self::Next => "sent by the next relay",
            Self::Later => "later",
            Self::Unknown => "later (outcome unknown)",
            Self::Failed => "failed",
        })
    }
}

#[derive(Clone, Debug)]
enum Trouble {
    Fault(Fault),
    /// Nobody listens.
    Down,
    /// Its certificate is for another name.
    WrongName,
    /// Its certificate is from an authority that is not trusted.
    WrongAuthority,
}

#[derive(Clone, Debug)]
struct Case {
    name: String,
    security: Security,
    trouble: Trouble,
    fate: Fate,
}

fn case(name: &str, security: Security, trouble: Trouble, fate: Fate) -> Case {
    Case {
        name: format!("{name}, {security:?}"),
        security,
        trouble,
        fate,
    }
}

fn faulty(name: &str, fault: Fault, fate: Fate) -> Case {
    let security = Security::StartTls;
    let trouble = Trouble::Fault(fault);
    Case {
        name: name.to_owned(),
        ..case(name, security, trouble, fate)
    }
}

fn replies(verb: Verb, words: &str, fate: Fate) -> Case {
    let shown = words.replace("\r\n", " / ");
    let name = format!("{verb:?}: \"{shown}\"");
    faulty(&name, Fault::Reply(verb, words.to_owned()), fate)
}

/// Every reply code at every step: 421 is the relay's own trouble until the final dot, and so is
/// everything until MAIL. From RCPT on, 4xx and 5xx are about the message.
fn refusals() -> impl Iterator<Item = Case> {
    let own = [
        Verb::Greeting,
        Verb::Ehlo,
        Verb::StartTls,
        Verb::Auth,
        Verb::Mail,
    ];
    let codes = [421, 450, 451, 452, 454, 535, 550, 552, 554];
    let of_relay = own
        .into_iter()
        .flat_map(move |verb| codes.map(|code| (verb, code, Fate::Next)));
    let of_message = [Verb::Rcpt, Verb::Data, Verb::EndOfData]
        .into_iter()
        .flat_map(move |verb| {
            codes.map(|code| {
                let fate = match code {
                    421 if verb != Verb::EndOfData => Fate::Next,
                    ..500 => Fate::Later,
                    _ => Fate::Failed,
                };
                (verb, code, fate)
            })
        });
    of_relay.chain(of_message).map(|(verb, code, fate)| {
        let name = format!("{verb:?}: {code}");
        faulty(&name, Fault::refuse(verb, code), fate)
    })
}

/// Silence, a byte a minute and a closed connection at every step.
fn silences() -> impl Iterator<Item = Case> {
    [
        Verb::Greeting,
        Verb::Ehlo,
        Verb::StartTls,
        Verb::Auth,
        Verb::Mail,
        Verb::Rcpt,
        Verb::Data,
        Verb::EndOfData,
    ]
    .into_iter()
    .flat_map(|verb| {
        let fate = match verb {
            Verb::EndOfData => Fate::Unknown,
            _ => Fate::Next,
        };
        [
            faulty(&format!("{verb:?}: silence"), Fault::Hang(verb), fate),
            faulty(&format!("{verb:?}: closed"), Fault::Close(verb), fate),
            faulty(
                &format!("{verb:?}: a byte a minute"),
                Fault::Tarpit(verb, MINUTE),
                fate,
            ),
        ]
    })
}

fn connections() -> Vec<Case> {
    use Security::{Implicit, Plain, StartTls};
    let fault = Trouble::Fault;
    let endless_line = || Fault::Bytes(Verb::Greeting, vec![b'2'; 10_000_000]);
    let injected = "220 go ahead\r\n250-relay.example\r\n250 AUTH PLAIN".to_owned();
    let injected = Fault::Reply(Verb::StartTls, injected);
    let drip = |pause| Fault::Tarpit(Verb::Greeting, Duration::from_millis(pause));
    vec![
        case("refused connect", Plain, Trouble::Down, Fate::Next),
        case("refused connect", Implicit, Trouble::Down, Fate::Next),
        case(
            "wrong certificate name",
            StartTls,
            Trouble::WrongName,
            Fate::Next,
        ),
        case(
            "wrong certificate name",
            Implicit,
            Trouble::WrongName,
            Fate::Next,
        ),
        case(
            "unknown authority",
            StartTls,
            Trouble::WrongAuthority,
            Fate::Next,
        ),
        case(
            "unknown authority",
            Implicit,
            Trouble::WrongAuthority,
            Fate::Next,
        ),
        case("TLS failure", StartTls, fault(Fault::BrokenTls), Fate::Next),
        case("TLS failure", Implicit, fault(Fault::BrokenTls), Fate::Next),
        faulty("STARTTLS stripped", Fault::StripStartTls, Fate::Next),
        faulty("plaintext before TLS", injected, Fate::Next),
        case(
            "10 MB banner",
            Plain,
            fault(Fault::HugeBanner(10_000_000)),
            Fate::Next,
        ),
        case(
            "10 MB banner",
            Implicit,
            fault(Fault::HugeBanner(10_000_000)),
            Fate::Next,
        ),
        case(
            "10 MB banner in one line",
            Plain,
            fault(endless_line()),
            Fate::Next,
        ),
        case(
            "10 MB banner in one line",
            Implicit,
            fault(endless_line()),
            Fate::Next,
        ),
        faulty("slow banner that ends", drip(10), Fate::Sent),
        faulty("slow banner that does not", drip(500), Fate::Next),
        case(
            "EHLO: a byte a minute",
            Implicit,
            fault(Fault::Tarpit(Verb::Ehlo, MINUTE)),
            Fate::Next,
        ),
        faulty(
            "closed after 354",
            Fault::CloseAfter(Verb::Data),
            Fate::Later,
        ),
        faulty(
            "closed after RCPT was taken",
            Fault::CloseAfter(Verb::Rcpt),
            Fate::Next,
        ),
        faulty(
            "closed after 250",
            Fault::CloseAfter(Verb::EndOfData),
            Fate::Sent,
        ),
    ]
}

/// Several lines, what is no reply, replies that belong elsewhere, and too many of them.
fn oddities(is_pipelined: bool) -> Vec<Case> {
    // Where all is asked at once, the second reply passes for the one to the next command.
    let of_two_replies = if is_pipelined {
        Fate::Failed
    } else {
        Fate::Next
    };
    let long = "x".repeat(2_000);
    let endless = |verb| Fault::Bytes(verb, vec![b'2'; 10_000_000]);
    let not_utf8 = b"250 2.0.0 f\xfcr Sie\r\n".to_vec();
    let bare = b"250 ok\n".to_vec();
    vec![
        replies(
            Verb::Greeting,
            "220-one\r\n220-two\r\n220 three",
            Fate::Sent,
        ),
        replies(Verb::Greeting, "hello", Fate::Next),
        replies(Verb::Greeting, "22", Fate::Next),
        replies(Verb::Ehlo, "250-relay.example\r\n550 no", Fate::Next),
        replies(Verb::Mail, "250-one\r\n250 two", Fate::Sent),
        replies(Verb::Mail, "999 strange", Fate::Next),
        replies(Verb::Mail, "354 out of step", Fate::Next),
        replies(Verb::Mail, "250 ok\r\n250 ok", Fate::Next),
        replies(Verb::Mail, "250 ok\r\n550 no", of_two_replies),
        replies(Verb::Rcpt, "251 elsewhere", Fate::Sent),
        replies(Verb::Rcpt, "252 perhaps", Fate::Next),
        replies(Verb::Rcpt, "354 out of step", Fate::Next),
        replies(Verb::Rcpt, "250 ok\r\n550 no", of_two_replies),
        replies(
            Verb::Rcpt,
            "550-5.1.1 no\r\n550 5.1.1 such user",
            Fate::Failed,
        ),
        replies(Verb::Data, "250 out of step", Fate::Next),
        replies(Verb::Data, "ok", Fate::Next),
        replies(Verb::Data, "354 go ahead\r\n250 taken", Fate::Next),
        replies(
            Verb::EndOfData,
            "250-one\r\n250-two\r\n250 three",
            Fate::Sent,
        ),
        replies(Verb::EndOfData, "250 \u{1}\u{7f}\u{fc} 550 <>", Fate::Sent),
        replies(Verb::EndOfData, "250 taken\r\n550 or not", Fate::Sent),
        replies(Verb::EndOfData, "250-one\r\n550 two", Fate::Unknown),
        replies(Verb::EndOfData, "250-one\r\ntwo", Fate::Unknown),
        replies(Verb::EndOfData, "2500 taken", Fate::Unknown),
        replies(Verb::EndOfData, "251 not quite", Fate::Unknown),
        replies(Verb::EndOfData, "354 out of step", Fate::Unknown),
        replies(Verb::EndOfData, "221 bye", Fate::Unknown),
        replies(Verb::EndOfData, "ok", Fate::Later),
        faulty(
            "Mail: a line of 2,000",
            Fault::Reply(Verb::Mail, format!("250 {long}")),
            Fate::Next,
        ),
        faulty(
            "EndOfData: a line of 2,000",
            Fault::Reply(Verb::EndOfData, format!("250 {long}")),
            Fate::Unknown,
        ),
        faulty("Rcpt: a line without end", endless(Verb::Rcpt), Fate::Next),
        faulty(
            "EndOfData: a line without end",
            endless(Verb::EndOfData),
            Fate::Unknown,
        ),
        faulty(
            "EndOfData: 250 in Latin-1",
            Fault::Bytes(Verb::EndOfData, not_utf8),
            Fate::Unknown,
        ),
        faulty(
            "EndOfData: 250 without CR",
            Fault::Bytes(Verb::EndOfData, bare),
            Fate::Unknown,
        ),
    ]
}

/// Delivers over a relay in trouble, and once more when it is well again.
async fn meet(case: &Case, has_second: bool, is_pipelined: bool) -> (Fate, Duration) {
    let label = format!("{} with a second relay: {has_second}", case.name);
    let mut first = Relay::start(Settings {
        is_pipelined,
        ..relay_of(case)
    })
    .await;
    let second = Relay::start(Security::Plain).await;
    let mut relays = vec![trusted(case, &first, &second)];
    relays.extend(has_second.then(|| settings(&second)));
    let courier = SmtpCourier::new(renderer(), relays).unwrap();
    match &case.trouble {
        Trouble::Fault(fault) => first.inject(fault.clone()),
        Trouble::Down => first.stop().await,
        Trouble::WrongName | Trouble::WrongAuthority => {}
    }

    let start = Instant::now();
    let result = courier.deliver(&sample::letter(1, "482913")).await;
    let took = start.elapsed();

    let given = (first.messages().len(), second.messages().len());
    let fate = match (&result, given) {
        (Ok(()), (1, 0)) => Fate::Sent,
        (Ok(()), (0, 1)) => Fate::Next,
        (Err(DeliveryError::Transient { .. }), (0, 0)) => Fate::Later,
        (Err(DeliveryError::Transient { .. }), (1, 0)) => Fate::Unknown,
        (Err(DeliveryError::Permanent { .. }), (0, 0)) => Fate::Failed,
        other => panic!("{label}: {other:?}"),
    };
    if let Err(error) = &result {
        assert_eq!(second.connections(), 0, "{label}");
        let error = format!("{error} {error:?}");
        assert!(
            error.contains(&first.address().to_string()),
            "{label}: {error}"
        );
        assert!(
            !error.contains("s3cret") && !error.contains("482913"),
            "{label}: {error}"
        );
    }
    if matches!(case.trouble, Trouble::Fault(_)) {
        recovers(&first, &courier, fate, &label).await;
    }
    (fate, took)
}

/// A connection that saw a failure carries nothing more.
async fn recovers(relay: &Relay, courier: &SmtpCourier, fate: Fate, label: &str) {
    let (connections, messages) = (relay.connections(), relay.messages().len());
    relay.heal();
    courier.deliver(&sample::letter(2, "482913")).await.unwrap();
    let received = relay.messages();
    assert_eq!(received.len(), messages + 1, "{label}");
    assert!(received[messages].is_acknowledged, "{label}");
    if fate != Fate::Sent {
        assert_eq!(relay.connections(), connections + 1, "{label}");
    }
}

fn relay_of(case: &Case) -> Settings {
    let mut relay = Settings::from(case.security);
    if case.security != Security::Plain {
        relay.credentials = Some(("user".to_owned(), "s3cret".to_owned()));
    }
    if matches!(case.trouble, Trouble::WrongName) {
        relay.names = vec!["other.example".to_owned()];
    }
    relay
}

fn trusted(case: &Case, relay: &Relay, stranger: &Relay) -> RelaySettings {
    match case.trouble {
        Trouble::WrongAuthority => RelaySettings {
            ca_pem: Some(stranger.ca_pem().into()),
            ..settings(relay)
        },
        Trouble::Fault(_) | Trouble::Down | Trouble::WrongName => settings(relay),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fault_matrix() {
    meet_all(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fault_matrix_of_a_relay_that_is_pipelined() {
    meet_all(true).await;
}

#[expect(clippy::print_stdout, reason = "the matrix is shown")]
async fn meet_all(is_pipelined: bool) {
    let cases = connections().into_iter().chain(refusals());
    let cases = cases.chain(silences()).chain(oddities(is_pipelined));
    let cases: Vec<_> = cases.collect();
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (number, case) in cases.iter().cloned().enumerate() {
        let at_once = at_once.clone();
        tasks.spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            let alone = meet(&case, false, is_pipelined);
            let (alone, both) = tokio::join!(alone, meet(&case, true, is_pipelined));
            (number, alone, both)
        });
    }
    let mut met = tasks.join_all().await;
    met.sort_unstable_by_key(|(number, ..)| *number);

    println!(
        "{:42} {:32} with a healthy second relay",
        "fault", "one relay"
    );
    for (number, (alone, alone_took), (both, both_took)) in &met {
        let name = &cases[*number].name;
        let (alone_ms, both_ms) = (alone_took.as_millis(), both_took.as_millis());
        println!("{name:42} {alone:24} {alone_ms:4} ms {both:24} {both_ms:4} ms");
    }
    for (number, (alone, alone_took), (both, both_took)) in met {
        let Case { name, fate, .. } = &cases[number];
        assert_eq!((alone, both), (fate.without_second(), *fate), "{name}");
        assert!(alone_took < TOOK_MAX && both_took < TOOK_MAX, "{name}");
    }
}

#[tokio::test]
async fn without_tls_neither_password_nor_mail_is_sent() {
    let is_about_tls = |case: &Case| match &case.trouble {
        Trouble::WrongName
        | Trouble::WrongAuthority
        | Trouble::Fault(
            Fault::BrokenTls | Fault::StripStartTls | Fault::Reply(Verb::StartTls, _),
        ) => true,
        Trouble::Fault(_) | Trouble::Down => false,
    };
    let cases: Vec<_> = connections().into_iter().filter(is_about_tls).collect();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let relay = Relay::start(relay_of(&case)).await;
        let stranger = Relay::start(Security::Plain).await;
        if let Trouble::Fault(fault) = &case.trouble {
            relay.inject(fault.clone());
        }
        let relays = vec![trusted(&case, &relay, &stranger)];
        let courier = SmtpCourier::new(renderer(), relays).unwrap();

        let letter = sample::letter(1, "482913");
        courier.deliver(&letter).await.unwrap_err();

        let said = String::from_utf8(relay.commands().concat()).unwrap();
        let name = case.name;
        assert!(
            !said.contains("AUTH") && !said.contains("MAIL"),
            "{name}: {said}"
        );
        assert_eq!(relay.messages(), [], "{name}");
    }
}
