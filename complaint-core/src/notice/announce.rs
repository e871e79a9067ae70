//! Which notices a change calls for.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use super::{Happening, Notice, NoticeChannel, NoticeKind, Recipient};
use crate::actor::Party;
use crate::complaint::{
    Channel, Complaint, Entry, Escalation, EscalationCause, Event, ExclusionCause, Outcome, Place, ReleaseCause,
    RemedyPromise,
};
use crate::deadline::{ClockChange, ClockKind};
use crate::id::{AgentId, ComplaintId, EndpointId, Level, NoticeId};
use crate::lifecycle::Status;
use crate::policy::{Policy, RightsMoment};
use crate::store::Reach;

/// The notices that entries call for: for each customer-visible change exactly one per recipient and channel.
///
/// `before` is the complaint before the entries, `None` for a new one; `after` is the complaint they lead to. Entries
/// of other complaints, as `merge` makes them, are passed over. Ids are made from the complaint, the entry, the
/// recipient's place and the channel, so announcing the same change again gives the same notices. Of each event, also of those of
/// which nobody is told, the programs hear that the policy lets have it.
///
/// ```
/// use complaint_core::notice::{NoticeKind, Recipient, announce};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let log = desk.whole_log(receipt.id()).await?;
/// let notices = announce(None, receipt.complaint(), &log, &desk.policy());
/// let to_asha = notices.iter().filter(|notice| notice.recipient == Recipient::Agent(asha.id.clone()));
/// assert!(to_asha.map(|notice| notice.kind).eq([NoticeKind::AssignedHandler]));
/// assert_eq!(notices[0].kind, NoticeKind::Acknowledged);
/// assert_eq!(notices[0].recipient, Recipient::Customer(receipt.complaint().customer.clone()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn announce(before: Option<&Complaint>, after: &Complaint, entries: &[Entry], policy: &Policy) -> Vec<Notice> {
    announce_to(Holder::There, before, after, entries, policy)
}

/// Whether the handler reads what they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// They work.
    There,
    /// They are absent, and read it when they are back; till then this level hears of it.
    Absent(Level),
    /// They are disabled, and never read it; this level does.
    Gone(Level),
}

/// As [`announce()`]; of what is decided already, and so is not taken from a handler who is away, those hear who answer for them.
pub(crate) fn announce_to(
    holder: Holder,
    before: Option<&Complaint>,
    after: &Complaint,
    entries: &[Entry],
    policy: &Policy,
) -> Vec<Notice> {
    let own: Vec<&Entry> = entries.iter().filter(|entry| entry.complaint == after.id).collect();
    let acknowledged = own.iter().any(|entry| matches!(entry.event, Event::Acknowledged));
    let absorbed = own.iter().any(|entry| matches!(entry.event, Event::Absorbed { .. }));
    let mut handler = before.and_then(|complaint| complaint.handler.clone());
    let mut notices = Vec::new();
    for (at, entry) in own.iter().enumerate() {
        let remedies: Vec<&Entry> = own.iter().copied().filter(|it| says_it_of_a_remedy_too(entry, it)).collect();
        // The letter about the first of them names them all.
        if remedies.first().is_some_and(|first| first.seq < entry.seq) {
            continue;
        }
        let mut planned = plan(after, entry, handler.as_ref(), policy);
        if let (Event::Contested { .. }, Some(before)) = (&entry.event, before) {
            let deciders = before.answered_by().into_iter().cloned().map(Recipient::Agent);
            planned.extend(deciders.map(|decider| (decider, NoticeKind::ContestedHandler)));
        }
        if let Holder::Absent(hears) | Holder::Gone(hears) = holder
            && !entry.place.status.is_open()
        {
            let theirs = entry.place.handler.clone().map(Recipient::Agent);
            let instead = at_level(hears, Level::FIRST, &entry.place, after, policy);
            let told: Vec<NoticeKind> =
                planned.iter().filter(|(to, _)| Some(to) == theirs.as_ref()).map(|(_, kind)| *kind).collect();
            planned.retain(|(to, _)| matches!(holder, Holder::Absent(_)) || Some(to) != theirs.as_ref());
            planned.extend(told.into_iter().map(|kind| (instead.clone(), kind)));
        }
        // Whoever follows in the same change is announced instead, and so is where else it went.
        let moved_on = own[at + 1..].iter().any(|later| later.place != entry.place);
        planned.retain(|(_, kind)| !(moved_on && *kind == NoticeKind::BackInQueue));
        // Whoever gets it back at once has not lost it.
        let back = |to: &Recipient| {
            own[at + 1..]
                .iter()
                .any(|later| later.place.handler.as_ref().is_some_and(|it| *to == Recipient::Agent(it.clone())))
        };
        planned.retain(|(to, kind)| !(*kind == NoticeKind::TakenAway && back(to)));
        // One mail says both: it is here, and this is what happens when.
        planned.retain(|(_, kind)| !(acknowledged && *kind == NoticeKind::Received));
        // The receipt gives what applies now, nothing else was said before it; and of complaints that are joined, the letter about
        // the one that ends says that the earlier date counts.
        planned.retain(|(_, kind)| !((before.is_none() || absorbed) && *kind == NoticeKind::Revised));
        let programs = policy.endpoints.iter().filter(|(_, subscription)| subscription.includes(entry.event.name()));
        planned.extend(programs.map(|(endpoint, _)| (Recipient::Endpoint(*endpoint), NoticeKind::Happened)));
        // What was taken over from elsewhere happened there; that it is here now is news to nobody.
        planned.retain(|_| !(after.channel == Channel::Import && is_intake(after, &entry.event)));
        let mut told = BTreeSet::new();
        for (recipient, kind) in planned {
            for channel in channels(kind, &recipient, policy) {
                // Nobody is told twice of one change, and nobody is told of what they did themself.
                if !is_author(&recipient, &entry.by) && told.insert((recipient.clone(), channel)) {
                    let place = u8::try_from(told.len()).unwrap_or(u8::MAX);
                    let mut notice = notice(after, entry, (recipient.clone(), channel, kind, place), policy);
                    if kind == NoticeKind::AssignedHandler {
                        let came_up = came_up(after, &own[..at], entry);
                        notice.text = why_given(after, &own[..at], entry, came_up);
                        notice.handler = came_up.filter(|it| it.proposed.is_some()).and_then(|it| it.handler.clone());
                    }
                    if remedies.len() > 1 {
                        notice.text = Some(each_with_its_day(after, &remedies, kind, policy));
                        (notice.due_at, notice.due_on) = (None, None);
                    }
                    notices.push(notice);
                }
            }
        }
        handler.clone_from(&entry.place.handler);
    }
    notices
}

