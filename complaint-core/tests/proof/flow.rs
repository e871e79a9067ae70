//! The least cost that a batch of equal weights can have, by a minimum-cost flow from the textbook: successive shortest
//! paths with potentials (Edmonds and Karp 1972), over complaints grouped by what they may go to. It shares nothing
//! with the library but the rule who is eligible. The benchmark uses it too.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use chrono::{DateTime, Utc};
use complaint_core::routing::{Ineligible, Need, Roster};

/// Divisible by every capacity from 1 to 16, so that costs are whole numbers.
pub(crate) const UNIT: i64 = 720_720;

/// The least cost of a batch whose complaints all weigh the same, in [`UNIT`]s: what
/// [`route_batch`](complaint_core::routing::route_batch) counts. Capacities are 1 to 16.
pub(crate) fn optimum(needs: &[Need], roster: &Roster, now: DateTime<Utc>) -> i64 {
    let weight = needs.first().map_or(1, |need| need.weight);
    assert!(needs.iter().all(|need| need.weight == weight), "equal weights");
    let agents = roster.members.len();
    let mut groups: BTreeMap<(Vec<usize>, u32), i64> = BTreeMap::new();
    let mut asked: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for need in needs {
        let may = asked.entry(format!("{need:?}")).or_insert_with(|| may_go_to(need, roster, now));
        *groups.entry((may.clone(), need.urgency.max(1))).or_default() += 1;
    }
    let (source, sink) = (agents + groups.len(), agents + groups.len() + 1);
    let mut flow = Flow::over(sink + 1);
    let mut cost = 0;
    for (at, member) in roster.members.iter().enumerate() {
        let (workload, capacity) = (i64::from(member.workload), i64::from(member.agent.capacity.max(1)));
        let unit = |number: i64| number * UNIT / capacity;
        cost += (1..=workload).map(unit).sum::<i64>();
        let mut held = workload;
        while held + i64::from(weight) <= i64::from(member.agent.capacity) {
            let next = held + i64::from(weight);
            flow.arc(at, sink, 1, (held + 1..=next).map(unit).sum());
            held = next;
        }
    }
    for (at, ((may, urgency), number)) in groups.iter().enumerate() {
        flow.arc(source, agents + at, *number, 0);
        flow.arc(agents + at, sink, *number, i64::from(*urgency) * i64::from(weight) * UNIT);
        for agent in may {
            flow.arc(agents + at, *agent, *number, 0);
        }
    }
    cost + flow.least_cost(source, sink)
}

/// Who may get it but for room.
fn may_go_to(need: &Need, roster: &Roster, now: DateTime<Utc>) -> Vec<usize> {
    let only_room = |reasons: Vec<Ineligible>| reasons.iter().all(|it| matches!(it, Ineligible::NoCapacity { .. }));
    let members = roster.members.iter().enumerate();
    members.filter(|(_, member)| only_room(roster.eligibility(need, member, now))).map(|(at, _)| at).collect()
}

struct Flow {
    arcs: Vec<Arc>,
    leaving: Vec<Vec<usize>>,
}

/// An arc; the one behind it, of odd number, takes its flow back.
struct Arc {
    to: usize,
    room: i64,
    cost: i64,
}

impl Flow {
    fn over(nodes: usize) -> Self {
        Self { arcs: Vec::new(), leaving: vec![Vec::new(); nodes] }
    }

    fn arc(&mut self, from: usize, to: usize, room: i64, cost: i64) {
        self.leaving[from].push(self.arcs.len());
        self.arcs.push(Arc { to, room, cost });
        self.leaving[to].push(self.arcs.len());
        self.arcs.push(Arc { to: from, room: 0, cost: -cost });
    }

    /// Sends as much as there is, each unit along a cheapest way.
    fn least_cost(&mut self, source: usize, sink: usize) -> i64 {
        let mut potential = vec![0; self.leaving.len()];
        let mut total = 0;
        loop {
            let mut distance = vec![i64::MAX; self.leaving.len()];
            let mut by = vec![usize::MAX; self.leaving.len()];
            let mut next = BinaryHeap::from([Reverse((0, source))]);
            distance[source] = 0;
            while let Some(Reverse((so_far, node))) = next.pop() {
                if so_far > distance[node] {
                    continue;
                }
                for &at in &self.leaving[node] {
                    let arc = &self.arcs[at];
                    if arc.room == 0 {
                        continue;
                    }
                    let reached = so_far + arc.cost + potential[node] - potential[arc.to];
                    if reached < distance[arc.to] {
                        distance[arc.to] = reached;
                        by[arc.to] = at;
                        next.push(Reverse((reached, arc.to)));
                    }
                }
            }
            if distance[sink] == i64::MAX {
                return total;
            }
            let end = distance[sink];
            for (potential, distance) in potential.iter_mut().zip(&distance) {
                *potential += (*distance).min(end);
            }
            let mut way = Vec::new();
            let mut node = sink;
            while node != source {
                way.push(by[node]);
                node = self.arcs[by[node] ^ 1].to;
            }
            let most = way.iter().map(|at| self.arcs[*at].room).min().unwrap_or(0);
            for at in way {
                self.arcs[at].room -= most;
                self.arcs[at ^ 1].room += most;
                total += most * self.arcs[at].cost;
            }
        }
    }
}
