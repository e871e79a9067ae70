//! What is done with one message.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use complaint_core::complaint::{Channel, Complaint, Contact, Item, Submission};
use complaint_core::desk::Acting;
use complaint_core::id::CustomerId;
use complaint_core::lifecycle::{Command, CommandName, MEDIA_TYPES, Refusal};
use complaint_core::notice::Recipient;
use complaint_core::reference::Reference;
use complaint_core::text::{SUBJECT_MAX, TEXT_MAX, line, turns_direction};
use complaint_core::{Actor, DeskError};
use complaint_notify::inbound::{Facts, Ignored, Inbound, Intake, Kind, Reply, Sender, Suspicion, decide};
use futures_util::FutureExt as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::kept::{Identity, InboundMail, MailState, Settled};
use super::{IntakeError, LEASE, MAIL_MAX, MailIntake, Open, TRIES, limits, pause_after};
use crate::api::attachments::{FormFiles, Taken, attach, send};
use crate::auth::values::EmailAddress;
use crate::auth::{Account, Role};
use crate::error::{Problem, chain, printable};
use crate::state::AppState;

/// What is left of a text for what is said below it.
const REMARKS_MAX: usize = 4 << 10;
const DETAIL_MAX: usize = 1000;
/// How many complaints that were joined one to the next are followed.
const JOINED_MAX: usize = 16;

impl MailIntake {
    /// Looks into a message that waits, unless somebody else does. Whatever happens on the way is written down with it.
    pub(super) async fn look_into(&self, state: &AppState, id: Uuid) -> Result<InboundMail, IntakeError> {
        let now = state.clock.now();
        // Mail of a server that took mail in once waits until one does again.
        let can_be = self.open.is_some() || self.find(id).await?.by_form;
        if can_be && let Some(mail) = self.kept.claim(id, now, now + LEASE).await? {
            // A message that breaks the reader must not break it for all others. Boxed, or it would lie in the futures of all callers.
            let settled = AssertUnwindSafe(Box::pin(self.settled(state, &mail))).catch_unwind().await;
            let settled = settled.unwrap_or_else(|_| Ok(quarantined("failed", "The message could not be read.")));
            match settled {
                Ok(settled) => {
                    self.kept.settle(id, MailState::Waiting, &settled, None, state.clock.now()).await?;
                    tracing::info!(mail = %id, became = settled.state.as_str(), why = settled.why, "a message was looked into");
                    state.poke();
                }
                Err(error) if mail.attempts < TRIES => {
                    tracing::error!(mail = %id, error = %chain(&error), "a message could not be finished with");
                    self.kept.postpone(id, state.clock.now() + pause_after(mail.attempts)).await?;
                }
                Err(error) => {
                    tracing::error!(mail = %id, error = %chain(&error), "a message is given up");
                    let settled = quarantined("failed", "It was tried again and again.");
                    self.kept.settle(id, MailState::Waiting, &settled, None, state.clock.now()).await?;
                }
            }
        }
        self.find(id).await
    }

