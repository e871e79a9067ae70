//! From entries to the change that a store commits.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::complaint::{Complaint, Entry, Event, ReleaseCause};
use crate::deadline::ClockKind;
use crate::id::{AgentId, ComplaintId, CustomerId, Version};
use crate::lifecycle::{Status, begin, evolve};
use crate::notice::{Holder, NoticeKind, Recipient, announce_to, announce_unroutable};
use crate::policy::Policy;
use crate::store::{Change, OpenLimit, Part, WorkloadDelta};

/// A change under construction: complaints before, and the entries decided so far.
pub(crate) struct Plan {
    first: Option<ComplaintId>,
    /// Which of them is looked at, where it is not the first.
    looked_at: Option<ComplaintId>,
    parts: BTreeMap<ComplaintId, Stage>,
    ceilings: BTreeMap<AgentId, u32>,
    open_limit: Option<OpenLimit>,
    question: Option<String>,
    holder: Holder,
    now: DateTime<Utc>,
}

struct Stage {
    before: Option<Complaint>,
    after: Option<Complaint>,
    entries: Vec<Entry>,
    unroutable: Option<String>,
    keeps_promises: bool,
}

impl Stage {
    fn of(before: Option<&Complaint>) -> Self {
        let (before, after) = (before.cloned(), before.cloned());
        Self { before, after, entries: Vec::new(), unroutable: None, keeps_promises: true }
    }
}

