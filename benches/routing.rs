//! How fast routing is, and how good: medians of many rounds, in one run.
//!
//! Run it with `cargo bench --bench routing`. It ends with lines `figure NAME VALUE UNIT`. Nothing is asserted: a slow
//! machine is not a fault.

use std::collections::VecDeque;
use std::hint::black_box;

use chrono::TimeDelta;
use complaint_core::Agent;
use complaint_core::agent::Member;
use complaint_core::id::{Area, Level, Skill};
use complaint_core::routing::{Need, Roster, Router, route, route_batch};
use measure::{ROUNDS, figure, median, median_nanos, now, seconds};

#[path = "../complaint-core/tests/proof/flow.rs"]
mod flow;
mod measure;

/// The same numbers in every run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

/// Agents of one level with one to four of twenty skills; half of them serve one of five areas, the rest everywhere.
fn roster(agents: u64, dice: &mut Dice) -> Roster {
    let member = |number: u64, dice: &mut Dice| {
        let mut agent = Agent::named(format!("a{number:05}"), "Agent").expect("a name");
        agent = agent.with_capacity(u32::try_from(6 + dice.below(11)).expect("small"));
        for _ in 0..=dice.below(4) {
            agent.skills.insert(skill(dice));
        }
        if dice.below(2) == 0 {
            agent.areas.insert(area(dice));
        }
        let last_assigned_at = Some(now() - TimeDelta::minutes(i64::try_from(dice.below(5000)).expect("small")));
        Member { workload: u32::try_from(dice.below(3)).expect("small"), last_assigned_at, agent }
    };
    Roster { members: (0..agents).map(|number| member(number, dice)).collect(), ..Roster::default() }
}

fn skill(dice: &mut Dice) -> Skill {
    // Some matters come up more often than others.
    let (a, b) = (dice.below(20), dice.below(20));
    Skill::new(format!("skill {}", a.min(b))).expect("a key")
}

fn area(dice: &mut Dice) -> Area {
    Area::new(format!("area {}", dice.below(5))).expect("a key")
}

fn need(dice: &mut Dice) -> Need {
    let urgency = [1, 2, 4, 8][usize::try_from(dice.below(4)).expect("small")];
    Need { skills: [skill(dice)].into(), area: Some(area(dice)), urgency, ..Need::at(Level::FIRST) }
}

fn main() {
    one_by_one();
    for (name, complaints) in [("roomy", 5_000), ("full", 10_000), ("short", 14_000)] {
        batch(name, complaints);
    }
}

/// One decision, by the number of agents: a look at everybody, and the index.
fn one_by_one() {
    let mut before = None;
    for agents in [10_u32, 100, 1_000, 10_000] {
        let mut dice = Dice(u64::from(agents));
        let roster = roster(agents.into(), &mut dice);
        let needs: Vec<Need> = (0..1_000).map(|_| need(&mut dice)).collect();
        let mut turn = needs.iter().cycle();
        let scan = median_nanos(ROUNDS, 20, || {
            black_box(route(turn.next().expect("endless"), &roster, now()));
        });
        figure(&format!("route_scan_{agents}_agents"), scan, "ns");
        // Each decision is carried out, so the next one finds the index changed. A round is a complaint for each agent.
        let round: Vec<&Need> = needs.iter().cycle().take(agents as usize).collect();
        let times = (0..ROUNDS).map(|_| {
            let mut index = Router::new(&roster, now());
            for need in &needs {
                black_box(index.choose(need));
            }
            let whole = seconds(|| {
                for need in &round {
                    if let Some(agent) = index.choose(need) {
                        index.assign(agent, need.weight);
                    }
                }
            });
            whole * 1e9 / f64::from(agents)
        });
        let median = median(times.collect());
        figure(&format!("route_index_{agents}_agents"), median, "ns");
        // The same with as many complaints finished as given, the oldest first.
        let mut index = Router::new(&roster, now());
        let mut held = VecDeque::new();
        let finishing = median_nanos(ROUNDS, 1_000, || {
            let need = turn.next().expect("endless");
            if let Some(agent) = index.choose(need) {
                index.assign(agent, need.weight);
                held.push_back(agent);
            }
            if held.len() > agents as usize
                && let Some(agent) = held.pop_front()
            {
                index.give_back(agent, 1);
            }
        });
        figure(&format!("route_index_and_finish_{agents}_agents"), finishing, "ns");
        if let Some(before) = before {
            figure(&format!("route_index_growth_to_{agents}_agents"), median / before, "x");
        }
        before = Some(median);
        let prepared = median_nanos(ROUNDS, 1, || {
            black_box(Router::new(&roster, now()));
        });
        figure(&format!("prepare_index_{agents}_agents"), prepared / 1e3, "us");
    }
}

/// Many at once, and what the plan costs against the least there is.
fn batch(name: &str, complaints: u32) {
    let mut dice = Dice(7);
    let roster = roster(1_000, &mut dice);
    let needs: Vec<Need> = (0..complaints).map(|_| need(&mut dice)).collect();
    let nanos = median_nanos(ROUNDS, 1, || {
        black_box(route_batch(&needs, &roster, now()));
    });
    figure(&format!("batch_{name}_{complaints}_by_1000"), nanos / 1e6, "ms");
    let plan = route_batch(&needs, &roster, now());
    figure(&format!("batch_{name}_waiting"), f64::from(u32::try_from(plan.waiting()).expect("few")), "complaints");
    let mut optimum = 0;
    let exact = seconds(|| optimum = flow::optimum(&needs, &roster, now()));
    figure(&format!("batch_{name}_exact_flow"), exact * 1e3, "ms");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let optimum = optimum as f64 / flow::UNIT as f64;
    figure(&format!("batch_{name}_cost_to_optimum"), plan.cost() / optimum, "x");
    // Weights of 1 to 3 fill the same agents with half as many complaints.
    let half = needs.into_iter().step_by(2);
    let mixed: Vec<Need> = half.map(|need| Need { weight: 1 + need.urgency % 3, ..need }).collect();
    let nanos = median_nanos(5, 1, || {
        black_box(route_batch(&mixed, &roster, now()));
    });
    figure(&format!("batch_{name}_mixed_{}_by_1000", mixed.len()), nanos / 1e6, "ms");
}
