//! The scripted relay does what it is told, on real sockets.
#![expect(clippy::unwrap_used, reason = "a client for tests only")]

use std::sync::Arc;
use std::time::Duration;

use otpost_testkit::relay::{Fault, Relay, Security, Settings, Verb};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const MESSAGE: &str = "Subject: x\r\n\r\n..dots\r\n.\r\n";

/// A client that says what it is told.
struct Client<S>(BufReader<S>);

impl Client<TcpStream> {
    async fn connect(relay: &Relay) -> Self {
        Self(BufReader::new(connect(relay).await))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// The last line of the next reply; empty when the relay hung up.
    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            let length = self.0.read_line(&mut line).await.unwrap_or(0);
            if length == 0 || line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    /// The reply to `words`; empty when the relay hung up.
    async fn say(&mut self, words: &str) -> String {
        // That the relay is gone shows in its reply.
        let _ = self.0.write_all(words.as_bytes()).await;
        let _ = self.0.flush().await;
        self.reply().await
    }

    /// Says each line and shows the codes of the replies.
    async fn codes(&mut self, lines: &[&str]) -> Vec<String> {
        let mut codes = Vec::new();
        for line in lines {
            let reply = self.say(&format!("{line}\r\n")).await;
            codes.push(reply.get(..3).unwrap_or(&reply).to_owned());
        }
        codes
    }

    /// Sends a message, up to the first refusal.
    async fn mail(&mut self) -> Vec<String> {
        let mut codes = Vec::new();
        for words in [
            "EHLO me\r\n",
            "MAIL FROM:<a@b.example>\r\n",
            "RCPT TO:<c@d.example>\r\n",
            "DATA\r\n",
            MESSAGE,
        ] {
            let reply = self.say(words).await;
            codes.push(reply.get(..3).unwrap_or(&reply).to_owned());
            if !reply.starts_with(['2', '3']) {
                break;
            }
        }
        codes
    }
}

async fn connect(relay: &Relay) -> TcpStream {
    TcpStream::connect(relay.address()).await.unwrap()
}

async fn over_tls(
    relay: &Relay,
    name: &str,
    stream: TcpStream,
) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(relay.ca_pem().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    Ok(Client(BufReader::new(stream)))
}

async fn start_tls(relay: &Relay) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    let mut client = Client::connect(relay).await;
    client.reply().await;
    assert_eq!(client.codes(&["EHLO me", "STARTTLS"]).await, ["250", "220"]);
    over_tls(relay, "localhost", client.0.into_inner()).await
}

fn asks_for_login(security: Security) -> Settings {
    Settings {
        credentials: Some(("user".to_owned(), "word".to_owned())),
        ..security.into()
    }
}

#[tokio::test]
async fn a_message_is_kept_as_it_was_on_the_wire() {
    let relay = Relay::start(Security::Plain).await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.reply().await, "220 relay.example ESMTP");
    assert_eq!(client.mail().await, ["250", "250", "250", "354", "250"]);
    assert_eq!(client.codes(&["QUIT"]).await, ["221"]);

    let [message] = &relay.wait_for(1).await[..] else {
        panic!("one message was sent")
    };
    assert_eq!(message.from, "a@b.example");
    assert_eq!(message.recipients, ["c@d.example"]);
    assert_eq!(message.data, b"Subject: x\r\n\r\n..dots\r\n");
    assert_eq!(message.message(), b"Subject: x\r\n\r\n.dots\r\n");
    assert!(!message.is_encrypted && message.is_acknowledged && message.user.is_none());
    assert_eq!(relay.commands()[1], b"MAIL FROM:<a@b.example>\r\n");
    assert_eq!(relay.connections(), 1);
}

#[tokio::test]
async fn only_a_dot_between_two_line_ends_ends_a_message() {
    let relay = Relay::start(Security::Plain).await;
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    let lines = ["EHLO me", "MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"];
    client.codes(&lines).await;

    let smuggled = "a\n.\r\nb\r\n.\nMAIL FROM:<x@y.example>\r\n.\r\n";
    assert_eq!(client.say(smuggled).await, "250 2.0.0 taken");

    let messages = relay.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        messages[0].data,
        b"a\n.\r\nb\r\n.\nMAIL FROM:<x@y.example>\r\n"
    );
    assert_eq!(messages[0].from, "");
}