    async fn settled(&self, state: &AppState, kept: &InboundMail) -> Result<Settled, IntakeError> {
        let raw = self.kept.raw(kept.id).await?.ok_or(IntakeError::NotFound)?;
        if kept.by_form {
            return self.form_settled(state, kept, &raw).await;
        }
        let open = self.open.as_deref().ok_or(IntakeError::Closed)?;
        let mail = match Inbound::read(&raw, &limits()) {
            Ok(mail) => mail,
            Err(why) => return Ok(quarantined("unreadable", &why.to_string())),
        };
        let seen = !self.kept.identify(kept.id, &identity(&mail)).await?;
        let address = mail.sender().and_then(|sender| EmailAddress::parse(sender).ok());
        let account = match &address {
            Some(address) => state.accounts.by_email(address).await?,
            None => None,
        };
        let (reply, complaint) = reply(state, open, &mail, account.as_ref()).await?;
        let facts = Facts {
            seen,
            sender: sender(account.as_ref()),
            authentication: mail.authentication(open.config.authserv.as_deref().unwrap_or_default()),
            reply,
            released: kept.released,
            confirmed: kept.confirmed,
        };
        // What is from ourselves is answered by nobody but ourselves.
        if address.as_ref().is_some_and(|address| open.replies.is_ours(address.as_str())) {
            return Ok(ignored(Ignored::Automatic(Kind::Own)));
        }
        let sends = |address: Option<EmailAddress>| address.ok_or(Suspicion::NoSender);
        match decide(&mail, &facts) {
            Intake::Ignore(why) => Ok(ignored(why)),
            Intake::Quarantine(suspicion) => Ok(suspected(suspicion)),
            Intake::Append { complaint: reference } => match (complaint, account) {
                (Some(complaint), Some(account)) => self.append(state, &mail, kept, complaint, &account).await,
                _ => Ok(suspected(Suspicion::TokenOfAnother(reference))),
            },
            Intake::Open { confirmed, mentions } => match sends(address) {
                Err(suspicion) => Ok(suspected(suspicion)),
                Ok(address) if confirmed => self.open(state, &mail, kept, &address, mentions).await,
                Ok(address) => {
                    self.ask(state, &address.normalised(), false).await?;
                    Ok(Settled { state: MailState::Unconfirmed, why: None, detail: None, complaint: None })
                }
            },
        }
    }

    /// A message of the customer of a complaint. Where that takes none any more, it is a complaint that follows it up, if one can.
    async fn append(
        &self,
        state: &AppState,
        mail: &Inbound<'_>,
        kept: &InboundMail,
        complaint: Complaint,
        account: &Account,
    ) -> Result<Settled, IntakeError> {
        let id = kept.id;
        let complaint = survivor(state, complaint).await?;
        let posting = acting(state, id, account, "post")?;
        let Written { text, files, names } = written(state, mail, kept, false).await?;
        let text_only = with_remarks(&text, names.iter().map(|name| remark(name, "the complaint has no room for it")));
        let command = Command::with_text(CommandName::Post, text);
        let command = command.carrying(files.iter().map(Taken::facts).collect()).map_err(unforeseen)?;
        let mut posted = send(posting.clone(), complaint.id, command, files, None).await;
        if let Err(DeskError::Refused(refusal)) = &posted
            && !names.is_empty()
            && only_about_files(refusal)
        {
            let command = Command::with_text(CommandName::Post, text_only);
            posted = send(posting, complaint.id, command, Vec::new(), None).await;
        }
        match posted {
            Ok(after) => Ok(became(MailState::Appended, after.reference)),
            Err(DeskError::Refused(refusal)) if refusal.has("wrong_status") => {
                match self.submission(state, mail, kept, account, None, Some(&complaint)).await? {
                    Some((submission, files)) => {
                        let following = acting(state, id, account, "follow-up")?;
                        let made = following.follow_up(complaint.id, submission).await;
                        // What can be done with the complaint itself tells more than why nothing can follow it yet.
                        if matches!(made, Err(DeskError::Refused(_))) {
                            return Ok(refused(&refusal, Some(complaint.reference)));
                        }
                        opened(state, id, account, made, files).await
                    }
                    None => Ok(refused(&refusal, Some(complaint.reference))),
                }
            }
            Err(DeskError::Refused(refusal)) => Ok(refused(&refusal, Some(complaint.reference))),
            Err(error) => Err(error.into()),
        }
    }

    /// A complaint of whoever has the address.
    async fn open(
        &self,
        state: &AppState,
        mail: &Inbound<'_>,
        kept: &InboundMail,
        address: &EmailAddress,
        mentions: Option<Reference>,
    ) -> Result<Settled, IntakeError> {
        let account = state.accounts.account_of_owner(address, mail.sender_name()).await?;
        let Some((submission, files)) = self.submission(state, mail, kept, &account, mentions, None).await? else {
            return Ok(quarantined(
                "no_category",
                "No category takes what comes by mail: name one with --intake-category.",
            ));
        };
        let made = acting(state, kept.id, &account, "submit")?.submit(submission).await;
        opened(state, kept.id, &account, made, files).await
    }

