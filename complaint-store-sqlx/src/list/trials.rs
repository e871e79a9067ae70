//! How lists are tried, the same on every engine.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use complaint_core::complaint::Complaint;
use complaint_core::conformance::{Opening, Story};
use complaint_core::id::{AgentId, CategoryKey, ComplaintId, CustomerId, Level};
use complaint_core::lifecycle::Status;
use complaint_core::store::{ComplaintStore, Cursor, PAGE_MAX, Query, Reach, Scope, Sort, Summary};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{Dialect, Found, STRETCH, Sought, Statement, page, walk};
use crate::counts;

fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_000 + seconds, 0).unwrap()
}

fn complaint(number: u32) -> Complaint {
    Story::open(&Opening::numbered(number)).0.state().clone()
}

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn deadline(due_at: DateTime<Utc>, missed: bool) -> complaint_core::deadline::Deadline {
    serde_json::from_value(serde_json::json!({
        "clock": "resolution", "instance": 1, "target": "8 weeks", "policy_version": 1,
        "started_at": instant(0), "total_micros": 1, "due_at": due_at, "warned": 0,
        "missed_at": missed.then_some(due_at), "segments": [],
    }))
    .unwrap()
}

/// A population in which every filter, scope and order has something to tell apart.
pub(crate) fn population(runner: &mut TestRunner, size: u32) -> Vec<Complaint> {
    let text = proptest::collection::vec(
        prop_oneof![
            3 => "[a-cA-C]{1,3}",
            1 => "[ _.,'\"*^:+-]",
            1 => "[äÄßİıΣςσ]{1,2}",
            1 => "[中文日本語ーｶ]{1,3}",
            1 => "[a-c]\u{301}{1,2}[a-c]?",
            1 => "[🙂👩‍🚀♥️]",
            1 => "\\PC{0,4}",
            1 => any::<String>(),
        ],
        0..8,
    )
    .prop_map(|pieces| pieces.concat());
    let strategy = (
        (0..2_i64, 0..4_usize, 0..12_usize, 1..=3_u8, 0..4_usize, 0..4_usize),
        (text.clone(), text.clone(), proptest::option::of(text.clone()), proptest::option::of(text)),
        (proptest::option::of(0..3_i64), any::<bool>(), proptest::collection::vec(1..=5_u8, 0..3)),
    );
    let agents = [None, Some(agent("asha")), Some(agent("ben")), Some(agent("cho"))];
    (1..=size)
        .map(|number| {
            let ((at, customer, status, level, handler, against), words, (due, missed, scores)) =
                strategy.new_tree(runner).unwrap().current();
            let mut made = complaint(number);
            made.received_at = instant(at);
            made.customer = CustomerId::new(format!("customer-{customer}")).unwrap();
            made.category = CategoryKey::new(["late", "damaged"][status % 2]).unwrap();
            made.status = Status::ALL[status];
            made.level = Level::new(level).unwrap();
            made.handler = agents[handler].clone();
            made.against = agents[against].clone();
            (made.subject, made.description, made.product, made.order_number) = words;
            made.deadlines.extend(due.map(|due| deadline(instant(due), missed).into()));
            made.feedback = scores
                .iter()
                .map(|score| complaint_core::complaint::Feedback {
                    resolution: 1,
                    agent: agent("asha"),
                    score: *score,
                    comment: None,
                    first_given_at: instant(0),
                    anonymous: *score % 2 == 0,
                    anonymous_since: None,
                })
                .collect();
            made
        })
        .collect()
}

/// More handlers than get an arm each.
const MANY: [&str; 18] =
    ["asha", "ben", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "e1", "e2", "e3", "e4", "e5", "e6", "e7"];

fn scopes() -> Vec<Scope> {
    let level = |number| Level::new(number).unwrap();
    let mut scopes = vec![Scope::All, Scope::Customer(CustomerId::new("customer-1").unwrap())];
    for reach in [Reach::Own, Reach::Queue(level(1)), Reach::Queue(level(2)), Reach::UpTo(level(2)), Reach::Everything]
    {
        scopes.push(Scope::Agent { id: agent("asha"), reach });
    }
    scopes
}

