//! Lists: scope, filters, order and pages as one statement. Engines differ in a few words of it.

#[cfg(test)]
pub(crate) mod trials;

use std::fmt::Write as _;

use complaint_core::complaint::Complaint;
use complaint_core::id::{AgentId, CustomerId, Level};
use complaint_core::store::{Cursor, PAGE_MAX, Page, Query, RANKS, Reach, Scope, Sort, StoreError, search_words};
use uuid::Uuid;

use crate::codec::{HEADING, Place};
use crate::read::{StoredRow, complaint, get};

/// The most handlers whose complaints are merged instead of sorted.
const APART: usize = 16;

/// In which words an engine is told.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The table of states.
    pub(crate) states: String,
    /// What a state counts as.
    pub(crate) countable: String,
    /// The counts that are kept.
    pub(crate) counted: String,
    /// The column by which a state is fetched once its page is known.
    pub(crate) row: &'static str,
    /// Joins the pages to the states without reading more of these.
    pub(crate) join: &'static str,
    /// As the partial indexes have it, because the planner must see that one fits.
    pub(crate) is_open: &'static str,
    /// Likewise.
    pub(crate) is_not_open: &'static str,
    /// Likewise.
    pub(crate) has_missed: &'static str,
    /// Before and behind the words in a condition on those of a complaint.
    pub(crate) found_by: (String, &'static str),
    /// When so much matches that it is better to walk along the order and look at each.
    pub(crate) walking: Walking,
    /// The words that are looked for, as the engine's full-text search wants them: behind what each is marked by, and
    /// whole or the beginnings of words.
    pub(crate) expression: fn(&[String], &str, bool) -> String,
    /// The engine keeps this many bytes of a word; two longer ones with the same beginning look the same to it.
    pub(crate) indexed_bytes: usize,
}

