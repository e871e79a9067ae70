//! Many complaints at once: what is best for all of them together.
//!
//! The plan starts as the router would do it one by one, the most urgent first. Then **chains of moves** improve it
//! until none does: a complaint goes to somebody, one of that agent's goes to somebody else, and so on, found breadth
//! first. A chain moves complaints of one weight, so that only its ends change what anybody holds. That is the
//! cycle-cancelling algorithm for a minimum-cost flow (Klein 1967) on the graph of kinds and agents, where all inner
//! arcs cost nothing because the cost sits at the agents alone.
//!
//! Considered and not taken: the Hungarian algorithm or a network simplex on complaints × agents (ten million arcs for
//! a batch that this does in milliseconds, and no use of the one-by-one plan), and linear programming (a dependency).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use chrono::{DateTime, Utc};

use super::bits::Bits;
use super::route::{by_share, count, with_room};
use super::router::Router;
use super::{Candidate, Need, Roster, Routing};
use crate::agent::Member;
use crate::id::AgentId;

/// How often the plan is gone through from end to end. Far more than was ever needed; a batch must end.
const ROUNDS_MAX: usize = 64;

/// Routes many waiting complaints together.
///
/// The **cost** of a plan is what waiting costs and what imbalance costs:
///
/// - a complaint that nobody gets costs its [urgency](Need::urgency), times the heaviest weight in the batch;
/// - each unit of an agent's workload costs the share of their capacity that is used with it: the third unit of an
///   agent with room for ten costs 0.3. So the next unit costs least with whom the router would choose, and it is never
///   better to let a complaint wait that somebody has room for.
///
/// The answer is
///
/// - **never costlier than one by one**, the most urgent first or as they came: it starts from each order where they could
///   end differently, every step makes it cheaper, and the best is taken;
/// - **of least cost**, where all complaints of the batch weigh the same and none has a preferred superior: then no
///   chain of moves is left, and a flow without a cycle of negative cost is optimal;
/// - with **unequal weights** (which contains bin packing, so nobody has an exact answer in reasonable time) without any
///   bound that could be proved: the best of three starts, by urgency, by urgency per weight and as they came, improved
///   until no chain within one weight helps, nor room made at its end, nor packing one agent's work anew against what
///   waits, nor up to three complaints of any weights that change places, one after the other, for one that waits. How near
///   that comes was seen in 4000 random small batches with urgencies as [`Need::as_of`] gives them, held against every
///   possible plan: the worst cost 1.1 times the optimum. A single one can be far from it, as waiting costs hundreds
///   of times what imbalance does: where two agents would have to exchange several complaints at once before something
///   fits. In a large batch the search for who changes places ends early.
///
/// A preferred superior who is eligible when their turn comes keeps the complaint: that is a rule, not a cost.
///
/// Two batches of equal content in equal order give equal answers. It takes about as long as choosing one by one, plus,
/// for each improving chain, a pass over kinds × agents / 64.
///
/// ```
/// use complaint_core::Agent;
/// use complaint_core::agent::Member;
/// use complaint_core::id::{Level, Skill};
/// use complaint_core::routing::{Need, Roster, route_batch};
///
/// let member = |id, skills: &[&'static str]| -> Result<_, Box<dyn std::error::Error>> {
///     let agent = Agent::named(id, id)?.skilled_in(skills.iter().copied()).with_capacity(1);
///     Ok(Member { agent, workload: 0, last_assigned_at: None })
/// };
/// let members = vec![member("asha", &["gas", "water"])?, member("ben", &["water"])?];
/// let roster = Roster { members, ..Roster::default() };
/// // One by one Asha would get the first, about water, and nobody were left for gas.
/// let needs = ["water", "gas"].map(|it| Need { skills: Skill::new(it).into_iter().collect(), ..Need::at(Level::FIRST) });
/// let batch = route_batch(&needs, &roster, chrono::DateTime::UNIX_EPOCH);
/// assert_eq!(batch.chosen(0).map(|agent| agent.as_str()), Some("ben"));
/// assert_eq!(batch.chosen(1).map(|agent| agent.as_str()), Some("asha"));
/// assert_eq!((batch.waiting(), batch.cost()), (0, 2.0)); // each holds all that they have room for
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn route_batch<'a>(needs: &'a [Need], roster: &'a Roster, now: DateTime<Utc>) -> Batch<'a> {
    let unequal = needs.iter().any(|need| need.weight != needs[0].weight);
    let mut batch = improved(needs, Router::new(roster, now), |need| (u64::from(need.urgency.max(1)), 1));
    let mut try_also = |first: fn(&Need) -> (u64, u32)| {
        let other = improved(needs, Router::new(roster, now), first);
        if other.cost() < batch.cost() {
            batch = other;
        }
    };
    if unequal {
        try_also(|need| (u64::from(need.urgency.max(1)), need.weight));
    }
    if unequal || needs.iter().any(|need| need.preferred.is_some()) {
        try_also(|_| (1, 1)); // as they came
    }
    batch
}

