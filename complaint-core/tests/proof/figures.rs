//! The books of redress and the satisfaction of customers: the parts make the whole, whatever the order, and what is
//! anonymous stays so.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use complaint_core::complaint::{RemedyKind, RemedyState as S};
use complaint_core::id::CauseKey;
use complaint_core::lifecycle::{Command, CommandName as C, Input, Status};
use complaint_core::policy::Cause;
use complaint_core::redress::{Amounts, Ledger, Totals};
use complaint_core::satisfaction::{ANONYMOUS_MIN, Figures, Satisfaction};
use complaint_core::store::Scope;
use complaint_core::{Complaint, DeskError, Rating, Remedy};
use proptest::prelude::*;

use crate::house::{House, World, admin, agent, agent_id, auditor, customer, decision, input, policy};

fn cause(name: &str) -> CauseKey {
    CauseKey::new(name).unwrap()
}

fn world() -> World {
    let mut rules = policy();
    let named = |name: &str| Cause { key: cause(name), name: name.to_owned(), active: true };
    rules.causes = ["packaging", "courier"].map(named).to_vec();
    // So that any money can be decided at any level.
    rules.levels.iter_mut().for_each(|level| level.authority = None);
    World::new(rules)
}

/// What a made-up complaint goes through: where it is decided, what is promised and why, what happens then.
#[derive(Debug, Clone)]
struct Life {
    level: u8,
    cause: u8,
    remedies: Vec<u8>,
    deeds: Vec<(u8, u32)>,
    rating: Option<(u8, bool)>,
}

fn life() -> impl Strategy<Value = Life> {
    let deeds = prop::collection::vec((0_u8..8, 1_u32..5), 0..7);
    let remedies = prop::collection::vec(0_u8..6, 0..5);
    let rating = prop::option::of((1_u8..=5, any::<bool>()));
    (1_u8..=3, 0_u8..3, remedies, deeds, rating).prop_map(|(level, cause, remedies, deeds, rating)| Life {
        level,
        cause,
        remedies,
        deeds,
        rating,
    })
}

fn lived(world: &mut World, life: &Life) -> Complaint {
    let begun = world.begun_at(life.level);
    let remedies = life.remedies.iter().map(|kind| match kind {
        0 => Remedy::refund("12.50 EUR").unwrap(),
        1 => Remedy::compensation("7 JPY").unwrap(),
        2 => Remedy::compensation("90071992547409.91 EUR").unwrap(),
        3 => Remedy::refund("0.001 KWD").unwrap(),
        4 => Remedy::of(RemedyKind::Apology),
        _ => Remedy::replacement(),
    });
    let cause = match life.cause {
        0 => None,
        1 => Some(cause("packaging")),
        _ => Some(cause("courier")),
    };
    let given = Input { cause, ..decision(C::Resolve, remedies.collect()).input().clone() };
    let holder = agent(begun.handler.as_ref().unwrap().as_str());
    let mut it = world.act(&begun, &holder, &input(C::Resolve, given));
    let john = customer("john");
    if let Some((score, anonymous)) = life.rating {
        it = world.act(&it, &john, &input(C::Rate, Input { score: Some(score), anonymous, ..Input::default() }));
    }
    for (deed, remedy) in &life.deeds {
        let of = Input { remedy: Some(*remedy), ..Input::default() };
        let words = || Some("Words.".to_owned());
        let (actor, command) = match deed {
            0 => (&john, Command::plain(C::Accept)),
            1 => (&john, input(C::AcceptRemedy, of)),
            2 => (&john, input(C::DeclineRemedy, of)),
            3 => (&holder, input(C::FulfilRemedy, Input { evidence: words(), ..of })),
            4 => (&holder, input(C::FailRemedy, Input { reason: words(), ..of })),
            5 => (&john, Command::with_reason(C::Contest, "Because.")),
            6 => (&john, Command::plain(C::Withdraw)),
            _ => {
                world.later(TimeDelta::days(15));
                it = world.tick(it);
                continue;
            }
        };
        if let Ok(entries) = world.decide(&it, actor, &command, None) {
            it = entries.iter().fold(it, complaint_core::lifecycle::evolve);
        }
    }
    it
}

fn books(complaints: &[Complaint]) -> (Ledger, Satisfaction) {
    let mut books = (Ledger::default(), Satisfaction::default());
    for complaint in complaints {
        books.0.add(complaint);
        books.1.add(complaint);
    }
    books
}

