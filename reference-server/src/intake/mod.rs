//! Mail that comes in, and what visitors hand in by a form: kept as it came, then looked into, by whatever door it came.
//!
//! A message is safe before anybody looks into it: whoever hands it over may forget it. What becomes of it is written down with it, and
//! whatever fails on the way is tried again, or waits in quarantine for staff; no message holds up another one. [`kept`] says what is kept,
//! `work` what is done with one message, `form` with what came by a form.
//!
//! One message, from the mail server to a complaint:
//!
//! 1. `POST /api/v1/intake/mail`, `reference-server intake` and the look into a mailbox keep the bytes under their
//!    hash, and say so: from then on it is ours to finish.
//! 2. `look_into` claims it, for one server at a time, and `Inbound::read` takes it apart under limits. The sender
//!    with the `Message-ID`, or the same content, make copies one.
//! 3. `complaint_notify::inbound::decide` says what is to become of it, from the message and from what is known here:
//!    who has the address, whether their mail server vouches for it, whose token the address for the reply holds,
//!    whether staff or the sender spoke for it. It is pure.
//! 4. `work` does that in the customer's name, each step under an idempotency key of the message: tried again, it is
//!    done once.
//! 5. After eight tries it waits in quarantine, as does what the rules refuse.
//!
//! What came by a form is claimed, tried again and done once in the same way, and waits until the mailed link or the
//! code beside it confirms it. The account in whose name it is made needs no password: its owner is a guest then, and
//! `links` let them in to one complaint.

mod form;
pub mod imap;
pub mod kept;
mod work;

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::complaint::Complaint;
use complaint_core::policy::{Category, Policy};
use complaint_core::reference::Reference;
use complaint_core::{DeskError, NotifyError};
use complaint_notify::PlainMail;
use complaint_notify::inbound::{Inbound, Limits, ReplyAddress};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;
use uuid::Uuid;

use crate::auth::secret::{Code, hash_of};
use crate::auth::service::{CODE_FOR, CODE_TRIES};
use crate::auth::values::EmailAddress;
use crate::auth::{Account, AccountsError, AuthError};
use crate::config::{Config, IntakeConfig};
use crate::error::chain;
use crate::links::LINK_FOR;
use crate::mail::organisation;
use crate::state::AppState;
use kept::{Came, InboundMail, Inbox, MailState, Question, QuestionHashes, Settled};

/// The most bytes of a message, as for [`Limits`].
pub const MAIL_MAX: usize = 25 << 20;
/// For how many days after a letter its recipient can answer it by mail.
pub const REPLIES_FOR_DAYS: u32 = 180;
/// How long somebody has to say that mail is theirs.
pub const CONFIRM_FOR: TimeDelta = TimeDelta::days(7);
/// To one address there is one question in this time.
pub const ONE_QUESTION_IN: TimeDelta = TimeDelta::days(1);
/// To one address there is one link to a complaint in this time, if it is asked for.
pub const ONE_LINK_IN: TimeDelta = TimeDelta::hours(1);
/// How long a message is kept after something became of it; from then on a copy of it is new.
pub const SETTLED_KEPT: TimeDelta = TimeDelta::days(30);
/// How long a message is kept in quarantine.
pub const QUARANTINED_KEPT: TimeDelta = TimeDelta::days(90);
/// The most messages of one sender that are shown for confirmation.
const UNCONFIRMED_MAX: u32 = 20;
/// How often it is tried to finish with a message, and to send a question.
const TRIES: u32 = 8;
/// For whoever works on a message or a question; longer than that takes.
const LEASE: TimeDelta = TimeDelta::minutes(5);
const BATCH: u32 = 20;

const REPLIES: &str = "replies";
const CONFIRMATIONS: &str = "mail confirmations";

