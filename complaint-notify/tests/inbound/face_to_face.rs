//! Two systems that write to each other's addresses.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::clock::Clock;
use complaint_core::id::{ComplaintId, CustomerId, Level, NoticeId};
use complaint_core::lifecycle::Status;
use complaint_core::notice::{Notice, NoticeChannel, NoticeKind, Recipient};
use complaint_core::reference::Reference;
use complaint_core::{Notifier as _, NotifyError};
use complaint_notify::inbound::{Facts, Intake, ReplyAddress, Sender, decide};
use complaint_notify::{EmailNotifier, IdsAreAddresses, Mail, MailTransport, PlainMail, Settings};
use mail_parser::MessageParser;
use uuid::Uuid;

use crate::read;

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        "2026-11-21T09:30:05Z".parse().unwrap()
    }
}

#[derive(Clone, Default)]
struct Post(Arc<Mutex<VecDeque<Mail>>>);

#[async_trait]
impl MailTransport for Post {
    async fn send(&self, mail: &Mail) -> Result<(), NotifyError> {
        self.0.lock().unwrap().push_back(mail.clone());
        Ok(())
    }
}

fn system(address: &str, post: &Post) -> EmailNotifier {
    let replies = ReplyAddress::new(address, &[address.len().try_into().unwrap(); 32], 30).unwrap();
    let settings = Settings::new(address, "https://example.org", "Example").unwrap().with_replies(replies);
    EmailNotifier::new(post.clone(), IdsAreAddresses, settings, Arc::new(Still))
}

fn notice(recipient: &str) -> Notice {
    Notice {
        id: NoticeId::from_uuid(Uuid::from_u128(1)),
        recipient: Recipient::Customer(CustomerId::new(recipient).unwrap()),
        channel: NoticeChannel::Email,
        kind: NoticeKind::Received,
        complaint: ComplaintId::from_uuid(Uuid::from_u128(2)),
        reference: Reference::from_entropy(7),
        subject: "No water".to_owned(),
        status: Status::Queued,
        level: Level::new(1).unwrap(),
        handler: None,
        text: Some("No water.".to_owned()),
        address: None,
        due_at: None,
        due_on: None,
        next_at: None,
        owed: false,
        rated: false,
        deniable_until: None,
        out_of_sight: false,
        happening: None,
        planned_at: Still.now(),
    }
}

/// Each answers whatever it takes for a person's with a letter of its own: a receipt to one who has confirmed the address, a question
/// to one who has not.
#[tokio::test]
async fn two_systems_stop_after_two_messages_at_the_most() {
    for sender in [Sender::Stranger, Sender::Customer] {
        let post = Post::default();
        let systems = [system("help@one.example", &post), system("help@two.example", &post)];
        systems[0].deliver(&notice("help@two.example")).await.unwrap();
        let mut messages = 0;
        loop {
            let Some(mail) = post.0.lock().unwrap().pop_front() else { break };
            messages += 1;
            assert!(messages <= 2, "they do not stop");
            let receiver = usize::from(mail.to().to_string() == "help@two.example");
            let came = read(mail.bytes());
            let facts =
                Facts { sender, authentication: complaint_notify::inbound::Authentication::Passed, ..Facts::default() };
            let from = came.sender().expect("a sender").to_owned();
            match decide(&came, &facts) {
                Intake::Append { .. } | Intake::Open { confirmed: true, .. } => {
                    systems[receiver].deliver(&notice(&from)).await.unwrap();
                }
                Intake::Open { confirmed: false, .. } => {
                    let question = PlainMail {
                        to: from,
                        name: None,
                        subject: "Is this yours?".to_owned(),
                        text: "Open the link.".to_owned(),
                        html: None,
                        id: format!("ask-{messages}"),
                    };
                    systems[receiver].send_plain(&question).await.unwrap();
                }
                Intake::Ignore(_) | Intake::Quarantine(_) => {}
            }
        }
        assert!((1..=2).contains(&messages));
    }
}

#[tokio::test]
async fn letters_to_customers_carry_an_address_for_replies_of_their_own() {
    let post = Post::default();
    let system = system("help@one.example", &post);
    let to = |notice: Notice| {
        let (system, post) = (system.clone(), post.clone());
        async move {
            system.deliver(&notice).await.unwrap();
            let mail = post.0.lock().unwrap().pop_front().unwrap();
            let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
            let reply_to = parsed.reply_to().and_then(|it| it.first()?.address().map(str::to_owned));
            (reply_to, parsed.references().as_text().map(str::to_owned))
        }
    };
    let (johns, conversation) = to(notice("john@example.org")).await;
    let (again, _) = to(notice("john@example.org")).await;
    let (marys, _) = to(notice("mary@example.org")).await;
    assert_eq!(johns, again, "a repeat is the same message");
    assert_ne!(johns, marys);
    assert!(conversation.is_some(), "and stays in its conversation");
    let replies = ReplyAddress::new("help@one.example", &[16; 32], 30).unwrap();
    let token = replies.token_in(&johns.unwrap()).expect("a token");
    let john = Recipient::Customer(CustomerId::new("john@example.org").unwrap());
    assert_eq!(replies.check(&token, ComplaintId::from_uuid(Uuid::from_u128(2)), &john, Still.now()), Ok(()));
    let (none, _) =
        to(Notice { recipient: Recipient::Agent("sarah@example.org".parse().unwrap()), ..notice("x@example.org") })
            .await;
    assert_eq!(none, None, "staff answer on their pages");
}
