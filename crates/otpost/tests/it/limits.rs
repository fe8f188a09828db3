//! Limits on the real program, on either engine: mails and judged guesses are counted under 100
//! connections, across a crash, and over two nodes.

use std::time::Instant;

use otpost_testkit::relay::{Relay, Security};
use serde_json::{Value, json};

use crate::support::{Answer, Api, Asked, Client, Otpost, Place, Service, on_both, storm, wrong};

on_both! {
    an_address_gets_no_more_mails_than_its_limits
    a_network_causes_no_more_mails_than_its_limits
    a_project_and_the_installation_mail_no_more_than_their_limits
    a_resend_is_charged_as_a_send_is
    a_project_has_no_more_guesses_judged_than_its_limit
    reads_are_limited_by_each_process_for_itself
    past_its_wrong_codes_of_the_day_a_project_has_one_guess_a_session
    a_project_that_uses_up_its_wrong_codes_of_the_day_is_in_the_log_once
    past_its_wrong_codes_of_the_day_a_strict_project_is_refused
    a_limit_of_0_is_off_a_project_has_its_own_and_the_exempt_have_none
    test_keys_touch_no_counter
    a_service_has_the_documented_limits_without_any_setting
    over_all_projects_an_address_gets_threefold
    a_peer_without_a_key_is_bounded_and_one_with_a_known_key_is_not
}

const REQUESTS: usize = 100;

fn dev(place: &Place, toml: &str) -> (Otpost, Api) {
    place.write("otpost.toml", toml);
    place.dev()
}

/// Kills the program, and starts it anew on what it left.
fn crash(otpost: Otpost, place: &Place) -> (Otpost, Api) {
    otpost.kill();
    place.dev()
}

/// A hundred sends with these members.
fn sends(body: impl Fn(usize) -> Value) -> Vec<Asked> {
    let sends = (0..REQUESTS).map(|number| ("send".to_owned(), body(number)));
    sends.collect()
}

/// The answers with 200; all others are refusals by the limit `name`, which waits at most
/// `wait_secs`.
fn let_through<'a>(answers: &'a [Answer], name: &str, wait_secs: u64) -> Vec<&'a Answer> {
    let (through, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    for answer in refused {
        is_limited(answer, name, wait_secs);
    }
    through
}

fn is_limited(answer: &Answer, name: &str, wait_secs: u64) {
    assert_eq!(answer.status, 429, "{answer:?}");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "RATE_LIMITED");
    assert_eq!(error["details"]["limit"], name, "{answer:?}");
    let retry_after = error["details"]["retry_after"].as_u64().unwrap();
    assert!((1..=wait_secs).contains(&retry_after), "{answer:?}");
    let header = answer.header("retry-after").unwrap();
    assert_eq!(header, retry_after.to_string());
    for (header, begins) in [
        ("ratelimit", format!("\"{name}\";r=0;")),
        ("ratelimit-policy", format!("\"{name}\";q=")),
    ] {
        let value = answer.header(header).unwrap();
        assert!(value.starts_with(&begins), "{answer:?}");
    }
}

/// The mails that were captured, once those of all these sends are.
async fn mails(api: &Api, through: &[&Answer]) -> usize {
    for answer in through {
        api.wait_until_sent(&answer.text("/data/session_id")).await;
    }
    let inbox = api.client().await.get("/dev/inbox/messages").await;
    inbox.json()["messages"].as_array().unwrap().len()
}