#[tokio::test]
async fn starttls_and_a_login_are_asked_for() {
    let relay = Relay::start(asks_for_login(Security::StartTls)).await;
    assert!(
        relay
            .url()
            .starts_with("smtp+starttls://user:word@127.0.0.1:")
    );
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    let plain = "AUTH PLAIN AHVzZXIAd29yZA==";
    let in_the_clear = ["EHLO me", plain, "MAIL FROM:<a@b.example>"];
    assert_eq!(client.codes(&in_the_clear).await, ["250", "502", "530"]);

    let mut client = start_tls(&relay).await.unwrap();
    let wrong = "AUTH PLAIN AHVzZXIAd29ybQ==";
    let lines = ["EHLO me", "MAIL FROM:<a@b.example>", wrong, plain];
    assert_eq!(client.codes(&lines).await, ["250", "530", "535", "235"]);
    assert_eq!(client.mail().await.last().unwrap(), "250");

    let messages = relay.messages();
    assert!(messages[0].is_encrypted);
    assert_eq!(messages[0].user.as_deref(), Some("user"));
}

#[tokio::test]
async fn a_login_in_two_steps_is_understood() {
    let relay = Relay::start(asks_for_login(Security::Implicit)).await;
    let stream = connect(&relay).await;
    let mut client = over_tls(&relay, "127.0.0.1", stream).await.unwrap();
    client.reply().await;

    let lines = ["EHLO me", "AUTH LOGIN", "dXNlcg==", "d29yZA=="];
    assert_eq!(client.codes(&lines).await, ["250", "334", "334", "235"]);
    let lines = ["AUTH PLAIN", "AHVzZXIAd29yZA=="];
    assert_eq!(client.codes(&lines).await, ["334", "235"]);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_believed() {
    let relay = Relay::start(Settings {
        names: vec!["other.example".to_owned()],
        ..Security::Implicit.into()
    })
    .await;
    assert!(
        over_tls(&relay, "localhost", connect(&relay).await)
            .await
            .is_err()
    );
    assert!(
        over_tls(&relay, "other.example", connect(&relay).await)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn each_verb_can_be_refused_or_cut_off() {
    let relay = Relay::start(Security::Plain).await;
    for (verb, place) in [
        (Verb::Greeting, 0),
        (Verb::Ehlo, 1),
        (Verb::Mail, 2),
        (Verb::Rcpt, 3),
        (Verb::Data, 4),
        (Verb::EndOfData, 5),
    ] {
        for (fault, answer) in [
            (Fault::refuse(verb, 451), "451"),
            (Fault::Reply(verb, "what?".to_owned()), "wha"),
            (Fault::Close(verb), ""),
        ] {
            relay.inject(fault);
            let mut client = Client::connect(&relay).await;
            let greeting = client.reply().await;
            let mut codes = vec![greeting.get(..3).unwrap_or_default().to_owned()];
            if place > 0 {
                codes.extend(client.mail().await);
            }
            assert_eq!(codes.last().unwrap(), answer, "{verb:?}");
            assert_eq!(codes.len(), place + 1, "{verb:?}");
        }
    }
    let messages = relay.messages();
    assert_eq!(
        messages.len(),
        1,
        "only the cut after the final dot keeps one"
    );
    assert!(!messages[0].is_acknowledged);
}

#[tokio::test]
async fn a_relay_can_leave_after_its_answer_or_answer_in_any_bytes() {
    let relay = Relay::start(Security::Plain).await;
    relay.inject(Fault::CloseAfter(Verb::Data));
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    assert_eq!(client.mail().await, ["250", "250", "250", "354", ""]);
    assert_eq!(relay.messages(), []);

    relay.inject(Fault::CloseAfter(Verb::EndOfData));
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    assert_eq!(client.mail().await.last().unwrap(), "250");
    assert_eq!(client.reply().await, "");
    assert!(relay.messages()[0].is_acknowledged);

    let bytes = b"250 one\r\n250 two\r\n".to_vec();
    relay.inject(Fault::Bytes(Verb::Mail, bytes));
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    assert_eq!(client.codes(&["EHLO me"]).await, ["250"]);
    assert_eq!(client.say("MAIL FROM:<a@b.example>\r\n").await, "250 one");
    assert_eq!(client.reply().await, "250 two");
}

#[tokio::test]
async fn a_fault_can_be_for_one_domain_only() {
    let relay = Relay::start(Security::Plain).await;
    relay.inject(Fault::refuse(Verb::Rcpt, 450).only_for("slow.example"));
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    let lines = [
        "EHLO me",
        "MAIL FROM:<a@b.example>",
        "RCPT TO:<c@slow.example>",
        "RCPT TO:<c@very.slow.example>",
        "RCPT TO:<c@quick.example>",
        "RCPT TO:<c@notslow.example>",
    ];
    let codes = ["250", "250", "450", "450", "250", "250"];
    assert_eq!(client.codes(&lines).await, codes);
}

#[tokio::test]
async fn a_fault_ends_after_so_many_connections() {
    let relay = Relay::start(Security::Plain).await;
    relay.inject_times(Fault::refuse(Verb::Greeting, 421), 2);
    for greeting in ["421 not today", "421 not today", "220 relay.example ESMTP"] {
        assert_eq!(Client::connect(&relay).await.reply().await, greeting);
    }
    relay.inject(Fault::refuse(Verb::Greeting, 554));
    assert_eq!(Client::connect(&relay).await.reply().await, "554 not today");
    relay.heal();
    assert!(
        Client::connect(&relay)
            .await
            .reply()
            .await
            .starts_with("220")
    );
}

#[tokio::test]
async fn a_relay_that_hangs_says_nothing_more() {
    let relay = Relay::start(Security::Plain).await;
    relay.inject(Fault::Hang(Verb::Ehlo));
    let mut client = Client::connect(&relay).await;
    client.reply().await;

    let silence = Duration::from_millis(50);
    let answer = tokio::time::timeout(silence, client.say("EHLO me\r\n")).await;
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn a_tarpit_is_slow_and_says_it_all_the_same() {
    let relay = Relay::start(Security::Plain).await;
    let pause = Duration::from_millis(2);
    relay.inject(Fault::Tarpit(Verb::Greeting, pause));

    let start = std::time::Instant::now();
    let greeting = Client::connect(&relay).await.reply().await;
    assert_eq!(greeting, "220 relay.example ESMTP");
    assert!(start.elapsed() >= pause * 20);
}

#[tokio::test]
async fn a_banner_can_be_huge_and_a_reply_can_have_lines() {
    let relay = Relay::start(Security::Plain).await;
    relay.inject(Fault::HugeBanner(1_000_000));
    let mut client = Client::connect(&relay).await;
    let mut bytes = 0;
    loop {
        let mut line = String::new();
        bytes += client.0.read_line(&mut line).await.unwrap();
        if line.starts_with("220 ") {
            break;
        }
    }
    assert!(bytes >= 1_000_000, "{bytes}");

    relay.inject(Fault::Reply(Verb::Mail, "250-one\r\n250 two".to_owned()));
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    assert_eq!(client.mail().await.last().unwrap(), "250");
}

#[tokio::test]
async fn tls_can_be_stripped_or_broken() {
    let relay = Relay::start(Security::StartTls).await;
    relay.inject_times(Fault::StripStartTls, 1);
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    client.0.write_all(b"EHLO me\r\n").await.unwrap();
    let mut offered = String::new();
    while !offered.contains("250 ") {
        client.0.read_line(&mut offered).await.unwrap();
    }
    assert!(!offered.contains("STARTTLS"), "{offered}");
    assert_eq!(client.codes(&["STARTTLS"]).await, ["502"]);

    relay.inject_times(Fault::BrokenTls, 1);
    assert!(start_tls(&relay).await.is_err());
    assert!(start_tls(&relay).await.is_ok());
    assert!(relay.messages().is_empty());
}

#[tokio::test]
async fn a_relay_that_was_stopped_comes_back_on_its_port() {
    let mut relay = Relay::start(Security::Plain).await;
    let mut open = Client::connect(&relay).await;
    open.reply().await;

    relay.stop().await;
    assert_eq!(open.reply().await, "", "an open connection is cut");
    assert!(TcpStream::connect(relay.address()).await.is_err());

    relay.restart().await;
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    assert_eq!(client.mail().await.last().unwrap(), "250");
    assert_eq!(relay.wait_for(1).await.len(), 1);
}

#[tokio::test]
async fn a_relay_ends_when_it_is_dropped() {
    let relay = Relay::start(Security::Plain).await;
    let mut client = Client::connect(&relay).await;
    client.reply().await;
    let address = relay.address();

    drop(relay);

    assert_eq!(client.reply().await, "");
    assert!(TcpStream::connect(address).await.is_err());
}
