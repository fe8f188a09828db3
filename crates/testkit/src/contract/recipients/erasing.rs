//! Erasing recipients.

use otpost_domain::Mode;
use otpost_ports::{
    Admitted, AuditAction, Counters, Opening, OutboxEntry, OutboxQuery, Owner, RecipientDigest,
    Replayed, Scope, Subject,
};

use super::{
    acme, entries, erase, erase_of, is_there, look_up, named, opening_of, owner, recipient,
    stranger, tests, to_stranger,
};
use crate::contract::Storage;
use crate::contract::quotas::{counters, fail, failures};
use crate::sample::{self, NOON};

/// Sessions 1 to 4, with mails, kept answers and counters: of `acme`, of its test key, of another
/// project, and of somebody else.
struct Scene {
    openings: [Opening; 4],
}

impl Scene {
    async fn new(storage: &Storage) -> Self {
        let owners = [
            owner("acme", Mode::Live),
            owner("acme", Mode::Test),
            owner("other", Mode::Live),
            owner("acme", Mode::Live),
        ];
        let mut number = 0;
        let mut openings = owners.map(|owner| {
            number += 1;
            opening(storage, number, owner)
        });
        openings[3] = to_stranger(storage, openings[3].clone());
        for opening in &openings {
            storage.keep(opening.clone()).await;
        }
        Self { openings }
    }

    /// Which of the sessions are there.
    async fn sessions(&self, storage: &Storage) -> Vec<usize> {
        let mut there = Vec::new();
        for (place, opening) in (1..).zip(&self.openings) {
            let (owner, id) = (&opening.context.owner, opening.session.id());
            if is_there(storage, owner, id).await {
                there.push(place);
            }
        }
        there
    }

    /// Which of them have a mail.
    async fn mails(&self, storage: &Storage) -> Vec<usize> {
        let mails = storage.outbox.list(OutboxQuery::any(99)).await.unwrap();
        let has_mail = |opening: &Opening| {
            let mut mails = mails.iter();
            mails.any(|mail: &OutboxEntry| mail.session.id() == opening.session.id())
        };
        let places = (1..).zip(&self.openings);
        let mailed = places.filter(|(_, opening)| has_mail(opening));
        mailed.map(|(place, _)| place).collect()
    }

    /// Which of them are still answered when they come again. Those that are not are opened anew,
    /// so this is asked for last.
    async fn answers(&self, storage: &Storage) -> Vec<usize> {
        let mut answered = Vec::new();
        for (place, first) in (1..).zip(&self.openings) {
            let again = Opening {
                once: first.once,
                ..opening(storage, 100 + place, first.context.owner.clone())
            };
            match storage.sessions.open(again).await.unwrap() {
                Admitted::Replayed(Replayed { session, .. }) => {
                    assert_eq!(session, *first.session.id());
                    answered.push(usize::from(place));
                }
                Admitted::Open(_) => {}
                other => panic!("{other:?}"),
            }
        }
        answered
    }
}

/// Session `number`, counted for its recipient, to be carried out once under a key of its own.
fn opening(storage: &Storage, number: u8, owner: Owner) -> Opening {
    let key = number.to_string();
    let until = NOON.plus_secs(86_400);
    Opening {
        quotas: match owner.mode {
            Mode::Live => Some(sample::mail_quotas(&[("recipient_per_day", 90)])),
            Mode::Test => None,
        },
        once: Some(sample::once(&*storage.vault, &key, "a", until)),
        ..opening_of(storage, number, owner)
    }
}

/// Of the rows of a recipient, and of the projects `acme` and `other` about it, those that there
/// are.
async fn rows(storage: &Storage, recipient: &RecipientDigest) -> [bool; 3] {
    let mut kept = [false; 3];
    for (place, subject) in [
        Subject::recipient(recipient),
        Subject::recipient_of(&sample::project("acme"), recipient),
        Subject::recipient_of(&sample::project("other"), recipient),
    ]
    .into_iter()
    .enumerate()
    {
        kept[place] = counters(storage, &subject).await != Counters::default();
    }
    kept
}

/// Over the installation nothing is left of a recipient: no session, no mail, no answer, no
/// counter. Everybody else keeps all.
pub async fn an_erasure_over_the_installation_leaves_nothing(storage: &Storage) {
    let scene = Scene::new(storage).await;
    let (erased, stranger) = (recipient(storage), stranger(storage));
    assert_eq!(rows(storage, &erased).await, [true; 3]);
    assert_eq!(scene.mails(storage).await, [1, 2, 3, 4]);

    assert_eq!(erase(storage, &Scope::Installation).await, 3);

    assert_eq!(look_up(storage, &Scope::Installation, 9).await.sessions, 0);
    assert_eq!(scene.sessions(storage).await, [4]);
    assert_eq!(scene.mails(storage).await, [4]);
    assert_eq!(rows(storage, &erased).await, [false; 3]);
    assert_eq!(rows(storage, &stranger).await, [true, true, false]);
    assert_eq!(scene.answers(storage).await, [4]);
}