/// In a form of its own, to be compared: how many, and each currency's minor units.
fn plain(amounts: &Amounts) -> (u64, BTreeMap<String, u128>) {
    (amounts.count, amounts.money().map(|sum| (sum.currency.to_string(), sum.minor_units)).collect())
}

fn counted<'a>(remedies: impl Iterator<Item = &'a Remedy>) -> (u64, BTreeMap<String, u128>) {
    let (mut count, mut money) = (0, BTreeMap::new());
    for remedy in remedies {
        count += 1;
        if let Some(amount) = remedy.amount {
            *money.entry(amount.currency().to_string()).or_default() += u128::from(amount.minor_units());
        }
    }
    (count, money)
}

fn parts<'a>(groups: impl Iterator<Item = &'a Totals>) -> (u64, (u64, BTreeMap<String, u128>)) {
    let (mut decisions, mut count, mut money) = (0, 0, BTreeMap::new());
    for totals in groups {
        decisions += totals.decisions;
        let (more, sums) = plain(&totals.promised());
        count += more;
        for (currency, minor) in sums {
            *money.entry(currency).or_default() += minor;
        }
    }
    (decisions, (count, money))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_parts_make_the_whole_in_any_order(lives in prop::collection::vec(life(), 0..9), cut in 0_usize..9) {
        let mut world = world();
        let complaints: Vec<Complaint> = lives.iter().map(|life| lived(&mut world, life)).collect();
        let (ledger, satisfaction) = books(&complaints);

        let (front, back) = complaints.split_at(cut.min(complaints.len()));
        let (mut merged, front) = (books(back), books(front));
        merged.0.merge(&front.0);
        merged.1.merge(&front.1);
        prop_assert_eq!(&merged, &(ledger.clone(), satisfaction.clone()), "another order, another sum");

        let total = ledger.total();
        let all = || complaints.iter().flat_map(|it| it.remedies.iter().map(move |promise| (it, promise)));
        prop_assert_eq!(plain(&total.promised()), counted(all().map(|(_, promise)| &promise.remedy)));
        let by_state: u64 = S::ALL.iter().map(|state| total.of(*state).count).sum();
        prop_assert_eq!(by_state, all().map(|_| 1).sum::<u64>(), "every remedy is in one state");
        for state in S::ALL {
            let really = all().filter(|(it, promise)| {
                let stands = matches!(it.status, Status::Resolved | Status::Closed)
                    && promise.resolution as usize == it.resolutions.len();
                let (over, failed) = (promise.declined.is_some() || promise.fulfilled.is_some(), promise.failed.is_some());
                match state {
                    S::Fulfilled => promise.fulfilled.is_some(),
                    S::Declined => promise.declined.is_some(),
                    S::Failed => failed && !over,
                    S::Lapsed => !over && !failed && !stands,
                    S::Accepted => !over && !failed && stands && promise.accepted.is_some(),
                    S::Offered => !over && !failed && stands && promise.accepted.is_none(),
                }
            });
            prop_assert_eq!(plain(&total.of(*state)), counted(really.map(|(_, promise)| &promise.remedy)), "{}", state);
        }
        let owed = all().filter(|(it, promise)| it.outstanding_remedies().any(|owed| owed.number == promise.number));
        prop_assert_eq!(plain(&total.outstanding), counted(owed.map(|(_, promise)| &promise.remedy)));
        prop_assert!(total.late.count <= total.outstanding.count);

        let whole = (total.decisions, plain(&total.promised()));
        prop_assert_eq!(parts(ledger.by_cause().values()), whole.clone());
        prop_assert_eq!(parts(ledger.by_category().values()), whole.clone());
        prop_assert_eq!(parts(ledger.by_level().values()), whole.clone());
        prop_assert_eq!(parts(ledger.by_outcome().values()), whole.clone());
        prop_assert_eq!(parts(ledger.by_kind().values()).1, whole.1);
        prop_assert_eq!(whole.0, complaints.iter().flat_map(|it| &it.resolutions).map(|_| 1).sum::<u64>());

        let figures = satisfaction.overall();
        let ratings = || complaints.iter().flat_map(|it| &it.feedback);
        let named = ratings().filter(|it| !it.anonymous).map(|_| 1).sum::<u64>();
        let anonymous = ratings().filter(|it| it.anonymous).map(|_| 1).sum::<u64>();
        prop_assert_eq!(figures.ratings(), named + anonymous / ANONYMOUS_MIN * ANONYMOUS_MIN, "in whole groups");
        prop_assert_eq!(figures.invited, whole.0);
        let agents: Vec<Figures> = satisfaction.by_agent().into_values().collect();
        let levels: Vec<Figures> = satisfaction.by_level().into_values().collect();
        for groups in [agents, levels] {
            prop_assert_eq!(groups.iter().map(|it| it.invited).sum::<u64>(), figures.invited);
            let left_out = figures.ratings() - groups.iter().map(Figures::ratings).sum::<u64>();
            prop_assert_eq!(left_out % ANONYMOUS_MIN, 0, "the difference gives them away");
            for score in 0..5 {
                let parts = groups.iter().map(|it| it.by_score[score]).sum::<u64>();
                prop_assert!(parts <= figures.by_score[score], "a part counts what the whole does not");
            }
        }
    }
}

