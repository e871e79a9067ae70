//! What is kept of mail that comes in, and the promises a place to keep it must hold.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::secret::SecretHash;
use crate::auth::{AccountsError, Role};

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// It is kept; nobody has looked into it yet, or somebody could not finish.
    Waiting,
    /// It is a message of the customer of a complaint.
    Appended,
    /// It is a complaint.
    Opened,
    /// It waits for its sender to say that it is theirs.
    Unconfirmed,
    /// Nothing follows from it.
    Ignored,
    /// It waits for staff to look at it.
    Quarantined,
    /// Somebody said that nothing is to follow.
    Discarded,
}

impl MailState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Appended,
        Self::Opened,
        Self::Unconfirmed,
        Self::Ignored,
        Self::Quarantined,
        Self::Discarded,
    ];

    /// The stored and published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Appended => "appended",
            Self::Opened => "opened",
            Self::Unconfirmed => "unconfirmed",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
            Self::Discarded => "discarded",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A message that came in, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMail {
    /// Place in the list, ever higher.
    pub place: i64,
    /// Its id.
    pub id: Uuid,
    /// Whether a visitor handed it in by a form, and it is no mail.
    pub by_form: bool,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// Bytes that are kept of it: the whole message, or else the beginning of a larger one.
    pub size: u64,
    /// Bytes of the whole message, where only its beginning is here.
    pub whole_size: Option<u64>,
    /// The address it says it is from, in lower case.
    pub sender: Option<String>,
    /// Its subject, cut where it is long.
    pub subject: Option<String>,
    /// What became of it.
    pub state: MailState,
    /// Why, as a stable code.
    pub why: Option<String>,
    /// Why, in words, where the code does not say all.
    pub detail: Option<String>,
    /// The reference of the complaint that it went to.
    pub complaint: Option<String>,
    /// Whether staff say that a person wrote it.
    pub released: bool,
    /// Whether its sender says that it is theirs.
    pub confirmed: bool,
    /// How often it was looked into.
    pub attempts: u32,
    /// When that became of it.
    pub settled_at: Option<DateTime<Utc>>,
    /// Who retried or discarded it last, if somebody of the staff did.
    pub settled_by: Option<String>,
}

impl InboundMail {
    /// Whether those of a role who see mail may read its words: admins only while it is in quarantine, which nobody could decide about
    /// otherwise. Of all else that people write they see that it is there, not what it says. Auditors read everything.
    pub fn can_be_read_by(&self, role: Role) -> bool {
        match role {
            Role::Auditor => true,
            Role::Admin => self.state == MailState::Quarantined,
            _ => false,
        }
    }
}

/// How something came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Came {
    /// By a form, and not by mail.
    pub by_form: bool,
    /// Bytes of the whole message, where only its beginning is here.
    pub whole_size: Option<u64>,
}

/// What a message is known by.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The address it says it is from, in lower case.
    pub sender: Option<String>,
    /// Its subject, at most as long as that of a complaint.
    pub subject: String,
    /// SHA-256 of sender and `Message-ID`, if it has both.
    pub message: Option<SecretHash>,
    /// SHA-256 of what two copies of it have in common on whatever way they came.
    pub content: SecretHash,
}

/// What became of a message, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What.
    pub state: MailState,
    /// Why, as a stable code.
    pub why: Option<&'static str>,
    /// Why, in words.
    pub detail: Option<String>,
    /// The reference of the complaint that it went to.
    pub complaint: Option<String>,
}

/// A letter to an address: the question whether mail is theirs, or the link to a complaint that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its id; its token is made of it.
    pub id: Uuid,
    /// To whom, in lower case.
    pub address: String,
    /// Of the complaint that a link is wanted to. Nobody has looked yet whether there is one, and whose.
    pub reference: Option<String>,
    /// Whether a code stands beside its link, for whoever handed in by a form and has its page before them.
    pub with_code: bool,
    /// How often it was tried to send it.
    pub attempts: u32,
}

/// What is kept of the ways in that a question brings.
#[derive(Debug, Clone, Copy)]
pub struct QuestionHashes {
    /// Of the token of its link.
    pub token: SecretHash,
    /// Of its code, if it has one.
    pub code: Option<SecretHash>,
}