async fn found(store: &dyn ComplaintStore, query: &Query) -> Vec<ComplaintId> {
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = store.search(&query).await.unwrap();
        assert!(page.items.len() <= usize::from(query.limit.clamp(1, PAGE_MAX)));
        found.extend(page.items.iter().map(|item| item.id));
        assert!(found.len() <= 1_000, "the pages never end");
        match page.next {
            Some(next) => query.after = Some(next),
            None => return found,
        }
    }
}

fn expected(population: &[Complaint], query: &Query) -> Vec<ComplaintId> {
    let mut matching: Vec<_> = population.iter().filter(|c| query.matches(c)).map(|c| (query.key(c), c.id)).collect();
    matching.sort_unstable();
    matching.into_iter().map(|(_, id)| id).collect()
}

pub(crate) async fn a_list_is_what_matches_in_every_scope_order_and_page(
    store: &dyn ComplaintStore,
    population: &[Complaint],
) {
    let mut runner = TestRunner::deterministic();
    let mut texts: Vec<Option<String>> = vec![None, Some(" -_* ".into()), Some("\"a\" OR NOT b*".into())];
    texts.extend(population.iter().take(12).map(|c| Some(c.subject.clone())));
    let filters = (
        prop_oneof![
            Just(Vec::new()),
            Just(Status::OPEN.to_vec()),
            proptest::sample::subsequence(&Status::ALL[..], 1..4)
        ],
        proptest::option::of(prop_oneof![Just("late"), Just("damaged")]),
        prop_oneof![
            5 => Just(Vec::new()),
            1 => Just(vec!["asha"]),
            1 => Just(vec!["ben"]),
            1 => Just(vec!["cho", "asha", "cho"]),
            1 => Just(MANY.to_vec()),
        ],
        proptest::option::weighted(0.3, prop_oneof![Just("customer-1"), Just("customer-2")]),
        proptest::option::weighted(0.3, 1..=3_u8),
        (
            proptest::option::weighted(0.1, 0..3_i64),
            proptest::option::weighted(0.1, 0..3_i64),
            proptest::option::weighted(0.15, 0..4_i64),
            proptest::bool::weighted(0.1),
        ),
        proptest::sample::select(texts),
        prop_oneof![Just(1_u16), Just(2), Just(7), Just(100), Just(0), Just(u16::MAX)],
    );
    let mut hits = 0;
    for scope in scopes() {
        for sort in [Sort::Newest, Sort::Oldest, Sort::Deadline, Sort::Relevance] {
            let mut query = Query { sort, limit: 7, ..Query::within(scope.clone()) };
            assert_eq!(found(store, &query).await, expected(population, &query), "{query:?}");
            for _ in 0..25 {
                let (statuses, category, handlers, customer, level, (from, before, promised, missed), text, limit) =
                    filters.new_tree(&mut runner).unwrap().current();
                query.statuses = statuses;
                query.category = category.map(|key| CategoryKey::new(key).unwrap());
                query.handlers = handlers.into_iter().map(agent).collect();
                query.customer = customer.map(|key| CustomerId::new(key).unwrap());
                query.level = level.map(|number| Level::new(number).unwrap());
                (query.received_from, query.received_before) = (from.map(instant), before.map(instant));
                (query.promised_before, query.missed) = (promised.map(instant), missed);
                (query.text, query.limit) = (text, limit);
                let expected = expected(population, &query);
                hits += expected.len();
                assert_eq!(found(store, &query).await, expected, "{query:?}");
            }
        }
    }
    assert!(hits > 500, "only {hits} complaints were ever expected");
}

pub(crate) async fn counts_are_what_there_is(store: &dyn ComplaintStore, population: &[Complaint]) {
    for scope in scopes() {
        let mut counted = Summary::default();
        population.iter().filter(|c| scope.admits(c)).for_each(|c| counted.add(c));
        assert_eq!(store.summary(&scope).await.unwrap(), counted, "{scope:?}");
    }
}