/// The plan that begins one by one in the order of the greatest share first, and is improved as far as it can be.
fn improved<'a>(needs: &'a [Need], router: Router<'a>, first: impl Fn(&Need) -> (u64, u32)) -> Batch<'a> {
    let mut order: Vec<u32> = (0..count(needs.len())).collect();
    order.sort_by(|a, b| by_share(first(&needs[*b as usize]), first(&needs[*a as usize])));
    let mut plan = Plan::one_by_one(needs, &order, router);
    for _ in 0..ROUNDS_MAX {
        let placed = plan.place_the_waiting();
        let packed = plan.pack_anew();
        let levelled = plan.level_out();
        // With one weight, levelling out opens no room to those who wait: all that their chains reach is full.
        if plan.weights.len() < 2 || !(placed || packed || levelled || plan.exchange()) {
            break;
        }
    }
    Batch { needs, router: plan.router, holders: plan.holders }
}

/// What became of a batch. Complaints are named by their place in it.
///
/// Example: [`route_batch`].
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    needs: &'a [Need],
    router: Router<'a>,
    holders: Vec<Option<u32>>,
}

impl<'a> Batch<'a> {
    /// Who gets a complaint; `None` when it waits on.
    ///
    /// # Panics
    /// If the batch has no such complaint.
    pub fn chosen(&self, complaint: usize) -> Option<&AgentId> {
        self.holders[complaint].map(|seat| self.router.id(seat))
    }

    /// How many wait on.
    pub fn waiting(&self) -> usize {
        self.holders.iter().filter(|holder| holder.is_none()).count()
    }

    /// Why, on demand: a batch of thousands explains only what is kept. The workloads are those of the whole plan
    /// without this complaint. The best five are listed, the chosen one among them, and the rest is counted; everybody:
    /// [`Batch::candidates`].
    ///
    /// # Panics
    /// If the batch has no such complaint.
    pub fn routing(&self, complaint: usize) -> Routing {
        let (need, holder) = (&self.needs[complaint], self.holders[complaint]);
        self.router.explain(need, holder, Some(count(self.needs.len())))
    }

    /// Everybody, explained, as [`candidates`](super::candidates()) does it, with the workloads that [`Batch::routing`] names;
    /// that one lists the best few and counts the rest.
    ///
    /// # Panics
    /// If the batch has no such complaint.
    pub fn candidates(&self, complaint: usize) -> Vec<Candidate> {
        let (need, holder) = (&self.needs[complaint], self.holders[complaint]);
        let holder = holder.map(|seat| self.router.id(seat));
        self.router.candidates_as(need, |seat| {
            let own = if holder == Some(&seat.member.agent.id) { need.weight } else { 0 };
            (seat.workload.saturating_sub(own), seat.member.last_assigned_at)
        })
    }

