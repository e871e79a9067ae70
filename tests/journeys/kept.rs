//! The outbox as it is kept, on either engine: read and moved beside whoever works on it.

use std::path::Path;

use sqlx::{Connection as _, PgConnection, SqliteConnection};

/// Where an outbox is kept.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// The address of a data file.
    Sqlite(String),
    /// An address that names a schema.
    Postgres(String),
}

/// A row, as an operator sees it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// Whoever it is for: the id, and whether it is a customer.
    pub(crate) recipient: String,
    pub(crate) is_customers: bool,
    pub(crate) state: String,
    pub(crate) attempts: i64,
    pub(crate) error: Option<String>,
    /// Microseconds: when it may be tried.
    pub(crate) available_at: i64,
}

type Columns = (String, String, String, String, i64, Option<String>, i64);

const ON_SQLITE: &str =
    "SELECT notice ->> '$.id', notice ->> '$.recipient.id', notice ->> '$.recipient.role', state, attempts, last_error, available_at
    FROM complaint_outbox WHERE notice ->> '$.recipient.role' IN ('customer', 'agent')";
const ON_POSTGRES: &str =
    "SELECT notice::json ->> 'id', notice::json #>> '{recipient,id}', notice::json #>> '{recipient,role}', state, attempts, last_error,
    available_at FROM complaint_outbox WHERE notice::json #>> '{recipient,role}' IN ('customer', 'agent')";
const FREE: &str = "UPDATE complaint_outbox SET available_at = 0 WHERE state = 'waiting'";

impl Kept {
    pub(crate) fn in_file(file: &Path) -> Self {
        Self::Sqlite(format!("sqlite:{}", file.display()))
    }

    /// What is for customers and agents, waiting or not.
    pub(crate) async fn rows(&self) -> Vec<Row> {
        let rows: Vec<Columns> = match self {
            Self::Sqlite(file) => sqlx::query_as(ON_SQLITE).fetch_all(&mut beside_sqlite(file).await).await,
            Self::Postgres(url) => sqlx::query_as(ON_POSTGRES).fetch_all(&mut beside_postgres(url).await).await,
        }
        .expect("rows");
        rows.into_iter()
            .map(|(id, recipient, role, state, attempts, error, available_at)| Row {
                id,
                recipient,
                is_customers: role == "customer",
                state,
                attempts,
                error,
                available_at,
            })
            .collect()
    }

    /// As if the time had come at which what was held or put off may be tried again.
    pub(crate) async fn free_all(&self) {
        match self {
            Self::Sqlite(file) => sqlx::query(FREE).execute(&mut beside_sqlite(file).await).await.map(drop),
            Self::Postgres(url) => sqlx::query(FREE).execute(&mut beside_postgres(url).await).await.map(drop),
        }
        .expect("freed");
    }
}

async fn beside_sqlite(file: &str) -> SqliteConnection {
    SqliteConnection::connect(file).await.expect("the data file opens beside the server")
}

async fn beside_postgres(url: &str) -> PgConnection {
    let (_, schema) = url.rsplit_once("schema=").expect("a schema of its own");
    let mut connection = PgConnection::connect(url).await.expect("the database answers");
    let path = sqlx::query("SELECT set_config('search_path', $1, FALSE)").bind(schema);
    path.execute(&mut connection).await.expect("set");
    connection
}
