//! The two shapes of every body.

use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

#[derive(Serialize)]
struct Success<T> {
    success: bool,
    data: T,
}

#[derive(Serialize)]
struct Failure<'a, D> {
    success: bool,
    error: ErrorBody<'a, D>,
}

#[derive(Serialize)]
struct ErrorBody<'a, D> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<D>,
}

/// 200 with `data`.
pub(crate) fn success(data: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(Success {
        success: true,
        data,
    })
}

/// An error, in a response whose status and headers are set already.
pub(crate) fn failure(
    mut response: HttpResponseBuilder,
    code: &str,
    message: &str,
    details: Option<impl Serialize>,
) -> HttpResponse {
    response.json(Failure {
        success: false,
        error: ErrorBody {
            code,
            message,
            details,
        },
    })
}
