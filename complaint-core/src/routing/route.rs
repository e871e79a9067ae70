//! Choosing a handler: eligible first, then the least loaded, then the longest idle, then the id.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Candidate, EXPLAINED_MAX, Ineligible, Need, Roster, Routing};
use crate::agent::Member;
use crate::id::AgentId;

/// Chooses a handler and explains the choice.
///
/// The order is total: eligible agents before others; the [superior](Need::preferred) it was escalated to before the rest; then the
/// lowest share of capacity used after taking it; then whoever was given a complaint longest ago (never before
/// anybody else); then the id. Shares are compared exactly, as fractions.
///
/// ```
/// use complaint_core::Agent;
/// use complaint_core::agent::Member;
/// use complaint_core::id::{Level, Skill};
/// use complaint_core::routing::{Need, Roster, route};
///
/// let (asha, ben) = (Agent::named("asha", "Asha Rao")?.skilled_in(["water"]), Agent::named("ben", "Ben Okri")?);
/// let members = [asha, ben].map(|agent| Member { agent, workload: 0, last_assigned_at: None });
/// let roster = Roster { members: members.into(), ..Roster::default() };
/// let need = Need { skills: [Skill::new("water")?].into(), ..Need::at(Level::FIRST) };
///
/// let routing = route(&need, &roster, chrono::DateTime::UNIX_EPOCH);
/// assert_eq!(routing.candidates[0].rank, Some(1)); // Asha
/// assert_eq!(routing.candidates[1].reasons[0].message(), "lacks water"); // Ben
/// assert_eq!(routing.chosen.as_ref(), Some(&routing.candidates[0].agent));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn route(need: &Need, roster: &Roster, now: DateTime<Utc>) -> Routing {
    let Considered { eligible, refused } = Considered::of(need, roster, now);
    let (chosen, number) = (eligible.first().map(|member| member.agent.id.clone()), eligible.len());
    let mut counts: BTreeMap<&'static str, u32> = BTreeMap::new();
    for reason in refused.iter().flat_map(|(_, reasons)| reasons) {
        *counts.entry(reason.code()).or_default() += 1;
    }
    let at_the_level = |it: &Candidate| !it.reasons.iter().any(|why| matches!(why, Ineligible::OtherLevel { .. }));
    let explained = Considered { eligible, refused }.candidates(need).filter(at_the_level).take(EXPLAINED_MAX);
    let candidates: Vec<Candidate> = explained.collect();
    Routing {
        chosen,
        by_hand: false,
        others: count(roster.members.len() - candidates.len()),
        candidates,
        weight: need.weight,
        eligible: count(number),
        refused: counts.into_iter().map(|(code, count)| (code.to_owned(), count)).collect(),
        together: 0,
    }
}

/// Everybody, explained: first who is eligible, in the order in which [`route`] would choose; then who is not and works at the
/// level of the complaint, with every reason; then the agents of other levels.
///
/// An explanation that is kept ([`Routing`]) names a few and counts the rest, so that logs do not grow with the staff. This
/// one leaves nobody out; of an index or a batch: [`Router::candidates`](super::Router::candidates),
/// [`Batch::candidates`](super::Batch::candidates).
///
/// ```
/// use complaint_core::Agent;
/// use complaint_core::agent::Member;
/// use complaint_core::id::Level;
/// use complaint_core::routing::{EXPLAINED_MAX, Need, Roster, candidates, route};
///
/// let member = |number: u32| -> Result<_, Box<dyn std::error::Error>> {
///     let agent = Agent::named(format!("agent-{number}"), "Somebody")?.with_capacity(number % 3);
///     Ok(Member { agent, workload: 0, last_assigned_at: None })
/// };
/// let roster = Roster { members: (0..60).map(member).collect::<Result<_, _>>()?, ..Roster::default() };
/// let (need, now) = (Need::at(Level::FIRST), chrono::DateTime::UNIX_EPOCH);
/// let everybody = candidates(&need, &roster, now);
/// assert_eq!((everybody.len(), everybody.iter().filter(|it| it.rank.is_some()).count()), (60, 40));
/// assert_eq!(everybody[59].reasons[0].message(), "holds 0 of 0");
/// assert_eq!(route(&need, &roster, now).candidates, everybody[..EXPLAINED_MAX]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn candidates(need: &Need, roster: &Roster, now: DateTime<Utc>) -> Vec<Candidate> {
    Considered::of(need, roster, now).candidates(need).collect()
}