    /// Who gets a complaint, as the roster has them; `None` when it waits.
    pub(crate) fn member(&self, complaint: usize) -> Option<&'a Member> {
        self.holders[complaint].map(|seat| self.router.seats[seat as usize].member)
    }

    /// What the plan costs, as [`route_batch`] counts it.
    pub fn cost(&self) -> f64 {
        let heaviest = f64::from(heaviest(self.needs));
        let waits =
            |(need, holder): (&Need, &Option<u32>)| holder.is_none().then(|| f64::from(need.urgency.max(1)) * heaviest);
        let waiting: f64 = self.needs.iter().zip(&self.holders).filter_map(waits).sum();
        let seats = self.router.seats.iter();
        waiting + seats.map(|seat| burden(seat.workload, seat.capacity)).sum::<f64>()
    }
}

/// What a workload costs: each unit of it the share of the capacity that is used with it.
fn burden(workload: u32, capacity: u32) -> f64 {
    f64::from(workload) * (f64::from(workload) + 1.0) / 2.0 / f64::from(capacity.max(1))
}

fn heaviest(needs: &[Need]) -> u32 {
    needs.iter().map(|need| need.weight).max().unwrap_or(1).max(1)
}

/// The most room for which an agent's work is packed anew, so that the table stays small; among much more work than that, a
/// complaint more or less is found by the chains.
const PACKED_MAX: u32 = 256;

/// How many complaints change places at most for one that waits.
const EXCHANGED_MAX: u32 = 3;

/// How many places are looked at for such exchanges in a plan: with few agents all, while in a large batch it stays a small
/// part of the whole.
const LOOKS_MAX: u32 = 20_000;

/// What an improvement that is computed in fractions must save, so that rounding never makes two plans take turns.
const LEAST_GAIN: f64 = 1e-6;

/// Nobody: the start of a chain that begins with a waiting complaint.
const NOBODY: u32 = u32::MAX;

/// A plan that is being improved.
struct Plan<'a> {
    needs: &'a [Need],
    router: Router<'a>,
    holders: Vec<Option<u32>>,
    /// What each agent was given by this plan and may be moved again.
    given: Vec<Vec<u32>>,
    /// Which complaints have the same choice of agents.
    groups: Vec<u32>,
    open: Vec<Bits>,
    weights: BTreeSet<u32>,
    heaviest: u32,
    search: Search,
    /// What is left of [`LOOKS_MAX`].
    looks: u32,
}

/// How room is made for a complaint.
struct Way {
    /// What it costs in all; negative where it saves.
    cost: f64,
    /// What moves, and to whom; `None`: it waits.
    moves: Vec<(u32, Option<u32>)>,
}

/// By group, the complaints that wait, the most urgent first.
type Waiting = BTreeMap<u32, BTreeSet<(Reverse<u32>, u32)>>;

/// The two agents whom one more of a group costs least, as far as it was asked for.
type Cheapest = HashMap<u32, [Option<(f64, u32)>; 2]>;

/// What a search by breadth remembers.
struct Search {
    seen: Bits,
    groups: Vec<u32>,
    round: u32,
    /// Agents in the order in which they were reached.
    reached: Vec<u32>,
    /// By which complaint, taken from whom, each agent was reached.
    by: Vec<(u32, u32)>,
}

