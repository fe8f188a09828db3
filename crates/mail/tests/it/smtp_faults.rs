//! Mail to relays that misbehave: whose fault it is, and what is done about it.

use std::time::Duration;

use otpost_mail::{RelaySettings, SmtpCourier};
use otpost_ports::{Courier, DeliveryError, Reply};
use otpost_testkit::relay::{Fault, Relay, Security, Settings, Verb};
use otpost_testkit::sample;

use crate::{courier, renderer, settings};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The second relay has the message.
    NextRelay,
    /// Nobody has it, and the second relay was not asked.
    Later,
    Refused,
    /// Nobody knows whether the first relay has it, and the second was not asked.
    Unknown,
}

/// Delivers over a first relay with a fault and a second one without.
async fn meet(security: Security, fault: Fault) -> Ending {
    let with_login = Settings {
        credentials: Some(("user".to_owned(), "s3cret".to_owned())),
        ..Settings::from(security)
    };
    let first = match security {
        Security::Plain => Relay::start(security).await,
        Security::StartTls | Security::Implicit => Relay::start(with_login).await,
    };
    let second = Relay::start(Security::Plain).await;
    first.inject(fault.clone());

    let result = courier([&first, &second])
        .deliver(&sample::letter(1, "482913"))
        .await;

    let given = (first.messages().len(), second.messages().len());
    let ending = match (&result, given) {
        (Ok(()), (0, 1)) => Ending::NextRelay,
        (Err(DeliveryError::Transient { .. }), (0, 0)) => Ending::Later,
        (Err(DeliveryError::Transient { .. }), (1, 0)) => Ending::Unknown,
        (Err(DeliveryError::Permanent { .. }), (0, 0)) => Ending::Refused,
        other => panic!("{fault:?}: {other:?}"),
    };
    if let Err(error) = result {
        assert_eq!(second.connections(), 0, "{fault:?}");
        assert!(
            error.to_string().contains(&first.address().to_string()),
            "{error}"
        );
    }
    ending
}

#[tokio::test]
async fn a_refusal_is_judged_by_its_code_and_by_what_it_refuses() {
    for (verb, code, ending) in [
        (Verb::Greeting, 421, Ending::NextRelay),
        (Verb::Greeting, 554, Ending::NextRelay),
        (Verb::Ehlo, 421, Ending::NextRelay),
        (Verb::Ehlo, 550, Ending::NextRelay),
        (Verb::StartTls, 454, Ending::NextRelay),
        (Verb::Auth, 454, Ending::NextRelay),
        (Verb::Auth, 535, Ending::NextRelay),
        (Verb::Mail, 421, Ending::NextRelay),
        (Verb::Mail, 452, Ending::NextRelay),
        (Verb::Mail, 550, Ending::NextRelay),
        (Verb::Rcpt, 421, Ending::NextRelay),
        (Verb::Rcpt, 450, Ending::Later),
        (Verb::Rcpt, 451, Ending::Later),
        (Verb::Rcpt, 452, Ending::Later),
        (Verb::Rcpt, 550, Ending::Refused),
        (Verb::Rcpt, 552, Ending::Refused),
        (Verb::Data, 421, Ending::NextRelay),
        (Verb::Data, 451, Ending::Later),
        (Verb::Data, 554, Ending::Refused),
        (Verb::EndOfData, 421, Ending::Later),
        (Verb::EndOfData, 452, Ending::Later),
        (Verb::EndOfData, 550, Ending::Refused),
        (Verb::EndOfData, 554, Ending::Refused),
    ] {
        let found = meet(Security::StartTls, Fault::refuse(verb, code)).await;
        assert_eq!(found, ending, "{code} to {verb:?}");
    }
}

#[tokio::test]
async fn a_relay_that_leaves_is_left_and_only_after_the_final_dot_is_it_unknown() {
    for (verb, ending) in [
        (Verb::Greeting, Ending::NextRelay),
        (Verb::Ehlo, Ending::NextRelay),
        (Verb::StartTls, Ending::NextRelay),
        (Verb::Auth, Ending::NextRelay),
        (Verb::Mail, Ending::NextRelay),
        (Verb::Rcpt, Ending::NextRelay),
        (Verb::Data, Ending::NextRelay),
        (Verb::EndOfData, Ending::Unknown),
    ] {
        let found = meet(Security::StartTls, Fault::Close(verb)).await;
        assert_eq!(found, ending, "closed at {verb:?}");
    }
}

