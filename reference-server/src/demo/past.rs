//! Ninety days of an organisation, lived through the desk with a moved clock.
//!
//! Nothing is written past the lifecycle: customers submit, agents and supervisors give commands, sweeps let clocks act, each
//! at its own instant. What the clocks changed meanwhile is looked at before each deed, as people would.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Datelike as _, TimeDelta, Timelike as _, Utc, Weekday};
use complaint_core::clock::Clock as _;
use complaint_core::complaint::{Attachment, Channel, Contact, Outcome, Priority, Remedy, RemedyKind, Submission};
use complaint_core::deadline::Calendar;
use complaint_core::desk::Acting;
use complaint_core::id::{AttachmentId, CauseKey, ComplaintId, InvalidId, Level};
use complaint_core::lifecycle::{Command, CommandName, Input, Status};
use complaint_core::notice::Notice;
use complaint_core::testing::ManualClock;
use complaint_core::{Actor, Agent, Complaint, Desk, DeskError, Notifier, NotifyError};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::chance::Chance;
use super::fates::{Deed, FATES, Since, Wait, joined};
use super::papers;
use super::people::{NOISE_EXPERT, People, Person};
use super::situations::{PLACES, SITUATIONS, Situation};
use crate::extract::hex;

/// How far back it goes, in days.
pub const DAYS: i64 = 90;
/// How much time lies between two sweeps.
const SWEEP_EVERY: TimeDelta = TimeDelta::minutes(120);
/// Every which complaint comes with files. Counted, not drawn: what else happens does not hang on it.
const WITH_FILES: usize = 4;
/// How often somebody looks whether they can do something at last, before they give up.
const TRIES: u32 = 40;
/// Since how many minutes of opening time the noise expert is away.
const AWAY_SINCE: i64 = 440;

/// Why the past could not be lived through.
#[derive(Debug, Error)]
pub enum PastError {
    /// The desk failed.
    #[error("the desk failed while the past was lived through")]
    Desk(#[from] DeskError),
    /// A status of the lifecycle was not reached: the scenario must be mended.
    #[error("no complaint of the demonstration is {0}")]
    Missing(Status),
    /// A key or text of the scenario is none.
    #[error("the scenario holds a value that cannot be used")]
    Invalid(#[from] InvalidId),
}

/// What happened.
#[derive(Debug, Default)]
pub struct Past {
    /// How many complaints are in which status now.
    pub statuses: BTreeMap<Status, u64>,
    /// All of them.
    pub complaints: Vec<ComplaintId>,
    /// The bytes of what customers sent along, by their SHA-256.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Deeds that were refused because clocks or other people had been faster, by command and code.
    pub refused: BTreeMap<String, u32>,
}

/// Takes every notice and tells nobody: mail of the past was read long ago.
#[derive(Debug, Clone, Copy)]
pub struct LongRead;

#[async_trait]
impl Notifier for LongRead {
    async fn deliver(&self, _: &Notice) -> Result<(), NotifyError> {
        Ok(())
    }
}

/// As [`LongRead`] until an instant; from then on mail is delivered, as if it still lay in the box.
pub struct LatelyDelivered<N> {
    /// From when on.
    pub since: DateTime<Utc>,
    /// The time.
    pub clock: ManualClock,
    /// How.
    pub by: N,
}

#[async_trait]
impl<N: Notifier> Notifier for LatelyDelivered<N> {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        if self.clock.now() < self.since { LongRead.deliver(notice).await } else { self.by.deliver(notice).await }
    }
}

/// Lives through the days before `until`. The desk must go by `clock`, deliver to [`LongRead`] or [`LatelyDelivered`], and have no complaints yet.
/// `progress` hears how many of how many minutes have passed.
pub async fn live(
    desk: &Desk,
    clock: &ManualClock,
    people: &People,
    until: DateTime<Utc>,
    seed: u64,
    mut progress: impl FnMut(u64, u64),
) -> Result<Past, PastError> {
    let from = until - TimeDelta::days(DAYS);
    clock.set(from);
    for agent in &people.agents {
        desk.enrol(agent.clone()).await?;
    }
    let mut life = Life {
        desk,
        people,
        calendar: desk.policy().working_calendar(),
        by: Chance::from_seed(seed),
        until,
        cases: Vec::new(),
        agenda: BinaryHeap::new(),
        order: 0,
        past: Past::default(),
    };
    life.plan();
    let whole = minutes(until - from);
    while let Some(Reverse((at, _, what))) = life.agenda.pop() {
        if at > until {
            break;
        }
        clock.set(at);
        match what {
            What::Case(case) => life.advance(case, at).await?,
            What::Sweep => {
                desk.sweep().await?;
                progress(minutes(at - from), whole);
                life.enter(at + SWEEP_EVERY, What::Sweep);
            }
            What::Leave => life.send_on_leave(at).await?,
        }
    }
    clock.set(until);
    desk.sweep().await?;
    life.past.statuses = desk.acting_as(Actor::system()).summary().await?.by_status;
    for status in Status::ALL {
        if !life.past.statuses.contains_key(&status) {
            return Err(PastError::Missing(status));
        }
    }
    Ok(life.past)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Sweep,
    Leave,
    Case(usize),
}

/// One complaint on its way.
struct Case {
    id: Option<ComplaintId>,
    /// The complaint this one repeats or follows.
    after: Option<usize>,
    follows: bool,
    customer: Person,
    situation: &'static Situation,
    slots: Slots,
    course: VecDeque<(Wait, Deed)>,
    tries: u32,
}

#[derive(Clone)]
struct Slots {
    /// The first name.
    customer: &'static str,
    partner: &'static str,
    thing: &'static str,
    place: &'static str,
    order: String,
    file: String,
    days: i64,
    amount: i64,
    date: String,
}

/// What came of a deed.
enum Came {
    /// It was done, or nobody wants it any more: on to the next.
    Done,
    /// Not yet possible: look again after this.
    Later(Wait),
}

struct Life<'a> {
    desk: &'a Desk,
    people: &'a People,
    calendar: Calendar,
    by: Chance,
    until: DateTime<Utc>,
    cases: Vec<Case>,
    agenda: BinaryHeap<Reverse<(DateTime<Utc>, u64, What)>>,
    order: u64,
    past: Past,
}