pub(crate) async fn a_search_finds_the_words_that_the_core_sees(store: &dyn ComplaintStore, population: &[Complaint]) {
    let mut texts = BTreeSet::new();
    for complaint in population {
        for word in complaint_core::store::search_words(&complaint.searchable()) {
            let cut = word.chars().count().div_ceil(2);
            texts.extend([word.chars().take(cut).collect::<String>(), word.to_uppercase(), word]);
        }
    }
    assert!(texts.len() > 300, "only {} words", texts.len());
    for text in texts {
        let query = Query { text: Some(text), limit: PAGE_MAX, ..Query::within(Scope::All) };
        assert_eq!(found(store, &query).await, expected(population, &query), "{query:?}");
    }
}

/// What is rare and what is common, one or two of it to a page: collected, walked along, and both.
pub(crate) async fn a_search_is_in_its_order_on_every_page(store: &dyn ComplaintStore, population: &[Complaint]) {
    let mut sizes = BTreeSet::new();
    let ordered =
        |text: &str, sort| expected(population, &Query { text: Some(text.into()), sort, ..Query::within(Scope::All) });
    // Two that have a word, the newer one not in its heading.
    let turned = |word: &String| {
        let ranked = ordered(word, Sort::Relevance);
        ranked.len() == 2 && ranked != ordered(word, Sort::Newest)
    };
    let words = population.iter().flat_map(|complaint| complaint_core::store::search_words(&complaint.searchable()));
    let mut texts: Vec<String> = words.filter(turned).take(6).collect();
    assert_eq!(texts.len(), 6, "{texts:?}");
    texts.extend(["a", "b", "c", "ab", "ca", "abc", "bca", "a b", "b ca", "c a b", "ä", "日"].map(String::from));
    for scope in scopes() {
        for text in &texts {
            for sort in [Sort::Relevance, Sort::Newest, Sort::Deadline] {
                let mut query = Query { text: Some(text.clone()), sort, ..Query::within(scope.clone()) };
                let expected = expected(population, &query);
                query.limit = if expected.len() < 4 { 1 } else { 4 };
                sizes.insert(expected.len());
                assert_eq!(found(store, &query).await, expected, "{query:?}");
            }
        }
    }
    for (size, what) in [(1..3, "few"), (4..12, "some"), (30..1_000, "many")] {
        assert!(sizes.iter().any(|found| size.contains(found)), "nothing finds {what}: {sizes:?}");
    }
}

/// Words that differ only behind what any index keeps of them.
pub(crate) fn long_words() -> Vec<Complaint> {
    let ends = ["a", "b", "c"];
    (1..=6_u32)
        .map(|number| {
            let mut made = complaint(number);
            made.description = format!("{}{}", long_word(), ends[number as usize % 3]);
            made
        })
        .collect()
}

fn long_word() -> String {
    "語".repeat(11_000)
}

pub(crate) async fn words_beyond_what_the_index_keeps_are_told_apart(
    store: &dyn ComplaintStore,
    population: &[Complaint],
) {
    let many = (0..3000).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ");
    for text in [format!("{}b", long_word()), long_word(), many] {
        for sort in [Sort::Newest, Sort::Relevance] {
            let query = Query { text: Some(text.clone()), limit: 1, sort, ..Query::within(Scope::All) };
            assert_eq!(found(store, &query).await, expected(population, &query));
        }
    }
}

