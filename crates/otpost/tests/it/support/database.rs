//! The database file, read past the program.

use std::collections::BTreeMap;
use std::path::Path;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

/// A database that is looked through for values.
pub(crate) struct Scan {
    connection: DatabaseConnection,
}

impl Scan {
    pub(crate) async fn open(file: &Path) -> Self {
        let url = format!("sqlite://{}?mode=ro", file.display());
        Self {
            connection: Database::connect(url).await.unwrap(),
        }
    }

    /// The first column of every row, in hexadecimal digits.
    pub(crate) async fn hex(&self, select: &str) -> Vec<String> {
        let rows = self
            .rows(&format!("SELECT hex(value) AS value FROM ({select})"))
            .await;
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
                .map(|column| format!("coalesce(hex({column}), '')"))
                .collect();
            let select = format!("SELECT {} AS row FROM {table}", columns.join(" || '|' || "));
            let rows = self.rows(&select).await;
            let is_held = |row: &String| values.iter().any(|value| row.contains(value));
            let rows = rows.iter().map(|row| row.try_get("", "row").unwrap());
            let count = rows.filter(is_held).count();
            if count > 0 {
                holding.insert(table, count);
            }
        }
        holding
    }

    /// Every table with its columns.
    async fn tables(&self) -> Vec<(String, Vec<String>)> {
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
        let mut found = Vec::new();
        for table in self.rows(tables).await {
            let table: String = table.try_get("", "name").unwrap();
            let columns = self
                .rows(&format!("SELECT name FROM pragma_table_info('{table}')"))
                .await;
            let columns = columns.iter().map(|row| row.try_get("", "name").unwrap());
            found.push((table, columns.collect()));
        }
        assert!(found.len() >= 6, "{found:?}");
        found
    }

    async fn rows(&self, select: &str) -> Vec<sea_orm::QueryResult> {
        let statement = Statement::from_string(sea_orm::DbBackend::Sqlite, select.to_owned());
        self.connection.query_all_raw(statement).await.unwrap()
    }
}
