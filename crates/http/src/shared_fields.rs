//! The fields that more than one endpoint knows: an address, a template, a session.

use otpost_domain::{Address, SessionId, TemplateName};
use otpost_service::Rules;

use crate::fields::{A_STRING, Field, Fields, Noted};

pub(crate) const EMAIL: Field = Field::new("email");
pub(crate) const TEMPLATE: Field = Field::aliased("template", &["purpose"]);
pub(crate) const SESSION_ID: Field = Field::aliased("session_id", &["request_id", "requestId"]);

/// The address that must be there.
pub(crate) fn required_address(fields: &mut Fields, rules: &Rules<'_>) -> Result<Address, Noted> {
    let typed = fields.required_text(EMAIL.name, A_STRING)?;
    address(fields, &typed, rules)
}

/// The address that a text is.
pub(crate) fn address(
    fields: &mut Fields,
    typed: &str,
    rules: &Rules<'_>,
) -> Result<Address, Noted> {
    const VALID: &str = "must be a valid email address";
    let address = Address::parse(typed)
        .map_err(|error| fields.refuse(EMAIL.name, &format!("{VALID}: {error}")))?;
    if rules.takes(&address) {
        Ok(address)
    } else {
        let why = format!("{VALID}: nothing arrives at .invalid, .test and .localhost");
        Err(fields.refuse(EMAIL.name, &why))
    }
}

/// The template that is named, if one is.
pub(crate) fn template(
    fields: &mut Fields,
    rules: &Rules<'_>,
) -> Result<Option<TemplateName>, Noted> {
    let Some(name) = fields.text(TEMPLATE.name)? else {
        return Ok(None);
    };
    if let Some(template) = rules.template(&name) {
        return Ok(Some(template.clone()));
    }
    let known: Vec<_> = rules.templates().iter().map(TemplateName::as_str).collect();
    Err(fields.refuse(
        TEMPLATE.name,
        &format!("must be one of: {}", known.join(", ")),
    ))
}

/// The session that is named. A text that can name none is [`SessionId::NONE`], so that it is
/// counted and judged as one that nobody has.
pub(crate) fn session_id(fields: &mut Fields) -> Result<SessionId, Noted> {
    let text = fields.required_text(SESSION_ID.name, A_STRING)?;
    Ok(SessionId::parse(&text).unwrap_or(SessionId::NONE))
}
