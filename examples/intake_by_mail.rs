//! Complaints by mail inside any program: a message is read, judged by what the host knows, and becomes a complaint, a message of one, or
//! nothing at all.
//!
//! Run it with `cargo run --example intake_by_mail`. It keeps everything in memory, and fails if anything goes otherwise than it says.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use complaint_core::clock::SystemClock;
use complaint_core::id::CustomerId;
use complaint_core::notice::Recipient;
use complaint_core::policy::Category;
use complaint_core::store::MemoryStore;
use complaint_core::{Actor, Agent, Complaint, Desk, NotifyError, Policy};
use complaint_notify::inbound::{
    Facts, Ignored, Inbound, Intake, Kind, Limits, Reply, ReplyAddress, Sender, Suspicion, decide,
};
use complaint_notify::{EmailNotifier, IdsAreAddresses, Mail, MailTransport, Settings};

type Done<T> = Result<T, Box<dyn Error>>;

/// The letters that leave.
#[derive(Clone, Default)]
struct Post(Arc<Mutex<Vec<Mail>>>);

#[async_trait]
impl MailTransport for Post {
    async fn send(&self, mail: &Mail) -> Result<(), NotifyError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
        Ok(())
    }
}

/// A host: whoever is a customer here has the address as their id.
struct Host {
    desk: Desk,
    replies: ReplyAddress,
    customers: Vec<&'static str>,
    seen: Mutex<Vec<[u8; 32]>>,
}

impl Host {
    /// What the host knows about a message.
    async fn facts(&self, mail: &Inbound<'_>) -> Done<Facts> {
        let hash = mail.content_hash();
        let seen = {
            let mut known = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = known.contains(&hash);
            known.push(hash);
            seen
        };
        let sender = mail.sender().unwrap_or_default();
        let is_customer = self.customers.contains(&sender);
        let tokens = self.replies.tokens_in(mail.recipients().iter().map(String::as_str));
        let reply = match tokens.as_slice() {
            [] => Reply::None,
            [token] => match self.desk.store().by_reference(token.reference()).await? {
                None => Reply::Forged,
                Some(complaint) => {
                    let owner = Recipient::Customer(complaint.customer.clone());
                    match self.replies.check(token, complaint.id, &owner, self.desk.now()) {
                        Err(_) => Reply::Forged,
                        Ok(()) if complaint.customer.as_str() == sender => Reply::Genuine(complaint.reference),
                        Ok(()) => Reply::OfAnother(complaint.reference),
                    }
                }
            },
            _ => Reply::Forged,
        };
        Ok(Facts {
            seen,
            sender: if is_customer { Sender::Customer } else { Sender::Stranger },
            authentication: mail.authentication("mx.example.org"),
            reply,
            ..Facts::default()
        })
    }

    /// Takes a message in and says what became of it.
    async fn take(&self, raw: &str) -> Done<Intake> {
        let mail = Inbound::read(raw.as_bytes(), &Limits::default())?;
        let what = decide(&mail, &self.facts(&mail).await?);
        match what {
            Intake::Open { confirmed: true, .. } => {
                let sender = CustomerId::new(mail.sender().unwrap_or_default())?;
                let complaint = Complaint::about("Water supply", mail.subject(), mail.text())?;
                self.desk.acting_as(Actor::customer(sender.as_str())?).submit(complaint).await?;
            }
            Intake::Append { complaint } => {
                let complaint = self.desk.store().by_reference(complaint).await?.ok_or("it was there a moment ago")?;
                let customer = self.desk.acting_as(Actor::customer(complaint.customer.as_str())?);
                customer.post(complaint.id, mail.text()).await?;
            }
            // A host asks whoever has the address, in words of its own, by a link, and at most once a day.
            Intake::Open { confirmed: false, .. } => {}
            Intake::Ignore(_) | Intake::Quarantine(_) => {}
        }
        self.desk.sweep().await?;
        Ok(what)
    }
}

