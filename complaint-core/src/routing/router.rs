//! The same choice as [`route`](super::route()) from an index, for complaints that come one after the other.
//!
//! Complaints that ask for the same (level, skills, area, language, weight) are of one **kind**. Who may take a kind is
//! the union of at most four disjoint **pools**: who serves the area or everywhere, times who speaks the language or
//! has none recorded. So somebody who serves everywhere stands in one pool, not in one per area. A pool is a heap in
//! the order of preference, made when it is first asked for, and repaired when it is looked at: giving somebody a
//! complaint can only worsen their place, so an entry that is out of date is never too far down, and is put right when
//! it comes to the top. Where a place improves (work goes back, an absence ends) the pools get a new entry, and the old
//! ones are known by their **epoch**.

use std::cmp::{Ordering, Reverse};
use std::collections::binary_heap::PeekMut;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};

use super::bits::Bits;
use super::route::{candidate, count, with_room};
use super::{Candidate, Need, Roster, Routing, is_generalist};
use crate::agent::{Concern, Member};
use crate::id::{AgentId, Area, Language, Level, Skill};

/// The most kinds of complaints an index remembers; beyond it begins anew.
const KINDS_MAX: usize = 4096;
/// The most candidates an explanation from the index lists: the chosen one and who came next.
const LISTED_MAX: usize = 5;

/// A roster prepared once, so that one decision costs about the logarithm of its length instead of a look at everybody.
///
/// Chooses exactly whom [`route`](super::route()) would choose from the roster as it is after all that was
/// [assigned](Router::assign) and [returned](Router::give_back) since. Prepare a new one when the agents themselves
/// change.
///
/// ```
/// use complaint_core::Agent;
/// use complaint_core::agent::Member;
/// use complaint_core::id::Level;
/// use complaint_core::routing::{Need, Roster, Router};
///
/// let member = |id| -> Result<_, Box<dyn std::error::Error>> {
///     Ok(Member { agent: Agent::named(id, id)?.with_capacity(1), workload: 0, last_assigned_at: None })
/// };
/// let roster = Roster { members: vec![member("asha")?, member("ben")?], ..Roster::default() };
/// let mut router = Router::new(&roster, chrono::DateTime::UNIX_EPOCH);
/// let need = Need::at(Level::FIRST);
/// for expected in [Some("asha"), Some("ben"), None] {
///     let chosen = router.choose(&need);
///     assert_eq!(chosen.map(|agent| agent.as_str()), expected);
///     if let Some(agent) = chosen {
///         router.assign(agent, need.weight);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Router<'a> {
    roster: &'a Roster,
    now: DateTime<Utc>,
    /// In the order of their ids, so that comparing places compares ids.
    pub(super) seats: Vec<Seat<'a>>,
    facts: Facts<'a>,
    kinds: Vec<Kind>,
    /// The numbers of kinds by a print of what they ask for.
    known: HashMap<u64, Vec<usize>>,
    /// The number of the first kind: those before were forgotten, and a number is never used again.
    first: usize,
    pools: Vec<Pool>,
    /// The pools that each agent stands in; apart from the seats, which are small and read millions of times.
    stands_in: Vec<Vec<u32>>,
    pooled: HashMap<PoolKey, usize>,
}

/// An agent and what changes of them.
#[derive(Debug, Clone)]
pub(super) struct Seat<'a> {
    pub(super) member: &'a Member,
    pub(super) workload: u32,
    /// As the member has it, but near at hand.
    pub(super) capacity: u32,
    last: Instant,
    epoch: u32,
}

/// When somebody was last given a complaint, in nanoseconds since 1970: one number, so that comparing is quick. Never
/// is before all else; what lies beyond the years 1677 to 2262 counts as their end.
type Instant = i64;

