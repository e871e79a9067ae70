//! Lists: who sees what, filters, order, pages.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::actor::{Actor, Party};
use crate::complaint::Complaint;
use crate::id::{AgentId, CategoryKey, ComplaintId, CustomerId, InvalidId, Level};
use crate::lifecycle::Status;

/// The most complaints on a page.
pub const PAGE_MAX: u16 = 100;

/// How many [ranks](Query::rank) there are.
pub const RANKS: u8 = 4;

/// How far apart the keys of ranks are.
const RANK_SPAN: i64 = 1 << 62;

/// Which complaints, in which order, how many.
///
/// ```
/// use complaint_core::lifecycle::Status;
/// use complaint_core::store::{Query, Scope, Sort};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let query = Query {
///     statuses: vec![Status::Assigned],
///     text: Some("mon wat".into()),
///     sort: Sort::Deadline,
///     ..Query::within(Scope::All)
/// };
/// assert!(query.matches(receipt.complaint()));
/// assert_eq!(desk.store().search(&query).await?.items.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What the viewer may see at all.
    pub scope: Scope,
    /// Only these statuses; empty: all.
    pub statuses: Vec<Status>,
    /// Only this category.
    pub category: Option<CategoryKey>,
    /// Only these handlers', one agent's or a team's; empty: all, and those that nobody holds.
    pub handlers: Vec<AgentId>,
    /// Only this customer's.
    pub customer: Option<CustomerId>,
    /// Only at this level.
    pub level: Option<Level>,
    /// Only those received at this instant or later. Instants are compared in whole microseconds, here and below.
    pub received_from: Option<DateTime<Utc>>,
    /// Only those received before this instant.
    pub received_before: Option<DateTime<Utc>>,
    /// Only those whose earliest promise ends before this instant; those of which nothing is promised are none of them.
    pub promised_before: Option<DateTime<Utc>>,
    /// Only those that missed a deadline which still runs.
    pub missed: bool,
    /// Every word must begin some word of the subject, description, product, order number or reference; see
    /// [`search_words`].
    pub text: Option<String>,
    /// The order.
    pub sort: Sort,
    /// How many, 1 to [`PAGE_MAX`].
    pub limit: u16,
    /// Continue behind this place.
    pub after: Option<Cursor>,
}

/// What a viewer may see; the same predicate as [`Scope::admits`], which filters single complaints. It goes by what is the complaint's
/// own: whether an agent may see what was joined to another one is for the [desk](crate::desk::Acting::list) to follow.
///
/// ```
/// use complaint_core::id::Level;
/// use complaint_core::store::{Query, Reach, Scope, Sort};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let jane = Scope::of(&Actor::customer("jane")?, Level::new(3)?, true);
/// assert!(!jane.admits(receipt.complaint()));
///
/// let asha = Scope::of(&Actor::agent(&asha), Level::new(3)?, true);
/// assert!(matches!(asha, Scope::Agent { reach: Reach::Queue(Level::FIRST), .. }));
/// assert!(asha.admits(receipt.complaint()), "she holds it");
/// let list = Query { sort: Sort::Oldest, ..Query::within(asha) };
/// assert_eq!(list.place_of(receipt.complaint()).to_string().parse(), Ok(list.place_of(receipt.complaint())));
/// assert!(receipt.complaint().searchable().starts_with("No water"));
/// assert!(receipt.complaint().heading().contains(&receipt.complaint().reference.to_string()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything: system, auditor; an admin, whose pages show no content.
    All,
    /// A customer's own.
    Customer(CustomerId),
    /// What an agent holds or held last, and what `reach` adds; never one against them.
    Agent {
        /// Who.
        id: AgentId,
        /// What else.
        reach: Reach,
    },
}

/// What an agent sees beside what they hold.
///
/// Example: [`Scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing else.
    Own,
    /// What waits in the queue of their level, because they may take from it.
    Queue(Level),
    /// Everything up to their level.
    UpTo(Level),
    /// Everything.
    Everything,
}

impl Reach {
    /// How far agents of a level see, with the last level of the ladder and whether agents may take from the queue.
    pub(crate) fn of(level: Level, last_level: Level, agents_may_take: bool) -> Self {
        if level >= last_level {
            Self::Everything
        } else if level > Level::FIRST {
            Self::UpTo(level)
        } else if agents_may_take {
            Self::Queue(level)
        } else {
            Self::Own
        }
    }

    /// Whether a complaint in this place can be seen by those who do not hold it.
    pub(crate) fn extends_to(self, status: Status, at: Level) -> bool {
        match self {
            Self::Own => false,
            Self::Queue(level) => status == Status::Queued && at == level,
            Self::UpTo(level) => at <= level,
            Self::Everything => true,
        }
    }
}

