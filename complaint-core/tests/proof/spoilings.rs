//! Commands as they should be given, and the same spoiled for exactly one guard.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use complaint_core::complaint::{Attachment, Outcome, Priority, Remedy, RemedyKind};
use complaint_core::deadline::due_commands;
use complaint_core::id::{AttachmentId, CategoryKey, CauseKey, ComplaintId, CustomerId, Level};
use complaint_core::lifecycle::{Command, CommandName as C, Guard, Input, Status};
use complaint_core::{Actor, Party};

use crate::house::{agent_id, decision, file, input, level, uuid};
use crate::oracle::{Case, Crew, remedies_for, undelivered};
use crate::stages::Stage;

/// The case that no guard can object to, as far as the state of things allows one.
pub(crate) fn well_given<'a>(stage: &'a Stage, actor: &'a Actor, name: C) -> Case<'a> {
    let complaint = &stage.complaint;
    let mut other = matches!(name, C::Merge | C::Unmerge).then(|| stage.other.clone());
    if let Some(other) = other.as_mut().filter(|_| complaint.merged_into.is_none()) {
        // No way around the level of this one or who must not decide it.
        other.level = complaint.level;
        other.exclusions.clone_from(&complaint.exclusions);
    }
    let command = good(stage, actor, name);
    Case { stage, actor, command, other, crew: Crew::Free, open_complaints: 0, somebody_below: true }
}

/// The command with input that no guard can object to, as far as the state of things allows one.
fn good(stage: &Stage, actor: &Actor, name: C) -> Command {
    let complaint = &stage.complaint;
    let given = Input::default();
    let text = || Some("Some words.".to_owned());
    let today = stage.world.now.date_naive();
    let policy = &stage.world.policy;
    let cause = policy.causes.iter().find(|cause| cause.active && policy.cause_required).map(|it| it.key.clone());
    let spare = || {
        let barred: BTreeSet<&str> = complaint.exclusions.iter().map(|exclusion| exclusion.agent.as_str()).collect();
        let of_level: &[&str] = match complaint.level.get() {
            1 => &["sue", "ben", "sarah"],
            2 => &["max", "mia", "maria"],
            _ => &["olga", "ora", "omar"],
        };
        let held = complaint.handler.as_ref().map(|id| id.as_str().to_owned());
        let free = of_level.iter().find(|id| !barred.contains(*id) && held.as_deref() != Some(**id));
        agent_id(free.unwrap())
    };
    match name {
        C::Submit
        | C::Acknowledge
        | C::Begin
        | C::Reinstate
        | C::Unmerge
        | C::Read
        | C::FollowUp
        | C::AnonymiseRating => Command::plain(name),
        C::Triage => input(name, Input { priority: Some(Priority::High), ..given }),
        C::Assign if *actor.party() == Party::System => Command::plain(name),
        C::Assign => {
            let own = actor.agent_id().filter(|_| actor.level() == Some(Level::FIRST)).cloned();
            let chosen = own.unwrap_or_else(spare);
            input(name, Input { agent: Some(chosen), ..given })
        }
        C::Reassign => input(name, Input { agent: Some(spare()), reason: text(), ..given }),
        C::Decline | C::Reopen | C::ReturnReferral | C::Rebase => Command::with_reason(name, "Because."),
        C::Contest => input(name, Input { reason: text(), new_evidence: text(), ..given }),
        C::Resume => input(name, Input { reason: text(), ..given }),
        C::Withdraw => Command::plain(name),
        C::Ask | C::Answer | C::Post | C::Note => Command::with_text(name, "Some words."),
        C::Hold => input(name, Input { party: text(), until: Some(today + TimeDelta::days(3)), ..given }),
        C::HandBack => input(name, Input { instruction: text(), ..given }),
        C::Propose | C::Resolve => {
            let decision = decision(name, Vec::new());
            input(name, Input { cause, ..decision.input().clone() })
        }
        C::Approve => Command::plain(name),
        C::SendBack => input(name, Input { comment: text(), ..given }),
        C::ResolveAtSource => input(name, Input { explanation: text(), cause, ..given }),
        C::FulfilRemedy => {
            let remedy = undelivered(complaint).next().map(|promise| promise.number);
            input(name, Input { evidence: text(), on: Some(today), remedy, ..given })
        }
        C::Accept => input(name, Input { reason: text().filter(|_| actor.customer_id().is_none()), ..given }),
        C::AcceptRemedy | C::DeclineRemedy | C::FailRemedy => {
            let remedy = remedies_for(complaint, actor, name).first().map(|promise| promise.number);
            let reason = text().filter(|_| name == C::FailRemedy || actor.customer_id().is_none());
            input(name, Input { remedy, reason, ..given })
        }
        C::Rate => input(name, Input { score: Some(5), ..given }),
        C::Dismiss => input(name, Input { reason: Some("spam".into()), text: text(), ..given }),
        C::Merge => {
            let consent = text().filter(|_| stage.other.customer != complaint.customer);
            input(name, Input { into: Some(stage.other.reference.to_string()), consent, ..given })
        }
        C::Refer => input(name, Input { body: text(), text: text(), ..given }),
        C::Attach => Command::attach(vec![file(99)]),
        // The system's commands come from the clocks; people's go with a reason.
        C::Escalate | C::Release | C::Close | C::Warn | C::Alarm => match asked(stage, stage.world.now, name).pop() {
            Some(command) if *actor.party() == Party::System => command,
            _ if matches!(name, C::Escalate | C::Release) => Command::with_reason(name, "Because."),
            _ => Command::plain(name),
        },
    }
}

