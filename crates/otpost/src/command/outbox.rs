//! `otpost outbox`

use otpost_ports::Reply;
use otpost_service::{DeliveryState, OutboxEntry, Postmaster, Retried};

use super::moment;
use super::table::table;
use crate::cli::{OutboxListArgs, WhichMails};
use crate::{Failure, say};

/// So much of a mail's identifier is shown: enough to tell all mails apart that there ever are.
const ID_DIGITS: usize = 16;

pub(super) async fn list(postmaster: &Postmaster, args: &OutboxListArgs) -> Result<(), Failure> {
    // One more than is shown says whether there are older ones.
    let limit = args.limit.saturating_add(1);
    let entries = postmaster.list(args.failed, limit).await?;
    if entries.is_empty() {
        return say(if args.failed {
            "No mail failed."
        } else {
            "No mail waits, and none failed."
        });
    }
    let shown = usize::try_from(args.limit)?;
    let rows: Vec<_> = entries.iter().take(shown).map(row).collect();
    let head = [
        "ID", "PROJECT", "PURPOSE", "OPENED", "STATE", "TRIES", "DUE", "REPLY",
    ];
    let mut lines = vec![table(head, &rows)];
    if entries.len() > shown {
        let more = args.limit.saturating_mul(2);
        lines.push(format!("older mails: --limit {more}"));
    }
    say(&lines.join("\n"))
}

fn row(entry: &OutboxEntry) -> [String; 8] {
    let delivery = &entry.delivery;
    let none = || "-".to_owned();
    let (state, due) = match delivery.state {
        DeliveryState::Queued => ("queued", moment::show(delivery.due_at)),
        DeliveryState::Sent => ("sent", none()),
        DeliveryState::Failed => ("failed", none()),
    };
    [
        id(entry),
        entry.owner.project.to_string(),
        entry.template.to_string(),
        moment::show(entry.session.opened_at()),
        state.to_owned(),
        delivery.tries.to_string(),
        due,
        entry.reply.as_ref().map_or_else(none, Reply::to_string),
    ]
}

fn id(entry: &OutboxEntry) -> String {
    let mut id = entry.delivery.message.to_string();
    id.truncate(ID_DIGITS);
    id
}

pub(super) async fn retry(postmaster: &Postmaster, which: &WhichMails) -> Result<(), Failure> {
    let Some(digits) = &which.id else {
        return retry_all(postmaster).await;
    };
    let entry = postmaster.find(digits).await?;
    let id = id(&entry);
    match postmaster.retry(&entry).await? {
        Retried::Due => say(&format!(
            "The mail {id} is due now: a running server tries it within a second."
        )),
        Retried::TooLate => Err(format!(
            "the mail {id} is not tried again: its session ended, or too little time is left to \
             answer it"
        )
        .into()),
        Retried::Gone => Err(gone(&id).into()),
    }
}

async fn retry_all(postmaster: &Postmaster) -> Result<(), Failure> {
    let failed = postmaster.list(true, u32::MAX).await?;
    let (mut due, mut late) = (0, 0);
    for entry in &failed {
        match postmaster.retry(entry).await? {
            Retried::Due => due += 1,
            Retried::TooLate => late += 1,
            Retried::Gone => {}
        }
    }
    let mut told = format!("{} due now.", mails_are(due));
    if late > 0 {
        told = format!(
            "{told} {} too late to be answered, and stays failed.",
            mails_are(late)
        );
    }
    say(&told)
}

pub(super) async fn drop(postmaster: &Postmaster, which: &WhichMails) -> Result<(), Failure> {
    let Some(digits) = &which.id else {
        return drop_all(postmaster).await;
    };
    let entry = postmaster.find(digits).await?;
    let id = id(&entry);
    if !postmaster.discard(&entry).await? {
        return Err(gone(&id).into());
    }
    let told = format!("The mail {id} is dropped: it failed, and is never sent.");
    say(&match entry.delivery.state {
        DeliveryState::Failed | DeliveryState::Sent => told,
        DeliveryState::Queued => format!("{told} A try that is under way may still reach a relay."),
    })
}

async fn drop_all(postmaster: &Postmaster) -> Result<(), Failure> {
    let mut dropped = 0;
    for entry in &postmaster.list(true, u32::MAX).await? {
        dropped += u32::from(postmaster.discard(entry).await?);
    }
    say(&format!("{} dropped.", mails_are(dropped)))
}

fn mails_are(count: u32) -> String {
    match count {
        0 => "No mail is".to_owned(),
        1 => "1 mail is".to_owned(),
        count => format!("{count} mails are"),
    }
}

fn gone(id: &str) -> String {
    format!("the mail {id} was sent, dropped or replaced in the meantime")
}
