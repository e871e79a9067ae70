//! Lists: scope, filters, order and pages as one statement.

use complaint_core::complaint::Complaint;
use complaint_core::id::{AgentId, CategoryKey, CustomerId, Level};
use complaint_core::lifecycle::Status;
use complaint_core::store::{Cursor, PAGE_MAX, Page, Query, Reach, Scope, Sort, StoreError, Summary, search_words};
use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::complaints::{complaint, get};
use super::fault;
use crate::codec::{Place, STATE, scores};

/// FTS5 keeps this many bytes of a word; two longer ones with the same beginning look the same to it.
const INDEXED_BYTES: usize = 32_768;

/// A page of complaints.
pub(super) async fn search(pool: &SqlitePool, query: &Query) -> Result<Page, StoreError> {
    let limit = usize::from(query.limit.clamp(1, PAGE_MAX));
    let words = query.text.as_deref().map(needed_words).unwrap_or_default();
    let must_look = words.iter().any(|word| word.len() > INDEXED_BYTES);
    let mut items: Vec<Complaint> = Vec::with_capacity(limit + 1);
    let mut after = query.after;
    // One round, unless words beyond what the index can tell apart leave some out.
    while items.len() <= limit {
        let rows = page(query, &words, after, limit + 1).build().fetch_all(pool).await.map_err(fault::meaning)?;
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
    let mut statement = counts(scope);
    let mut summary = Summary::default();
    for row in statement.build().fetch_all(pool).await.map_err(fault::meaning)? {
        let place = |column| Place { column, ..STATE };
        let status: &str = get(&row, 0, place("status"))?;
        let status: Status = status.parse().map_err(|fault| place("status").corrupt(fault))?;
        let level: u8 = get(&row, 1, place("level"))?;
        let level = Level::new(level).map_err(|fault| place("level").corrupt(fault))?;
        let category: &str = get(&row, 2, place("category"))?;
        let category = CategoryKey::new(category).map_err(|fault| place("category").corrupt(fault))?;
        let missed: bool = get(&row, 3, place("has_missed_deadline"))?;
        let ratings = scores(get(&row, 4, place("ratings"))?, place("ratings"))?;
        let count: i64 = row.try_get(5).map_err(fault::meaning)?;
        let count = count.unsigned_abs();
        *summary.by_status.entry(status).or_default() += count;
        *summary.by_category.entry(category).or_default() += count;
        if status.is_open() {
            *summary.open_by_level.entry(level).or_default() += count;
            summary.open_with_missed_deadline += if missed { count } else { 0 };
        }
        for score in ratings {
            *summary.ratings.entry(score).or_default() += count;
        }
    }
    Ok(summary)
}

/// A part of a scope that one index can answer in order. The arms of one scope never overlap.
enum Arm<'a> {
    All,
    Of(&'a CustomerId),
    /// What the agent holds.
    Held(&'a AgentId),
    /// What waits at a level, and the agent does not hold.
    Queue(&'a AgentId, Level),
    /// What is not above a level, and the agent does not hold.
    UpTo(&'a AgentId, Level),
    /// What is not against the agent.
    NotAgainst(&'a AgentId),
}

/// [`Scope::admits`] as arms.
fn arms(scope: &Scope) -> Vec<Arm<'_>> {
    match scope {
        Scope::All => vec![Arm::All],
        Scope::Customer(id) => vec![Arm::Of(id)],
        Scope::Agent { id, reach: Reach::Own } => vec![Arm::Held(id)],
        Scope::Agent { id, reach: Reach::Queue(level) } => vec![Arm::Held(id), Arm::Queue(id, *level)],
        Scope::Agent { id, reach: Reach::UpTo(level) } => vec![Arm::Held(id), Arm::UpTo(id, *level)],
        Scope::Agent { id, reach: Reach::Everything } => vec![Arm::NotAgainst(id)],
    }
}

impl Arm<'_> {
    fn push(&self, sql: &mut QueryBuilder<Sqlite>) {
        let level = |level: Level| i64::from(u8::from(level));
        match self {
            Self::All => {
                sql.push("1 = 1");
            }
            Self::Of(customer) => {
                sql.push("customer = ").push_bind(customer.as_str().to_owned());
            }
            Self::Held(agent) => {
                sql.push("handler = ").push_bind(agent.as_str().to_owned());
                not_against(sql, agent);
            }
            Self::Queue(agent, at) => {
                // Written out, not bound, because the planner must see that the partial index fits.
                sql.push("status = 'queued' AND level = ").push_bind(level(*at));
                not_held(sql, agent);
                not_against(sql, agent);
            }
            Self::UpTo(agent, at) => {
                sql.push("level <= ").push_bind(level(*at));
                not_held(sql, agent);
                not_against(sql, agent);
            }
            Self::NotAgainst(agent) => {
                sql.push("1 = 1");
                not_against(sql, agent);
            }
        }
    }

    /// Whether a filter by handler leaves nothing of this arm.
    fn is_empty_for(&self, handler: Option<&AgentId>) -> bool {
        match self {
            Self::Held(agent) => handler.is_some_and(|handler| handler != *agent),
            Self::Queue(agent, _) | Self::UpTo(agent, _) => handler == Some(agent),
            Self::All | Self::Of(_) | Self::NotAgainst(_) => false,
        }
    }
}

fn not_held(sql: &mut QueryBuilder<Sqlite>, agent: &AgentId) {
    sql.push(" AND handler IS NOT ").push_bind(agent.as_str().to_owned());
}

fn not_against(sql: &mut QueryBuilder<Sqlite>, agent: &AgentId) {
    sql.push(" AND against IS NOT ").push_bind(agent.as_str().to_owned());
}

/// Each arm in its own order, cut to the page, then merged: no arm reads more than a page.
pub(super) fn page(query: &Query, words: &[String], after: Option<Cursor>, limit: usize) -> QueryBuilder<Sqlite> {
    let (key, order) = match query.sort {
        Sort::Newest => ("-received_at", "received_at DESC, id"),
        Sort::Oldest => ("received_at", "received_at, id"),
        Sort::Deadline => ("promised_at", "promised_at, id"),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut sql = QueryBuilder::new("SELECT s.codec, s.state FROM (");
    let mut pushed = 0;
    for arm in arms(&query.scope) {
        if arm.is_empty_for(query.handler.as_ref()) {
            continue;
        }
        if pushed > 0 {
            sql.push(" UNION ALL ");
        }
        pushed += 1;
        sql.push("SELECT * FROM (SELECT row, ").push(key).push(" AS place, id FROM complaint_state WHERE ");
        arm.push(&mut sql);
        push_filters(&mut sql, query, words);
        if let Some(after) = after {
            push_after(&mut sql, query.sort, after);
        }
        sql.push(" ORDER BY ").push(order).push(" LIMIT ").push_bind(limit).push(")");
    }
    if pushed == 0 {
        sql.push("SELECT row, 0 AS place, id FROM complaint_state WHERE 0");
    }
    sql.push(") AS found CROSS JOIN complaint_state AS s ON s.row = found.row ORDER BY found.place, found.id LIMIT ");
    sql.push_bind(limit);
    sql
}

fn push_filters(sql: &mut QueryBuilder<Sqlite>, query: &Query, words: &[String]) {
    if !query.statuses.is_empty() {
        if query.statuses.iter().all(|status| status.is_open()) {
            sql.push(" AND is_open = 1");
        }
        sql.push(" AND status IN (");
        let mut list = sql.separated(", ");
        for status in &query.statuses {
            list.push_bind(status.name());
        }
        sql.push(")");
    }
    if let Some(category) = &query.category {
        sql.push(" AND category = ").push_bind(category.as_str().to_owned());
    }
    if let Some(handler) = &query.handler {
        sql.push(" AND handler = ").push_bind(handler.as_str().to_owned());
    }
    if let Some(customer) = &query.customer {
        sql.push(" AND customer = ").push_bind(customer.as_str().to_owned());
    }
    if let Some(level) = query.level {
        sql.push(" AND level = ").push_bind(i64::from(u8::from(level)));
    }
    if !words.is_empty() {
        sql.push(" AND row IN (SELECT rowid FROM complaint_search WHERE complaint_search MATCH ");
        sql.push_bind(prefixes(words)).push(")");
    }
}

/// Behind a place in the order. The first condition is a range on the index, the second cuts ties.
fn push_after(sql: &mut QueryBuilder<Sqlite>, sort: Sort, after: Cursor) {
    let (column, reaches, passes, key) = match sort {
        // A key is negated in a newest-first order; the least number has no negative, and nothing was received then.
        Sort::Newest => ("received_at", " <= ", " < ", after.key.checked_neg().unwrap_or(i64::MAX)),
        Sort::Oldest => ("received_at", " >= ", " > ", after.key),
        Sort::Deadline => ("promised_at", " >= ", " > ", after.key),
    };
    sql.push(" AND ").push(column).push(reaches).push_bind(key);
    sql.push(" AND (").push(column).push(passes).push_bind(key);
    sql.push(" OR id > ").push_bind(after.id.as_uuid()).push(")");
}

fn counts(scope: &Scope) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new(
        "SELECT status, level, category, has_missed_deadline, ratings, count(*) FROM complaint_state WHERE ",
    );
    for (at, arm) in arms(scope).iter().enumerate() {
        sql.push(if at == 0 { "(" } else { ") OR (" });
        arm.push(&mut sql);
    }
    sql.push(") GROUP BY status, level, category, has_missed_deadline, ratings");
    sql
}

/// The words a text asks for, without those that another one's finding implies.
fn needed_words(text: &str) -> Vec<String> {
    let mut words = search_words(text);
    words.sort_unstable();
    words.dedup();
    let all = words.clone();
    // In sorted order a word is followed by the first of those that begin with it.
    let implied = |at: usize| all.get(at + 1).is_some_and(|longer| longer.starts_with(&all[at]));
    words.into_iter().enumerate().filter(|(at, _)| !implied(*at)).map(|(_, word)| word).collect()
}

/// Words as an FTS5 expression: each quoted, because an unquoted one could be an operator; each the beginning of a word.
fn prefixes(words: &[String]) -> String {
    words.iter().map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" ")
}

fn cursor(sort: Sort, complaint: &Complaint) -> Cursor {
    Cursor { sort, key: sort.key(complaint), id: complaint.id }
}