/// The notices that a complaint in the queue calls for which nobody there can take, once per time it comes there; `entry` is
/// the one that left it there, `why` goes through those who work at its level.
pub(crate) fn announce_unroutable(after: &Complaint, entry: &Entry, why: &str, policy: &Policy) -> Vec<Notice> {
    // They come by the thousand, and a mail for each would bury what else those mailboxes are told.
    if after.channel == Channel::Import {
        return Vec::new();
    }
    // Those above can move it; whoever runs the system can change who works there.
    let above = level_above(entry.place.level, policy);
    let told = [at_level(above, above, &entry.place, after, policy), Recipient::Admins];
    let all = told.into_iter().flat_map(|recipient| {
        let channels = channels(NoticeKind::Unroutable, &recipient, policy);
        channels.into_iter().map(move |channel| (recipient.clone(), channel))
    });
    // Counted from the end: what the entry itself calls for is counted from the beginning.
    (0..)
        .zip(all)
        .map(|(at, (recipient, channel))| {
            let place = (recipient, channel, NoticeKind::Unroutable, u8::MAX - at);
            Notice { text: Some(why.to_owned()), ..notice(after, entry, place, policy) }
        })
        .collect()
}

/// Whether two entries of one change say the same of a remedy each: that it is late, or soon will be.
fn says_it_of_a_remedy_too(entry: &Entry, other: &Entry) -> bool {
    use Event::{Alarmed, Warned};
    matches!(
        (&entry.event, &other.event),
        (Alarmed { clock: ClockKind::Remedy }, Alarmed { clock: ClockKind::Remedy })
            | (Warned { clock: ClockKind::Remedy, .. }, Warned { clock: ClockKind::Remedy, .. })
    )
}

/// The remedies that these entries are about, each with its own day.
fn each_with_its_day(after: &Complaint, entries: &[&Entry], kind: NoticeKind, policy: &Policy) -> String {
    let named = entries.iter().filter_map(|entry| {
        let (_, number) = told_of(entry, ClockKind::Remedy)?;
        let promise = remedy_of(after, number)?.numbered();
        let day = due_at(after, entry, kind, policy).map(|end| day_of(end, policy));
        Some(day.map_or(promise.clone(), |day| format!("{promise}, by {}", day.format("%-d %B %Y"))))
    });
    named.collect::<Vec<_>>().join("\n\n")
}

fn is_intake(after: &Complaint, event: &Event) -> bool {
    match event {
        Event::Submitted { .. } => true,
        Event::Assigned { .. } => after.assignments <= 1,
        _ => false,
    }
}

/// The level that answers for one: the next, and of the last level itself.
fn level_above(level: Level, policy: &Policy) -> Level {
    level.above().min(policy.last_level())
}

fn is_author(recipient: &Recipient, by: &Party) -> bool {
    matches!((recipient, by), (Recipient::Agent(to), Party::Agent(by)) if to == by)
}

/// A text message for what cannot wait, where the policy has a gateway; a mail for everything; programs by the way of programs.
fn channels(kind: NoticeKind, recipient: &Recipient, policy: &Policy) -> Vec<NoticeChannel> {
    let urgent = match recipient {
        Recipient::Agent(_) => {
            matches!(kind, NoticeKind::AssignedHandler | NoticeKind::EscalatedHandler | NoticeKind::Missed(_))
        }
        Recipient::Customer(_) => {
            matches!(
                kind,
                NoticeKind::Received | NoticeKind::Acknowledged | NoticeKind::Decision | NoticeKind::FinalDecision
            )
        }
        Recipient::Level { .. } => matches!(kind, NoticeKind::Missed(_)),
        Recipient::Admins => false,
        Recipient::Endpoint(_) => return vec![NoticeChannel::Webhook],
    };
    let fits = |channel: &NoticeChannel| match channel {
        NoticeChannel::Email => true,
        NoticeChannel::Sms => urgent,
        NoticeChannel::Webhook => false,
    };
    policy.channels.iter().copied().filter(fits).collect()
}

