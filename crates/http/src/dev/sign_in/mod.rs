//! A small sign-in form to try, as <https://design-system.service.gov.uk/patterns/security-codes/>
//! advises it. `docs/sign-in-form.md` explains it as an example to copy.
//!
//! The browser sends plain forms here; the key stays on this side. A person is known by a cookie,
//! and what belongs to the person, such as the session, is kept here too.

mod pages;
mod problem;
mod template;
mod visits;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use actix_web::web::{Data, Form};
use actix_web::{Error, HttpRequest, HttpResponse};
use otpost_domain::{Address, ApiKey, Candidate, Network, Permission};
use otpost_service::{
    AccessError, Caller, Idempotency, Otp, ResendAnswer, ResendRequest, Rules, SendError,
    SendRequest, ServiceError, VerifyAnswer, VerifyRequest,
};
use serde::Deserialize;

use self::problem::{AddressProblem, CodeProblem};
use self::visits::{Visit, Visits};
use super::DevInbox;
use crate::error::{ApiError, BadRequest, Denied};
use crate::languages;

const COOKIE_NAME: &str = "otpost-try";
const TEMPLATE: &str = "login";

const START: &str = "/dev/try";
const CODE: &str = "/dev/try/code";
const CODE_AGAIN: &str = "/dev/try/code?again=1";
const DONE: &str = "/dev/try/done";

/// The key to call with, and who is signing in.
pub(super) struct SignIn {
    key: ApiKey,
    visits: Visits,
}

impl SignIn {
    pub(super) fn new(key: ApiKey) -> Self {
        Self {
            key,
            visits: Visits::default(),
        }
    }

    async fn caller(&self, otp: &Otp) -> Result<Caller, ApiError> {
        let caller = otp.authenticate(self.key.reveal(), None, Permission::Otp);
        caller.await.map_err(|error| match error {
            AccessError::Unauthorized => Denied::KeyRefused.into(),
            AccessError::Forbidden(lacking) => Denied::KeyWithout(lacking).into(),
            AccessError::Service(cause) => ApiError::Service(cause),
        })
    }

    fn visit(&self, request: &HttpRequest) -> Option<(String, Visit)> {
        let id = cookie(request.headers())?;
        let visit = self.visits.find(&id)?;
        Some((id, visit))
    }
}

#[derive(Deserialize)]
pub(super) struct EmailForm {
    email: String,
    /// Drawn for the page, so that a form sent twice is one request.
    request: String,
}

#[derive(Deserialize)]
pub(super) struct CodeForm {
    code: String,
}

/// `GET /dev/try`: asks for the address.
pub(super) async fn start(otp: Data<Otp>) -> Result<HttpResponse, ApiError> {
    Ok(pages::email(&new_id(&otp)?, "", None))
}

/// `POST /dev/try/send`: sends a code and goes on to the page that asks for it.
pub(super) async fn send(
    dev: Data<DevInbox>,
    otp: Data<Otp>,
    request: HttpRequest,
    form: Result<Form<EmailForm>, Error>,
) -> Result<HttpResponse, ApiError> {
    let EmailForm {
        email: typed,
        request: once,
    } = read(form)?;
    let caller = dev.sign_in.caller(&otp).await?;
    let rules = otp.rules(&caller);
    let again = |problem| Ok(pages::email(&new_id(&otp)?, &typed, Some(problem)));
    let email = match read_address(&typed, &rules) {
        Ok(email) => email,
        Err(problem) => return again(problem),
    };
    let once = (!once.is_empty()).then(|| Idempotency {
        key: format!("try {once}"),
        body: typed.clone().into_bytes(),
    });
    let wish = wish(email, &rules, &request, once)?;
    let sent = match otp.send(&caller, wish).await {
        Ok(sent) => sent.answer,
        Err(SendError::Limited(limited)) => return again(AddressProblem::Limited(limited)),
        Err(SendError::OnHold) => return again(AddressProblem::OnHold),
        Err(SendError::KeyReused) => return again(AddressProblem::Changed),
        Err(SendError::Service(_)) => return again(AddressProblem::Unavailable),
    };
    let id = new_id(&otp)?;
    dev.sign_in.visits.begin(
        &id,
        Visit {
            session_id: sent.session_id,
            email: sent.email.as_str().to_owned(),
            resend_at: otp.now().plus_secs(rules.policy.session_cooldown),
            is_verified: false,
        },
    );
    Ok(see_as(&id, CODE))
}

fn read_address(typed: &str, rules: &Rules<'_>) -> Result<Address, AddressProblem> {
    if typed.trim().is_empty() {
        return Err(AddressProblem::Missing);
    }
    let email = Address::parse(typed).ok();
    let email = email.filter(|email| rules.takes(email));
    email.ok_or(AddressProblem::Malformed)
}

fn wish(
    email: Address,
    rules: &Rules<'_>,
    request: &HttpRequest,
    idempotency: Option<Idempotency>,
) -> Result<SendRequest, ServiceError> {
    let template = rules.template(TEMPLATE).or(rules.templates().first());
    let template = template.ok_or_else(|| ServiceError::Broken("there is no template".into()))?;
    Ok(SendRequest {
        email,
        template: template.clone(),
        lifetime_secs: rules.lifetime_secs_default(),
        code_length: rules.code_length_default(),
        languages: languages::accepted(request.headers()),
        variables: BTreeMap::new(),
        client_ip: request.peer_addr().map(|peer| Network::of(peer.ip())),
        idempotency,
    })
}

