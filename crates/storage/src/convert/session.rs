//! Sessions as rows.

use otpost_domain::{
    ExpiryCause, Language, ResendPolicy, Session, SessionRecord, StateRecord, TemplateName,
    TermsRecord,
};
use otpost_ports::{
    CodeSecret, Context, Owner, RecipientDigest, Sealed, StoreError, StoredSession,
};
use sea_orm::{NotSet, Set};

use super::{Table, mode_number};
use crate::entity::session::{ActiveModel, Model};

pub(crate) const SESSIONS: Table = Table("sessions");

/// The number of a session that waits; the closed states follow.
pub(crate) const PENDING: i16 = 0;
const VERIFIED: i16 = 1;
/// The number of a session whose hard end came before an answer.
pub(crate) const HARD_END_REACHED: i16 = 2;
const ATTEMPTS_EXHAUSTED: i16 = 3;
/// Every closed state.
pub(crate) const CLOSED: [i16; 3] = [VERIFIED, HARD_END_REACHED, ATTEMPTS_EXHAUSTED];

const REPEAT: i16 = 0;
const RENEW: i16 = 1;

/// What is kept of a session itself.
pub(crate) struct Kept {
    pub(crate) session: Session,
    pub(crate) context: Context,
    pub(crate) secret: Option<CodeSecret>,
}

/// The row of a new session.
pub(crate) fn row(stored: &StoredSession) -> ActiveModel {
    let context = &stored.context;
    let record = stored.session.record();
    let terms = record.terms;
    ActiveModel {
        id: Set(record.id.to_vec()),
        project: Set(context.owner.project.as_str().to_owned()),
        mode: Set(mode_number(context.owner.mode)),
        address: Set(context.address.0.clone()),
        recipient: Set(context.recipient.0.to_vec()),
        template: Set(context.template.as_str().to_owned()),
        language: Set(context.language.as_str().to_owned()),
        variables: Set(context.variables.as_ref().map(|sealed| sealed.0.clone())),
        is_exempt: Set(context.is_exempt),
        lifetime_secs: Set(terms.lifetime_secs.into()),
        code_length: Set(terms.code_length.into()),
        attempts_max: Set(terms.attempts_max.into()),
        resends_max: Set(terms.resends_max.into()),
        cooldown_secs: Set(terms.cooldown_secs.into()),
        code_lifetime_max_secs: Set(terms.code_lifetime_max_secs.into()),
        resend_policy: Set(match terms.resend {
            ResendPolicy::Repeat => REPEAT,
            ResendPolicy::Renew => RENEW,
        }),
        opened_at: Set(record.opened_at),
        hard_end: Set(record.hard_end),
        ..changing(stored)
    }
}

/// Only the columns that a command can change.
pub(crate) fn changing(stored: &StoredSession) -> ActiveModel {
    let record = stored.session.record();
    let secret = stored.secret;
    let columns = ActiveModel {
        // They are never others, but they are erased.
        variables: match stored.context.variables {
            Some(_) => NotSet,
            None => Set(None),
        },
        expires_at: Set(record.expires_at),
        attempts: Set(record.attempts.into()),
        closed_at: Set(None),
        generation: Set(None),
        resends: Set(None),
        code_issued_at: Set(None),
        mailed_at: Set(None),
        secret_kid: Set(secret.map(|secret| secret.kid.into())),
        secret_nonce: Set(secret.map(|secret| secret.nonce.to_vec())),
        ..Default::default()
    };
    match record.state {
        StateRecord::Pending {
            generation,
            resends,
            code_issued_at,
            mailed_at,
        } => ActiveModel {
            state: Set(PENDING),
            generation: Set(Some(generation.into())),
            resends: Set(Some(resends.into())),
            code_issued_at: Set(Some(code_issued_at)),
            mailed_at: Set(Some(mailed_at)),
            ..columns
        },
        StateRecord::Verified { at } => ActiveModel {
            state: Set(VERIFIED),
            closed_at: Set(Some(at)),
            ..columns
        },
        StateRecord::Expired { at, cause } => ActiveModel {
            state: Set(match cause {
                ExpiryCause::HardEndReached => HARD_END_REACHED,
                ExpiryCause::AttemptsExhausted => ATTEMPTS_EXHAUSTED,
            }),
            closed_at: Set(Some(at)),
            ..columns
        },
    }
}