#[expect(clippy::too_many_lines, reason = "one arm per event, in the order of the enumeration")]
fn plan(
    complaint: &Complaint,
    entry: &Entry,
    former: Option<&AgentId>,
    policy: &Policy,
) -> Vec<(Recipient, NoticeKind)> {
    use NoticeKind as K;

    let (level, last) = (entry.place.level, policy.last_level());
    let recorded = !matches!(entry.by, Party::Customer(_));
    let at = |level: Level, down_to: Level| at_level(level, down_to, &entry.place, complaint, policy);
    // Whoever supervises a level: the one above it; of the last level, itself.
    let above = |level: Level| at(level_above(level, policy), Level::FIRST);

    let customer = || Recipient::Customer(complaint.customer.clone());
    let to_agent = |agent: Option<&AgentId>| agent.cloned().map(Recipient::Agent);
    // Of what was joined to another complaint nobody holds anything but that one.
    let holder = entry.place.handler.as_ref().filter(|_| entry.place.status != Status::Merged);
    // Those who answer for whoever holds it. Above the last level is nobody: there the holder answers, and colleagues only for
    // what nobody holds.
    let supervision = |wanted: Level| match holder {
        Some(holder) if level >= last => Recipient::Agent(holder.clone()),
        Some(_) => at(wanted, level.above()),
        None => at(wanted, Level::FIRST),
    };
    let supervisors = || supervision(level_above(level, policy));
    let mut planned: Vec<(Option<Recipient>, NoticeKind)> = Vec::new();
    let mut tell = |recipient: Option<Recipient>, kind| planned.push((recipient, kind));
    match &entry.event {
        Event::Submitted { .. } => tell(Some(customer()), K::Received),
        Event::Acknowledged => tell(Some(customer()), K::Acknowledged),
        Event::Revised { .. } => tell(Some(customer()), K::Revised),
        Event::Assigned { agent, .. } => {
            tell(to_agent(Some(agent)), K::AssignedHandler);
            tell(Some(customer()), K::AssignedCustomer);
        }
        Event::Reassigned { from, to, .. } => {
            tell(to_agent(Some(to)), K::AssignedHandler);
            tell(to_agent(Some(from)), K::TakenAway);
            tell(Some(customer()), K::AssignedCustomer);
        }
        Event::Declined { .. } | Event::HandedBack { .. } => tell(Some(customer()), K::BackInQueue),
        Event::Released { agent, cause } => {
            tell(Some(customer()), K::BackInQueue);
            tell(to_agent(Some(agent)), K::TakenAway);
            // At the last level the clock takes it from nobody.
            if *cause == ReleaseCause::NotBegun {
                tell(Some(at(level.above(), level.above())), K::Missed(ClockKind::Acceptance));
            }
        }
        Event::Asked => tell(Some(customer()), K::Question),
        Event::Answered { .. } => {
            if !matches!(entry.by, Party::Customer(_)) {
                tell(Some(customer()), K::Message);
            }
            // Taken down by a colleague, it is news to whoever asked.
            tell(to_agent(holder), K::Answer);
        }
        Event::Posted { .. } => match entry.by {
            Party::Customer(_) => tell(to_agent(holder), K::Message),
            _ => tell(Some(customer()), K::Message),
        },
        Event::Attached { .. } => match entry.by {
            // Until the handler begins, files are part of what they have yet to read.
            Party::Customer(_) if matches!(entry.place.status, Status::Queued | Status::Assigned) => {}
            Party::Customer(_) => tell(to_agent(holder), K::Message),
            _ => tell(Some(customer()), K::Message),
        },
        Event::Held { .. } => tell(Some(customer()), K::OnHold),
        Event::Escalated { .. } => {
            tell(Some(customer()), K::EscalatedCustomer);
            tell(to_agent(former), K::EscalatedHandler);
        }
        Event::Proposed { .. } => tell(Some(above(level)), K::ApprovalWanted),
        // While it waits for approval its handler is who proposed.
        Event::SentBack => tell(to_agent(former), K::SentBack),
        Event::Resolved { by, approved_by, .. } => {
            tell(Some(customer()), if level < policy.last_level() { K::Decision } else { K::FinalDecision });
            tell(approved_by.as_ref().and(to_agent(Some(by))), K::Approved);
            // Settled by somebody else, it is no longer the former handler's.
            tell(to_agent(former.filter(|former| holder != Some(*former))), K::TakenAway);
        }
        // What staff recorded in the customer's name must not stay unknown to them.
        Event::Accepted { .. } => {
            tell(recorded.then(customer), K::RecordedForCustomer);
            tell(to_agent(holder), K::AcceptedHandler);
        }
        Event::RemedyAccepted { .. } => {
            tell(recorded.then(customer), K::RecordedForCustomer);
            tell(to_agent(holder), K::RemedyAcceptedHandler);
        }
        Event::RemedyDeclined { .. } => {
            tell(Some(customer()), if recorded { K::RecordedForCustomer } else { K::RemedyDeclinedCustomer });
            tell(to_agent(holder), K::RemedyDeclinedHandler);
        }
        Event::RemedyFulfilled { .. } => tell(Some(customer()), K::RemedyFulfilled),
        Event::RemedyFailed { .. } => {
            tell(Some(customer()), K::RemedyFailedCustomer);
            tell(Some(supervisors()), K::RemedyFailedHandler);
            tell(to_agent(holder), K::RemedyFailedHandler);
        }
        // Those who decided are known before it alone; whoever held what was dismissed has let go of it.
        Event::Contested { .. } => tell(Some(customer()), K::ContestedCustomer),
        Event::Reopened => {
            tell(Some(customer()), K::Reopened);
            // What was owed was still theirs to deliver; of what was finished they had let go.
            tell(to_agent(former).filter(|_| !fell_with(complaint, entry).is_empty()), K::TakenAway);
        }
        Event::Closed { .. } => tell(Some(customer()), K::Closed),
        Event::Withdrawn => {
            tell(Some(customer()), K::WithdrawnCustomer);
            tell(to_agent(former), K::WithdrawnHandler);
        }
        Event::Reinstated => tell(Some(customer()), K::Reinstated),
        Event::Dismissed { .. } => {
            tell(Some(customer()), K::Dismissed);
            tell(to_agent(former), K::TakenAway);
        }
        Event::Merged { by_consent, .. } => {
            tell(Some(customer()), if *by_consent { K::MergedByConsent } else { K::Merged });
            tell(to_agent(former), K::TakenAway);
        }
        Event::EndedElsewhere { .. } => tell(Some(customer()), K::EndedElsewhere),
        Event::Unmerged => tell(Some(customer()), K::Unmerged),
        Event::Referred => {
            tell(Some(customer()), K::Referred);
            tell(to_agent(former), K::TakenAway);
        }
        Event::ReferralReturned => tell(Some(customer()), K::ReferralReturned),
        Event::Warned { clock, percent } => match clock {
            // The law's promise is kept by those who can still turn it: first a supervisor, then the last level.
            ClockKind::Statutory if *percent >= 90 => tell(Some(supervision(last)), K::Warning(*clock)),
            ClockKind::Statutory | ClockKind::Acknowledgement => tell(Some(supervisors()), K::Warning(*clock)),
            ClockKind::Resolution if *percent >= 90 => tell(Some(supervisors()), K::Warning(*clock)),
            clock if clock.is_time_of_the_customer() => tell(Some(customer()), K::Warning(*clock)),
            ClockKind::Approval => tell(Some(above(level)), K::Warning(*clock)),
            _ => tell(Some(to_agent(holder).unwrap_or_else(supervisors)), K::Warning(*clock)),
        },
        Event::Alarmed { clock } => {
            match clock {
                ClockKind::Silence => tell(Some(to_agent(holder).unwrap_or_else(supervisors)), K::Missed(*clock)),
                // Promised to the customer: where nobody above can take it up, they still hear of it before they ask.
                clock if clock.is_owed_to_customer() => {
                    tell(Some(customer()), K::Missed(*clock));
                    tell(Some(supervisors()), K::Missed(*clock));
                }
                // The approvers of this level had their time: now the next level's.
                ClockKind::Approval => tell(Some(above(level.above())), K::Missed(*clock)),
                _ => tell(Some(supervisors()), K::Missed(*clock)),
            }
            // Of an approval that is late at the last level, the holder is among those who were just told.
            if !matches!(clock, ClockKind::Approval) || level < last {
                tell(to_agent(holder), K::Missed(*clock));
            }
        }
        // Nobody else can see these, or the same change has another entry that tells of it.
        Event::Triaged { .. }
        | Event::Begun
        | Event::Resumed
        | Event::Rated { .. }
        | Event::RatingAnonymised { .. }
        | Event::Absorbed { .. }
        | Event::Separated { .. }
        | Event::Noted
        | Event::Read
        | Event::Rebased { .. } => {}
    }
    planned.into_iter().filter_map(|(recipient, kind)| Some((recipient?, kind))).collect()
}