impl<'a> Plan<'a> {
    fn one_by_one(needs: &'a [Need], order: &[u32], router: Router<'a>) -> Self {
        let agents = router.seats.len();
        let search = Search {
            seen: Bits::none(agents),
            groups: Vec::new(),
            round: 0,
            reached: Vec::with_capacity(agents),
            by: vec![(0, NOBODY); agents],
        };
        let mut plan = Self {
            needs,
            router,
            holders: vec![None; needs.len()],
            given: vec![Vec::new(); agents],
            groups: vec![0; needs.len()],
            open: Vec::new(),
            weights: needs.iter().map(|need| need.weight).collect(),
            heaviest: heaviest(needs),
            search,
            looks: LOOKS_MAX,
        };
        let mut known: HashMap<(usize, Vec<u32>), u32> = HashMap::new();
        for &at in order {
            let need = &needs[at as usize];
            let kind = plan.router.kind_of(need);
            let mut barred = plan.router.barred(need);
            let holder = plan.router.best(need, kind, &barred);
            if let Some(seat) = holder {
                plan.router.load(seat, need.weight);
                if plan.router.preferred(need) != holder {
                    plan.given[seat as usize].push(at);
                }
            }
            plan.holders[at as usize] = holder;
            barred.sort_unstable();
            barred.dedup();
            plan.groups[at as usize] = *known.entry((kind, barred)).or_insert_with_key(|(_, barred)| {
                plan.open.push(plan.router.open_to(need, barred));
                count(plan.open.len() - 1)
            });
        }
        plan.search.groups = vec![0; plan.open.len()];
        plan
    }

    fn urgency(&self, complaint: u32) -> u32 {
        self.needs[complaint as usize].urgency.max(1)
    }

    fn weight(&self, complaint: u32) -> u32 {
        self.needs[complaint as usize].weight
    }

    /// Finds somebody for those who wait, the most urgent first: through a chain that ends where there is room, else
    /// in the place of somebody less urgent.
    ///
    /// With unequal weights room is made, too. One that stays without success closes its group for this round, as all
    /// others of it are no more urgent. Where all weigh the same it closes everything that its chains reach, for good:
    /// nobody there has room or holds anything less urgent, and what is no more urgent than it cannot change that.
    fn place_the_waiting(&mut self) -> bool {
        let mut placed = false;
        let mut closed = vec![false; self.open.len()];
        let all = (0..count(self.needs.len())).filter(|at| self.holders[*at as usize].is_none());
        let mut waiting: BinaryHeap<(u32, Reverse<u32>)> = all.map(|at| (self.urgency(at), Reverse(at))).collect();
        while let Some((urgency, Reverse(at))) = waiting.pop() {
            if closed[self.groups[at as usize] as usize] {
                continue;
            }
            let weight = self.weight(at);
            self.reach_from(at);
            if let Some(end) = self.least_loaded(weight) {
                self.move_along(end, NOBODY);
                self.router.seats[end as usize].workload += weight;
                placed = true;
            } else if let Some((less, from)) = self.least_urgent(weight).filter(|(it, _)| self.urgency(*it) < urgency) {
                self.take(less, from);
                self.move_along(from, NOBODY);
                waiting.push((self.urgency(less), Reverse(less)));
                placed = true;
            } else if self.weights.len() < 2 {
                let round = self.search.round;
                for (closed, _) in closed.iter_mut().zip(&self.search.groups).filter(|(_, it)| **it == round) {
                    *closed = true;
                }
            } else if let Some(displaced) = self.make_room(at) {
                waiting.extend(displaced.into_iter().map(|it| (self.urgency(it), Reverse(it))));
                placed = true;
            } else {
                closed[self.groups[at as usize] as usize] = true;
            }
        }
        placed
    }

    /// Gives a waiting complaint to somebody, through the chain by which they were just reached. What the last one of it
    /// holds of other weights then goes elsewhere or waits in its stead, if that costs less in all. Answers with those
    /// that wait now.
    fn make_room(&mut self, complaint: u32) -> Option<Vec<u32>> {
        let mut cheapest = HashMap::new();
        let reached = self.search.reached.iter();
        let ways = reached.filter_map(|seat| self.way_to_make_room(complaint, *seat, &mut cheapest));
        let (seat, way) = ways.min_by(|a, b| a.1.cost.total_cmp(&b.1.cost)).filter(|it| it.1.cost < -LEAST_GAIN)?;
        let mut displaced = Vec::new();
        for (moved, to) in way.moves {
            self.remove(moved, seat);
            match to {
                Some(to) => self.put(moved, to),
                None => displaced.push(moved),
            }
        }
        self.move_along(seat, NOBODY);
        self.router.seats[seat as usize].workload += self.weight(complaint);
        Some(displaced)
    }