/// In a project its sessions go, of both modes, and what it alone counts; every other project
/// keeps what it has, and all keep what is counted together.
pub async fn an_erasure_in_a_project_leaves_the_others(storage: &Storage) {
    let scene = Scene::new(storage).await;
    let (erased, stranger) = (recipient(storage), stranger(storage));
    fail(storage, 200, 3).await;

    assert_eq!(erase(storage, &acme()).await, 3);

    assert_eq!(scene.sessions(storage).await, [3, 4]);
    assert_eq!(scene.mails(storage).await, [3, 4]);
    assert_eq!(rows(storage, &erased).await, [true, false, true]);
    assert_eq!(rows(storage, &stranger).await, [true, true, false]);
    assert_eq!(failures(storage).await, 3);
    assert_eq!(scene.answers(storage).await, [3, 4]);
}

/// The only project of an installation erases over the installation; one of two does not.
pub async fn the_only_project_erases_over_the_installation(storage: &Storage) {
    let scene = Scene::new(storage).await;
    let (erased, stranger) = (recipient(storage), stranger(storage));
    create(storage, "acme").await;

    let done = erase_of(storage, &erased, &acme()).await;

    assert_eq!((done.scope, done.sessions), (Scope::Installation, 3));
    assert_eq!(scene.sessions(storage).await, [4]);
    assert_eq!(rows(storage, &erased).await, [false; 3]);

    create(storage, "other").await;
    let done = erase_of(storage, &stranger, &acme()).await;
    assert_eq!((done.scope, done.sessions), (acme(), 1));
    assert_eq!(scene.sessions(storage).await, []);
    assert_eq!(rows(storage, &stranger).await, [true, false, false]);
}

async fn create(storage: &Storage, project: &str) {
    let entry = sample::project_entry(project);
    let project = sample::project_record(project);
    assert!(storage.keys.create_project(project, entry).await.unwrap());
}

/// Among tests the sessions of test keys go, and nothing that is live.
pub async fn an_erasure_among_tests_leaves_all_that_is_live(storage: &Storage) {
    let scene = Scene::new(storage).await;
    let erased = recipient(storage);

    assert_eq!(erase(storage, &tests()).await, 1);

    assert_eq!(scene.sessions(storage).await, [1, 3, 4]);
    assert_eq!(scene.mails(storage).await, [1, 3, 4]);
    assert_eq!(rows(storage, &erased).await, [true; 3]);
    assert_eq!(scene.answers(storage).await, [1, 3, 4]);
}

/// One who is not known is erased all the same: it is an answer and an entry.
pub async fn an_erasure_of_one_unknown_is_written_down(storage: &Storage) {
    assert_eq!(erase(storage, &Scope::Installation).await, 0);
    assert_eq!(erase(storage, &acme()).await, 0);
    assert_eq!(entries(storage).await.len(), 2);
}

/// The entries about one who was erased stay, and name nobody: over the installation all of them,
/// in a project its own.
pub async fn an_erased_recipient_is_named_in_no_entry(storage: &Storage) {
    let (erased, stranger) = (recipient(storage), stranger(storage));
    let other = Scope::Project(sample::project("other"));
    for scope in [acme(), other.clone(), Scope::Installation] {
        look_up(storage, &scope, 0).await;
    }
    let action = AuditAction::RecipientShown;
    let entry = sample::recipient_entry(action, &acme(), Some(stranger));
    let recipients = &storage.recipients;
    let shown = recipients.look_up(&stranger, &acme(), 0, entry).await;
    shown.unwrap();
    let projects = async || {
        let entries = named(storage, &erased).await.into_iter();
        entries.map(|entry| entry.project).collect::<Vec<_>>()
    };

    erase(storage, &acme()).await;
    let project = Some(sample::project("other"));
    assert_eq!(projects().await, [None, project], "of acme no longer");

    erase(storage, &Scope::Installation).await;
    assert_eq!(projects().await, []);
    assert_eq!(entries(storage).await.len(), 6, "each entry is still there");
    assert_eq!(named(storage, &stranger).await.len(), 1);
}
