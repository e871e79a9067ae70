//! Agents and what they hold.

use async_trait::async_trait;
use complaint_core::agent::{Agent, Member};
use complaint_core::id::AgentId;
use complaint_core::store::{AgentStore, StoreError};
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::complaints::get;
use crate::codec::{CODEC, Place, decode, encode, instant};

#[async_trait]
impl AgentStore for PostgresStore {
    async fn save(&self, agent: &Agent) -> Result<(), StoreError> {
        let document = encode(agent)?;
        let query = sqlx::query(self.sql.save_agent.clone()).bind(agent.id.as_str()).bind(CODEC).bind(document);
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

fn member(row: &PgRow) -> Result<Member, StoreError> {
    let place = |column| Place { table: "complaint_agents", column };
    let workload: i64 = get(row, 0, place("workload"))?;
    let last_assigned_at: Option<i64> = get(row, 1, place("last_assigned_at"))?;
    Ok(Member {
        agent: decode(get(row, 2, place("codec"))?, get(row, 3, place("agent"))?, place("agent"))?,
        workload: u32::try_from(workload).map_err(|fault| place("workload").corrupt(fault))?,
        last_assigned_at: last_assigned_at.map(|at| instant(at, place("last_assigned_at"))).transpose()?,
    })
}