    /// How one more of a complaint's weight could go to somebody who has no room for it: what costs least by weight moves
    /// first, until there is room.
    fn way_to_make_room(&self, complaint: u32, seat: u32, cheapest: &mut Cheapest) -> Option<(u32, Way)> {
        let it = &self.router.seats[seat as usize];
        let mut lacking = it.workload.checked_add(self.weight(complaint))?.checked_sub(it.capacity)?;
        let mut options: Vec<(f64, u32, Option<u32>)> = self.given[seat as usize]
            .iter()
            .map(|moved| {
                let (cost, to) = self.elsewhere(*moved, seat, cheapest);
                (cost, *moved, to)
            })
            .collect();
        let per_weight = |option: &(f64, u32, Option<u32>)| option.0 / f64::from(self.weight(option.1).max(1));
        options.sort_by(|a, b| per_weight(a).total_cmp(&per_weight(b)).then(a.1.cmp(&b.1)));
        let mut left = it.workload;
        let mut way = Way { cost: -self.waiting_costs(complaint), moves: Vec::new() };
        for (cost, moved, to) in options {
            if lacking == 0 {
                break;
            }
            // Each was priced alone: of two that would go to the same agent only the first does.
            let taken = to.is_some() && way.moves.iter().any(|(_, other)| *other == to);
            let (cost, to) = if taken { (self.waiting_costs(moved), None) } else { (cost, to) };
            lacking = lacking.saturating_sub(self.weight(moved));
            left -= self.weight(moved);
            way.cost += cost;
            way.moves.push((moved, to));
        }
        way.cost += burden(left.saturating_add(self.weight(complaint)), it.capacity) - burden(it.workload, it.capacity);
        (lacking == 0).then_some((seat, way))
    }

    /// What it costs at least when a complaint is not with its holder, and who has it then; `None`: it waits.
    fn elsewhere(&self, complaint: u32, holder: u32, cheapest: &mut Cheapest) -> (f64, Option<u32>) {
        let group = self.groups[complaint as usize];
        let two = cheapest.entry(group).or_insert_with(|| self.cheapest_two(group, self.weight(complaint)));
        let other = two.iter().flatten().find(|(_, seat)| *seat != holder);
        let waiting = self.waiting_costs(complaint);
        other.filter(|(cost, _)| *cost < waiting).map_or((waiting, None), |(cost, seat)| (*cost, Some(*seat)))
    }

    /// The two agents who have room and whom one more of a group costs least.
    fn cheapest_two(&self, group: u32, weight: u32) -> [Option<(f64, u32)>; 2] {
        let mut two: [Option<(f64, u32)>; 2] = [None, None];
        for seat in self.open[group as usize].iter() {
            let it = &self.router.seats[seat as usize];
            if let Some(after) = with_room(it.workload, weight, it.capacity) {
                let cost = burden(after, it.capacity) - burden(it.workload, it.capacity);
                if two[0].is_none_or(|(least, _)| cost < least) {
                    two = [Some((cost, seat)), two[0]];
                } else if two[1].is_none_or(|(least, _)| cost < least) {
                    two[1] = Some((cost, seat));
                }
            }
        }
        two
    }

    fn waiting_costs(&self, complaint: u32) -> f64 {
        f64::from(self.urgency(complaint)) * f64::from(self.heaviest)
    }

    fn put(&mut self, complaint: u32, seat: u32) {
        self.given[seat as usize].push(complaint);
        self.holders[complaint as usize] = Some(seat);
        self.router.seats[seat as usize].workload += self.weight(complaint);
    }

    fn remove(&mut self, complaint: u32, seat: u32) {
        self.take(complaint, seat);
        self.router.seats[seat as usize].workload -= self.weight(complaint);
    }

