//! The pure decision on a command, between an adapter's read and its write.

use otpost_domain::{
    Address, Binding, Refusal, Resend, Session, SessionId, Standing, Submission, Transition,
    Verdict,
};

use crate::idempotency::Known;
use crate::quota::{charge, longest};
use crate::{
    Action, Command, Counted, DeliveryState, KeptAnswer, Ledger, Limited, MessageId, Once, Outcome,
    Replayed, Said, StoredSession, Submitted, Vault, VaultError,
};

/// What a command comes to.
#[must_use = "commit before acting on the outcome"]
#[derive(Clone, Debug)]
pub enum Decided {
    /// It came before; nothing changes.
    Replayed(Replayed),
    /// Another request came under its key. To verify, it is counted: it might be a guess.
    KeyReused {
        /// What is counted.
        ledger: Ledger,
        /// The limits that were charged.
        counted: Vec<Counted>,
        /// The answer to keep.
        kept: Option<KeptAnswer>,
    },
    /// A limit refuses it; nothing changes.
    Limited(Limited),
    /// There is no such session for its owner; it may have been counted all the same.
    NotFound {
        /// What is counted.
        ledger: Ledger,
        /// The limits that were charged.
        counted: Vec<Counted>,
        /// The answer to keep.
        kept: Option<KeptAnswer>,
    },
    /// It was judged.
    Judged(Box<Decision>),
}

/// What to commit, and what to answer once it is committed.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The session as it was.
    pub before: StoredSession,
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
    /// Whether this was the failure that used up those of the project.
    pub used_up_failures: bool,
    /// The answer to keep.
    pub kept: Option<KeptAnswer>,
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

/// What an adapter has read for a command.
#[derive(Clone, Debug)]
pub struct Found {
    /// The session, if its owner has it.
    pub stored: Option<StoredSession>,
    /// The answer that is kept under the command's idempotency key.
    pub kept: Option<KeptAnswer>,
    /// The counters of [`Command::subjects`].
    pub ledger: Ledger,
}

/// Judges `command` on what was found: first whether it came before, then the limits of the
/// caller, then the session, last the limits of its recipient. Every adapter calls this, and
/// nothing else decides.
///
/// # Errors
///
/// Those of the vault: nothing was judged then.
pub fn decide(found: Found, command: &Command, vault: &dyn Vault) -> Result<Decided, VaultError> {
    let Found {
        stored,
        kept,
        ledger,
    } = found;
    if let (Some(once), Some(kept)) = (command.once, kept)
        && let Some(known) = once.known(&kept, command.at, vault)?
    {
        return Ok(match known {
            Known::Same(replayed) => Decided::Replayed(replayed),
            Known::Other => key_reused(kept, command, ledger),
        });
    }
    let charged = match charged(command, &ledger) {
        Ok(charged) => charged,
        Err(limited) => return Ok(Decided::Limited(limited)),
    };
    let retained = stored.filter(|stored| stored.is_retained(command.at));
    match (&command.action, retained) {
        (Action::Submit(_), None) => not_found(charged, command, vault),
        (Action::Resend(_), None) => Ok(Decided::NotFound {
            ledger,
            counted: vec![],
            kept: None,
        }),
        (Action::Submit(submitted), Some(stored)) => {
            submit(stored, submitted, command, charged, vault)
        }
        (Action::Resend(message), Some(stored)) => {
            resend(stored, *message, command, ledger, charged, vault)
        }
    }
}

/// A ledger with charges in it, and what they were.
struct Charged {
    ledger: Ledger,
    counted: Vec<Counted>,
}

/// What the caller pays, unless one of its limits refuses.
fn charged(command: &Command, ledger: &Ledger) -> Result<Charged, Limited> {
    let mut charged = Charged {
        ledger: ledger.clone(),
        counted: vec![],
    };
    let Some(quotas) = &command.quotas else {
        return Ok(charged);
    };
    let refusal = match &command.action {
        Action::Submit(_) => quotas.refusal(&command.owner, ledger, command.at),
        Action::Resend(_) => None,
    };
    match charge(&quotas.caller, &mut charged.ledger, command.at) {
        Ok(counted) => charged.counted = counted,
        Err(limited) => return Err(longest(Some(limited), refusal).unwrap_or(limited)),
    }
    refusal.map_or(Ok(charged), Err)
}

fn key_reused(kept: KeptAnswer, command: &Command, ledger: Ledger) -> Decided {
    match (&command.action, charged(command, &ledger)) {
        (Action::Resend(_), _) => Decided::KeyReused {
            ledger,
            counted: vec![],
            kept: None,
        },
        (Action::Submit(_), Ok(Charged { ledger, counted })) => Decided::KeyReused {
            ledger,
            counted,
            kept: Some(KeptAnswer {
                conflicts: kept.conflicts.saturating_add(1),
                ..kept
            }),
        },
        (Action::Submit(_), Err(limited)) => Decided::Limited(limited),
    }
}

fn not_found(
    charged: Charged,
    command: &Command,
    vault: &dyn Vault,
) -> Result<Decided, VaultError> {
    let Charged { ledger, counted } = charged;
    let once = command.once.filter(|_| ledger.is_changed());
    let keep = |once: Once| once.keep(&SessionId::NONE, &Said::NotFound, vault);
    Ok(Decided::NotFound {
        kept: once.map(keep).transpose()?,
        ledger,
        counted,
    })
}

