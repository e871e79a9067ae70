//! The one command that makes a complaint against an oracle of its own: whoever submits, and each guard spoiled in every way.

use std::collections::BTreeSet;

use chrono::{NaiveDate, TimeDelta};
use complaint_core::complaint::{Channel, Item, Submission};
use complaint_core::id::{CategoryKey, ComplaintId, CustomerId, Language};
use complaint_core::lifecycle::{CommandName as C, Context, FailedGuard, Guard, Status, begin, submit};
use complaint_core::policy::{Category, CategoryQuestion};
use complaint_core::reference::Reference;
use complaint_core::{Actor, Complaint, Party, Policy};

use crate::house::{World, admin, agent, agent_id, auditor, customer, john, level, monday, policy, submission, uuid};
use crate::lifecycle::Tally;
use crate::oracle::{Fault, Verdict, line, text};

type Edit = Box<dyn Fn(&mut Submission)>;

#[derive(Clone)]
struct Case {
    submission: Submission,
    open_complaints: u32,
}

fn catalogue() -> Policy {
    let question = |key: &str, required| CategoryQuestion { key: key.into(), label: key.into(), required };
    let mut asks = Category::named("Guarantee").unwrap();
    asks.questions = vec![question("serial", true), question("shop", false)];
    let gone = Category { active: false, ..Category::named("Old matters").unwrap() };
    policy().with_category(asks).with_category(gone)
}

fn verdict(case: &Case, actor: &Actor, policy: &Policy) -> Verdict {
    let asked = vec![Guard::CategoryKnown, Guard::SubmissionComplete, Guard::OpenComplaintLimit];
    let mut verdict = Verdict { asked, ..Verdict::default() };
    if !matches!(actor.party(), Party::Customer(_) | Party::Agent(_) | Party::System) {
        verdict.before.insert(("not_permitted", String::new()));
    }
    let category = policy.categories.iter().find(|it| it.key == case.submission.category);
    if category.is_none_or(|category| !category.active) {
        verdict.guards.push((Guard::CategoryKnown, vec![("unknown_category", "category".into())]));
    }
    let faults = faults(&case.submission, category, actor);
    if !faults.is_empty() {
        verdict.guards.push((Guard::SubmissionComplete, faults));
    }
    if case.open_complaints >= policy.open_complaints_per_customer {
        let full = vec![("too_many_open_complaints", String::new())];
        verdict.guards.push((Guard::OpenComplaintLimit, full));
    }
    verdict
}

