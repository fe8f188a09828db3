//! `POST /recipients/lookup`, `/release` and `/erase`: what is kept of an address.

use actix_web::HttpResponse;
use otpost_domain::{Address, Permission};
use otpost_service::{RecipientError, Rules};
use serde::Serialize;

use crate::call::{Body, Call};
use crate::envelope;
use crate::error::{ApiError, Refused};
use crate::fields::{Field, Fields, Noted};
use crate::instant::Instant;
use crate::metered::metered;
use crate::shared_fields::{self, EMAIL};

/// The body of a request to any of the three. In a body an address stays out of logs and caches.
pub(crate) struct RecipientBody {
    email: Address,
}

impl Body for RecipientBody {
    const NEEDS: Permission = Permission::Admin;
    const FIELDS: &'static [Field] = &[EMAIL];

    fn read(fields: &mut Fields, rules: &Rules<'_>) -> Result<Self, Noted> {
        let email = shared_fields::required_address(fields, rules)?;
        Ok(Self { email })
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    email: &'a str,
    on_hold: bool,
    failures: u32,
    max_attempts: u8,
    sessions: u64,
    last_session_at: Option<Instant>,
}

#[derive(Serialize)]
struct Released<'a> {
    email: &'a str,
    released: bool,
}

#[derive(Serialize)]
struct Erased<'a> {
    email: &'a str,
    erased_sessions: u64,
}

/// Answers with how the address stands in the caller's project.
pub(crate) async fn look_up(call: Call<RecipientBody>) -> Result<HttpResponse, ApiError> {
    let email = call.body.email;
    let looked_up = call.otp.look_up_recipient(&call.caller, &email);
    let view = call.time_left.allow(looked_up).await?;
    let shown = Shown {
        email: email.as_str(),
        on_hold: view.answer.is_on_hold,
        failures: view.answer.failures,
        max_attempts: view.answer.attempts_max,
        sessions: view.answer.sessions,
        last_session_at: view.answer.last_opened_at().map(Instant),
    };
    Ok(metered(Ok(envelope::success(shown)), &view))
}

/// Answers once the failures of the address are forgiven.
pub(crate) async fn release(call: Call<RecipientBody>) -> Result<HttpResponse, ApiError> {
    let email = call.body.email;
    let released = call.otp.release_recipient(&call.caller, &email);
    let released = call.time_left.allow(released).await?;
    let answer = envelope::success(Released {
        email: email.as_str(),
        released: released.answer,
    });
    Ok(metered(Ok(answer), &released))
}

/// Answers once what is kept of the address is gone, from the files too: that may take some seconds
/// more than other answers.
pub(crate) async fn erase(call: Call<RecipientBody>) -> Result<HttpResponse, ApiError> {
    let email = call.body.email;
    let erased = call.otp.erase_recipient(&call.caller, &email).await?;
    let answer = envelope::success(Erased {
        email: email.as_str(),
        erased_sessions: erased.answer,
    });
    Ok(metered(Ok(answer), &erased))
}

impl From<RecipientError> for ApiError {
    fn from(error: RecipientError) -> Self {
        match error {
            RecipientError::Limited(limited) => Refused::RateLimited(limited).into(),
            RecipientError::Service(cause) => Self::Service(cause),
        }
    }
}
