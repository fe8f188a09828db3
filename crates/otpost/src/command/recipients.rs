//! `otpost recipient`

use otpost_domain::{Address, ExpiryCause, ProjectName, Standing, State, Status, Timestamp};
use otpost_ports::{Actor, DeliveryState, Erased, Scope, StoredSession};
use otpost_service::{Policies, RecipientView, Recipients};

use super::table::table;
use super::{keys, moment};
use crate::cli::RecipientArgs;
use crate::{Failure, say};

/// As many sessions as are shown.
const SHOWN_MAX: u32 = 1_000;

pub(super) async fn show(
    recipients: &Recipients,
    actor: Actor,
    policies: &Policies,
    args: &RecipientArgs,
) -> Result<(), Failure> {
    let Asked { address, scope } = Asked::read(recipients, args).await?;
    let now = recipients.clock.now();
    let view = recipients
        .look_up(policies, actor, &scope, &address, SHOWN_MAX)
        .await?;
    say(&described(&view, &scope, &address, now))
}

pub(super) async fn release(
    recipients: &Recipients,
    actor: Actor,
    args: &RecipientArgs,
) -> Result<(), Failure> {
    let Asked { address, scope } = Asked::read(recipients, args).await?;
    let (place, name) = (place(&scope), address.as_str());
    if recipients.release(actor, &scope, &address).await? {
        say(&format!(
            "{name} is released: its wrong codes are forgiven {place}."
        ))
    } else {
        say(&format!(
            "There was nothing to release: {name} has no wrong code {place} since its last \
             right one."
        ))
    }
}

pub(super) async fn erase(
    recipients: &Recipients,
    actor: Actor,
    args: &RecipientArgs,
) -> Result<(), Failure> {
    let Asked { address, scope } = Asked::read(recipients, args).await?;
    let erased = recipients.erase(actor, &scope, &address).await?;
    say(&told_of(&erased, &address))
}

/// What was asked for, checked.
struct Asked {
    address: Address,
    scope: Scope,
}

impl Asked {
    async fn read(recipients: &Recipients, args: &RecipientArgs) -> Result<Self, Failure> {
        let address = super::address(&args.address)?;
        let Some(name) = &args.project else {
            return Ok(Self {
                address,
                scope: Scope::Installation,
            });
        };
        let name = ProjectName::parse(name)?;
        let projects = recipients.keys.projects().await?;
        if !projects.iter().any(|project| project.name == name) {
            let what =
                format!("there is no project {name}: `otpost project list` shows those that are");
            return Err(what.into());
        }
        Ok(Self {
            address,
            scope: Scope::Project(name),
        })
    }
}

/// What an erasure did.
fn told_of(erased: &Erased, address: &Address) -> String {
    let (place, name) = (place(&erased.scope), address.as_str());
    let sessions = match erased.sessions {
        0 => "no session".to_owned(),
        1 => "1 session with its mail and its kept answers".to_owned(),
        count => format!("{count} sessions with their mails and kept answers"),
    };
    let counters = match &erased.scope {
        Scope::Installation => format!(", and all counters of {name}."),
        Scope::Project(_) => format!(
            ", and what the project alone counts of {name}. What all projects share about it stays."
        ),
        Scope::Tests(_) => format!(" of {name}."),
    };
    let mut lines = vec![
        format!("Erased {place}: {sessions}{counters}"),
        "That it was done stands in the audit log, without the address.".to_owned(),
    ];
    if erased.leaves_copies {
        lines.push(
            "Copies may remain in the files of the database until they are rewritten: with otpost \
             stopped, run\n`sqlite3 FILE VACUUM`. On PostgreSQL, `VACUUM FULL` does it; its log and \
             its backups go by their own rules."
                .to_owned(),
        );
    }
    lines.join("\n")
}

fn place(scope: &Scope) -> String {
    match scope {
        Scope::Installation => "in all projects".to_owned(),
        Scope::Project(project) => format!("in the project {project}"),
        Scope::Tests(project) => format!("among the test sessions of the project {project}"),
    }
}

