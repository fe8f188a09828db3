//! The pure decisions between an adapter's read and its write.

use otpost_domain::{
    Binding, Resend, Session, Standing, Submission, Timestamp, Transition, Verdict,
};

use crate::quota::charge;
use crate::{
    Action, Command, Counted, DeliveryState, Ledger, Limited, MessageId, Opening, Outcome,
    StoredSession, Submitted, Vault, VaultError,
};

/// Whether a session may be opened. What is charged stands in the ledger.
#[must_use = "commit the ledger with the session"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It may.
    Open(Vec<Counted>),
    /// A limit refuses, and nothing is charged.
    Limited(Limited),
    /// The address is on hold, and nothing is charged.
    OnHold,
}

/// Judges whether `opening` may be committed at `now`. Every adapter calls this.
pub fn admit(opening: &Opening, ledger: &mut Ledger, now: Timestamp) -> Admitted {
    let Some(quotas) = &opening.quotas else {
        return Admitted::Open(Vec::new());
    };
    let context = &opening.context;
    let (owner, recipient) = (&context.owner, &context.recipient);
    let mut charged = ledger.clone();
    let mut counted = match charge(&quotas.caller, &mut charged, now) {
        Ok(counted) => counted,
        Err(limited) => return Admitted::Limited(limited),
    };
    if quotas.standing(owner, recipient, ledger, now).is_on_hold() {
        return Admitted::OnHold;
    }
    if !context.is_exempt {
        match charge(&quotas.of_recipient(owner, recipient), &mut charged, now) {
            Ok(more) => counted.extend(more),
            Err(limited) => return Admitted::Limited(limited),
        }
    }
    *ledger = charged;
    Admitted::Open(counted)
}

/// What a command comes to.
#[must_use = "commit before acting on the outcome"]
#[derive(Clone, Debug)]
pub enum Decided {
    /// A limit refuses it; nothing changes.
    Limited(Limited),
    /// There is no such session for its owner; it may have been counted all the same.
    NotFound(Ledger),
    /// It was judged.
    Judged(Decision),
}

/// What to commit, and what to answer once it is committed.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What the session has become.
    pub session: Session,
    /// What the answer is.
    pub outcome: Outcome,
    /// What happens to its mail.
    pub mail: MailChange,
    /// What is counted.
    pub ledger: Ledger,
    /// The limits that were charged.
    pub counted: Vec<Counted>,
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

/// Judges `command` on what is stored: first the limits of the caller, then the session, last the
/// limits of its recipient. Every adapter calls this, and nothing else decides.
///
/// # Errors
///
/// Those of the vault: nothing was judged then.
pub fn decide(
    stored: Option<&StoredSession>,
    command: &Command,
    ledger: Ledger,
    vault: &dyn Vault,
) -> Result<Decided, VaultError> {
    let mut charged = ledger.clone();
    let counted = match &command.quotas {
        None => Vec::new(),
        Some(quotas) => match charge(&quotas.caller, &mut charged, command.at) {
            Ok(counted) => counted,
            Err(limited) => return Ok(Decided::Limited(limited)),
        },
    };
    if let (Action::Submit(_), Some(quotas)) = (&command.action, &command.quotas)
        && let Some(limited) = quotas.refusal(&command.owner, &ledger, command.at)
    {
        return Ok(Decided::Limited(limited));
    }
    match (&command.action, stored) {
        (Action::Submit(_), None) => Ok(Decided::NotFound(charged)),
        (Action::Resend(_), None) => Ok(Decided::NotFound(ledger)),
        (Action::Submit(submitted), Some(stored)) => {
            submit(stored, submitted, command, charged, counted, vault).map(Decided::Judged)
        }
        (Action::Resend(message), Some(stored)) => {
            Ok(resend(stored, *message, command, ledger, charged, counted))
        }
    }
}

fn submit(
    stored: &StoredSession,
    submitted: &Submitted,
    command: &Command,
    mut ledger: Ledger,
    counted: Vec<Counted>,
    vault: &dyn Vault,
) -> Result<Decision, VaultError> {
    let binding = binding(stored, submitted, vault)?;
    let submission = Submission {
        candidate: submitted.candidate.clone(),
        binding,
    };
    let standing = standing(stored, command, &ledger);
    let session = stored.session.clone();
    let Transition { session, outcome } =
        session.submit(&submission, standing, command.at, |generation| {
            stored.code(generation, vault)
        })?;
    if let Some(quotas) = &command.quotas {
        let (owner, recipient) = (&stored.context.owner, &stored.context.recipient);
        match outcome {
            Verdict::WrongCode { .. } | Verdict::Mismatch { .. } => {
                quotas.note_failure(owner, recipient, &mut ledger, command.at);
            }
            Verdict::Verified => quotas.note_success(owner, recipient, &mut ledger, command.at),
            Verdict::AlreadyVerified
            | Verdict::TooManyAttempts
            | Verdict::Expired
            | Verdict::OnHold
            | Verdict::Malformed { .. } => {}
        }
    }
    // A mail of a session that just ended is not waited for: it is taken up to be dropped.
    let has_ended = stored.session.pending().is_some() && session.pending().is_none();
    let mail = if has_ended {
        MailChange::Hurry
    } else {
        MailChange::Keep
    };
    let outcome = Outcome::Submitted(outcome);
    Ok(Decision {
        session,
        outcome,
        mail,
        ledger,
        counted,
    })
}

/// `ledger` is charged with nothing, `charged` with what the caller pays for a mail.
fn resend(
    stored: &StoredSession,
    message: MessageId,
    command: &Command,
    ledger: Ledger,
    mut charged: Ledger,
    mut counted: Vec<Counted>,
) -> Decided {
    let standing = standing(stored, command, &ledger);
    let Transition { session, outcome } = stored.session.clone().resend(standing, command.at);
    let mail = match outcome {
        Resend::Repeat if stored.delivery.state == DeliveryState::Queued => MailChange::Hurry,
        Resend::Repeat | Resend::Renew => MailChange::Queue(message),
        Resend::Wait { .. } | Resend::Refuse(_) => {
            let outcome = Outcome::Resent(outcome);
            let mail = MailChange::Keep;
            return Decided::Judged(Decision {
                session,
                outcome,
                mail,
                ledger,
                counted: vec![],
            });
        }
    };
    if let Some(quotas) = command
        .quotas
        .as_ref()
        .filter(|_| !stored.context.is_exempt)
    {
        let mails = quotas.of_recipient(&stored.context.owner, &stored.context.recipient);
        match charge(&mails, &mut charged, command.at) {
            Ok(more) => counted.extend(more),
            Err(limited) => return Decided::Limited(limited),
        }
    }
    let outcome = Outcome::Resent(outcome);
    Decided::Judged(Decision {
        session,
        outcome,
        mail,
        ledger: charged,
        counted,
    })
}

/// How the address of a session stands; nothing is held against one of a test.
fn standing(stored: &StoredSession, command: &Command, ledger: &Ledger) -> Standing {
    let context = &stored.context;
    command
        .quotas
        .as_ref()
        .map_or(Standing::default(), |quotas| {
            quotas.standing(&context.owner, &context.recipient, ledger, command.at)
        })
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
