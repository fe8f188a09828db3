//! The table of answers that are kept to be said again.

use std::fmt;

use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "kept_answers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    pub request: Vec<u8>,
    pub session_id: Vec<u8>,
    pub answer: Vec<u8>,
    pub until_at: i64,
    pub conflicts: i16,
}

/// Shows nothing: the row holds what was said about a person.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kept_answer::Model(..)")
    }
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
