//! Where the programs of PostgreSQL are.

use std::path::{Path, PathBuf};

use crate::environment::{left_out, variable};

/// Debian's place for the versions of the server, which are not in `PATH`.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The programs of an installed PostgreSQL server, of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Those in `PATH`, or else the newest in `/usr/lib/postgresql/*/bin`.
    #[must_use]
    pub fn find() -> Option<Self> {
        let path = variable("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .find(|folder| is_server(folder))
            .or_else(|| newest(Path::new(VERSIONS)))
            .map(|folder| Self { folder })
    }

    /// As [`Self::find`], for a test that is left out where there are none: that is said on
    /// standard error, once.
    ///
    /// # Panics
    /// Under `CI=true`, where nothing is left out.
    #[must_use]
    pub fn for_test() -> Option<Self> {
        let found = Self::find();
        if found.is_none() {
            left_out("there is no PostgreSQL server on this machine");
        }
        found
    }

    /// The path of a program such as `pg_dump`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Clients alone do not help, and Debian's `psql` in `PATH` is a wrapper.
fn is_server(folder: &Path) -> bool {
    ["initdb", "postgres", "psql"]
        .iter()
        .all(|name| folder.join(name).is_file())
}

fn newest(versions: &Path) -> Option<PathBuf> {
    let entries = versions.read_dir().ok()?.flatten();
    let candidates = entries.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let folder = entry.path().join("bin");
        is_server(&folder).then_some((version, folder))
    });
    candidates.max().map(|(_, folder)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(versions: &Path, version: &str, programs: &[&str]) {
        let folder = versions.join(version).join("bin");
        std::fs::create_dir_all(&folder).unwrap();
        for program in programs {
            std::fs::write(folder.join(program), "").unwrap();
        }
    }

    #[test]
    fn the_newest_version_is_so_by_number_and_has_a_server() {
        let versions = tempfile::tempdir().unwrap();
        let server = ["initdb", "postgres", "psql"];
        install(versions.path(), "9", &server);
        install(versions.path(), "15", &server);
        install(versions.path(), "17", &["psql"]);
        install(versions.path(), "other", &server);

        let found = newest(versions.path());

        assert_eq!(found, Some(versions.path().join("15/bin")));
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let versions = tempfile::tempdir().unwrap();
        assert_eq!(newest(versions.path()), None);
        assert_eq!(newest(&versions.path().join("gone")), None);
    }
}
