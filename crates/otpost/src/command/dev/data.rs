//! The folder of a development run.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use crate::command::secrets::NewSecrets;
use crate::settings::{Database, Secrets, Settings, Sources};
use crate::{Failure, private_file};

/// Number of the master key of a development run.
const KEY_NUMBER: u32 = 1;

/// A folder with database, secrets, keys and captured messages.
pub(super) struct Data {
    folder: PathBuf,
}

/// The folder is this process's own for as long as this lives. The kernel gives it back when the
/// process ends, however it ends.
pub(super) struct Lock {
    _file: File,
}

impl Data {
    /// Opens the folder for a run, and makes it and its secrets where they are missing.
    pub(super) fn open(folder: &Path) -> Result<(Self, Lock), Failure> {
        let place = folder.display();
        private_file::make_folder(folder)
            .map_err(|error| format!("the folder {place} cannot be made: {error}"))?;
        let lock = lock(folder)?;
        let data = Self {
            folder: folder.to_owned(),
        };
        let file = data.secrets_file();
        if !file.exists() {
            let secrets = NewSecrets::draw(KEY_NUMBER)?.toml(KEY_NUMBER);
            private_file::replace(&file, &secrets)
                .map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
        }
        Ok((data, lock))
    }

    /// The folder of a run that was started before, and may be running.
    pub(super) fn existing(folder: &Path) -> Result<Self, Failure> {
        let data = Self {
            folder: folder.to_owned(),
        };
        if !data.secrets_file().exists() {
            let place = folder.display();
            let what = format!(
                "{place} is not the folder of a development run: `otpost dev --data {place}` \
                 makes it one"
            );
            return Err(what.into());
        }
        Ok(data)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn secrets_file(&self) -> PathBuf {
        self.folder.join("secrets.toml")
    }

    pub(super) fn env_file(&self) -> PathBuf {
        self.folder.join("dev.env")
    }

    pub(super) fn inbox_folder(&self) -> PathBuf {
        self.folder.join("inbox")
    }

    /// The database: a file in the folder, or the one that it remembers.
    pub(super) fn database(&self) -> Result<Database, Failure> {
        let file = self.database_file();
        let url = match fs::read_to_string(&file) {
            Ok(url) => url.trim().to_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let path = self.folder.join("otpost.db");
                let path = percent_encoded(path.as_os_str().as_encoded_bytes());
                format!("sqlite://{path}?mode=rwc")
            }
            Err(error) => return Err(format!("{}: {error}", file.display()).into()),
        };
        Ok(Database::at(url.into()))
    }

    /// Remembers another database than a file in the folder.
    pub(super) fn keep_database(&self, url: &SecretString) -> Result<(), Failure> {
        let file = self.database_file();
        private_file::replace(&file, url.expose_secret())
            .map_err(|error| format!("{} cannot be written: {error}", file.display()).into())
    }

    fn database_file(&self) -> PathBuf {
        self.folder.join("database.url")
    }

    /// The secrets file has the form of a configuration.
    pub(super) fn secrets(&self) -> Result<Secrets, Failure> {
        let sources = Sources {
            file: Some(self.secrets_file()),
            environment: Vec::new(),
        };
        Ok(Settings::load(&sources)?.secrets)
    }
}

fn lock(folder: &Path) -> Result<Lock, Failure> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => {
            let folder = folder.display();
            let what = format!(
                "another `otpost dev` runs on {folder}: stop it, or choose another folder with \
                 --data"
            );
            Err(what.into())
        }
        Err(TryLockError::Error(error)) => {
            Err(format!("{} cannot be locked: {error}", path.display()).into())
        }
    }
}

/// A path as it stands in a URL.
fn percent_encoded(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_its_url() {
        assert_eq!(percent_encoded(b"/a b/c?d%.e~"), "/a%20b/c%3Fd%25.e~");
    }

    #[test]
    fn a_folder_is_had_once_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (_data, first) = Data::open(folder.path()).unwrap();
        assert!(Data::open(folder.path()).is_err());
        drop(first);
        assert!(Data::open(folder.path()).is_ok());
    }
}
