//! Mail over real connections to a relay that behaves.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::{Duration, Instant};

use otpost_domain::Address;
use otpost_mail::{RelayError, RelaySettings, SmtpCourier};
use otpost_ports::{Courier, DeliveryError, Letter};
use otpost_testkit::relay::{Fault, Relay, Security, Settings, Verb};
use otpost_testkit::sample;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{courier, renderer, settings};

fn with_login(security: Security) -> Settings {
    Settings {
        credentials: Some(("user".to_owned(), "s3cret".to_owned())),
        ..Settings::from(security)
    }
}

fn pipelined(security: Security) -> Settings {
    Settings {
        is_pipelined: true,
        ..Settings::from(security)
    }
}

/// The first words of what the relay was told.
fn verbs(relay: &Relay) -> Vec<String> {
    let verb = |line: Vec<u8>| {
        let line = String::from_utf8(line).unwrap();
        line.split_ascii_whitespace().next().unwrap().to_owned()
    };
    relay.commands().into_iter().map(verb).collect()
}

#[tokio::test]
async fn a_message_arrives_over_every_kind_of_connection() {
    for (relay, expected) in [
        (Settings::from(Security::Plain), "EHLO EHLO MAIL RCPT DATA"),
        (pipelined(Security::Plain), "EHLO EHLO MAIL RCPT DATA"),
        (
            Security::StartTls.into(),
            "EHLO STARTTLS EHLO EHLO MAIL RCPT DATA",
        ),
        (Security::Implicit.into(), "EHLO EHLO MAIL RCPT DATA"),
        (
            with_login(Security::StartTls),
            "EHLO STARTTLS EHLO EHLO AUTH MAIL RCPT DATA",
        ),
        (
            with_login(Security::Implicit),
            "EHLO EHLO AUTH MAIL RCPT DATA",
        ),
    ] {
        let is_secure = relay.security != Security::Plain;
        let user = relay.credentials.as_ref().map(|(user, _)| user.clone());
        let relay = Relay::start(relay).await;
        let letter = Letter {
            to: Address::parse("o'brien+a=b{c}@Example.com").unwrap(),
            ..sample::letter(1, "482913")
        };

        courier([&relay]).deliver(&letter).await.unwrap();

        let [received] = &relay.messages()[..] else {
            panic!("one message was sent")
        };
        assert_eq!(received.from, "no-reply@acme.example");
        assert_eq!(received.recipients, ["o'brien+a=b{c}@example.com"]);
        assert_eq!(received.is_encrypted, is_secure);
        assert_eq!(received.user, user);
        let sent = renderer().message(&letter).unwrap().bytes;
        assert_eq!(received.message(), [sent.as_slice(), b"\r\n"].concat());
        assert_eq!(verbs(&relay).join(" "), expected);
        let commands = relay.commands();
        assert_eq!(commands[0], b"EHLO acme.example\r\n");
        let rcpt = b"RCPT TO:<o'brien+a=b{c}@example.com>\r\n".to_vec();
        assert!(commands.contains(&rcpt));
        assert!(commands.iter().all(|line| line.ends_with(b"\r\n")));
    }
}

#[tokio::test]
async fn dots_and_line_breaks_on_the_wire_are_only_ours() {
    let relay = Relay::start(Security::Plain).await;
    let mut letter = sample::letter(1, "482913");
    let name = format!(".\u{2028}.=0D=0A.{}", "x".repeat(200));
    letter.variables.insert("name".to_owned(), name);

    courier([&relay]).deliver(&letter).await.unwrap();

    let [received] = &relay.messages()[..] else {
        panic!("one message was sent")
    };
    assert!(received.data.is_ascii());
    let bare = received
        .data
        .windows(2)
        .any(|pair| (pair[0] == b'\r') != (pair[1] == b'\n'));
    assert!(!bare, "a bare CR or LF");
    assert_eq!(verbs(&relay).join(" "), "EHLO EHLO MAIL RCPT DATA");
}

/// Reads until what was read ends so, and answers.
async fn hear(relay: &mut TcpStream, end: &str, answer: &str) {
    let mut heard = Vec::new();
    while !heard.ends_with(end.as_bytes()) {
        assert!(relay.read_buf(&mut heard).await.unwrap() > 0, "{heard:?}");
    }
    relay.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_relay_that_is_pipelined_is_asked_all_before_it_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let relay = tokio::spawn(async move {
        let (mut relay, _) = listener.accept().await.unwrap();
        relay.write_all(b"220 relay.example\r\n").await.unwrap();
        let extensions = "250-relay.example\r\n250 pipelining\r\n";
        hear(&mut relay, "EHLO acme.example\r\n", extensions).await;
        hear(&mut relay, "EHLO acme.example\r\n", extensions).await;
        // It would wait for ever for whoever waits for an answer to MAIL.
        let answers = "250 ok\r\n250 ok\r\n354 go ahead\r\n";
        hear(&mut relay, "DATA\r\n", answers).await;
        hear(&mut relay, "\r\n.\r\n", "250 taken\r\n").await;
    });
    let relays = vec![RelaySettings::from_url(&format!("smtp://{address}")).unwrap()];
    let courier = SmtpCourier::new(renderer(), relays).unwrap();

    courier.deliver(&sample::letter(1, "482913")).await.unwrap();

    relay.await.unwrap();
}

#[tokio::test]
async fn a_connection_carries_one_message_after_the_other() {
    let relay = Relay::start(with_login(Security::StartTls)).await;
    let courier = courier([&relay]);
    for number in 1..=3 {
        courier
            .deliver(&sample::letter(number, "482913"))
            .await
            .unwrap();
    }
    assert_eq!(relay.messages().len(), 3);
    assert_eq!(relay.connections(), 1);
    assert_eq!(
        verbs(&relay).iter().filter(|verb| *verb == "AUTH").count(),
        1
    );
}