/// That of a hundred sends on a hundred connections exactly `quota` are mailed, that the limit
/// outlives a crash, and that `other` is still let through.
async fn is_enforced(
    place: &Place,
    name: &str,
    quota: usize,
    wait: u64,
    body: impl Fn(usize) -> Value,
    other: Value,
) {
    let place = place.another().await;
    let (otpost, api) = dev(&place, &format!("limits.{name} = {quota}"));
    let answers = storm(&api, sends(&body)).await;
    let through = let_through(&answers, name, wait);
    assert_eq!(through.len(), quota, "{name}");
    assert_eq!(mails(&api, &through).await, quota, "{name}");
    for answer in through {
        let policy = answer.header("ratelimit-policy").unwrap();
        assert!(
            policy.starts_with(&format!("\"{name}\";q={quota};w=")),
            "{policy}"
        );
    }

    let (_otpost, api) = crash(otpost, &place);
    is_limited(&api.post("send", &body(REQUESTS)).await, name, wait);
    let sent = api.post("send", &other).await;
    assert_eq!(sent.status, 200, "{name}: {sent:?}");
    assert_eq!(mails(&api, &[&sent]).await, quota + 1, "{name}");
}

/// Each limit of an address, and the longest wait that it answers, in seconds.
const OF_AN_ADDRESS: [(&str, usize, u64); 3] = [
    ("recipient_per_10_minutes", 5, 120),
    ("recipient_per_hour", 10, 360),
    ("recipient_per_day", 20, 4_320),
];

async fn an_address_gets_no_more_mails_than_its_limits(place: Place) {
    let spelled = |number: usize| json!({ "email": format!("Ada+{number}@example.com") });
    let other = json!({ "email": "bob@example.com" });
    for (name, quota, wait) in OF_AN_ADDRESS {
        is_enforced(&place, name, quota, wait, spelled, other.clone()).await;
        println!(
            "{}: {name} = {quota}: of {REQUESTS} sends at once {quota} mailed, none after a crash",
            place.engine()
        );
    }
}

mod two_nodes {
    use crate::support::Service;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_address_gets_no_more_mails_than_its_limits() {
        for (name, quota, wait) in super::OF_AN_ADDRESS {
            let (variable, value) = (name.to_uppercase(), quota.to_string());
            let variable = format!("OTPOST_LIMITS__{variable}");
            let Some(service) = Service::two_nodes(&[(&variable, &value)]).await else {
                return;
            };
            super::is_shared(&service, name, quota, wait).await;
        }
    }
}

/// That of a hundred sends over both nodes exactly `quota` are mailed, and none by either node
/// after.
async fn is_shared(service: &Service, name: &str, quota: usize, wait: u64) {
    let email = |number: usize| format!("Ada+{number}@customer.example");
    let sends = sends(|number| json!({ "email": email(number) }));
    let answers = service.storm(sends).await;
    let through = let_through(&answers, name, wait);
    assert_eq!(through.len(), quota, "{name}");
    for answer in through {
        let session = answer.text("/data/session_id");
        service.apis[0].wait_until_sent(&session).await;
    }
    for api in &service.apis {
        let body = json!({ "email": email(REQUESTS) });
        is_limited(&api.post("send", &body).await, name, wait);
    }
    assert_eq!(service.relay().messages().len(), quota, "{name}");
    println!(
        "{}: {name} = {quota}: of {REQUESTS} sends at once {quota} mailed",
        service.name()
    );
}

async fn a_network_causes_no_more_mails_than_its_limits(place: Place) {
    let body = |number: usize| {
        let email = format!("user{number}@example.com");
        json!({ "email": email, "client_ip": format!("2001:db8::{number:x}") })
    };
    let other = json!({ "email": "bob@example.com", "client_ip": "2001:db8:0:1::1" });
    for (name, quota, wait) in [
        ("client_ip_per_10_minutes", 6, 100),
        ("client_ip_per_day", 7, 12_343),
    ] {
        is_enforced(&place, name, quota, wait, body, other.clone()).await;
        println!(
            "{}: {name} = {quota}: of {REQUESTS} sends at once {quota} mailed, none after a crash",
            place.engine()
        );
    }
}

