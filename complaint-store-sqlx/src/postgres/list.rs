//! Lists, and how PostgreSQL is asked for them.

use complaint_core::store::StoreError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};

use super::PostgresStore;
use super::statements::within;
use crate::list::{Answers, Dialect, Statement, Value, Walking};

/// A lexeme has at most 2046 bytes.
pub(super) const INDEXED_BYTES: usize = 2_046;

pub(super) fn dialect(schema: &str) -> Dialect {
    Dialect {
        states: within(schema, "complaint_state"),
        countable: within(schema, "complaint_countable"),
        counted_handler: "handler COLLATE \"default\"",
        counted: within(schema, "complaint_counted"),
        row: "id",
        join: "JOIN",
        among: ("id = ANY (ARRAY(", "))"),
        is_open: "is_open",
        is_not_open: "NOT is_open",
        has_missed: "has_missed_deadline",
        // An array is made before anything is looked up in it.
        found_by: (
            within(schema, "id = ANY (ARRAY(SELECT complaint FROM complaint_search WHERE words @@ "),
            "::tsquery))",
        ),
        walking: Walking {
            // Of what is rare the planner believes that it will soon have come by enough of it, and reads everything.
            count: (
                within(
                    schema,
                    "SELECT count(*) FROM (WITH found AS MATERIALIZED (SELECT complaint FROM complaint_search WHERE words @@ ",
                ),
                "::tsquery) SELECT FROM found LIMIT ",
            ),
            // The index on words has all that match at hand before the first of them is counted. Hence a look at the newest
            // complaints.
            sample: (
                within(
                    schema,
                    "SELECT count(*) FROM (SELECT words FROM complaint_search WHERE complaint = ANY (ARRAY(SELECT id \
                     FROM complaint_state ORDER BY received_at DESC, id LIMIT 64)) OFFSET 0) AS theirs WHERE words @@ ",
                ),
                "::tsquery",
            ),
            common: 4,
            // The planner guesses, for it has no figures on the beginnings of words, and guesses wrong by thousands: it is to
            // begin with what was seen, which OFFSET tells it.
            found_by: (
                within(
                    schema,
                    "here IN (SELECT complaint FROM (SELECT complaint, words FROM complaint_search \
                     WHERE complaint = ANY (ARRAY(SELECT here FROM seen)) OFFSET 0) AS theirs WHERE words @@ ",
                ),
                "::tsquery)",
            ),
        },
        expression,
        indexed_bytes: INDEXED_BYTES,
    }
}

/// The beginning of a word that the index keeps.
pub(super) fn indexed(word: &str) -> &str {
    &word[..word.floor_char_boundary(INDEXED_BYTES)]
}

impl Answers for PostgresStore {
    type Row = PgRow;

    fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<PgRow>, StoreError> {
        self.read(bound(statement)).await
    }
}

/// A statement with its values.
pub(super) fn bound(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    let mut query = sqlx::query(AssertSqlSafe(statement.sql));
    for value in statement.values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Id(id) => query.bind(id),
        };
    }
    query
}

/// Words as a tsquery: each quoted, because an unquoted one could be an operator.
fn expression(words: &[String], mark: &str, whole: bool) -> String {
    let star = if whole { "" } else { ":*" };
    let quoted = |word: &String| format!("'{}'{star}", indexed(&format!("{mark}{word}")));
    words.iter().map(quoted).collect::<Vec<_>>().join(" & ")
}
