//! How fast the core (routing has a bench of its own) and the SQLite store are: medians of many rounds, in one run.
//!
//! Run it with `cargo bench --bench core`. It ends with lines `figure NAME VALUE UNIT`. Nothing is asserted: a slow
//! machine is not a fault.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use complaint_core::clock::{IdSource, RandomIds};
use complaint_core::id::ComplaintId;
use complaint_core::lifecycle::{Command, CommandName, Context, decide, evolve, replay, submit};
use complaint_core::routing::{Need, route};
use complaint_core::store::MemoryStore;
use complaint_core::testing::{ManualClock, samples};
use complaint_core::{Actor, Agent, Complaint, Desk};
use complaint_store_sqlx::SqliteStore;
use measure::{ROUNDS, figure, median, median_nanos, now};

#[path = "../complaint-core/tests/proof/house.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the proofs use more of it, and unwrap as tests do")]
mod house;
mod measure;
#[path = "../complaint-core/tests/proof/oracle.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the proofs use more of it, and unwrap as tests do")]
mod oracle;
#[path = "../complaint-core/tests/proof/spoilings.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the proofs use more of it, and unwrap as tests do")]
mod spoilings;
#[path = "../complaint-core/tests/proof/stages.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the proofs use more of it, and unwrap as tests do")]
mod stages;

fn main() {
    submitting();
    commands();
    replaying();
    for (name, value, unit) in submissions() {
        figure(&name, value, unit);
    }
}

/// What a complaint costs to be made, without a store.
fn submitting() {
    let policy = samples::policy();
    let context = Context::new(&policy, now());
    let john = Actor::customer("john").expect("a key");
    let id = ComplaintId::from_uuid(RandomIds.next_id(now()));
    let nanos = median_nanos(ROUNDS, 200, || {
        let submission = black_box(samples::broken_kettle());
        black_box(submit(id, RandomIds.next_reference(), &submission, &john, &context)).expect("allowed");
    });
    figure("decide_submit", nanos, "ns");
}

/// Each command at the first place of the proofs where somebody may give it: decided, and decided and applied.
fn commands() {
    let policy = house::policy();
    let mut places: BTreeMap<CommandName, (stages::Stage, Actor, Command)> = BTreeMap::new();
    for stage in stages::stages(&policy) {
        for (_, actor) in stages::actors(&stage.complaint) {
            for name in CommandName::ALL {
                let fits = || {
                    let command = spoilings::well_given(&stage, &actor, *name).command;
                    let other = Some(&stage.other);
                    stage.world.decide(&stage.complaint, &actor, &command, other).is_ok().then_some(command)
                };
                if !places.contains_key(name)
                    && let Some(command) = fits()
                {
                    places.insert(*name, (stage.clone(), actor.clone(), command));
                }
            }
        }
    }
    let mut decided = Vec::new();
    for (name, (stage, actor, command)) in &places {
        let need = Need::of(&stage.complaint);
        let routing = match &command.input().agent {
            Some(agent) => house::by_hand(&stage.complaint, agent, stage.world.now),
            None => route(&need, &house::roster(), stage.world.now),
        };
        let context = Context::new(&stage.world.policy, stage.world.now)
            .handler_available(stage.world.handler_available)
            .other(&stage.other)
            .routed(&routing);
        let decision = || decide(black_box(&stage.complaint), command, actor, &context).expect("allowed");
        let nanos = median_nanos(ROUNDS, 200, || {
            black_box(decision());
        });
        decided.push(nanos);
        figure(&format!("decide_{}", name.name()), nanos, "ns");
        let applied = median_nanos(ROUNDS, 200, || {
            black_box(decision().iter().fold(stage.complaint.clone(), evolve));
        });
        figure(&format!("decide_and_evolve_{}", name.name()), applied, "ns");
    }
    figure("decide_commands", f64::from(u32::try_from(decided.len()).expect("few")), "commands");
    figure("decide_slowest", decided.iter().copied().fold(0.0, f64::max), "ns");
    figure("decide_median_of_commands", median(decided), "ns");
}

/// A log of a hundred messages, read from its beginning.
fn replaying() {
    let mut world = house::World::new(house::policy());
    let mut state = world.begun("sarah");
    for _ in 0..100 {
        state = world.text(&state, &house::customer("john"), CommandName::Post);
    }
    let nanos = median_nanos(ROUNDS, 20, || {
        black_box(replay(black_box(&world.log))).expect("a log");
    });
    figure("replay_per_entry", nanos / f64::from(state.entries), "ns");
    assert_eq!(replay(&world.log), Ok(state));
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
            let median = median(times);
            figures.push((format!("submit_{name}_median"), median * 1e6, "us"));
            figures.push((format!("submit_{name}_one_client"), 1.0 / median, "per_s"));
        }
        figures
    })
}

fn desk(store: impl complaint_core::store::Store + 'static) -> Desk {
    Desk::new(store, samples::policy()).with_clock(Arc::new(ManualClock::at(now())))
}