    /// What is submitted, with its files; none without a category that takes mail.
    async fn submission(
        &self,
        state: &AppState,
        mail: &Inbound<'_>,
        kept: &InboundMail,
        account: &Account,
        mentions: Option<Reference>,
        follows: Option<&Complaint>,
    ) -> Result<Option<(Submission, Vec<Taken>)>, IntakeError> {
        let policy = state.desk.policy();
        let former = follows.and_then(|complaint| policy.category(&complaint.category));
        let former = former.filter(|it| it.active && !it.questions.iter().any(|question| question.required));
        let Some(category) = former.or_else(|| self.category(&policy)) else { return Ok(None) };
        let Written { text, files, .. } = written(state, mail, kept, true).await?;
        let (subject, is_cut) = subject_of(mail);
        let description = match (text.trim().is_empty(), is_cut) {
            (true, _) => mail.subject().to_owned(),
            (false, true) => format!("{}\n\n{text}", mail.subject()),
            (false, false) => text,
        };
        let description = if description.trim().is_empty() { subject.clone() } else { description };
        let mut submission = Complaint::about(category.key.as_str(), subject, description).map_err(DeskError::from)?;
        submission.channel = Channel::Email;
        submission.contact =
            Contact { name: Some(account.name.clone()), email: Some(account.email.clone()), ..Contact::default() };
        submission.items.extend(mentions.map(|reference| Item {
            kind: "complaint that the mail names, which nobody has verified".to_owned(),
            key: reference.to_string(),
        }));
        Ok(Some((submission, files)))
    }
}

fn identity(mail: &Inbound<'_>) -> Identity {
    let message = mail.sender().zip(mail.message_id()).map(|(sender, id)| {
        let mut digest = Sha256::new();
        digest.update(sender);
        digest.update([0]);
        digest.update(id);
        digest.finalize().into()
    });
    let subject = mail.subject().chars().take(SUBJECT_MAX).collect();
    Identity { sender: mail.sender().map(str::to_owned), subject, message, content: mail.content_hash() }
}

pub(super) fn sender(account: Option<&Account>) -> Sender {
    match account {
        None => Sender::Stranger,
        Some(account) if account.disabled_at.is_some() => Sender::Disabled,
        Some(account) if account.role != Role::Customer => Sender::Staff,
        Some(account) if account.email_verified_at.is_some() => Sender::Customer,
        Some(_) => Sender::Stranger,
    }
}

/// What the addresses that a message was sent to say, and the complaint that they are for.
async fn reply(
    state: &AppState,
    open: &Open,
    mail: &Inbound<'_>,
    account: Option<&Account>,
) -> Result<(Reply, Option<Complaint>), IntakeError> {
    let tokens = open.replies.tokens_in(mail.recipients().iter().map(String::as_str));
    let token = match tokens.as_slice() {
        [] => return Ok((Reply::None, None)),
        [token] => token,
        _ => return Ok((Reply::Forged, None)),
    };
    let found = state.desk.store().by_reference(token.reference()).await.map_err(DeskError::from)?;
    let Some(complaint) = found else { return Ok((Reply::Forged, None)) };
    let customer = Recipient::Customer(complaint.customer.clone());
    let reference = complaint.reference;
    let reply = match open.replies.check(token, complaint.id, &customer, state.clock.now()) {
        Err(complaint_notify::inbound::TokenFault::Forged) => Reply::Forged,
        Err(complaint_notify::inbound::TokenFault::Expired) => Reply::Expired(reference),
        Ok(()) => {
            let is_theirs = account.is_some_and(|account| {
                account.id == complaint.customer.as_str() && sender(Some(account)) == Sender::Customer
            });
            if is_theirs { Reply::Genuine(reference) } else { Reply::OfAnother(reference) }
        }
    };
    Ok((reply, Some(complaint)))
}

/// Where a message to a complaint goes that was joined to another one of its customer.
async fn survivor(state: &AppState, mut complaint: Complaint) -> Result<Complaint, IntakeError> {
    for _ in 0..JOINED_MAX {
        let Some(into) = complaint.merged_into else { break };
        match state.desk.store().load(into).await.map_err(DeskError::from)? {
            Some(next) if next.customer == complaint.customer => complaint = next,
            _ => break,
        }
    }
    Ok(complaint)
}

