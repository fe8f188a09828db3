//! Many rows in one statement, so that a commit of many commands asks no more often than one of
//! one.
//!
//! PostgreSQL takes an array for each column, and so one text for any number of rows. SQLite has no
//! arrays: there it is a list of values, whose lengths are powers of two, so that the texts are few
//! and each is prepared once.

use std::collections::BTreeSet;
use std::fmt::Write;

use otpost_ports::StoreError;
use sea_orm::sea_query::{ArrayType, Expr, PgFunc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, IdenStatic,
    Iterable, ModelTrait, QueryFilter, QueryOrder, QuerySelect, Select, Statement, Value,
};

use crate::convert::Table;
use crate::engine::Engine;
use crate::error::{reading, unavailable};

/// The most rows that one statement writes to SQLite: 28 columns of each, and at most 32 766
/// parameters.
const ROWS_MAX: usize = 256;

/// Inserts these rows.
pub(crate) async fn insert<E: EntityTrait>(
    engine: Engine,
    transaction: &DatabaseTransaction,
    rows: &[E::Model],
) -> Result<(), StoreError> {
    let columns: Vec<E::Column> = E::Column::iter().collect();
    write::<E>(engine, transaction, rows, &columns, |source| {
        inserting::<E>(&columns, source)
    })
    .await
}

/// Inserts these rows, or puts them in place of those with the same `key`.
pub(crate) async fn replace<E: EntityTrait>(
    engine: Engine,
    transaction: &DatabaseTransaction,
    rows: &[E::Model],
    key: E::Column,
) -> Result<(), StoreError> {
    let columns: Vec<E::Column> = E::Column::iter().collect();
    let others = columns.iter().filter(|column| !is_same(**column, key));
    let changes = list(others, |column| format!("{column} = excluded.{column}"));
    write::<E>(engine, transaction, rows, &columns, |source| {
        let insert = inserting::<E>(&columns, source);
        let key = name(key);
        format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {changes}")
    })
    .await
}

/// Writes these columns of these rows, each of which is there under its `key`.
pub(crate) async fn update<E: EntityTrait>(
    engine: Engine,
    transaction: &DatabaseTransaction,
    rows: &[E::Model],
    key: E::Column,
    columns: &[E::Column],
) -> Result<(), StoreError> {
    let changes = list(columns.iter(), |column| format!("{column} = new.{column}"));
    let mut all = vec![key];
    all.extend(columns);
    let names = list(all.iter(), str::to_owned);
    write::<E>(engine, transaction, rows, &all, |source| {
        let (table, key) = (table::<E>(), name(key));
        format!(
            "WITH new ({names}) AS ({source}) UPDATE {table} SET {changes} FROM new \
             WHERE {table}.{key} = new.{key}"
        )
    })
    .await
}

/// Makes those of these rows whose `key` is not there, and locks the others, in their order and in
/// one pass: an update whose condition never holds writes nothing, and locks all the same. Only for
/// a server.
pub(crate) async fn lock<E: EntityTrait>(
    engine: Engine,
    transaction: &DatabaseTransaction,
    rows: &[E::Model],
    key: E::Column,
) -> Result<(), StoreError> {
    let columns: Vec<E::Column> = E::Column::iter().collect();
    let source = arrays::<E>(rows, &columns);
    let insert = inserting::<E>(&columns, &source.sql);
    let key = name(key);
    let sql =
        format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {key} = excluded.{key} WHERE FALSE");
    let lock = Statement::from_sql_and_values(engine.backend(), sql, source.values);
    transaction
        .execute_raw(lock)
        .await
        .map(|_| ())
        .map_err(unavailable)
}

/// The rows with one of these keys, in their order.
pub(crate) fn with_keys<E: EntityTrait>(
    engine: Engine,
    key: E::Column,
    keys: &BTreeSet<Vec<u8>>,
) -> Select<E> {
    let mut keys: Vec<Vec<u8>> = keys.iter().cloned().collect();
    let is_one_of = if engine.is_server() {
        Expr::col((E::default(), key)).eq(PgFunc::any(keys))
    } else {
        // One key twice finds its row once.
        let last = keys.last().cloned().unwrap_or_default();
        keys.resize(keys.len().next_power_of_two(), last);
        key.is_in(keys)
    };
    E::find().filter(is_one_of).order_by_asc(key)
}

/// As [`with_keys`], read and locked until the end of the transaction where rows are locked one by
/// one; without any, nothing is asked. `table` goes into the error.
pub(crate) async fn load_to_change<E: EntityTrait>(
    engine: Engine,
    transaction: &DatabaseTransaction,
    key: E::Column,
    keys: &BTreeSet<Vec<u8>>,
    table: Table,
) -> Result<Vec<E::Model>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = with_keys::<E>(engine, key, keys).lock_exclusive();
    rows.all(transaction).await.map_err(reading(table.0))
}

