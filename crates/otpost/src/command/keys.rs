//! `otpost key`

use otpost_domain::{KeyId, Mode, Permissions, ProjectName};
use otpost_service::{Keys, NewKey};

use super::moment;
use super::table::table;
use crate::cli::NewKeyArgs;
use crate::{Failure, say};

/// Prints the key alone, so that a script can take it.
pub(super) async fn create(keys: &Keys, args: &NewKeyArgs) -> Result<(), Failure> {
    let names = args.permission.join(" ");
    let permissions = Permissions::parse(&names).ok_or_else(|| {
        let known = Permissions::NAMES.join(", ");
        format!("{names:?} is no permission: there are {known}")
    })?;
    let expires_at = args
        .expires
        .as_deref()
        .map(|text| moment::parse(text, keys.clock.now()))
        .transpose()?;
    let new = NewKey {
        project: ProjectName::parse(&args.project)?,
        mode: if args.test { Mode::Test } else { Mode::Live },
        permissions,
        expires_at,
    };
    say(keys.create_key(new).await?.reveal())
}

pub(super) async fn list(keys: &Keys) -> Result<(), Failure> {
    let all = keys.keys().await?;
    if all.is_empty() {
        return say("There is no key yet: `otpost key create --project NAME` makes one.");
    }
    let now = keys.clock.now();
    let rows: Vec<_> = all
        .iter()
        .map(|key| {
            let mode = match key.mode {
                Mode::Live => "live",
                Mode::Test => "test",
            };
            let state = match (key.revoked_at, key.expires_at) {
                (Some(at), _) => format!("revoked {}", moment::show(at)),
                (None, Some(at)) if at <= now => format!("expired {}", moment::show(at)),
                (None, Some(at)) => format!("until {}", moment::show(at)),
                (None, None) => "in force".to_owned(),
            };
            [
                key.id.to_string(),
                key.project.to_string(),
                mode.to_owned(),
                key.permissions.names().to_owned(),
                moment::show(key.created_at),
                state,
            ]
        })
        .collect();
    say(&table(
        ["ID", "PROJECT", "MODE", "MAY", "CREATED", "STATE"],
        &rows,
    ))
}

pub(super) async fn revoke(keys: &Keys, id: &str) -> Result<(), Failure> {
    let unknown = || format!("there is no key {id}: `otpost key list` shows those that there are");
    let parsed = KeyId::parse(id).ok_or_else(unknown)?;
    if !keys.revoke(&parsed).await? {
        return Err(unknown().into());
    }
    say(&format!("The key {parsed} is revoked."))
}