/// Everybody on a roster, as a complaint sees them.
struct Considered<'a> {
    /// Best first.
    eligible: Vec<&'a Member>,
    /// Those at the level of the complaint first.
    refused: Vec<(&'a Member, Vec<Ineligible>)>,
}

impl<'a> Considered<'a> {
    fn of(need: &Need, roster: &'a Roster, now: DateTime<Utc>) -> Self {
        let (mut eligible, mut refused) = (Vec::new(), Vec::new());
        for member in &roster.members {
            let reasons = roster.eligibility(need, member, now);
            if reasons.is_empty() {
                eligible.push(member);
            } else {
                refused.push((member, reasons));
            }
        }
        eligible.sort_by(|a, b| order(need, a, b));
        let place = |member: &'a Member| (member.agent.level != need.level, &member.agent.id);
        refused.sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)));
        Self { eligible, refused }
    }

    fn candidates(self, need: &Need) -> impl Iterator<Item = Candidate> {
        let eligible = (1_u32..).zip(self.eligible);
        eligible
            .map(|(rank, member)| candidate(need, member, Some(rank), Vec::new()))
            .chain(self.refused.into_iter().map(|(member, reasons)| candidate(need, member, None, reasons)))
    }
}

/// Whether one named agent can be given a complaint, chosen by a person. `over_capacity` lifts the ceiling.
pub(crate) fn route_by_hand(
    need: &Need,
    roster: &Roster,
    agent: &AgentId,
    over_capacity: bool,
    now: DateTime<Utc>,
) -> Routing {
    let mut routing = route(need, roster, now);
    let named = roster.member(agent);
    let reasons: Option<Vec<Ineligible>> = named.map(|member| {
        roster
            .eligibility(need, member, now)
            .into_iter()
            .filter(|reason| match reason {
                Ineligible::NoCapacity { .. } => !over_capacity,
                // The router looks for somebody else; a person may decide that it is theirs all the same.
                Ineligible::NotBegun | Ineligible::TakenAway => false,
                // Who works when is a person's to know: they may have agreed to stay.
                Ineligible::OffShift { .. } | Ineligible::UnknownShift { .. } => false,
                _ => true,
            })
            .collect()
    });
    routing.by_hand = true;
    routing.chosen = (reasons.as_ref().is_some_and(Vec::is_empty)).then(|| agent.clone());
    // The one that was asked about is always explained, whatever their place.
    if let (Some(member), false) = (named, routing.candidates.iter().any(|it| it.agent == *agent)) {
        routing.candidates.truncate(EXPLAINED_MAX - 1);
        routing.candidates.push(candidate(need, member, None, reasons.unwrap_or_default()));
        routing.others = count(roster.members.len() - routing.candidates.len());
    }
    routing
}

fn order(need: &Need, a: &Member, b: &Member) -> Ordering {
    let preferred = |member: &Member| need.preferred.as_ref() == Some(&member.agent.id);
    let after = |member: &Member| u64::from(member.workload) + u64::from(need.weight);
    preferred(b)
        .cmp(&preferred(a))
        .then_with(|| by_share((after(a), a.agent.capacity), (after(b), b.agent.capacity)))
        .then_with(|| a.last_assigned_at.cmp(&b.last_assigned_at))
        .then_with(|| a.agent.id.cmp(&b.agent.id))
}

/// Compares two fractions of a capacity without dividing. Nobody who has none is ever eligible for a weight; as the
/// divisor it would make every comparison a tie.
pub(super) fn by_share(a: (u64, u32), b: (u64, u32)) -> Ordering {
    let product = |part: u64, capacity: u32| u128::from(part) * u128::from(capacity.max(1));
    product(a.0, b.1).cmp(&product(b.0, a.1))
}

pub(super) fn candidate(need: &Need, member: &Member, rank: Option<u32>, reasons: Vec<Ineligible>) -> Candidate {
    Candidate {
        agent: member.agent.id.clone(),
        rank,
        workload: member.workload,
        capacity: member.agent.capacity,
        preferred: need.preferred.as_ref() == Some(&member.agent.id),
        last_assigned_at: member.last_assigned_at,
        reasons,
    }
}

/// What somebody holds with so much more, if they have room for it. Nobody has room for what cannot be counted.
pub(super) fn with_room(workload: u32, weight: u32, capacity: u32) -> Option<u32> {
    workload.checked_add(weight).filter(|after| *after <= capacity)
}

