//! `POST /resend`: mails the code of a session again.

use std::time::Duration;

use actix_web::HttpResponse;
use otpost_domain::{Limit, Permission, Refusal, SessionId};
use otpost_service::{Limited, ResendAnswer, ResendRequest, Rules};
use serde::Serialize;

use crate::call::{Body, Call};
use crate::envelope;
use crate::error::{ApiError, Refused};
use crate::fields::{Field, Fields, Noted};
use crate::instant::Instant;
use crate::metered::metered;
use crate::shared_fields::{self, SESSION_ID};

/// The name of the only limit that a session has of its own.
const SESSION_COOLDOWN: &str = "session_cooldown";

/// The body of a request.
pub(crate) struct ResendBody {
    session_id: SessionId,
}

impl Body for ResendBody {
    const NEEDS: Permission = Permission::Otp;
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
    let Call {
        otp,
        caller,
        body: ResendBody { session_id },
        idempotency,
        time_left,
    } = call;
    let wish = ResendRequest {
        session_id,
        idempotency,
    };
    let resent = time_left.allow(otp.resend(&caller, wish)).await?;
    let refused = match resent.answer {
        ResendAnswer::Resent { expires_at } => {
            let answer = envelope::success(Answer {
                session_id: session_id.to_string(),
                expires_at: Instant(expires_at),
            });
            return Ok(metered(Ok(answer), &resent));
        }
        ResendAnswer::Limited(limited) => Refused::RateLimited(limited),
        ResendAnswer::KeyReused => Refused::IdempotencyKeyReused,
        ResendAnswer::NotFound => Refused::SessionNotFound,
        ResendAnswer::Wait {
            retry_after_secs,
            cooldown_secs,
        } => Refused::RateLimited(Limited {
            name: SESSION_COOLDOWN,
            limit: Limit::new(1, cooldown_secs),
            wait: Duration::from_secs(retry_after_secs.into()),
        }),
        ResendAnswer::Refused(Refusal::Verified) => Refused::AlreadyVerified,
        ResendAnswer::Refused(Refusal::Ended) => Refused::Ended,
        ResendAnswer::Refused(Refusal::OnHold) => Refused::OnHold,
        ResendAnswer::Refused(Refusal::CapReached) => Refused::NoResendLeft,
    };
    Ok(metered(Err(refused.into()), &resent))
}