    /// Finds a place for those who still wait, the most urgent first, by complaints of any weights that change places.
    fn exchange(&mut self) -> bool {
        let mut waiting: Vec<u32> =
            (0..count(self.needs.len())).filter(|at| self.holders[*at as usize].is_none()).collect();
        waiting.sort_by_key(|at| Reverse(self.urgency(*at)));
        let mut exchanged = false;
        for at in waiting {
            let saved = self.waiting_costs(at);
            exchanged |= (1..=EXCHANGED_MAX).any(|moves| self.seat(at, saved, moves));
        }
        exchanged
    }

    /// Gives a complaint that nobody holds to somebody with room, or in the place of one that then is given to somebody
    /// likewise, so many times at most; the last may wait instead. Nothing is changed unless that costs less than is `saved`
    /// by then.
    fn seat(&mut self, complaint: u32, saved: f64, moves: u32) -> bool {
        if saved > self.waiting_costs(complaint) + LEAST_GAIN {
            return true;
        }
        let seats: Vec<u32> = self.open[self.groups[complaint as usize] as usize].iter().collect();
        for seat in seats {
            let Some(looks) = self.looks.checked_sub(1) else { return false };
            self.looks = looks;
            let it = &self.router.seats[seat as usize];
            let (workload, capacity) = (it.workload, it.capacity);
            let left = |after: u32| saved - (burden(after, capacity) - burden(workload, capacity));
            if let Some(after) = with_room(workload, self.weight(complaint), capacity) {
                if left(after) > LEAST_GAIN {
                    self.put(complaint, seat);
                    return true;
                }
                continue;
            }
            let held = if moves > 0 { self.given[seat as usize].clone() } else { Vec::new() };
            for other in held {
                let without = workload - self.weight(other);
                let Some(after) = with_room(without, self.weight(complaint), capacity) else { continue };
                self.remove(other, seat);
                self.put(complaint, seat);
                if self.seat(other, left(after), moves - 1) {
                    return true;
                }
                self.remove(complaint, seat);
                self.put(other, seat);
            }
        }
        false
    }

    /// Lets each agent hold, of what they were given and what waits for somebody like them, what is worth most: one that
    /// waits seldom outweighs a heavy one that is held, but two may.
    fn pack_anew(&mut self) -> bool {
        let mut waiting = Waiting::new();
        for at in (0..count(self.needs.len())).filter(|at| self.holders[*at as usize].is_none()) {
            waiting.entry(self.groups[at as usize]).or_default().insert((Reverse(self.urgency(at)), at));
        }
        let mut ever = false;
        if self.weights.len() > 1 {
            for seat in 0..count(self.given.len()) {
                ever |= self.pack_anew_for(seat, &mut waiting);
            }
        }
        ever
    }

