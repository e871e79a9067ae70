//! Lists, and how `SQLite` is asked for them.

use std::sync::LazyLock;

use complaint_core::complaint::Complaint;
use complaint_core::store::{PAGE_MAX, Page, Query, Scope, StoreError, Summary};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::complaints::{complaint, get};
use super::fault;
use crate::codec::{Place, STATE};
use crate::list::{Counted, Dialect, Statement, Value, counts, cursor, needed_words, page};

pub(super) static DIALECT: LazyLock<Dialect> = LazyLock::new(|| Dialect {
    states: "complaint_state".into(),
    row: "row",
    // Keeps the order of the tables: the page first.
    join: "CROSS JOIN",
    is_open: "is_open = 1",
    found_by: ("row IN (SELECT rowid FROM complaint_search WHERE complaint_search MATCH ".into(), ")"),
    expression: prefixes,
    indexed_bytes: 32_768,
});

/// A page of complaints.
pub(super) async fn search(pool: &SqlitePool, query: &Query) -> Result<Page, StoreError> {
    let limit = usize::from(query.limit.clamp(1, PAGE_MAX));
    let words = query.text.as_deref().map(needed_words).unwrap_or_default();
    let must_look = words.iter().any(|word| word.len() > DIALECT.indexed_bytes);
    let mut items: Vec<Complaint> = Vec::with_capacity(limit + 1);
    let mut after = query.after;
    // One round, unless words beyond what the index can tell apart leave some out.
    while items.len() <= limit {
        let rows = fetch(pool, page(&DIALECT, query, &words, after, limit + 1)).await?;
        for row in &rows {
            let found = complaint(row)?;
            after = Some(cursor(query.sort, &found));
            if !must_look || query.matches(&found) {
                items.push(found);
            }
        }
        if rows.len() <= limit {
            break;
        }
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| cursor(query.sort, last));
    Ok(Page { items, next })
}

/// Counts over the complaints of a scope.
pub(super) async fn summary(pool: &SqlitePool, scope: &Scope) -> Result<Summary, StoreError> {
    let place = |column| Place { column, ..STATE };
    let mut summary = Summary::default();
    for row in &fetch(pool, counts(&DIALECT, scope)).await? {
        let counted = Counted {
            status: get(row, 0, place("status"))?,
            level: get(row, 1, place("level"))?,
            category: get(row, 2, place("category"))?,
            missed: get(row, 3, place("has_missed_deadline"))?,
            ratings: get(row, 4, place("ratings"))?,
            count: get(row, 5, STATE)?,
        };
        counted.add_to(&mut summary)?;
    }
    Ok(summary)
}

async fn fetch(pool: &SqlitePool, statement: Statement) -> Result<Vec<SqliteRow>, StoreError> {
    let mut query = sqlx::query(AssertSqlSafe(statement.sql));
    for value in statement.values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Id(id) => query.bind(id),
        };
    }
    query.fetch_all(pool).await.map_err(fault::meaning)
}

/// Words as an FTS5 expression: each quoted, because an unquoted one could be an operator; each the beginning of a word.
fn prefixes(words: &[String]) -> String {
    words.iter().map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" ")
}
