//! Counts, which the database keeps with every change: they cost the same however many complaints are closed.
//!
//! A row of `complaint_counts` is a kind of complaint: by handler, status, level, category and whether a deadline was
//! missed. What all the rows of everybody (`handler = ''`) or of one handler add up to needs no look at any complaint.
//! Triggers keep them, so nothing that writes a state can forget to: on `SQLite` by adding to the row in the same
//! transaction, where there is one writer anyway; on PostgreSQL by appending rows that are folded in later, since commits
//! that add to one row would queue for it. These rows are read from the table and not by an index: until a `VACUUM` the index would
//! go through each that was folded since the last one, which takes twenty times as long as their pages. So counting there costs
//! what was changed since, a millisecond for a hundred thousand changes, and not what is stored. What is against an agent
//! is rare, and is taken off one by one.

use complaint_core::id::{AgentId, CategoryKey, Level};
use complaint_core::lifecycle::Status;
use complaint_core::store::{Reach, Scope, StoreError, Summary};

use crate::codec::Place;
use crate::list::{Answers, Dialect, Statement};
use crate::read::{StoredRow, get};
use crate::verify::Miscount;

/// What is counted of each kind.
const MEASURES: [&str; 6] = ["complaints", "rated_1", "rated_2", "rated_3", "rated_4", "rated_5"];

/// How many wrong counts are named.
const NAMED: i64 = 100;

/// Counts over the complaints of a scope.
pub(crate) async fn summary(store: &impl Answers, scope: &Scope) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    for row in store.rows(of_scope(store.dialect(), scope)).await? {
        add(&row, &mut summary)?;
    }
    Ok(summary)
}

/// Counts that are not what counting everything gives, at one moment.
pub(crate) async fn miscounts(store: &impl Answers) -> Result<Vec<Miscount>, StoreError> {
    store.rows(differences(store.dialect())).await?.iter().map(miscount).collect()
}

/// [`Scope::admits`] as sums of counts.
pub(crate) fn of_scope(dialect: &Dialect, scope: &Scope) -> Statement {
    let mut sql = Statement::begin("SELECT status, level, category, missed");
    for measure in MEASURES {
        // The sum of large numbers is of another type on PostgreSQL.
        sql.push(&format!(", CAST(sum({measure}) AS bigint)"));
    }
    sql.push(" FROM (");
    match scope {
        Scope::All => {
            part(&mut sql, "", &dialect.counted);
            sql.push("handler = ''");
        }
        // A customer has only so many.
        Scope::Customer(customer) => {
            part(&mut sql, "", &dialect.countable);
            sql.push("customer = ").text(customer.as_str());
        }
        Scope::Agent { id, reach } => {
            part(&mut sql, "", &dialect.counted);
            sql.push("handler = ").text(id.as_str());
            if *reach != Reach::Own {
                sql.push(" UNION ALL ");
                part(&mut sql, "", &dialect.counted);
                sql.push("handler = '' AND ");
                reached(&mut sql, *reach);
                // Which counts again what they hold in reach of others.
                sql.push(" UNION ALL ");
                part(&mut sql, "-", &dialect.counted);
                sql.push("handler = ").text(id.as_str()).push(" AND ");
                reached(&mut sql, *reach);
            }
            sql.push(" UNION ALL ");
            part(&mut sql, "-", &dialect.countable);
            against(&mut sql, id, *reach);
        }
    }
    sql.push(") AS part GROUP BY status, level, category, missed");
    sql
}

/// Added to the sum, or taken off.
fn part(sql: &mut Statement, sign: &str, source: &str) {
    sql.push("SELECT status, level, category, missed");
    for measure in MEASURES {
        sql.push(&format!(", {sign}{measure} AS {measure}"));
    }
    sql.push(&format!(" FROM {source} WHERE "));
}

/// [`Reach`] without what is held.
fn reached(sql: &mut Statement, reach: Reach) {
    match reach {
        Reach::Own => sql.push("1 = 0"),
        Reach::Queue(level) => sql.push("status = 'queued' AND level = ").level(level),
        Reach::UpTo(level) => sql.push("level <= ").level(level),
        Reach::Everything => sql.push("1 = 1"),
    };
}

