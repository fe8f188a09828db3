//! The table of sessions.

use std::fmt;

use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    pub project: String,
    pub mode: i16,
    pub address: Vec<u8>,
    pub recipient: Vec<u8>,
    pub template: String,
    pub language: String,
    pub variables: Option<Vec<u8>>,
    pub is_exempt: bool,
    pub lifetime_secs: i64,
    pub code_length: i16,
    pub attempts_max: i16,
    pub resends_max: i16,
    pub cooldown_secs: i64,
    pub code_lifetime_max_secs: i64,
    pub resend_policy: i16,
    pub opened_at: i64,
    pub hard_end: i64,
    pub expires_at: i64,
    pub attempts: i16,
    pub state: i16,
    pub closed_at: Option<i64>,
    pub generation: Option<i64>,
    pub resends: Option<i16>,
    pub code_issued_at: Option<i64>,
    pub mailed_at: Option<i64>,
    pub secret_kid: Option<i64>,
    pub secret_nonce: Option<Vec<u8>>,
}

/// Shows nothing: the row holds what codes are derived from.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("session::Model(..)")
    }
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_one = "super::delivery::Entity")]
    Delivery,
}

impl Related<super::delivery::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Delivery.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