    fn pack_anew_for(&mut self, seat: u32, waiting: &mut Waiting) -> bool {
        let it = &self.router.seats[seat as usize];
        let (workload, capacity) = (it.workload, it.capacity);
        let held = self.given[seat as usize].clone();
        let fixed = held.iter().fold(workload, |left, at| left.saturating_sub(self.weight(*at)));
        let room = capacity.saturating_sub(fixed).min(PACKED_MAX);
        let mut fitting: BTreeMap<u32, Vec<(Reverse<u32>, u32)>> = BTreeMap::new();
        for (_, those) in waiting.iter().filter(|(group, _)| self.open[**group as usize].holds(seat)) {
            let Some((_, one)) = those.first() else { continue };
            let weight = self.weight(*one);
            let most = room.checked_div(weight).unwrap_or(0) as usize;
            fitting.entry(weight).or_default().extend(those.iter().take(most));
        }
        let mut choice = held.clone();
        for (weight, mut those) in fitting {
            those.sort_unstable();
            those.truncate(room.checked_div(weight).unwrap_or(0) as usize);
            choice.extend(those.iter().map(|(_, at)| *at));
        }
        if choice.len() == held.len() || workload - fixed > room {
            return false;
        }
        let costs = |left_waiting: u64, workload: u32| {
            #[expect(clippy::cast_precision_loss, reason = "a sum of few urgencies")]
            let waiting = left_waiting as f64 * f64::from(self.heaviest);
            waiting + burden(workload, capacity)
        };
        let urgency = |those: &[u32]| those.iter().map(|at| u64::from(self.urgency(*at))).sum::<u64>();
        let all = urgency(&choice);
        let items: Vec<(u32, u64)> = choice.iter().map(|at| (self.weight(*at), self.urgency(*at).into())).collect();
        let (kept, least) = packed(&items, room, |worth, weight| costs(all - worth, fixed + weight));
        if least > costs(all - urgency(&held), workload) - LEAST_GAIN {
            return false;
        }
        for (at, keep) in choice.into_iter().zip(kept) {
            let place = (Reverse(self.urgency(at)), at);
            let those = waiting.entry(self.groups[at as usize]).or_default();
            match (self.holders[at as usize].is_some(), keep) {
                (true, false) => {
                    those.insert(place);
                    self.remove(at, seat);
                }
                (false, true) => {
                    those.remove(&place);
                    self.put(at, seat);
                }
                _ => {}
            }
        }
        true
    }

    /// Moves work from those who have much for their capacity to those who have little, through chains.
    fn level_out(&mut self) -> bool {
        let mut ever = false;
        for _ in 0..ROUNDS_MAX {
            let mut improved = false;
            for weight in self.weights.clone() {
                improved |= self.level_out_of(weight);
            }
            ever |= improved;
            if !improved {
                break;
            }
        }
        ever
    }

    fn level_out_of(&mut self, weight: u32) -> bool {
        let mut improved = false;
        let has_some = |plan: &Self, seat: &u32| plan.given[*seat as usize].iter().any(|it| plan.weight(*it) == weight);
        let mut order: Vec<u32> = (0..count(self.given.len())).filter(|seat| has_some(self, seat)).collect();
        order.sort_by(|a, b| by_share(self.saved(*b, weight), self.saved(*a, weight)));
        // What the cheapest place costs that could be reached from here at least, where it was looked at already:
        // what somebody reaches who was reached, was reached too.
        let mut at_least: Vec<Option<(u64, u32)>> = vec![None; self.given.len()];
        for from in order {
            loop {
                let saved = self.saved(from, weight);
                if at_least[from as usize].is_some_and(|least| by_share(saved, least).is_le()) || !has_some(self, &from)
                {
                    break;
                }
                self.reach_from_agent(from, weight);
                let end = self.least_loaded(weight);
                let least = end.map_or((u64::MAX, 1), |end| self.added(end, weight));
                match end {
                    Some(end) if by_share(least, saved).is_lt() => {
                        self.move_along(end, from);
                        self.router.seats[end as usize].workload += weight;
                        self.router.seats[from as usize].workload -= weight;
                        improved = true;
                    }
                    _ => {
                        self.search.reached.iter().for_each(|seat| at_least[*seat as usize] = Some(least));
                        break;
                    }
                }
            }
        }
        improved
    }

    /// What giving a complaint of this weight to somebody adds to the cost: a fraction of their capacity, times a
    /// factor that is the same for all of one weight.
    fn added(&self, seat: u32, weight: u32) -> (u64, u32) {
        let it = &self.router.seats[seat as usize];
        (2 * u64::from(it.workload) + u64::from(weight) + 1, it.capacity)
    }

    /// What taking one from them saves, likewise.
    fn saved(&self, seat: u32, weight: u32) -> (u64, u32) {
        let it = &self.router.seats[seat as usize];
        ((2 * u64::from(it.workload) + 1).saturating_sub(weight.into()), it.capacity)
    }

    fn reach_from(&mut self, complaint: u32) {
        self.search.begin();
        self.expand(complaint, NOBODY);
        self.reach_on(self.weight(complaint));
    }