#[tokio::test]
async fn a_connection_that_saw_an_error_carries_nothing_more() {
    let relay = Relay::start(Security::Plain).await;
    let courier = courier([&relay]);
    relay.inject_times(Fault::refuse(Verb::Rcpt, 450), 1);

    courier
        .deliver(&sample::letter(1, "482913"))
        .await
        .unwrap_err();
    assert_eq!(relay.messages(), []);
    courier.deliver(&sample::letter(2, "482913")).await.unwrap();
    assert_eq!(relay.messages().len(), 1);
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn an_abandoned_try_does_not_make_a_refusal_look_like_a_success() {
    let relay = Relay::start(Security::Plain).await;
    let courier = courier([&relay]);
    relay.inject_times(Fault::Tarpit(Verb::EndOfData, Duration::from_millis(20)), 1);

    // Given up just when the relay has the message, and begins to say so.
    let letter = sample::letter(1, "482913");
    tokio::select! {
        result = courier.deliver(&letter) => panic!("it was to be given up: {result:?}"),
        _ = relay.wait_for(1) => {}
    }
    relay.inject(Fault::refuse(Verb::EndOfData, 554));

    let refused = courier
        .deliver(&sample::letter(2, "482913"))
        .await
        .unwrap_err();
    assert_eq!(refused.reply().map(|reply| reply.code), Some(554));
    assert_eq!(relay.messages().len(), 1);
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_relay_closed_is_replaced() {
    let mut relay = Relay::start(Security::StartTls).await;
    let courier = courier([&relay]);
    courier.deliver(&sample::letter(1, "482913")).await.unwrap();
    relay.restart().await;

    courier.deliver(&sample::letter(2, "482913")).await.unwrap();
    assert_eq!(relay.messages().len(), 2);
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_idles_is_closed_and_not_used_again() {
    let relay = Relay::start(Security::Plain).await;
    let courier = courier([&relay]);
    courier.deliver(&sample::letter(1, "482913")).await.unwrap();
    // The task that watches idle connections begins to wait.
    tokio::task::yield_now().await;

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();

    courier.deliver(&sample::letter(2, "482913")).await.unwrap();
    assert_eq!(relay.connections(), 2);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !verbs(&relay).contains(&"QUIT".to_owned()) {
        assert!(Instant::now() < deadline, "the relay was not told good-bye");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_connection_carries_a_hundred_messages_and_no_more() {
    let relay = Relay::start(Security::Plain).await;
    let courier = courier([&relay]);
    for number in 0..101 {
        courier
            .deliver(&sample::letter(number, "482913"))
            .await
            .unwrap();
    }
    assert_eq!((relay.messages().len(), relay.connections()), (101, 2));
}

#[tokio::test]
async fn there_are_never_more_connections_than_allowed() {
    let relay = Relay::start(Security::Plain).await;
    let settings = RelaySettings {
        max_connections: NonZeroUsize::new(2).unwrap(),
        ..settings(&relay)
    };
    let courier = Arc::new(SmtpCourier::new(renderer(), vec![settings]).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..30 {
        let courier = Arc::clone(&courier);
        tasks.spawn(async move { courier.deliver(&sample::letter(number, "482913")).await });
    }
    while let Some(delivered) = tasks.join_next().await {
        delivered.unwrap().unwrap();
    }
    assert_eq!(relay.messages().len(), 30);
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn messages_keep_the_pace_that_is_asked_for() {
    let relay = Relay::start(Security::Plain).await;
    let settings = RelaySettings {
        max_per_second: NonZeroU32::new(10),
        ..settings(&relay)
    };
    let courier = SmtpCourier::new(renderer(), vec![settings]).unwrap();
    let start = Instant::now();
    for number in 0..4 {
        courier
            .deliver(&sample::letter(number, "482913"))
            .await
            .unwrap();
    }
    assert!(
        start.elapsed() >= Duration::from_millis(300),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(relay.messages().len(), 4);
}

#[test]
fn a_courier_without_a_safe_relay_is_refused() {
    let error = |relays| SmtpCourier::new(renderer(), relays).err();
    assert_eq!(error(Vec::new()), Some(RelayError::None));

    let good = RelaySettings::from_url("smtps://user:s3cret@127.0.0.1").unwrap();
    let plain = RelaySettings {
        security: otpost_mail::Security::Plain,
        ..good.clone()
    };
    assert!(matches!(
        error(vec![plain]),
        Some(RelayError::AuthWithoutTls(_))
    ));
    let no_certificate = RelaySettings {
        ca_pem: Some(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".to_vec()),
        ..good
    };
    let refused = error(vec![no_certificate]);
    assert!(
        matches!(refused, Some(RelayError::Certificates(..))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_message_without_a_turn_is_not_a_failed_one() {
    let relay = Relay::start(Security::Plain).await;
    let settings = RelaySettings {
        max_per_second: NonZeroU32::new(1),
        ..settings(&relay)
    };
    let courier = Arc::new(SmtpCourier::new(renderer(), vec![settings]).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..9 {
        let courier = Arc::clone(&courier);
        tasks.spawn(async move { courier.deliver(&sample::letter(number, "482913")).await });
    }

    // Six fit into the five seconds that a message waits: the others are told at once.
    let mut told = 0;
    while told < 3 {
        match tasks.join_next().await.unwrap().unwrap() {
            Ok(()) => {}
            Err(DeliveryError::Busy { .. }) => told += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(relay.messages().len() <= 6);
}
