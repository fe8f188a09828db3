//! `GET /healthz` and `GET /readyz`: what a load balancer asks.

use actix_web::HttpResponse;
use actix_web::web::Data;
use otpost_service::Otp;
use serde::Serialize;

use crate::envelope;
use crate::error::ApiError;

#[derive(Serialize)]
struct Answer {
    status: &'static str,
}

/// The process answers.
pub(crate) async fn alive() -> HttpResponse {
    envelope::success(Answer { status: "ok" })
}

/// Requests can be served: 200, otherwise 503.
pub(crate) async fn ready(otp: Data<Otp>) -> Result<HttpResponse, ApiError> {
    otp.ready().await?;
    Ok(envelope::success(Answer { status: "ready" }))
}
