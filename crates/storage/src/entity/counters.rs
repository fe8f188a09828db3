//! The table of what is counted, one row for each subject.

use std::fmt;

use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "counters")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: Vec<u8>,
    pub paid_1: i64,
    pub paid_2: i64,
    pub paid_3: i64,
    pub failures: i64,
    pub used_at: i64,
    pub failing_since: Option<i64>,
}

/// Shows nothing: the row tells how often a person was written to.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counters::Model(..)")
    }
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
