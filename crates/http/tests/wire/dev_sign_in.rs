//! The sign-in form of a development run, as a browser without JavaScript meets it.

use crate::support::{Answer, Options, Request, Wire};

const FORM: &str = "application/x-www-form-urlencoded";

fn start() -> Wire {
    Wire::start_with(Options {
        is_dev: true,
        ..Options::default()
    })
}

fn post(wire: &Wire, path: &str, cookie: &str, form: &str) -> Answer {
    let request = Request::new("POST", path)
        .header("Content-Type", FORM)
        .header("Origin", format!("http://{}", wire.address()))
        .header("Cookie", format!("other=1; {cookie}"))
        .body(form);
    wire.ask(&request)
}

fn get(wire: &Wire, path: &str, cookie: &str) -> Answer {
    wire.ask(&Request::get(path).header("Cookie", cookie))
}

fn assert_goes_to(answer: &Answer, place: &str) {
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some(place))
    );
}

fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.ends_with("; Path=/dev/try; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    cookie.split(';').next().unwrap().to_owned()
}

/// Sends the form with this address, and gives the cookie and the session.
fn begin(wire: &Wire) -> (String, String) {
    let sent = post(
        wire,
        "/dev/try/send",
        "",
        "email=ada%40example.com&request=r1",
    );
    assert_goes_to(&sent, "/dev/try/code");
    let id = wire.store.sessions()[0].session.id().to_string();
    (cookie_of(&sent), id)
}

#[test]
fn a_person_signs_in() {
    let wire = start();
    let (cookie, session) = begin(&wire);
    let page = get(&wire, "/dev/try/code", &cookie);
    assert!(page.text().contains("ada@example.com"), "{}", page.text());
    assert!(page.text().contains("30 seconds"), "{}", page.text());

    let code = wire.code(&session);
    let spaced = format!("code={}+{}", &code[..3], &code[3..]);
    let verified = post(&wire, "/dev/try/verify", &cookie, &spaced);

    assert_goes_to(&verified, "/dev/try/done");
    let new = cookie_of(&verified);
    assert_ne!(new, cookie, "whoever knew the old cookie is not signed in");
    assert!(
        get(&wire, "/dev/try/done", &new)
            .text()
            .contains("ada@example.com")
    );
    assert_goes_to(&get(&wire, "/dev/try/done", &cookie), "/dev/try");
    assert_goes_to(&get(&wire, "/dev/try/code", &new), "/dev/try/done");
}

#[test]
fn a_form_that_is_sent_twice_opens_one_session() {
    let wire = start();
    begin(&wire);
    begin(&wire);
    assert_eq!(wire.store.sessions().len(), 1);

    let other = post(
        &wire,
        "/dev/try/send",
        "",
        "email=bob%40example.com&request=r1",
    );
    assert_eq!(other.status, 422);
    assert!(other.text().contains("You changed the email address"));
    assert_eq!(wire.store.sessions().len(), 1);
}

#[test]
fn an_address_that_is_none_opens_no_session_and_is_never_markup() {
    let wire = start();
    for (form, words) in [
        ("email=&request=r", "Enter your email address"),
        ("email=+&request=r", "Enter your email address"),
        ("email=%3Cb%3E%22x&request=r", "correct format"),
    ] {
        let answer = post(&wire, "/dev/try/send", "", form);
        assert_eq!(answer.status, 422, "{form}");
        assert!(answer.text().contains(words), "{form}");
        assert!(answer.text().contains("<title>Error: "), "{form}");
        assert!(!answer.text().contains("<b>"), "{form}");
    }
    assert_eq!(wire.store.sessions().len(), 0);
}

#[test]
fn a_wrong_code_counts_and_the_last_leads_to_the_beginning() {
    let wire = start();
    let (cookie, session) = begin(&wire);
    let wrong = format!("code={}", wire.wrong_code(&session));
    let submit = |form: &str| post(&wire, "/dev/try/verify", &cookie, form);

    assert_eq!(submit("code=12").status, 422);
    assert_eq!(submit("code=").status, 422);
    assert_eq!(wire.attempts(&session), 0);
    for left in [
        "4 attempts left",
        "3 attempts left",
        "2 attempts left",
        "1 attempt left",
    ] {
        let answer = submit(&wrong);
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(left), "{left}");
        assert!(!answer.text().contains(&wrong[5..]), "it is typed anew");
    }
    for form in [&wrong, &format!("code={}", wire.code(&session))] {
        let answer = submit(form);
        assert!(answer.text().contains("href=\"#start-again\""), "{form}");
    }
    assert_eq!(wire.attempts(&session), 5);
}