/// Keeps mail that comes in.
///
/// Each method is all or nothing and durable when it returns. `now` is always the caller's clock.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// The secret of this purpose: the one that was kept first, whoever offers which.
    async fn key(&self, purpose: &str, offered: [u8; 32]) -> Result<[u8; 32], AccountsError>;
    /// Whether there is a secret of this purpose.
    async fn has_key(&self, purpose: &str) -> Result<bool, AccountsError>;

    /// Keeps a message as it came, settled, or else [`MailState::Waiting`] and due at once. The same bytes again are the message that is
    /// there.
    async fn keep(
        &self,
        id: Uuid,
        raw: &[u8],
        came: Came,
        settled: Option<&Settled>,
        now: DateTime<Utc>,
    ) -> Result<InboundMail, AccountsError>;
    /// A message.
    async fn mail(&self, id: Uuid) -> Result<Option<InboundMail>, AccountsError>;
    /// Its bytes.
    async fn raw(&self, id: Uuid) -> Result<Option<Vec<u8>>, AccountsError>;
    /// Messages in a state, or all, newest first, those below a place.
    async fn mails(&self, state: Option<MailState>, below: i64, limit: u32) -> Result<Vec<InboundMail>, AccountsError>;
    /// Messages that wait and are due, oldest first; only forms, or mail as well.
    async fn due(&self, now: DateTime<Utc>, only_forms: bool, limit: u32) -> Result<Vec<Uuid>, AccountsError>;
    /// Takes a message that is due, for nobody else until `until`, and counts the try. Of any number of simultaneous calls exactly one gets
    /// it.
    async fn claim(
        &self,
        id: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<InboundMail>, AccountsError>;
    /// Writes down what a message is known by; returns whether it is the first of its kind. Of any number of copies exactly one is.
    async fn identify(&self, id: Uuid, identity: &Identity) -> Result<bool, AccountsError>;
    /// Writes down what became of a message that is in the state `from`; returns whether it was. `by`: who of the staff decided.
    async fn settle(
        &self,
        id: Uuid,
        from: MailState,
        settled: &Settled,
        by: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<bool, AccountsError>;
    /// Tries a message that waits again at an instant.
    async fn postpone(&self, id: Uuid, until: DateTime<Utc>) -> Result<(), AccountsError>;
    /// Has a message that is in quarantine wait again, with the word of staff that a person wrote it; returns whether it was there.
    async fn release(&self, id: Uuid, by: &str, now: DateTime<Utc>) -> Result<bool, AccountsError>;
    /// Has a message of this sender that is unconfirmed wait again, with the sender's word that it is theirs; returns whether it was there.
    async fn confirm(&self, id: Uuid, sender: &str, now: DateTime<Utc>) -> Result<bool, AccountsError>;
    /// Unconfirmed messages of a sender, oldest first.
    async fn unconfirmed(&self, sender: &str, limit: u32) -> Result<Vec<InboundMail>, AccountsError>;

    /// Keeps a letter that is to be sent, unless the address has had one since `since`, about the same reference if there is one; returns
    /// whether it was kept. Looking and keeping
    /// are one step.
    async fn ask(
        &self,
        question: &Question,
        hashes: QuestionHashes,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, AccountsError>;
    /// Questions that are to be sent, oldest first, each for one caller until `until`.
    async fn claim_questions(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Question>, AccountsError>;
    /// Writes down that a question is sent, or given up; its code works until an instant.
    async fn asked(&self, id: Uuid, code_expires_at: DateTime<Utc>) -> Result<(), AccountsError>;
    /// Tries a question again at an instant.
    async fn postpone_question(&self, id: Uuid, until: DateTime<Utc>) -> Result<(), AccountsError>;
    /// The question to an address whose code this is, if it works now; from then on it works no longer. A wrong one counts against every
    /// code that was sent there, and after `tries` of them a code works no longer, also among many at once.
    async fn question_of_code(
        &self,
        address: &str,
        code: SecretHash,
        tries: u32,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, AccountsError>;
    /// Whose address a token was sent to, if it is still good.
    async fn address_of(&self, token: SecretHash, now: DateTime<Utc>) -> Result<Option<String>, AccountsError>;

    /// Forgets messages of which something became before an instant, unconfirmed ones too, those in quarantine that came before another, and
    /// questions that ended before `now`.
    async fn purge_mail(
        &self,
        settled_before: DateTime<Utc>,
        quarantined_before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<u64, AccountsError>;
}
