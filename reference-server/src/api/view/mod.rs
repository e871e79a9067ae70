//! What each audience is shown, by what it shows.
//!
//! What of a complaint and of its log is whose, `complaint-core` has decided before anything comes here (`Acting`). Here it gets its
//! shape, and two things are chosen: customers get no ids of staff, and of the facts of an entry those that are picked for them.

mod catalogue;
mod command;
mod complaint;
mod deadline;
mod log;
mod part;
mod routing;
pub(crate) mod submission;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use complaint_core::actor::Party;
use complaint_core::agent::Agent;
use complaint_core::complaint::Complaint;
use complaint_core::desk::Acting;
use complaint_core::id::{AgentId, ComplaintId, CustomerId};
use complaint_core::policy::Policy;
use complaint_core::reference::Reference;
use complaint_core::{Actor, DeskError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::AuthError;
use crate::error::Problem;
use crate::state::AppState;

pub use catalogue::{AbsenceView, AgentView, CategoryRules, CategoryView, QuestionView, category};
pub use command::{
    ChoiceView, CommandBody, CommandView, FieldKind, FieldView, RefusalView, command, field_view, outcomes,
};
pub use complaint::{
    AttachmentView, CategoryName, CauseView, ComplaintRow, ComplaintView, Content, DismissalView, EscalationView,
    FeedbackView, Internal, ItemView, OpenContent, RemedyView, ResolutionView, StaffRow, cause_name,
};
pub use deadline::{DeadlineView, SegmentView};
pub use log::{EntryView, MessageView, message_of};
pub use part::Part;
pub use routing::{CandidateView, ReasonView, RoutingView};
pub use submission::{ContactBody, SubmissionBody};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Whose complaint it is.
    Customer,
    /// Those who handle complaints, and the auditor.
    Staff,
    /// Runs the system; content is not theirs to read.
    Admin,
}

impl Audience {
    /// The audience an actor belongs to.
    pub fn of(actor: &Actor) -> Self {
        match actor.party() {
            Party::Customer(_) => Self::Customer,
            Party::Admin(_) => Self::Admin,
            Party::Agent(_) | Party::Auditor(_) | Party::System => Self::Staff,
        }
    }

    /// Whether they may read what people wrote.
    pub fn reads_content(self) -> bool {
        self != Self::Admin
    }

    /// Whether they may see who was considered and why, and what is kept among staff.
    pub fn is_internal(self) -> bool {
        self != Self::Customer
    }
}

/// What a view needs beside the complaint: names, the policy, who looks.
pub struct Lens {
    /// Who looks.
    pub audience: Audience,
    policy: std::sync::Arc<Policy>,
    now: DateTime<Utc>,
    agents: BTreeMap<AgentId, Agent>,
    customers: BTreeMap<CustomerId, String>,
    references: BTreeMap<String, Reference>,
    /// Complaints for which nobody can keep a date.
    without_promise: BTreeSet<ComplaintId>,
}

/// Somebody, as far as the viewer may know them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person {
    /// Left out for customers.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// What they are called.
    name: String,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Doer {
    /// `customer`, `agent`, `admin`, `auditor` or `system`.
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Lens {
    /// What is needed to show these complaints to whoever acts.
    pub async fn over(state: &AppState, acting: &Acting, complaints: &[Complaint]) -> Result<Self, Problem> {
        let audience = Audience::of(acting.actor());
        let mut customers = BTreeMap::new();
        let mut references = BTreeMap::new();
        for complaint in complaints {
            if !customers.contains_key(&complaint.customer) {
                match state.accounts.account(complaint.customer.as_str()).await {
                    Ok(account) => {
                        customers.insert(complaint.customer.clone(), account.name);
                    }
                    Err(AuthError::NoSuchAccount) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            for other in [complaint.merged_into, complaint.follows].into_iter().flatten() {
                // One that the viewer may not see stays unnamed.
                match acting.read(other).await {
                    Ok(other) => {
                        references.insert(other.id.to_string(), other.reference);
                    }
                    Err(DeskError::NotFound) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let without_promise = acting.without_promise(complaints).await?;
        Ok(Self { customers, references, without_promise, ..Self::plain(state, audience).await? })
    }

    /// What is needed to show agents, categories and numbers.
    pub async fn plain(state: &AppState, audience: Audience) -> Result<Self, Problem> {
        let roster = state.desk.store().roster().await.map_err(DeskError::from)?;
        Ok(Self {
            audience,
            policy: state.desk.policy(),
            now: state.desk.now(),
            agents: roster.into_iter().map(|member| (member.agent.id.clone(), member.agent)).collect(),
            customers: BTreeMap::new(),
            references: BTreeMap::new(),
            without_promise: BTreeSet::new(),
        })
    }

    /// What an agent is called.
    pub fn agent_name(&self, id: &AgentId) -> String {
        self.agents.get(id).map_or_else(|| "a former colleague".to_owned(), |agent| agent.name.clone())
    }

    fn person(&self, agent: &AgentId) -> Person {
        Person { id: self.audience.is_internal().then(|| agent.to_string()), name: self.agent_name(agent) }
    }

    fn customer(&self, complaint: &Complaint) -> Person {
        // Never the contact name: what somebody typed there could be the name of one of our own.
        let name = self.customers.get(&complaint.customer).cloned();
        Person { id: Some(complaint.customer.to_string()), name: name.unwrap_or_else(|| "Customer".to_owned()) }
    }

    fn doer(&self, party: &Party) -> Doer {
        let (id, name) = match party {
            Party::Customer(id) => (Some(id.to_string()), self.customers.get(id).cloned()),
            Party::Agent(id) => (Some(id.to_string()), Some(self.agent_name(id))),
            Party::Admin(id) | Party::Auditor(id) => (Some(id.to_string()), None),
            Party::System => (None, None),
        };
        Doer { role: party.role(), id: id.filter(|_| self.audience.is_internal()), name }
    }
}
