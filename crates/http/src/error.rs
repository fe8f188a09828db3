//! Every answer that is no success: its status, code, message, header and details.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use otpost_domain::{Permission, Verdict};
use otpost_service::{Limited, ServiceError};
use serde::Serialize;

use crate::envelope;
use crate::metering;
use crate::wrong_fields::WrongFields;

/// When a client may try again while a part of the service is missing, in seconds.
const UNAVAILABLE_RETRY_SECS: u32 = 5;

/// Why a request is not answered with success. No case holds a value of the request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Said to who asks whether to come at all.
    #[error("stopping")]
    Stopping,
}

/// The caller may not ask.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Denied {
    #[error("no credentials")]
    NoCredentials,
    #[error("malformed credentials")]
    MalformedCredentials,
    #[error("the key is not accepted")]
    KeyRefused,
    #[error("the key lacks the permission {}", .0.name())]
    KeyWithout(Permission),
    #[error("a foreign host or site")]
    ForeignSite,
}

/// The request cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadRequest {
    #[error("unknown path")]
    NotFound,
    #[error("unknown method")]
    MethodNotAllowed { allow: &'static str },
    #[error("not JSON by its headers")]
    UnsupportedMediaType,
    #[error("the body is too large")]
    PayloadTooLarge { bytes_max: usize },
    #[error("the body came too slowly")]
    Timeout,
    /// The message says what is wrong where.
    #[error("malformed request")]
    Malformed(String),
    #[error("wrong fields")]
    Validation(WrongFields),
}

/// The session, or a limit, does not let it happen.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("unknown session")]
    SessionNotFound,
    /// Without details where the project's policy leaves them out.
    #[error("the code is refused")]
    InvalidCode(Option<CodeDetails>),
    #[error("the session is verified")]
    AlreadyVerified,
    #[error("the session has ended")]
    Ended,
    #[error("no resend is left")]
    NoResendLeft,
    #[error("the address is on hold")]
    OnHold,
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    #[error("the limit {} is reached", .0.name)]
    RateLimited(Limited),
}

/// Why a code is refused.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct CodeDetails {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts_remaining: Option<u8>,
}

impl CodeDetails {
    /// What to say of a verdict; `None` of the one that is no refusal.
    pub(crate) fn of(verdict: Verdict) -> Option<Self> {
        let (reason, attempts_remaining) = match verdict {
            Verdict::AlreadyVerified => ("already_verified", None),
            Verdict::TooManyAttempts => ("too_many_attempts", None),
            Verdict::Expired => ("expired", None),
            Verdict::OnHold => ("recipient_on_hold", None),
            Verdict::Malformed { attempts_remaining } => ("malformed", Some(attempts_remaining)),
            Verdict::Mismatch { attempts_remaining } => ("mismatch", Some(attempts_remaining)),
            Verdict::WrongCode { attempts_remaining } => ("wrong_code", Some(attempts_remaining)),
            Verdict::Verified => return None,
        };
        Some(Self {
            reason,
            attempts_remaining,
        })
    }
}

/// One line of the table.
struct Row<'a> {
    status: StatusCode,
    code: &'static str,
    message: Cow<'a, str>,
    headers: Vec<(HeaderName, String)>,
    details: Option<Details<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Details<'a> {
    Fields {
        fields: &'a WrongFields,
    },
    Code(CodeDetails),
    Limit {
        limit: &'static str,
        retry_after: u32,
    },
}

impl<'a> Row<'a> {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'a, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            headers: Vec::new(),
            details: None,
        }
    }

    fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn details(self, details: Option<Details<'a>>) -> Self {
        Self { details, ..self }
    }
}

impl Denied {
    fn row(self) -> Row<'static> {
        // The challenges are those of RFC 6750, 3.
        let (status, code, message, challenge) = match self {
            Self::NoCredentials => (
                StatusCode::UNAUTHORIZED,
                "UNAUTHORIZED",
                "Send your API key in the header \"Authorization: Bearer YOUR_API_KEY\".",
                r#"Bearer realm="otp""#,
            ),
            Self::MalformedCredentials => (
                StatusCode::BAD_REQUEST,
                "MALFORMED_REQUEST",
                "Send the Authorization header once, as \"Authorization: Bearer YOUR_API_KEY\".",
                r#"Bearer realm="otp", error="invalid_request""#,
            ),
            Self::KeyRefused => (
                StatusCode::UNAUTHORIZED,
                "UNAUTHORIZED",
                "The API key is not accepted.",
                r#"Bearer realm="otp", error="invalid_token""#,
            ),
            Self::KeyWithout(permission) => return lacking(permission),
            Self::ForeignSite => {
                return Row::new(
                    StatusCode::FORBIDDEN,
                    "FORBIDDEN",
                    "The inbox answers only under the names of this machine, and only to itself.",
                );
            }
        };
        Row::new(status, code, message).header(WWW_AUTHENTICATE, challenge.to_owned())
    }
}

fn lacking(permission: Permission) -> Row<'static> {
    let name = permission.name();
    let message = format!("The API key lacks the permission \"{name}\".");
    let challenge = format!(r#"Bearer realm="otp", error="insufficient_scope", scope="{name}""#);
    Row::new(StatusCode::FORBIDDEN, "FORBIDDEN", message).header(WWW_AUTHENTICATE, challenge)
}

