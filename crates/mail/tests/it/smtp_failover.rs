//! Several relays in order: when the next one is asked, and when one is left alone.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use otpost_domain::Address;
use otpost_mail::{Patience, RelaySettings, SmtpCourier};
use otpost_ports::{Courier, DeliveryError, Letter, Reply};
use otpost_testkit::relay::{Fault, Relay, Security, Verb};
use otpost_testkit::sample;
use tokio::task::JoinSet;
use tracing::field::{Field, Visit};
use tracing::span;

use crate::{courier, renderer, settings};

/// So many failures in a row open the circuit of a relay.
const FAILURES: u8 = 5;
/// The first pause after that is over.
const PAUSE: Duration = Duration::from_millis(1_100);

fn letter_to(number: u8, domain: &str) -> Letter {
    Letter {
        to: Address::parse(&format!("person@{domain}")).unwrap(),
        ..sample::letter(number, "482913")
    }
}

async fn deliver(courier: &SmtpCourier, number: u8) -> Result<(), DeliveryError> {
    courier.deliver(&sample::letter(number, "482913")).await
}

async fn pass_time(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn the_second_relay_is_used_while_the_first_is_down() {
    let mut first = Relay::start(Security::StartTls).await;
    let second = Relay::start(Security::Implicit).await;
    let courier = courier([&first, &second]);
    first.stop().await;
    deliver(&courier, 1).await.unwrap();
    assert_eq!((first.messages().len(), second.messages().len()), (0, 1));

    first.restart().await;
    deliver(&courier, 2).await.unwrap();
    assert_eq!((first.messages().len(), second.messages().len()), (1, 1));
}

#[tokio::test]
async fn when_every_relay_is_down_the_error_names_each() {
    let mut first = Relay::start(Security::StartTls).await;
    let second = Relay::start(Security::Plain).await;
    let courier = courier([&first, &second]);
    first.stop().await;
    second.inject(Fault::Reply(Verb::Greeting, "421 4.3.2 closing".to_owned()));

    let error = deliver(&courier, 1).await.unwrap_err();

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
        let error = deliver(&courier([&relay]), 1).await.unwrap_err();
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

    deliver(&courier, 1).await.unwrap_err();
    deliver(&courier, 1).await.unwrap();

    let [first, second] = &relay.messages()[..] else {
        panic!("the message was sent twice")
    };
    assert_eq!(first.data, second.data);
    assert_eq!(
        (first.is_acknowledged, second.is_acknowledged),
        (false, true)
    );
}

/// With the patience of production, and not that of the other tests.
#[tokio::test]
async fn wherever_the_first_relay_stalls_the_second_has_the_mail_within_five_seconds() {
    let stalls = [Verb::Greeting, Verb::StartTls, Verb::Mail, Verb::Data];
    let mut tasks = JoinSet::new();
    for verb in stalls {
        tasks.spawn(async move {
            let first = Relay::start(Security::StartTls).await;
            let second = Relay::start(Security::StartTls).await;
            first.inject(Fault::Tarpit(verb, Duration::from_mins(1)));
            let in_production = |relay: &Relay| RelaySettings {
                patience: Patience::default(),
                ..settings(relay)
            };
            let relays = vec![in_production(&first), in_production(&second)];
            let courier = SmtpCourier::new(renderer(), relays).unwrap();
            let start = Instant::now();
            deliver(&courier, 1).await.unwrap();
            let took = start.elapsed();
            assert!(took < Duration::from_secs(5), "{verb:?}: {took:?}");
            assert_eq!((first.connections(), second.messages().len()), (1, 1));
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn whoever_waits_for_a_stalled_relay_is_sent_by_the_second_as_fast() {
    let first = Relay::start(Security::Plain).await;
    let second = Relay::start(Security::Plain).await;
    first.inject(Fault::Hang(Verb::Greeting));
    let courier = Arc::new(courier([&first, &second]));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..40 {
        let courier = courier.clone();
        tasks.spawn(async move { deliver(&courier, number).await });
    }
    for delivered in tasks.join_all().await {
        delivered.unwrap();
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!((first.connections(), second.messages().len()), (8, 40));
}

#[tokio::test]
async fn a_relay_that_fails_again_and_again_is_left_alone_until_one_probe_succeeds() {
    let first = Relay::start(Security::Plain).await;
    let second = Relay::start(Security::Plain).await;
    let courier = Arc::new(courier([&first, &second]));
    first.inject(Fault::refuse(Verb::Greeting, 421));
    for number in 0..3 * FAILURES {
        deliver(&courier, number).await.unwrap();
    }
    assert_eq!(first.connections(), usize::from(FAILURES));
    assert_eq!(second.messages().len(), usize::from(3 * FAILURES));

    // The pause is over: one message finds out, and none waits for it.
    first.inject(Fault::Hang(Verb::Greeting));
    pass_time(PAUSE).await;
    let mut tasks = JoinSet::new();
    for number in 0..10 {
        let courier = courier.clone();
        tasks.spawn(async move { deliver(&courier, number).await });
    }
    let start = Instant::now();
    for _ in 0..9 {
        tasks.join_next().await.unwrap().unwrap().unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(first.connections(), usize::from(FAILURES) + 1);
    tasks.join_next().await.unwrap().unwrap().unwrap();

    // It failed, so that the next pause is longer; then it works again.
    first.heal();
    pass_time(PAUSE).await;
    deliver(&courier, 1).await.unwrap();
    assert_eq!(first.connections(), usize::from(FAILURES) + 1);
    pass_time(PAUSE).await;
    deliver(&courier, 2).await.unwrap();
    deliver(&courier, 3).await.unwrap();
    assert_eq!(first.messages().len(), 2);
}

#[tokio::test]
async fn a_mail_that_finds_every_relay_left_alone_was_not_tried() {
    let mut relay = Relay::start(Security::Plain).await;
    let courier = courier([&relay]);
    relay.stop().await;
    for number in 0..FAILURES {
        let error = deliver(&courier, number).await.unwrap_err();
        assert!(matches!(error, DeliveryError::Transient { .. }), "{error}");
    }
    relay.restart().await;

    let error = deliver(&courier, 1).await.unwrap_err();
    let DeliveryError::Busy { wait, .. } = error else {
        panic!("{error}")
    };
    assert!(Duration::ZERO < wait && wait <= PAUSE, "{wait:?}");
    assert!(error.to_string().ends_with("left alone"), "{error}");
    assert_eq!(relay.connections(), 0);

    pass_time(PAUSE).await;
    deliver(&courier, 1).await.unwrap();
    assert_eq!(relay.messages().len(), 1);
}

#[tokio::test]
async fn refused_messages_do_not_speak_against_their_relay() {
    for (verb, code) in [
        (Verb::Rcpt, 450),
        (Verb::Rcpt, 550),
        (Verb::Data, 554),
        (Verb::EndOfData, 452),
        // One sender that is not wanted may be one project's mistake.
        (Verb::Mail, 550),
    ] {
        let relay = Relay::start(Security::Plain).await;
        let courier = courier([&relay]);
        relay.inject(Fault::refuse(verb, code));
        for number in 0..2 * FAILURES {
            deliver(&courier, number).await.unwrap_err();
        }
        relay.heal();
        deliver(&courier, 1).await.unwrap();
        assert_eq!(relay.messages().len(), 1, "{code} to {verb:?}");
    }
}

#[tokio::test]
async fn trouble_of_its_own_opens_the_circuit_of_a_relay() {
    let words = |verb, words: &str| Fault::Reply(verb, words.to_owned());
    for fault in [
        Fault::refuse(Verb::Greeting, 554),
        Fault::refuse(Verb::Ehlo, 550),
        words(Verb::Greeting, "hello"),
        Fault::Close(Verb::Greeting),
        Fault::refuse(Verb::Mail, 451),
        Fault::refuse(Verb::Rcpt, 421),
        Fault::refuse(Verb::EndOfData, 421),
        Fault::Close(Verb::Mail),
    ] {
        let relay = Relay::start(Security::Plain).await;
        let courier = courier([&relay]);
        relay.inject(fault.clone());
        for number in 0..FAILURES {
            let error = deliver(&courier, number).await.unwrap_err();
            let is_try = matches!(error, DeliveryError::Transient { .. });
            assert!(is_try, "{fault:?}: {error}");
        }
        let error = deliver(&courier, 1).await.unwrap_err();
        assert!(matches!(error, DeliveryError::Busy { .. }), "{fault:?}");
        assert_eq!(relay.connections(), usize::from(FAILURES), "{fault:?}");
    }
}

#[tokio::test]
async fn a_domain_that_stalls_is_not_the_relay_and_five_of_them_are() {
    let relay = Relay::start(Security::Plain).await;
    let courier = courier([&relay]);
    relay.inject(Fault::Close(Verb::Rcpt));
    for number in 0..2 * FAILURES {
        let letter = letter_to(number, "slow.example");
        let error = courier.deliver(&letter).await.unwrap_err();
        assert!(matches!(error, DeliveryError::Transient { .. }), "{error}");
    }
    for number in 1..FAILURES {
        let letter = letter_to(number, &format!("other-{number}.example"));
        courier.deliver(&letter).await.unwrap_err();
    }
    let connections = relay.connections();
    let error = deliver(&courier, 1).await.unwrap_err();
    assert!(matches!(error, DeliveryError::Busy { .. }), "{error}");
    assert_eq!(relay.connections(), connections);
}

/// Keeps what is logged, as a level and the fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("otpost")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                write!(self.0, " {field}={value:?}").unwrap();
            }
        }
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn that_a_relay_fails_and_works_again_is_logged_once_each() {
    let lines = Lines::default();
    let _logging = tracing::subscriber::set_default(lines.clone());
    let relay = Relay::start(Security::Plain).await;
    let courier = courier([&relay]);
    relay.inject(Fault::refuse(Verb::Greeting, 421));
    for number in 0..2 * FAILURES {
        deliver(&courier, number).await.unwrap_err();
    }
    pass_time(PAUSE).await;
    deliver(&courier, 1).await.unwrap_err();
    relay.heal();
    pass_time(2 * PAUSE).await;
    for number in 1..=3 {
        deliver(&courier, number).await.unwrap();
    }
    let label = relay.address();
    assert_eq!(
        *lines.0.lock().unwrap(),
        [
            format!("WARN message=the relay fails: it is left alone relay=\"{label}\""),
            format!("INFO message=the relay works again relay=\"{label}\""),
        ]
    );
}