/// The desk in the customer's hands. Tried again, what was done is done once.
pub(super) fn acting(state: &AppState, id: Uuid, account: &Account, step: &str) -> Result<Acting, IntakeError> {
    let customer = CustomerId::new(account.id.as_str()).map_err(DeskError::from)?;
    let acting = state.desk.acting_as(Actor::customer(customer.as_str()).map_err(DeskError::from)?);
    Ok(acting.under_key(&format!("mail-{id}-{step}"), "mail").map_err(DeskError::from)?)
}

/// Adds the files of a complaint that was made; it stands without them as well.
pub(super) async fn opened(
    state: &AppState,
    id: Uuid,
    account: &Account,
    made: Result<complaint_core::desk::Receipt, DeskError>,
    files: Vec<Taken>,
) -> Result<Settled, IntakeError> {
    let receipt = match made {
        Ok(receipt) => receipt,
        Err(DeskError::Refused(refusal)) => return Ok(refused(&refusal, None)),
        Err(error) => return Err(error.into()),
    };
    if !files.is_empty() {
        match attach(acting(state, id, account, "attach")?, receipt.id(), files, None).await {
            Ok(_) => {}
            Err(DeskError::Refused(refusal)) => {
                tracing::warn!(mail = %id, %refusal, "the files of a complaint by mail were not added");
                let detail = Some(format!("Without its files: {refusal}"));
                return Ok(Settled { detail, ..became(MailState::Opened, receipt.reference()) });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(became(MailState::Opened, receipt.reference()))
}

/// What a message says, in words and files that can be kept.
struct Written {
    text: String,
    files: Vec<Taken>,
    /// The names of the files.
    names: Vec<String>,
}

/// Takes the files of a message in by the door that all files come in by. What is not taken is named below the text, so that nothing
/// goes without a word. Of what begins a complaint, what was quoted comes along as a file: nobody here has written it before.
async fn written(
    state: &AppState,
    mail: &Inbound<'_>,
    kept: &InboundMail,
    begins: bool,
) -> Result<Written, IntakeError> {
    let mut own: Vec<(&str, String)> = Vec::new();
    let mut text = mail.text().to_owned();
    let mut remarks = Vec::new();
    if text.len() > TEXT_MAX - REMARKS_MAX {
        let end = (0..=TEXT_MAX - REMARKS_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        own.push(("message.txt", text.clone()));
        text.truncate(end);
        remarks.push("[The message goes on; the whole of it is in the file message.txt.]".to_owned());
    }
    if let Some(size) = kept.whole_size {
        // Whoever reads it, customer and staff, must know that there is more.
        remarks.push(format!(
            "[Only the beginning of this message is here: it has {size} bytes, and at most {MAIL_MAX} are taken in.]"
        ));
    }
    let below = [mail.signature(), mail.quoted()].join("\n").trim().to_owned();
    if begins && !below.is_empty() {
        own.push(("quoted.txt", below));
    }
    let own = own.into_iter().map(|(name, text)| (name.to_owned(), Bytes::from(text)));
    let given = mail.attachments().iter().map(|file| {
        // Media types of text have an ending of their own; names without one are what programs make.
        (file.name().to_owned(), Bytes::from(file.bytes().into_owned()))
    });
    let (mut files, mut names) = (Vec::new(), Vec::new());
    let mut form = FormFiles::default();
    for (name, bytes) in own.chain(given) {
        match form.take_whole(state, &name, bytes).await {
            Ok(file) if MEDIA_TYPES.contains(&file.facts().media_type.as_str()) => {
                names.push(name);
                files.push(file);
            }
            Ok(_) => remarks.push(remark(&name, "it is of a kind that is not taken in")),
            Err(problem) if problem.status.is_server_error() => return Err(IntakeError::Files(problem.title.into())),
            Err(problem) => remarks.push(remark(&name, &reason(&problem))),
        }
    }
    Ok(Written { text: with_remarks(&text, remarks.into_iter()), files, names })
}

fn remark(name: &str, why: &str) -> String {
    format!("[Not taken in: the file “{name}”: {why}]")
}

fn with_remarks(text: &str, remarks: impl Iterator<Item = String>) -> String {
    let mut whole = text.to_owned();
    for remark in remarks {
        if whole.len() + remark.len() + 2 > TEXT_MAX {
            break;
        }
        if !whole.is_empty() {
            whole.push_str("\n\n");
        }
        whole.push_str(&remark);
    }
    whole
}

fn reason(problem: &Problem) -> String {
    let said = problem.errors.first().map(|error| error.message.clone());
    said.or_else(|| problem.detail.as_deref().map(str::to_owned)).unwrap_or_else(|| problem.title.to_string())
}

/// The subject of a complaint, and whether the message's is longer.
fn subject_of(mail: &Inbound<'_>) -> (String, bool) {
    let given = [Some(mail.subject()), mail.text().lines().find(|line| !line.trim().is_empty())];
    for (at, line_of) in given.into_iter().enumerate() {
        let Some(said) = line_of.map(str::trim).filter(|said| !said.is_empty()) else { continue };
        let straight: String = said.chars().filter(|c| !turns_direction(*c)).collect();
        let one_line = straight.replace(['\t', '\u{2028}', '\u{2029}'], " ");
        let is_long = one_line.chars().count() > SUBJECT_MAX;
        let subject = if is_long { one_line.chars().take(SUBJECT_MAX - 1).chain(['…']).collect() } else { one_line };
        if let Ok(subject) = line(&subject, SUBJECT_MAX) {
            // Of a text its first line is there anyway.
            return (subject, is_long && at == 0);
        }
    }
    ("A message without a subject".to_owned(), false)
}

fn only_about_files(refusal: &Refusal) -> bool {
    refusal.failed.iter().all(|failed| failed.field.as_deref().is_some_and(|field| field.starts_with("files")))
}

fn unforeseen(error: impl std::error::Error) -> IntakeError {
    IntakeError::Files(error.to_string())
}

fn became(state: MailState, reference: Reference) -> Settled {
    Settled { state, why: None, detail: None, complaint: Some(reference.to_string()) }
}

pub(super) fn quarantined(why: &'static str, detail: &str) -> Settled {
    let detail = printable(detail).chars().take(DETAIL_MAX).collect();
    Settled { state: MailState::Quarantined, why: Some(why), detail: Some(detail), complaint: None }
}

fn refused(refusal: &Refusal, complaint: Option<Reference>) -> Settled {
    let complaint = complaint.map(|reference| reference.to_string());
    Settled { complaint, ..quarantined("refused", &refusal.to_string()) }
}

fn ignored(why: Ignored) -> Settled {
    let why = match why {
        Ignored::Duplicate => "duplicate",
        Ignored::Automatic(kind) => match kind {
            Kind::Person => "person",
            Kind::Bounce => "bounce",
            Kind::AbuseReport => "abuse_report",
            Kind::Vacation => "vacation",
            Kind::Automatic => "automatic",
            Kind::List => "list",
            Kind::Loop => "loop",
            Kind::Own => "own",
        },
    };
    Settled { state: MailState::Ignored, why: Some(why), detail: None, complaint: None }
}

pub(super) fn suspected(suspicion: Suspicion) -> Settled {
    let (why, complaint) = match suspicion {
        Suspicion::NoSender => ("no_sender", None),
        Suspicion::ForgedSender => ("forged_sender", None),
        Suspicion::Empty => ("empty", None),
        Suspicion::TokenOfAnother(complaint) => ("token_of_another", Some(complaint)),
        Suspicion::ForgedToken => ("forged_token", None),
        Suspicion::FromStaff => ("from_staff", None),
        Suspicion::FromDisabled => ("from_disabled", None),
    };
    let complaint = complaint.map(|reference| reference.to_string());
    Settled { state: MailState::Quarantined, why: Some(why), detail: None, complaint }
}
