//! `POST /verify`: judges what a person typed.

use actix_web::HttpResponse;
use otpost_domain::{Address, Candidate, Permission, SessionId, TemplateName};
use otpost_service::{Rules, VerifyAnswer, VerifyRequest};
use serde::Serialize;

use crate::call::{Body, Call};
use crate::envelope;
use crate::error::{ApiError, CodeDetails, Refused};
use crate::fields::{Field, Fields, Noted};
use crate::metered::metered;
use crate::shared_fields::{self, EMAIL, SESSION_ID, TEMPLATE};

const CODE: Field = Field::aliased("code", &["otp"]);

/// The body of a request.
pub(crate) struct VerifyBody {
    session_id: SessionId,
    candidate: Candidate,
    email: Option<Address>,
    template: Option<TemplateName>,
}

impl Body for VerifyBody {
    const NEEDS: Permission = Permission::Otp;
    const FIELDS: &'static [Field] = &[SESSION_ID, CODE, EMAIL, TEMPLATE];

    fn read(fields: &mut Fields, rules: &Rules<'_>) -> Result<Self, Noted> {
        let session_id = shared_fields::session_id(fields);
        let code = fields.required_text(CODE.name, "must be a string such as \"012345\"");
        let email = match fields.text(EMAIL.name) {
            Ok(Some(typed)) => shared_fields::address(fields, &typed, rules).map(Some),
            Ok(None) => Ok(None),
            Err(noted) => Err(noted),
        };
        let template = shared_fields::template(fields, rules);
        Ok(Self {
            session_id: session_id?,
            candidate: Candidate::normalise(&code?),
            email: email?,
            template: template?,
        })
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    verified: bool,
    email: &'a str,
}

/// Answers once the judgement is committed.
pub(crate) async fn handle(call: Call<VerifyBody>) -> Result<HttpResponse, ApiError> {
    let Call {
        otp,
        caller,
        body,
        idempotency,
        time_left,
    } = call;
    let submitted = VerifyRequest {
        session_id: body.session_id,
        candidate: body.candidate,
        email: body.email,
        template: body.template,
        idempotency,
    };
    let judged = time_left.allow(otp.verify(&caller, submitted)).await?;
    let answer = match &judged.answer {
        VerifyAnswer::Verified { email } => Ok(envelope::success(Answer {
            verified: true,
            email: email.as_str(),
        })),
        VerifyAnswer::Limited(limited) => Err(Refused::RateLimited(*limited).into()),
        VerifyAnswer::KeyReused => Err(Refused::IdempotencyKeyReused.into()),
        VerifyAnswer::NotFound => Err(Refused::SessionNotFound.into()),
        VerifyAnswer::Refused(verdict) => {
            let says_why = otp.rules(&caller).policy.error_details;
            let details = CodeDetails::of(*verdict).filter(|_| says_why);
            Err(Refused::InvalidCode(details).into())
        }
    };
    Ok(metered(answer, &judged))
}
