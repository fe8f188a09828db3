//! The folder of captured messages: one JSON file each, whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use otpost_domain::Timestamp;
use otpost_ports::CapturedMessage;
use serde::{Deserialize, Serialize};

/// Files are named by a running number, so that their order is the order of arrival.
const SUFFIX: &str = ".json";
const HALF_WRITTEN: &str = ".tmp";

/// A message and the number of its file.
pub(super) struct Filed {
    pub(super) message: CapturedMessage,
    number: u64,
}

pub(super) struct Folder {
    path: PathBuf,
    next: AtomicU64,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    id: String,
    to: String,
    session_id: String,
    template: String,
    subject: String,
    code: String,
    text: String,
    html: String,
    headers: Vec<(String, String)>,
    /// Older files have none.
    #[serde(default)]
    source: String,
    received_at_millis: i64,
}

impl Folder {
    /// Makes or opens the folder, for its owner only, and reads the messages, the oldest first.
    /// A file that was being written when the power went is removed: its message never counted.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Filed>)> {
        make_private_dir(path)?;
        let mut numbered = Vec::new();
        for file in fs::read_dir(path)? {
            let file = file?.path();
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or("");
            if name.ends_with(HALF_WRITTEN) {
                fs::remove_file(&file)?;
            } else if let Some(number) = number_of(name) {
                numbered.push((number, file));
            }
        }
        numbered.sort_unstable();
        let messages = numbered
            .iter()
            .map(|(number, file)| read(*number, file))
            .collect::<Result<_, _>>()?;
        let next = numbered.last().map_or(0, |(number, _)| number + 1);
        let folder = Self {
            path: path.to_owned(),
            next: AtomicU64::new(next),
        };
        Ok((folder, messages))
    }

    /// Returns when the message is on disk under its name.
    pub(super) fn write(&self, message: CapturedMessage) -> io::Result<Filed> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let half_written = self.path.join(format!("{number:012}{HALF_WRITTEN}"));
        let mut file = create_private(&half_written)?;
        file.write_all(&serde_json::to_vec_pretty(&Entry::of(&message))?)?;
        file.sync_all()?;
        fs::rename(&half_written, self.file(number))?;
        self.sync()?;
        Ok(Filed { message, number })
    }

    /// Removes one message.
    pub(super) fn remove(&self, filed: &Filed) -> io::Result<()> {
        fs::remove_file(self.file(filed.number))?;
        self.sync()
    }

    /// Removes every message.
    pub(super) fn clear(&self) -> io::Result<()> {
        for file in fs::read_dir(&self.path)? {
            let file = file?.path();
            let name = file.file_name().and_then(|name| name.to_str());
            if name.and_then(number_of).is_some() {
                fs::remove_file(file)?;
            }
        }
        self.sync()
    }

    fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:012}{SUFFIX}"))
    }

    /// A new name is on disk only when the folder is.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

fn read(number: u64, file: &Path) -> io::Result<Filed> {
    let entry: Entry = serde_json::from_slice(&fs::read(file)?)
        .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
    let message = entry.into_message();
    Ok(Filed { message, number })
}

impl Entry {
    fn of(message: &CapturedMessage) -> Self {
        let message = message.clone();
        Self {
            id: message.id,
            to: message.to,
            session_id: message.session_id,
            template: message.template,
            subject: message.subject,
            code: message.code,
            text: message.text,
            html: message.html,
            headers: message.headers,
            source: message.source,
            received_at_millis: message.received_at.as_millis(),
        }
    }

    fn into_message(self) -> CapturedMessage {
        CapturedMessage {
            id: self.id,
            to: self.to,
            session_id: self.session_id,
            template: self.template,
            subject: self.subject,
            code: self.code,
            text: self.text,
            html: self.html,
            headers: self.headers,
            source: self.source,
            received_at: Timestamp::from_millis(self.received_at_millis),
        }
    }
}

// Captured messages hold codes: they are their owner's only, from the first byte on.

fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}