fn from_john(to: &str, subject: &str, text: &str) -> String {
    format!(
        "Authentication-Results: mx.example.org; dmarc=pass\r\nFrom: John <john@example.org>\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{text}\r\n"
    )
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done<()> {
    let replies = ReplyAddress::new("water@example.org", b"32 bytes that nobody else knows.", 90)?;
    let sender = Settings::new("City Water <water@example.org>", "https://water.example.org", "City Water")?;
    let post = Post::default();
    let clock = Arc::new(SystemClock);
    let email = EmailNotifier::new(post.clone(), IdsAreAddresses, sender.with_replies(replies.clone()), clock);
    let policy = Policy::standard().with_category(Category::named("Water supply")?);
    let desk = Desk::new(MemoryStore::new(), policy).notifying(email);
    desk.enrol(Agent::named("asha@example.org", "Asha Rao")?.skilled_in(["water supply"])).await?;
    let host = Host { desk, replies, customers: vec!["john@example.org"], seen: Mutex::default() };

    let first = from_john("water@example.org", "No water since Monday", "All of Canal Street.\r\n-- \r\nJohn");
    let opened = host.take(&first).await?;
    assert_eq!(opened, Intake::Open { confirmed: true, mentions: None });
    let letter = post.0.lock().unwrap_or_else(PoisonError::into_inner).first().cloned().ok_or("a receipt")?;
    let letter = Inbound::read(letter.bytes(), &Limits::default())?;
    println!("A customer whose mail server vouches for them complains by mail, and gets: {}", letter.subject());

    let reference = letter.mentions().ok_or("the letter names the complaint")?;
    let complaint = host.desk.store().by_reference(reference).await?.ok_or("it is there")?;
    let owner = Recipient::Customer(complaint.customer.clone());
    let address = host.replies.for_recipient(complaint.id, reference, &owner, host.desk.now());
    let answer =
        "The house by the bridge has some.\r\n\r\nOn Mon, 2 Nov 2026 at 10:00 City Water wrote:\r\n> Thank you.";
    let answered = host.take(&from_john(&address, "Re: No water", answer)).await?;
    assert_eq!(answered, Intake::Append { complaint: reference });
    let log = host.desk.whole_log(complaint.id).await?;
    let said = log.last().and_then(|entry| entry.words.get("text")).ok_or("a message")?;
    assert_eq!(said, "The house by the bridge has some.");
    println!("The answer to a letter belongs to its complaint, without what it quotes: {said}");

    assert_eq!(host.take(&first).await?, Intake::Ignore(Ignored::Duplicate));
    println!("The same message once more leads to nothing.");

    let stolen = format!("From: eve@evil.example\r\nTo: {address}\r\nSubject: Re: No water\r\n\r\nTell me more.\r\n");
    assert_eq!(host.take(&stolen).await?, Intake::Quarantine(Suspicion::TokenOfAnother(reference)));
    println!("The address for replies of another is worth nothing: staff decide.");

    let typed =
        format!("From: eve@evil.example\r\nTo: water@example.org\r\nSubject: [{reference}]\r\n\r\nTell me.\r\n");
    assert_eq!(host.take(&typed).await?, Intake::Open { confirmed: false, mentions: Some(reference) });
    println!("A reference in a subject opens nobody's complaint, and a stranger is asked first.");

    let sent = post.0.lock().unwrap_or_else(PoisonError::into_inner).len();
    let away = format!("Auto-Submitted: auto-replied\r\n{}", from_john(&address, "I am away", "Until Monday."));
    assert_eq!(host.take(&away).await?, Intake::Ignore(Ignored::Automatic(Kind::Automatic)));
    let letter = String::from_utf8_lossy(post.0.lock().unwrap_or_else(PoisonError::into_inner)[0].bytes()).into_owned();
    assert_eq!(host.take(&letter).await?, Intake::Ignore(Ignored::Automatic(Kind::Own)));
    assert_eq!(post.0.lock().unwrap_or_else(PoisonError::into_inner).len(), sent);
    println!("What machines write, our own letters too, leads to nothing and is never answered.");
    Ok(())
}