impl Scope {
    /// What an actor may see, with the last level of the ladder and whether agents may take from the queue.
    pub fn of(actor: &Actor, last_level: Level, agents_may_take: bool) -> Self {
        match actor.party() {
            Party::Customer(id) => Self::Customer(id.clone()),
            Party::Admin(_) | Party::Auditor(_) | Party::System => Self::All,
            Party::Agent(id) => {
                let level = actor.level().unwrap_or(Level::FIRST);
                Self::Agent { id: id.clone(), reach: Reach::of(level, last_level, agents_may_take) }
            }
        }
    }

    /// Whether the viewer may see this complaint.
    pub fn admits(&self, complaint: &Complaint) -> bool {
        match self {
            Self::All => true,
            Self::Customer(id) => complaint.customer == *id,
            Self::Agent { id, reach } => {
                complaint.against.as_ref() != Some(id)
                    && (complaint.handler.as_ref() == Some(id) || reach.extends_to(complaint.status, complaint.level))
            }
        }
    }
}

/// The order of a list.
///
/// ```
/// use complaint_core::store::Sort;
///
/// assert_eq!("deadline".parse(), Ok(Sort::Deadline));
/// assert_eq!(Sort::default().name(), "newest");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The latest receipt first.
    #[default]
    Newest,
    /// The earliest receipt first.
    Oldest,
    /// The nearest promised instant first; those without one last.
    Deadline,
    /// Those that match the text best first, see [`Query::rank`]; equally good ones and, without a text, all of them as
    /// [`Sort::Newest`] has them.
    Relevance,
}

impl Sort {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::Deadline => "deadline",
            Self::Relevance => "relevance",
        }
    }
}

fn deadline_key(promised_at: Option<DateTime<Utc>>) -> i64 {
    promised_at.map_or(i64::MAX, |at| at.timestamp_micros())
}

impl FromStr for Sort {
    type Err = InvalidId;

    fn from_str(name: &str) -> Result<Self, InvalidId> {
        [Self::Newest, Self::Oldest, Self::Deadline, Self::Relevance]
            .into_iter()
            .find(|sort| sort.name() == name)
            .ok_or_else(|| InvalidId::new("sort", "one of: newest oldest deadline relevance"))
    }
}

/// A place in a list. Text form: `SORT.KEY.ID`, opaque to clients.
///
/// ```
/// use complaint_core::store::{Cursor, Query};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// john.submit(Complaint::about("Water supply", "Brown water", "From all taps.")?).await?;
/// let page = Query { limit: 1, ..Query::within(john.scope()) };
/// let first = john.list(page.clone()).await?;
/// let next = first.next.expect("there is more").to_string(); // for the address of the next page
/// let second = john.list(Query { after: Some(next.parse::<Cursor>()?), ..page }).await?;
/// assert_ne!(second.items, first.items);
/// assert_eq!(second.next, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The order it belongs to.
    pub sort: Sort,
    /// The [`Query::key`] of the last complaint seen.
    pub key: i64,
    /// Its id.
    pub id: ComplaintId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.sort.name(), self.key, self.id)
    }
}

impl FromStr for Cursor {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let wrong = || InvalidId::new("cursor", "the `next` of an earlier page");
        let mut pieces = text.splitn(3, '.');
        let mut piece = || pieces.next().ok_or_else(wrong);
        Ok(Self {
            sort: piece()?.parse().map_err(|_| wrong())?,
            key: piece()?.parse().map_err(|_| wrong())?,
            id: piece()?.parse().map_err(|_| wrong())?,
        })
    }
}

/// A page of complaints.
///
/// Example: [`Cursor`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The complaints.
    pub items: Vec<Complaint>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// Counts over the complaints of a scope.
///
/// ```
/// use complaint_core::lifecycle::Status;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let summary = john.summary().await?;
/// assert_eq!((summary.total(), summary.open()), (1, 1));
/// assert_eq!(summary.by_status[&Status::Assigned], 1);
/// assert_eq!(summary.satisfaction(), (0, None), "nobody has rated yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// All complaints by status; statuses without any are left out.
    pub by_status: BTreeMap<Status, u64>,
    /// Open complaints by level.
    pub open_by_level: BTreeMap<Level, u64>,
    /// All complaints by category.
    pub by_category: BTreeMap<CategoryKey, u64>,
    /// Open complaints that missed a deadline which still runs.
    pub open_with_missed_deadline: u64,
    /// Ratings by score, 1 to 5. Anonymous ones are left out, as the difference of two counts would tell them: see
    /// [`Satisfaction`](crate::satisfaction::Satisfaction).
    pub ratings: BTreeMap<u8, u64>,
}

