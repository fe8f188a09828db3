//! A database of either engine for a test alone, and a second program that looks at it.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use otpost_cluster::Database;
use otpost_domain::{Code, SessionId};
use otpost_ports::{Admitted, Applied, Judged, Opening, SessionStore, StoreError, StoredSession};
use otpost_storage::{Settings, Storage};
use otpost_testkit::{FakeVault, sample};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TryGetable,
};
use tempfile::TempDir;

/// Within which a caller is told that the storage is out of reach.
pub(crate) const TOLD: Duration = Duration::from_secs(2);

/// Makes two of each test that takes a [`Place`]: `sqlite::…` and `postgres::…`.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test($crate::support::Place::file()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    if let Some(place) = $crate::support::Place::server().await {
                        super::$test(place).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use on_both;

/// A database that goes with this value.
pub(crate) struct Place {
    kept: Kept,
    pub(crate) vault: Arc<FakeVault>,
}

enum Kept {
    Folder(TempDir),
    Server {
        url: String,
        has_partitions: bool,
        /// None where the server itself goes with the test.
        _database: Option<Database>,
    },
}

impl Place {
    fn of(kept: Kept) -> Self {
        Self {
            kept,
            vault: Arc::new(FakeVault::new()),
        }
    }

    /// A file of `SQLite` in a folder of its own.
    pub(crate) fn file() -> Self {
        Self::of(Kept::Folder(TempDir::new().unwrap()))
    }

    /// A database of `PostgreSQL`; `None`, which is said, where the tests have no server.
    pub(crate) async fn server() -> Option<Self> {
        Self::on_server(true).await
    }

    /// As [`Self::server`], whose tables are not to be made of partitions.
    pub(crate) async fn server_without_partitions() -> Option<Self> {
        Self::on_server(false).await
    }

    async fn on_server(has_partitions: bool) -> Option<Self> {
        let database = Database::create().await?;
        Some(Self::of(Kept::Server {
            url: database.url().to_owned(),
            has_partitions,
            _database: Some(database),
        }))
    }

    /// The database of this URL, which goes with its server.
    pub(crate) fn at(url: String) -> Self {
        Self::of(Kept::Server {
            url,
            has_partitions: true,
            _database: None,
        })
    }

    /// Another one of the same engine.
    pub(crate) async fn another(&self) -> Self {
        match self.kept {
            Kept::Folder(_) => Self::file(),
            Kept::Server { has_partitions, .. } => Self::on_server(has_partitions).await.unwrap(),
        }
    }

    pub(crate) fn is_on_a_server(&self) -> bool {
        matches!(self.kept, Kept::Server { .. })
    }

    /// The folder of the file.
    fn folder(&self) -> &TempDir {
        match &self.kept {
            Kept::Folder(folder) => folder,
            Kept::Server { .. } => panic!("a database of a server is no file"),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder().path().join("otpost.db")
    }

    /// As the program opens the file that is to be opened in `mode`.
    pub(crate) fn file_settings(&self, mode: &str) -> Settings {
        Settings::at(format!("sqlite://{}?mode={mode}", self.path().display()))
    }

    /// As the program opens it, so that many tests can at once.
    pub(crate) fn settings(&self) -> Settings {
        match &self.kept {
            Kept::Folder(_) => self.file_settings("rwc"),
            Kept::Server {
                url,
                has_partitions,
                ..
            } => Settings {
                connections_max: 8,
                has_partitions: *has_partitions,
                ..Settings::at(url)
            },
        }
    }

    pub(crate) async fn connect_with(&self, settings: Settings) -> Storage {
        Storage::connect(&settings, self.vault.clone())
            .await
            .unwrap()
    }

    /// One more node, or program.
    pub(crate) async fn connect(&self) -> Storage {
        self.connect_with(self.settings()).await
    }

    /// Opens the database with the schema of this program.
    pub(crate) async fn storage(&self) -> Storage {
        let storage = self.connect().await;
        storage.migrate().await.unwrap();
        storage
    }

    /// A second program's one connection.
    pub(crate) async fn other(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(self.settings().url);
        options
            .max_connections(1)
            .sqlx_logging(false)
            // As the product: without the driver's task, which may hold a thread for ever.
            .idle_timeout(None)
            .max_lifetime(None);
        sea_orm::Database::connect(options).await.unwrap()
    }

    /// Keeps sample `number` in `storage`, and gives it with its right code.
    pub(crate) async fn open(&self, storage: &Storage, number: u8) -> (Opening, Code) {
        let opening = sample::opening(&*self.vault, number);
        open(storage, opening.clone()).await;
        let code = sample::code(&*self.vault, &opening, 0);
        (opening, code)
    }
}

/// A statement in the words of the engine: bytes are written `x'00'` here.
fn dialect<'a>(connection: &DatabaseConnection, sql: &'a str) -> Cow<'a, str> {
    match connection.get_database_backend() {
        DbBackend::Postgres => sql.replace("x'", r"'\x").into(),
        _ => sql.into(),
    }
}

/// Runs a statement without parameters.
pub(crate) async fn run(connection: &DatabaseConnection, sql: &str) {
    try_run(connection, sql).await.expect(sql);
}

pub(crate) async fn try_run(connection: &DatabaseConnection, sql: &str) -> Result<(), DbErr> {
    let sql = dialect(connection, sql);
    connection.execute_unprepared(&sql).await.map(|_| ())
}

/// Whether a value could be written that nobody writes: `PostgreSQL` takes none of another type
/// than its column has.
pub(crate) async fn is_written(connection: &DatabaseConnection, change: &str) -> bool {
    let Err(refused) = try_run(connection, change).await else {
        return true;
    };
    let reason = refused.to_string();
    let is_other_type = [
        "invalid input syntax for type",
        "out of range",
        "but expression is of type",
    ];
    assert!(
        connection.get_database_backend() == DbBackend::Postgres
            && is_other_type.iter().any(|said| reason.contains(said)),
        "{change}: {reason}"
    );
    false
}

/// A number that changes with every commit that writes a row.
pub(crate) async fn version(connection: &DatabaseConnection) -> i64 {
    match connection.get_database_backend() {
        DbBackend::Postgres => {
            let tables = [
                "api_keys",
                "audit_log",
                "counters",
                "deliveries",
                "kept_answers",
                "projects",
                "sessions",
            ];
            let rows =
                tables.map(|table| format!("SELECT xmin::text::bigint AS xmin FROM {table}"));
            let sum = format!(
                "SELECT COALESCE(SUM(xmin), 0)::bigint FROM ({}) AS rows",
                rows.join(" UNION ALL ")
            );
            value(connection, &sum).await
        }
        _ => value(connection, "PRAGMA data_version").await,
    }
}

/// Whether any file of `place` holds these bytes: the database, its log or another beside it.
pub(crate) fn is_on_disk(place: &Place, bytes: &[u8]) -> bool {
    let files = fs::read_dir(place.folder().path()).unwrap();
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

/// The first column of the only row.
pub(crate) async fn value<T: TryGetable>(connection: &DatabaseConnection, sql: &str) -> T {
    let query = Statement::from_string(connection.get_database_backend(), dialect(connection, sql));
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
