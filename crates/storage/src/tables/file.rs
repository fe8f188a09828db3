//! The tables of a file: one prepared statement for each row, without a thread between.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use otpost_ports::{Claim, StoreError};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Row, Transaction, params_from_iter};
use sea_orm::sea_query::ArrayType;
use sea_orm::{
    ActiveModelTrait, DbBackend, DbErr, Iterable, ModelTrait, QueryTrait, TryIntoModel, Value,
};

use super::{Changed, Changes, Keyed, Tables, list, name, table};
use crate::convert::Table;
use crate::entity::delivery;
use crate::error::{TooSlow, unavailable};
use crate::outbox::due_mails;

/// The tables within a transaction that holds the write lock. Nothing here waits for anything but the
/// disk.
pub(crate) struct FileTables<'a>(pub(crate) &'a Transaction<'a>);

impl Tables for FileTables<'_> {
    async fn read<E: Keyed>(&self, keys: &BTreeSet<Vec<u8>>) -> Result<Vec<E::Model>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<E::Column> = E::Column::iter().collect();
        let (names, table, key) = (list(&columns, str::to_owned), table::<E>(), name(E::KEY));
        let mut select = self.prepare(&format!("SELECT {names} FROM {table} WHERE {key} = ?"))?;
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let mut found = select.query([key]).map_err(unavailable)?;
            if let Some(row) = found.next().map_err(unavailable)? {
                rows.push(model::<E>(row, &columns)?);
            }
        }
        Ok(rows)
    }

    async fn lock<E: Keyed>(&self, keys: &BTreeSet<Vec<u8>>) -> Result<Vec<E::Model>, StoreError> {
        self.read::<E>(keys).await
    }

    fn may_wait(&self) -> bool {
        false
    }

    async fn write(&self, changes: &Changes) -> Result<(), StoreError> {
        self.write_table(&changes.sessions)?;
        self.write_table(&changes.mails)?;
        self.write_table(&changes.answers)?;
        self.write_table(&changes.counters)
    }

    async fn due_mails(&self, claim: &Claim) -> Result<Vec<delivery::Model>, StoreError> {
        let due = due_mails(claim.now, claim.limit).build(DbBackend::Sqlite);
        let values = due.values.into_iter().flatten().map(Bound);
        let columns: Vec<delivery::Column> = delivery::Column::iter().collect();
        let mut select = self.prepare(&due.sql)?;
        let mut found = select
            .query(params_from_iter(values))
            .map_err(unavailable)?;
        let mut mails = Vec::new();
        while let Some(row) = found.next().map_err(unavailable)? {
            mails.push(model::<delivery::Entity>(row, &columns)?);
        }
        Ok(mails)
    }
}

impl FileTables<'_> {
    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        self.0.prepare_cached(sql).map_err(unavailable)
    }

    fn write_table<E: Keyed>(&self, rows: &Changed<E>) -> Result<(), StoreError> {
        let (table, key) = (table::<E>(), name(E::KEY));
        let mut columns = E::changing();
        let changes = list(&columns, |column| format!("{column} = ?"));
        columns.push(E::KEY);
        let update = format!("UPDATE {table} SET {changes} WHERE {key} = ?");
        self.carry_out::<E>(&update, &rows.old, &columns)?;

        let columns: Vec<E::Column> = E::Column::iter().collect();
        let names = list(&columns, str::to_owned);
        let places = list(&columns, |_| "?".to_owned());
        let insert = format!("INSERT INTO {table} ({names}) VALUES ({places})");
        self.carry_out::<E>(&insert, &rows.new, &columns)
    }

    /// Carries out `sql` with these columns of each row, and makes sure that each was written.
    fn carry_out<E: Keyed>(
        &self,
        sql: &str,
        rows: &[E::Model],
        columns: &[E::Column],
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut statement = self.prepare(sql)?;
        for row in rows {
            let values = columns.iter().map(|column| Bound(row.get(*column)));
            let written = statement.execute(params_from_iter(values));
            if written.map_err(unavailable)? != 1 {
                return Err(unavailable(DbErr::RecordNotUpdated));
            }
        }
        Ok(())
    }
}

/// What becomes of work that waits for nothing but the disk.
pub(crate) fn at_once<T>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(unavailable(TooSlow)),
    }
}

/// A value as a parameter.
pub(crate) struct Bound(pub(crate) Value);

impl ToSql for Bound {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match &self.0 {
            Value::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Value::String(Some(text)) => ValueRef::Text(text.as_bytes()),
            Value::SmallInt(Some(number)) => ValueRef::Integer((*number).into()),
            Value::Int(Some(number)) => ValueRef::Integer((*number).into()),
            Value::Unsigned(Some(number)) => ValueRef::Integer((*number).into()),
            Value::BigInt(Some(number)) => ValueRef::Integer(*number),
            // Only limits are without a sign.
            Value::BigUnsigned(Some(number)) => {
                ValueRef::Integer(i64::try_from(*number).unwrap_or(i64::MAX))
            }
            Value::Bool(Some(is_so)) => ValueRef::Integer((*is_so).into()),
            Value::Bytes(None)
            | Value::String(None)
            | Value::SmallInt(None)
            | Value::BigInt(None)
            | Value::Bool(None) => ValueRef::Null,
            other => {
                let what = format!("no parameter is a {:?}", other.array_type());
                return Err(rusqlite::Error::ToSqlConversionFailure(what.into()));
            }
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// The row of an entity that `row` is.
fn model<E: Keyed>(row: &Row<'_>, columns: &[E::Column]) -> Result<E::Model, StoreError> {
    let mut model = <E::ActiveModel as ActiveModelTrait>::default();
    for (place, column) in columns.iter().enumerate() {
        let value = row.get_ref(place).map_err(unavailable)?;
        let value = read(<E::Model as ModelTrait>::get_value_type(*column), value);
        let value = value.ok_or_else(|| other_type(E::TABLE))?;
        model
            .try_set(*column, value)
            .map_err(|_| other_type(E::TABLE))?;
    }
    model.try_into_model().map_err(|_| other_type(E::TABLE))
}

pub(crate) fn other_type(table: Table) -> StoreError {
    table.corrupt("a column holds another type")
}

/// A value of this type; `None` where it is of another one.
fn read(kind: ArrayType, value: ValueRef<'_>) -> Option<Value> {
    Some(match (kind, value) {
        (ArrayType::Bytes, ValueRef::Null) => Value::Bytes(None),
        (ArrayType::Bytes, ValueRef::Blob(bytes)) => bytes.to_vec().into(),
        (ArrayType::String, ValueRef::Null) => Value::String(None),
        (ArrayType::String, ValueRef::Text(text)) => std::str::from_utf8(text).ok()?.into(),
        (ArrayType::SmallInt, ValueRef::Null) => Value::SmallInt(None),
        (ArrayType::SmallInt, ValueRef::Integer(number)) => i16::try_from(number).ok()?.into(),
        (ArrayType::BigInt, ValueRef::Null) => Value::BigInt(None),
        (ArrayType::BigInt, ValueRef::Integer(number)) => number.into(),
        (ArrayType::Bool, ValueRef::Null) => Value::Bool(None),
        (ArrayType::Bool, ValueRef::Integer(number)) => (number != 0).into(),
        _ => return None,
    })
}
