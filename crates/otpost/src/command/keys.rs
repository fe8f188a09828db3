//! `otpost key`

use otpost_domain::{AddressRange, KeyId, Mode, Permission, Permissions, ProjectName, Timestamp};
use otpost_service::{KeyView, Keys, NewKey};

use super::moment;
use super::table::table;
use crate::cli::NewKeyArgs;
use crate::{Failure, say};

/// Prints the key alone, so that a script can take it.
pub(super) async fn create(keys: &Keys, args: NewKeyArgs) -> Result<(), Failure> {
    let expires_at = args
        .expires
        .as_deref()
        .map(|text| moment::parse(text, keys.clock.now()))
        .transpose()?;
    let new = NewKey {
        project: ProjectName::parse(&args.project)?,
        mode: if args.test { Mode::Test } else { Mode::Live },
        permissions: Permissions {
            otp: args.permission.contains(&Permission::Otp),
            admin: args.permission.contains(&Permission::Admin),
        },
        expires_at,
        allowed_from: args.allow_ip,
    };
    say(keys.create_key(new).await?.reveal())
}

pub(super) async fn list(keys: &Keys) -> Result<(), Failure> {
    let all = keys.keys().await?;
    if all.is_empty() {
        return say("There is no key yet: `otpost key create --project NAME` makes one.");
    }
    let now = keys.clock.now();
    let rows: Vec<_> = all.iter().map(|key| row(key, now)).collect();
    let head = [
        "ID",
        "PROJECT",
        "MODE",
        "MAY",
        "CREATED",
        "STATE",
        "LAST USED",
        "FROM",
    ];
    say(&table(head, &rows))
}

fn row(key: &KeyView, now: Timestamp) -> [String; 8] {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", moment::show(at)),
        (None, Some(at)) if at <= now => format!("expired {}", moment::show(at)),
        (None, Some(at)) => format!("until {}", moment::show(at)),
        (None, None) => "in force".to_owned(),
    };
    let from: Vec<_> = key
        .allowed_from
        .iter()
        .map(AddressRange::to_string)
        .collect();
    [
        key.id.to_string(),
        key.project.to_string(),
        mode(key.mode).to_owned(),
        key.permissions.names().to_owned(),
        moment::show(key.created_at),
        state,
        key.last_used_at
            .map_or_else(|| "never".to_owned(), moment::show_minute),
        if from.is_empty() {
            "anywhere".to_owned()
        } else {
            from.join(", ")
        },
    ]
}

/// A mode in a word.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "live",
        Mode::Test => "test",
    }
}

pub(super) async fn revoke(keys: &Keys, id: &str) -> Result<(), Failure> {
    let unknown = || format!("there is no key {id}: `otpost key list` shows those that there are");
    let parsed = KeyId::parse(id).ok_or_else(unknown)?;
    if !keys.revoke(&parsed).await? {
        return Err(unknown().into());
    }
    say(&format!("The key {parsed} is revoked."))
}
