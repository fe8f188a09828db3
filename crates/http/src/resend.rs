//! `POST /resend`: mails the code of a session again.

use actix_web::HttpResponse;
use otpost_domain::{Refusal, SessionId};
use otpost_service::{ResendAnswer, Rules};
use serde::Serialize;

use crate::call::{Body, Call};
use crate::envelope;
use crate::error::{ApiError, Refused};
use crate::fields::{Field, Fields, Noted};
use crate::instant::Instant;
use crate::shared_fields::{self, SESSION_ID};

/// The name of the only limit that a session has of its own.
const SESSION_COOLDOWN: &str = "session_cooldown";

/// The body of a request.
pub(crate) struct ResendBody {
    session_id: Option<SessionId>,
}

impl Body for ResendBody {
    const FIELDS: &'static [Field] = &[SESSION_ID];

    fn read(fields: &mut Fields, _: &Rules<'_>) -> Result<Self, Noted> {
        let session_id = shared_fields::session_id(fields)?;
        Ok(Self { session_id })
    }
}

#[derive(Serialize)]
struct Answer {
    session_id: String,
    expires_at: Instant,
}

/// Answers once the mail is committed.
pub(crate) async fn handle(call: Call<ResendBody>) -> Result<HttpResponse, ApiError> {
    let Call { otp, caller, body } = call;
    let session_id = body.session_id.ok_or(Refused::SessionNotFound)?;
    let refused = match otp.resend(&caller, &session_id).await? {
        ResendAnswer::Resent { expires_at } => {
            return Ok(envelope::success(Answer {
                session_id: session_id.to_string(),
                expires_at: Instant(expires_at),
            }));
        }
        ResendAnswer::NotFound => Refused::SessionNotFound,
        ResendAnswer::Wait { retry_after_secs } => Refused::RateLimited {
            limit: SESSION_COOLDOWN,
            retry_after_secs,
        },
        ResendAnswer::Refused(Refusal::Verified) => Refused::AlreadyVerified,
        ResendAnswer::Refused(Refusal::Ended) => Refused::Ended,
        ResendAnswer::Refused(Refusal::CapReached) => Refused::NoResendLeft,
    };
    Err(refused.into())
}
