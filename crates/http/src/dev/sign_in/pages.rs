//! The pages of the form, filled in.

use std::borrow::Cow;
use std::fmt::Write as _;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType, REFERRER_POLICY, RETRY_AFTER};
use otpost_domain::Timestamp;

use super::problem::{AddressProblem, CodeProblem};
use super::template::fill;
use super::visits::Visit;

/// Forms go to this server alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The page that asks for the address. `request` is drawn for it.
pub(super) fn email(request: &str, typed: &str, problem: Option<AddressProblem>) -> HttpResponse {
    let error = problem.map(AddressProblem::words).unwrap_or_default();
    let page = fill(
        include_str!("page/email.html"),
        &[
            ("request", request.into()),
            ("email", typed.into()),
            ("error", error.into()),
        ],
    );
    answer(problem.map_or(StatusCode::OK, AddressProblem::status), page)
}

/// The page that asks for the code.
pub(super) fn code(
    visit: &Visit,
    now: Timestamp,
    is_again: bool,
    typed: &str,
    problem: Option<CodeProblem>,
) -> HttpResponse {
    let wait = now.secs_until(visit.resend_at);
    let shown = |text: String, is_shown: bool| if is_shown { text } else { String::new() };
    let error = problem.map(CodeProblem::words).unwrap_or_default();
    let target = problem.map_or("", CodeProblem::target);
    let keeps_the_code = problem.is_some_and(CodeProblem::keeps_the_code);
    let page = fill(
        include_str!("page/code.html"),
        &[
            ("email", Cow::from(&*visit.email)),
            ("inbox", inbox_of(&visit.email).into()),
            ("code", shown(typed.to_owned(), keeps_the_code).into()),
            ("code_error", shown(error.clone(), target == "code").into()),
            ("error", error.into()),
            ("target", target.into()),
            ("wait", shown(wait.to_string(), wait > 0).into()),
            ("again", shown("yes".to_owned(), is_again).into()),
        ],
    );
    let mut response = answer(problem.map_or(StatusCode::OK, CodeProblem::status), page);
    if let Some(CodeProblem::TooEarly(secs)) = problem {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, secs.into());
    }
    response
}

/// The page that says who has signed in.
pub(super) fn done(visit: &Visit) -> HttpResponse {
    let page = include_str!("page/done.html");
    let page = fill(page, &[("email", Cow::from(&*visit.email))]);
    answer(StatusCode::OK, page)
}

/// The inbox, filtered by an address.
fn inbox_of(email: &str) -> String {
    let mut url = "/dev/inbox?to=".to_owned();
    for byte in email.bytes() {
        if byte.is_ascii_alphanumeric() || b"@._-".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

fn answer(status: StatusCode, page: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        // With `no-referrer` a browser would send a form with `Origin: null`.
        .insert_header((REFERRER_POLICY, "same-origin"))
        .body(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_its_link() {
        assert_eq!(
            inbox_of("a+b&c@d.example"),
            "/dev/inbox?to=a%2Bb%26c@d.example"
        );
    }
}
