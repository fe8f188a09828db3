//! The tables of a server: one statement for all rows, with an array for each column, and so one text
//! for any number of rows.

use std::collections::BTreeSet;
use std::fmt::Write;

use otpost_ports::{Claim, StoreError};
use sea_orm::sea_query::{ArrayType, Expr, Func, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, ExprTrait,
    Iterable, ModelTrait, QueryFilter, QueryOrder, QuerySelect, Select, Statement, Value,
};

use super::{Changed, Changes, Keyed, Tables, list, name, table};
use crate::convert::delivery::DELIVERIES;
use crate::entity::delivery;
use crate::error::{Overtaken, reading, unavailable};
use crate::outbox::due_mails;

/// The keys of the rows that are asked for, as a table of one column.
const WANTED: &str = "wanted";

impl Tables for DatabaseTransaction {
    async fn read<E: Keyed>(&self, keys: &BTreeSet<Vec<u8>>) -> Result<Vec<E::Model>, StoreError> {
        all::<E>(self, with_keys::<E>(keys), keys).await
    }

    async fn lock<E: Keyed>(&self, keys: &BTreeSet<Vec<u8>>) -> Result<Vec<E::Model>, StoreError> {
        all::<E>(self, with_keys::<E>(keys).lock_exclusive(), keys).await
    }

    fn may_wait(&self) -> bool {
        true
    }

    async fn write(&self, changes: &Changes) -> Result<(), StoreError> {
        let mut writing = Writing::default();
        writing.table(&changes.sessions);
        writing.table(&changes.mails);
        writing.table(&changes.answers);
        writing.table(&changes.counters);
        writing.carry_out(self).await
    }

    async fn due_mails(&self, claim: &Claim) -> Result<Vec<delivery::Model>, StoreError> {
        let due = due_mails(claim.now, claim.limit)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        due.all(self).await.map_err(reading(DELIVERIES.0))
    }
}

/// What is found of these keys; without any, nothing is asked.
async fn all<E: Keyed>(
    transaction: &DatabaseTransaction,
    rows: Select<E>,
    keys: &BTreeSet<Vec<u8>>,
) -> Result<Vec<E::Model>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    rows.all(transaction).await.map_err(reading(E::TABLE.0))
}

/// The rows with one of these keys, in their order. The keys are joined, and not compared as one array:
/// so each is looked for in the partition that it belongs to, and not in all of them.
fn with_keys<E: Keyed>(keys: &BTreeSet<Vec<u8>>) -> Select<E> {
    let keys: Vec<Vec<u8>> = keys.iter().cloned().collect();
    let key = Expr::col((E::default(), E::KEY));
    let mut rows = E::find()
        .filter(key.eq(Expr::col((WANTED, WANTED))))
        .order_by_asc(E::KEY);
    QuerySelect::query(&mut rows).from_function(Func::cust("UNNEST").arg(keys), WANTED);
    rows
}

/// One statement that writes rows of several tables: each trip to the server takes longer than what it
/// does there for a row.
#[derive(Default)]
struct Writing {
    parts: Vec<Part>,
    values: Vec<Value>,
}

/// A part of the statement that changes rows of one table, or inserts them, and how many.
struct Part {
    sql: String,
    rows: usize,
    is_new: bool,
}

impl Writing {
    fn table<E: Keyed>(&mut self, rows: &Changed<E>) {
        let (table, key) = (table::<E>(), name(E::KEY));
        if !rows.old.is_empty() {
            let mut columns = E::changing();
            let changes = list(&columns, |column| format!("{column} = new.{column}"));
            columns.push(E::KEY);
            let names = list(&columns, str::to_owned);
            let source = self.source::<E>(&rows.old, &columns);
            self.parts.push(Part {
                sql: format!(
                    "UPDATE {table} SET {changes} FROM ({source}) AS new ({names}) \
                     WHERE {table}.{key} = new.{key}"
                ),
                rows: rows.old.len(),
                is_new: false,
            });
        }
        if !rows.new.is_empty() {
            let columns: Vec<E::Column> = E::Column::iter().collect();
            let names = list(&columns, str::to_owned);
            let source = self.source::<E>(&rows.new, &columns);
            let on_conflict = if E::IS_SHARED {
                " ON CONFLICT DO NOTHING"
            } else {
                ""
            };
            self.parts.push(Part {
                sql: format!("INSERT INTO {table} ({names}) {source}{on_conflict}"),
                rows: rows.new.len(),
                is_new: true,
            });
        }
    }

