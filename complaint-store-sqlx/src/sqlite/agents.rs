//! Agents and what they hold.

use async_trait::async_trait;
use complaint_core::agent::{Agent, Member};
use complaint_core::id::AgentId;
use complaint_core::store::{AgentStore, StoreError};

use super::{SqliteStore, fault, statements as sql};
use crate::codec::{CODEC, encode};
use crate::read::member;

#[async_trait]
impl AgentStore for SqliteStore {
    async fn save(&self, agent: &Agent) -> Result<(), StoreError> {
        let document = encode(agent)?;
        self.write(sqlx::query(sql::SAVE_AGENT).bind(agent.id.as_str().to_owned()).bind(CODEC).bind(document)).await
    }

    async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError> {
        let row = sqlx::query(sql::FIND_AGENT).bind(id.as_str().to_owned()).fetch_optional(self.reading().await?).await;
        row.map_err(fault::meaning)?.as_ref().map(member).transpose()
    }

    async fn roster(&self) -> Result<Vec<Member>, StoreError> {
        let rows = sqlx::query(sql::ROSTER).fetch_all(self.reading().await?).await;
        rows.map_err(fault::meaning)?.iter().map(member).collect()
    }
}