/// Everything that pages, sweeps and dashboards ask for, which must cost the same however many complaints are closed: in
/// each scope, filter and order, as a page of it begins behind another one. Values are those of complaints that are
/// numbered and received a second apart, of which twenty thousand and more are there.
pub(crate) fn daily_work(dialect: &Dialect) -> Vec<(String, Statement)> {
    let level = |number| Level::new(number).unwrap();
    let john = Scope::Customer(CustomerId::new("john@example.org").unwrap());
    let asha = |reach| Scope::Agent { id: agent("asha"), reach };
    let reaches =
        [Reach::Own, Reach::Queue(Level::FIRST), Reach::UpTo(level(2)), Reach::Everything].map(asha).into_iter();
    let staff: Vec<Scope> = reaches.chain([Scope::All]).collect();
    let whole = |scope: &Scope, sort| Query { sort, ..Query::within(scope.clone()) };
    let at = |second| DateTime::from_timestamp(second, 0);
    let late = || Some(CategoryKey::new("late").unwrap());
    let (open, queued, closed) = (|| Status::OPEN.to_vec(), || vec![Status::Queued], || vec![Status::Closed]);
    let (me, us) = (|| vec![agent("asha")], || vec![agent("asha"), agent("ben")]);

    let mut asked: Vec<(&str, Query)> = vec![
        ("my complaints", whole(&john, Sort::Newest)),
        ("my open complaints", Query { statuses: open(), ..whole(&john, Sort::Newest) }),
        ("my settled complaints", Query { statuses: closed(), ..whole(&john, Sort::Deadline) }),
    ];
    for scope in &staff {
        for sort in [Sort::Newest, Sort::Oldest, Sort::Deadline] {
            let whole = || whole(scope, sort);
            asked.extend([
                ("everything", whole()),
                ("missed", Query { missed: true, ..whole() }),
                ("missed by one", Query { missed: true, handlers: me(), ..whole() }),
                ("missed in a category", Query { missed: true, category: late(), ..whole() }),
                ("closed", Query { statuses: closed(), ..whole() }),
                ("resolved", Query { statuses: vec![Status::Resolved], ..whole() }),
                ("open", Query { statuses: open(), ..whole() }),
                ("of a status", Query { statuses: queued(), ..whole() }),
                ("of a status that nothing is in", Query { statuses: vec![Status::PendingApproval], ..whole() }),
                ("of two statuses", Query { statuses: vec![Status::Queued, Status::Closed], ..whole() }),
                ("queue", Query { statuses: queued(), level: Some(Level::FIRST), ..whole() }),
                ("work", Query { statuses: open(), handlers: me(), ..whole() }),
                ("settled work", Query { statuses: vec![Status::Resolved], handlers: me(), ..whole() }),
                ("of a handler", Query { handlers: me(), ..whole() }),
                ("a team's", Query { handlers: us(), ..whole() }),
                ("a team's in a category", Query { handlers: us(), category: late(), ..whole() }),
                ("of a level", Query { level: Some(Level::FIRST), ..whole() }),
                ("of a level that is rare", Query { level: Some(level(3)), ..whole() }),
                ("of a category", Query { category: late(), ..whole() }),
                ("of a category in a level", Query { category: late(), level: Some(level(2)), ..whole() }),
                ("closed in a category", Query { category: late(), statuses: closed(), ..whole() }),
                ("queued in a category of none", Query { category: late(), statuses: queued(), ..whole() }),
                ("of a customer", Query { customer: CustomerId::new("john@example.org").ok(), ..whole() }),
                ("promised soon", Query { promised_before: at(1_001_000), ..whole() }),
                (
                    "promised soon at a level",
                    Query { promised_before: at(1_001_000), level: Some(level(3)), ..whole() },
                ),
            ]);
            if sort != Sort::Deadline {
                let days = Query { received_from: at(5_000), received_before: at(7_000), ..whole() };
                asked.push(("of some days in a category", Query { category: late(), ..days.clone() }));
                asked.push(("of some days", days));
            }
        }
        asked.push(("search", Query { text: Some("kettle".into()), ..whole(scope, Sort::Relevance) }));
    }
    let mut statements = Vec::new();
    for (name, query) in asked {
        let id = "00000000-0000-0000-0000-000000002710".parse().unwrap();
        let key = match query.sort {
            Sort::Newest => -10_000_000_000,
            Sort::Oldest => 10_000_000_000,
            Sort::Deadline => i64::MAX,
            Sort::Relevance => Query::ranked_key(0, 10_000_000_000),
        };
        let after = Cursor { sort: query.sort, key, id };
        let sought = Sought::of(&query, dialect);
        for rank in sought.ranks(&query) {
            let found = Found { sought: &sought, rank };
            for (page_of, after) in [("first", None), ("next", Some(after))] {
                let told =
                    |how: &str| format!("{name}, {:?}, {:?}, {rank:?}, {page_of}, {how}", query.scope, query.sort);
                statements.push((told("collected"), page(dialect, &query, &found, after, 26)));
                if query.text.is_some() {
                    statements.push((told("walked"), walk(dialect, &query, &found, after, STRETCH * 26, 26)));
                }
            }
        }
    }
    for scope in staff.iter().chain([&john]) {
        statements.push((format!("counts, {scope:?}"), counts::of_scope(dialect, scope)));
    }
    statements
}