async fn a_project_and_the_installation_mail_no_more_than_their_limits(place: Place) {
    // Of the whole installation nothing else is let through either, so another is not asked.
    for name in ["project_sends_per_minute", "installation_mails_per_minute"] {
        let toml = format!("policy.session_cooldown = 0\nlimits.{name} = 2");
        let place = place.another().await;
        let (otpost, api) = dev(&place, &toml);
        let start = Instant::now();
        let answers = storm(
            &api,
            sends(|number| json!({ "email": format!("u{number}@example.com") })),
        )
        .await;
        let through = let_through(&answers, name, 30);
        // One comes back every 30 seconds.
        let most = 2 + usize::try_from(start.elapsed().as_secs() / 30).unwrap();
        assert!(
            (2..=most).contains(&through.len()),
            "{name}: {}",
            through.len()
        );
        let mailed = mails(&api, &through).await;
        assert_eq!(mailed, through.len(), "{name}");

        let session = through[0].text("/data/session_id");
        let (_otpost, api) = crash(otpost, &place);
        let resent = api.resend(&session).await;
        if start.elapsed().as_secs() < 30 {
            is_limited(&resent, name, 30);
            assert_eq!(mails(&api, &[]).await, mailed, "{name}");
        }
    }
}

async fn a_resend_is_charged_as_a_send_is(place: Place) {
    let toml = "policy.session_cooldown = 0\nlimits.recipient_per_day = 2";
    let (_otpost, api) = dev(&place, toml);
    let session = api.send("ada@example.com").await;
    api.wait_until_sent(&session).await;
    assert_eq!(api.resend(&session).await.status, 200);
    api.wait_until_sent(&session).await;
    is_limited(&api.resend(&session).await, "recipient_per_day", 43_200);
    let refused = api
        .post("send", &json!({ "email": "ada@example.com" }))
        .await;
    is_limited(&refused, "recipient_per_day", 43_200);
    assert_eq!(mails(&api, &[]).await, 2);
}

async fn a_project_has_no_more_guesses_judged_than_its_limit(place: Place) {
    let name = "project_verifies_per_minute";
    let toml = format!("policy.attempts_max = 10\nlimits.{name} = 3");
    let (otpost, api) = dev(&place, &toml);
    let session = api.send("ada@example.com").await;
    let guess = wrong(&api.code(&session).await);
    let start = Instant::now();
    let body = json!({ "session_id": session, "code": guess });
    let answers = storm(&api, vec![("verify".to_owned(), body); REQUESTS]).await;
    let (judged, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 400);
    for answer in refused {
        is_limited(answer, name, 20);
    }
    // One comes back every 20 seconds.
    let most = 3 + start.elapsed().as_secs() / 20;
    let count = judged.len() as u64;
    assert!((3..=most).contains(&count), "{count}");
    assert_eq!(api.attempts(&session).await, count);

    let (_otpost, api) = crash(otpost, &place);
    let refused = api.verify(&session, &guess).await;
    if start.elapsed().as_secs() < 20 {
        is_limited(&refused, name, 20);
        assert_eq!(api.attempts(&session).await, count);
    }
    println!(
        "{}: {name} = 3: of {REQUESTS} guesses at once {count} judged, none after a crash",
        place.engine()
    );
}

async fn reads_are_limited_by_each_process_for_itself(place: Place) {
    let name = "project_reads_per_minute";
    let (otpost, api) = dev(&place, &format!("limits.{name} = 2"));
    let session = api.send("ada@example.com").await;
    let start = Instant::now();
    let look = (format!("status/{session}"), Value::Null);
    let answers = storm(&api, vec![look; REQUESTS]).await;
    let through = let_through(&answers, name, 30).len();
    let most = 2 + usize::try_from(start.elapsed().as_secs() / 30).unwrap();
    assert!((2..=most).contains(&through), "{through}");

    let (_otpost, api) = crash(otpost, &place);
    assert_eq!(api.status(&session).await.status, 200);
}

