//! `GET /healthz` and `GET /readyz`: what a load balancer asks.

use actix_web::HttpResponse;
use actix_web::web::Data;
use otpost_service::Otp;
use serde::Serialize;

use crate::envelope;
use crate::error::ApiError;
use crate::stop::Stop;

#[derive(Serialize)]
struct Answer {
    status: &'static str,
}

/// The process answers.
pub(crate) async fn alive() -> HttpResponse {
    envelope::success(Answer { status: "ok" })
}

/// Requests can be served, and will be for a while: 200, otherwise 503.
pub(crate) async fn ready(otp: Data<Otp>, stop: Data<Stop>) -> Result<HttpResponse, ApiError> {
    if stop.announced().is_cancelled() {
        return Err(ApiError::Stopping);
    }
    otp.ready().await?;
    Ok(envelope::success(Answer { status: "ready" }))
}