    fn reach_from_agent(&mut self, seat: u32, weight: u32) {
        self.search.begin();
        self.search.seen.insert(seat);
        self.search.reached.push(seat);
        self.reach_on(weight);
    }

    fn reach_on(&mut self, weight: u32) {
        let mut at = 0;
        while let Some(seat) = self.search.reached.get(at).copied() {
            at += 1;
            for place in 0..self.given[seat as usize].len() {
                let complaint = self.given[seat as usize][place];
                if self.weight(complaint) == weight {
                    self.expand(complaint, seat);
                }
            }
        }
    }

    /// Reaches everybody who could take a complaint; once for all that have the same choice.
    fn expand(&mut self, complaint: u32, from: u32) {
        let group = self.groups[complaint as usize] as usize;
        let Search { seen, groups, round, reached, by } = &mut self.search;
        if groups[group] == *round {
            return;
        }
        groups[group] = *round;
        seen.add_telling(&self.open[group], |seat| {
            reached.push(seat);
            by[seat as usize] = (complaint, from);
        });
    }

    /// Of those reached, whom one more of this weight costs least.
    fn least_loaded(&self, weight: u32) -> Option<u32> {
        let has_room = |seat: &&u32| {
            let it = &self.router.seats[**seat as usize];
            with_room(it.workload, weight, it.capacity).is_some()
        };
        let reached = self.search.reached.iter().filter(has_room).copied();
        reached.min_by(|a, b| by_share(self.added(*a, weight), self.added(*b, weight)).then(a.cmp(b)))
    }

    /// Of what those reached hold, the least urgent of this weight, and who holds it.
    fn least_urgent(&self, weight: u32) -> Option<(u32, u32)> {
        let held = self.search.reached.iter().flat_map(|seat| self.given[*seat as usize].iter().map(|it| (*it, *seat)));
        held.filter(|(it, _)| self.weight(*it) == weight).min_by_key(|(it, _)| (self.urgency(*it), Reverse(*it)))
    }

    /// Moves every complaint on the way to `end` one on; the way begins with `start`.
    fn move_along(&mut self, end: u32, start: u32) {
        let mut to = end;
        while to != start {
            let (complaint, from) = self.search.by[to as usize];
            if from != NOBODY {
                self.take(complaint, from);
            }
            self.given[to as usize].push(complaint);
            self.holders[complaint as usize] = Some(to);
            to = from;
        }
    }

    fn take(&mut self, complaint: u32, from: u32) {
        self.given[from as usize].retain(|it| *it != complaint);
        self.holders[complaint as usize] = None;
    }
}

/// The knapsack: which of these, by weight and worth, together cost least within the room; and what they cost.
fn packed(items: &[(u32, u64)], room: u32, costs: impl Fn(u64, u32) -> f64) -> (Vec<bool>, f64) {
    // After each item the greatest worth of exactly each weight.
    let mut rows: Vec<Vec<Option<u64>>> = vec![vec![None; room as usize + 1]];
    rows[0][0] = Some(0);
    for (weight, worth) in items {
        let before = &rows[rows.len() - 1];
        let with = |at: usize| before[at.checked_sub(*weight as usize)?].map(|it| it + worth);
        rows.push((0..before.len()).map(|at| before[at].max(with(at))).collect());
    }
    let filled = (0..=room).zip(&rows[items.len()]);
    let ends = filled.filter_map(|(weight, worth)| worth.map(|worth| (weight, costs(worth, weight))));
    let (mut weight, least) = ends.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::INFINITY));
    let mut kept = vec![false; items.len()];
    for (at, (own, _)) in items.iter().enumerate().rev() {
        if rows[at][weight as usize] != rows[at + 1][weight as usize] {
            kept[at] = true;
            weight -= own;
        }
    }
    (kept, least)
}

impl Search {
    fn begin(&mut self) {
        self.seen.clear();
        self.reached.clear();
        self.round += 1;
    }
}
