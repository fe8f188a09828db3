//! The port of the sessions: commands go into the line for a commit, and reads go past it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, Command, Ledger, Opening, Owner, Purged, SessionStore, StoreError,
    StoredSession, Subject,
};

use crate::batch::Job;
use crate::storage::{in_the_background, in_time};
use crate::{Storage, counters, purge, rows};

#[async_trait]
impl SessionStore for Storage {
    async fn open(&self, opening: Opening) -> Result<Admitted, StoreError> {
        let opening = Box::new(opening);
        self.line.carry_out(|reply| Job::Open(opening, reply)).await
    }

    async fn apply(&self, id: &SessionId, command: Command) -> Result<Applied, StoreError> {
        let command = Box::new(command);
        self.line
            .carry_out(|reply| Job::Apply(*id, command, reply))
            .await
    }

    async fn ledger(&self, subjects: &BTreeSet<Subject>) -> Result<Ledger, StoreError> {
        in_time(|| async { counters::load(&self.reading().await?, subjects).await }).await
    }

    async fn find(
        &self,
        owner: &Owner,
        id: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError> {
        in_time(|| async {
            let rows = rows::load(&self.reading().await?, owner, id).await?;
            rows.map(rows::Rows::read).transpose()
        })
        .await
    }

    async fn purge(&self, now: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        in_the_background(purge::purge(self, now, limit)).await
    }
}