fn at_level(level: Level, down_to: Level, place: &Place, complaint: &Complaint, policy: &Policy) -> Recipient {
    // Nobody is told of a complaint that they cannot open.
    let last = policy.last_level();
    let sees = |level: &Level| Reach::of(*level, last, policy.agents_may_take).extends_to(place.status, place.level);
    let levels = std::iter::successors(Some(Level::FIRST), |level| Some(level.above()).filter(|above| *above <= last));
    let down_to = levels.into_iter().find(sees).unwrap_or(last).max(down_to);
    let barred = complaint.exclusions.iter().filter(|exclusion| exclusion.cause == ExclusionCause::Decided);
    let barred = barred.map(|exclusion| &exclusion.agent);
    Recipient::Level { level, down_to, except: complaint.against.iter().chain(barred).cloned().collect() }
}

fn notice(
    after: &Complaint,
    entry: &Entry,
    (recipient, channel, kind, place): (Recipient, NoticeChannel, NoticeKind, u8),
    policy: &Policy,
) -> Notice {
    let address = match &recipient {
        Recipient::Customer(_) => after.contact.email.clone(),
        _ => None,
    };
    let subject = match &recipient {
        Recipient::Admins | Recipient::Endpoint(_) => after.reference.to_string(),
        _ => after.subject.clone(),
    };
    // However many letters one change calls for, they speak to the customer of one and the same place: where it is now.
    let (status, level, handler) = match &recipient {
        Recipient::Customer(_) => (after.status, after.level, &after.handler),
        _ => (entry.place.status, entry.place.level, &entry.place.handler),
    };
    let due_at = due_at(after, entry, kind, policy);
    let id = match &recipient {
        // Which others are told makes no difference: there may be more of them than there are places.
        Recipient::Endpoint(endpoint) => endpoint_notice_id(after.id, entry.seq, *endpoint),
        _ => notice_id(after.id, entry.seq, place),
    };
    Notice {
        id,
        recipient,
        channel,
        kind,
        complaint: after.id,
        reference: after.reference,
        subject,
        status,
        level,
        handler: match kind {
            NoticeKind::RecordedForCustomer | NoticeKind::MergedByConsent => entry.by.agent().cloned(),
            _ => handler.clone(),
        },
        text: text(after, entry, kind, policy),
        address,
        due_at,
        due_on: due_at.filter(|_| is_for_a_day(kind)).map(|end| day_of(end, policy)),
        next_at: match kind {
            NoticeKind::Missed(clock) if clock.is_promise() => promised_at(after, entry),
            _ => None,
        },
        owed: match &entry.event {
            _ if kind == NoticeKind::Happened => false,
            Event::Resolved { remedies, .. } => !remedies.is_empty(),
            Event::Accepted { .. } => after.outstanding_remedies().next().is_some(),
            _ => false,
        },
        deniable_until: deniable_until(after, entry, kind, policy),
        rated: kind == NoticeKind::Closed
            && after.feedback.iter().any(|feedback| feedback.resolution as usize == after.resolutions.len()),
        out_of_sight: match entry.event {
            // Whoever decided below.
            Event::Contested { from, .. } if kind == NoticeKind::ContestedHandler => {
                let reach = Reach::of(from, policy.last_level(), policy.agents_may_take);
                !reach.extends_to(entry.place.status, entry.place.level)
            }
            _ => false,
        },
        happening: (kind == NoticeKind::Happened).then(|| Happening {
            event: entry.event.name(),
            seq: entry.seq,
            version: entry.version,
            by: entry.by.role().to_owned(),
            category: after.category.clone(),
        }),
        planned_at: entry.at,
    }
}

