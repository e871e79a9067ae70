//! Agents and what they hold.

use async_trait::async_trait;
use complaint_core::agent::{Agent, Member};
use complaint_core::id::AgentId;
use complaint_core::store::{AgentStore, StoreError};

use super::PostgresStore;
use super::complaints::lock_key;
use crate::codec::{CODEC, encode};
use crate::read::member;

#[async_trait]
impl AgentStore for PostgresStore {
    async fn save(&self, agent: &Agent) -> Result<(), StoreError> {
        let (id, document) = (agent.id.as_str(), encode(agent)?);
        let lock = lock_key(&self.schema, "agent", id);
        let query = sqlx::query(self.sql.save_agent.clone()).bind(lock).bind(id).bind(CODEC).bind(document);
        self.write(query).await.map(drop)
    }

    async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError> {
        let rows = self.read(sqlx::query(self.sql.find_agent.clone()).bind(id.as_str())).await?;
        rows.first().map(member).transpose()
    }

    async fn roster(&self) -> Result<Vec<Member>, StoreError> {
        self.read(sqlx::query(self.sql.roster.clone())).await?.iter().map(member).collect()
    }
}