impl Plan {
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self {
            first: None,
            looked_at: None,
            parts: BTreeMap::new(),
            ceilings: BTreeMap::new(),
            open_limit: None,
            question: None,
            holder: Holder::There,
            now,
        }
    }

    /// Takes a stored complaint in; the first one is the one the change is about.
    pub(crate) fn with(mut self, complaint: &Complaint) -> Self {
        self.first.get_or_insert(complaint.id);
        self.parts.insert(complaint.id, Stage::of(Some(complaint)));
        self
    }

    /// Adds decided entries.
    pub(crate) fn add(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.first.get_or_insert(entry.complaint);
            let part = self.parts.entry(entry.complaint).or_insert_with(|| Stage::of(None));
            part.after = match part.after.take() {
                Some(state) => Some(evolve(state, &entry)),
                None => begin(&entry),
            };
            part.entries.push(entry);
        }
    }

    /// The agent was chosen with this capacity as a hard ceiling.
    pub(crate) fn ceiling(&mut self, agent: AgentId, capacity: u32) {
        self.ceilings.insert(agent, capacity);
    }

    /// The customer may have no more open complaints than this afterwards.
    pub(crate) fn open_limit(&mut self, customer: CustomerId, most: u32) {
        self.open_limit = Some(OpenLimit { customer, most });
    }

    /// Nobody can take the complaint, for this reason. To be told once, when it comes to the queue.
    pub(crate) fn unroutable(&mut self, why: String) {
        if let Some(stage) = self.stage_mut() {
            stage.unroutable = Some(why);
        }
    }

    /// The question that its customer is reminded of, in the words in which it was asked.
    pub(crate) fn question(&mut self, text: Option<String>) {
        self.question = text;
    }

    /// Whether its handler reads what they are told.
    pub(crate) fn held_by(&mut self, holder: Holder) {
        self.holder = holder;
    }

    /// Nobody can keep what the complaint promises: the customer is given no date.
    pub(crate) fn promises_nothing(&mut self) {
        if let Some(stage) = self.stage_mut() {
            stage.keeps_promises = false;
        }
    }

    /// Those to be given to handlers: the complaint that it is about, if it leaves that in a queue, and what it brings to one.
    pub(crate) fn queued(&self) -> Vec<ComplaintId> {
        let waits = |it: &Option<Complaint>| it.as_ref().is_some_and(|it| it.status == Status::Queued);
        let comes = |id: &ComplaintId, stage: &Stage| Some(*id) == self.first || !waits(&stage.before);
        let queued = self.parts.iter().filter(|(id, stage)| waits(&stage.after) && comes(id, stage));
        queued.map(|(id, _)| *id).collect()
    }

    /// What follows is about this one of its complaints; `None` for the one that the change is about.
    pub(crate) fn look_at(&mut self, id: Option<ComplaintId>) {
        self.looked_at = id;
    }

    fn stage(&self) -> Option<&Stage> {
        self.looked_at.or(self.first).and_then(|id| self.parts.get(&id))
    }

    fn stage_mut(&mut self) -> Option<&mut Stage> {
        self.looked_at.or(self.first).and_then(|id| self.parts.get_mut(&id))
    }

    /// Whether the change brings its complaint to a queue.
    pub(crate) fn enters_queue(&self) -> bool {
        let Some(stage) = self.stage() else { return false };
        let place = |complaint: &Complaint| (complaint.status, complaint.level_entries);
        stage.after.as_ref().is_some_and(|after| after.status == Status::Queued)
            && stage.before.as_ref().map(place) != stage.after.as_ref().map(place)
    }

    /// The complaint the change is about, as it is after the entries so far.
    pub(crate) fn state(&self) -> Option<&Complaint> {
        self.stage().and_then(|stage| stage.after.as_ref())
    }

    /// From whom a person took the complaint in this very change.
    pub(crate) fn taken_by_hand(&self) -> Option<AgentId> {
        self.stage()?.entries.iter().find_map(|entry| match &entry.event {
            Event::Released { agent, cause: ReleaseCause::ByHand } => Some(agent.clone()),
            _ => None,
        })
    }

    /// Whether anything was decided yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.values().all(|stage| stage.entries.is_empty())
    }

    pub(crate) fn into_change(self, policy: &Policy) -> Change {
        let mut notices = Vec::new();
        let mut workload: BTreeMap<AgentId, WorkloadDelta> = BTreeMap::new();
        let mut parts = Vec::new();
        for (id, stage) in self.parts {
            let Some(after) = stage.after else { continue };
            if stage.entries.is_empty() {
                continue;
            }
            let from = notices.len();
            let holder = if Some(id) == self.first { self.holder } else { Holder::There };
            notices.extend(announce_to(holder, stage.before.as_ref(), &after, &stage.entries, policy));
            if !stage.keeps_promises {
                for notice in notices[from..].iter_mut().filter(|it| matches!(it.recipient, Recipient::Customer(_))) {
                    // That one was given before, and missed.
                    notice.due_at = notice.due_at.filter(|_| matches!(notice.kind, NoticeKind::Missed(_)));
                    notice.next_at = None;
                }
            }
            for notice in &mut notices[from..] {
                if notice.kind == NoticeKind::Warning(ClockKind::Silence) {
                    notice.text.clone_from(&self.question);
                }
            }
            if let (Some(why), Some(entry)) = (&stage.unroutable, stage.entries.last()) {
                notices.extend(announce_unroutable(&after, entry, why, policy));
            }
            weigh(&mut workload, stage.before.as_ref(), -1);
            weigh(&mut workload, Some(&after), 1);
            for entry in &stage.entries {
                let given = match &entry.event {
                    Event::Assigned { agent, .. } => Some(agent),
                    Event::Reassigned { to, .. } => Some(to),
                    _ => None,
                };
                if let Some(delta) = given.and_then(|agent| workload.get_mut(agent)) {
                    delta.assigned_at = Some(self.now);
                }
            }
            let expected = stage.before.as_ref().map_or(Version::NONE, |before| before.version);
            let part = Part::new(expected, after, stage.entries);
            if Some(id) == self.first {
                parts.insert(0, part);
            } else {
                parts.push(part);
            }
        }
        let workload = workload
            .into_values()
            .filter(|delta| delta.delta != 0 || delta.assigned_at.is_some())
            .map(|delta| WorkloadDelta {
                ceiling: self.ceilings.get(&delta.agent).copied().filter(|_| delta.delta > 0),
                ..delta
            })
            .collect();
        Change::new(parts, notices, workload).within(self.open_limit)
    }
}

fn weigh(workload: &mut BTreeMap<AgentId, WorkloadDelta>, complaint: Option<&Complaint>, sign: i64) {
    if let Some((agent, weight)) = complaint.and_then(Complaint::workload) {
        let delta = workload.entry(agent.clone()).or_insert_with(|| WorkloadDelta {
            agent: agent.clone(),
            delta: 0,
            ceiling: None,
            assigned_at: None,
        });
        delta.delta += sign * i64::from(weight);
    }
}