/// As many complaints as there are ratings, decided by these agents.
fn rated(world: &mut World, ratings: &[(&str, u8, bool)]) -> Satisfaction {
    let mut satisfaction = Satisfaction::default();
    for (by, score, anonymous) in ratings {
        let begun = world.begun(by);
        let it = world.resolved(&begun, Vec::new());
        let rate = Input { score: Some(*score), anonymous: *anonymous, ..Input::default() };
        satisfaction.add(&world.act(&it, &customer("john"), &input(C::Rate, rate)));
    }
    satisfaction
}

/// One after the other, each later than those before it.
#[test]
fn anonymous_ratings_come_into_figures_in_whole_groups_so_that_no_two_looks_tell_one() {
    let mut world = world();
    let mut satisfaction = Satisfaction::default();
    let mut looks = vec![(satisfaction.overall(), satisfaction.by_agent())];
    let by = ["sarah", "ben", "sarah", "sarah", "sarah", "sarah", "ben", "sarah", "sarah", "sarah", "ben", "sarah"];
    for (number, agent) in by.into_iter().enumerate() {
        world.later(TimeDelta::hours(1));
        let score = u8::try_from(number % 5 + 1).unwrap();
        satisfaction.merge(&rated(&mut world, &[(agent, score, true)]));
        looks.push((satisfaction.overall(), satisfaction.by_agent()));
    }
    let ratings = |figures: &Figures| figures.ratings();
    let all: Vec<u64> = looks.iter().map(|(all, _)| ratings(all)).collect();
    assert_eq!(all, [0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 10, 10, 10]);
    let of =
        |agent: &str| -> Vec<u64> { looks.iter().map(|(_, by)| by.get(&agent_id(agent)).map_or(0, ratings)).collect() };
    // Of the first five are four of hers; of the first ten, eight: what the whole does not count, no part does.
    assert_eq!(of("sarah"), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5]);
    assert_eq!(of("ben"), [0; 13]);
    assert_eq!(looks[5].0.by_score, [1; 5], "the oldest first");
    assert_eq!(looks.last().unwrap().1[&agent_id("sarah")].by_score, [2, 0, 1, 1, 1]);
    assert_eq!(looks.last().unwrap().1[&agent_id("ben")].invited, 3, "that he decided is no secret");
}

/// A name taken off later must not push the last of the counted ones out, which would tell that one.
#[test]
fn a_rating_made_anonymous_later_waits_like_the_newest() {
    let mut world = world();
    let john = customer("john");
    let begun = world.begun("ben");
    let named = world.resolved(&begun, Vec::new());
    let named = world.act(&named, &john, &input(C::Rate, Input { score: Some(1), ..Input::default() }));
    world.later(TimeDelta::hours(1));
    let five = rated(&mut world, &[("ben", 5, true); 5]);
    let count = |first: &Complaint| {
        let mut all = five.clone();
        all.add(first);
        all.overall().by_score
    };
    assert_eq!(count(&named), [1, 0, 0, 0, 5]);
    world.later(TimeDelta::hours(1));
    let unnamed = world.plain(&named, &john, C::AnonymiseRating);
    assert_eq!(count(&unnamed), [0, 0, 0, 0, 5]);
    let changed = world.act(&unnamed, &john, &input(C::Rate, Input { score: Some(2), ..Input::default() }));
    assert_eq!(count(&changed), [0, 0, 0, 0, 5], "nor does a change make it older");
}

