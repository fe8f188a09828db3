//! Sessions, commands, letters and keys as tests need them, all of one project and one address.

mod quotas;

pub use quotas::{NETWORK, limit, mail_quotas, verify_quotas};

use std::collections::BTreeMap;

use otpost_domain::{
    Address, ApiKey, Binding, Candidate, Code, FoldedAddress, KeyDigest, Language, Mode,
    Permissions, ProjectName, ResendPolicy, Session, SessionId, Standing, Submission, TemplateName,
    Terms, TermsRecord, Timestamp,
};
use otpost_ports::{
    Action, Actor, AuditAction, AuditEntry, Command, Context, Delivery, DeliveryState, Endpoint,
    KeyRecord, Letter, MessageId, Once, Opening, Owner, ProjectRecord, RecipientDigest, Scope,
    SealedField, Submitted, Vault,
};

/// When the samples are opened: 2026-01-09T12:00:00Z.
pub const NOON: Timestamp = Timestamp::from_millis(1_767_960_000_000);

/// The last instant before `instant`.
#[must_use]
pub const fn just_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_millis(instant.as_millis() - 1)
}

/// The project `acme`, live.
#[must_use]
pub fn owner() -> Owner {
    Owner {
        project: project("acme"),
        mode: Mode::Live,
    }
}

/// The name of a project.
#[must_use]
pub fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

/// `person@example.com`.
#[must_use]
pub fn address() -> Address {
    Address::parse("person@example.com").unwrap()
}

/// The digest of [`address`].
#[must_use]
pub fn recipient(vault: &dyn Vault) -> RecipientDigest {
    vault.digest(&FoldedAddress::of(&address()))
}

/// The documented defaults: 300 seconds, 6 digits, 5 attempts, 4 resends, 30 seconds between.
#[must_use]
pub const fn terms() -> TermsRecord {
    TermsRecord {
        lifetime_secs: 300,
        code_length: 6,
        attempts_max: 5,
        resends_max: 4,
        cooldown_secs: 30,
        code_lifetime_max_secs: 600,
        resend: ResendPolicy::Repeat,
    }
}

/// The identifier of sample `number`, opened at `at`.
#[must_use]
pub fn session_id(number: u8, at: Timestamp) -> SessionId {
    SessionId::new(at, [number; 16])
}

/// Sample `number`: a session opened at [`NOON`] under [`terms`], with a mail that is due.
#[must_use]
pub fn opening(vault: &dyn Vault, number: u8) -> Opening {
    opening_at(vault, number, terms(), NOON)
}