impl Life<'_> {
    fn plan(&mut self) {
        let start = self.until - TimeDelta::days(DAYS);
        self.enter(start + TimeDelta::minutes(7), What::Sweep);
        let away = self.opening_time_ago(AWAY_SINCE);
        self.enter(away, What::Leave);
        for fate in FATES {
            for number in 0..fate.count {
                let fitting: Vec<&'static Situation> = SITUATIONS
                    .iter()
                    .filter(|it| fate.category.is_none_or(|category| it.category == category))
                    // What is to be unfinished now must not wait for somebody who is away.
                    .filter(|it| {
                        fate.category.is_some() || matches!(fate.since, Since::Days(..)) || it.category != "noise"
                    })
                    .collect();
                let situation = self.by.pick(&fitting);
                let everybody: Vec<&Person> = self.people.customers.iter().collect();
                let mut customer = self.by.pick(&everybody).clone();
                // Whoever looks in with the account that stands first sees one of everything that is going on.
                if let (0, true, Some(first)) = (number, fate.since.is_recent(), everybody.first()) {
                    customer = (*first).clone();
                }
                let course = (fate.course)(&mut self.by).into();
                let at = match fate.since {
                    Since::Days(least, most) => {
                        let ago = self.by.between(least * 1440, most * 1440);
                        self.handed_in_about(self.until - TimeDelta::minutes(ago))
                    }
                    Since::Work(least, most) => {
                        let ago = self.by.between(least, most);
                        self.opening_time_ago(ago)
                    }
                };
                let slots = self.slots(situation, &customer, at);
                self.cases.push(Case {
                    id: None,
                    after: None,
                    follows: false,
                    customer,
                    situation,
                    slots,
                    course,
                    tries: 0,
                });
                self.enter(at, What::Case(self.cases.len() - 1));
            }
        }
    }

    fn enter(&mut self, at: DateTime<Utc>, what: What) {
        self.order += 1;
        self.agenda.push(Reverse((at, self.order, what)));
    }

    /// The instant since which this much opening time has passed.
    fn opening_time_ago(&mut self, ago: i64) -> DateTime<Utc> {
        let wanted = Duration::from_secs(ago.unsigned_abs() * 60);
        let (mut early, mut late) = (self.until - TimeDelta::days(30), self.until);
        while late - early > TimeDelta::seconds(30) {
            let middle = early + (late - early) / 2;
            if self.calendar.between(middle, self.until) >= wanted {
                early = middle;
            } else {
                late = middle;
            }
        }
        early - TimeDelta::seconds(self.by.between(0, 50))
    }

    /// People complain by day, and less at weekends.
    fn handed_in_about(&mut self, day: DateTime<Utc>) -> DateTime<Utc> {
        let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        let day = if weekend && self.by.percent(60) { day - TimeDelta::days(2) } else { day };
        let hour = self.by.pick(&[7, 8, 8, 9, 9, 9, 10, 10, 11, 11, 12, 13, 13, 14, 15, 16, 17, 18, 19, 20, 20, 21]);
        let at = day
            .with_hour(hour)
            .and_then(|at| at.with_minute(u32::try_from(self.by.between(0, 59)).unwrap_or(0)))
            .and_then(|at| at.with_second(u32::try_from(self.by.between(0, 59)).unwrap_or(0)))
            .unwrap_or(day);
        at.clamp(self.until - TimeDelta::days(DAYS) + TimeDelta::hours(1), self.until - TimeDelta::hours(30))
    }

    fn slots(&mut self, situation: &Situation, customer: &Person, at: DateTime<Utc>) -> Slots {
        let days = self.by.between(5, 24);
        Slots {
            customer: customer.name.split(' ').next().unwrap_or(customer.name),
            partner: situation.partner,
            thing: self.by.pick(situation.things),
            place: self.by.pick(PLACES),
            order: format!("TW-{}", self.by.between(40_000, 89_999)),
            file: format!("{}/{}", self.by.between(100, 999), at.year() - 2000),
            days,
            amount: self.by.between(18, 95),
            date: (at - TimeDelta::days(days)).format("%-d %B").to_string(),
        }
    }

    /// When a deed happens, counted from `now`.
    fn after(&mut self, now: DateTime<Utc>, wait: Wait) -> DateTime<Utc> {
        let seconds = TimeDelta::seconds(self.by.between(1, 59));
        match wait {
            Wait::Work(least, most) => {
                let minutes = self.by.between(least.max(1), most.max(1)).unsigned_abs();
                self.calendar.add(now, Duration::from_secs(minutes * 60)) - seconds
            }
            Wait::Wall(least, most) => {
                let at = now + TimeDelta::minutes(self.by.between(least, most)) + seconds;
                let pause = TimeDelta::minutes(self.by.between(1, 100));
                match at.hour() {
                    hour if hour < 7 => at + TimeDelta::hours(i64::from(7 - hour)) + pause,
                    23 => at + TimeDelta::hours(8) + pause,
                    _ => at,
                }
            }
        }
        .max(now + TimeDelta::seconds(1))
    }

    /// Lets the next thing happen to a case.
    async fn advance(&mut self, at: usize, now: DateTime<Utc>) -> Result<(), PastError> {
        let Some(id) = self.cases[at].id else {
            let id = self.submit(at, now).await?;
            self.cases[at].id = Some(id);
            self.past.complaints.push(id);
            self.schedule(at, now);
            return Ok(());
        };
        let Some((_, deed)) = self.cases[at].course.front().cloned() else { return Ok(()) };
        let came = match self.attempt(at, id, &deed, now).await {
            Ok(came) => came,
            Err(PastError::Desk(DeskError::Refused(refusal))) => {
                *self.past.refused.entry(format!("{} {}", refusal.command, refusal.code())).or_default() += 1;
                Came::Done
            }
            Err(error) => return Err(error),
        };
        match came {
            Came::Later(wait) if self.cases[at].tries < TRIES => {
                self.cases[at].tries += 1;
                let next = self.after(now, wait);
                self.enter(next, What::Case(at));
            }
            Came::Later(_) | Came::Done => {
                self.cases[at].tries = 0;
                self.cases[at].course.pop_front();
                self.schedule(at, now);
            }
        }
        Ok(())
    }

    fn schedule(&mut self, at: usize, now: DateTime<Utc>) {
        if let Some((wait, _)) = self.cases[at].course.front() {
            let next = self.after(now, *wait);
            self.enter(next, What::Case(at));
        }
    }

    async fn submit(&mut self, at: usize, now: DateTime<Utc>) -> Result<ComplaintId, PastError> {
        let (again, by_phone, with_dates) = (self.cases[at].after, self.by.percent(12), self.by.percent(70));
        let case = &self.cases[at];
        let (situation, slots) = (case.situation, &case.slots);
        let mut subject = slots.fill(situation.subject);
        if again.is_some() {
            subject = if case.follows { format!("After your answer: {subject}") } else { format!("Again: {subject}") };
        }
        let mut submission = Complaint::about(situation.category, subject, slots.fill(situation.description))?
            .wishing(situation.wish)
            .contact(Contact {
                name: Some(case.customer.name.to_owned()),
                email: Some(case.customer.email.clone()),
                ..Contact::default()
            });
        for (question, answer) in situation.answers {
            submission = submission.answering(*question, slots.fill(answer));
        }
        let is_shop = matches!(situation.category, "damaged-goods" | "late-delivery");
        if is_shop {
            submission = submission.product(slots.thing).order_number(slots.order.clone());
            submission = submission.concerning("order", slots.order.clone());
        }
        if with_dates {
            let day = (now - TimeDelta::days(slots.days)).date_naive();
            submission = if is_shop { submission.purchased_on(day) } else { submission.happened_on(day) };
        }
        let customer = self.customer(at)?;
        if let (Some(first), true) = (again.and_then(|first| self.cases[first].id), self.cases[at].follows) {
            return Ok(customer.follow_up(first, submission).await?.id());
        }
        // Nobody takes a call before or after work.
        if by_phone && again.is_none() && self.calendar.is_open(now) {
            return self.take_down(at, submission).await;
        }
        let id = customer.submit(submission).await?.id();
        if at.is_multiple_of(WITH_FILES) {
            let papers = self.papers(at);
            customer.perform(id, Command::attach(papers)).await?;
        }
        Ok(id)
    }

    /// What a customer sends along.
    fn papers(&mut self, at: usize) -> Vec<Attachment> {
        let case = &self.cases[at];
        let slots = &case.slots;
        let shade = u8::try_from(at % 200).unwrap_or(0);
        let photo = || papers::photo(format!("IMG_{}.png", 2000 + at * 7 % 7000), shade);
        let papers = match case.situation.category {
            "damaged-goods" | "late-delivery" => vec![
                photo(),
                papers::letter(
                    format!("Order {}.pdf", slots.order),
                    &[
                        "Tidewater Town Works: shop".to_owned(),
                        format!("Confirmation of order {}", slots.order),
                        format!("1 x {}", slots.thing),
                        format!("For {}", case.customer.name),
                    ],
                ),
            ],
            "billing" => vec![papers::letter(
                "Bill.pdf",
                &[
                    "Tidewater Town Works".to_owned(),
                    format!("Bill for {}: {}", case.customer.name, slots.thing),
                    format!("Amount due: {}.50 EUR", slots.amount),
                ],
            )],
            "noise" => vec![papers::list(
                "Times.txt",
                &[
                    format!("{}, what I wrote down:", slots.place),
                    "Mon 22:40 to 23:55".to_owned(),
                    "Tue 05:05 to 05:20".to_owned(),
                    "Thu 23:10 until after midnight".to_owned(),
                ],
            )],
            _ => vec![photo()],
        };
        papers
            .into_iter()
            .map(|paper| {
                let sha256 = hex(&Sha256::digest(&paper.bytes));
                let attachment = Attachment {
                    id: AttachmentId::from_uuid(self.desk.draw_id()),
                    file_name: paper.file_name,
                    media_type: paper.media_type.to_owned(),
                    size: paper.bytes.len() as u64,
                    sha256: sha256.clone(),
                };
                self.past.files.insert(sha256, paper.bytes);
                attachment
            })
            .collect()
    }

    /// An agent writes down what a customer says on the telephone.
    async fn take_down(&mut self, at: usize, submission: Submission) -> Result<ComplaintId, PastError> {
        let first: Vec<&Agent> = self.people.agents.iter().filter(|agent| agent.level == Level::FIRST).collect();
        let agent = self.by.pick(&first);
        let customer = self.cases[at].customer.id.as_str().try_into()?;
        let submission = submission.on_behalf_of(customer, Channel::Phone);
        Ok(self.desk.acting_as(Actor::agent(agent)).submit(submission).await?.id())
    }

    #[expect(clippy::too_many_lines, reason = "one arm per deed, in the order of the enumeration")]
    async fn attempt(
        &mut self,
        at: usize,
        id: ComplaintId,
        deed: &Deed,
        now: DateTime<Utc>,
    ) -> Result<Came, PastError> {
        let complaint = self.desk.acting_as(Actor::system()).read(id).await?;
        let status = complaint.status;
        let (situation, slots) = (self.cases[at].situation, self.cases[at].slots.clone());
        let again = Ok(Came::Later(Wait::Work(60, 300)));
        match deed {
            // These need a handler who has begun.
            Deed::Write(_)
            | Deed::Note(_)
            | Deed::Ask
            | Deed::Hold
            | Deed::Escalate(_)
            | Deed::HandBack
            | Deed::Triage
            | Deed::Resolve(_)
            | Deed::Propose
            | Deed::SettleAtOnce => {
                let handler = match self.handler(&complaint) {
                    Some(handler) if status.is_open() => handler,
                    _ if status == Status::Queued => return again,
                    _ => return Ok(Came::Done),
                };
                match status {
                    Status::Assigned => {
                        handler.begin(id).await?;
                        return Ok(Came::Later(Wait::Work(15, 120)));
                    }
                    Status::InProgress => {}
                    // Somebody is being waited for.
                    _ => return again,
                }
                let command = match deed {
                    Deed::Write(text) => Command::with_text(CommandName::Post, slots.fill(text)),
                    Deed::Note(text) => Command::with_text(CommandName::Note, *text),
                    Deed::Ask => Command::with_text(CommandName::Ask, slots.fill(situation.question)),
                    Deed::Hold => {
                        let until = (now + TimeDelta::days(self.by.between(4, 12))).date_naive();
                        given(
                            CommandName::Hold,
                            Input { party: Some(situation.partner.to_owned()), until: Some(until), ..Input::default() },
                        )?
                    }
                    Deed::Escalate(reason) if complaint.level < self.desk.policy().last_level() => {
                        Command::with_reason(CommandName::Escalate, *reason)
                    }
                    Deed::HandBack if complaint.level > Level::FIRST => given(
                        CommandName::HandBack,
                        Input {
                            instruction: Some(
                                "You may decide this up to the usual amount; the contract allows it.".into(),
                            ),
                            ..Input::default()
                        },
                    )?,
                    Deed::Triage => given(
                        CommandName::Triage,
                        Input {
                            priority: Some(Priority::High),
                            reason: Some("A second report about the same thing came in.".into()),
                            ..Input::default()
                        },
                    )?,
                    Deed::Resolve(outcome) => self.decision(CommandName::Resolve, *outcome, situation, &slots)?,
                    Deed::Propose => {
                        let amount = self.by.between(120, 640);
                        Self::proposal(amount, situation, &slots)?
                    }
                    Deed::SettleAtOnce => given(
                        CommandName::ResolveAtSource,
                        Input {
                            explanation: Some(format!(
                                "Settled on the telephone with the customer. {}",
                                slots.fill(situation.upheld)
                            )),
                            ..Input::default()
                        },
                    )?,
                    _ => return Ok(Came::Done),
                };
                if complaint.unread_since.is_some() {
                    handler.perform(id, Command::plain(CommandName::Read)).await?;
                }
                handler.perform(id, command).await?;
            }
            Deed::Begin => match (status, self.handler(&complaint)) {
                (Status::Queued, _) => return again,
                (Status::Assigned, Some(handler)) => {
                    handler.begin(id).await?;
                }
                _ => {}
            },
            Deed::Resume => match (status, self.handler(&complaint)) {
                (Status::AwaitingThirdParty, Some(handler)) => {
                    handler.perform(id, Command::plain(CommandName::Resume)).await?;
                }
                _ => return Ok(Came::Done),
            },
            Deed::Decline(reason) => match (status, self.handler(&complaint)) {
                (Status::Assigned, Some(handler)) => {
                    handler.perform(id, Command::with_reason(CommandName::Decline, *reason)).await?;
                }
                _ => return Ok(Came::Done),
            },
            Deed::Reassign(reason) => return self.reassign(&complaint, reason).await,
            Deed::Answer if status == Status::AwaitingCustomer => {
                self.customer(at)?.answer(id, slots.fill(situation.answer)).await?;
            }
            Deed::Remark(text) if status.is_open() => {
                self.customer(at)?.post(id, *text).await?;
            }
            Deed::SendBack | Deed::Approve if status == Status::PendingApproval => {
                let command = if matches!(deed, Deed::Approve) {
                    Command::plain(CommandName::Approve)
                } else {
                    given(
                        CommandName::SendBack,
                        Input {
                            comment: Some("Please add the receipt, then I will gladly sign it.".into()),
                            ..Input::default()
                        },
                    )?
                };
                return self.by_a_superior(&complaint, command).await;
            }
            Deed::Accept if status == Status::Resolved => {
                self.customer(at)?.accept(id).await?;
            }
            Deed::Fulfil if status == Status::Resolved => {
                let Some(promise) = complaint.outstanding_remedies().next() else { return Ok(Came::Done) };
                let Some(handler) = self.handler(&complaint) else { return Ok(Came::Done) };
                let evidence = match promise.remedy.kind {
                    RemedyKind::Refund | RemedyKind::Compensation => {
                        format!("Transfer {}", self.by.between(300_000, 399_999))
                    }
                    RemedyKind::Replacement => format!("Parcel {}, signed for", self.by.between(70_000, 79_999)),
                    _ => format!("Work order {}, signed off", self.by.between(2_000, 2_999)),
                };
                let command = given(
                    CommandName::FulfilRemedy,
                    Input { remedy: Some(promise.number), evidence: Some(evidence), ..Input::default() },
                )?;
                let after = handler.perform(id, command).await?;
                if after.outstanding_remedies().next().is_some() {
                    return Ok(Came::Later(Wait::Work(60, 600)));
                }
            }
            Deed::DeclineRemedy(reason) if status == Status::Resolved => {
                let Some(promise) = complaint.outstanding_remedies().next() else { return Ok(Came::Done) };
                let input =
                    Input { remedy: Some(promise.number), reason: Some((*reason).to_owned()), ..Input::default() };
                self.customer(at)?.perform(id, given(CommandName::DeclineRemedy, input)?).await?;
            }
            Deed::FailRemedy(reason) if status == Status::Resolved => {
                let Some(promise) = complaint.outstanding_remedies().find(|it| it.failed.is_none()) else {
                    return Ok(Came::Done);
                };
                let Some(handler) = self.handler(&complaint) else { return Ok(Came::Done) };
                let input =
                    Input { remedy: Some(promise.number), reason: Some((*reason).to_owned()), ..Input::default() };
                handler.perform(id, given(CommandName::FailRemedy, input)?).await?;
            }
            Deed::Rate(score, comment) if matches!(status, Status::Resolved | Status::Closed) => {
                let input = Input { score: Some(*score), comment: Some((*comment).to_owned()), ..Input::default() };
                self.customer(at)?.perform(id, given(CommandName::Rate, input)?).await?;
            }
            Deed::Contest(reason) if matches!(status, Status::Resolved | Status::Closed | Status::Dismissed) => {
                self.customer(at)?.contest(id, *reason).await?;
            }
            Deed::Withdraw(reason) if status.is_open() => {
                self.customer(at)?.perform(id, Command::with_reason(CommandName::Withdraw, *reason)).await?;
            }
            Deed::Reinstate if status == Status::Withdrawn => {
                self.customer(at)?.perform(id, Command::plain(CommandName::Reinstate)).await?;
            }
            Deed::Dismiss(ground, text) if matches!(status, Status::Queued | Status::Assigned | Status::InProgress) => {
                let input =
                    Input { reason: Some((*ground).to_owned()), text: Some((*text).to_owned()), ..Input::default() };
                return self.by_a_superior(&complaint, given(CommandName::Dismiss, input)?).await;
            }
            Deed::Refer(body, text) if status.is_open() => {
                let input =
                    Input { body: Some((*body).to_owned()), text: Some((*text).to_owned()), ..Input::default() };
                return self.by_a_superior(&complaint, given(CommandName::Refer, input)?).await;
            }
            Deed::ReturnReferral if status == Status::Referred => {
                let command = Command::with_reason(CommandName::ReturnReferral, "They say that it is ours after all.");
                return self.by_a_superior(&complaint, command).await;
            }
            Deed::Reopen if status == Status::Closed => {
                let command = Command::with_reason(
                    CommandName::Reopen,
                    "We had looked at the wrong meter; the customer was right.",
                );
                return self.by_a_superior(&complaint, command).await;
            }
            Deed::Repeat | Deed::FollowUp => {
                let follows = matches!(deed, Deed::FollowUp);
                // A repetition can only be joined to what is still open.
                if follows || status.is_open() {
                    let case = &self.cases[at];
                    let course = if follows { Vec::new() } else { joined(&mut self.by) };
                    let second = Case {
                        id: None,
                        after: Some(at),
                        follows,
                        customer: case.customer.clone(),
                        situation: case.situation,
                        slots: case.slots.clone(),
                        course: course.into(),
                        tries: 0,
                    };
                    self.cases.push(second);
                    self.enter(now + TimeDelta::seconds(20), What::Case(self.cases.len() - 1));
                }
            }
            Deed::Join if status.is_open() => {
                let first = self.cases[at].after.and_then(|first| self.cases[first].id);
                let input = Input {
                    into: first.map(|first| first.to_string()),
                    reason: Some("The same thing, handed in twice.".into()),
                    ..Input::default()
                };
                return self.by_a_superior(&complaint, given(CommandName::Merge, input)?).await;
            }
            // The moment has passed: clocks or other people were faster.
            _ => {}
        }
        Ok(Came::Done)
    }

    fn customer(&self, at: usize) -> Result<Acting, PastError> {
        Ok(self.desk.acting_as(Actor::customer(self.cases[at].customer.id.as_str())?))
    }

    fn handler(&self, complaint: &Complaint) -> Option<Acting> {
        let agent = self.people.agent(complaint.handler.as_ref()?)?;
        Some(self.desk.acting_as(Actor::agent(agent)))
    }

    /// The first superior whom the rules let do it.
    async fn by_a_superior(&mut self, complaint: &Complaint, command: Command) -> Result<Came, PastError> {
        let above = Level::FIRST.above().max(complaint.level);
        let mut superiors: Vec<&Agent> = self.people.agents.iter().filter(|agent| agent.level >= above).collect();
        // Not always the same one of a level; the levels stay in order.
        let turn = usize::try_from(self.by.between(0, 2)).unwrap_or(0) % superiors.len().max(1);
        superiors.rotate_left(turn);
        superiors.sort_by_key(|agent| agent.level);
        let mut refusal = None;
        for superior in superiors {
            match self.desk.acting_as(Actor::agent(superior)).perform(complaint.id, command.clone()).await {
                Ok(_) => return Ok(Came::Done),
                Err(error @ (DeskError::Refused(_) | DeskError::NotFound)) => refusal = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        refusal.map_or(Ok(Came::Done), |error| Err(error.into()))
    }

    async fn reassign(&mut self, complaint: &Complaint, reason: &str) -> Result<Came, PastError> {
        let Some(holder) = complaint.handler.clone() else { return Ok(Came::Later(Wait::Work(60, 300))) };
        let others: Vec<Agent> = self
            .people
            .agents
            .iter()
            .filter(|agent| {
                agent.id != holder && agent.level == complaint.level && complaint.skills.is_subset(&agent.skills)
            })
            .cloned()
            .collect();
        for other in others {
            let input = Input { agent: Some(other.id), reason: Some(reason.to_owned()), ..Input::default() };
            let command = given(CommandName::Reassign, input)?;
            match self.by_a_superior(complaint, command).await {
                Err(PastError::Desk(DeskError::Refused(_))) => {}
                done => return done,
            }
        }
        Ok(Came::Done)
    }

    fn decision(
        &mut self,
        name: CommandName,
        outcome: Outcome,
        situation: &Situation,
        slots: &Slots,
    ) -> Result<Command, PastError> {
        let right = outcome != Outcome::NotUpheld;
        let words = if right { situation.upheld } else { situation.not_upheld };
        let explanation = match outcome {
            Outcome::PartlyUpheld => {
                format!("{} What came before that day, however, was announced in time.", slots.fill(words))
            }
            Outcome::Goodwill => {
                "We could not find out any more what went wrong. So that you do not bear the cost of that, we meet you half way."
                    .to_owned()
            }
            _ => slots.fill(words),
        };
        let kind = if outcome == Outcome::Goodwill { RemedyKind::Compensation } else { situation.cure };
        let mut remedies = if right { vec![self.remedy(kind)?] } else { Vec::new() };
        // Now and then something for the trouble on top of the thing itself.
        if kind == RemedyKind::Replacement && right && self.by.percent(40) {
            remedies.push(Remedy::compensation("10.00 EUR")?);
        }
        let input = Input {
            outcome: Some(outcome),
            explanation: Some(explanation),
            cause: right.then(|| cause_of(situation)).transpose()?,
            apology: right.then(|| "We are sorry for the trouble and for the time it has cost you.".to_owned()),
            remedies,
            next_steps: right
                .then(|| "You need not do anything; write here if something is still missing next week.".to_owned()),
            ..Input::default()
        };
        given(name, input)
    }

    fn proposal(amount: i64, situation: &Situation, slots: &Slots) -> Result<Command, PastError> {
        let input = Input {
            outcome: Some(Outcome::Upheld),
            explanation: Some(slots.fill(situation.upheld)),
            cause: Some(cause_of(situation)?),
            apology: Some("We are sorry; this should not have taken so long.".into()),
            remedies: vec![Remedy::compensation(&format!("{amount}.00 EUR"))?],
            next_steps: Some("The money comes to the account from which you pay us.".into()),
            ..Input::default()
        };
        given(CommandName::Propose, input)
    }

    fn remedy(&mut self, kind: RemedyKind) -> Result<Remedy, PastError> {
        let amount = format!("{}.{}0 EUR", self.by.between(6, 89), self.by.between(0, 9));
        Ok(match kind {
            RemedyKind::Refund => Remedy::refund(&amount)?,
            RemedyKind::Compensation => Remedy::compensation(&amount)?,
            RemedyKind::Replacement => {
                Remedy::replacement().with_instructions("Keep the old one until our driver brings the new one.")
            }
            other => Remedy::of(other),
        })
    }

    /// The noise expert goes on leave; what she holds waits for others, or for her.
    async fn send_on_leave(&mut self, now: DateTime<Utc>) -> Result<(), PastError> {
        let Some(expert) = self.people.agent_named(NOISE_EXPERT) else { return Ok(()) };
        let mut expert = expert.clone();
        let until = self.until + TimeDelta::days(6);
        expert.absence = Some(complaint_core::agent::Absence { from: now, until });
        self.desk.enrol(expert).await?;
        Ok(())
    }
}

impl Slots {
    fn fill(&self, text: &str) -> String {
        let article = if self.thing.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let filled = text
            .replace(" a {thing}", &format!(" {article} {}", self.thing))
            .replace("{thing}", self.thing)
            .replace("{customer}", self.customer)
            .replace("{partner}", self.partner)
            .replace("{place}", self.place)
            .replace("{order}", &self.order)
            .replace("{file}", &self.file)
            .replace("{days}", &self.days.to_string())
            .replace("{amount}", &format!("{}.50", self.amount))
            .replace("{date}", &self.date);
        let mut letters = filled.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }
}

/// Why it went wrong, told by what puts it right.
fn cause_of(situation: &Situation) -> Result<CauseKey, PastError> {
    Ok(CauseKey::new(match situation.cure {
        RemedyKind::Replacement => "supplier",
        RemedyKind::Repair => "maintenance",
        RemedyKind::Refund | RemedyKind::Correction => "records",
        RemedyKind::Compensation | RemedyKind::ProcessChange => "planning",
        RemedyKind::Apology | RemedyKind::Explanation => "communication",
    })?)
}

fn given(name: CommandName, input: Input) -> Result<Command, PastError> {
    // A field the command does not read is a fault of the scenario, refused like any other.
    Command::new(name, input).map_err(|fault| {
        tracing::error!(field = %fault.field, command = %name, "the scenario gives a field that the command does not read");
        PastError::Desk(DeskError::NotFound)
    })
}

fn minutes(span: TimeDelta) -> u64 {
    span.num_minutes().unsigned_abs()
}