fn instant(at: Option<DateTime<Utc>>) -> Instant {
    let end = |at: DateTime<Utc>| if at < DateTime::UNIX_EPOCH { Instant::MIN + 1 } else { Instant::MAX };
    at.map_or(Instant::MIN, |at| at.timestamp_nanos_opt().unwrap_or_else(|| end(at)))
}

/// Who has what, turned around. Only looked up in, never walked through, so its order cannot show.
#[derive(Debug, Clone)]
struct Facts<'a> {
    levels: BTreeMap<Level, Bits>,
    enabled: Bits,
    /// Enabled, and none of the three below.
    there: Bits,
    absent: Bits,
    off_shift: Bits,
    unknown_shift: Bits,
    skilled: HashMap<&'a Skill, Vec<u32>>,
    generalists: Bits,
    serving: HashMap<&'a Area, Vec<u32>>,
    everywhere: Bits,
    speaking: HashMap<&'a Language, Vec<u32>>,
    unrecorded: Bits,
    conflicted: HashMap<&'a Concern, Vec<u32>>,
}

#[derive(Debug, Clone)]
struct Kind {
    level: Level,
    skills: BTreeSet<Skill>,
    area: Option<Area>,
    language: Option<Language>,
    weight: u32,
    pools: Vec<usize>,
}

/// What those who stand in a pool have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PoolKey {
    level: Level,
    skills: BTreeSet<Skill>,
    area: Part<Area>,
    language: Part<Language>,
    weight: u32,
}

/// One side of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part<T> {
    /// It is not asked for.
    Any,
    /// Exactly this is theirs.
    With(T),
    /// Nothing is recorded, which is as good.
    Unrecorded,
}

#[derive(Debug, Clone)]
struct Pool {
    weight: u32,
    members: usize,
    heap: BinaryHeap<Reverse<Place>>,
}

