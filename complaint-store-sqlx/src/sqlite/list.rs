//! Lists, and how `SQLite` is asked for them.

use std::sync::LazyLock;

use complaint_core::store::StoreError;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::fault;
use crate::list::{Answers, Dialect, Statement, Value, Walking};

pub(super) static DIALECT: LazyLock<Dialect> = LazyLock::new(|| Dialect {
    states: "complaint_state".into(),
    countable: "complaint_countable".into(),
    counted_handler: "handler",
    counted: "complaint_counts".into(),
    row: "row",
    // Keeps the order of the tables: the page first.
    join: "CROSS JOIN",
    among: ("row IN (", ")"),
    is_open: "is_open = 1",
    is_not_open: "is_open = 0",
    has_missed: "has_missed_deadline = 1",
    found_by: ("row IN (SELECT rowid FROM complaint_search WHERE complaint_search MATCH ".into(), ")"),
    walking: Walking {
        count: ("SELECT count(*) FROM (SELECT 1 FROM complaint_search WHERE complaint_search MATCH ".into(), " LIMIT "),
        sample: (
            "SELECT count(*) FROM (SELECT 1 FROM complaint_search WHERE complaint_search MATCH ".into(),
            if cfg!(test) { " LIMIT 4) AS found" } else { " LIMIT 256) AS found" },
        ),
        common: if cfg!(test) { 4 } else { 256 },
        // The index is gone through once from the first of them to the last; to look each up costs a hundred times as much.
        found_by: (
            "here IN (SELECT rowid FROM complaint_search WHERE rowid BETWEEN (SELECT min(here) FROM seen) \
             AND (SELECT max(here) FROM seen) AND complaint_search MATCH "
                .into(),
            ")",
        ),
    },
    expression,
    indexed_bytes: 32_768,
});

impl Answers for SqlitePool {
    type Row = SqliteRow;

    fn dialect(&self) -> &Dialect {
        &DIALECT
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<SqliteRow>, StoreError> {
        let mut query = sqlx::query(AssertSqlSafe(statement.sql));
        for value in statement.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
                Value::Id(id) => query.bind(id),
            };
        }
        query.fetch_all(self).await.map_err(fault::meaning)
    }
}

/// Words as an FTS5 expression: each quoted, because an unquoted one could be an operator.
fn expression(words: &[String], mark: &str, whole: bool) -> String {
    let star = if whole { "" } else { "*" };
    words.iter().map(|word| format!("\"{mark}{word}\"{star}")).collect::<Vec<_>>().join(" ")
}
