//! The whole way once, with nothing of ours on the other side: the real binary sends through a real
//! relay (aiosmtpd, STARTTLS and AUTH required), the message is read from its Maildir, and the code
//! in it verifies.

mod mail;
mod relay;
mod service;

use serde_json::json;

use crate::environment;
use crate::otpost;
use crate::problem::{Outcome, Problem};
use crate::process::empty;

use relay::{Relay, Tools};
use service::Service;

const RECIPIENT: &str = "person@example.com";

/// Runs the demo, or says why it cannot; both programs end with this function, however it ends.
pub(crate) fn run() -> Outcome {
    let Some(tools) = relay::tools()? else {
        return Ok(());
    };
    let binary = otpost::build()?;
    let folder = environment::scratch("demo/run");
    empty(&folder)?;

    let mut relay = Relay::start(&tools, &folder)?;
    println!(
        "1. a relay listens at localhost:{}; it wants STARTTLS and AUTH",
        relay.port
    );
    let service = Service::start(&binary, &folder, &relay)?;
    println!(
        "2. otpost serve answers at {}; a project has a key",
        service.base
    );

    let session = send(&service)?;
    relay.wait_for_mail()?;
    println!("4. the relay {}", relay.witness()?);
    let code = read(&tools, &relay)?;
    verify(&service, &session, &code)?;

    service.stop()?;
    println!("9. otpost stopped when it was asked to");
    Ok(())
}

/// Asks for a code, and answers the session.
fn send(service: &Service) -> Outcome<String> {
    let sent = service.post("send", &json!({"email": RECIPIENT}))?;
    println!("3. POST /api/v1/otp/send: {}", sent.text);
    expect(sent.status == 200, "send answers 200")?;
    let session = sent.body["data"]["session_id"].as_str();
    expect(session.is_some(), "send answers a session")?;
    Ok(session.unwrap_or_default().to_owned())
}

/// Reads what the relay delivered, and answers the code in it.
fn read(tools: &Tools, relay: &Relay) -> Outcome<String> {
    let mail = mail::newest(tools, &relay.maildir)?;
    let code = mail.code()?;
    println!(
        "5. the Maildir has \"{}\" for {}: the code is {code}",
        mail.subject, mail.to
    );
    expect(mail.count == 1, "exactly one message arrived")?;
    expect(mail.to == RECIPIENT, "it is for the recipient")?;
    expect(mail.subject.contains(&code), "the subject shows the code")?;
    expect(mail.html.contains(&code), "the HTML part shows the code")?;
    Ok(code)
}

/// A wrong code, the right one, and what the service says of the session then.
fn verify(service: &Service, session: &str, code: &str) -> Outcome {
    let wrong = json!({"session_id": session, "code": other(code)});
    let wrong = service.post("verify", &wrong)?;
    println!(
        "6. POST /api/v1/otp/verify with a wrong code: {}",
        wrong.text
    );
    expect(wrong.status == 400, "a wrong code is refused")?;

    let right = service.post("verify", &json!({"session_id": session, "code": code}))?;
    println!(
        "7. POST /api/v1/otp/verify with the code of the mail: {}",
        right.text
    );
    expect(right.status == 200, "the code of the mail is accepted")?;
    expect(
        right.body["data"]["verified"] == true,
        "the session is verified",
    )?;

    let status = service.get(&format!("status/{session}"))?;
    println!("8. GET /api/v1/otp/status/…: {}", status.text);
    expect(
        status.body["data"]["status"] == "verified",
        "the status is verified",
    )?;
    expect(
        status.body["data"]["attempts"] == 2,
        "two attempts were counted",
    )
}

/// A code of the same length that is certainly wrong.
fn other(code: &str) -> String {
    let first = if code.starts_with('0') { '1' } else { '0' };
    std::iter::once(first).chain(code.chars().skip(1)).collect()
}

fn expect(holds: bool, promise: &str) -> Outcome {
    if holds {
        return Ok(());
    }
    Err(Problem::new(
        format!("the demo does not show that {promise}"),
        "see the last line above, and the logs in target/xtask/demo/run",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrong_code_is_never_the_right_one() {
        for code in ["012345", "999999", "1000"] {
            assert_ne!(other(code), code);
            assert_eq!(other(code).len(), code.len());
        }
    }
}