    /// The rows as a table of these columns, from an array for each column. The driver knows no array with
    /// an absent value in it: a last one has a bit for each value of a row that is absent.
    fn source<E: EntityTrait>(&mut self, rows: &[E::Model], columns: &[E::Column]) -> String {
        let mut absent = vec![0_i64; rows.len()];
        let (mut named, mut shown, mut types) = (String::new(), String::new(), String::new());
        for (place, column) in columns.iter().enumerate() {
            let mut array = Array::default();
            for (row, absent) in rows.iter().zip(&mut absent) {
                if array.push(row.get(*column)).is_absent() {
                    *absent |= 1 << place;
                }
            }
            let column = name(*column);
            let comma = if place == 0 { "" } else { ", " };
            let kind = array.type_name();
            let number = self.parameter(array.into_value());
            // Writing to a text never fails.
            let _ = write!(named, "{column}, ");
            let _ = write!(types, "${number}::{kind}, ");
            let _ = if is_optional::<E>(columns[place]) {
                let bit = 1_i64 << place;
                write!(
                    shown,
                    "{comma}CASE WHEN absent & {bit} = 0 THEN {column} END"
                )
            } else {
                write!(shown, "{comma}{column}")
            };
        }
        let number = self.parameter(absent.into());
        format!("SELECT {shown} FROM UNNEST({types}${number}::bigint[]) AS row ({named}absent)")
    }

    /// The number of the parameter that this value is.
    fn parameter(&mut self, value: Value) -> usize {
        self.values.push(value);
        self.values.len()
    }

    /// Carries out every part, and makes sure that each row was written. They are counted from left to
    /// right, and so far carried out in that order: with another one two nodes might wait for one another,
    /// and one of them be undone and tried again.
    async fn carry_out(self, transaction: &DatabaseTransaction) -> Result<(), StoreError> {
        let (mut parts, mut counts) = (String::new(), String::new());
        for (place, part) in self.parts.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let _ = write!(parts, "{comma}part_{place} AS ({} RETURNING 1)", part.sql);
            let _ = write!(counts, "{comma}(SELECT COUNT(*) FROM part_{place})");
        }
        let sql = format!("WITH {parts} SELECT {counts}");
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, self.values);
        let written = transaction.query_one_raw(statement).await;
        let written = written.map_err(unavailable)?;
        for (place, part) in self.parts.iter().enumerate() {
            let count = written
                .as_ref()
                .map(|row| row.try_get_by_index::<i64>(place));
            let count = count.transpose().map_err(unavailable)?.unwrap_or_default();
            if usize::try_from(count) != Ok(part.rows) {
                return Err(if part.is_new {
                    unavailable(Overtaken)
                } else {
                    unavailable(DbErr::RecordNotUpdated)
                });
            }
        }
        Ok(())
    }
}

/// The values of one column.
#[derive(Default)]
struct Array {
    kind: Option<ArrayType>,
    values: Vec<Value>,
}

/// Whether a value that was pushed was one.
enum Pushed {
    Present,
    Absent,
}

impl Pushed {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl Array {
    fn push(&mut self, value: Value) -> Pushed {
        let (kind, value, pushed) = match value {
            Value::Bytes(None) => (ArrayType::Bytes, Vec::<u8>::new().into(), Pushed::Absent),
            Value::String(None) => (ArrayType::String, "".into(), Pushed::Absent),
            Value::SmallInt(None) => (ArrayType::SmallInt, 0_i16.into(), Pushed::Absent),
            Value::BigInt(None) => (ArrayType::BigInt, 0_i64.into(), Pushed::Absent),
            Value::Bool(None) => (ArrayType::Bool, false.into(), Pushed::Absent),
            present => (present.array_type(), present, Pushed::Present),
        };
        self.kind.get_or_insert(kind);
        self.values.push(value);
        pushed
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Some(ArrayType::SmallInt) => "smallint[]",
            Some(ArrayType::BigInt) => "bigint[]",
            Some(ArrayType::Bool) => "boolean[]",
            Some(ArrayType::String) => "text[]",
            _ => "bytea[]",
        }
    }

    fn into_value(self) -> Value {
        let kind = self.kind.unwrap_or(ArrayType::Bytes);
        Value::Array(kind, Some(Box::new(self.values)))
    }
}

/// Whether a value of this column may be absent: such a definition stays the same when told so.
fn is_optional<E: EntityTrait>(column: E::Column) -> bool {
    let definition = column.def();
    definition == definition.clone().nullable()
}