#[test]
fn figures_are_computed_from_whole_numbers() {
    let mut world = world();
    let it = rated(&mut world, &[("sarah", 5, false), ("sarah", 4, false), ("ben", 1, false)]).overall();
    assert_eq!((it.mean(), it.mean_hundredths()), (Some((10, 3)), Some(333)));
    assert_eq!((it.satisfied(), it.satisfied_hundredths(), it.responses_hundredths()), (2, Some(6667), Some(10_000)));
    let none = Satisfaction::default().overall();
    assert_eq!((none.mean_hundredths(), none.satisfied_hundredths(), none.responses_hundredths()), (None, None, None));
}

#[test]
fn sums_beyond_what_an_amount_can_hold_are_right() {
    let mut world = world();
    let life = Life { level: 3, cause: 1, remedies: vec![2; 4], deeds: Vec::new(), rating: None };
    let complaints: Vec<Complaint> = (0..600).map(|_| lived(&mut world, &life)).collect();
    let (ledger, _) = books(&complaints);
    let sums: Vec<String> =
        ledger.by_cause()[&Some(cause("packaging"))].outstanding.money().map(|it| it.to_string()).collect();
    // 2400 times 2^53 - 1 cents: more than 2^64.
    assert_eq!(sums, ["216172782113783784.00 EUR".to_owned()]);
    assert_eq!(2400 * u128::from(complaint_core::money::Money::MAX), 21_617_278_211_378_378_400);
}

#[test]
fn the_rating_is_edited_for_a_day_from_the_first_and_once_per_resolution() {
    let mut world = world();
    let begun = world.begun("sarah");
    let it = world.resolved(&begun, Vec::new());
    let john = customer("john");
    let rate = |score, comment: Option<&str>| {
        input(C::Rate, Input { score: Some(score), comment: comment.map(str::to_owned), ..Input::default() })
    };
    let it = world.act(&it, &john, &rate(1, Some("Nobody listened.")));
    world.later(TimeDelta::hours(23));
    let it = world.act(&it, &john, &rate(2, None));
    let given = &it.feedback[0];
    assert_eq!((it.feedback.len(), given.score, given.comment.as_deref()), (1, 2, Some("Nobody listened.")));
    let emptied = world.act(&it, &john, &rate(2, Some(" ")));
    assert_eq!(emptied.feedback[0].comment, None, "an empty comment takes it back");
    // A day from the first rating, not from the edit.
    world.later(TimeDelta::hours(1));
    assert!(world.decide(&it, &john, &rate(3, None), None).is_ok(), "at the last instant");
    world.later(TimeDelta::microseconds(1));
    assert_eq!(world.decide(&it, &john, &rate(3, None), None).unwrap_err().code(), "already_rated");
    // Decided anew, rated anew.
    let contested = world.reason(&it, &john, C::Contest);
    assert_eq!(world.decide(&contested, &john, &rate(3, None), None).unwrap_err().code(), "wrong_status");
    let given = world.given(&contested, "maria");
    let begun = world.plain(&given, &agent("maria"), C::Begin);
    let again = world.resolved(&begun, Vec::new());
    let it = world.act(&again, &john, &rate(5, None));
    let seen: Vec<_> = it.feedback.iter().map(|it| (it.resolution, it.agent.as_str(), it.score)).collect();
    assert_eq!(seen, [(1, "sarah", 2), (2, "maria", 5)]);
    assert_eq!(it.feedback[1].comment, None, "what was said of another decision is not repeated");
}

#[test]
fn a_low_rating_offers_to_contest_only_where_that_is_possible() {
    let mut world = world();
    let john = customer("john");
    for (at, score, days, offered) in
        [(1, 2, 0, true), (1, 3, 0, false), (1, 1, 30, true), (1, 1, 31, false), (3, 1, 0, false)]
    {
        let begun = world.begun_at(at);
        let resolved = world.resolved(&begun, Vec::new());
        let it = world.act(&resolved, &john, &input(C::Rate, Input { score: Some(score), ..Input::default() }));
        let closed = world.plain(&it, &john, C::Accept);
        let withdrawn = world.plain(&it, &john, C::Withdraw);
        let context = complaint_core::lifecycle::Context::new(&world.policy, world.now + TimeDelta::days(days));
        assert_eq!(it.offers_contest(&john, &context), offered, "level {at}, {score} of 5, after {days} days");
        assert!(!it.offers_contest(&agent("sarah"), &context), "nobody else is asked");
        assert!(!resolved.offers_contest(&john, &context), "nobody is asked who did not rate");
        assert_eq!(closed.offers_contest(&john, &context), offered, "nor does closing take it away");
        assert!(!withdrawn.offers_contest(&john, &context));
    }
}

