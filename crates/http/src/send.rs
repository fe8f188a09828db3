//! `POST /send`: opens a session and queues its mail.

use std::collections::BTreeMap;
use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse};
use otpost_domain::{Address, CodeLength, Network, Permission, TemplateName};
use otpost_service::{Rules, SendError, SendRequest};
use serde::Serialize;

use crate::call::{Body, Call};
use crate::envelope;
use crate::error::{ApiError, Refused};
use crate::fields::{Field, Fields, Noted};
use crate::instant::Instant;
use crate::languages;
use crate::metered::metered;
use crate::shared_fields::{self, EMAIL, TEMPLATE};
use crate::variables::{self, VARIABLES};

const EXPIRES_IN: Field = Field::new("expires_in");
const CODE_LENGTH: Field = Field::new("code_length");
const LOCALE: Field = Field::new("locale");
const CLIENT_IP: Field = Field::new("client_ip");

/// The template of a call that names none, where it is configured.
const TEMPLATE_DEFAULT: &str = "login";

/// The body of a request.
pub(crate) struct SendBody {
    email: Address,
    template: TemplateName,
    expires_in: u32,
    code_length: CodeLength,
    locale: Option<String>,
    client_ip: Option<Network>,
    variables: BTreeMap<String, String>,
}

impl Body for SendBody {
    const NEEDS: Permission = Permission::Otp;
    const FIELDS: &'static [Field] = &[
        EMAIL,
        TEMPLATE,
        EXPIRES_IN,
        CODE_LENGTH,
        LOCALE,
        CLIENT_IP,
        VARIABLES,
    ];

    fn read(fields: &mut Fields, rules: &Rules<'_>) -> Result<Self, Noted> {
        let email = shared_fields::required_address(fields, rules);
        let template = template(fields, rules);
        let expires_in = expires_in(fields, rules);
        let code_length = code_length(fields, rules);
        let locale = locale(fields);
        let client_ip = client_ip(fields);
        let variables = variables::variables(fields);
        Ok(Self {
            email: email?,
            template: template?,
            expires_in: expires_in?,
            code_length: code_length?,
            locale: locale?,
            client_ip: client_ip?,
            variables: variables?,
        })
    }
}

fn template(fields: &mut Fields, rules: &Rules<'_>) -> Result<TemplateName, Noted> {
    if let Some(named) = shared_fields::template(fields, rules)? {
        return Ok(named);
    }
    let fallback = rules
        .template(TEMPLATE_DEFAULT)
        .or(rules.templates().first());
    let fallback = fallback.ok_or_else(|| fields.refuse(TEMPLATE.name, "is not configured"))?;
    Ok(fallback.clone())
}

fn expires_in(fields: &mut Fields, rules: &Rules<'_>) -> Result<u32, Noted> {
    let range = rules.lifetime_secs();
    let asked = fields.integer(EXPIRES_IN.name, &range, "", " (policy.expires_in_max)")?;
    Ok(asked.unwrap_or_else(|| rules.lifetime_secs_default()))
}

fn code_length(fields: &mut Fields, rules: &Rules<'_>) -> Result<CodeLength, Noted> {
    let (least, most) = rules.code_length().into_inner();
    let setting = if least > CodeLength::MIN {
        " (policy.code_length_min)"
    } else {
        ""
    };
    let range = u32::from(least)..=u32::from(most);
    let asked = fields.integer(CODE_LENGTH.name, &range, setting, "")?;
    let asked = asked.and_then(|digits| CodeLength::new(u8::try_from(digits).ok()?));
    Ok(asked.unwrap_or_else(|| rules.code_length_default()))
}

/// A well-formed language tag, if there is one (RFC 5646, 2.2.9).
fn locale(fields: &mut Fields) -> Result<Option<String>, Noted> {
    match fields.text(LOCALE.name)? {
        Some(tag) if oxilangtag::LanguageTag::parse(tag.as_str()).is_err() => Err(fields.refuse(
            LOCALE.name,
            "must be a language tag such as \"de\" or \"pt-BR\"",
        )),
        tag => Ok(tag),
    }
}

fn client_ip(fields: &mut Fields) -> Result<Option<Network>, Noted> {
    let Some(text) = fields.text(CLIENT_IP.name)? else {
        return Ok(None);
    };
    let address: IpAddr = text
        .parse()
        .map_err(|_| fields.refuse(CLIENT_IP.name, "must be an IPv4 or IPv6 address"))?;
    Ok(Some(Network::of(address)))
}

#[derive(Serialize)]
struct Answer<'a> {
    session_id: String,
    email: &'a str,
    expires_at: Instant,
}

/// Answers once session and mail are committed.
pub(crate) async fn handle(
    call: Call<SendBody>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let Call {
        otp,
        caller,
        body,
        idempotency,
        time_left,
    } = call;
    let accepted = languages::accepted(request.headers());
    let wish = SendRequest {
        email: body.email,
        template: body.template,
        lifetime_secs: body.expires_in,
        code_length: body.code_length,
        languages: body.locale.into_iter().chain(accepted).collect(),
        variables: body.variables,
        client_ip: body.client_ip,
        idempotency,
    };
    let sent = time_left.allow(otp.send(&caller, wish)).await;
    let sent = sent.map_err(|error| match error {
        SendError::Limited(limited) => Refused::RateLimited(limited).into(),
        SendError::OnHold => Refused::OnHold.into(),
        SendError::KeyReused => Refused::IdempotencyKeyReused.into(),
        SendError::Service(cause) => ApiError::Service(cause),
    })?;
    let answer = envelope::success(Answer {
        session_id: sent.answer.session_id.to_string(),
        email: sent.answer.email.as_str(),
        expires_at: Instant(sent.answer.expires_at),
    });
    Ok(metered(Ok(answer), &sent))
}
