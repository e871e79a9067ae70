//! What the rules are told beside the complaint: the time, the policy, and facts that the shell looked up.

use chrono::{DateTime, Utc};

use crate::complaint::Complaint;
use crate::id::Version;
use crate::policy::Policy;
use crate::routing::Routing;

/// The circumstances of a decision. Pure data: the same complaint, command, actor and context always give the same
/// answer.
///
/// What is not said is taken to be harmless: the customer has no open complaints, the handler is there, somebody at the level
/// below can take it. A [`Desk`](crate::Desk) looks all of it up.
///
/// ```
/// use complaint_core::lifecycle::{Command, CommandName, Context, decide};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let withdrawn = john.perform(receipt.id(), Command::plain(CommandName::Withdraw)).await?;
/// let policy = desk.policy();
/// let now = Context::new(&policy, desk.now()).handler_available(false).somebody_below(false);
/// let reinstate = Command::plain(CommandName::Reinstate);
/// let with_open = |open| decide(&withdrawn, &reinstate, john.actor(), &now.open_complaints(open));
/// assert!(with_open(0).is_ok());
/// let refused = with_open(policy.open_complaints_per_customer).unwrap_err();
/// assert_eq!(refused.code(), "too_many_open_complaints");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) now: DateTime<Utc>,
    pub(crate) seen: Option<Version>,
    pub(crate) routing: Option<&'a Routing>,
    pub(crate) other: Option<&'a Complaint>,
    pub(crate) follows: Option<&'a Complaint>,
    pub(crate) joined: &'a [Complaint],
    pub(crate) open_complaints: u32,
    pub(crate) handler_available: bool,
    pub(crate) somebody_below: bool,
    pub(crate) continuing: bool,
}

impl<'a> Context<'a> {
    /// The policy in force and the present instant, truncated to microseconds.
    pub fn new(policy: &'a Policy, now: DateTime<Utc>) -> Self {
        Self {
            policy,
            now: crate::clock::to_micros(now),
            seen: None,
            routing: None,
            other: None,
            follows: None,
            joined: &[],
            open_complaints: 0,
            handler_available: true,
            somebody_below: true,
            continuing: false,
        }
    }

    /// The version the caller saw; refused as stale when it is not the current one.
    pub fn seen(mut self, version: Option<Version>) -> Self {
        self.seen = version;
        self
    }

    /// For `assign` and `reassign`: who was considered and who is chosen.
    pub fn routed(mut self, routing: &'a Routing) -> Self {
        self.routing = Some(routing);
        self
    }

    /// For `merge` and `unmerge`: the other complaint.
    pub fn other(mut self, other: &'a Complaint) -> Self {
        self.other = Some(other);
        self
    }

    /// For `submit`: the finished complaint that the new one follows up. What keeps the actor from
    /// [following it up](super::CommandName::FollowUp) keeps them from handing the new one in.
    ///
    /// ```
    /// use complaint_core::lifecycle::{Command, CommandName, Context, decide, evolve, begin, submit};
    /// # use complaint_core::{Actor, Complaint, Policy, id::ComplaintId, policy::Category, reference::Reference};
    /// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
    /// # let john = Actor::customer("john")?;
    /// # let about = Complaint::about("Water supply", "No water", "Since Monday.")?;
    /// # let drawn = |number| (ComplaintId::from_uuid(uuid::Uuid::from_u128(number)), Reference::from_entropy(number));
    /// # let ((id, reference), (next, number)) = (drawn(7), drawn(8));
    /// let now = Context::new(&policy, chrono::DateTime::UNIX_EPOCH);
    /// let first = begin(&submit(id, reference, &about, &john, &now)?).expect("a submission");
    /// let early = submit(next, number, &about, &john, &now.following(&first)).unwrap_err();
    /// assert_eq!(early.code(), "wrong_status", "it is open");
    ///
    /// let withdrawn = decide(&first, &Command::plain(CommandName::Withdraw), &john, &now)?;
    /// let first = withdrawn.iter().fold(first, evolve);
    /// let second = begin(&submit(next, number, &about, &john, &now.following(&first))?).expect("a submission");
    /// assert_eq!(second.follows, Some(first.id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn following(mut self, finished: &'a Complaint) -> Self {
        self.follows = Some(finished);
        self
    }

    /// For whatever answers, passes on or takes back a complaint: those of other customers that were
    /// [joined to it by consent](Complaint::consents). What becomes of them is decided with it. A [`Desk`](crate::Desk) looks them up.
    ///
    /// ```
    /// use complaint_core::lifecycle::{Command, CommandName, Context, Input, decide};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let [john, jane] = [Actor::customer("john")?, Actor::customer("jane")?].map(|it| desk.acting_as(it));
    /// # let john = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// # let receipt = jane.submit(Complaint::about("Water supply", "Dry tap", "Since Monday.")?).await?;
    /// # let asha = desk.acting_as(Actor::agent(&asha));
    /// let (into, consent) = (Some(receipt.reference().to_string()), Some("Asked on the phone.".to_owned()));
    /// let merge = Command::new(CommandName::Merge, Input { into, consent, ..Input::default() })?;
    /// let joined = asha.perform(john.id(), merge).await?;
    /// let survivor = asha.read(receipt.id()).await?;
    /// assert!(joined.joined_by_consent && survivor.consents[&joined.id] == joined.customer);
    ///
    /// let (policy, joined) = (desk.policy(), [joined]);
    /// let context = Context::new(&policy, desk.now()).joined(&joined);
    /// let entries = decide(&survivor, &Command::plain(CommandName::Withdraw), jane.actor(), &context)?;
    /// let happened: Vec<_> = entries.iter().map(|entry| (entry.complaint, entry.place.status.name())).collect();
    /// assert_eq!(happened[0], (survivor.id, "withdrawn"));
    /// assert_eq!(happened.last(), Some(&(joined[0].id, "queued")), "it does not end with what is somebody else's");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn joined(mut self, joined: &'a [Complaint]) -> Self {
        self.joined = joined;
        self
    }

    /// For `submit` and `reinstate`: how many open complaints the customer has.
    pub fn open_complaints(mut self, count: u32) -> Self {
        self.open_complaints = count;
        self
    }

    /// Whether it can stay with its handler: they are there, or it [waits for them](crate::routing::waits_for). For `send_back`, and for
    /// `release` by the system, which says by it [why](crate::complaint::ReleaseCause): they are gone, or else they did not begin in time.
    ///
    /// ```
    /// use complaint_core::complaint::{Event, ReleaseCause};
    /// use complaint_core::lifecycle::{Command, CommandName, Context, decide};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// let (release, policy) = (Command::plain(CommandName::Release), desk.policy());
    /// let gone = Context::new(&policy, desk.now()).handler_available(false);
    /// let entries = decide(receipt.complaint(), &release, &Actor::system(), &gone)?;
    /// assert_eq!(entries[0].event, Event::Released { agent: asha.id, cause: ReleaseCause::HandlerGone });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handler_available(mut self, available: bool) -> Self {
        self.handler_available = available;
        self
    }

    /// For `hand_back`: whether anybody at the level below [could ever take it](crate::routing::Roster::could_take).
    pub fn somebody_below(mut self, there_is: bool) -> Self {
        self.somebody_below = there_is;
        self
    }

    /// The decision continues a change already begun: its entries belong to the same version.
    pub(crate) fn continuing(mut self) -> Self {
        self.continuing = true;
        self
    }
}
