//! Who the server runs as: PostgreSQL refuses root.

use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// In this order; both are without rights of their own.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// The user that root steps down to; any other user stays itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account(Option<Ids>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    user: u32,
    group: u32,
}

impl Account {
    /// For us, the owner of this folder, which then belongs to the account.
    pub(crate) fn take(folder: &Path) -> io::Result<Self> {
        if folder.metadata()?.uid() != 0 {
            return Ok(Self(None));
        }
        let users = std::fs::read_to_string("/etc/passwd")?;
        let ids = NAMES
            .iter()
            .find_map(|name| ids(&users, name))
            .ok_or_else(|| io::Error::other("no user `postgres` or `nobody` to run PostgreSQL"))?;
        chown(folder, Some(ids.user), Some(ids.group))?;
        Ok(Self(Some(ids)))
    }

    /// Has the command run as the account, without our other groups.
    pub(crate) fn run(self, command: &mut Command) {
        if let Some(Ids { user, group }) = self.0 {
            command.uid(user).gid(group);
        }
    }
}

/// Looked up in the text of `/etc/passwd`; root itself is not found.
fn ids(users: &str, name: &str) -> Option<Ids> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        (is_it && user != 0).then_some(Ids { user, group })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\n\nold:x\npostgres2:x:7:7::/:/bin/sh\n\
                         postgres:x:101:104:admin,,,:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let (user, group) = (101, 104);
        assert_eq!(ids(USERS, "postgres"), Some(Ids { user, group }));
    }

    #[test]
    fn neither_root_nor_a_broken_line_is_an_account() {
        for name in ["root", "old", "nobody"] {
            assert_eq!(ids(USERS, name), None, "{name}");
        }
    }
}
