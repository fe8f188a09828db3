//! Which path answers which method.

use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, guard};

use crate::error::{ApiError, BadRequest};
use crate::{health, recipients, resend, send, status, verify};

/// The API and the two paths that a load balancer asks.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(post("/api/v1/otp/send", send::handle))
        .service(post("/api/v1/otp/verify", verify::handle))
        .service(post("/api/v1/otp/resend", resend::handle))
        .service(get("/api/v1/otp/status/{session_id}", status::handle))
        .service(post("/api/v1/otp/recipients/lookup", recipients::look_up))
        .service(post("/api/v1/otp/recipients/release", recipients::release))
        .service(post("/api/v1/otp/recipients/erase", recipients::erase))
        .service(get("/healthz", health::alive))
        .service(get("/readyz", health::ready));
}

/// A path that answers POST.
pub(crate) fn post<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::post().to(handler))
        .default_service(only("POST"))
}

/// A path that answers GET, and HEAD as GET without the body.
pub(crate) fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(reads().to(handler))
        .default_service(only("GET, HEAD"))
}

/// A route that answers GET and HEAD.
pub(crate) fn reads() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// The answer to every other method.
pub(crate) fn only(allow: &'static str) -> actix_web::Route {
    web::to(move || async move {
        Err::<HttpResponse, ApiError>(BadRequest::MethodNotAllowed { allow }.into())
    })
}

/// The answer to every other path.
pub(crate) async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(BadRequest::NotFound.into())
}