/// Whether its date is a day that somebody named. The instant is the end of that day.
fn is_for_a_day(kind: NoticeKind) -> bool {
    matches!(
        kind,
        NoticeKind::OnHold
            | NoticeKind::AcceptedHandler
            | NoticeKind::Warning(ClockKind::Remedy)
            | NoticeKind::Missed(ClockKind::Remedy)
    )
}

/// The day that ends at an instant, or in which it falls, where the organisation is.
fn day_of(end: DateTime<Utc>, policy: &Policy) -> NaiveDate {
    policy.working_calendar().date(end.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(end))
}

/// What the customer of a joined complaint is told beside that: where it goes on, or what is on record of their consent; and
/// that a question to them is over.
fn joined(entry: &Entry) -> Option<String> {
    let Event::Merged { reference, by_consent, unanswered, .. } = &entry.event else { return None };
    let said = match by_consent {
        true => entry.words.get("consent").map(str::to_owned),
        false => reference.map(|reference| reference.to_string()),
    };
    let over = "Our question to you needs no answer any more.";
    let question = match by_consent {
        true => over.to_owned(),
        false => format!("{over} If we still have to know it, we ask you there."),
    };
    let said: Vec<String> = said.into_iter().chain(unanswered.then_some(question)).collect();
    (!said.is_empty()).then(|| said.join("\n\n"))
}

