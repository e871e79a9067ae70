//! Every message that leaves this crate, read back by an independent parser, and the relay's side of the conversation.

mod delivery;
mod foreign_relay;
mod headers;
#[path = "../house/mod.rs"]
mod house;
mod letters;
mod preferences;
#[path = "../python/mod.rs"]
mod python;
mod relay;
#[path = "../scripted/mod.rs"]
mod scripted;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::NotifyError;
use complaint_core::clock::Clock;
use complaint_notify::{EmailNotifier, Mail, MailTransport};

pub(crate) use house::{Host, customer, instant, notice, sarah, settings};

/// A clock that stands still.
pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        instant("2026-11-21T09:30:05Z")
    }
}

/// Keeps what it is given; fails on addresses it is told to.
#[derive(Clone, Default)]
pub(crate) struct Tray {
    pub(crate) mails: Arc<Mutex<Vec<Mail>>>,
    pub(crate) later: Arc<Mutex<Vec<String>>>,
}

impl Tray {
    pub(crate) fn taken(&self) -> Vec<Mail> {
        std::mem::take(&mut self.mails.lock().unwrap())
    }
}

#[async_trait]
impl MailTransport for Tray {
    async fn send(&self, mail: &Mail) -> Result<(), NotifyError> {
        if self.later.lock().unwrap().contains(&mail.to().to_string()) {
            return Err(NotifyError::Later("not now".into()));
        }
        self.mails.lock().unwrap().push(mail.clone());
        Ok(())
    }
}

pub(crate) fn notifier(tray: &Tray, host: Host) -> EmailNotifier {
    EmailNotifier::new(tray.clone(), host, settings(), Arc::new(Still))
}
