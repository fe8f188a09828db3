//! A database in a folder of its own, and a second program that looks at it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use otpost_domain::{Code, SessionId};
use otpost_ports::{Admitted, Applied, Judged, Opening, SessionStore, StoreError, StoredSession};
use otpost_storage::{Settings, Storage};
use otpost_testkit::{FakeVault, sample};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement, TryGetable};
use tempfile::TempDir;

pub(crate) struct Place {
    folder: TempDir,
    pub(crate) vault: Arc<FakeVault>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            vault: Arc::new(FakeVault::new()),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("otpost.db")
    }

    pub(crate) fn settings(&self, mode: &str) -> Settings {
        Settings {
            url: format!("sqlite://{}?mode={mode}", self.path().display()),
        }
    }

    pub(crate) async fn connect(&self, mode: &str) -> Storage {
        Storage::connect(&self.settings(mode), self.vault.clone())
            .await
            .unwrap()
    }

    /// Opens the database with the schema of this program.
    pub(crate) async fn storage(&self) -> Storage {
        let storage = self.connect("rwc").await;
        storage.migrate().await.unwrap();
        storage
    }

    /// A second program's one connection.
    pub(crate) async fn other(&self) -> DatabaseConnection {
        Database::connect(self.settings("rw").url).await.unwrap()
    }

    /// Keeps sample `number` in `storage`, and gives it with its right code.
    pub(crate) async fn open(&self, storage: &Storage, number: u8) -> (Opening, Code) {
        let opening = sample::opening(&*self.vault, number);
        open(storage, opening.clone()).await;
        let code = sample::code(&*self.vault, &opening, 0);
        (opening, code)
    }
}

/// Runs a statement without parameters.
pub(crate) async fn run(connection: &DatabaseConnection, sql: &str) {
    connection.execute_unprepared(sql).await.unwrap();
}

/// Whether any file of `place` holds these bytes: the database, its log or another beside it.
pub(crate) fn is_on_disk(place: &Place, bytes: &[u8]) -> bool {
    let files = fs::read_dir(place.folder.path()).unwrap();
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

/// The first column of the only row.
pub(crate) async fn value<T: TryGetable>(connection: &DatabaseConnection, sql: &str) -> T {
    let query = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(query).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// The session as its owner finds it.
pub(crate) async fn find(storage: &Storage, id: &SessionId) -> StoredSession {
    let found = storage.find(&sample::owner(), id).await.unwrap();
    found.expect("the session is there")
}

/// Asserts that nothing was done for the storage is out of reach, and gives the reason.
#[track_caller]
pub(crate) fn assert_unavailable<T>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(error @ StoreError::Unavailable(_)) => error.to_string(),
        Err(error) => panic!("another error: {error:?}"),
        Ok(_) => panic!("an answer"),
    }
}

/// Opens a session that nothing stands against.
pub(crate) async fn open(storage: &Storage, opening: Opening) {
    let admitted = storage.open(opening).await.unwrap();
    assert!(matches!(admitted, Admitted::Open(_)), "{admitted:?}");
}

/// Asserts that a command was judged, and gives what became of it.
#[track_caller]
pub(crate) fn judged(answer: Result<Applied, StoreError>) -> Judged {
    match answer.unwrap() {
        Applied::Judged(judged) => *judged,
        other @ (Applied::Replayed(_)
        | Applied::KeyReused(_)
        | Applied::Limited(_)
        | Applied::NotFound(_)) => panic!("{other:?}"),
    }
}