#[tokio::test]
async fn a_relay_that_does_not_answer_is_not_waited_for() {
    let (mail, rcpt, end) = tokio::join!(
        meet(Security::Plain, Fault::Hang(Verb::Mail)),
        meet(Security::Plain, Fault::Hang(Verb::Rcpt)),
        meet(Security::Plain, Fault::Hang(Verb::EndOfData)),
    );
    assert_eq!(
        (mail, rcpt, end),
        (Ending::NextRelay, Ending::NextRelay, Ending::Unknown)
    );
    let minute = Duration::from_mins(1);
    let (greeting, ehlo) = tokio::join!(
        meet(Security::Plain, Fault::Tarpit(Verb::Greeting, minute)),
        meet(Security::Implicit, Fault::Tarpit(Verb::Ehlo, minute)),
    );
    assert_eq!((greeting, ehlo), (Ending::NextRelay, Ending::NextRelay));
}

#[tokio::test]
async fn what_is_no_smtp_is_no_success() {
    for (verb, words, ending) in [
        (Verb::Greeting, "hello", Ending::NextRelay),
        (Verb::Greeting, "22", Ending::NextRelay),
        (Verb::Mail, "999 strange", Ending::NextRelay),
        (Verb::Mail, "354 out of step", Ending::NextRelay),
        (Verb::Rcpt, "354 out of step", Ending::NextRelay),
        (Verb::Data, "250 out of step", Ending::NextRelay),
        (Verb::Data, "ok", Ending::NextRelay),
        (Verb::EndOfData, "ok", Ending::Later),
        (Verb::EndOfData, "251 not quite", Ending::Unknown),
        (Verb::EndOfData, "354 out of step", Ending::Unknown),
        (Verb::EndOfData, "221 bye", Ending::Unknown),
    ] {
        let found = meet(Security::Plain, Fault::Reply(verb, words.to_owned())).await;
        assert_eq!(found, ending, "{words} to {verb:?}");
    }
    let endless = meet(Security::Plain, Fault::HugeBanner(10_000_000)).await;
    assert_eq!(endless, Ending::NextRelay);
}

#[tokio::test]
async fn a_reply_may_have_several_lines() {
    let relay = Relay::start(Security::Plain).await;
    let words = "250-one\r\n250-two\r\n250 three".to_owned();
    relay.inject(Fault::Reply(Verb::EndOfData, words));
    let courier = courier([&relay]);
    for number in [1, 2] {
        courier
            .deliver(&sample::letter(number, "482913"))
            .await
            .unwrap();
    }
    assert_eq!((relay.messages().len(), relay.connections()), (2, 1));
}

#[tokio::test]
async fn without_tls_neither_password_nor_mail_is_sent() {
    let login = Some(("user".to_owned(), "s3cret".to_owned()));
    let other_name = vec!["other.example".to_owned()];
    let good = Settings {
        credentials: login,
        ..Settings::from(Security::StartTls)
    };
    let implicit = Settings {
        security: Security::Implicit,
        ..good.clone()
    };
    let bad_name = |settings: &Settings| Settings {
        names: other_name.clone(),
        ..settings.clone()
    };
    let injected = "220 go ahead\r\n250-relay.example\r\n250 AUTH PLAIN".to_owned();
    for (relay, fault, is_trusted) in [
        (good.clone(), Some(Fault::StripStartTls), true),
        (good.clone(), Some(Fault::BrokenTls), true),
        (implicit.clone(), Some(Fault::BrokenTls), true),
        (
            good.clone(),
            Some(Fault::Reply(Verb::StartTls, injected)),
            true,
        ),
        (bad_name(&good), None, true),
        (bad_name(&implicit), None, true),
        (good, None, false),
        (implicit, None, false),
    ] {
        let stranger = Relay::start(Security::Plain).await;
        let relay = Relay::start(relay).await;
        let label = format!("{fault:?} {is_trusted} {}", relay.url());
        if let Some(fault) = fault {
            relay.inject(fault);
        }
        let trusted = if is_trusted { &relay } else { &stranger };
        let settings = RelaySettings {
            ca_pem: Some(trusted.ca_pem().into()),
            ..settings(&relay)
        };
        let courier = SmtpCourier::new(renderer(), vec![settings]).unwrap();

        let error = courier
            .deliver(&sample::letter(1, "482913"))
            .await
            .unwrap_err();

        assert!(
            matches!(error, DeliveryError::Transient { .. }),
            "{label}: {error}"
        );
        assert!(!error.to_string().contains("s3cret"), "{label}: {error}");
        let said = relay.commands().concat();
        let said = String::from_utf8(said).unwrap();
        assert!(
            !said.contains("AUTH") && !said.contains("MAIL"),
            "{label}: {said}"
        );
        assert_eq!(relay.messages(), [], "{label}");
    }
}