/// The words that the recipient may read. Internal notes never get here, because they announce nothing.
fn text(after: &Complaint, entry: &Entry, kind: NoticeKind, policy: &Policy) -> Option<String> {
    match kind {
        NoticeKind::TakenAway => return why_taken(entry),
        NoticeKind::EscalatedHandler => return why_escalated(after, entry),
        NoticeKind::Happened => return None,
        _ => {}
    }
    match &entry.event {
        Event::Revised { category, clocks } => {
            let named = |key| policy.category(key).map_or_else(|| key.to_string(), |category| category.name.clone());
            let about = category.as_ref().map(|key| format!("It is handled as “{}” now.", named(key)));
            let dates =
                (!clocks.is_empty()).then(|| "Other dates apply to it than those we gave you before.".to_owned());
            Some(about.into_iter().chain(dates).collect::<Vec<_>>().join("\n\n"))
        }
        Event::Asked | Event::Dismissed { .. } => entry.words.get("text").map(str::to_owned),
        Event::Referred => {
            let said: Vec<&str> = ["body", "text"].iter().filter_map(|name| entry.words.get(name)).collect();
            Some(said.join("\n\n"))
        }
        Event::Merged { .. } => joined(entry),
        Event::EndedElsewhere { how } => Some(format!("{}.", how.label())),
        Event::Answered { .. } | Event::Posted { .. } | Event::Attached { .. } => message(entry),
        Event::Resolved { outcome, remedies, .. } => {
            let words = |name: &str| entry.words.get(name).map(str::to_owned);
            let promised = (1..).zip(remedies).map(|(number, remedy)| {
                let instructions = words(&format!("remedy.{number}.instructions"));
                let day = remedy.due_on.map(|day| format!(", by {}", day.format("%-d %B %Y")));
                let promise = format!("{}{}.", remedy.in_words(), day.unwrap_or_default());
                instructions.map_or(promise.clone(), |text| format!("{promise} {text}"))
            });
            let moment = match outcome {
                Outcome::ResolvedAtSource => RightsMoment::Summary,
                _ => RightsMoment::Decision,
            };
            let parts: Vec<String> = [Some(format!("{}.", outcome.label())), words("explanation"), words("apology")]
                .into_iter()
                .flatten()
                .chain(promised)
                .chain(words("next_steps"))
                .chain(policy.rights.text(moment))
                .collect();
            Some(parts.join("\n\n"))
        }
        Event::RemedyFulfilled { remedy, .. } => {
            let promise = remedy_of(after, *remedy)?;
            let evidence = entry.words.get("evidence").unwrap_or_default();
            Some(format!("{}. {evidence}", promise.remedy.in_words()).trim().to_owned())
        }
        Event::Accepted { remedies } => {
            let agreed = (kind == NoticeKind::RecordedForCustomer).then(|| "You accept the decision.".to_owned());
            let named = remedies.iter().filter_map(|remedy| remedy_of(after, *remedy)).map(RemedyPromise::numbered);
            let named = named.filter(|_| kind == NoticeKind::RecordedForCustomer);
            let said: Vec<String> = agreed.into_iter().chain(named).chain(reason(entry, kind)).collect();
            (!said.is_empty()).then(|| said.join("\n\n"))
        }
        Event::RemedyAccepted { remedy } | Event::RemedyDeclined { remedy } | Event::RemedyFailed { remedy } => {
            let which = remedy_of(after, *remedy)?.numbered();
            let what = match (&entry.event, kind) {
                (Event::RemedyAccepted { .. }, NoticeKind::RecordedForCustomer) => format!("You want this: {which}"),
                (Event::RemedyDeclined { .. }, NoticeKind::RecordedForCustomer) => {
                    format!("You do not want this: {which}")
                }
                _ => which,
            };
            Some([what].into_iter().chain(reason(entry, kind)).collect::<Vec<_>>().join("\n\n"))
        }
        Event::Warned { clock: ClockKind::Remedy, .. } | Event::Alarmed { clock: ClockKind::Remedy } => {
            let (_, number) = told_of(entry, ClockKind::Remedy)?;
            remedy_of(after, number).map(RemedyPromise::numbered)
        }
        Event::Escalated { causes, .. } => {
            let mut clocks = causes.iter().filter_map(|cause| match cause {
                EscalationCause::Clock(clock) => Some(clock),
                _ => None,
            });
            let first = clocks.next()?;
            // How long a level has is no promise to the customer.
            let broken = first.is_promise() || clocks.any(|clock| clock.is_promise());
            let why = if broken {
                "We did not keep the time that we promised you. We are sorry about that."
            } else {
                "It was passed up because it took us too long."
            };
            Some(why.to_owned())
        }
        Event::Alarmed { clock: ClockKind::Statutory } => policy.rights.text(RightsMoment::Missed),
        Event::Contested { .. } | Event::Reopened => listed(&fell_with(after, entry)),
        Event::Withdrawn if kind == NoticeKind::WithdrawnCustomer => listed(&fell_with(after, entry)),
        Event::SentBack => entry.words.get("comment").map(str::to_owned),
        Event::Held { .. } => entry.words.get("party").map(str::to_owned),
        _ => None,
    }
}

/// The reason that was typed with something the customer wants, does not want or did not get; staff read beside it whose word
/// that is.
fn reason(entry: &Entry, kind: NoticeKind) -> Option<String> {
    let reason = entry.words.get("reason")?;
    let by_customer = matches!(entry.by, Party::Customer(_));
    Some(match kind {
        NoticeKind::RemedyFailedHandler if by_customer => {
            format!("The customer says that it did not arrive: {reason}")
        }
        NoticeKind::AcceptedHandler | NoticeKind::RemedyAcceptedHandler | NoticeKind::RemedyDeclinedHandler
            if !by_customer =>
        {
            format!("Recorded in the customer's name: {reason}")
        }
        _ => reason.to_owned(),
    })
}

/// What a decision promised that stands no more, and was not delivered: by number and name.
fn fallen(complaint: &Complaint) -> Option<String> {
    listed(&complaint.fallen_remedies().collect::<Vec<_>>())
}

/// What fell with this very entry: the clock of whatever is owed ends with it.
fn fell_with<'a>(complaint: &'a Complaint, entry: &Entry) -> Vec<&'a RemedyPromise> {
    let ends = |number: u32| {
        let ended = |change: &ClockChange| matches!(change, ClockChange::Ended { .. });
        entry.clocks.iter().any(|change| ended(change) && change.key() == (ClockKind::Remedy, number))
    };
    complaint.fallen_remedies().filter(|promise| ends(promise.number)).collect()
}

fn listed(remedies: &[&RemedyPromise]) -> Option<String> {
    let listed: Vec<String> = remedies.iter().map(|promise| promise.numbered()).collect();
    (!listed.is_empty()).then(|| listed.join("\n\n"))
}

