//! Lists: scope, filters, order and pages as one statement. Engines differ in a few words of it.
//!
//! What is settled only ever grows, so nothing may be looked for among it. Every list is a merge of ranges of indexes, each cut to
//! a page:
//! - what is few has an index of its own, and whatever else is asked of it is seen in passing: a customer's, what missed a
//!   deadline, what is still promised, what words find;
//! - open work is few as well;
//! - what is settled stands in its index kind by kind, and which kinds there are is known from the counts: a list by handler,
//!   level, category or status, or by any of them together, takes a page from each kind that it is made of;
//! - a list of everything needs its order alone, unless that is by deadline: nothing is promised of most that is settled.

#[cfg(test)]
pub(crate) mod trials;

use std::fmt::Write as _;

use complaint_core::complaint::Complaint;
use complaint_core::id::{AgentId, CustomerId, Level};
use complaint_core::lifecycle::Status;
use complaint_core::store::{Cursor, PAGE_MAX, Page, Query, RANKS, Reach, Scope, Sort, StoreError, search_words};
use uuid::Uuid;

use crate::codec::{self, HEADING};
use crate::read::{StoredRow, complaint, get};

/// In which words an engine is told.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The table of states.
    pub(crate) states: String,
    /// The handler of a count, compared as that of a state is.
    pub(crate) counted_handler: &'static str,
    /// What a state counts as.
    pub(crate) countable: String,
    /// The counts that are kept.
    pub(crate) counted: String,
    /// The column by which a state is fetched once its page is known.
    pub(crate) row: &'static str,
    /// Joins the pages to the states without reading more of these.
    pub(crate) join: &'static str,
    /// Before and behind a statement for rows, in a condition on them that looks each up.
    pub(crate) among: (&'static str, &'static str),
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
        let mut stretch = is_common.then_some(STRETCH * (limit + 1));
        while items.len() <= limit {
            let asked = limit + 1 - items.len();
            let rows = match stretch {
                Some(stretch) => store.rows(walk(dialect, query, &found, after, stretch, asked)).await?,
                None => store.rows(page(dialect, query, &found, after, asked)).await?,
            };
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
            match stretch {
                None if rows.len() < asked => break,
                Some(_) if rows.is_empty() => break,
                None => {}
                Some(walked) => {
                    let is_worth_it = (items.len() - before) * 8 >= asked || found.reaches(store, MANY).await?;
                    stretch = is_worth_it.then_some((walked * 2).min(STRETCH_MAX));
                }
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

const SEARCH: codec::Place = codec::Place { table: "complaint_search", column: "words" };

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
    let mut sql = Statement::begin("SELECT s.codec, s.state, TRUE FROM (");
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

/// Each part in its own order, cut to so many, for a merge: none reads more.
fn push_order(
    sql: &mut Statement,
    dialect: &Dialect,
    query: &Query,
    found: Option<&Found<'_>>,
    after: Option<Cursor>,
    limit: usize,
) {
    let ordered = match query.sort {
        Sort::Newest | Sort::Relevance => ("-received_at", "received_at DESC, id"),
        Sort::Oldest => ("received_at", "received_at, id"),
        Sort::Deadline => ("promised_at", "promised_at, id"),
    };
    // To no engine this looks like the order of an index, so that it takes the one by which there are few.
    let sorted = match query.sort {
        Sort::Newest | Sort::Relevance => ("-received_at", "place, id"),
        Sort::Oldest => ("received_at + 0", "place, id"),
        Sort::Deadline => ("promised_at + 0", "place, id"),
    };
    let Dialect { states, row, .. } = dialect;
    let found = found.filter(|found| !found.sought.words.is_empty());
    let arms: Vec<Arm<'_>> = Arm::all(query).collect();
    let parts = arms.iter().flat_map(|arm| arm.parts(query, found.is_some()).iter().map(move |part| (arm, *part)));
    let mut pushed = 0;
    for (arm, part) in parts {
        sql.push(if pushed > 0 { " UNION ALL " } else { "" });
        pushed += 1;
        let (key, order) = if part == Part::Few { sorted } else { ordered };
        sql.push(&format!("SELECT * FROM (SELECT {row} AS here, {key} AS place, id FROM "));
        if part == Part::Settled {
            arm.push_kinds(sql, dialect, query);
            sql.push(&format!(" AS kind CROSS JOIN {states} AS theirs WHERE theirs.{}", dialect.among.0));
            sql.push(&format!("SELECT {row} FROM {states} WHERE {}", dialect.is_not_open));
            arm.push_kind(sql);
        } else {
            sql.push(&format!("{states} WHERE {}", if part == Part::Open { dialect.is_open } else { "1 = 1" }));
            arm.push_conditions(sql, query);
        }
        push_rest(sql, dialect, query, arm);
        if let Some(found) = found {
            sql.push(" AND ");
            found.push(sql, dialect, &dialect.found_by);
        }
        push_after(sql, query.sort, (part == Part::Few).then_some(key), after);
        if part == Part::Settled {
            sql.push(&format!(" ORDER BY {order} LIMIT ")).count(limit).push(dialect.among.1);
        }
        sql.push(&format!(" ORDER BY {order} LIMIT ")).count(limit).push(") AS part");
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

/// How a part of a list is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Whatever its order, which is then sorted.
    Few,
    /// In its order, by an index of all or of what is few.
    Whole,
    /// What is open, in its order.
    Open,
    /// What is settled, kind by kind.
    Settled,
}

/// A part of a scope. Those of one scope never overlap.
struct Arm<'a> {
    /// Only these handlers', each once; empty: everybody's and nobody's.
    handlers: Vec<&'a AgentId>,
    place: Place<'a>,
}

/// Where the complaints of an arm are.
enum Place<'a> {
    Anywhere,
    /// A customer's.
    Of(&'a CustomerId),
    /// What the agent holds, beyond what the reach adds anyway.
    Held(&'a AgentId, Reach),
    /// What the reach adds.
    Reached(&'a AgentId, Reach),
}

impl<'a> Arm<'a> {
    /// [`Scope::admits`], and the handlers that are asked for, as arms.
    fn all(query: &'a Query) -> impl Iterator<Item = Self> {
        let places = match &query.scope {
            Scope::All => vec![Place::Anywhere],
            Scope::Customer(id) => vec![Place::Of(id)],
            Scope::Agent { id, reach: Reach::Own } => vec![Place::Held(id, Reach::Own)],
            Scope::Agent { id, reach: Reach::Everything } => vec![Place::Reached(id, Reach::Everything)],
            Scope::Agent { id, reach } => vec![Place::Held(id, *reach), Place::Reached(id, *reach)],
        };
        let mut handlers: Vec<&AgentId> = query.handlers.iter().collect();
        handlers.sort_unstable();
        handlers.dedup();
        places.into_iter().filter_map(move |place| match place {
            Place::Held(id, _) if handlers.is_empty() || handlers.contains(&id) => {
                Some(Self { handlers: vec![id], place })
            }
            Place::Held(..) => None,
            place => Some(Self { handlers: handlers.clone(), place }),
        })
    }

    fn parts(&self, query: &Query, is_found: bool) -> &'static [Part] {
        let is_whole = query.sort != Sort::Deadline
            && query.statuses.is_empty()
            && query.category.is_none()
            && query.level.is_none()
            && self.handlers.is_empty()
            && matches!(self.place, Place::Anywhere | Place::Reached(_, Reach::Everything));
        let are_open = query.statuses.iter().filter(|status| status.is_open()).count();
        if query.customer.is_some() || matches!(self.place, Place::Of(_)) {
            &[Part::Few]
        } else if is_found || query.missed || query.promised_before.is_some() || is_whole {
            &[Part::Whole]
        } else if matches!(self.place, Place::Reached(_, Reach::Queue(_))) {
            &[Part::Open]
        } else if query.statuses.is_empty() || (1..query.statuses.len()).contains(&are_open) {
            &[Part::Open, Part::Settled]
        } else if are_open > 0 {
            &[Part::Open]
        } else {
            &[Part::Settled]
        }
    }

    /// What a kind is told from others by: the columns that the counts have as well.
    fn push_conditions(&self, sql: &mut Statement, query: &Query) {
        push_each(sql, "handler", self.handlers.iter().map(|handler| handler.as_str()));
        push_each(sql, "status", query.statuses.iter().map(|status| status.name()));
        if let Some(category) = &query.category {
            sql.push(" AND category = ").text(category.as_str());
        }
        if let Some(level) = query.level {
            sql.push(" AND level = ").level(level);
        }
        match self.place {
            // Written out, not bound, because the planner must see that the partial index fits.
            Place::Reached(_, Reach::Queue(level)) => sql.push(" AND status = 'queued' AND level = ").level(level),
            Place::Held(_, Reach::Queue(level)) => {
                sql.push(" AND NOT (status = 'queued' AND level = ").level(level).push(")")
            }
            Place::Reached(_, Reach::UpTo(level)) => sql.push(" AND level <= ").level(level),
            Place::Held(_, Reach::UpTo(level)) => sql.push(" AND level > ").level(level),
            _ => sql,
        };
    }

    /// The kinds that the settled part is made of, and some that nothing is of any more.
    fn push_kinds(&self, sql: &mut Statement, dialect: &Dialect, query: &Query) {
        let Dialect { counted, counted_handler, .. } = dialect;
        let whose = if self.handlers.is_empty() { String::new() } else { format!("{counted_handler} AS handler, ") };
        sql.push(&format!("(SELECT DISTINCT {whose}level, category, status FROM {counted} WHERE status NOT IN ("));
        for (at, status) in Status::OPEN.iter().enumerate() {
            sql.push(if at == 0 { "'" } else { ", '" }).push(status.name()).push("'");
        }
        sql.push(if self.handlers.is_empty() { ") AND handler = ''" } else { ")" });
        self.push_conditions(sql, query);
        sql.push(")");
    }

    /// Of the kind.
    fn push_kind(&self, sql: &mut Statement) {
        // The first is the condition of an index, see the migration.
        sql.push(if self.handlers.is_empty() { " AND level > 0" } else { " AND handler = kind.handler" });
        sql.push(" AND level = kind.level AND category = kind.category AND status = kind.status");
    }
}

fn push_each<'v>(sql: &mut Statement, column: &str, values: impl Iterator<Item = &'v str>) {
    let mut pushed = 0;
    for value in values {
        sql.push(&if pushed == 0 { format!(" AND {column} IN (") } else { ", ".to_owned() }).text(value);
        pushed += 1;
    }
    sql.push(if pushed == 0 { "" } else { ")" });
}

/// What counts do not tell apart.
fn push_rest(sql: &mut Statement, dialect: &Dialect, query: &Query, arm: &Arm<'_>) {
    match arm.place {
        Place::Anywhere => {}
        Place::Of(customer) => {
            sql.push(" AND customer = ").text(customer.as_str());
        }
        Place::Held(agent, _) | Place::Reached(agent, _) => {
            sql.push(" AND against IS DISTINCT FROM ").text(agent.as_str());
        }
    }
    if let Some(customer) = &query.customer {
        sql.push(" AND customer = ").text(customer.as_str());
    }
    for (bound, instant) in
        [(" AND received_at >= ", query.received_from), (" AND received_at < ", query.received_before)]
    {
        if let Some(instant) = instant {
            sql.push(bound).number(instant.timestamp_micros());
        }
    }
    if let Some(instant) = query.promised_before {
        // What is never promised stands behind every instant. The second condition is that of the partial index.
        sql.push(" AND promised_at < ").number(instant.timestamp_micros());
        sql.push(&format!(" AND promised_at < {}", i64::MAX));
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

/// Behind a place in the order, or in that of what is sorted by the key. A first page is behind the least place there is: with a
/// range to begin at, every engine takes the index for it.
fn push_after(sql: &mut Statement, sort: Sort, sorted: Option<&str>, after: Option<Cursor>) {
    let key = match after {
        Some(after) if sort == Sort::Relevance => -Query::unranked(after.key).1,
        Some(after) => after.key,
        None => i64::MIN,
    };
    let id = after.map_or(Uuid::nil(), |after| after.id.as_uuid());
    let (reaches, passes, key) = match (sorted, sort) {
        // Of most that is settled nothing is promised: ties as long as the list. One range of the index cuts them, which it
        // can where all columns are in one direction.
        (Some(_), _) | (None, Sort::Deadline) => {
            let column = sorted.unwrap_or("promised_at");
            sql.push(&format!(" AND ({column}, id) > (")).number(key).push(", ").bind(Value::Id(id)).push(")");
            return;
        }
        // A key is negated in a newest-first order; the least number has no negative, and nothing was received then.
        (None, Sort::Newest | Sort::Relevance) => (" <= ", " < ", key.checked_neg().unwrap_or(i64::MAX)),
        (None, Sort::Oldest) => (" >= ", " > ", key),
    };
    // The first condition is a range on the index, the second cuts ties.
    sql.push(" AND received_at").push(reaches).number(key);
    sql.push(" AND (received_at").push(passes).number(key);
    sql.push(" OR id > ").bind(Value::Id(id)).push(")");
}
