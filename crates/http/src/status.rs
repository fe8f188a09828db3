//! `GET /status/{session_id}`: how a session stands, which changes nothing.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use otpost_domain::{Permission, SessionId, Status};
use otpost_service::{DeliveryState, SessionView, StatusAnswer};
use serde::Serialize;

use crate::auth::Access;
use crate::envelope;
use crate::error::{ApiError, Refused};
use crate::instant::Instant;
use crate::metered::metered;

/// Tells what became of the last mail.
pub(crate) const OTPOST_DELIVERY: HeaderName = HeaderName::from_static("otpost-delivery");

#[derive(Serialize)]
struct Answer<'a> {
    session_id: String,
    email: &'a str,
    status: &'static str,
    attempts: u8,
    max_attempts: u8,
    expires_at: Instant,
}

/// Answers with what is true at this instant.
pub(crate) async fn handle(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let Access {
        otp,
        caller,
        time_left,
    } = Access::of(&request, Permission::Otp).await?;
    let text = request.match_info().get("session_id").unwrap_or_default();
    let session_id = SessionId::parse(text).unwrap_or(SessionId::NONE);
    let looked = time_left.allow(otp.status(&caller, &session_id)).await?;
    let answer = match &looked.answer {
        StatusAnswer::Found(view) => Ok(shown(view)),
        StatusAnswer::Limited(limited) => Err(Refused::RateLimited(*limited).into()),
        StatusAnswer::NotFound => Err(Refused::SessionNotFound.into()),
    };
    Ok(metered(answer, &looked))
}

fn shown(view: &SessionView) -> HttpResponse {
    let SessionView {
        session_id,
        email,
        status,
        attempts,
        attempts_max,
        expires_at,
        delivery,
    } = view;
    let mut response = envelope::success(Answer {
        session_id: session_id.to_string(),
        email: email.as_str(),
        status: match status {
            Status::Pending => "pending",
            Status::Verified => "verified",
            Status::Expired => "expired",
        },
        attempts: *attempts,
        max_attempts: *attempts_max,
        expires_at: Instant(*expires_at),
    });
    let delivery = HeaderValue::from_static(match delivery {
        DeliveryState::Queued => "queued",
        DeliveryState::Sent => "sent",
        DeliveryState::Failed => "failed",
    });
    response.headers_mut().insert(OTPOST_DELIVERY, delivery);
    response
}