/// Sample `number`, opened at `at` under `terms`, with a mail that is due.
#[must_use]
pub fn opening_at(vault: &dyn Vault, number: u8, terms: TermsRecord, at: Timestamp) -> Opening {
    let id = session_id(number, at);
    let address = address();
    let seal = |field, plain: &[u8]| vault.seal(&id, field, plain).unwrap();
    Opening {
        session: Session::open(id, Terms::new(terms).unwrap(), at),
        context: Context {
            owner: owner(),
            address: seal(SealedField::Address, address.as_str().as_bytes()),
            recipient: recipient(vault),
            template: TemplateName::parse("login").unwrap(),
            language: Language::new("de"),
            variables: Some(seal(SealedField::Variables, br#"{"device":"Firefox"}"#)),
            is_exempt: false,
        },
        secret: Some(vault.new_secret().unwrap()),
        delivery: Delivery {
            message: MessageId([number; 16]),
            generation: 0,
            state: DeliveryState::Queued,
            due_at: at,
            tries: 0,
        },
        lease: None,
        quotas: None,
        once: None,
        at,
    }
}

/// Sample `number`, opened with its attempts used up and its mail sent, as a test key may ask.
#[must_use]
pub fn closed_opening(vault: &dyn Vault, number: u8) -> Opening {
    let one_attempt = TermsRecord {
        attempts_max: 1,
        ..terms()
    };
    let opening = opening_at(vault, number, one_attempt, NOON);
    let wrong = Submission {
        candidate: Candidate::normalise("000000"),
        binding: Binding::Broken,
    };
    let unasked = |_| Err::<Code, _>("a broken binding needs no code");
    let standing = Standing::default();
    let closed = opening
        .session
        .submit(&wrong, standing, NOON, unasked)
        .unwrap();
    Opening {
        session: closed.session,
        secret: None,
        delivery: Delivery {
            state: DeliveryState::Sent,
            ..opening.delivery
        },
        ..opening
    }
}

/// The code of one generation of an opened session.
#[must_use]
pub fn code(vault: &dyn Vault, opening: &Opening, generation: u32) -> Code {
    let session = &opening.session;
    let secret = opening.secret.as_ref().unwrap();
    let address = vault
        .open_address(session.id(), &opening.context.address)
        .unwrap();
    let length = session.terms().code_length();
    vault
        .derive(secret, session.id(), &address, length, generation)
        .unwrap()
}

/// Some code of the same length that is another one.
#[must_use]
pub fn wrong(right: &Code) -> Code {
    let number: u64 = right.reveal().parse().unwrap();
    Code::from_number(number + 1, right.length())
}

/// A wish to be carried out once, under a key and with a body, whose answer is kept `until` then.
#[must_use]
pub fn once(vault: &dyn Vault, key: &str, body: &str, until: Timestamp) -> Once {
    let key = vault.digest_idempotency_key(&owner(), Endpoint::Send, key);
    Once {
        key,
        request: vault.digest_request(&key, body.as_bytes()),
        until,
    }
}

/// The owner submits `code` at `at`.
#[must_use]
pub fn submit(code: &Code, at: Timestamp) -> Command {
    submit_typed(code.reveal(), at)
}

/// The owner submits what a person typed at `at`.
#[must_use]
pub fn submit_typed(typed: &str, at: Timestamp) -> Command {
    let submitted = Submitted {
        candidate: Candidate::normalise(typed),
        email: None,
        template: None,
    };
    Command {
        owner: owner(),
        at,
        action: Action::Submit(submitted),
        quotas: None,
        once: None,
    }
}

/// The owner asks for another mail at `at`, which would be message `number`.
#[must_use]
pub fn resend(number: u8, at: Timestamp) -> Command {
    Command {
        owner: owner(),
        at,
        action: Action::Resend(MessageId([number; 16])),
        quotas: None,
        once: None,
    }
}

/// A letter with `code` to [`address`], of message and session `number`.
#[must_use]
pub fn letter(number: u8, code: &str) -> Letter {
    Letter {
        message: MessageId([number; 16]),
        session: session_id(number, NOON),
        owner: owner(),
        to: address(),
        code: Code::parse(code).unwrap(),
        template: TemplateName::parse("login").unwrap(),
        language: Language::new("en"),
        variables: BTreeMap::new(),
        now: NOON.plus_secs(number.into()),
        expires_at: NOON.plus_secs(300),
    }
}

/// A project of this name, created at [`NOON`].
#[must_use]
pub fn project_record(name: &str) -> ProjectRecord {
    ProjectRecord {
        name: project(name),
        created_at: NOON,
    }
}

/// The live key `number`.
#[must_use]
pub fn key(number: u8) -> ApiKey {
    ApiKey::new(Mode::Live, [number; 6], [number; 32])
}

/// What is kept of key `number` of project `acme`, created `number` seconds after [`NOON`].
#[must_use]
pub fn key_record(number: u8) -> KeyRecord {
    KeyRecord {
        id: key(number).id(),
        project: project("acme"),
        mode: Mode::Live,
        permissions: Permissions {
            otp: true,
            admin: false,
        },
        digest: KeyDigest([number; 32]),
        created_at: NOON.plus_secs(number.into()),
        expires_at: Some(NOON.plus_secs(86_400)),
        revoked_at: None,
        allowed_from: Vec::new(),
        last_used_at: None,
    }
}

/// An operator did this at [`NOON`], in no project, with no key and nobody.
#[must_use]
pub fn entry(action: AuditAction) -> AuditEntry {
    AuditEntry {
        at: NOON,
        actor: Actor::Operator("root".to_owned()),
        action,
        project: None,
        key: None,
        recipient: None,
    }
}

/// The creation of the project `name`, as the audit log has it.
#[must_use]
pub fn project_entry(name: &str) -> AuditEntry {
    AuditEntry {
        project: Some(project(name)),
        ..entry(AuditAction::ProjectCreated)
    }
}

/// What was done with `key`, as the audit log has it.
#[must_use]
pub fn key_entry(action: AuditAction, key: &KeyRecord) -> AuditEntry {
    AuditEntry {
        project: Some(key.project.clone()),
        key: Some(key.id),
        ..entry(action)
    }
}

/// What was done with a recipient in `scope`, as the audit log has it.
#[must_use]
pub fn recipient_entry(
    action: AuditAction,
    scope: &Scope,
    recipient: Option<RecipientDigest>,
) -> AuditEntry {
    let project = match scope {
        Scope::Installation => None,
        Scope::Project(project) | Scope::Tests(project) => Some(project.clone()),
    };
    AuditEntry {
        project,
        recipient,
        ..entry(action)
    }
}
