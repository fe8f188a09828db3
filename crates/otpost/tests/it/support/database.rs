//! The database, read past the program.

use std::collections::BTreeMap;
use std::path::Path;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};

/// A database that is looked through for values.
pub(crate) struct Scan {
    connection: DatabaseConnection,
}

impl Scan {
    pub(crate) async fn open(file: &Path) -> Self {
        Self::at(&format!("sqlite://{}?mode=ro", file.display())).await
    }

    /// The database at a URL.
    pub(crate) async fn at(url: &str) -> Self {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(1)
            .sqlx_logging(false)
            // As the product: without the driver's task, which may hold a thread for ever.
            .idle_timeout(None)
            .max_lifetime(None);
        Self {
            connection: Database::connect(options).await.unwrap(),
        }
    }

    fn is_file(&self) -> bool {
        self.connection.get_database_backend() == DbBackend::Sqlite
    }

    /// The condition that a column holds other bytes than these.
    pub(crate) fn is_not(&self, column: &str, hex: &str) -> String {
        if self.is_file() {
            format!("{column} <> x'{hex}'")
        } else {
            format!(r"{column} <> '\x{hex}'")
        }
    }

    /// The value of every row (bytes) in hexadecimal digits.
    pub(crate) async fn hex(&self, select: &str) -> Vec<String> {
        let hex = if self.is_file() {
            "hex(value)"
        } else {
            "upper(encode(value, 'hex'))"
        };
        let select = format!("SELECT {hex} AS value FROM ({select}) AS chosen");
        let rows = self.rows(&select).await;
        rows.iter()
            .map(|row| row.try_get("", "value").unwrap())
            .collect()
    }

    /// How many rows each table has; an empty one is not named.
    pub(crate) async fn counts(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for (table, _) in self.tables().await {
            let rows = self
                .rows(&format!("SELECT count(*) AS count FROM {table}"))
                .await;
            let count: i64 = rows[0].try_get("", "count").unwrap();
            if count > 0 {
                counts.insert(table, count);
            }
        }
        counts
    }

    /// How many rows of each table hold one of `values` (hexadecimal digits) in any column,
    /// perhaps amid other bytes; a table without any is not named.
    pub(crate) async fn holding(&self, values: &[String]) -> BTreeMap<String, usize> {
        let mut holding = BTreeMap::new();
        for (table, columns) in self.tables().await {
            let columns: Vec<_> = columns
                .iter()
                .map(|column| format!("coalesce({column}, '')"))
                .collect();
            let columns = columns.join(" || '|' || ");
            let rows = self
                .rows(&format!("SELECT {columns} AS digits FROM {table}"))
                .await;
            let is_held = |row: &String| values.iter().any(|value| row.contains(value));
            let rows = rows.iter().map(|row| row.try_get("", "digits").unwrap());
            let count = rows.filter(is_held).count();
            if count > 0 {
                holding.insert(table, count);
            }
        }
        holding
    }

    /// Every table with its columns, each as an expression that shows its hexadecimal digits.
    async fn tables(&self) -> Vec<(String, Vec<String>)> {
        let (tables, columns) = if self.is_file() {
            (
                "SELECT name FROM sqlite_master WHERE type = 'table'",
                "SELECT 'hex(' || name || ')' AS name FROM pragma_table_info('TABLE')",
            )
        } else {
            // Rows of a partition are those of its table.
            (
                "SELECT relname::text AS name FROM pg_class \
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
                 AND NOT relispartition",
                "SELECT format(CASE atttypid WHEN 'bytea'::regtype THEN 'upper(encode(%I, ''hex''))' \
                 ELSE 'upper(encode(convert_to(%I::text, ''UTF8''), ''hex''))' END, attname) AS name \
                 FROM pg_attribute WHERE attrelid = 'TABLE'::regclass AND attnum > 0 \
                 AND NOT attisdropped",
            )
        };
        let mut found = Vec::new();
        for table in self.names(tables).await {
            let columns = self.names(&columns.replace("TABLE", &table)).await;
            found.push((table, columns));
        }
        assert!(found.len() >= 6, "{found:?}");
        found
    }

    async fn names(&self, select: &str) -> Vec<String> {
        let rows = self.rows(select).await;
        rows.iter()
            .map(|row| row.try_get("", "name").unwrap())
            .collect()
    }

    async fn rows(&self, select: &str) -> Vec<sea_orm::QueryResult> {
        let backend = self.connection.get_database_backend();
        let statement = Statement::from_string(backend, select.to_owned());
        self.connection
            .query_all_raw(statement)
            .await
            .unwrap_or_else(|error| panic!("{select}: {error}"))
    }
}