/// `GET /dev/try/code`: asks for the code.
pub(super) async fn code(
    dev: Data<DevInbox>,
    otp: Data<Otp>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    match dev.sign_in.visit(&request) {
        None => Ok(see(START)),
        Some((_, visit)) if visit.is_verified => Ok(see(DONE)),
        Some((_, visit)) => {
            let is_again = request.query_string() == "again=1";
            Ok(pages::code(&visit, otp.now(), is_again, "", None))
        }
    }
}

/// `POST /dev/try/verify`: judges the code.
pub(super) async fn verify(
    dev: Data<DevInbox>,
    otp: Data<Otp>,
    request: HttpRequest,
    form: Result<Form<CodeForm>, Error>,
) -> Result<HttpResponse, ApiError> {
    let CodeForm { code: typed } = read(form)?;
    let Some((id, visit)) = dev.sign_in.visit(&request) else {
        return Ok(see(START));
    };
    let again = |problem| Ok(pages::code(&visit, otp.now(), false, &typed, Some(problem)));
    if visit.is_verified {
        return Ok(see(DONE));
    }
    if typed.trim().is_empty() {
        return again(CodeProblem::Missing);
    }
    let caller = dev.sign_in.caller(&otp).await?;
    let submitted = VerifyRequest {
        session_id: visit.session_id,
        candidate: Candidate::normalise(&typed),
        email: None,
        template: None,
        idempotency: None,
    };
    let judged = match otp.verify(&caller, submitted).await {
        Ok(judged) => judged.answer,
        Err(_) => return again(CodeProblem::Unavailable),
    };
    match judged {
        VerifyAnswer::Verified { email } => {
            // Whoever knew the cookie before knows nothing now.
            let new = new_id(&otp)?;
            dev.sign_in.visits.verified(&id, &new, email.as_str());
            Ok(see_as(&new, DONE))
        }
        VerifyAnswer::Limited(limited) => again(CodeProblem::Limited(limited)),
        VerifyAnswer::KeyReused | VerifyAnswer::NotFound => again(CodeProblem::Ended),
        VerifyAnswer::Refused(verdict) => again(CodeProblem::of(verdict)),
    }
}

/// `POST /dev/try/resend`: mails the code again.
pub(super) async fn resend(
    dev: Data<DevInbox>,
    otp: Data<Otp>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let Some((id, mut visit)) = dev.sign_in.visit(&request) else {
        return Ok(see(START));
    };
    let caller = dev.sign_in.caller(&otp).await?;
    let wish = ResendRequest {
        session_id: visit.session_id,
        idempotency: None,
    };
    let answer = otp.resend(&caller, wish).await.map(|resent| resent.answer);
    let wait = match answer {
        Ok(ResendAnswer::Resent { .. }) => otp.rules(&caller).policy.session_cooldown,
        Ok(ResendAnswer::Wait {
            retry_after_secs, ..
        }) => retry_after_secs,
        Ok(
            ResendAnswer::Limited(_)
            | ResendAnswer::KeyReused
            | ResendAnswer::NotFound
            | ResendAnswer::Refused(_),
        )
        | Err(_) => 0,
    };
    visit.resend_at = otp.now().plus_secs(wait);
    dev.sign_in.visits.wait_until(&id, visit.resend_at);
    let problem = match answer {
        Ok(ResendAnswer::Resent { .. }) => return Ok(see(CODE_AGAIN)),
        Ok(ResendAnswer::Wait { .. }) => CodeProblem::TooEarly(wait),
        Ok(ResendAnswer::Limited(limited)) => CodeProblem::NoMailNow(limited),
        Ok(ResendAnswer::KeyReused | ResendAnswer::NotFound) => CodeProblem::Ended,
        Ok(ResendAnswer::Refused(refusal)) => CodeProblem::of_resend(refusal),
        Err(_) => CodeProblem::Unavailable,
    };
    Ok(pages::code(&visit, otp.now(), false, "", Some(problem)))
}

/// `GET /dev/try/done`: says who has signed in.
pub(super) async fn done(dev: Data<DevInbox>, request: HttpRequest) -> HttpResponse {
    match dev.sign_in.visit(&request) {
        Some((_, visit)) if visit.is_verified => pages::done(&visit),
        Some(_) => see(CODE),
        None => see(START),
    }
}

/// What was sent; our own page sends nothing that cannot be read.
fn read<T>(form: Result<Form<T>, Error>) -> Result<T, BadRequest> {
    let form = form.map_err(|_| BadRequest::Malformed("The form cannot be read.".to_owned()))?;
    Ok(form.into_inner())
}

fn new_id(otp: &Otp) -> Result<String, ServiceError> {
    let random = otp.random_id()?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)))
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let mut pairs = headers
        .get_all(COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == COOKIE_NAME)?;
    Some(value.to_owned())
}

/// On to another page by GET, so that a reload sends nothing again.
fn see(place: &'static str) -> HttpResponse {
    HttpResponse::build(StatusCode::SEE_OTHER)
        .insert_header((LOCATION, place))
        .finish()
}

/// As [`see`], and the person is known by `id` from then on. It is not `Secure`: this is HTTP on
/// one machine.
fn see_as(id: &str, place: &'static str) -> HttpResponse {
    let cookie = format!("{COOKIE_NAME}={id}; Path={START}; HttpOnly; SameSite=Strict");
    HttpResponse::build(StatusCode::SEE_OTHER)
        .insert_header((LOCATION, place))
        .insert_header((SET_COOKIE, cookie))
        .finish()
}