impl BadRequest {
    fn row(&self) -> Row<'_> {
        match self {
            Self::NotFound => Row::new(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                "There is nothing at this path.",
            ),
            Self::MethodNotAllowed { allow } => Row::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                format!("This path answers {allow} only."),
            )
            .header(ALLOW, (*allow).to_owned()),
            Self::UnsupportedMediaType => Row::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "Send the body as JSON in UTF-8, uncompressed, with the header \"Content-Type: \
                 application/json\".",
            ),
            Self::PayloadTooLarge { bytes_max } => Row::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "PAYLOAD_TOO_LARGE",
                format!("The body must be at most {} KiB.", bytes_max / 1024),
            ),
            Self::Timeout => Row::new(
                StatusCode::REQUEST_TIMEOUT,
                "REQUEST_TIMEOUT",
                "The body of the request came too slowly.",
            ),
            Self::Malformed(message) => {
                Row::new(StatusCode::BAD_REQUEST, "MALFORMED_REQUEST", message)
            }
            Self::Validation(fields) => Row::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "VALIDATION_ERROR",
                fields.message(),
            )
            .details(Some(Details::Fields { fields })),
        }
    }
}

impl Refused {
    fn row(self) -> Row<'static> {
        match self {
            Self::SessionNotFound => Row::new(
                StatusCode::NOT_FOUND,
                "SESSION_NOT_FOUND",
                "There is no such session.",
            ),
            Self::InvalidCode(details) => Row::new(
                StatusCode::BAD_REQUEST,
                "INVALID_CODE",
                "The verification code is invalid or expired.",
            )
            .details(details.map(Details::Code)),
            Self::AlreadyVerified => Row::new(
                StatusCode::CONFLICT,
                "SESSION_ALREADY_VERIFIED",
                "The session is already verified.",
            ),
            Self::Ended => Row::new(
                StatusCode::GONE,
                "SESSION_EXPIRED",
                "The session has ended. Send a new code.",
            ),
            Self::NoResendLeft => Row::new(
                StatusCode::CONFLICT,
                "RESEND_LIMIT_REACHED",
                "The code was resent as often as it can be. Send a new code.",
            ),
            Self::OnHold => Row::new(
                StatusCode::FORBIDDEN,
                "RECIPIENT_ON_HOLD",
                "Too many wrong codes were submitted for this address. An administrator has to \
                 release it.",
            ),
            Self::IdempotencyKeyReused => Row::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "IDEMPOTENCY_KEY_REUSED",
                "This Idempotency-Key was sent before with another body. Repeat a request with \
                 the same body to the byte, and give every new request a key of its own.",
            ),
            Self::RateLimited(limited) => rate_limited(&limited),
        }
    }
}

fn rate_limited(limited: &Limited) -> Row<'static> {
    let retry_after = metering::wait_secs(limited);
    let row = Row::new(
        StatusCode::TOO_MANY_REQUESTS,
        "RATE_LIMITED",
        format!("Too many requests. Try again in {retry_after} s."),
    )
    .header(RETRY_AFTER, retry_after.to_string())
    .details(Some(Details::Limit {
        limit: limited.name,
        retry_after,
    }));
    let fields = metering::of_refusal(limited).into_iter();
    fields.fold(row, |row, (name, value)| row.header(name, value))
}

fn broken_service(cause: &ServiceError) -> Row<'static> {
    match cause {
        ServiceError::Unavailable(_) => Row::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "SERVICE_UNAVAILABLE",
            "The service is not available now. Try again soon.",
        )
        .header(RETRY_AFTER, UNAVAILABLE_RETRY_SECS.to_string()),
        ServiceError::Broken(_) => Row::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "Something went wrong here. The log has its cause under the id of this request.",
        ),
    }
}

fn stopping() -> Row<'static> {
    Row::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "SERVICE_UNAVAILABLE",
        "This node is stopping.",
    )
    .header(RETRY_AFTER, UNAVAILABLE_RETRY_SECS.to_string())
}

impl ApiError {
    fn row(&self) -> Row<'_> {
        match self {
            Self::Denied(denied) => denied.row(),
            Self::BadRequest(bad_request) => bad_request.row(),
            Self::Refused(refused) => refused.row(),
            Self::Service(cause) => broken_service(cause),
            Self::Stopping => stopping(),
        }
    }

    /// What an operator has to know and a caller has not.
    pub(crate) fn cause(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(cause) => Some(cause),
            Self::Denied(_) | Self::BadRequest(_) | Self::Refused(_) | Self::Stopping => None,
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.row().status
    }

    fn error_response(&self) -> HttpResponse {
        let row = self.row();
        let mut response = HttpResponse::build(row.status);
        for header in row.headers {
            response.insert_header(header);
        }
        if matches!(self, Self::BadRequest(BadRequest::Timeout)) {
            // The rest of the body would be read as the next request.
            response.force_close();
        }
        envelope::failure(response, row.code, &row.message, row.details)
    }
}