impl Summary {
    /// How many complaints there are.
    pub fn total(&self) -> u64 {
        self.by_status.values().sum()
    }

    /// How many are still to be decided.
    pub fn open(&self) -> u64 {
        self.by_status.iter().filter(|(status, _)| status.is_open()).map(|(_, count)| count).sum()
    }

    /// How many ratings there are, and their mean in hundredths.
    pub fn satisfaction(&self) -> (u64, Option<u64>) {
        let count: u64 = self.ratings.values().sum();
        let sum: u64 = self.ratings.iter().map(|(score, count)| u64::from(*score) * count).sum();
        (count, (count > 0).then(|| sum * 100 / count))
    }

    /// Counts one complaint.
    pub fn add(&mut self, complaint: &Complaint) {
        *self.by_status.entry(complaint.status).or_default() += 1;
        *self.by_category.entry(complaint.category.clone()).or_default() += 1;
        if complaint.status.is_open() {
            *self.open_by_level.entry(complaint.level).or_default() += 1;
            self.open_with_missed_deadline += u64::from(complaint.has_missed_deadline());
        }
        for feedback in complaint.feedback.iter().filter(|feedback| !feedback.anonymous) {
            *self.ratings.entry(feedback.score).or_default() += 1;
        }
    }
}

impl Query {
    /// Everything in a scope, newest first, the first page of 25.
    pub fn within(scope: Scope) -> Self {
        Self {
            scope,
            statuses: Vec::new(),
            category: None,
            handlers: Vec::new(),
            customer: None,
            level: None,
            received_from: None,
            received_before: None,
            promised_before: None,
            missed: false,
            text: None,
            sort: Sort::default(),
            limit: 25,
            after: None,
        }
    }

    /// The value a complaint is ordered by, ascending; ties are broken by id, ascending. Microseconds since 1970, which
    /// [`Sort::Newest`] negates; for [`Sort::Relevance`] the negated receipt within the span of each [rank](Self::rank).
    pub fn key(&self, complaint: &Complaint) -> i64 {
        let received_at = complaint.received_at.timestamp_micros();
        match self.sort {
            Sort::Newest => -received_at,
            Sort::Oldest => received_at,
            Sort::Deadline => deadline_key(complaint.promised_at()),
            Sort::Relevance => Self::ranked_key(self.rank(complaint), received_at),
        }
    }

    /// The [`key`](Self::key) of a rank and a receipt in microseconds since 1970. Receipts further than 70 000 years from
    /// there are taken for the last one before.
    ///
    /// ```
    /// use complaint_core::store::Query;
    ///
    /// let key = Query::ranked_key(1, 1_700_000_000_000_000);
    /// assert!(key < Query::ranked_key(2, 1_800_000_000_000_000), "the better rank comes first");
    /// assert_eq!(Query::unranked(key), (1, 1_700_000_000_000_000));
    /// ```
    pub fn ranked_key(rank: u8, received_at: i64) -> i64 {
        let within = RANK_SPAN / 2 - received_at.clamp(-(RANK_SPAN / 2 - 1), RANK_SPAN / 2);
        (i64::from(rank.min(RANKS - 1)) - 2) * RANK_SPAN + within
    }

    /// The rank and the receipt in a [`ranked_key`](Self::ranked_key).
    pub fn unranked(key: i64) -> (u8, i64) {
        let rank = u8::try_from(key.div_euclid(RANK_SPAN) + 2).unwrap_or(RANKS - 1);
        (rank, RANK_SPAN / 2 - key.rem_euclid(RANK_SPAN))
    }

    /// The place of a complaint in this list.
    pub fn place_of(&self, complaint: &Complaint) -> Cursor {
        Cursor { sort: self.sort, key: self.key(complaint), id: complaint.id }
    }