fn faults(it: &Submission, category: Option<&Category>, actor: &Actor) -> Vec<Fault> {
    let given = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
    let mut faults: Vec<Fault> = Vec::new();
    faults.extend(line("subject", Some(&it.subject)));
    faults.extend(text("description", Some(&it.description)));
    let lines = [
        ("contact.name", &it.contact.name),
        ("contact.email", &it.contact.email),
        ("contact.phone", &it.contact.phone),
        ("product", &it.product),
        ("order_number", &it.order_number),
    ];
    faults.extend(lines.into_iter().filter_map(|(field, value)| line(field, Some(&given(value)?))));
    let is_number = |phone: &str| phone.chars().filter(char::is_ascii_digit).count() >= 3 && !phone.contains("six");
    if given(&it.contact.phone).is_some_and(|phone| phone.len() <= 200 && !is_number(&phone)) {
        faults.push(("not_a_phone_number", "contact.phone".into()));
    }
    faults.extend(given(&it.contact.address).and_then(|address| text("contact.address", Some(&address))));
    let is_mail = |mail: String| {
        let mut parts = mail.split('@');
        let (name, host) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        !name.is_empty() && !host.is_empty() && parts.next().is_none() && !mail.contains(char::is_whitespace)
    };
    if given(&it.contact.email).is_some_and(|mail| !is_mail(mail)) {
        faults.push(("not_an_email", "contact.email".into()));
    }
    // Two or three letters, where the tests have any.
    if it.language.as_ref().is_some_and(|language| language.as_str().split('-').count() > 2) {
        faults.push(("not_a_language", "language".into()));
    }
    // Somewhere on Earth it is the next day already: the tests submit in the morning of a Monday.
    let today = monday().date_naive();
    for (field, day) in [("purchase_date", it.purchase_date), ("incident_date", it.incident_date)] {
        let Some(day) = day else { continue };
        let old = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();
        faults.extend((day > today).then(|| ("in_the_future", field.into())));
        faults.extend((day < old).then(|| ("too_long_ago", field.into())));
    }
    faults.extend((it.items.len() > 20).then(|| ("too_many", "items".into())));
    for (number, item) in it.items.iter().enumerate() {
        faults.extend(line(&format!("items.{number}.kind"), Some(&item.kind)));
        faults.extend(line(&format!("items.{number}.key"), Some(&item.key)));
    }
    let questions = category.map_or(&[][..], |category| &category.questions);
    for question in questions {
        let answer = it.answers.get(&question.key).filter(|answer| !answer.trim().is_empty());
        let field = format!("answers.{}", question.key);
        match answer {
            Some(answer) => faults.extend(text(&field, Some(answer))),
            None => faults.extend(question.required.then_some(("missing", field))),
        }
    }
    for key in it.answers.keys().filter(|key| questions.iter().all(|question| question.key != **key)) {
        faults.push(("unknown_question", format!("answers.{key}")));
    }
    match (actor.party(), &it.customer) {
        (Party::Customer(me), Some(customer)) if me != customer => {
            faults.push(("not_permitted", "customer".into()));
        }
        (Party::Agent(_) | Party::System, None) => faults.push(("missing", "customer".into())),
        _ => {}
    }
    if it.against.is_some() && it.against.as_ref() == actor.agent_id() {
        faults.push(("subject_of_complaint", String::new()));
    }
    faults
}

fn well_given(actor: &Actor) -> Vec<Case> {
    let plain = Complaint::about("Damaged goods", "Broken kettle", "The lid is cracked.").unwrap();
    let asked = Complaint::about("Guarantee", "Broken kettle", "Again.").unwrap().answering("serial", "K-17");
    [plain, asked]
        .map(|submission| {
            let submission = match actor.customer_id() {
                Some(_) => submission,
                None => submission.on_behalf_of(john(), Channel::Phone),
            };
            Case { submission, open_complaints: 0 }
        })
        .to_vec()
}

fn spoiled(case: &Case, guard: Guard, actor: &Actor) -> Vec<Case> {
    let today = monday().date_naive();
    let edited = |edit: &dyn Fn(&mut Submission)| {
        let mut case = case.clone();
        edit(&mut case.submission);
        case
    };
    match guard {
        Guard::CategoryKnown => {
            ["Nonsense", "Old matters"].map(|name| edited(&|it| it.category = CategoryKey::new(name).unwrap())).to_vec()
        }
        Guard::OpenComplaintLimit => [50, 51].map(|open| Case { open_complaints: open, ..case.clone() }).to_vec(),
        Guard::SubmissionComplete => {
            let item = |kind: &str| Item { kind: kind.into(), key: "A-1".into() };
            let edits: Vec<Edit> = vec![
                Box::new(|it| it.subject = " ".into()),
                Box::new(|it| it.subject = "x".repeat(201)),
                Box::new(|it| it.subject = "one\ntwo".into()),
                Box::new(|it| it.description = String::new()),
                Box::new(|it| it.description = "x".repeat(65_537)),
                Box::new(|it| it.description = "a bell \u{7}".into()),
                Box::new(|it| it.contact.name = Some("one\ntwo".into())),
                Box::new(|it| it.contact.email = Some("nobody".into())),
                Box::new(|it| it.contact.phone = Some("1".repeat(201))),
                Box::new(|it| it.contact.phone = Some("after six".into())),
                Box::new(|it| it.language = Language::new("of the hills").ok()),
                Box::new(|it| it.contact.address = Some("a bell \u{7}".into())),
                Box::new(|it| it.product = Some("x".repeat(201))),
                Box::new(|it| it.order_number = Some("one\ntwo".into())),
                Box::new(move |it| it.purchase_date = Some(today + TimeDelta::days(1))),
                Box::new(move |it| it.incident_date = NaiveDate::from_ymd_opt(1899, 12, 31)),
                Box::new(move |it| it.items = vec![item("order"); 21]),
                Box::new(move |it| it.items = vec![item("order"), item(" ")]),
                Box::new(|it| it.answers.clear()),
                Box::new(|it| it.answers = [("serial".to_owned(), " ".to_owned())].into()),
                Box::new(|it| it.answers = [("shop".to_owned(), "a bell \u{7}".to_owned())].into()),
                Box::new(|it| it.answers = [("colour".to_owned(), "red".to_owned())].into()),
                Box::new(|it| it.customer = Some(CustomerId::new("jane").unwrap())),
                Box::new(|it| it.customer = None),
                Box::new(|it| it.against = Some(agent_id("mia"))),
            ];
            edits.iter().map(|edit| edited(edit.as_ref())).collect()
        }
        _ => unreachable!("{} by {:?} is no guard of `submit`", guard.name(), actor.party()),
    }
}

