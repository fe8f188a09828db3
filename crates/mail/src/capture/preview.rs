//! Messages of sample values, which nobody asked for and nobody keeps.

use std::collections::BTreeMap;

use otpost_domain::{
    Address, Code, Language, Mode, ProjectName, SessionId, TemplateName, Timestamp,
};
use otpost_ports::{CapturedMessage, DeliveryError, Letter, MessageId, Owner, Preview};

use super::{CaptureInbox, captured};
use crate::message::unwritable;

const TO: &str = "reader@example.com";
const CODE: &str = "482913";
/// The lifetime that a caller gets who asks for none.
const LIFETIME_SECS: u32 = 300;
/// Projects with a sender of their own have real names.
const PROJECT: &str = "preview";

impl Preview for CaptureInbox {
    fn templates(&self) -> Vec<TemplateName> {
        self.renderer.templates()
    }

    fn languages(&self) -> Vec<Language> {
        self.renderer.languages()
    }

    fn message(
        &self,
        template: &TemplateName,
        language: &Language,
        now: Timestamp,
    ) -> Result<CapturedMessage, DeliveryError> {
        let letter = letter(template, language, now);
        let letter = letter.ok_or_else(|| unwritable("there are no sample values"))?;
        let message = self.renderer.message(&letter)?;
        Ok(captured(&letter, message))
    }
}

fn letter(template: &TemplateName, language: &Language, now: Timestamp) -> Option<Letter> {
    Some(Letter {
        message: MessageId([0; 16]),
        session: SessionId::NONE,
        owner: Owner {
            project: ProjectName::parse(PROJECT).ok()?,
            mode: Mode::Live,
        },
        to: Address::parse(TO).ok()?,
        code: Code::parse(CODE)?,
        template: template.clone(),
        language: language.clone(),
        variables: BTreeMap::new(),
        now,
        expires_at: now.plus_secs(LIFETIME_SECS),
    })
}
