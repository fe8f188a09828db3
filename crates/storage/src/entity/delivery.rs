//! The table of mails, one for each session.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub session_id: Vec<u8>,
    pub message: Vec<u8>,
    pub generation: i64,
    pub state: i16,
    pub due_at: i64,
    pub tries: i64,
    pub lease_token: Option<Vec<u8>>,
    pub lease_until: Option<i64>,
    pub reply_code: Option<i16>,
    pub reply_enhanced: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::session::Entity",
        from = "Column::SessionId",
        to = "super::session::Column::Id"
    )]
    Session,
}

impl Related<super::session::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Session.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
