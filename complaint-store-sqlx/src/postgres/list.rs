//! Lists, and how PostgreSQL is asked for them.

use complaint_core::complaint::Complaint;
use complaint_core::store::{PAGE_MAX, Page, Query, Scope, StoreError, Summary};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::complaints::{complaint, get};
use super::statements::within;
use crate::codec::{Place, STATE};
use crate::list::{Counted, Dialect, Statement, Value, counts, cursor, needed_words, page};

/// A lexeme has at most 2046 bytes.
pub(super) const INDEXED_BYTES: usize = 2_046;

pub(super) fn dialect(schema: &str) -> Dialect {
    Dialect {
        states: within(schema, "complaint_state"),
        row: "id",
        join: "JOIN",
        is_open: "is_open",
        found_by: (within(schema, "id IN (SELECT complaint FROM complaint_search WHERE words @@ "), "::tsquery)"),
        expression: prefixes,
        indexed_bytes: INDEXED_BYTES,
    }
}

/// The beginning of a word that the index keeps.
pub(super) fn indexed(word: &str) -> &str {
    &word[..word.floor_char_boundary(INDEXED_BYTES)]
}

/// A page of complaints.
pub(super) async fn search(store: &PostgresStore, query: &Query) -> Result<Page, StoreError> {
    let limit = usize::from(query.limit.clamp(1, PAGE_MAX));
    let words = query.text.as_deref().map(needed_words).unwrap_or_default();
    let must_look = words.iter().any(|word| word.len() > INDEXED_BYTES);
    let mut items: Vec<Complaint> = Vec::with_capacity(limit + 1);
    let mut after = query.after;
    // One round, unless words beyond what the index can tell apart leave some out.
    while items.len() <= limit {
        let rows = fetch(store, page(&store.dialect, query, &words, after, limit + 1)).await?;
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
pub(super) async fn summary(store: &PostgresStore, scope: &Scope) -> Result<Summary, StoreError> {
    let place = |column| Place { column, ..STATE };
    let mut summary = Summary::default();
    for row in &fetch(store, counts(&store.dialect, scope)).await? {
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

async fn fetch(store: &PostgresStore, statement: Statement) -> Result<Vec<PgRow>, StoreError> {
    let mut query = sqlx::query(AssertSqlSafe(statement.sql));
    for value in statement.values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Id(id) => query.bind(id),
        };
    }
    store.read(query).await
}

/// Words as a tsquery: each quoted, because an unquoted one could be an operator; each the beginning of a word.
fn prefixes(words: &[String]) -> String {
    words.iter().map(|word| format!("'{}':*", indexed(word))).collect::<Vec<_>>().join(" & ")
}