/// Opens a session and submits wrong codes until none is judged: how many were.
async fn guess_at(api: &Api, email: &str) -> (u64, Answer) {
    let session = api.send(email).await;
    let guess = wrong(&api.code(&session).await);
    let answers = storm(
        api,
        vec![
            (
                "verify".to_owned(),
                json!({ "session_id": session, "code": guess })
            );
            10
        ],
    )
    .await;
    let wrong_code = |answer: &&Answer| answer.json()["error"]["details"]["reason"] == "wrong_code";
    let judged = answers.iter().filter(wrong_code).count() as u64;
    assert_eq!(api.attempts(&session).await, judged);
    let refused = answers.into_iter().find(|answer| !wrong_code(&answer));
    (judged, refused.unwrap())
}

async fn past_its_wrong_codes_of_the_day_a_project_has_one_guess_a_session(place: Place) {
    let (otpost, api) = dev(&place, "limits.project_failures_per_day = 5");
    assert_eq!(guess_at(&api, "a@example.com").await.0, 5);
    let (_otpost, api) = crash(otpost, &place);
    let (judged, refused) = guess_at(&api, "b@example.com").await;
    assert_eq!(judged, 1);
    assert_eq!(refused.text("/error/details/reason"), "too_many_attempts");

    let session = api.send("c@example.com").await;
    assert_eq!(api.status(&session).await.json()["data"]["max_attempts"], 1);
    let code = api.code(&session).await;
    assert_eq!(
        api.verify(&session, &code).await.status,
        200,
        "nobody is refused"
    );
}

async fn a_project_that_uses_up_its_wrong_codes_of_the_day_is_in_the_log_once(place: Place) {
    let (otpost, api) = dev(&place, "limits.project_failures_per_day = 4");
    let alarms = || {
        let log = otpost.log();
        let alarms = log.lines().filter(|line| line.contains("alarm"));
        alarms.map(str::to_owned).collect::<Vec<_>>()
    };
    for number in 1..4 {
        api.miss(&format!("a{number}@example.com")).await;
    }
    assert!(alarms().is_empty(), "{:?}", alarms());
    api.miss("a4@example.com").await;
    let raised = alarms();
    assert_eq!(raised.len(), 1, "{raised:?}");
    for word in ["ERROR", "project=default", "project_failures_per_day"] {
        assert!(raised[0].contains(word), "{word}: {raised:?}");
    }
    assert!(!raised[0].contains("example.com"), "{raised:?}");

    // A right code gives a part of one back, and the next wrong ones use it up again.
    for number in 5..11 {
        let session = api.send(&format!("a{number}@example.com")).await;
        let code = api.code(&session).await;
        assert_eq!(api.verify(&session, &code).await.status, 200);
    }
    for number in 11..14 {
        api.miss(&format!("a{number}@example.com")).await;
    }
    assert_eq!(alarms(), raised);
    println!("{}", raised[0]);
}

async fn past_its_wrong_codes_of_the_day_a_strict_project_is_refused(place: Place) {
    let name = "project_failures_per_day";
    let toml = format!("policy.profile = \"strict\"\nlimits.{name} = 5");
    let (otpost, api) = dev(&place, &toml);
    assert_eq!(guess_at(&api, "a@example.com").await.0, 5);
    let (_otpost, api) = crash(otpost, &place);
    let session = api.send("b@example.com").await;
    let code = api.code(&session).await;
    is_limited(&api.verify(&session, &code).await, name, 17_280);
    let status = api.status(&session).await.json();
    assert_eq!(
        (&status["data"]["status"], &status["data"]["attempts"]),
        (&json!("pending"), &json!(0))
    );
}

async fn a_limit_of_0_is_off_a_project_has_its_own_and_the_exempt_have_none(place: Place) {
    let toml = "[limits]\nrecipient_per_10_minutes = 0\nrecipient_per_day = 3\n\
                [projects.default.limits]\nrecipient_per_day = 7\n\
                exempt_recipients = [\"qa@Example.com\", \"Example.NET\"]";
    let (_otpost, api) = dev(&place, toml);
    let answers = storm(&api, sends(|_| json!({ "email": "ada@example.com" }))).await;
    let through = let_through(&answers, "recipient_per_day", 12_343);
    assert_eq!(through.len(), 7);
    assert_eq!(mails(&api, &through).await, 7);
    for exempt in ["qa@example.com", "anyone@example.net"] {
        let answers = storm(&api, sends(|_| json!({ "email": exempt }))).await;
        assert!(
            answers.iter().all(|answer| answer.status == 200),
            "{exempt}"
        );
    }
}