fn tried(case: &Case, actor: &Actor, policy: &Policy, tally: &mut Tally, label: &str) -> Verdict {
    let verdict = verdict(case, actor, policy);
    tally.count(C::Submit, &verdict);
    let context = Context::new(policy, monday()).open_complaints(case.open_complaints);
    let id = ComplaintId::from_uuid(uuid(1));
    let result = submit(id, Reference::from_entropy(1), &case.submission, actor, &context);
    let says = || format!("{label}: the table says {verdict:?}, submit says {result:?}");
    assert_eq!(result.is_ok(), verdict.accepts(), "{}", says());
    match &result {
        Ok(entry) => {
            let made = begin(entry).unwrap();
            assert_eq!((made.status, made.level, made.handler.as_ref()), (Status::Queued, level(1), None), "{label}");
            assert_eq!((made.entries, made.version.get(), made.received_at), (1, 1, monday()), "{label}");
            let by_customer = actor.customer_id().is_some();
            let theirs = actor.customer_id().or(case.submission.customer.as_ref());
            assert_eq!((Some(&made.customer), made.recorded_by.is_none()), (theirs, by_customer), "{label}");
        }
        Err(refusal) => {
            let named: BTreeSet<Fault> =
                refusal.failed.iter().map(|failed| (failed.code, failed.field.clone().unwrap_or_default())).collect();
            let wanted: BTreeSet<Fault> =
                verdict.guards.iter().flat_map(|(_, faults)| faults).chain(&verdict.before).cloned().collect();
            assert_eq!(named, wanted, "{}", says());
        }
    }
    verdict
}

#[test]
fn every_submission_agrees_with_the_table() {
    let policy = catalogue();
    let mut tally = Tally::default();
    let people = [customer("john"), agent("sarah"), agent("mia"), agent("omar"), admin(), auditor(), Actor::system()];
    for actor in &people {
        for case in well_given(actor) {
            let label = format!("{} by {:?}", case.submission.category, actor.party());
            let well = tried(&case, actor, &policy, &mut tally, &label);
            for (at, one) in well.asked.iter().enumerate() {
                for (way, single) in spoiled(&case, *one, actor).iter().enumerate() {
                    let label = format!("{label}, {} spoiled ({way})", one.name());
                    tried(single, actor, &policy, &mut tally, &label);
                    for two in &well.asked[at + 1..] {
                        for both in spoiled(single, *two, actor) {
                            tried(&both, actor, &policy, &mut tally, &format!("{label} and {}", two.name()));
                        }
                    }
                }
            }
        }
    }
    tally.proves(&[C::Submit]);
}

