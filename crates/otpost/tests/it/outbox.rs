//! Mails that wait or failed: listed without their readers, retried, and dropped for good.

use otpost_testkit::relay::{Fault, Relay, Security, Verb};

use crate::support::{Api, Otpost, Place};

const ADA: &str = "ada@customer.example";

struct Bench {
    relay: Relay,
    place: Place,
    otpost: Otpost,
    api: Api,
}

impl Bench {
    async fn new() -> Self {
        let relay = Relay::start(Security::Plain).await;
        let place = Place::new();
        place.init(&format!("[\"{}\"]", relay.url()));
        let otpost = Otpost::serve(place.path());
        let api = otpost.api(&place.key(&[]));
        Self {
            relay,
            place,
            otpost,
            api,
        }
    }

    /// A session whose mail was refused for good.
    async fn failed(&self) -> String {
        self.relay.inject(Fault::refuse(Verb::Rcpt, 550));
        // Nobody guesses a code of eight digits.
        let body = serde_json::json!({ "email": ADA, "code_length": 8 });
        let session = self.api.post("send", &body).await;
        let session = session.text("/data/session_id");
        self.api.wait_until_failed(&session).await;
        self.relay.heal();
        session
    }

    /// What `outbox list` shows, a row each, without its head.
    fn list(&self, words: &[&str]) -> Vec<Vec<String>> {
        let said = self.place.output_of(&[&["outbox", "list"], words].concat());
        let rows = said.lines().filter(|line| !line.starts_with("ID "));
        let cells = |row: &str| row.split_whitespace().map(str::to_owned).collect();
        rows.map(cells).collect()
    }

    fn otpost(&self, words: &[&str]) -> String {
        self.place.output_of(&[&["outbox"], words].concat())
    }

    fn refusal(&self, words: &[&str]) -> String {
        self.place.otpost(&[&["outbox"], words].concat()).refusal()
    }

    /// Sends a mail that comes after all that could have come before it, and who was mailed.
    async fn mailed_until_bob(&self) -> Vec<String> {
        let session = self.api.send("bob@customer.example").await;
        self.api.wait_until_sent(&session).await;
        let received = self.relay.messages().into_iter();
        received.flat_map(|one| one.recipients).collect()
    }
}

#[tokio::test]
async fn a_mail_that_failed_is_listed_with_the_reply_and_retried() {
    let bench = Bench::new().await;
    let session = bench.failed().await;

    let said = bench.otpost(&["list"]);
    assert!(!said.contains("ada") && !said.contains(&session), "{said}");
    let rows = bench.list(&["--failed"]);
    let [row] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    let id = &row[0];
    assert_eq!(row[1..3], ["shop", "login"]);
    assert_eq!(row[4..], ["failed", "1", "-", "550"]);
    let log = bench.otpost.log();
    let line = log
        .lines()
        .find(|line| line.contains("mail failed for good"));
    assert!(line.is_some_and(|line| line.contains("550")), "{log}");

    let said = bench.otpost(&["retry", &id[..6]]);

    assert!(
        said.contains(&format!("The mail {id} is due now")),
        "{said}"
    );
    bench.api.wait_until_sent(&session).await;
    let message = String::from_utf8(bench.relay.messages()[0].message()).unwrap();
    assert!(message.contains(&format!("<{id}")), "{id}: {message}");
    assert_eq!(bench.otpost(&["list"]), "No mail waits, and none failed.");
    let refused = bench.refusal(&["retry", id]);
    assert!(
        refused.contains("no mail that waits or failed"),
        "{refused}"
    );
    assert_eq!(bench.relay.messages().len(), 1);
}