/// Neither the complaint, nor its log, nor a page of it, nor the answer to a command shows an agent or an auditor that
/// a rating is there; what was said before it was made anonymous goes too.
#[tokio::test]
async fn an_anonymous_rating_is_seen_by_its_customer_and_whoever_runs_the_system() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let sarah = house.handler(id).await;
    sarah.begin(id).await.unwrap();
    sarah.perform(id, decision(C::Resolve, Vec::new())).await.unwrap();
    let john = house.as_actor(customer("john"));
    john.rate(id, Rating::TWO, "SECRET").await.unwrap();
    assert_eq!(sarah.read(id).await.unwrap().feedback.len(), 1, "with a name it is seen");
    let named = sarah.log(id).await.unwrap().len();
    john.perform(id, Command::plain(C::AnonymiseRating)).await.unwrap();
    sarah.perform(id, Command::with_text(C::Note, "After it.")).await.unwrap();

    for reader in [agent(sarah.actor().agent_id().unwrap().as_str()), agent("mia"), agent("omar"), auditor()] {
        let reader = house.as_actor(reader);
        let mut seen = vec![reader.read(id).await.unwrap()];
        seen.push(reader.find(&seen[0].reference.to_string()).await.unwrap());
        seen.extend(reader.list(complaint_core::store::Query::within(Scope::All)).await.unwrap().items);
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|it| it.feedback.is_empty()), "{:?}", reader.actor());
        let log = reader.log(id).await.unwrap();
        let text = serde_json::to_string(&log).unwrap();
        assert!(!text.contains("SECRET") && !text.contains("rat"), "{text}");
        assert_eq!(log.len(), named, "without the rating, with the note");
        assert!(log.iter().zip(1..).all(|(entry, seq)| entry.seq == seq), "a gap tells of what is hidden");
        let portion = reader.log_after(id, u32::try_from(named).unwrap() - 1, 10, |_| true).await.unwrap();
        assert_eq!(portion, log[named - 1..], "the same by the portion");
    }
    let noted = sarah.perform(id, Command::with_text(C::Note, "Again.")).await.unwrap();
    assert!(noted.feedback.is_empty(), "the answer to a command");
    assert_eq!(house.state(id).await.feedback[0].score, 2, "and it is kept");
    let own = john.log(id).await.unwrap();
    assert!(serde_json::to_string(&own).unwrap().contains("SECRET"));
    assert_eq!(john.read(id).await.unwrap().feedback.len(), 1);
    let by_admin = house.as_actor(admin()).log(id).await.unwrap();
    assert_eq!(by_admin.len(), house.desk.whole_log(id).await.unwrap().len());
    assert!(matches!(house.as_actor(customer("jane")).read(id).await, Err(DeskError::NotFound)));

    // Figures go on counting it as soon as there are enough, for those who may see figures.
    let (_, satisfaction) = house.as_actor(agent("omar")).figures().await.unwrap();
    assert_eq!(
        (satisfaction.overall().invited, satisfaction.overall().ratings()),
        (1, 0),
        "one alone waits for others"
    );
    assert!(satisfaction.by_agent().values().all(|it| it.ratings() == 0));
    let (ledger, _) = house.as_actor(admin()).figures().await.unwrap();
    assert_eq!(ledger.total().decisions, 1);
}

/// The host can do it for somebody whose data is to be erased, and an edit does not bring the name back.
#[test]
fn what_is_anonymous_stays_so() {
    let mut world = world();
    let begun = world.begun("sarah");
    let it = world.resolved(&begun, Vec::new());
    let john = customer("john");
    let rate = |score| input(C::Rate, Input { score: Some(score), ..Input::default() });
    let it = world.act(&it, &john, &rate(1));
    let unnamed = input(C::Rate, Input { score: Some(1), anonymous: true, ..Input::default() });
    assert!(world.clone().act(&it, &john, &unnamed).feedback[0].anonymous, "asked for with the edit");
    let it = world.plain(&it, &admin(), C::AnonymiseRating);
    assert!(it.feedback[0].anonymous);
    let it = world.act(&it, &john, &rate(2));
    assert!(it.feedback[0].anonymous && it.feedback[0].score == 2);
    let refusal = world.decide(&it, &john, &Command::plain(C::AnonymiseRating), None).unwrap_err();
    assert_eq!(refusal.code(), "nothing_to_anonymise");
    let refusal = world.decide(&it, &agent("mia"), &Command::plain(C::AnonymiseRating), None).unwrap_err();
    assert_eq!(refusal.code(), "not_permitted");
}
