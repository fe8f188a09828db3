//! The pure decision between an adapter's read and its write.

use otpost_domain::{Binding, Resend, Session, Submission, Transition};

use crate::{
    Action, Command, DeliveryState, MessageId, Outcome, StoredSession, Submitted, Vault, VaultError,
};

/// What to commit, and what to answer once it is committed.
#[must_use = "commit before acting on the outcome"]
#[derive(Clone, Debug)]
pub struct Decision {
    /// What the session has become.
    pub session: Session,
    /// What the answer is.
    pub outcome: Outcome,
    /// What happens to its mail.
    pub mail: MailChange,
}

/// What a command does to the mail of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailChange {
    /// Nothing.
    Keep,
    /// Due at once, if it is not due already: it is asked for again, or to be dropped. A courier
    /// that holds it keeps it; due from now, it is tried again at once if that try fails.
    Hurry,
    /// A mail in place of the last one, due at once, under this identifier, with the code in
    /// force now. A courier that still holds the last one has lost its lease.
    Queue(MessageId),
}

/// Judges `command` on what is stored. Every adapter calls this, and nothing else decides.
///
/// # Errors
///
/// Those of the vault: nothing was judged then.
pub fn decide(
    stored: &StoredSession,
    command: &Command,
    vault: &dyn Vault,
) -> Result<Decision, VaultError> {
    let session = stored.session.clone();
    match &command.action {
        Action::Submit(submitted) => {
            let binding = binding(stored, submitted, vault)?;
            let submission = Submission {
                candidate: submitted.candidate.clone(),
                binding,
            };
            let Transition { session, outcome } =
                session.submit(&submission, command.at, |generation| {
                    stored.code(generation, vault)
                })?;
            // A mail of a session that just ended is not waited for: it is taken up to be dropped.
            let has_ended = stored.session.pending().is_some() && session.pending().is_none();
            let mail = if has_ended {
                MailChange::Hurry
            } else {
                MailChange::Keep
            };
            Ok(Decision {
                session,
                outcome: Outcome::Submitted(outcome),
                mail,
            })
        }
        Action::Resend(message) => {
            let Transition { session, outcome } = session.resend(command.at);
            let mail = match outcome {
                Resend::Repeat if stored.delivery.state == DeliveryState::Queued => {
                    MailChange::Hurry
                }
                Resend::Repeat | Resend::Renew => MailChange::Queue(*message),
                Resend::Wait { .. } | Resend::Refuse(_) => MailChange::Keep,
            };
            Ok(Decision {
                session,
                outcome: Outcome::Resent(outcome),
                mail,
            })
        }
    }
}

fn binding(
    stored: &StoredSession,
    submitted: &Submitted,
    vault: &dyn Vault,
) -> Result<Binding, VaultError> {
    let is_other_purpose = submitted
        .template
        .as_ref()
        .is_some_and(|template| *template != stored.context.template);
    if is_other_purpose {
        return Ok(Binding::Broken);
    }
    let Some(email) = &submitted.email else {
        return Ok(Binding::Holds);
    };
    let address = vault.open_address(stored.session.id(), &stored.context.address)?;
    Ok(if address == *email {
        Binding::Holds
    } else {
        Binding::Broken
    })
}