/// Why it is not the former handler's any more: what was typed among staff, or what happened.
fn why_taken(entry: &Entry) -> Option<String> {
    let typed = || entry.words.get("reason").map(str::to_owned);
    let happened = match &entry.event {
        Event::Released { cause: ReleaseCause::NotBegun, .. } => "You did not begin with it in time.",
        Event::Released { cause: ReleaseCause::HandlerGone, .. } => {
            "You are away, take no complaints any more, or work at a lower level now."
        }
        Event::Resolved { .. } => "A colleague has settled it with the customer.",
        Event::Dismissed { .. } => "It was not taken up.",
        Event::Merged { .. } => "It was joined to another complaint.",
        Event::Referred => "It was passed to the body that is responsible.",
        _ => return typed(),
    };
    Some(happened.to_owned())
}

/// What was typed among staff, or which time ran out; and that a proposal fell with it.
fn why_escalated(after: &Complaint, entry: &Entry) -> Option<String> {
    let Event::Escalated { causes, .. } = &entry.event else { return None };
    let over: Vec<&str> = causes
        .iter()
        .filter_map(|cause| match cause {
            EscalationCause::Clock(clock) => Some(clock.label()),
            _ => None,
        })
        .collect();
    let over = (!over.is_empty()).then(|| format!("Time ran out: {}.", over.join(", ").to_lowercase()));
    let why = entry.words.get("reason").map(str::to_owned).or(over);
    let proposed = after.escalations.last().and_then(|escalation| escalation.proposed);
    let fell = proposed.map(|it| format!("Your proposal had not been decided on, and fell with that: {}.", it.label()));
    let said: Vec<String> = why.into_iter().chain(fell).collect();
    (!said.is_empty()).then(|| said.join("\n\n"))
}

/// The step up the ladder that brings it to a handler, in this change or, where it waited in the queue in between, by how it came
/// to its level.
fn came_up<'a>(after: &'a Complaint, earlier: &[&Entry], entry: &Entry) -> Option<&'a Escalation> {
    let moved = earlier.iter().rev().find_map(|earlier| match earlier.event {
        Event::Escalated { .. } => Some(true),
        Event::HandedBack { .. } | Event::Contested { .. } | Event::Reopened => Some(false),
        _ => None,
    });
    let contested_at = after.resolutions.last().and_then(|resolution| resolution.contested_at);
    let last = after.escalations.last().filter(|_| matches!(entry.event, Event::Assigned { .. }));
    last.filter(|it| moved.unwrap_or(it.to == after.level && Some(it.at) > contested_at))
}

/// Why it comes to a handler, unless it is new: what was typed among staff, or what happened.
fn why_given(after: &Complaint, earlier: &[&Entry], entry: &Entry, came_up: Option<&Escalation>) -> Option<String> {
    let with = |happened: String, entry: &Entry, word: &str| match entry.words.get(word) {
        Some(typed) => format!("{happened}\n\n{typed}"),
        None => happened,
    };
    if matches!(entry.event, Event::Reassigned { .. }) {
        return Some(with("It was with a colleague before.".to_owned(), entry, "reason"));
    }
    // What may be under way already is not promised a second time without knowing of the first.
    let fell = || match fallen(after) {
        Some(fallen) => format!("\n\nWhat was promised and not delivered fell with the decision:\n\n{fallen}"),
        None => String::new(),
    };
    let contested =
        || format!("The customer contested the decision. Nobody who took part in it acts on it any more.{}", fell());
    let in_this_change = earlier.iter().rev().find_map(|earlier| {
        let (happened, word) = match &earlier.event {
            Event::Escalated { .. } => (escalated(came_up?), "reason"),
            Event::HandedBack { from, .. } => (format!("It was handed back from level {from}."), "instruction"),
            Event::Contested { .. } => (contested(), "reason"),
            Event::Reopened => (format!("It was opened again.{}", fell()), "reason"),
            _ => return None,
        };
        Some(with(happened, earlier, word))
    });
    // It waited in the queue in between.
    in_this_change.or_else(|| came_up.map(escalated)).or_else(|| {
        let contested_at = after.resolutions.last().and_then(|resolution| resolution.contested_at);
        contested_at.map(|_| contested())
    })
}

/// That it went up the ladder, by whom, and what fell undecided: whoever goes on is not to decide anew without knowing of it.
fn escalated(step: &Escalation) -> String {
    let over = step.causes.iter().filter_map(|cause| match cause {
        EscalationCause::Clock(clock) => Some(clock.label().to_lowercase()),
        _ => None,
    });
    let over: Vec<String> = over.collect();
    let by = match step.causes.first() {
        Some(EscalationCause::Customer) => " by the customer".to_owned(),
        Some(EscalationCause::Handler) => " by whoever handled it".to_owned(),
        Some(EscalationCause::Supervisor) => " by a supervisor".to_owned(),
        _ => format!(" because time ran out: {}", over.join(", ")),
    };
    let proposed = step.proposed.map(|outcome| {
        format!("\n\nA decision had been proposed, waited for approval and fell with that: {}.", outcome.label())
    });
    format!("It was escalated from level {}{by}.{}", step.from, proposed.unwrap_or_default())
}

/// What is late already is no date to look forward to.
fn promised_at(after: &Complaint, entry: &Entry) -> Option<DateTime<Utc>> {
    after.promised(entry.at).and_then(|deadline| deadline.due_at)
}