fn submit(
    stored: StoredSession,
    submitted: &Submitted,
    command: &Command,
    charged: Charged,
    vault: &dyn Vault,
) -> Result<Decided, VaultError> {
    let Charged {
        mut ledger,
        counted,
    } = charged;
    let submission = Submission {
        candidate: submitted.candidate.clone(),
        binding: binding(&stored, submitted, vault)?,
    };
    let standing = standing(&stored, command, &ledger);
    let Transition { session, outcome } =
        stored
            .session
            .clone()
            .submit(&submission, standing, command.at, |generation| {
                stored.code(generation, vault)
            })?;
    let is_failure = match outcome {
        Verdict::WrongCode { .. } | Verdict::Mismatch { .. } => true,
        Verdict::AlreadyVerified
        | Verdict::TooManyAttempts
        | Verdict::Expired
        | Verdict::OnHold
        | Verdict::Malformed { .. }
        | Verdict::Verified => false,
    };
    if let Some(quotas) = &command.quotas {
        let (owner, recipient) = (&stored.context.owner, &stored.context.recipient);
        if is_failure {
            quotas.note_failure(owner, recipient, &mut ledger, command.at);
        }
        if outcome == Verdict::Verified {
            quotas.note_success(owner, recipient, &mut ledger, command.at);
        }
    }
    let decision = Decision {
        mail: mail_of_ended(&stored.session, &session),
        before: stored,
        session,
        outcome: Outcome::Submitted(outcome),
        ledger,
        counted,
        used_up_failures: is_failure && standing.is_last_failure(),
        kept: None,
    };
    judged(decision, command, vault)
}

/// `ledger` is charged with nothing, `charged` with what the caller pays for a mail.
fn resend(
    stored: StoredSession,
    message: MessageId,
    command: &Command,
    ledger: Ledger,
    mut charged: Charged,
    vault: &dyn Vault,
) -> Result<Decided, VaultError> {
    let standing = standing(&stored, command, &ledger);
    let Transition { session, outcome } = stored.session.clone().resend(standing, command.at);
    let mail = match outcome {
        Resend::Repeat if stored.delivery.state == DeliveryState::Queued => MailChange::Hurry,
        Resend::Repeat | Resend::Renew => MailChange::Queue(message),
        Resend::Wait { .. } | Resend::Refuse(_) => {
            charged = Charged {
                ledger,
                counted: vec![],
            };
            mail_of_ended(&stored.session, &session)
        }
    };
    let quotas = command.quotas.as_ref();
    if let (Resend::Repeat | Resend::Renew, Some(quotas)) = (outcome, quotas)
        && !stored.context.is_exempt
    {
        let mails = quotas.of_recipient(&stored.context.owner, &stored.context.recipient);
        match charge(&mails, &mut charged.ledger, command.at) {
            Ok(more) => charged.counted.extend(more),
            Err(limited) => return Ok(Decided::Limited(limited)),
        }
    }
    let decision = Decision {
        before: stored,
        session,
        outcome: Outcome::Resent(outcome),
        mail,
        ledger: charged.ledger,
        counted: charged.counted,
        used_up_failures: false,
        kept: None,
    };
    judged(decision, command, vault)
}

/// A mail of a session that just ended is not waited for: it is taken up to be dropped.
fn mail_of_ended(before: &Session, after: &Session) -> MailChange {
    if before.pending().is_some() && after.pending().is_none() {
        MailChange::Hurry
    } else {
        MailChange::Keep
    }
}

/// The decision, with the answer to keep where something is committed that a repetition would
/// commit again.
fn judged(
    mut decision: Decision,
    command: &Command,
    vault: &dyn Vault,
) -> Result<Decided, VaultError> {
    if let Some(once) = command.once
        && decision.is_committed()
        && let Some(said) = said(&decision, vault)?
    {
        let session = decision.session.id();
        decision.kept = Some(once.keep(session, &said, vault)?);
    }
    Ok(Decided::Judged(Box::new(decision)))
}

impl Decision {
    /// Whether there is anything to commit.
    fn is_committed(&self) -> bool {
        self.session != self.before.session
            || self.mail != MailChange::Keep
            || self.ledger.is_changed()
    }
}

/// What the answer will say; `None` for one that is never kept.
fn said(decision: &Decision, vault: &dyn Vault) -> Result<Option<Said>, VaultError> {
    Ok(match decision.outcome {
        Outcome::Submitted(Verdict::Verified) => Some(Said::Verified {
            email: email(&decision.before, vault)?,
        }),
        // A release or a moment changes these: the same request is worth another try.
        Outcome::Submitted(Verdict::OnHold)
        | Outcome::Resent(Resend::Wait { .. } | Resend::Refuse(Refusal::OnHold)) => None,
        Outcome::Submitted(verdict) => Some(Said::Refused(verdict)),
        Outcome::Resent(Resend::Repeat | Resend::Renew) => Some(Said::Mailed {
            expires_at: decision.session.expires_at(),
        }),
        Outcome::Resent(Resend::Refuse(refusal)) => Some(Said::NotMailed(refusal)),
    })
}

fn email(stored: &StoredSession, vault: &dyn Vault) -> Result<Address, VaultError> {
    vault.open_address(stored.session.id(), &stored.context.address)
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
    let Some(expected) = &submitted.email else {
        return Ok(Binding::Holds);
    };
    Ok(if email(stored, vault)? == *expected {
        Binding::Holds
    } else {
        Binding::Broken
    })
}