/// How an engine is told to walk.
#[derive(Debug)]
pub(crate) struct Walking {
    /// Before and behind the words in a statement that counts what matches, up to a number.
    pub(crate) count: (String, &'static str),
    /// Likewise, in one that tells what is common from what is not and costs the same however much matches.
    pub(crate) sample: (String, &'static str),
    /// From how many in the sample on it is.
    pub(crate) common: i64,
    /// As [`Dialect::found_by`], for what stands in `seen`.
    pub(crate) found_by: (String, &'static str),
}

/// So few matches are collected whatever their ranks, and told apart here.
const FEW: i64 = if cfg!(test) { 3 } else { 64 };
/// What is common may be better come by on a walk along the order than collected: to collect a hundred thousand for a page of
/// them costs a hundred thousand. And so many are, however long the walk is. Small in tests, for they have few complaints;
/// likewise the numbers below.
const MANY: i64 = if cfg!(test) { 12 } else { 4_000 };
/// How far the first stretch of a walk reaches, in pages.
const STRETCH: usize = if cfg!(test) { 2 } else { 6 };
/// The longest stretch.
const STRETCH_MAX: usize = 4_096;

/// A statement with what is bound to `$1`, `$2`, …
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

/// A bound value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Id(Uuid),
}

/// Whoever can answer a statement.
pub(crate) trait Answers {
    type Row: StoredRow;

    fn dialect(&self) -> &Dialect;

    fn rows(&self, statement: Statement) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
}

/// A page of complaints.
pub(crate) async fn search(store: &impl Answers, query: &Query) -> Result<Page, StoreError> {
    let dialect = store.dialect();
    let limit = usize::from(query.limit.clamp(1, PAGE_MAX));
    let sought = Sought::of(query, dialect);
    let mut items: Vec<Complaint> = Vec::with_capacity(limit + 1);
    for (at, rank) in sought.ranks(query).into_iter().enumerate() {
        if items.len() > limit {
            break;
        }
        let found = Found { sought: &sought, rank };
        let mut after = query.after.filter(|after| rank.is_none_or(|rank| Query::unranked(after.key).0 == rank));
        // Words beyond what the index can tell apart leave some out.
        let is_found = |found: &Complaint| {
            sought.is_told_apart || query.matches(found) && rank.is_none_or(|rank| query.rank(found) == rank)
        };
        let is_common = found.is_common(store).await?;
        if at == 0
            && rank.is_some()
            && !is_common
            && let Some(few) = few(store, query, &sought).await?
        {
            items = few;
            break;
        }
        let mut stretch = if is_common { STRETCH * (limit + 1) } else { 0 };
        while stretch > 0 && items.len() <= limit {
            let asked = limit + 1 - items.len();
            let rows = store.rows(walk(dialect, query, &found, after, stretch, asked)).await?;
            let before = items.len();
            for (at, row) in rows.iter().enumerate() {
                let seen = complaint(row)?;
                if at + 1 == rows.len() {
                    after = Some(query.place_of(&seen));
                }
                if get(row, 2, SEARCH)? && is_found(&seen) {
                    items.push(seen);
                }
            }
            let is_worth_it = (items.len() - before) * 8 >= asked || found.reaches(store, MANY).await?;
            stretch = if rows.is_empty() || !is_worth_it { 0 } else { (stretch * 2).min(STRETCH_MAX) };
        }
        while items.len() <= limit {
            let asked = limit + 1 - items.len();
            let rows = store.rows(page(dialect, query, &found, after, asked)).await?;
            for (at, row) in rows.iter().enumerate() {
                let found = complaint(row)?;
                if at + 1 == rows.len() {
                    after = Some(query.place_of(&found));
                }
                if is_found(&found) {
                    items.push(found);
                }
            }
            if rows.len() < asked {
                break;
            }
        }
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| query.place_of(last));
    Ok(Page { items, next })
}

/// What is found behind the place in question, best first, if it is few.
async fn few(store: &impl Answers, query: &Query, sought: &Sought) -> Result<Option<Vec<Complaint>>, StoreError> {
    let found = Found { sought, rank: None };
    if found.reaches(store, FEW).await? {
        return Ok(None);
    }
    let limit = usize::try_from(FEW).unwrap_or(usize::MAX);
    let rows = store.rows(page(store.dialect(), query, &found, None, limit)).await?;
    if rows.len() == limit {
        // More were written since they were counted.
        return Ok(None);
    }
    let mut placed = Vec::new();
    for row in &rows {
        let seen = complaint(row)?;
        let place = query.place_of(&seen);
        let is_behind = query.after.is_none_or(|after| (after.key, after.id) < (place.key, place.id));
        if is_behind && (sought.is_told_apart || query.matches(&seen)) {
            placed.push((place, seen));
        }
    }
    placed.sort_unstable_by_key(|(place, _)| (place.key, place.id));
    Ok(Some(placed.into_iter().map(|(_, seen)| seen).collect()))
}

const SEARCH: Place = Place { table: "complaint_search", column: "words" };

/// The words a text asks for.
#[derive(Default)]
struct Sought {
    /// Each once, in order.
    words: Vec<String>,
    /// Without those whose finding another one implies, where beginnings are looked for.
    beginnings: Vec<String>,
    /// Whether the index keeps all of each word.
    is_told_apart: bool,
}

impl Sought {
    fn of(query: &Query, dialect: &Dialect) -> Self {
        let mut words = query.text.as_deref().map(search_words).unwrap_or_default();
        words.sort_unstable();
        words.dedup();
        // In sorted order a word is followed by the first of those that begin with it.
        let implied = |at: usize| words.get(at + 1).is_some_and(|longer| longer.starts_with(&words[at]));
        let needed = words.iter().enumerate().filter(|(at, _)| !implied(*at));
        let beginnings = needed.map(|(_, word)| word.clone()).collect();
        let is_told_apart = words.iter().all(|word| word.len() + HEADING.len() <= dialect.indexed_bytes);
        Self { words, beginnings, is_told_apart }
    }

    /// The [ranks](Query::rank) still to be shown, each a statement of its own, for mostly the first one fills the page.
    /// `None` where nothing is ranked.
    fn ranks(&self, query: &Query) -> Vec<Option<u8>> {
        if query.sort != Sort::Relevance || self.words.is_empty() {
            return vec![None];
        }
        let first = query.after.map_or(0, |after| Query::unranked(after.key).0);
        (first..RANKS).map(Some).collect()
    }

    /// What finds a rank, and what finds those of better ranks among it.
    fn expressions(&self, dialect: &Dialect, rank: Option<u8>) -> (String, Vec<String>) {
        let express = dialect.expression;
        let heading_has = || express(&self.words, HEADING, true);
        let heading_begins = || express(&self.beginnings, HEADING, false);
        let has = || express(&self.words, "", true);
        let begins = || express(&self.beginnings, "", false);
        let (found, better) = match rank {
            Some(0) => (heading_has(), vec![]),
            Some(1) => (heading_begins(), vec![heading_has()]),
            Some(2) => (has(), vec![heading_begins()]),
            Some(_) => (begins(), vec![heading_begins(), has()]),
            None => (begins(), vec![]),
        };
        // What the index only seems to find must not be left out; whoever reads the rows sees their rank.
        (found, if self.is_told_apart { better } else { vec![] })
    }
}

/// What is found, in its order.
fn page(dialect: &Dialect, query: &Query, found: &Found<'_>, after: Option<Cursor>, limit: usize) -> Statement {
    let Dialect { states, row, join, .. } = dialect;
    let mut sql = Statement::begin("SELECT s.codec, s.state FROM (");
    push_order(&mut sql, dialect, query, Some(found), after, limit);
    sql.push(&format!(") AS found {join} {states} AS s ON s.{row} = found.here ORDER BY found.place, found.id LIMIT "));
    sql.count(limit);
    sql
}

/// What is found on the next stretch of the order, whether words find it or not, and the last one of the stretch, which may
/// not be found, where there may be more behind it.
fn walk(
    dialect: &Dialect,
    query: &Query,
    found: &Found<'_>,
    after: Option<Cursor>,
    stretch: usize,
    limit: usize,
) -> Statement {
    let Dialect { states, row, join, .. } = dialect;
    let mut sql = Statement::begin("WITH seen AS MATERIALIZED (SELECT * FROM (");
    push_order(&mut sql, dialect, query, None, after, stretch);
    sql.push(") AS arms ORDER BY place, id LIMIT ").count(stretch);
    sql.push("), found AS MATERIALIZED (SELECT here, place, id, ");
    found.push(&mut sql, dialect, &dialect.walking.found_by);
    sql.push(&format!(
        " AS hit FROM seen) SELECT s.codec, s.state, hit FROM found {join} {states} AS s ON s.{row} = found.here \
         WHERE hit OR (found.place, found.id) = (SELECT place, id FROM seen ORDER BY place, id LIMIT 1 OFFSET "
    ));
    sql.count(stretch - 1).push(") ORDER BY found.place, found.id LIMIT ").count(limit);
    sql
}

/// Each arm in its own order, cut to so many, for a merge: no arm reads more.
fn push_order(
    sql: &mut Statement,
    dialect: &Dialect,
    query: &Query,
    found: Option<&Found<'_>>,
    after: Option<Cursor>,
    limit: usize,
) {
    let (key, order) = match query.sort {
        Sort::Newest | Sort::Relevance => ("-received_at", "received_at DESC, id"),
        Sort::Oldest => ("received_at", "received_at, id"),
        Sort::Deadline => ("promised_at", "promised_at, id"),
    };
    let Dialect { states, row, .. } = dialect;
    let mut pushed = 0;
    let handlers = sorted(&query.handlers);
    let groups = groups(&handlers);
    let arms = arms(&query.scope);
    for (arm, group) in arms.iter().flat_map(|arm| groups.iter().map(move |group| (arm, *group))) {
        if arm.is_empty_for(group) {
            continue;
        }
        if pushed > 0 {
            sql.push(" UNION ALL ");
        }
        pushed += 1;
        sql.push(&format!("SELECT * FROM (SELECT {row} AS here, {key} AS place, id FROM {states} WHERE "));
        arm.push(sql);
        push_handlers(sql, group);
        push_filters(sql, dialect, query);
        if let Some(found) = found.filter(|found| !found.sought.words.is_empty()) {
            sql.push(" AND ");
            found.push(sql, dialect, &dialect.found_by);
        }
        if let Some(after) = after {
            push_after(sql, query.sort, after);
        }
        sql.push(" ORDER BY ").push(order).push(" LIMIT ").count(limit).push(") AS arm");
    }
    if pushed == 0 {
        sql.push(&format!("SELECT {row} AS here, 0 AS place, id FROM {states} WHERE 1 = 0"));
    }
}

impl Statement {
    pub(crate) fn begin(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }

    pub(crate) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    fn bind(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        // Writing to a string cannot fail.
        let _ = write!(self.sql, "${}", self.values.len());
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bind(Value::Text(text.to_owned()))
    }

    pub(crate) fn number(&mut self, number: i64) -> &mut Self {
        self.bind(Value::Number(number))
    }

    fn count(&mut self, count: usize) -> &mut Self {
        self.number(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(crate) fn level(&mut self, level: Level) -> &mut Self {
        self.number(i64::from(u8::from(level)))
    }
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
    fn push(&self, sql: &mut Statement) {
        match self {
            Self::All => {
                sql.push("1 = 1");
            }
            Self::Of(customer) => {
                sql.push("customer = ").text(customer.as_str());
            }
            Self::Held(agent) => {
                sql.push("handler = ").text(agent.as_str());
                not_against(sql, agent);
            }
            Self::Queue(agent, at) => {
                // Written out, not bound, because the planner must see that the partial index fits.
                sql.push("status = 'queued' AND level = ").level(*at);
                not_held(sql, agent);
                not_against(sql, agent);
            }
            Self::UpTo(agent, at) => {
                sql.push("level <= ").level(*at);
                not_held(sql, agent);
                not_against(sql, agent);
            }
            Self::NotAgainst(agent) => {
                sql.push("1 = 1");
                not_against(sql, agent);
            }
        }
    }

    /// Whether a filter by handlers leaves nothing of this arm.
    fn is_empty_for(&self, handlers: &[&AgentId]) -> bool {
        match self {
            Self::Held(agent) => !handlers.is_empty() && !handlers.contains(agent),
            Self::Queue(agent, _) | Self::UpTo(agent, _) => handlers == [*agent],
            Self::All | Self::Of(_) | Self::NotAgainst(_) => false,
        }
    }
}

fn not_held(sql: &mut Statement, agent: &AgentId) {
    sql.push(" AND handler IS DISTINCT FROM ").text(agent.as_str());
}

fn not_against(sql: &mut Statement, agent: &AgentId) {
    sql.push(" AND against IS DISTINCT FROM ").text(agent.as_str());
}

/// Each once, so that arms do not overlap.
fn sorted(handlers: &[AgentId]) -> Vec<&AgentId> {
    let mut sorted: Vec<&AgentId> = handlers.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

/// The handlers of an arm each: an index has the complaints of one in order. Those of many are sorted instead, because
/// an engine takes only so many arms.
fn groups<'h>(handlers: &'h [&'h AgentId]) -> Vec<&'h [&'h AgentId]> {
    match handlers.len() {
        0 => vec![&[]],
        1..=APART => handlers.chunks(1).collect(),
        _ => vec![handlers],
    }
}

fn push_handlers(sql: &mut Statement, handlers: &[&AgentId]) {
    for (at, handler) in handlers.iter().enumerate() {
        sql.push(if at == 0 { " AND handler IN (" } else { ", " }).text(handler.as_str());
    }
    if !handlers.is_empty() {
        sql.push(")");
    }
}

fn push_filters(sql: &mut Statement, dialect: &Dialect, query: &Query) {
    if !query.statuses.is_empty() {
        if query.statuses.iter().all(|status| status.is_open()) {
            sql.push(" AND ").push(dialect.is_open);
        } else if query.statuses.iter().all(|status| !status.is_open()) {
            sql.push(" AND ").push(dialect.is_not_open);
        }
        for (at, status) in query.statuses.iter().enumerate() {
            sql.push(if at == 0 { " AND status IN (" } else { ", " }).text(status.name());
        }
        sql.push(")");
    }
    if let Some(category) = &query.category {
        sql.push(" AND category = ").text(category.as_str());
    }
    if let Some(customer) = &query.customer {
        sql.push(" AND customer = ").text(customer.as_str());
    }
    if let Some(level) = query.level {
        sql.push(" AND level = ").level(level);
    }
    for (bound, instant) in [
        (" AND received_at >= ", query.received_from),
        (" AND received_at < ", query.received_before),
        // What is never promised stands behind every instant.
        (" AND promised_at < ", query.promised_before),
    ] {
        if let Some(instant) = instant {
            sql.push(bound).number(instant.timestamp_micros());
        }
    }
    if query.missed {
        sql.push(" AND ").push(dialect.has_missed);
    }
}

/// What words find in a rank, or in all of them.
struct Found<'a> {
    sought: &'a Sought,
    rank: Option<u8>,
}

impl Found<'_> {
    async fn is_common(&self, store: &impl Answers) -> Result<bool, StoreError> {
        if self.sought.words.is_empty() {
            return Ok(false);
        }
        let Walking { sample, common, .. } = &store.dialect().walking;
        Ok(self.counted(store, sample, |_| ()).await? >= *common)
    }

    /// Whether there is so much to be found.
    async fn reaches(&self, store: &impl Answers, number: i64) -> Result<bool, StoreError> {
        let limited = |sql: &mut Statement| {
            sql.number(number).push(") AS found");
        };
        Ok(self.counted(store, &store.dialect().walking.count, limited).await? >= number)
    }

    async fn counted(
        &self,
        store: &impl Answers,
        (before, behind): &(String, &'static str),
        end: impl Fn(&mut Statement),
    ) -> Result<i64, StoreError> {
        let (found, _) = self.sought.expressions(store.dialect(), self.rank);
        let mut sql = Statement::begin(before);
        sql.text(&found).push(behind);
        end(&mut sql);
        let rows = store.rows(sql).await?;
        rows.first().map_or(Ok(0), |row| get(row, 0, SEARCH))
    }

    fn push(&self, sql: &mut Statement, dialect: &Dialect, (before, behind): &(String, &'static str)) {
        let (found, better) = self.sought.expressions(dialect, self.rank);
        sql.push(before).text(&found).push(behind);
        for better in better {
            sql.push(" AND NOT ").push(before).text(&better).push(behind);
        }
    }
}

/// Behind a place in the order. The first condition is a range on the index, the second cuts ties.
fn push_after(sql: &mut Statement, sort: Sort, after: Cursor) {
    let (column, reaches, passes, key) = match sort {
        // A key is negated in a newest-first order; the least number has no negative, and nothing was received then.
        Sort::Newest => ("received_at", " <= ", " < ", after.key.checked_neg().unwrap_or(i64::MAX)),
        Sort::Relevance => ("received_at", " <= ", " < ", Query::unranked(after.key).1),
        Sort::Oldest => ("received_at", " >= ", " > ", after.key),
        Sort::Deadline => ("promised_at", " >= ", " > ", after.key),
    };
    sql.push(" AND ").push(column).push(reaches).number(key);
    sql.push(" AND (").push(column).push(passes).number(key);
    sql.push(" OR id > ").bind(Value::Id(after.id.as_uuid())).push(")");
}