fn described(view: &RecipientView, scope: &Scope, address: &Address, now: Timestamp) -> String {
    let address = address.as_str();
    let mut lines = vec![
        format!("{address}, {}", place(scope)),
        String::new(),
        format!("Wrong codes since the last right one: {}", view.failures),
        match view.attempts_max {
            1 => "By the ladder a new session has at most 1 guess.".to_owned(),
            guesses => format!("By the ladder a new session has at most {guesses} guesses."),
        },
    ];
    if view.is_on_hold {
        let option = match scope {
            Scope::Installation => String::new(),
            Scope::Project(project) | Scope::Tests(project) => format!(" --project {project}"),
        };
        lines.push(format!(
            "On hold under the strict profile: nothing is mailed to it and no code of it is judged \
             until\n`otpost recipient release {address}{option}`."
        ));
    } else {
        lines.push("Not on hold.".to_owned());
    }
    lines.push(String::new());
    if view.sessions == 0 {
        lines.push("No session is kept.".to_owned());
    } else {
        lines.extend(sessions(view, now));
    }
    lines.join("\n")
}

fn sessions(view: &RecipientView, now: Timestamp) -> Vec<String> {
    let rows: Vec<_> = view.newest.iter().map(|stored| row(stored, now)).collect();
    let head = [
        "SESSION", "PROJECT", "MODE", "PURPOSE", "OPENED", "STATE", "MAIL",
    ];
    let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let mut lines = vec![table(head, &rows)];
    match view.sessions.saturating_sub(shown) {
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    lines
}

fn row(stored: &StoredSession, now: Timestamp) -> [String; 7] {
    let session = &stored.session;
    let state = match (session.status(Standing::default(), now), session.state()) {
        (Status::Pending, _) => "pending",
        (Status::Verified, _) => "verified",
        (
            Status::Expired,
            State::Expired {
                cause: ExpiryCause::AttemptsExhausted,
                ..
            },
        ) => "guesses used up",
        (Status::Expired, State::Pending(_) | State::Verified { .. } | State::Expired { .. }) => {
            "expired"
        }
    };
    let delivery = match stored.delivery.state {
        DeliveryState::Queued => "queued",
        DeliveryState::Sent => "sent",
        DeliveryState::Failed => "failed",
    };
    [
        session.id().short(),
        stored.context.owner.project.to_string(),
        keys::mode(stored.context.owner.mode).to_owned(),
        stored.context.template.to_string(),
        moment::show(session.opened_at()),
        state.to_owned(),
        delivery.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_testkit::{FakeVault, sample};

    fn view(sessions: u64) -> RecipientView {
        RecipientView {
            failures: 100,
            attempts_max: 1,
            is_on_hold: true,
            sessions,
            newest: vec![sample::opening(&FakeVault::new(), 1).into()],
        }
    }

    #[test]
    fn what_is_not_shown_is_told() {
        let shown = |sessions| {
            described(
                &view(sessions),
                &Scope::Installation,
                &sample::address(),
                sample::NOON,
            )
        };
        assert!(!shown(1).contains("more"), "{}", shown(1));
        assert!(
            shown(1_234).ends_with("\nand 1233 more"),
            "{}",
            shown(1_234)
        );
    }

    #[test]
    fn a_hold_names_the_command_that_ends_it() {
        let address = sample::address();
        let scope = Scope::Project(sample::project("shop"));
        let shown = described(&view(1), &scope, &address, sample::NOON);
        let command = format!(
            "`otpost recipient release {} --project shop`",
            address.as_str()
        );
        assert!(shown.contains(&command), "{shown}");
        assert!(shown.contains("at most 1 guess."), "{shown}");
    }

    #[test]
    fn an_erasure_tells_what_it_did_where_and_whether_copies_remain() {
        let address = sample::address();
        let name = address.as_str();
        let told = |scope, sessions, leaves_copies| {
            let erased = Erased {
                scope,
                sessions,
                leaves_copies,
            };
            told_of(&erased, &address)
        };
        let log = "That it was done stands in the audit log, without the address.";
        assert_eq!(
            told(Scope::Installation, 0, false),
            format!("Erased in all projects: no session, and all counters of {name}.\n{log}")
        );
        let shop = told(Scope::Project(sample::project("shop")), 1, false);
        assert!(
            shop.starts_with("Erased in the project shop: 1 session with its mail"),
            "{shop}"
        );
        assert!(shop.contains("What all projects share"), "{shop}");
        for leaves_copies in [false, true] {
            let told = told(Scope::Installation, 2, leaves_copies);
            assert_eq!(
                told.contains("`sqlite3 FILE VACUUM`"),
                leaves_copies,
                "{told}"
            );
        }
    }
}
