//! Agents and what they hold.

use async_trait::async_trait;
use complaint_core::agent::{Agent, Member};
use complaint_core::id::AgentId;
use complaint_core::store::{AgentStore, StoreError};
use sqlx::sqlite::SqliteRow;

use super::complaints::get;
use super::{SqliteStore, fault, statements as sql};
use crate::codec::{CODEC, Place, decode, encode, instant};

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

fn member(row: &SqliteRow) -> Result<Member, StoreError> {
    let place = |column| Place { table: "complaint_agents", column };
    let workload: i64 = get(row, 0, place("workload"))?;
    let last_assigned_at: Option<i64> = get(row, 1, place("last_assigned_at"))?;
    Ok(Member {
        agent: decode(get(row, 2, place("codec"))?, get(row, 3, place("agent"))?, place("agent"))?,
        workload: u32::try_from(workload).map_err(|fault| place("workload").corrupt(fault))?,
        last_assigned_at: last_assigned_at.map(|at| instant(at, place("last_assigned_at"))).transpose()?,
    })
}
