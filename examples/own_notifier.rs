//! A notifier of one's own: staff are told in a chat room, customers by mail as before.
//!
//! Run it with `cargo run --example own_notifier`. It leaves a folder `mail` behind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use complaint_core::id::NoticeId;
use complaint_core::notice::{Notice, NoticeKind, Recipient};
use complaint_core::testing::{ManualClock, samples};
use complaint_core::{Actor, Agent, Complaint, Desk, Notifier, NotifyError, Policy};
use complaint_core::{policy::Category, store::MemoryStore};
use complaint_notify::{EmailNotifier, IdsAreAddresses, Settings, Transport};

/// Stands for the chat program: while it is up it keeps what is posted, and one post per key, as such programs do.
#[derive(Default)]
struct Room {
    posts: Mutex<Option<BTreeMap<NoticeId, String>>>,
}

impl Room {
    fn open(&self) {
        self.locked().get_or_insert_default();
    }

    fn post(&self, key: NoticeId, line: String) -> Result<(), &'static str> {
        let mut posts = self.locked();
        posts.as_mut().ok_or("the chat room is closed")?.insert(key, line);
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        self.locked().iter().flat_map(BTreeMap::values).cloned().collect()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<BTreeMap<NoticeId, String>>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ChatNotifier {
    room: Arc<Room>,
    mail: EmailNotifier,
}

#[async_trait]
impl Notifier for ChatNotifier {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        let whom = match &notice.recipient {
            Recipient::Agent(agent) => format!("@{agent}"),
            Recipient::Level { level, .. } => format!("@level-{level}"),
            Recipient::Admins => "@admins".to_owned(),
            Recipient::Customer(_) | Recipient::Endpoint(_) => return self.mail.deliver(notice).await,
        };
        let what = match notice.kind {
            NoticeKind::AssignedHandler => "is yours",
            NoticeKind::Unroutable => "finds nobody who can take it",
            NoticeKind::Answer | NoticeKind::Message => "has a message for you",
            NoticeKind::Warning(_) => "is due soon",
            NoticeKind::Missed(_) => "is late",
            _ => "has changed",
        };
        // Not `notice.text` nor `notice.subject`: a room has readers who may not read what the customer wrote.
        let line = format!("{whom} {} {what}", notice.reference);
        // The notice's id goes along: the courier may deliver it again, after a crash or a lost answer, and then it is one post.
        self.room.post(notice.id, line).map_err(|closed| NotifyError::Later(closed.into()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let room = Arc::new(Room::default());
    let clock = Arc::new(ManualClock::at(samples::monday()));
    let sender = Settings::new("City Water <water@example.org>", "https://water.example.org", "City Water")?;
    let mail = EmailNotifier::new(Transport::from_config(None, "mail")?, IdsAreAddresses, sender, clock.clone());
    let policy = Policy::standard().with_category(Category::named("Water supply")?);
    let desk = Desk::new(MemoryStore::new(), policy)
        .with_clock(clock.clone())
        .notifying(ChatNotifier { room: room.clone(), mail });

    desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    let john = desk.acting_as(Actor::customer("john@example.org")?);
    let receipt =
        john.submit(Complaint::about("Water supply", "No water since Monday", "All of Canal Street.")?).await?;

    // The room is closed: John has his mail all the same, and Asha's notice waits.
    let first = desk.deliver().await?;
    assert_eq!((first.delivered > 0, first.postponed, first.dead), (true, 1, 0));
    assert!(room.lines().is_empty());

    room.open();
    clock.advance(TimeDelta::minutes(1));
    let second = desk.deliver().await?;
    assert_eq!((second.delivered, second.postponed), (1, 0));
    let told = format!("@asha {} is yours", receipt.reference());
    assert_eq!(room.lines(), [told.as_str()]);
    println!("{told}");
    Ok(())
}