/// An agent's place in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    after: u32,
    capacity: u32,
    last: Instant,
    seat: u32,
    epoch: u32,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        // As `by_share`, in half as many bits.
        let product = |part: u32, capacity: u32| u64::from(part) * u64::from(capacity.max(1));
        product(self.after, other.capacity)
            .cmp(&product(other.after, self.capacity))
            .then(self.last.cmp(&other.last))
            .then(self.seat.cmp(&other.seat))
            .then(self.epoch.cmp(&other.epoch))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> Router<'a> {
    /// Prepares a roster as it is at an instant.
    pub fn new(roster: &'a Roster, now: DateTime<Utc>) -> Self {
        let mut seats: Vec<Seat<'a>> = roster
            .members
            .iter()
            .map(|member| Seat {
                member,
                workload: member.workload,
                capacity: member.agent.capacity,
                last: instant(member.last_assigned_at),
                epoch: 0,
            })
            .collect();
        seats.sort_by(|a, b| a.member.agent.id.cmp(&b.member.agent.id));
        let facts = Facts::of(&seats, roster, now);
        let stands_in = vec![Vec::new(); seats.len()];
        Self {
            roster,
            now,
            seats,
            facts,
            kinds: Vec::new(),
            known: HashMap::new(),
            first: 0,
            pools: Vec::new(),
            stands_in,
            pooled: HashMap::new(),
        }
    }

    /// Who gets a complaint; `None` when nobody fits. Nothing is given yet: see [`Router::assign`].
    pub fn choose(&mut self, need: &Need) -> Option<&'a AgentId> {
        let kind = self.kind_of(need);
        let barred = self.barred(need);
        self.best(need, kind, &barred).map(|seat| self.id(seat))
    }

    /// As [`Router::choose`], explained: the best few, and how many were not eligible for which reason. The explanation
    /// looks at everybody who has the expertise.
    pub fn route(&mut self, need: &Need) -> Routing {
        let kind = self.kind_of(need);
        let barred = self.barred(need);
        let chosen = self.best(need, kind, &barred);
        self.explain(need, chosen, None)
    }

    /// Everybody, explained, as [`candidates`](super::candidates()) does it, after all that was assigned and returned since.
    pub fn candidates(&self, need: &Need) -> Vec<Candidate> {
        let last = |seat: &Seat<'_>| match seat.member.last_assigned_at {
            at if seat.last == instant(at) => at,
            _ => Some(DateTime::from_timestamp_nanos(seat.last)),
        };
        self.candidates_as(need, |seat| (seat.workload, last(seat)))
    }

    /// Everybody, explained, with workloads and last assignments as they are told.
    pub(super) fn candidates_as(
        &self,
        need: &Need,
        held: impl Fn(&Seat<'_>) -> (u32, Option<DateTime<Utc>>),
    ) -> Vec<Candidate> {
        let member = |seat: &Seat<'_>| {
            let (workload, last_assigned_at) = held(seat);
            Member { agent: seat.member.agent.clone(), workload, last_assigned_at }
        };
        let roster = Roster { members: self.seats.iter().map(member).collect(), shifts: self.roster.shifts.clone() };
        super::candidates(need, &roster, self.now)
    }

    /// Somebody was given a complaint of this weight, now.
    pub fn assign(&mut self, agent: &AgentId, weight: u32) {
        if let Some(seat) = self.seat(agent) {
            self.load(seat, weight);
        }
    }

    /// A complaint of this weight is no longer with somebody.
    ///
    /// ```
    /// use complaint_core::Agent;
    /// use complaint_core::agent::Member;
    /// use complaint_core::id::Level;
    /// use complaint_core::routing::{Need, Roster, Router};
    ///
    /// let asha = Agent::named("asha", "Asha Rao")?.with_capacity(1);
    /// let member = Member { agent: asha.clone(), workload: 1, last_assigned_at: None };
    /// let roster = Roster { members: vec![member], ..Roster::default() };
    /// let mut router = Router::new(&roster, chrono::DateTime::UNIX_EPOCH);
    /// assert_eq!(router.choose(&Need::at(Level::FIRST)), None);
    /// router.give_back(&asha.id, 1);
    /// assert_eq!(router.choose(&Need::at(Level::FIRST)), Some(&asha.id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn give_back(&mut self, agent: &AgentId, weight: u32) {
        if let Some(seat) = self.seat(agent) {
            let it = &mut self.seats[seat as usize];
            it.workload = it.workload.saturating_sub(weight);
            self.improved(seat);
        }
    }

    /// Moves on to another instant: absences and shifts begin and end.
    pub fn at(&mut self, now: DateTime<Utc>) {
        let before = self.facts.there.clone();
        self.now = now;
        self.facts.look_at_the_clock(&self.seats, self.roster, now);
        let back: Vec<u32> = self.facts.there.iter().filter(|seat| !before.holds(*seat)).collect();
        for seat in back {
            self.improved(seat);
        }
    }

    pub(super) fn id(&self, seat: u32) -> &'a AgentId {
        &self.seats[seat as usize].member.agent.id
    }

    pub(super) fn load(&mut self, seat: u32, weight: u32) {
        let it = &mut self.seats[seat as usize];
        it.workload = it.workload.saturating_add(weight);
        it.last = instant(Some(self.now));
        if weight == 0 {
            // The share stays, so a clock that went back may have improved the place.
            self.improved(seat);
        }
    }

    /// The number of the kind that a complaint is of; kinds are told apart by all that [`Kind::asks_as`] compares.
    pub(super) fn kind_of(&mut self, need: &Need) -> usize {
        let mut hasher = DefaultHasher::new();
        (need.level, need.weight, &need.area, &need.language, &need.skills).hash(&mut hasher);
        let print = hasher.finish();
        let known = self.known.get(&print).into_iter().flatten();
        if let Some(kind) = known.copied().find(|kind| self.kind(*kind).asks_as(need)) {
            return kind;
        }
        if self.kinds.len() >= KINDS_MAX {
            self.forget();
        }
        let mut pools = Vec::new();
        for area in parts(&need.area) {
            for language in parts(&need.language) {
                let key = PoolKey {
                    level: need.level,
                    skills: need.skills.clone(),
                    area: area.clone(),
                    language,
                    weight: need.weight,
                };
                pools.push(self.pool_of(key));
            }
        }
        let number = self.first + self.kinds.len();
        self.kinds.push(Kind {
            level: need.level,
            skills: need.skills.clone(),
            area: need.area.clone(),
            language: need.language.clone(),
            weight: need.weight,
            pools,
        });
        self.known.entry(print).or_default().push(number);
        number
    }

    fn pool_of(&mut self, key: PoolKey) -> usize {
        if let Some(pool) = self.pooled.get(&key) {
            return *pool;
        }
        let number = self.pools.len();
        let (mut members, mut places) = (0, Vec::new());
        for seat in self.facts.pool(&key, self.seats.len()).iter() {
            self.stands_in[seat as usize].push(count(number));
            places.extend(self.place(key.weight, seat).map(Reverse));
            members += 1;
        }
        self.pools.push(Pool { weight: key.weight, members, heap: places.into() });
        self.pooled.insert(key, number);
        number
    }

    fn forget(&mut self) {
        self.first += self.kinds.len();
        self.kinds.clear();
        self.known.clear();
        self.pools.clear();
        self.pooled.clear();
        self.stands_in.iter_mut().for_each(Vec::clear);
    }

    fn kind(&self, number: usize) -> &Kind {
        &self.kinds[number - self.first]
    }

    /// Whom the complaint itself rules out.
    pub(super) fn barred(&self, need: &Need) -> Vec<u32> {
        let mut barred: Vec<u32> = need.excluded.iter().filter_map(|(agent, _)| self.seat(agent)).collect();
        if !self.facts.conflicted.is_empty() {
            barred.extend(need.concerns.iter().filter_map(|it| self.facts.conflicted.get(it)).flatten());
        }
        barred
    }

    pub(super) fn preferred(&self, need: &Need) -> Option<u32> {
        need.preferred.as_ref().and_then(|agent| self.seat(agent))
    }

    /// Who is there and may take a complaint, with or without room for it.
    pub(super) fn open_to(&self, need: &Need, barred: &[u32]) -> Bits {
        let mut open = self.facts.fit(need, self.seats.len());
        open.keep(&self.facts.there);
        for seat in barred {
            open.remove(*seat);
        }
        open
    }

    /// Who is best placed for a complaint of this kind.
    pub(super) fn best(&mut self, need: &Need, kind: usize, barred: &[u32]) -> Option<u32> {
        if let Some(seat) = self.preferred(need)
            && !barred.contains(&seat)
            && self.place(need.weight, seat).is_some()
            && self.facts.fit(need, self.seats.len()).holds(seat)
        {
            return Some(seat);
        }
        let mut pools = std::mem::take(&mut self.pools);
        let best = self.kind(kind).pools.iter().filter_map(|pool| self.first_of(&mut pools[*pool], barred)).min();
        self.pools = pools;
        best.map(|place| place.seat)
    }

    /// Who stands first in a pool, after what is out of date at its top was put right.
    fn first_of(&self, pool: &mut Pool, barred: &[u32]) -> Option<Place> {
        let mut aside = Vec::new();
        let first = loop {
            let Some(mut top) = pool.heap.peek_mut() else { break None };
            let seat = top.0.seat;
            match self.place(pool.weight, seat) {
                Some(place) if place.epoch == top.0.epoch => {
                    if place != top.0 {
                        top.0 = place;
                    } else if barred.contains(&seat) {
                        aside.push(PeekMut::pop(top));
                    } else {
                        break Some(place);
                    }
                }
                _ => {
                    PeekMut::pop(top);
                }
            }
        };
        pool.heap.extend(aside);
        first
    }

    /// Why `chosen` gets a complaint. `together` counts the complaints of the batch, if it is from one: then the chosen
    /// agent's workload holds it already.
    pub(super) fn explain(&self, need: &Need, chosen: Option<u32>, together: Option<u32>) -> Routing {
        let barred = self.barred(need);
        let preferred = self.preferred(need);
        let before = |seat: u32| {
            let it = &self.seats[seat as usize];
            match together {
                Some(_) if chosen == Some(seat) => it.workload.saturating_sub(need.weight),
                _ => it.workload,
            }
        };
        let last_assigned = |seat: u32| {
            let it = &self.seats[seat as usize];
            let roster = it.member.last_assigned_at;
            if together.is_some() || it.last == instant(roster) {
                roster
            } else {
                Some(DateTime::from_timestamp_nanos(it.last))
            }
        };
        let place = |seat: u32| {
            let it = &self.seats[seat as usize];
            let after = before(seat).saturating_add(need.weight);
            let last = if together.is_some() { instant(it.member.last_assigned_at) } else { it.last };
            let place = Place { after, capacity: it.capacity, last, seat, epoch: 0 };
            (preferred != Some(seat), place)
        };
        let has_room =
            |(_, place): &(bool, Place)| with_room(before(place.seat), need.weight, place.capacity).is_some();
        let open = self.open_to(need, &barred);
        let mut eligible: Vec<(bool, Place)> = open.iter().map(place).filter(has_room).collect();
        let number = eligible.len();
        let own = chosen.map(place);
        let rank = own.map(|own| count(eligible.iter().filter(|it| **it < own).count()) + 1);
        if number > LISTED_MAX {
            eligible.select_nth_unstable(LISTED_MAX - 1);
            eligible.truncate(LISTED_MAX);
        }
        eligible.sort_unstable();
        let mut listed: Vec<(u32, u32)> = (1..).zip(eligible.iter().map(|(_, place)| place.seat)).collect();
        if let (Some(rank), Some(seat)) = (rank, chosen)
            && rank as usize > LISTED_MAX
        {
            listed.truncate(LISTED_MAX - 1);
            listed.push((rank, seat));
        }
        let candidates: Vec<_> = listed
            .into_iter()
            .map(|(rank, seat)| {
                let mut candidate = candidate(need, self.seats[seat as usize].member, Some(rank), Vec::new());
                candidate.workload = before(seat);
                candidate.last_assigned_at = last_assigned(seat);
                candidate
            })
            .collect();

        let mut refused = self.facts.refusals(need, self.seats.len());
        let everybody = (0..count(self.seats.len())).map(place);
        refused.push(("no_capacity", count(everybody.filter(|it| !has_room(it)).count())));
        let in_conflict: BTreeSet<u32> =
            need.concerns.iter().filter_map(|it| self.facts.conflicted.get(it)).flatten().copied().collect();
        refused.push(("conflict", count(in_conflict.len())));
        let excluded = need.excluded.iter().filter(|(agent, _)| self.seat(agent).is_some());
        refused.extend(excluded.map(|(_, why)| (why.code(), 1)));
        let mut counts = BTreeMap::new();
        for (code, number) in refused.into_iter().filter(|(_, number)| *number > 0) {
            *counts.entry(code.to_owned()).or_default() += number;
        }
        Routing {
            chosen: chosen.map(|seat| self.id(seat).clone()),
            by_hand: false,
            others: count(self.seats.len() - candidates.len()),
            candidates,
            weight: need.weight,
            eligible: count(number),
            refused: counts,
            together: together.filter(|number| *number > 1).unwrap_or(0),
        }
    }

    fn seat(&self, agent: &AgentId) -> Option<u32> {
        let found = self.seats.binary_search_by(|seat| seat.member.agent.id.cmp(agent)).ok()?;
        u32::try_from(found).ok()
    }

    /// The place of somebody who is there and has room.
    fn place(&self, weight: u32, seat: u32) -> Option<Place> {
        let it = &self.seats[seat as usize];
        let after = with_room(it.workload, weight, it.capacity)?;
        let place = Place { after, capacity: it.capacity, last: it.last, seat, epoch: it.epoch };
        self.facts.there.holds(seat).then_some(place)
    }

    fn improved(&mut self, seat: u32) {
        let it = &mut self.seats[seat as usize];
        it.epoch = it.epoch.wrapping_add(1);
        for at in 0..self.stands_in[seat as usize].len() {
            let number = self.stands_in[seat as usize][at] as usize;
            let place = self.place(self.pools[number].weight, seat);
            let (pool, seats) = (&mut self.pools[number], &self.seats);
            pool.heap.extend(place.map(Reverse));
            // Entries of earlier epochs may lie too deep ever to come up.
            if pool.heap.len() > 2 * pool.members + 16 {
                pool.heap.retain(|Reverse(place)| place.epoch == seats[place.seat as usize].epoch);
            }
        }
    }
}

