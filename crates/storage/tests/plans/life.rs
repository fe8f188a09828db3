//! All that the program asks of its storage, each often enough that its statements get a plan for
//! any values.

use otpost_domain::Timestamp;
use otpost_ports::{
    Admitted, Applied, AuditAction, AuditLog, Claim, Command, KeyStore, Lease, LeaseToken,
    MessageId, Once, Opening, Outbox, OutboxQuery, Quotas, Readiness, RecipientStore, Scope,
    SessionStore, Settlement, StoredSession, Subject,
};
use otpost_testkit::{FakeVault, sample};

use crate::grown::{Grown, MIDNIGHT};
use crate::watch::Watch;

/// Before the sixth time a plan is made for the values at hand; later perhaps for any.
const ROUNDS: u8 = 8;

const NOBODY_ELSE: &str = "somebody has it already";

/// Just after midnight: what is new is the first of its day.
const NOW: Timestamp = MIDNIGHT.plus_secs(30);

/// Just before it: what is planned then is still in use when the day begins.
const EVENING: Timestamp = MIDNIGHT.minus_secs(600);

pub(crate) async fn live(grown: &Grown, watch: &mut Watch<'_>) {
    sessions(grown, watch, ROUNDS + 1, EVENING).await;
    recipients(grown, watch, ROUNDS + 1).await;
    for round in 1..=ROUNDS {
        sessions(grown, watch, round, NOW).await;
        outbox(grown, watch, round).await;
        keys(grown, watch, round).await;
        recipients(grown, watch, round).await;
        upkeep(grown, watch).await;
    }
}

async fn sessions(grown: &Grown, watch: &mut Watch<'_>, round: u8, at: Timestamp) {
    let (storage, vault) = (&grown.storage, &*grown.vault);
    let open = |number: u8| {
        counted(
            vault,
            number,
            sample::opening_at(vault, number, sample::terms(), at),
        )
    };
    let opening = open(round);
    let opened = watch.of("open", storage.open(opening.clone())).await;
    assert!(matches!(opened, Admitted::Open(_)), "{opened:?}");
    let again = watch.of("open again", storage.open(opening.clone())).await;
    assert!(matches!(again, Admitted::Replayed(_)), "{again:?}");
    let id = opening.session.id();
    let right = sample::code(vault, &opening, 0);
    let wrong = sample::submit(&sample::wrong(&right), at);
    let once = |command: Command, key: &str| Command {
        once: Some(wish(vault, &format!("{key} {round}"))),
        quotas: Some(quotas()),
        ..command
    };
    let guess = once(wrong, "wrong");
    watch
        .of("wrong code", storage.apply(id, guess.clone()))
        .await;
    watch.of("wrong code again", storage.apply(id, guess)).await;
    let resend = sample::resend(100 + round, at.plus_secs(40));
    watch
        .of("resend", storage.apply(id, once(resend, "resend")))
        .await;
    let submit = sample::submit(&right, at.plus_secs(50));
    let judged = watch
        .of(
            "right code",
            storage.apply(id, once(submit.clone(), "right")),
        )
        .await;
    let Applied::Judged(judged) = judged else {
        panic!("{judged:?}")
    };
    assert!(judged.stored.session.pending().is_none(), "{judged:?}");
    let unknown = sample::session_id(round, at.plus_secs(1));
    watch
        .of("no such session", storage.apply(&unknown, submit))
        .await;
    watch.of("find", storage.find(&sample::owner(), id)).await;
    let subjects = [
        Subject::project(&sample::project("acme")),
        Subject::installation(),
    ];
    watch.of("ledger", storage.ledger(&subjects.into())).await;
    // It waits for the outbox.
    let opened = watch.of("open", storage.open(open(50 + round))).await;
    assert!(matches!(opened, Admitted::Open(_)), "{opened:?}");
}

async fn outbox(grown: &Grown, watch: &mut Watch<'_>, round: u8) {
    let storage = &grown.storage;
    let token = LeaseToken([round; 16]);
    let claim = Claim {
        lease: Lease {
            token,
            until: NOW.plus_secs(60),
        },
        now: NOW,
        limit: 16,
    };
    let claimed = watch.of("claim", storage.claim(claim)).await;
    let due_at = NOW.plus_secs(600);
    let retry = Settlement::Retry {
        due_at,
        was_due_at: NOW,
        reply: None,
    };
    let settlements = [
        Settlement::Sent,
        retry,
        Settlement::Failed { reply: None },
        Settlement::Failed { reply: None },
        Settlement::Released { due_at },
    ];
    assert!(claimed.len() > settlements.len(), "{}", claimed.len());
    for (mail, settlement) in claimed.iter().zip(settlements) {
        let settled = watch
            .of(
                "settle",
                storage.settle(mail.session.id(), token, settlement),
            )
            .await;
        assert!(settled, "{NOBODY_ELSE}");
    }
    let [failed, other] = [&claimed[2], &claimed[3]];
    watch.of("list", storage.list(OutboxQuery::any(20))).await;
    let failed_only = OutboxQuery {
        is_failed_only: true,
        ..OutboxQuery::any(20)
    };
    watch.of("list failed", storage.list(failed_only)).await;
    let found = watch.of("find mail", storage.list(named(failed))).await;
    assert_eq!(found.len(), 1);
    let (id, message) = (failed.session.id(), &failed.delivery.message);
    watch.of("retry", storage.retry(id, message, NOW)).await;
    let found = watch.of("find mail", storage.list(named(failed))).await;
    assert_eq!(found.len(), 1);
    let (id, message) = (other.session.id(), &other.delivery.message);
    watch.of("discard", storage.discard(id, message)).await;
}

