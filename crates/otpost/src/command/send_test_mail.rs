//! `otpost send-test-mail`

use std::collections::BTreeMap;
use std::time::Duration;

use otpost_crypto::OsEntropy;
use otpost_domain::{Address, Code, CodeLength, Mode, ProjectName, SessionId, TemplateName};
use otpost_ports::{Clock as _, Courier as _, Entropy, Letter, MessageId, Owner};

use super::Prepared;
use crate::clock::SystemClock;
use crate::settings::Settings;
use crate::{Failure, say};

/// How long the relays may take over it.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long the message says that its code is valid, in seconds.
const LIFETIME_SECS: u32 = 300;

pub(super) async fn run(settings: &Settings, to: &str) -> Result<(), Failure> {
    let to = super::address(to)?;
    let Prepared { smtp, .. } = super::prepare(settings)?;
    let letter = letter(settings, to)?;
    let sending = tokio::time::timeout(DEADLINE, smtp.deliver(&letter));
    match sending.await {
        Ok(Ok(())) => say("A relay took the message. Its code is an example and confirms nothing."),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err("no relay answered in time".into()),
    }
}

fn letter(settings: &Settings, to: Address) -> Result<Letter, Failure> {
    let entropy = OsEntropy::new();
    let entropy: &dyn Entropy = &entropy;
    let now = SystemClock.now();
    Ok(Letter {
        message: MessageId(entropy.bytes()?),
        session: SessionId::new(now, entropy.bytes()?),
        owner: Owner {
            project: ProjectName::parse("default")?,
            mode: Mode::Live,
        },
        to,
        code: Code::of_tests(CodeLength::DEFAULT),
        template: TemplateName::parse("login")?,
        language: settings.mail.sending.locale.clone(),
        variables: BTreeMap::new(),
        now,
        expires_at: now.plus_secs(LIFETIME_SECS),
    })
}