fn due_at(after: &Complaint, entry: &Entry, kind: NoticeKind, policy: &Policy) -> Option<DateTime<Utc>> {
    let ahead = |due: &DateTime<Utc>| *due > entry.at;
    // Of several clocks of one kind, the one that this entry is about: the latest of its number, under which what is owed again
    // runs again.
    let told = |clock: ClockKind| {
        let key = told_of(entry, clock);
        let deadline = after.deadlines.iter().rev().find(|it| Some((it.clock, it.instance)) == key);
        deadline.and_then(|deadline| deadline.due_at)
    };
    // Of several the first that is not over.
    let of = |clock: ClockKind| {
        let running = after.deadlines.iter().filter(|it| it.clock == clock && it.ended.is_none());
        running.filter_map(|deadline| deadline.due_at).filter(ahead).min()
    };
    let next = || promised_at(after, entry);
    let due = match kind {
        // That date was not kept.
        NoticeKind::Missed(clock) => return told(clock),
        NoticeKind::Warning(clock) => told(clock),
        // A failed remedy opens it at the last level too.
        NoticeKind::Decision | NoticeKind::FinalDecision | NoticeKind::RemedyFailedCustomer => {
            of(ClockKind::ContestWindow)
        }
        NoticeKind::RemedyFulfilled => match entry.event {
            Event::RemedyFulfilled { remedy, .. } => {
                remedy_of(after, remedy).and_then(|promise| after.deniable_until(promise, policy))
            }
            _ => None,
        },
        // While it can neither close over an objection nor be too late for one.
        NoticeKind::RecordedForCustomer => {
            after.deadline(ClockKind::AutoClose).and_then(|deadline| deadline.due_at_the_earliest(policy, entry.at))
        }
        // Of the last level these letters do not say that it takes new evidence: no date is given to contest just so.
        NoticeKind::Dismissed | NoticeKind::Closed => {
            of(ClockKind::ContestWindow).filter(|_| after.level < policy.last_level())
        }
        NoticeKind::Question => of(ClockKind::Silence),
        NoticeKind::AssignedHandler => of(ClockKind::Acceptance).or_else(next),
        // Until that day is over.
        NoticeKind::OnHold => after.awaited.map(|day| policy.working_calendar().end_of(day)),
        NoticeKind::WithdrawnCustomer => Some(policy.reinstate_window.measure(&policy.working_calendar(), entry.at).1),
        NoticeKind::ApprovalWanted => of(ClockKind::Approval),
        // The first remedy to be delivered.
        NoticeKind::AcceptedHandler => of(ClockKind::Remedy),
        NoticeKind::Received | NoticeKind::Acknowledged if after.status != Status::Resolved => {
            of(ClockKind::Resolution).or_else(next)
        }
        NoticeKind::AssignedCustomer
        | NoticeKind::Revised
        | NoticeKind::BackInQueue
        | NoticeKind::EscalatedCustomer
        | NoticeKind::ContestedCustomer
        | NoticeKind::MergedByConsent
        | NoticeKind::Reopened
            if after.status != Status::Resolved =>
        {
            next()
        }
        _ => None,
    };
    // What is over is no date to look forward to.
    due.filter(ahead)
}

/// Until when the customer of what is closed can say of everything recorded as delivered, and not too late already, that it did not
/// arrive.
fn deniable_until(after: &Complaint, entry: &Entry, kind: NoticeKind, policy: &Policy) -> Option<DateTime<Utc>> {
    let ends = after.remedies.iter().filter_map(|promise| after.deniable_until(promise, policy));
    ends.filter(|end| kind == NoticeKind::Closed && *end > entry.at).min()
}

/// The complaint's id with entry and place mixed into its random end. A complaint's id is random there, so ids of
/// different complaints do not meet.
fn notice_id(complaint: ComplaintId, seq: u32, place: u8) -> NoticeId {
    let mixed = complaint.as_uuid().as_u128() ^ ((u128::from(seq) << 8) | u128::from(place));
    NoticeId::from_uuid(Uuid::from_u128(mixed))
}

/// The same for a program, of which there is one notice per entry.
fn endpoint_notice_id(complaint: ComplaintId, seq: u32, endpoint: EndpointId) -> NoticeId {
    let mixed = complaint.as_uuid().as_u128() ^ endpoint.as_uuid().as_u128() ^ (u128::from(seq) << 8);
    NoticeId::from_uuid(Uuid::from_u128(mixed))
}

/// A message in words, its files by their names.
fn message(entry: &Entry) -> Option<String> {
    let files: Vec<&str> = entry.words.under("file.").map(|(_, name)| name).collect();
    let files = (!files.is_empty()).then(|| format!("Files: {}", files.join(", ")));
    let parts: Vec<String> = entry.words.get("text").map(str::to_owned).into_iter().chain(files).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// Which clock of a kind an entry is about.
fn told_of(entry: &Entry, clock: ClockKind) -> Option<(ClockKind, u32)> {
    entry.clocks.iter().map(ClockChange::key).find(|(kind, _)| *kind == clock)
}

fn remedy_of(complaint: &Complaint, number: u32) -> Option<&RemedyPromise> {
    complaint.remedies.iter().find(|promise| promise.number == number)
}