/// Rows as a part of a statement, and its parameters.
struct Source {
    sql: String,
    values: Vec<Value>,
}

/// Carries out what `statement` makes of all rows, and makes sure that each was written.
async fn write<E: EntityTrait>(
    engine: Engine,
    transaction: &DatabaseTransaction,
    rows: &[E::Model],
    columns: &[E::Column],
    statement: impl Fn(&str) -> String,
) -> Result<(), StoreError> {
    let mut rest = rows;
    while !rest.is_empty() {
        let (these, others) = if engine.is_server() {
            (rest, &rest[rest.len()..])
        } else {
            rest.split_at(largest_power_of_two(rest.len()).min(ROWS_MAX))
        };
        let source = if engine.is_server() {
            arrays::<E>(these, columns)
        } else {
            lists::<E>(these, columns)
        };
        let sql = statement(&source.sql);
        let statement = Statement::from_sql_and_values(engine.backend(), sql, source.values);
        let written = transaction.execute_raw(statement).await;
        let written = written.map_err(unavailable)?.rows_affected();
        if usize::try_from(written) != Ok(these.len()) {
            return Err(unavailable(DbErr::RecordNotUpdated));
        }
        rest = others;
    }
    Ok(())
}

/// `(?, ?), (?, ?)`.
fn lists<E: EntityTrait>(rows: &[E::Model], columns: &[E::Column]) -> Source {
    let one = format!("({})", vec!["?"; columns.len()].join(", "));
    Source {
        sql: format!("VALUES {}", vec![one; rows.len()].join(", ")),
        values: rows
            .iter()
            .flat_map(|row| columns.iter().map(|column| row.get(*column)))
            .collect(),
    }
}

/// An array for each column. The driver knows no array with an absent value in it: a last one has a
/// bit for each value of a row that is absent.
fn arrays<E: EntityTrait>(rows: &[E::Model], columns: &[E::Column]) -> Source {
    let mut absent = vec![0_i64; rows.len()];
    let (mut named, mut shown, mut types) = (String::new(), String::new(), String::new());
    let mut values = Vec::with_capacity(columns.len() + 1);
    for (place, column) in columns.iter().enumerate() {
        let mut array = Array::default();
        for (row, absent) in rows.iter().zip(&mut absent) {
            if array.push(row.get(*column)).is_absent() {
                *absent |= 1 << place;
            }
        }
        let (column, number) = (name(*column), place + 1);
        let comma = if place == 0 { "" } else { ", " };
        // Writing to a text never fails.
        let _ = write!(named, "{column}, ");
        let _ = write!(types, "${number}::{}, ", array.type_name());
        let _ = if is_optional::<E>(columns[place]) {
            let bit = 1_i64 << place;
            write!(
                shown,
                "{comma}CASE WHEN absent & {bit} = 0 THEN {column} END"
            )
        } else {
            write!(shown, "{comma}{column}")
        };
        values.push(array.into_value());
    }
    let number = columns.len() + 1;
    values.push(absent.into());
    Source {
        sql: format!(
            "SELECT {shown} FROM UNNEST({types}${number}::bigint[]) AS row ({named}absent)"
        ),
        values,
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

fn inserting<E: EntityTrait>(columns: &[E::Column], source: &str) -> String {
    let names = list(columns.iter(), str::to_owned);
    format!("INSERT INTO {} ({names}) {source}", table::<E>())
}

fn list<'a, C: IdenStatic + 'a>(
    columns: impl Iterator<Item = &'a C>,
    item: impl Fn(&str) -> String,
) -> String {
    let items: Vec<String> = columns.map(|column| item(&name(*column))).collect();
    items.join(", ")
}

/// Quoted: there is one called `key`.
fn name(column: impl IdenStatic) -> String {
    format!("\"{}\"", column.as_str())
}

fn table<E: EntityTrait>() -> String {
    format!("\"{}\"", E::default().table_name())
}

fn is_same(one: impl IdenStatic, other: impl IdenStatic) -> bool {
    one.as_str() == other.as_str()
}

/// Whether a value of this column may be absent: such a definition stays the same when told so.
fn is_optional<E: EntityTrait>(column: E::Column) -> bool {
    let definition = column.def();
    definition == definition.clone().nullable()
}

fn largest_power_of_two(at_most: usize) -> usize {
    1 << at_most.ilog2()
}