#[test]
fn an_expired_code_leads_to_the_button() {
    let wire = start();
    let (cookie, session) = begin(&wire);
    let code = wire.code(&session);
    wire.clock.advance(301);

    let late = post(&wire, "/dev/try/verify", &cookie, &format!("code={code}"));
    assert!(
        late.text()
            .contains("href=\"#resend\">The code has expired")
    );
    assert_goes_to(
        &post(&wire, "/dev/try/resend", &cookie, ""),
        "/dev/try/code?again=1",
    );
    let page = get(&wire, "/dev/try/code?again=1", &cookie);
    assert!(page.text().contains("We have sent the email again"));
}

#[test]
fn a_resend_that_comes_too_early_says_how_long_to_wait() {
    let wire = start();
    let (cookie, session) = begin(&wire);
    wire.clock.advance(18);

    let early = post(&wire, "/dev/try/resend", &cookie, "");

    assert_eq!(
        (early.status, early.header("retry-after")),
        (429, Some("12"))
    );
    assert!(
        early.text().contains("again in 12 seconds"),
        "{}",
        early.text()
    );
    assert!(
        early.text().contains("data-wait=\"12\""),
        "{}",
        early.text()
    );
    assert_eq!(wire.row(&session).stored.session.attempts(), 0);
}

#[test]
fn nobody_without_the_cookie_gets_further() {
    let wire = start();
    let (_, session) = begin(&wire);
    let code = format!("code={}", wire.code(&session));
    for cookie in [
        "",
        "otpost-try=",
        "otpost-try=00000000000000000000000000000000",
    ] {
        assert_goes_to(&get(&wire, "/dev/try/code", cookie), "/dev/try");
        assert_goes_to(&get(&wire, "/dev/try/done", cookie), "/dev/try");
        assert_goes_to(&post(&wire, "/dev/try/verify", cookie, &code), "/dev/try");
        assert_goes_to(&post(&wire, "/dev/try/resend", cookie, ""), "/dev/try");
    }
    assert_eq!(wire.attempts(&session), 0);
}

#[test]
fn another_site_can_send_no_form() {
    let wire = start();
    for origin in ["https://evil.example", "null"] {
        let request = Request::new("POST", "/dev/try/send")
            .header("Content-Type", FORM)
            .header("Origin", origin)
            .body("email=ada%40example.com&request=r");
        assert_eq!(wire.ask(&request).status, 403, "{origin}");
    }
    assert_eq!(wire.store.sessions().len(), 0);
}

#[test]
fn a_form_that_cannot_be_read_is_refused_as_everything_is() {
    let wire = start();
    let json = Request::post("/dev/try/send", r#"{"email":"ada@example.com"}"#);
    let no_address = Request::new("POST", "/dev/try/send")
        .header("Content-Type", FORM)
        .body("request=r");
    for request in [json, no_address] {
        let answer = wire.ask_in_vain(&request);
        assert_eq!((answer.status, &*answer.code()), (400, "MALFORMED_REQUEST"));
    }
}

#[test]
fn the_key_is_on_no_page_and_no_page_runs_foreign_code() {
    let wire = start();
    let (cookie, _) = begin(&wire);
    for path in ["/dev/try", "/dev/try/code"] {
        let page = get(&wire, path, &cookie);
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text().contains("otp_live_"), "{path}");
        assert!(!page.text().contains("{{"), "{path}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';")
                && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    }
}

#[test]
fn the_documentation_shows_the_files_of_the_page() {
    for document in [
        include_str!("../../../../docs/sign-in-form.md"),
        include_str!("../../../../docs/sign-in-form.de.md"),
    ] {
        for (fence, file) in [
            (
                "html",
                include_str!("../../src/dev/sign_in/page/email.html"),
            ),
            ("html", include_str!("../../src/dev/sign_in/page/code.html")),
            ("js", include_str!("../../src/dev/sign_in/page/sign-in.js")),
        ] {
            let quoted = format!("\n```{fence}\n{file}```\n");
            assert!(document.contains(&quoted), "copy the file again: {file}");
        }
    }
}