async fn keys(grown: &Grown, watch: &mut Watch<'_>, round: u8) {
    let storage = &grown.storage;
    let name = format!("acme-{round}");
    let created =
        storage.create_project(sample::project_record(&name), sample::project_entry(&name));
    watch.of("create project", created).await;
    watch.of("projects", storage.projects()).await;
    let mut key = sample::key_record(round);
    key.project = sample::project(&name);
    let entry = sample::key_entry(AuditAction::KeyCreated, &key);
    watch
        .of("insert key", storage.insert_key(key.clone(), entry))
        .await;
    watch.of("find key", storage.find_key(&key.id)).await;
    watch.of("keys", storage.keys()).await;
    watch
        .of("note uses", storage.note_uses(&[(key.id, NOW)]))
        .await;
    let entry = sample::key_entry(AuditAction::KeyRevoked, &key);
    watch
        .of("revoke key", storage.revoke_key(&key.id, entry))
        .await;
}

async fn recipients(grown: &Grown, watch: &mut Watch<'_>, round: u8) {
    let storage = &grown.storage;
    let project = sample::project("project-7");
    let scopes = [
        Scope::Installation,
        Scope::Project(project.clone()),
        Scope::Tests(project),
    ];
    for (number, scope) in (0..).zip(&scopes) {
        // Every thirtieth has failures.
        let recipient = grown.recipient(30 * (3 * u32::from(round) + number));
        let entry = |action| sample::recipient_entry(action, scope, Some(recipient));
        let shown = storage.look_up(&recipient, scope, 20, entry(AuditAction::RecipientShown));
        watch.of("look up", shown).await;
        watch
            .of("entries of one", storage.entries(Some(&recipient), 20))
            .await;
        let released = storage.release(&recipient, scope, entry(AuditAction::RecipientReleased));
        watch.of("release", released).await;
        let erased = sample::recipient_entry(AuditAction::RecipientErased, scope, None);
        watch
            .of("erase", storage.erase(&recipient, scope, erased))
            .await;
    }
    watch.of("entries", storage.entries(None, 20)).await;
}

async fn upkeep(grown: &Grown, watch: &mut Watch<'_>) {
    let storage = &grown.storage;
    watch.of("ready", storage.ready()).await;
    watch.of("purge", storage.purge(NOW, 1_000)).await;
    watch
        .of("keep partitions", storage.keep_partitions(NOW))
        .await;
}

/// What is over since long goes with its partition.
pub(crate) async fn end(grown: &Grown, watch: &mut Watch<'_>) {
    let later = NOW.plus_secs(30 * 86_400);
    let kept = watch
        .of("keep partitions", grown.storage.keep_partitions(later))
        .await;
    assert!(!kept.dropped.is_empty());
}

/// A session that is counted and is to be opened once.
fn counted(vault: &FakeVault, number: u8, opening: Opening) -> Opening {
    Opening {
        quotas: Some(quotas()),
        once: Some(wish(vault, &format!("open {number}"))),
        ..opening
    }
}

fn wish(vault: &FakeVault, key: &str) -> Once {
    sample::once(vault, key, key, NOW.plus_secs(86_400))
}

/// Limits of every kind, which refuse nothing here.
fn quotas() -> Quotas {
    sample::mail_quotas(&[
        ("project_sends_per_minute", 1_000),
        ("installation_mails_per_minute", 1_000),
        ("client_ip_per_day", 1_000),
        ("recipient_per_day", 1_000),
        ("project_failures_per_day", 1_000),
    ])
}

/// As an operator asks for one mail: by the beginning of its identifier.
fn named(mail: &StoredSession) -> OutboxQuery {
    let number = u128::from_be_bytes(mail.delivery.message.0);
    let digits = &format!("{number:032x}")[..12];
    OutboxQuery {
        messages: MessageId::beginning_with(digits),
        ..OutboxQuery::any(2)
    }
}