fn parts<T: Clone>(asked: &Option<T>) -> Vec<Part<T>> {
    match asked {
        Some(asked) => vec![Part::With(asked.clone()), Part::Unrecorded],
        None => vec![Part::Any],
    }
}

impl Kind {
    fn asks_as(&self, need: &Need) -> bool {
        self.level == need.level
            && self.weight == need.weight
            && self.area == need.area
            && self.language == need.language
            && self.skills == need.skills
    }
}

impl<'a> Facts<'a> {
    fn of(seats: &[Seat<'a>], roster: &'a Roster, now: DateTime<Utc>) -> Self {
        let none = Bits::none(seats.len());
        let mut facts = Self {
            levels: BTreeMap::new(),
            enabled: none.clone(),
            there: none.clone(),
            absent: none.clone(),
            off_shift: none.clone(),
            unknown_shift: none.clone(),
            skilled: HashMap::new(),
            generalists: none.clone(),
            serving: HashMap::new(),
            everywhere: none.clone(),
            speaking: HashMap::new(),
            unrecorded: none.clone(),
            conflicted: HashMap::new(),
        };
        for (at, seat) in (0_u32..).zip(seats) {
            let agent = &seat.member.agent;
            facts.levels.entry(agent.level).or_insert_with(|| none.clone()).insert(at);
            let yes_or_no = [
                (agent.enabled, &mut facts.enabled),
                (is_generalist(seat.member), &mut facts.generalists),
                (agent.areas.is_empty(), &mut facts.everywhere),
                (agent.languages.is_empty(), &mut facts.unrecorded),
            ];
            yes_or_no.into_iter().filter(|(is, _)| *is).for_each(|(_, bits)| bits.insert(at));
            agent.skills.iter().for_each(|it| facts.skilled.entry(it).or_default().push(at));
            agent.areas.iter().for_each(|it| facts.serving.entry(it).or_default().push(at));
            agent.languages.iter().for_each(|it| facts.speaking.entry(it).or_default().push(at));
            agent.conflicts.iter().for_each(|it| facts.conflicted.entry(it).or_default().push(at));
        }
        facts.look_at_the_clock(seats, roster, now);
        facts
    }

    fn look_at_the_clock(&mut self, seats: &[Seat<'a>], roster: &'a Roster, now: DateTime<Utc>) {
        let open: BTreeMap<&str, bool> =
            roster.shifts.iter().map(|(name, calendar)| (name.as_str(), calendar.is_open(now))).collect();
        [&mut self.absent, &mut self.off_shift, &mut self.unknown_shift].into_iter().for_each(Bits::clear);
        for (at, seat) in (0_u32..).zip(seats) {
            let agent = &seat.member.agent;
            if agent.enabled && !agent.is_available(now) {
                self.absent.insert(at);
            }
            match agent.shift.as_deref().filter(|_| agent.enabled).map(|shift| open.get(shift)) {
                Some(None) => self.unknown_shift.insert(at),
                Some(Some(false)) => self.off_shift.insert(at),
                Some(Some(true)) | None => {}
            }
        }
        self.there.clone_from(&self.enabled);
        for away in [&self.absent, &self.off_shift, &self.unknown_shift] {
            self.there.drop(away);
        }
    }

    fn at_level(&self, level: Level, length: usize) -> Bits {
        self.levels.get(&level).cloned().unwrap_or_else(|| Bits::none(length))
    }

    fn with_skills(&self, skills: &BTreeSet<Skill>, length: usize) -> Bits {
        let mut skilled = Bits::all(length);
        for skill in skills {
            let mut having = having(&self.skilled, skill, length);
            having.add(&self.generalists);
            skilled.keep(&having);
        }
        skilled
    }

    fn in_area(&self, area: &Option<Area>, length: usize) -> Bits {
        asked_or_unrecorded(&self.serving, &self.everywhere, area, length)
    }

    fn in_language(&self, language: &Option<Language>, length: usize) -> Bits {
        asked_or_unrecorded(&self.speaking, &self.unrecorded, language, length)
    }

    /// Who has the level, skills, area and language.
    fn fit(&self, need: &Need, length: usize) -> Bits {
        let mut fit = self.at_level(need.level, length);
        fit.keep(&self.with_skills(&need.skills, length));
        fit.keep(&self.in_area(&need.area, length));
        fit.keep(&self.in_language(&need.language, length));
        fit
    }

    fn pool(&self, key: &PoolKey, length: usize) -> Bits {
        let mut pool = self.at_level(key.level, length);
        pool.keep(&self.with_skills(&key.skills, length));
        pool.keep(&part(&self.serving, &self.everywhere, &key.area, length));
        pool.keep(&part(&self.speaking, &self.unrecorded, &key.language, length));
        pool
    }

    /// How many agents are refused for each reason that is no matter of workload or of the one complaint.
    fn refusals(&self, need: &Need, length: usize) -> Vec<(&'static str, u32)> {
        let without = |bits: &Bits| count(length) - bits.count();
        vec![
            ("disabled", without(&self.enabled)),
            ("absent", self.absent.count()),
            ("off_shift", self.off_shift.count()),
            ("unknown_shift", self.unknown_shift.count()),
            ("other_level", without(&self.at_level(need.level, length))),
            ("lacks_skills", without(&self.with_skills(&need.skills, length))),
            ("other_area", without(&self.in_area(&need.area, length))),
            ("other_language", without(&self.in_language(&need.language, length))),
        ]
    }
}

fn having<T: Eq + Hash>(lists: &HashMap<&T, Vec<u32>>, asked: &T, length: usize) -> Bits {
    Bits::of(length, lists.get(asked).map_or(&[], Vec::as_slice))
}

fn part<T: Eq + Hash>(lists: &HashMap<&T, Vec<u32>>, unrecorded: &Bits, part: &Part<T>, length: usize) -> Bits {
    match part {
        Part::Any => Bits::all(length),
        Part::With(asked) => having(lists, asked, length),
        Part::Unrecorded => unrecorded.clone(),
    }
}

fn asked_or_unrecorded<T: Eq + Hash>(
    lists: &HashMap<&T, Vec<u32>>,
    unrecorded: &Bits,
    asked: &Option<T>,
    length: usize,
) -> Bits {
    let Some(asked) = asked else { return Bits::all(length) };
    let mut bits = having(lists, asked, length);
    bits.add(unrecorded);
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Agent;
    use crate::routing::route;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn roster(last_assigned: &[(&str, Option<&str>)]) -> Roster {
        let member = |(id, last): &(&str, Option<&str>)| Member {
            agent: Agent::named(*id, id).unwrap().with_capacity(10_000),
            workload: 0,
            last_assigned_at: last.map(|at| at.parse().unwrap()),
        };
        Roster { members: last_assigned.iter().map(member).collect(), ..Roster::default() }
    }

    fn weighing(weight: u32) -> Need {
        Need { weight, ..Need::at(Level::FIRST) }
    }

    #[test]
    fn who_was_given_something_earlier_goes_first_in_any_century() {
        let earliest_first =
            [None, Some("1600-01-01T00:00:00Z"), Some("1700-01-01T00:00:00Z"), Some("2300-01-01T00:00:00Z")];
        for pair in earliest_first.windows(2) {
            // The id speaks for the other one.
            let staff = roster(&[("a", pair[1]), ("b", pair[0])]);
            let chosen = Router::new(&staff, NOW).choose(&weighing(1)).cloned();
            assert_eq!(chosen.as_ref().map(AgentId::as_str), Some("b"), "{pair:?}");
            assert_eq!(chosen, route(&weighing(1), &staff, NOW).chosen);
        }
    }

    #[test]
    fn no_more_kinds_are_remembered_than_fit_and_no_number_is_used_again() {
        let staff = roster(&[("a", None)]);
        let mut router = Router::new(&staff, NOW);
        let mut numbers = BTreeSet::new();
        for weight in 0..=count(KINDS_MAX) {
            let number = router.kind_of(&weighing(weight));
            assert_eq!(router.kind_of(&weighing(weight)), number);
            assert!(numbers.insert(number), "{number} was of another kind");
            let first = numbers.first().copied();
            assert!(weight == count(KINDS_MAX) || Some(router.kind_of(&weighing(0))) == first, "forgotten at {weight}");
        }
        assert_eq!((router.kinds.len(), router.pools.len(), router.known.len(), router.pooled.len()), (1, 1, 1, 1));
        assert_eq!(router.stands_in, [[0]]);
        assert!(numbers.insert(router.kind_of(&weighing(0))), "the first one was forgotten");
        assert_eq!(router.choose(&weighing(0)).map(AgentId::as_str), Some("a"));
    }

    #[test]
    fn work_that_comes_and_goes_leaves_no_heap_behind() {
        let staff = roster(&[("a", None), ("b", None)]);
        let mut router = Router::new(&staff, NOW);
        let chosen = router.choose(&weighing(1)).unwrap();
        for _ in 0..100 {
            router.give_back(chosen, 1);
            assert!(router.pools[0].heap.len() <= 20, "{} places of two agents", router.pools[0].heap.len());
        }
        assert_eq!(router.choose(&weighing(1)).map(AgentId::as_str), Some("a"));
    }

    #[test]
    fn who_was_given_something_weightless_before_all_others_by_a_clock_put_back_goes_first() {
        let staff = roster(&[("a", Some("2026-11-23T12:00:00Z")), ("b", Some("2026-11-23T11:00:00Z"))]);
        let mut router = Router::new(&staff, "2026-11-23T10:00:00Z".parse().unwrap());
        assert_eq!(router.choose(&weighing(0)).map(AgentId::as_str), Some("b"));
        router.assign(&AgentId::new("a").unwrap(), 0);
        assert_eq!(router.choose(&weighing(0)).map(AgentId::as_str), Some("a"));
    }

    /// By all five, and not by the hash of them alone: two kinds may share one.
    #[test]
    fn kinds_are_told_apart_by_each_thing_that_is_asked() {
        let need = weighing(1);
        let kind = Kind {
            level: need.level,
            skills: need.skills.clone(),
            area: need.area.clone(),
            language: need.language.clone(),
            weight: need.weight,
            pools: Vec::new(),
        };
        assert!(kind.asks_as(&need));
        for other in [
            Need { level: Level::FIRST.above(), ..need.clone() },
            Need { skills: BTreeSet::from(["water".parse().unwrap()]), ..need.clone() },
            Need { area: Some(Area::new("harbour").unwrap()), ..need.clone() },
            Need { language: Some("pt-BR".parse().unwrap()), ..need.clone() },
            weighing(2),
        ] {
            assert!(!kind.asks_as(&other), "{other:?}");
        }
    }
}