async fn test_keys_touch_no_counter(place: Place) {
    let (_otpost, api) = dev(
        &place,
        "limits.recipient_per_day = 1\nlimits.project_sends_per_minute = 1",
    );
    let test = Otpost::dev_api_for(place.path(), "OTPOST_TEST_KEY");
    let answers = storm(&test, sends(|_| json!({ "email": "ada@example.com" }))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    api.send("ada@example.com").await;
}

async fn a_service_has_the_documented_limits_without_any_setting(place: Place) {
    let relay = Relay::start(Security::Plain).await;
    place.init(&format!("[\"{}\"]", relay.url()));
    let otpost = place.serve();
    let key = place.key(&[]);
    let api = otpost.api(&key);
    let name = "recipient_per_10_minutes";
    let answers = storm(&api, sends(|_| json!({ "email": "ada@customer.example" }))).await;
    let through = let_through(&answers, name, 120);
    assert_eq!(through.len(), 5);
    for answer in &through {
        api.wait_until_sent(&answer.text("/data/session_id")).await;
    }
    assert_eq!(relay.messages().len(), 5);
    otpost.kill();

    let otpost = place.serve();
    let api = otpost.api(&key);
    is_limited(
        &api.post("send", &json!({ "email": "ada@customer.example" }))
            .await,
        name,
        120,
    );
    assert_eq!(relay.messages().len(), 5);
}

async fn over_all_projects_an_address_gets_threefold(place: Place) {
    let relay = Relay::start(Security::Plain).await;
    place.init(&format!("[\"{}\"]", relay.url()));
    let limit = "OTPOST_LIMITS__RECIPIENT_PER_DAY";
    let otpost = place.serve_with(&[(limit, "1")]);
    let (name, email) = (
        "recipient_per_day",
        json!({ "email": "ada@customer.example" }),
    );
    for project in ["one", "two", "three"] {
        let api = otpost.api(&place.key_of(project, &[]));
        let sent = api.post("send", &email).await;
        assert_eq!(sent.status, 200, "{project}: {sent:?}");
        api.wait_until_sent(&sent.text("/data/session_id")).await;
        is_limited(&api.post("send", &email).await, name, 86_400);
    }
    let fourth = otpost.api(&place.key_of("four", &[]));
    is_limited(&fourth.post("send", &email).await, name, 28_800);
    assert_eq!(relay.messages().len(), 3);
}

async fn a_peer_without_a_key_is_bounded_and_one_with_a_known_key_is_not(place: Place) {
    let toml = "server.trusted_proxies = [\"127.0.0.0/8\"]\nlimits.peer_requests_per_second = 1";
    let (_otpost, api) = dev(&place, toml);
    let session = api.send("ada@example.com").await;
    let stranger = Api::new(api.address, "otp_live_nobody");
    let start = Instant::now();
    let look = (format!("status/{session}"), Value::Null);
    let answers = storm(&stranger, vec![look; REQUESTS]).await;
    let (told, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 401);
    let most = 1 + usize::try_from(start.elapsed().as_secs()).unwrap() + 1;
    assert!((1..=most).contains(&told.len()), "{}", told.len());
    for answer in refused {
        is_limited(answer, "peer_requests_per_second", 1);
    }
    assert_eq!(api.status(&session).await.status, 200);

    // Behind the proxy everyone counts for himself.
    for number in 0..20 {
        let forwarded = format!(
            "{}X-Forwarded-For: 192.0.2.{number}\r\n",
            stranger.headers()
        );
        let mut client: Client = stranger.client().await;
        let path = format!("/api/v1/otp/status/{session}");
        let answer = client.request("GET", &path, &forwarded, "").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}