pub(super) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::agent::Agent;
    use crate::id::{Level, Skill};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn member(id: &str, skills: &[&str], workload: u32, capacity: u32, last: Option<i64>) -> Member {
        let agent = Agent::named(id, id).unwrap().skilled_in(skills.iter().copied()).with_capacity(capacity);
        Member { agent, workload, last_assigned_at: last.map(at) }
    }

    fn need(skills: &[&str]) -> Need {
        let skills = skills.iter().map(|skill| Skill::new(skill).unwrap()).collect::<BTreeSet<_>>();
        Need { skills, ..Need::at(Level::FIRST) }
    }

    fn chosen(need: &Need, members: Vec<Member>) -> Option<String> {
        route(need, &Roster { members, ..Roster::default() }, at(0)).chosen.map(String::from)
    }

    #[test]
    fn expertise_goes_before_workload() {
        let members = vec![member("idle", &["other"], 0, 10, None), member("busy", &["water"], 8, 10, None)];
        assert_eq!(chosen(&need(&["water"]), members).as_deref(), Some("busy"));
    }

    #[test]
    fn the_lowest_share_of_capacity_wins_then_the_longest_idle_then_the_id() {
        let share = vec![member("a", &[], 2, 4, None), member("b", &[], 4, 10, None)];
        assert_eq!(chosen(&need(&[]), share).as_deref(), Some("b"));
        let idle = vec![member("a", &[], 1, 4, Some(9)), member("b", &[], 1, 4, Some(3))];
        assert_eq!(chosen(&need(&[]), idle).as_deref(), Some("b"));
        let never = vec![member("a", &[], 1, 4, Some(9)), member("b", &[], 1, 4, None)];
        assert_eq!(chosen(&need(&[]), never).as_deref(), Some("b"));
        let id = vec![member("b", &[], 1, 4, None), member("a", &[], 1, 4, None)];
        assert_eq!(chosen(&need(&[]), id).as_deref(), Some("a"));
    }

    #[test]
    fn capacity_is_hard_and_the_explanation_says_so() {
        let roster = Roster { members: vec![member("full", &[], 3, 3, None)], ..Roster::default() };
        let routing = route(&need(&[]), &roster, at(0));
        assert_eq!(routing.chosen, None);
        assert_eq!(routing.candidates[0].reasons, [Ineligible::NoCapacity { workload: 3, capacity: 3 }]);
        let by_hand = route_by_hand(&need(&[]), &roster, &AgentId::new("full").unwrap(), true, at(0));
        assert_eq!(by_hand.chosen, Some(AgentId::new("full").unwrap()));
        let refused = route_by_hand(&need(&[]), &roster, &AgentId::new("full").unwrap(), false, at(0));
        assert_eq!(refused.chosen, None);
    }

    #[test]
    fn the_superior_goes_first_when_eligible() {
        let mut need = need(&[]);
        need.preferred = Some(AgentId::new("boss").unwrap());
        let members = vec![member("idle", &[], 0, 9, None), member("boss", &[], 5, 9, None)];
        assert_eq!(chosen(&need, members).as_deref(), Some("boss"));
        let full = vec![member("idle", &[], 0, 9, None), member("boss", &[], 9, 9, None)];
        assert_eq!(chosen(&need, full).as_deref(), Some("idle"));
    }

    #[test]
    fn every_reason_is_named() {
        let mut need = need(&["water"]);
        need.excluded.push((AgentId::new("a").unwrap(), Ineligible::Decided));
        let mut member = member("a", &[], 9, 9, None);
        member.agent.enabled = false;
        let codes: Vec<&str> =
            Roster::default().eligibility(&need, &member, at(0)).iter().map(Ineligible::code).collect();
        assert_eq!(codes, ["disabled", "lacks_skills", "no_capacity", "decided"]);
    }

    #[test]
    fn a_long_roster_is_explained_briefly() {
        let members: Vec<Member> = (0..50).map(|n| member(&format!("a{n:02}"), &[], n, 100, None)).collect();
        let routing = route(&need(&[]), &Roster { members, ..Roster::default() }, at(0));
        assert_eq!(routing.candidates.len(), EXPLAINED_MAX);
        assert_eq!(routing.others, 30);
        assert_eq!(routing.chosen, Some(AgentId::new("a00").unwrap()));
    }
}
