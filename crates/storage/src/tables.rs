//! The tables that commands read and write, many rows at a time, within a transaction: of a file, or
//! of a server.

pub(crate) mod file;
mod server;

use std::collections::BTreeSet;

use otpost_ports::{Claim, StoreError};
use sea_orm::{EntityTrait, IdenStatic, Iterable, TryIntoModel};

use crate::convert::counters::COUNTERS;
use crate::convert::delivery::DELIVERIES;
use crate::convert::kept_answer::KEPT_ANSWERS;
use crate::convert::session::SESSIONS;
use crate::convert::{self, Table};
use crate::entity::{counters, delivery, kept_answer, session};

/// The tables as a transaction sees them.
pub(crate) trait Tables {
    /// The rows with these keys, in their order; those that are not there are left out.
    async fn read<E: Keyed>(&self, keys: &BTreeSet<Vec<u8>>) -> Result<Vec<E::Model>, StoreError>;

    /// As [`Tables::read`], and locked until the end of the transaction where rows are locked one by
    /// one.
    async fn lock<E: Keyed>(&self, keys: &BTreeSet<Vec<u8>>) -> Result<Vec<E::Model>, StoreError>;

    /// Whether others may commit while a statement of this transaction waits for a lock.
    fn may_wait(&self) -> bool;

    /// Writes these rows. Where another transaction was the first to insert one of those that are new,
    /// this one is undone, and may be tried again.
    async fn write(&self, changes: &Changes) -> Result<(), StoreError>;

    /// The mails to hand out, locked, without those that another node is just taking.
    async fn due_mails(&self, claim: &Claim) -> Result<Vec<delivery::Model>, StoreError>;
}

/// All that a batch writes.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) sessions: Changed<session::Entity>,
    pub(crate) mails: Changed<delivery::Entity>,
    pub(crate) answers: Changed<kept_answer::Entity>,
    pub(crate) counters: Changed<counters::Entity>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.mails.is_empty()
            && self.answers.is_empty()
            && self.counters.is_empty()
    }
}

/// The rows of a table that are written, in the order of their keys.
pub(crate) struct Changed<E: Keyed> {
    /// Those that are there, and locked: what may change of them is written.
    pub(crate) old: Vec<E::Model>,
    /// Those that are inserted.
    pub(crate) new: Vec<E::Model>,
}

impl<E: Keyed> Changed<E> {
    fn is_empty(&self) -> bool {
        self.old.is_empty() && self.new.is_empty()
    }
}

impl<E: Keyed> Default for Changed<E> {
    fn default() -> Self {
        Self {
            old: Vec::new(),
            new: Vec::new(),
        }
    }
}

/// A table with one key, which is bytes.
pub(crate) trait Keyed: EntityTrait<ActiveModel: TryIntoModel<Self::Model>> {
    /// What errors call it.
    const TABLE: Table;
    /// The column of the key.
    const KEY: Self::Column;
    /// Whether two may insert the same row at the same time: keys of the others are drawn by lot.
    const IS_SHARED: bool;

    /// The key of a row.
    fn key(row: &Self::Model) -> &Vec<u8>;

    /// What may change of a row.
    fn changing() -> Vec<Self::Column> {
        let columns = Self::Column::iter();
        columns.filter(|column| !is_key::<Self>(*column)).collect()
    }
}

impl Keyed for session::Entity {
    const TABLE: Table = SESSIONS;
    const KEY: session::Column = session::Column::Id;
    const IS_SHARED: bool = false;

    fn key(row: &session::Model) -> &Vec<u8> {
        &row.id
    }

    fn changing() -> Vec<session::Column> {
        convert::session::CHANGING.to_vec()
    }
}

impl Keyed for delivery::Entity {
    const TABLE: Table = DELIVERIES;
    const KEY: delivery::Column = delivery::Column::SessionId;
    const IS_SHARED: bool = false;

    fn key(row: &delivery::Model) -> &Vec<u8> {
        &row.session_id
    }
}

impl Keyed for kept_answer::Entity {
    const TABLE: Table = KEPT_ANSWERS;
    const KEY: kept_answer::Column = kept_answer::Column::Key;
    const IS_SHARED: bool = true;

    fn key(row: &kept_answer::Model) -> &Vec<u8> {
        &row.key
    }
}

impl Keyed for counters::Entity {
    const TABLE: Table = COUNTERS;
    const KEY: counters::Column = counters::Column::Subject;
    const IS_SHARED: bool = true;

    fn key(row: &counters::Model) -> &Vec<u8> {
        &row.subject
    }
}

fn is_key<E: Keyed>(column: E::Column) -> bool {
    column.as_str() == E::KEY.as_str()
}

/// The name of a column, quoted: there is one called `key`.
fn name(column: impl IdenStatic) -> String {
    format!("\"{}\"", column.as_str())
}

fn table<E: EntityTrait>() -> String {
    format!("\"{}\"", E::default().table_name())
}

/// What `item` says of each of these columns, with commas between.
fn list<C: IdenStatic>(columns: &[C], item: impl Fn(&str) -> String) -> String {
    let items: Vec<String> = columns.iter().map(|column| item(&name(*column))).collect();
    items.join(", ")
}