/// What the clocks would ask for at an instant: nobody else can make such commands.
fn asked(stage: &Stage, at: DateTime<Utc>, name: C) -> Vec<Command> {
    let due = due_commands(&stage.complaint, &stage.world.policy, at);
    due.into_iter().filter(|command| command.name() == name).collect()
}

const LONG: usize = 65_537;

/// The same with other input. What the system gives has none that could be spoiled.
fn with<'a>(case: &Case<'a>, edit: impl FnOnce(&mut Input)) -> Vec<Case<'a>> {
    let mut input = case.command.input().clone();
    let released_by_clock = case.command.name() == C::Release && input.reason.is_none();
    if !input.clocks.is_empty() || input.percent != 0 || released_by_clock {
        return Vec::new();
    }
    edit(&mut input);
    Command::new(case.command.name(), input).map(|command| Case { command, ..case.clone() }).into_iter().collect()
}

fn texts<'a>(case: &Case<'a>, ways: usize, field: fn(&mut Input) -> &mut Option<String>) -> Vec<Case<'a>> {
    let given = [None, Some(" ".to_owned()), Some("A bell \u{7}".to_owned()), Some("x".repeat(LONG))];
    given.into_iter().take(ways).flat_map(|text| with(case, |input| *field(input) = text)).collect()
}

fn lines<'a>(case: &Case<'a>, ways: usize, field: fn(&mut Input) -> &mut Option<String>) -> Vec<Case<'a>> {
    let given = [None, Some("One\nTwo".to_owned()), Some("x".repeat(201))];
    given.into_iter().take(ways).flat_map(|line| with(case, |input| *field(input) = line)).collect()
}