#[tokio::test]
async fn a_mail_that_waits_is_dropped_and_never_sent() {
    let mut bench = Bench::new().await;
    bench.relay.stop().await;
    let session = bench.api.send(ADA).await;
    let rows = bench.list(&[]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0][4], "queued");
    assert!(rows[0][6].ends_with('Z'), "when it is due: {rows:?}");
    assert_eq!(bench.otpost(&["list", "--failed"]), "No mail failed.");

    let said = bench.otpost(&["drop", &rows[0][0]]);

    assert!(said.contains("is dropped"), "{said}");
    assert_eq!(bench.api.delivery(&session).await, "failed");
    for words in [["retry", &rows[0][0]], ["drop", &rows[0][0]]] {
        let refused = bench.refusal(&words);
        assert!(refused.contains("no mail that waits"), "{refused}");
    }
    bench.relay.restart().await;
    assert_eq!(bench.mailed_until_bob().await, ["bob@customer.example"]);
    assert_eq!(bench.api.delivery(&session).await, "failed");
    assert_eq!(bench.otpost(&["list"]), "No mail waits, and none failed.");
}

#[tokio::test]
async fn a_mail_that_is_dropped_on_its_way_stays_dropped() {
    let bench = Bench::new().await;
    bench.relay.inject_times(Fault::refuse(Verb::Rcpt, 451), 1);
    bench.relay.hold();
    let session = bench.api.send(ADA).await;
    bench.relay.wait_for_connections(1).await;

    let said = bench.otpost(&["drop", &bench.list(&[])[0][0]]);

    assert!(said.contains("may still reach a relay"), "{said}");
    bench.relay.release();
    assert_eq!(bench.mailed_until_bob().await, ["bob@customer.example"]);
    assert_eq!(bench.api.delivery(&session).await, "failed");
    assert_eq!(bench.otpost(&["list"]), "No mail waits, and none failed.");
}

#[tokio::test]
async fn a_mail_that_nobody_can_answer_is_not_retried() {
    let bench = Bench::new().await;
    let session = bench.failed().await;
    for _ in 0..5 {
        assert_eq!(bench.api.verify(&session, "00000000").await.status, 400);
    }
    let id = &bench.list(&["--failed"])[0][0];

    let refused = bench.refusal(&["retry", id]);
    assert!(refused.contains("its session ended"), "{refused}");
    let said = bench.otpost(&["retry", "--all-failed"]);
    assert!(
        said.starts_with("No mail is due now. 1 mail is too late"),
        "{said}"
    );
    assert_eq!(bench.list(&["--failed"])[0][4], "failed");

    assert_eq!(
        bench.otpost(&["drop", "--all-failed"]),
        "1 mail is dropped."
    );
    assert_eq!(bench.otpost(&["list"]), "No mail waits, and none failed.");
    assert_eq!(bench.mailed_until_bob().await, ["bob@customer.example"]);
}

#[tokio::test]
async fn all_mails_that_failed_are_retried_at_once_and_older_ones_are_told_of() {
    let bench = Bench::new().await;
    bench.relay.inject(Fault::refuse(Verb::EndOfData, 552));
    let mut sessions = Vec::new();
    for count in 0..3 {
        let address = format!("reader{count}@customer.example");
        sessions.push(bench.api.send(&address).await);
    }
    for session in &sessions {
        bench.api.wait_until_failed(session).await;
    }
    bench.relay.heal();
    let said = bench.otpost(&["list", "--limit", "2"]);
    assert!(said.ends_with("\nolder mails: --limit 4"), "{said}");

    let said = bench.otpost(&["retry", "--all-failed"]);

    assert_eq!(said, "3 mails are due now.");
    for session in &sessions {
        bench.api.wait_until_sent(session).await;
    }
    assert_eq!(bench.relay.messages().len(), 3);
}

#[tokio::test]
async fn what_names_no_mail_is_refused_and_nothing_is_done() {
    let bench = Bench::new().await;
    bench.failed().await;
    for (words, reason) in [
        (&["drop", "ada@customer.example"][..], "hexadecimal digits"),
        (
            &["drop", "0123456789abcdef"],
            "no mail that waits or failed",
        ),
        (&["drop"], "--all-failed"),
        (&["retry", "ab", "--all-failed"], "cannot be used with"),
    ] {
        let refused = bench.refusal(words);
        assert!(refused.contains(reason), "{words:?}: {refused}");
    }
    assert_eq!(bench.list(&["--failed"]).len(), 1);
    assert_eq!(bench.mailed_until_bob().await, ["bob@customer.example"]);
}