fn against(sql: &mut Statement, agent: &AgentId, reach: Reach) {
    sql.push("against = ").text(agent.as_str()).push(" AND (handler = ").text(agent.as_str()).push(" OR (");
    reached(sql, reach);
    sql.push("))");
}

fn add<R: StoredRow>(row: &R, summary: &mut Summary) -> Result<(), StoreError> {
    let status: Status = get::<&str, R>(row, 0, STATUS)?.parse().map_err(|fault| STATUS.corrupt(fault))?;
    let level = u8::try_from(get::<i64, R>(row, 1, LEVEL)?).map_err(|fault| LEVEL.corrupt(fault))?;
    let level = Level::new(level).map_err(|fault| LEVEL.corrupt(fault))?;
    let category = CategoryKey::new(get::<&str, R>(row, 2, CATEGORY)?).map_err(|fault| CATEGORY.corrupt(fault))?;
    let missed: bool = get(row, 3, MISSED)?;
    let count = |at: usize| {
        let place = Place { column: MEASURES[at], ..STATUS };
        u64::try_from(get::<i64, R>(row, 4 + at, place)?).map_err(|fault| place.corrupt(fault))
    };
    let complaints = count(0)?;
    // A kind that nothing is of any more.
    if complaints == 0 {
        return Ok(());
    }
    *summary.by_status.entry(status).or_default() += complaints;
    *summary.by_category.entry(category).or_default() += complaints;
    if status.is_open() {
        *summary.open_by_level.entry(level).or_default() += complaints;
        summary.open_with_missed_deadline += if missed { complaints } else { 0 };
    }
    for score in 1..=5_u8 {
        let ratings = count(usize::from(score))?;
        if ratings > 0 {
            *summary.ratings.entry(score).or_default() += ratings;
        }
    }
    Ok(())
}

/// What is kept and what there is, once for everybody and once for each handler, where they differ.
pub(crate) fn differences(dialect: &Dialect) -> Statement {
    let Dialect { counted, countable, .. } = dialect;
    let columns = |sign: &str| MEASURES.map(|measure| format!("{sign}{measure} AS {measure}")).join(", ");
    let (kept, there) = (columns(""), columns("-"));
    let kind = "status, level, category, missed";
    let sums = MEASURES.map(|measure| format!("CAST(sum({measure}) AS bigint)")).join(", ");
    let wrong = MEASURES.map(|measure| format!("sum({measure}) <> 0")).join(" OR ");
    let mut sql = Statement::begin(&format!(
        "SELECT handler, {kind}, {sums} FROM (\
         SELECT handler, {kind}, {kept} FROM {counted} \
         UNION ALL SELECT '' AS handler, {kind}, {there} FROM {countable} \
         UNION ALL SELECT handler, {kind}, {there} FROM {countable} WHERE handler IS NOT NULL) AS part \
         GROUP BY handler, {kind} HAVING {wrong} ORDER BY handler, {kind} LIMIT "
    ));
    sql.number(NAMED);
    sql
}

fn miscount<R: StoredRow>(row: &R) -> Result<Miscount, StoreError> {
    let more = |at: usize| get(row, 5 + at, Place { column: MEASURES[at], ..STATUS });
    let handler: String = get(row, 0, Place { column: "handler", ..STATUS })?;
    Ok(Miscount {
        handler: Some(handler).filter(|handler| !handler.is_empty()),
        status: get(row, 1, STATUS)?,
        level: get(row, 2, LEVEL)?,
        category: get(row, 3, CATEGORY)?,
        missed: get(row, 4, MISSED)?,
        complaints: more(0)?,
        ratings: [more(1)?, more(2)?, more(3)?, more(4)?, more(5)?],
    })
}

const STATUS: Place = Place { table: "complaint_counts", column: "status" };
const LEVEL: Place = Place { column: "level", ..STATUS };
const CATEGORY: Place = Place { column: "category", ..STATUS };
const MISSED: Place = Place { column: "missed", ..STATUS };
