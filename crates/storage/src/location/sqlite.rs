//! Where a URL of SQLite points, and the file there.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;

use crate::ConnectError;

/// The file that an SQLite database lies in.
///
/// A database in memory is deliberately absent: an answer promises that its commit is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) mode: Mode,
}

/// What may be done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
    /// Written, and created where it is missing.
    Create,
}

impl File {
    /// Reads a URL. Parameters other than the three modes are refused: `cache=shared`,
    /// `immutable` and `vfs` each break what the storage promises about locks or durability.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let rest = url.strip_prefix("sqlite:").ok_or(ConnectError::Scheme)?;
        let (name, parameters) = match rest.split_once('?') {
            Some((name, parameters)) => (name, Some(parameters)),
            None => (rest, None),
        };
        let name = name.strip_prefix("//").unwrap_or(name);
        let mode = match parameters {
            Some("mode=ro") => Mode::Read,
            None | Some("mode=rw") => Mode::Write,
            Some("mode=rwc") => Mode::Create,
            Some(_) => return Err(ConnectError::Parameter),
        };
        match name {
            "" | ":memory:" => Err(ConnectError::NoFile),
            _ => {
                // The driver's own reading of the URL, percent-encoding included.
                let options: SqliteConnectOptions = url
                    .parse()
                    .map_err(|error| ConnectError::Driver(Box::new(error)))?;
                let path = options.get_filename().to_owned();
                Ok(Self { path, mode })
            }
        }
    }

    /// Creates the file where it is missing and wanted, before SQLite does with the permissions
    /// of the process: it holds personal data, sealed, and SQLite gives its log the same mode.
    pub(crate) fn prepare(&self) -> Result<(), ConnectError> {
        if self.mode != Mode::Create {
            return Ok(());
        }
        create_private(&self.path).map_err(|source| ConnectError::Create {
            path: self.path.clone(),
            source,
        })
    }
}

fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file() {
        let file = |path: &str, mode| File {
            path: path.into(),
            mode,
        };
        for (url, expected) in [
            ("sqlite:otpost.db", file("otpost.db", Mode::Write)),
            ("sqlite://otpost.db?mode=rw", file("otpost.db", Mode::Write)),
            ("sqlite://otpost.db?mode=ro", file("otpost.db", Mode::Read)),
            (
                "sqlite:///var/lib/otpost.db?mode=rwc",
                file("/var/lib/otpost.db", Mode::Create),
            ),
            ("sqlite://a%20b.db?mode=rwc", file("a b.db", Mode::Create)),
        ] {
            assert_eq!(File::parse(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn any_other_url_is_refused_with_a_reason() {
        for (url, reason) in [
            ("sqlite:", "names no file"),
            ("sqlite::memory:", "names no file"),
            ("sqlite://:memory:", "names no file"),
            ("sqlite://?mode=rwc", "names no file"),
            ("sqlite://a.db?mode=memory", "one parameter"),
            ("sqlite://a.db?cache=shared", "one parameter"),
            ("sqlite://a.db?mode=rwc&immutable=1", "one parameter"),
        ] {
            let error = File::parse(url).unwrap_err().to_string();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }
}