/// What is wrong with a submission of a customer, as code and field.
fn refused(edit: impl Fn(&mut Submission)) -> Vec<(&'static str, String)> {
    let mut submission = Complaint::about("Damaged goods", "Broken kettle", "The lid is cracked.").unwrap();
    edit(&mut submission);
    let (policy, id) = (policy(), ComplaintId::from_uuid(uuid(1)));
    let result =
        submit(id, Reference::from_entropy(1), &submission, &customer("john"), &Context::new(&policy, monday()));
    let named = |it: &FailedGuard| (it.code, it.field.clone().unwrap_or_default());
    result.err().map(|refusal| refusal.failed.iter().map(named).collect()).unwrap_or_default()
}

#[test]
fn a_day_may_be_any_since_1900_that_has_begun_somewhere() {
    // Half past nine in London; in the earliest zone, fourteen hours ahead, still the same day.
    let today = monday().date_naive();
    for (day, wrong) in [
        (NaiveDate::from_ymd_opt(1899, 12, 31).unwrap(), Some("too_long_ago")),
        (NaiveDate::from_ymd_opt(1900, 1, 1).unwrap(), None),
        (today, None),
        (today + TimeDelta::days(1), Some("in_the_future")),
    ] {
        let fault = |field: &str| wrong.map(|code| (code, field.to_owned())).into_iter().collect::<Vec<_>>();
        assert_eq!(refused(|it| it.purchase_date = Some(day)), fault("purchase_date"), "{day}");
        assert_eq!(refused(|it| it.incident_date = Some(day)), fault("incident_date"), "{day}");
    }
}

#[test]
fn twenty_things_can_be_named() {
    let items = |count| vec![Item { kind: "order".into(), key: "A-1".into() }; count];
    assert_eq!(refused(|it| it.items = items(20)), []);
    assert_eq!(refused(|it| it.items = items(21)), [("too_many", "items".to_owned())]);
}

#[test]
fn an_address_that_no_mail_could_reach_is_refused() {
    // 254 bytes, as many as a mail server takes.
    let longest = format!("{}@example.org", "\u{fc}".repeat(121));
    let good = ["john@example.org", "j@b", "\u{fc}mit@example.org", "a@b@example.org", &longest];
    for address in good {
        assert_eq!(refused(|it| it.contact.email = Some(address.into())), [], "{address}");
    }
    let too_long = format!("x{longest}");
    let bad = [
        "john",
        "@example.org",
        "john@",
        "jo hn@example.org",
        "john@ example.org",
        "john@.example.org",
        "john@example.org.",
        "<john@example.org>",
        "john@example.org, jane@example.org",
        "john;x@example.org",
        "\"john\"@example.org",
        &too_long,
    ];
    for address in bad {
        let wanted = [("not_an_email", "contact.email".to_owned())];
        let found = refused(|it| it.contact.email = Some(address.into()));
        assert!(found.contains(&wanted[0]), "{address}: {found:?}");
    }
}

#[test]
fn what_follows_an_open_complaint_or_somebody_else_s_is_not_taken() {
    let mut world = World::new(policy());
    let open = world.submitted();
    let finished = world.plain(&open, &customer("john"), C::Withdraw);
    let context = Context::new(&world.policy, world.now);
    let next = |by: &str, first: &Complaint| {
        let (id, reference) = (ComplaintId::from_uuid(uuid(77)), Reference::from_entropy(77));
        submit(id, reference, &submission(), &customer(by), &context.following(first))
    };
    assert_eq!(begin(&next("john", &finished).unwrap()).unwrap().follows, Some(finished.id));
    assert_eq!(next("john", &open).unwrap_err().code(), "wrong_status");
    let foreign = next("jane", &finished).unwrap_err();
    assert_eq!((foreign.code(), foreign.failed.len()), ("not_permitted", 1), "{foreign}");
}