/// The case spoiled for one guard in so many ways, the plainest first. What only the state of the complaint can spoil is
/// spoiled by its stages.
#[expect(clippy::too_many_lines, reason = "one arm per guard")]
pub(crate) fn spoiled<'a>(case: &Case<'a>, guard: Guard, ways: usize) -> Vec<Case<'a>> {
    let complaint = &case.stage.complaint;
    let policy = &case.stage.world.policy;
    let today = case.stage.world.now.date_naive();
    let all = |edits: Vec<fn(&mut Input)>| -> Vec<Case<'a>> {
        edits.into_iter().take(ways).flat_map(|edit| with(case, edit)).collect()
    };
    let days = |days: i64| today + TimeDelta::days(days);
    match guard {
        Guard::OpenComplaintLimit => {
            vec![Case { open_complaints: policy.open_complaints_per_customer, ..case.clone() }]
        }
        Guard::SomebodyBelow => vec![Case { somebody_below: false, ..case.clone() }],
        Guard::TriageFits => all(vec![
            |input| *input = Input::default(),
            |input| input.category = CategoryKey::new("nonsense").ok(),
            |input| input.category = CategoryKey::new("old-matters").ok(),
            |input| input.weight = Some(0),
            |input| input.weight = Some(1001),
        ]),
        Guard::CandidateEligible => {
            let unfit = ["nobody", "zoe", if complaint.level == Level::FIRST { "max" } else { "sue" }];
            let unfit = unfit.into_iter().map(agent_id);
            let excluded = complaint.exclusions.iter().map(|exclusion| exclusion.agent.clone());
            let held = complaint.handler.iter().cloned();
            let named = unfit.chain(excluded).chain(held).map(Some).chain([None]);
            let named = named.flat_map(|agent| with(case, |input| input.agent = agent));
            let crews = [Crew::Full, Crew::Away].into_iter().flat_map(|crew| {
                let anybody = with(case, |input| input.agent = None);
                anybody.into_iter().chain([case.clone()]).map(move |case| Case { crew, ..case })
            });
            let beyond = with(case, |input| (input.over_capacity, input.reason) = (true, None));
            named.chain(crews).chain(beyond).take(ways).collect()
        }
        Guard::TakingAllowed => {
            let colleagues = ["sue", "ben", "sarah"].map(agent_id).into_iter();
            let barred = |id: &_| complaint.exclusions.iter().any(|exclusion| exclusion.agent == *id);
            let colleagues = colleagues.filter(|id| case.actor.agent_id() != Some(id) && !barred(id));
            colleagues.flat_map(|id| with(case, |input| input.agent = Some(id))).take(ways).collect()
        }
        Guard::ReasonGiven | Guard::ReasonWhileQuestionOpen => texts(case, ways, |input| &mut input.reason),
        Guard::TextGiven | Guard::TextOrFilesGiven => texts(case, ways, |input| &mut input.text),
        Guard::CommentGiven => texts(case, ways, |input| &mut input.comment),
        Guard::InstructionGiven => texts(case, ways, |input| &mut input.instruction),
        Guard::ExplanationGiven => texts(case, ways, |input| &mut input.explanation),
        Guard::HoldGiven => {
            let until = [None, Some(days(-2)), Some(days(367))];
            let until = until.into_iter().flat_map(|day| with(case, |input| input.until = day));
            lines(case, ways, |input| &mut input.party).into_iter().chain(until).take(ways).collect()
        }
        Guard::ReferralGiven => {
            let text = texts(case, ways, |input| &mut input.text);
            lines(case, ways, |input| &mut input.body).into_iter().chain(text).take(ways).collect()
        }
        Guard::DismissalGiven => {
            let grounds = all(vec![|input| input.reason = None, |input| input.reason = Some("boredom".into())]);
            let text = texts(case, ways, |input| &mut input.text);
            text.into_iter().chain(grounds).take(ways).collect()
        }
        Guard::DecisionComplete => {
            let explained = texts(case, ways, |input| &mut input.explanation);
            let sorry = texts(case, ways, |input| &mut input.apology);
            let outcomes = all(vec![
                |input| input.outcome = None,
                |input| input.outcome = Some(Outcome::ResolvedAtSource),
                |input| {
                    input.outcome = Some(Outcome::NotUpheld);
                    input.remedies = vec![Remedy::refund("1.00 EUR").unwrap()];
                },
                |input| input.remedies = vec![Remedy::replacement(); 21],
                |input| input.remedies = vec![Remedy::of(RemedyKind::Compensation)],
                |input| input.remedies = vec![Remedy::refund("0.00 EUR").unwrap()],
                |input| {
                    let amount = Remedy::refund("1.00 EUR").unwrap().amount;
                    input.remedies = vec![Remedy { amount, ..Remedy::replacement() }];
                },
            ]);
            let due = [days(-2), days(5 * 366 + 1)].map(|day| Remedy::replacement().due_on(day));
            let due = due.into_iter().flat_map(|remedy| with(case, |input| input.remedies = vec![remedy]));
            explained.into_iter().chain(sorry).chain(outcomes).chain(due).take(ways).collect()
        }
        Guard::CauseFits => {
            let causes = [CauseKey::new("nonsense").ok(), CauseKey::new("old-cause").ok(), None];
            causes.into_iter().flat_map(|cause| with(case, |input| input.cause = cause)).take(ways).collect()
        }
        Guard::WithinAuthority => {
            let much = ["100.01 EUR", "1000.01 EUR", "5 JPY"].map(|amount| vec![Remedy::refund(amount).unwrap()]);
            let summed = ["600.00 EUR", "600.00 EUR"].map(|amount| Remedy::compensation(amount).unwrap()).to_vec();
            let much = much.into_iter().chain([summed]);
            much.filter(|_| case.command.name() != C::Approve)
                .flat_map(|remedies| with(case, |input| input.remedies = remedies))
                .take(ways)
                .collect()
        }
        Guard::RemedyNamed => {
            let known = complaint.remedies.iter().map(|promise| Some(promise.number));
            let named = [Some(99), None].into_iter().chain(known);
            named.flat_map(|number| with(case, |input| input.remedy = number)).take(ways).collect()
        }
        Guard::FulfilmentGiven => {
            let early = complaint.received_at.date_naive() - TimeDelta::days(2);
            let on = [days(1), early].into_iter().flat_map(|day: NaiveDate| with(case, |input| input.on = Some(day)));
            texts(case, ways, |input| &mut input.evidence).into_iter().chain(on).take(ways).collect()
        }
        Guard::NotAtLastLevel => all(vec![|input| input.new_evidence = None]),
        Guard::RatingGiven => {
            all(vec![|input| input.score = None, |input| input.score = Some(0), |input| input.score = Some(6)])
        }
        Guard::FilesFit => files(case, ways),
        Guard::ClockRanOut | Guard::WarningDue => {
            // What the clocks would ask for at any other instant, and what nobody asked for.
            let instants = complaint.deadlines.iter().flat_map(|it| it.warn_at.into_iter().flatten().chain(it.due_at));
            let instants: BTreeSet<DateTime<Utc>> = instants.collect();
            let mut commands = vec![Command::plain(case.command.name())];
            for command in instants.into_iter().flat_map(|at| asked(case.stage, at, case.command.name())) {
                if !commands.contains(&command) {
                    commands.push(command);
                }
            }
            commands.into_iter().map(|command| Case { command, ..case.clone() }).collect()
        }
        Guard::SurvivorFits => survivors(case),
        Guard::SurvivorNotClosed => {
            let Some(other) = &case.other else { return Vec::new() };
            let (mut foreign, mut finished) = (other.clone(), other.clone());
            foreign.id = ComplaintId::from_uuid(uuid(9_999));
            finished.status = Status::Withdrawn;
            [None, Some(foreign), Some(finished)].map(|other| Case { other, ..case.clone() }).to_vec()
        }
        _ => Vec::new(),
    }
}