    /// How well a complaint that matches answers the text, 0 best:
    ///
    /// 0. its heading has all of the words; 1. they begin words of its heading; 2. it has all of them anywhere; 3. they
    ///    begin words anywhere.
    ///
    /// The [heading](Complaint::heading) is what a customer calls it by. It depends on this complaint and the text only,
    /// and not on how often a word stands in others: every match has every word, so rarity tells them apart but little,
    /// and pages whose order shifts with each new complaint would lose some and show some twice.
    ///
    /// ```
    /// use complaint_core::store::{Query, Scope};
    /// # use complaint_core::{Actor, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    ///
    /// let rank = |text: &str| Query { text: Some(text.into()), ..Query::within(Scope::All) }.rank(receipt.complaint());
    /// assert_eq!((rank("water"), rank("wat"), rank("monday"), rank("wat mon")), (0, 1, 2, 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rank(&self, complaint: &Complaint) -> u8 {
        let words = self.text.as_deref().map(search_words).unwrap_or_default();
        let (heading, all) = (search_words(&complaint.heading()), search_words(&searchable(complaint)));
        let has = |known: &[String]| words.iter().all(|word| known.contains(word));
        let begins = |known: &[String]| words.iter().all(|word| known.iter().any(|k| k.starts_with(word.as_str())));
        if has(&heading) {
            0
        } else if begins(&heading) {
            1
        } else if has(&all) {
            2
        } else {
            3
        }
    }

    /// Whether a complaint belongs to the list, wherever the page begins.
    pub fn matches(&self, complaint: &Complaint) -> bool {
        let received_at = complaint.received_at.timestamp_micros();
        self.scope.admits(complaint)
            && (self.statuses.is_empty() || self.statuses.contains(&complaint.status))
            && self.category.as_ref().is_none_or(|category| *category == complaint.category)
            && (self.handlers.is_empty() || complaint.handler.as_ref().is_some_and(|held| self.handlers.contains(held)))
            && self.customer.as_ref().is_none_or(|customer| *customer == complaint.customer)
            && self.level.is_none_or(|level| level == complaint.level)
            && self.received_from.is_none_or(|from| received_at >= from.timestamp_micros())
            && self.received_before.is_none_or(|before| received_at < before.timestamp_micros())
            && self.promised_before.is_none_or(|before| {
                complaint.promised_at().is_some_and(|promised| promised.timestamp_micros() < before.timestamp_micros())
            })
            && (!self.missed || complaint.has_missed_deadline())
            && self.text.as_ref().is_none_or(|text| {
                let known = search_words(&searchable(complaint));
                search_words(text).iter().all(|word| known.iter().any(|k| k.starts_with(word.as_str())))
            })
    }
}

/// The text of a complaint that a search looks at. No internal note is in it, so it is the same for every viewer.
pub(crate) fn searchable(complaint: &Complaint) -> String {
    [
        complaint.subject.as_str(),
        complaint.description.as_str(),
        complaint.product.as_deref().unwrap_or_default(),
        complaint.order_number.as_deref().unwrap_or_default(),
        &complaint.reference.to_string(),
    ]
    .join("\n")
}

impl Complaint {
    /// The text that a search looks at: subject, description, product, order number and reference, a line each. The
    /// same for every viewer, because no internal note is in it.
    pub fn searchable(&self) -> String {
        searchable(self)
    }

    /// What a customer calls it by: subject, product, order number and reference, a line each. What is found here is
    /// [more relevant](Query::rank) than what is found in the description.
    pub fn heading(&self) -> String {
        let (product, order_number) = (self.product.as_deref(), self.order_number.as_deref());
        let reference = self.reference.to_string();
        [&self.subject, product.unwrap_or_default(), order_number.unwrap_or_default(), &reference].join("\n")
    }
}

/// The words of a text as a search sees them: runs of letters and digits, in lower case, without accents, strokes and ligatures, and
/// the same in whichever of its forms (Unicode Standard Annex 15) a letter was typed. Marks that are letters of their script stay.
///
/// ```
/// use complaint_core::store::search_words;
///
/// assert_eq!(search_words("Élan: 2 kettles!"), ["elan", "2", "kettles"]);
/// assert_eq!(search_words("Cafe\u{301}"), search_words("Café"));
/// assert_eq!(search_words("Großer Łódź-Smørrebrød, İstanbul"), ["grosser", "lodz", "smorrebrod", "istanbul"]);
/// assert_eq!(search_words("हिन्दी 한글"), ["हिन्दी", "한글"]);
/// ```
pub fn search_words(text: &str) -> Vec<String> {
    let is_accent = |c: &char| ('\u{300}'..='\u{36f}').contains(c);
    let plain: String = text.to_lowercase().nfd().filter(|c| !is_accent(c)).flat_map(as_typed_without).nfc().collect();
    let between = |c: char| !c.is_alphanumeric() && !is_combining_mark(c);
    plain.split(between).filter(|word| word.contains(char::is_alphanumeric)).map(str::to_owned).collect()
}

/// What people type for a letter that their keyboard does not have. Unicode has these for letters of their own, not for another one
/// with a mark, so that taking the marks off leaves them.
fn as_typed_without(letter: char) -> impl Iterator<Item = char> {
    let (first, second) = match letter {
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'ß' => ('s', Some('s')),
        'þ' => ('t', Some('h')),
        'đ' | 'ð' => ('d', None),
        'ħ' => ('h', None),
        'ı' => ('i', None),
        'ł' => ('l', None),
        'ŋ' => ('n', None),
        'ø' => ('o', None),
        'ſ' => ('s', None),
        'ŧ' => ('t', None),
        // At the end of a word only: whoever types its beginning types the other.
        'ς' => ('σ', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}