/// What `row` says.
pub(crate) fn read(row: Model) -> Result<Kept, StoreError> {
    let record = SessionRecord {
        id: SESSIONS.bytes("id", row.id.clone())?,
        terms: terms(&row)?,
        opened_at: row.opened_at,
        hard_end: row.hard_end,
        expires_at: row.expires_at,
        attempts: SESSIONS.small("attempts", row.attempts)?,
        state: state(&row)?,
    };
    let session =
        Session::restore(&record).map_err(|invalid| SESSIONS.corrupt(invalid.to_string()))?;
    let secret = match (row.secret_kid, row.secret_nonce) {
        (Some(kid), Some(nonce)) => Some(CodeSecret {
            kid: SESSIONS.number("secret_kid", kid)?,
            nonce: SESSIONS.bytes("secret_nonce", nonce)?,
        }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(SESSIONS.corrupt("half a secret")),
    };
    let context = Context {
        owner: Owner {
            project: SESSIONS.project("project", &row.project)?,
            mode: SESSIONS.mode(row.mode)?,
        },
        address: Sealed(row.address),
        recipient: RecipientDigest(SESSIONS.bytes("recipient", row.recipient)?),
        template: TemplateName::parse(&row.template)
            .map_err(|_| SESSIONS.corrupt("template is no name"))?,
        language: Language::new(&row.language),
        variables: row.variables.map(Sealed),
        is_exempt: row.is_exempt,
    };
    Ok(Kept {
        session,
        context,
        secret,
    })
}

fn terms(row: &Model) -> Result<TermsRecord, StoreError> {
    Ok(TermsRecord {
        lifetime_secs: SESSIONS.number("lifetime_secs", row.lifetime_secs)?,
        code_length: SESSIONS.small("code_length", row.code_length)?,
        attempts_max: SESSIONS.small("attempts_max", row.attempts_max)?,
        resends_max: SESSIONS.small("resends_max", row.resends_max)?,
        cooldown_secs: SESSIONS.number("cooldown_secs", row.cooldown_secs)?,
        code_lifetime_max_secs: SESSIONS
            .number("code_lifetime_max_secs", row.code_lifetime_max_secs)?,
        resend: match row.resend_policy {
            REPEAT => ResendPolicy::Repeat,
            RENEW => ResendPolicy::Renew,
            _ => return Err(SESSIONS.out_of_range("resend_policy")),
        },
    })
}

fn state(row: &Model) -> Result<StateRecord, StoreError> {
    let closed_at = || SESSIONS.required("closed_at", row.closed_at);
    let expired = |cause| {
        Ok(StateRecord::Expired {
            at: closed_at()?,
            cause,
        })
    };
    match row.state {
        PENDING => {
            let generation = SESSIONS.required("generation", row.generation)?;
            let resends = SESSIONS.required("resends", row.resends)?;
            Ok(StateRecord::Pending {
                generation: SESSIONS.number("generation", generation)?,
                resends: SESSIONS.small("resends", resends)?,
                code_issued_at: SESSIONS.required("code_issued_at", row.code_issued_at)?,
                mailed_at: SESSIONS.required("mailed_at", row.mailed_at)?,
            })
        }
        VERIFIED => Ok(StateRecord::Verified { at: closed_at()? }),
        HARD_END_REACHED => expired(ExpiryCause::HardEndReached),
        ATTEMPTS_EXHAUSTED => expired(ExpiryCause::AttemptsExhausted),
        _ => Err(SESSIONS.out_of_range("state")),
    }
}
