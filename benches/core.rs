//! How fast the core (routing has a bench of its own) and the SQLite store are: medians of many rounds, in one run.
//!
//! Run it with `cargo bench --bench core`. It ends with lines `figure NAME VALUE UNIT`. Nothing is asserted: a slow
//! machine is not a fault.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use complaint_core::agent::Member;
use complaint_core::clock::{IdSource, RandomIds};
use complaint_core::id::ComplaintId;
use complaint_core::lifecycle::{Command, CommandName, Context, begin, decide, evolve, replay, submit};
use complaint_core::policy::Category;
use complaint_core::routing::{Need, Roster, route};
use complaint_core::store::MemoryStore;
use complaint_core::testing::ManualClock;
use complaint_core::{Actor, Agent, Complaint, Desk, Policy};
use complaint_store_sqlx::SqliteStore;

const ROUNDS: usize = 51;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).expect("in range")
}

/// The median time of one call, over rounds of `times` calls each.
fn median_nanos(times: u32, mut call: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            (0..times).for_each(|_| call());
            started.elapsed().as_secs_f64() * 1e9 / f64::from(times)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} {value:.1} {unit}");
}

fn main() {
    let policy = Policy::standard().with_category(Category::named("Damaged goods").expect("a name"));
    let mut figures: Vec<(String, f64, &str)> = Vec::new();

    // One command: decided, and its entry applied.
    let john = Actor::customer("john").expect("a key");
    let sarah = Agent::named("sarah", "Sarah").expect("a name").skilled_in(["damaged goods"]);
    let submission = Complaint::about("Damaged goods", "Broken kettle", "The lid is cracked.").expect("a key");
    let id = ComplaintId::from_uuid(RandomIds.next_id(now()));
    let context = Context::new(&policy, now());
    let first = submit(id, RandomIds.next_reference(), &submission, &john, &context).expect("allowed");
    let nanos = median_nanos(200, || {
        black_box(submit(id, RandomIds.next_reference(), black_box(&submission), &john, &context)).expect("allowed");
    });
    figures.push(("submit_decide".into(), nanos, "ns"));
    let queued = begin(&first).expect("a submission");
    let members = vec![Member { agent: sarah.clone(), workload: 0, last_assigned_at: None }];
    let roster = Roster::of(members, &policy);
    let routing = route(&Need::of(&queued), &roster, now());
    let assign = Command::plain(CommandName::Assign);
    let assigned = decide(&queued, &assign, &Actor::system(), &context.routed(&routing)).expect("allowed");
    let held = assigned.iter().fold(queued.clone(), evolve);
    let command = Command::plain(CommandName::Begin);
    let handler = Actor::agent(&sarah);
    let nanos = median_nanos(500, || {
        let entries = decide(black_box(&held), &command, &handler, &context).expect("allowed");
        black_box(entries.iter().fold(held.clone(), evolve));
    });
    figures.push(("begin_decide_and_evolve".into(), nanos, "ns"));

    // A log of a hundred messages.
    let mut log = vec![first];
    log.extend(assigned);
    let mut state = held;
    for _ in 0..100 {
        let message = Command::with_text(CommandName::Post, "Is there any news?");
        let entries = decide(&state, &message, &john, &context).expect("allowed");
        state = entries.iter().fold(state, evolve);
        log.extend(entries);
    }
    let nanos = median_nanos(20, || {
        black_box(replay(black_box(&log))).expect("a log");
    });
    figures.push(("replay_per_entry".into(), nanos / f64::from(u32::try_from(log.len()).expect("few")), "ns"));

    figures.extend(submissions());
    for (name, value, unit) in figures {
        figure(&name, value, unit);
    }
}

/// Whole submissions (decided, acknowledged, routed, committed) one after the other: in memory, and durable on SQLite.
fn submissions() -> Vec<(String, f64, &'static str)> {
    const COUNT: u32 = 300;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("bench.db").display());
        let sqlite = SqliteStore::open(&url).await.expect("a file");
        sqlite.migrate().await.expect("tables");
        let mut figures = Vec::new();
        let desks = [("memory", desk(MemoryStore::new())), ("sqlite", desk(sqlite))];
        for (name, desk) in desks {
            let agent = Agent::named("sarah", "Sarah").expect("a name").skilled_in(["damaged goods"]);
            desk.enrol(agent.with_capacity(100_000)).await.expect("kept");
            let mut times = Vec::new();
            for number in 0..COUNT {
                let customer = desk.acting_as(Actor::customer(format!("c{number}")).expect("a key"));
                let complaint =
                    Complaint::about("Damaged goods", "Broken kettle", "The lid is cracked.").expect("a key");
                let started = Instant::now();
                customer.submit(complaint).await.expect("accepted");
                times.push(started.elapsed().as_secs_f64());
            }
            times.sort_by(f64::total_cmp);
            let median = times[times.len() / 2];
            figures.push((format!("submit_{name}_median"), median * 1e6, "us"));
            figures.push((format!("submit_{name}_one_client"), 1.0 / median, "per_s"));
        }
        figures
    })
}

fn desk(store: impl complaint_core::store::Store + 'static) -> Desk {
    let policy = Policy::standard().with_category(Category::named("Damaged goods").expect("a name"));
    Desk::new(store, policy).with_clock(Arc::new(ManualClock::at(now())))
}