fn survivors<'a>(case: &Case<'a>) -> Vec<Case<'a>> {
    let complaint = &case.stage.complaint;
    let Some(fitting) = &case.other else { return Vec::new() };
    let mut others = vec![complaint.clone()];
    let mut add = |edit: &dyn Fn(&mut complaint_core::Complaint)| {
        let mut other = fitting.clone();
        edit(&mut other);
        others.push(other);
    };
    add(&|other| other.customer = CustomerId::new("jane").unwrap());
    add(&|other| other.status = Status::Resolved);
    add(&|other| other.against = None);
    add(&|other| other.absorbed.push(complaint.id));
    add(&|other| other.exclusions.clear());
    add(&|other| other.level = level(3));
    if complaint.level > Level::FIRST {
        add(&|other| other.level = level(complaint.level.get() - 1));
    }
    let fitting = [None, Some(" ".to_owned()), Some("A bell \u{7}".to_owned()), Some("They agreed.".to_owned())];
    let consents = fitting.into_iter().flat_map(|consent| with(case, |input| input.consent = consent));
    let consents: Vec<Case<'a>> = consents.collect();
    let unnamed = with(case, |input| input.into = None).into_iter().map(|case| Case { other: None, ..case });
    let unknown = Case { other: None, ..case.clone() };
    let others = others.into_iter().map(|other| Case { other: Some(other), ..case.clone() });
    unnamed.chain([unknown]).chain(others).chain(consents).collect()
}

fn files<'a>(case: &Case<'a>, ways: usize) -> Vec<Case<'a>> {
    let mut given = vec![(0..11).map(|number| file(200 + number)).collect::<Vec<_>>()];
    if case.command.name() == C::Attach {
        given.push(Vec::new());
    }
    let edits: [fn(&mut Attachment); 5] = [
        |file| file.size = 0,
        |file| file.size = 10 * 1024 * 1024 + 1,
        |file| file.media_type = "application/x-msdownload".into(),
        |file| file.file_name = " ".into(),
        |file| file.file_name = "one\ntwo".into(),
    ];
    given.extend(edits.map(|edit| {
        let mut second = file(201);
        edit(&mut second);
        vec![file(200), second]
    }));
    let sent = given.into_iter().flat_map(|files| with(case, |input| input.attachments = files));
    let known = case.stage.complaint.attachments.first().map(|file| vec![file.id, file.id]);
    let shown = [vec![AttachmentId::from_uuid(uuid(7_777))]].into_iter().chain(known);
    let shown = shown.flat_map(|files| with(case, |input| input.files = files));
    sent.chain(shown).take(ways).collect()
}
