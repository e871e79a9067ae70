//! The people and the notice that every test of this crate uses.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::NotifyError;
use complaint_core::id::{AgentId, ComplaintId, CustomerId, Level, NoticeId};
use complaint_core::lifecycle::Status;
use complaint_core::notice::{Notice, NoticeChannel, NoticeKind, Recipient};
use complaint_core::reference::Reference;
use complaint_notify::{AddressBook, Addressee, Settings};
use uuid::Uuid;

pub(crate) fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A host with one customer, and agents by level.
#[derive(Clone, Default)]
pub(crate) struct Host {
    pub(crate) customer: Vec<Addressee>,
    pub(crate) level: Vec<Addressee>,
    pub(crate) admins: Vec<Addressee>,
}

impl Host {
    pub(crate) fn usual() -> Self {
        Self {
            customer: vec![Addressee::at("john@example.org").named("John Smith")],
            level: vec![
                Addressee::at("maria@example.com").named("Maria Gómez"),
                Addressee::at("omar@example.com").named("عمر"),
            ],
            admins: vec![Addressee::at("root@example.com").named("Root")],
        }
    }
}

#[async_trait]
impl AddressBook for Host {
    async fn find(&self, recipient: &Recipient) -> Result<Vec<Addressee>, NotifyError> {
        Ok(match recipient {
            Recipient::Customer(_) => self.customer.clone(),
            Recipient::Agent(agent) => {
                let sarah = Addressee::at(format!("{agent}@example.com")).named("Sarah Lee");
                vec![Addressee { phone: Some("+44 (0)7700 900-124".to_owned()), ..sarah }]
            }
            Recipient::Level { .. } => self.level.clone(),
            Recipient::Admins => self.admins.clone(),
            Recipient::Endpoint(_) => Vec::new(),
        })
    }

    async fn agent_name(&self, agent: &AgentId) -> Option<String> {
        (agent.as_str() == "sarah").then(|| "Sarah Lee".to_owned())
    }
}

pub(crate) fn settings() -> Settings {
    Settings::new("Example Ltd <complaints@example.com>", "https://help.example.com/", "Example Ltd").unwrap()
}

pub(crate) fn customer() -> Recipient {
    Recipient::Customer(CustomerId::new("c-1").unwrap())
}

pub(crate) fn sarah() -> Recipient {
    Recipient::Agent(AgentId::new("sarah").unwrap())
}

pub(crate) fn notice(kind: NoticeKind, recipient: Recipient) -> Notice {
    Notice {
        id: NoticeId::from_uuid(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001)),
        recipient,
        channel: NoticeChannel::Email,
        kind,
        complaint: ComplaintId::from_uuid(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0c01)),
        reference: Reference::from_entropy(0x1234_5678_9abc_def0),
        subject: "Toaster <smokes> & trips the fuse".to_owned(),
        status: Status::InProgress,
        level: Level::new(2).unwrap(),
        handler: Some(AgentId::new("sarah").unwrap()),
        text: Some("First line <b>bold</b> & more.\n\nSecond paragraph, \"quoted\".".to_owned()),
        address: None,
        due_at: Some(instant("2026-11-23T17:00:00Z")),
        due_on: None,
        next_at: Some(instant("2026-12-24T17:00:00Z")),
        owed: true,
        rated: false,
        deniable_until: Some(instant("2026-12-21T17:00:00Z")),
        out_of_sight: false,
        happening: None,
        planned_at: instant("2026-11-21T09:30:00.000123Z"),
    }
}