/// Why something about mail was not done.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// Mail is not taken in here.
    #[error("mail is not taken in: the server runs without --intake-address")]
    Closed,
    /// There is no such message.
    #[error("there is no such message")]
    NotFound,
    /// It is in another state by now.
    #[error("the message is {} by now", .0.as_str())]
    State(MailState),
    /// There is nothing in it, or too much.
    #[error(transparent)]
    Unreadable(#[from] complaint_notify::inbound::Unreadable),
    /// It cannot be read or written.
    #[error("mail could not be read or written")]
    Kept(#[from] AccountsError),
    /// Accounts cannot be read or written.
    #[error("accounts could not be read or written")]
    Accounts(#[from] AuthError),
    /// Complaints cannot be read or written.
    #[error("complaints could not be read or written")]
    Desk(#[from] DeskError),
    /// Files cannot be read or written.
    #[error("files could not be kept: {0}")]
    Files(String),
}

/// Mail that comes in, with its rules. Cheap to clone.
#[derive(Clone)]
pub struct MailIntake {
    kept: Arc<dyn Inbox>,
    /// The key of which tokens of questions are made.
    confirmations: [u8; 32],
    open: Option<Arc<Open>>,
}

/// What there is where mail is taken in. Forms are taken in everywhere.
struct Open {
    replies: ReplyAddress,
    config: IntakeConfig,
}

impl MailIntake {
    /// Mail as the configuration has it taken in, or not.
    pub async fn new(kept: Arc<dyn Inbox>, config: &Config) -> Result<Self, AccountsError> {
        let open = match &config.intake {
            None => None,
            Some(config) => {
                let key = kept.key(REPLIES, rand::random()).await?;
                let replies = ReplyAddress::new(&config.address, &key, REPLIES_FOR_DAYS)
                    .map_err(|error| AccountsError::Failed(Box::new(error)))?;
                Some(Arc::new(Open { replies, config: config.clone() }))
            }
        };
        let confirmations = kept.key(CONFIRMATIONS, rand::random()).await?;
        Ok(Self { kept, confirmations, open })
    }

    /// The address for replies, where mail is taken in.
    pub fn replies(&self) -> Option<&ReplyAddress> {
        self.open.as_ref().map(|open| &open.replies)
    }

    /// The category of complaints that come by mail: the one that was named, else the first that asks for nothing.
    pub fn category<'p>(&self, policy: &'p Policy) -> Option<&'p Category> {
        let named = self.open.as_ref().and_then(|open| open.config.category.as_ref());
        let asks_nothing = |category: &&Category| !category.questions.iter().any(|question| question.required);
        let mut active = policy.categories.iter().filter(|category| category.active);
        match named {
            Some(named) => {
                active.find(|category| category.key.as_str() == named || category.name.eq_ignore_ascii_case(named))
            }
            None => active.find(asks_nothing),
        }
    }

    /// Keeps a message and looks into it at once, if it can be; the same bytes again are the message that is there.
    pub async fn take(&self, state: &AppState, raw: &[u8]) -> Result<InboundMail, IntakeError> {
        if self.open.is_none() {
            return Err(IntakeError::Closed);
        }
        let mail =
            keep(self.kept.as_ref(), state.desk.draw_id(), raw, Came::default(), None, state.clock.now()).await?;
        self.look_into(state, mail.id).await
    }

    /// Looks into what waits, then sends questions that are due.
    pub async fn round(&self, state: &AppState) -> Result<(), IntakeError> {
        loop {
            let due = self.kept.due(state.clock.now(), self.open.is_none(), BATCH).await?;
            if due.is_empty() {
                break;
            }
            for id in due {
                self.look_into(state, id).await?;
            }
        }
        self.send_questions(state).await
    }

    /// Messages in a state, or all, newest first, below a place.
    pub async fn list(
        &self,
        state: Option<MailState>,
        below: Option<i64>,
        limit: u32,
    ) -> Result<Vec<InboundMail>, IntakeError> {
        Ok(self.kept.mails(state, below.unwrap_or(i64::MAX), limit).await?)
    }

    /// A message.
    pub async fn find(&self, id: Uuid) -> Result<InboundMail, IntakeError> {
        self.kept.mail(id).await?.ok_or(IntakeError::NotFound)
    }

    /// What a message says, as text; where it cannot be read, its beginning as it stands there. It is whoever wrote it that speaks.
    pub async fn text(&self, mail: &InboundMail) -> Result<MailText, IntakeError> {
        const SHOWN_MAX: usize = 64 << 10;
        let raw = self.kept.raw(mail.id).await?.ok_or(IntakeError::NotFound)?;
        if let Some(form) = mail.by_form.then(|| form::Form::read(&raw)).flatten() {
            return Ok(MailText { text: form.submission.description, quoted: String::new(), files: Vec::new() });
        }
        if let Ok(mail) = Inbound::read(&raw, &limits()) {
            return Ok(MailText {
                text: mail.text().to_owned(),
                quoted: [mail.signature(), mail.quoted()].join("\n").trim().to_owned(),
                files: mail.attachments().iter().map(|file| file.name().to_owned()).collect(),
            });
        }
        let shown = String::from_utf8_lossy(&raw[..raw.len().min(SHOWN_MAX)]).replace("\r\n", "\n");
        let hidden = |c: char| c.is_control() && c != '\n' && c != '\t';
        let text = shown.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect();
        Ok(MailText { text, quoted: String::new(), files: Vec::new() })
    }

    /// Looks once more into a message that is in quarantine, with the word of staff that a person wrote it and meant it.
    pub async fn retry(&self, state: &AppState, by: &str, id: Uuid) -> Result<InboundMail, IntakeError> {
        if self.open.is_none() && !self.find(id).await?.by_form {
            return Err(IntakeError::Closed);
        }
        if !self.kept.release(id, by, state.clock.now()).await? {
            return Err(IntakeError::State(self.find(id).await?.state));
        }
        self.look_into(state, id).await
    }

    /// Has nothing follow from a message that is in quarantine.
    pub async fn discard(&self, state: &AppState, by: &str, id: Uuid) -> Result<InboundMail, IntakeError> {
        let settled = Settled { state: MailState::Discarded, why: None, detail: None, complaint: None };
        if !self.kept.settle(id, MailState::Quarantined, &settled, Some(by), state.clock.now()).await? {
            return Err(IntakeError::State(self.find(id).await?.state));
        }
        self.find(id).await
    }

    /// What waits for whoever has the token of a question to say that it is theirs.
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`] if the token is not good, or not any more.
    pub async fn unconfirmed(&self, token: &str, now: DateTime<Utc>) -> Result<Vec<InboundMail>, IntakeError> {
        let address = self.address_of(token, now).await?;
        Ok(self.kept.unconfirmed(&address, UNCONFIRMED_MAX).await?)
    }

    /// Takes the word of whoever has the token of a question that a message is theirs, or is not.
    pub async fn answer(
        &self,
        state: &AppState,
        token: &str,
        id: Uuid,
        is_theirs: bool,
    ) -> Result<InboundMail, IntakeError> {
        let now = state.clock.now();
        let address = self.address_of(token, now).await?;
        let mail = self.find(id).await?;
        // Another's message is none.
        if mail.sender.as_deref() != Some(address.as_str()) {
            return Err(IntakeError::NotFound);
        }
        let done = if is_theirs {
            self.kept.confirm(id, &address, now).await?
        } else {
            let settled =
                Settled { state: MailState::Discarded, why: Some("not_theirs"), detail: None, complaint: None };
            self.kept.settle(id, MailState::Unconfirmed, &settled, None, now).await?
        };
        // Pressed twice, it is done once.
        if done && is_theirs { self.look_into(state, id).await } else { self.find(id).await }
    }

    /// Forgets what is old.
    pub async fn purge(&self, now: DateTime<Utc>) -> Result<u64, IntakeError> {
        Ok(self.kept.purge_mail(now - SETTLED_KEPT, now - QUARANTINED_KEPT, now).await?)
    }

    async fn address_of(&self, token: &str, now: DateTime<Utc>) -> Result<String, IntakeError> {
        let address = self.kept.address_of(hash_of(token), now).await?;
        Ok(address.ok_or(AuthError::InvalidToken)?)
    }

    /// Has an address asked whether mail is theirs, unless it was asked today. Whoever has a page of ours before them gets a code as well.
    async fn ask(&self, state: &AppState, address: &str, with_code: bool) -> Result<(), IntakeError> {
        self.write_to(state, address, None, with_code, ONE_QUESTION_IN).await
    }

    /// The token of the question whose code this is: by it the page behind its link opens. A code works once, for ten minutes, and until
    /// five wrong ones were tried; each wrong one counts as a failed log-in.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming `email` or `code`, with the same words whether the address was asked anything.
    pub async fn token_of_code(
        &self,
        state: &AppState,
        email: &str,
        code: &str,
        from: IpAddr,
    ) -> Result<String, IntakeError> {
        let (email, code, attempt) = state.accounts.admit_code(email, code, from).await?;
        let address = email.normalised();
        let code = code.hash(&address);
        let found = self.kept.question_of_code(&address, code, CODE_TRIES, state.clock.now()).await?;
        let Some(question) = found else { return Err(AuthError::wrong_code().into()) };
        state.accounts.forgive_code(attempt).await?;
        Ok(self.token(question))
    }

    /// Has the link to a complaint sent to an address that somebody typed, if it is that of its customer and they have no password. Whether
    /// it is, whoever asks does not learn: it is looked at when the letter would be sent.
    pub async fn send_link(
        &self,
        state: &AppState,
        reference: Reference,
        address: &EmailAddress,
    ) -> Result<(), IntakeError> {
        self.write_to(state, &address.normalised(), Some(reference), false, ONE_LINK_IN).await
    }

    async fn write_to(
        &self,
        state: &AppState,
        address: &str,
        reference: Option<Reference>,
        with_code: bool,
        once_in: TimeDelta,
    ) -> Result<(), IntakeError> {
        let now = state.clock.now();
        let reference = reference.map(|reference| reference.to_string());
        let id = state.desk.draw_id();
        let question = Question { id, address: address.to_owned(), reference, with_code, attempts: 0 };
        let code = with_code.then(|| self.code(id).hash(address));
        let hashes = QuestionHashes { token: hash_of(&self.token(id)), code };
        self.kept.ask(&question, hashes, now - once_in, now, now + CONFIRM_FOR).await?;
        Ok(())
    }

    async fn send_questions(&self, state: &AppState) -> Result<(), IntakeError> {
        loop {
            let now = state.clock.now();
            let due = self.kept.claim_questions(now, now + LEASE, BATCH).await?;
            if due.is_empty() {
                return Ok(());
            }
            for question in due {
                let attempts = question.attempts;
                let Some(letter) = self.letter(state, &question).await? else {
                    self.kept.asked(question.id, now).await?;
                    continue;
                };
                match state.mailer.send_plain(&letter).await {
                    Err(NotifyError::Later(error)) if attempts + 1 < TRIES => {
                        tracing::warn!(question = %question.id, error = %chain(error.as_ref()), "a question could not be sent");
                        self.kept.postpone_question(question.id, now + pause_after(attempts)).await?;
                        continue;
                    }
                    Err(error) => {
                        tracing::error!(question = %question.id, error = %chain(&error), "a question is given up");
                    }
                    Ok(()) => {}
                }
                self.kept.asked(question.id, state.clock.now() + CODE_FOR).await?;
            }
        }
    }

    /// The token of a question: the same on every try, and nowhere kept.
    fn token(&self, question: Uuid) -> String {
        URL_SAFE_NO_PAD.encode(self.signed(&[question.as_bytes()]))
    }

    /// The code beside it.
    fn code(&self, question: Uuid) -> Code {
        Code::made_of(self.signed(&[b"code ", question.as_bytes()]))
    }

    fn signed(&self, said: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.confirmations).expect("HMAC takes keys of every length");
        for part in said {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// What is written to an address, if anything is.
    async fn letter(&self, state: &AppState, question: &Question) -> Result<Option<PlainMail>, IntakeError> {
        let policy = state.desk.policy();
        let organisation = organisation(&policy);
        let (subject, text, id) = match &question.reference {
            None => ("Is this message yours?", self.question(state, question), "mail-question"),
            Some(reference) => match self.wanted(state, reference, &question.address).await? {
                Some(complaint) => ("The link to your complaint", link_letter(state, &complaint), "complaint-link"),
                None => return Ok(None),
            },
        };
        Ok(Some(PlainMail {
            to: question.address.clone(),
            name: None,
            subject: subject.to_owned(),
            text: format!("Hello,\n\n{text}\n\nKind regards\n{organisation}\n"),
            html: None,
            id: format!("{id}.{}", question.id.simple()),
        }))
    }

    /// In words of ours only: nobody knows yet whether the address is that of whoever wrote.
    fn question(&self, state: &AppState, question: &Question) -> String {
        let base_url = state.config.base_url();
        let link =
            format!("{}/mail/confirm?token={}", base_url.as_str().trim_end_matches('/'), self.token(question.id));
        let code = question.with_code.then(|| {
            let code = self.code(question.id);
            let (left, right) = code.expose().split_at(4);
            let minutes = CODE_FOR.num_minutes();
            format!(
                "\n\nOr type this code into the page on which you wrote to us; it works for {minutes} minutes:\n\n{left} {right}"
            )
        });
        let code = code.unwrap_or_default();
        format!(
            "we got a message that says it is from this e-mail address. Before we take it for a complaint, we ask you whether it is \
yours. Open this link and say so:\n\n{link}{code}\n\nThe link works for {} days. If you did not write to us, do nothing: then nothing follows. \
Today you get no second question, whatever else comes from this address.",
            CONFIRM_FOR.num_days()
        )
    }

    /// The complaint of a reference, if its customer has this address and no password.
    async fn wanted(&self, state: &AppState, reference: &str, address: &str) -> Result<Option<Complaint>, IntakeError> {
        let Ok(reference) = reference.parse() else { return Ok(None) };
        let found = state.desk.store().by_reference(reference).await.map_err(DeskError::from)?;
        let Some(complaint) = found else { return Ok(None) };
        let guest = state.accounts.guest(complaint.customer.as_str()).await?;
        let is_theirs =
            |guest: &Account| EmailAddress::parse(&guest.email).is_ok_and(|own| own.normalised() == address);
        Ok(guest.filter(is_theirs).map(|_| complaint))
    }
}

fn link_letter(state: &AppState, complaint: &Complaint) -> String {
    format!(
        "here is the link to your complaint {}:\n\n{}\n\nIt shows how the complaint stands, and lets you write to us and answer our \
decision. It works for {} days; keep it to yourself. If you did not ask for it, there is nothing to do.",
        complaint.reference,
        state.links.whole(complaint, state.clock.now()),
        LINK_FOR.num_days()
    )
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailText {
    /// What was written this time.
    pub text: String,
    /// Its signature, and what it repeats of earlier messages.
    pub quoted: String,
    /// The names of the files that came with it.
    pub files: Vec<String>,
}

/// Keeps a message for a server that takes mail in, to be looked into by it.
///
/// # Errors
/// [`IntakeError::Closed`] where no server has taken mail in yet.
pub async fn leave(kept: &dyn Inbox, id: Uuid, raw: &[u8], now: DateTime<Utc>) -> Result<InboundMail, IntakeError> {
    if !kept.has_key(REPLIES).await? {
        return Err(IntakeError::Closed);
    }
    keep(kept, id, raw, Came::default(), None, now).await
}

async fn keep(
    kept: &dyn Inbox,
    id: Uuid,
    raw: &[u8],
    came: Came,
    settled: Option<&Settled>,
    now: DateTime<Utc>,
) -> Result<InboundMail, IntakeError> {
    use complaint_notify::inbound::Unreadable;
    if raw.trim_ascii().is_empty() {
        return Err(Unreadable::Empty.into());
    }
    if raw.len() > MAIL_MAX {
        return Err(Unreadable::TooLarge { max: MAIL_MAX }.into());
    }
    Ok(kept.keep(id, raw, came, settled, now).await?)
}

fn limits() -> Limits {
    Limits { size: MAIL_MAX, ..Limits::default() }
}

fn pause_after(attempts: u32) -> TimeDelta {
    TimeDelta::minutes(2_i64.saturating_pow(attempts).min(60))
}
