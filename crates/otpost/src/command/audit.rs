//! `otpost audit`

use otpost_domain::{KeyId, ProjectName};
use otpost_ports::Actor;
use otpost_service::{Audit, AuditEntry};

use super::moment;
use super::table::table;
use crate::cli::AuditArgs;
use crate::{Failure, say};

pub(super) async fn list(audit: &Audit, args: &AuditArgs) -> Result<(), Failure> {
    let address = args.address.as_deref().map(super::address).transpose()?;
    // One more than is shown says whether there are older ones.
    let limit = args.limit.saturating_add(1);
    let entries = audit.entries(address.as_ref(), limit).await?;
    if entries.is_empty() {
        return say("There is no entry.");
    }
    let shown = usize::try_from(args.limit)?;
    let rows: Vec<_> = entries.iter().take(shown).map(row).collect();
    let mut lines = vec![table(["WHEN", "WHO", "WHAT", "PROJECT", "KEY"], &rows)];
    if entries.len() > shown {
        let more = args.limit.saturating_mul(2);
        lines.push(format!("older entries: --limit {more}"));
    }
    say(&lines.join("\n"))
}

fn row(entry: &AuditEntry) -> [String; 5] {
    let who = match &entry.actor {
        Actor::Operator(name) => format!("operator {}", printable(name)),
        Actor::Key(id) => format!("key {id}"),
    };
    let project = entry.project.as_ref().map(ProjectName::to_string);
    let key = entry.key.as_ref().map(KeyId::to_string);
    [
        moment::show(entry.at),
        who,
        entry.action.name().to_owned(),
        project.unwrap_or_else(|| "all".to_owned()),
        key.unwrap_or_else(|| "-".to_owned()),
    ]
}

/// A name that the environment gave, which must not steer the terminal of who reads it.
fn printable(name: &str) -> String {
    name.chars()
        .map(|character| {
            if character.is_control() {
                '?'
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::Timestamp;
    use otpost_ports::AuditAction;

    #[test]
    fn a_name_cannot_steer_a_terminal() {
        let entry = AuditEntry {
            at: Timestamp::from_millis(1_768_046_400_000),
            actor: Actor::Operator("ada\u{1b}[2J\nkey".to_owned()),
            action: AuditAction::RecipientErased,
            project: None,
            key: None,
            recipient: None,
        };
        assert_eq!(
            row(&entry),
            [
                "2026-01-10T12:00:00Z",
                "operator ada?[2J?key",
                "recipient.erased",
                "all",
                "-"
            ]
        );
    }
}
