//! Sessions as rows.

use otpost_domain::{
    ExpiryCause, Language, ResendPolicy, Session, SessionRecord, StateRecord, TemplateName,
    TermsRecord,
};
use otpost_ports::{
    CodeSecret, Context, Owner, RecipientDigest, Sealed, StoreError, StoredSession,
};

use super::{Table, mode_number};
use crate::entity::session::{Column, Model};

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

/// What a command can change of a session.
pub(crate) const CHANGING: [Column; 11] = [
    // They are never others, but they are erased.
    Column::Variables,
    Column::ExpiresAt,
    Column::Attempts,
    Column::State,
    Column::ClosedAt,
    Column::Generation,
    Column::Resends,
    Column::CodeIssuedAt,
    Column::MailedAt,
    Column::SecretKid,
    Column::SecretNonce,
];

/// The row of a session.
pub(crate) fn row(stored: &StoredSession) -> Model {
    let context = &stored.context;
    let record = stored.session.record();
    let terms = record.terms;
    let open = Model {
        id: record.id.to_vec(),
        project: context.owner.project.as_str().to_owned(),
        mode: mode_number(context.owner.mode),
        address: context.address.0.clone(),
        recipient: context.recipient.0.to_vec(),
        template: context.template.as_str().to_owned(),
        language: context.language.as_str().to_owned(),
        variables: context.variables.as_ref().map(|sealed| sealed.0.clone()),
        is_exempt: context.is_exempt,
        lifetime_secs: terms.lifetime_secs.into(),
        code_length: terms.code_length.into(),
        attempts_max: terms.attempts_max.into(),
        resends_max: terms.resends_max.into(),
        cooldown_secs: terms.cooldown_secs.into(),
        code_lifetime_max_secs: terms.code_lifetime_max_secs.into(),
        resend_policy: match terms.resend {
            ResendPolicy::Repeat => REPEAT,
            ResendPolicy::Renew => RENEW,
        },
        opened_at: record.opened_at,
        hard_end: record.hard_end,
        expires_at: record.expires_at,
        attempts: record.attempts.into(),
        state: PENDING,
        closed_at: None,
        generation: None,
        resends: None,
        code_issued_at: None,
        mailed_at: None,
        secret_kid: stored.secret.map(|secret| secret.kid.into()),
        secret_nonce: stored.secret.map(|secret| secret.nonce.to_vec()),
    };
    match record.state {
        StateRecord::Pending {
            generation,
            resends,
            code_issued_at,
            mailed_at,
        } => Model {
            generation: Some(generation.into()),
            resends: Some(resends.into()),
            code_issued_at: Some(code_issued_at),
            mailed_at: Some(mailed_at),
            ..open
        },
        StateRecord::Verified { at } => Model {
            state: VERIFIED,
            closed_at: Some(at),
            ..open
        },
        StateRecord::Expired { at, cause } => Model {
            state: match cause {
                ExpiryCause::HardEndReached => HARD_END_REACHED,
                ExpiryCause::AttemptsExhausted => ATTEMPTS_EXHAUSTED,
            },
            closed_at: Some(at),
            ..open
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