#[tokio::test]
async fn the_second_relay_is_used_while_the_first_is_down() {
    let mut first = Relay::start(Security::StartTls).await;
    let second = Relay::start(Security::Implicit).await;
    let courier = courier([&first, &second]);
    first.stop().await;
    courier.deliver(&sample::letter(1, "482913")).await.unwrap();
    assert_eq!((first.messages().len(), second.messages().len()), (0, 1));

    first.restart().await;
    courier.deliver(&sample::letter(2, "482913")).await.unwrap();
    assert_eq!((first.messages().len(), second.messages().len()), (1, 1));
}

#[tokio::test]
async fn when_every_relay_is_down_the_error_names_each() {
    let mut first = Relay::start(Security::StartTls).await;
    let second = Relay::start(Security::Plain).await;
    let courier = courier([&first, &second]);
    first.stop().await;
    second.inject(Fault::Reply(Verb::Greeting, "421 4.3.2 closing".to_owned()));

    let error = courier
        .deliver(&sample::letter(1, "482913"))
        .await
        .unwrap_err();

    let DeliveryError::Transient { cause, reply } = error else {
        panic!("{error:?}");
    };
    assert!(
        cause.contains(&format!("relay {} at connect: ", first.address())),
        "{cause}"
    );
    assert!(
        cause.ends_with(&format!("relay {} at connect: 421 4.3.2", second.address())),
        "{cause}"
    );
    let enhanced = Some((4, 3, 2));
    assert_eq!(
        reply,
        Some(Reply {
            code: 421,
            enhanced
        })
    );
}

#[tokio::test]
async fn an_error_says_the_numbers_and_not_the_words_of_the_relay() {
    let relay = Relay::start(Security::Plain).await;
    for words in [
        "550 5.1.1 <person@example.com>: 482913",
        "550-5.1.1 person@example.com\r\n550 5.1.1 482913",
        "person@example.com 482913",
    ] {
        relay.inject(Fault::Reply(Verb::Rcpt, words.to_owned()));
        let error = courier([&relay])
            .deliver(&sample::letter(1, "482913"))
            .await
            .unwrap_err();
        let all = format!("{error} {error:?}");
        assert!(!all.contains("person") && !all.contains("482913"), "{all}");
        if words.starts_with("550") {
            let enhanced = Some((5, 1, 1));
            assert_eq!(
                error.reply(),
                Some(Reply {
                    code: 550,
                    enhanced
                }),
                "{words}"
            );
        }
    }
    assert_eq!(relay.messages(), []);
}

#[tokio::test]
async fn a_retry_after_an_unknown_outcome_is_the_same_message() {
    let relay = Relay::start(Security::Plain).await;
    let courier = courier([&relay]);
    relay.inject_times(Fault::Close(Verb::EndOfData), 1);
    let letter = sample::letter(1, "482913");

    courier.deliver(&letter).await.unwrap_err();
    courier.deliver(&letter).await.unwrap();

    let [first, second] = &relay.messages()[..] else {
        panic!("the message was sent twice")
    };
    assert_eq!(first.data, second.data);
    assert_eq!(
        (first.is_acknowledged, second.is_acknowledged),
        (false, true)
    );
}
