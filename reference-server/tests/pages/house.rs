//! A server on a scratch folder, with a clock that is moved by hand and a mailbox that can be read.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::clock::RandomIds;
use complaint_notify::MailFolder;
use reference_server::auth::password::Passwords;
use reference_server::auth::{AccountMail, AccountMailError, AccountMessage};
use reference_server::clock::Clock;
use reference_server::config::{Config, ServeArgs};
use reference_server::{Parts, Server, build_with};
use tempfile::TempDir;

use crate::browser::Browser;

pub(crate) const PASSWORD: &str = "copper lantern winds 7 rivers";

struct StillClock(Mutex<DateTime<Utc>>);

impl Clock for StillClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Mailbox(Mutex<Vec<AccountMessage>>);

#[async_trait]
impl AccountMail for Mailbox {
    async fn send(&self, message: &AccountMessage) -> Result<(), AccountMailError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        Ok(())
    }

    fn destination(&self) -> String {
        "memory".to_owned()
    }
}

pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) router: Router,
    clock: Arc<StillClock>,
    mail: Arc<Mailbox>,
    folder: TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with_args(|_| {}).await
    }

    pub(crate) async fn with_args(change: impl FnOnce(&mut ServeArgs)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut args = ServeArgs {
            listen: "127.0.0.1:8080".into(),
            data: folder.path().join("data"),
            not_durable: true,
            ..ServeArgs::default()
        };
        change(&mut args);
        let config = Config::from_args(&args, None).expect("a configuration");
        let start = "2026-11-23T09:30:00Z".parse().expect("an instant");
        let (clock, mail) = (Arc::new(StillClock(Mutex::new(start))), Arc::new(Mailbox::default()));
        let parts = Parts {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::new(RandomIds),
            transport: Arc::new(MailFolder::new(folder.path().join("data/mail"))),
            account_mail: Some(Arc::clone(&mail) as Arc<dyn AccountMail>),
            passwords: Passwords::cheap().expect("a hash"),
        };
        let server = build_with(config, parts).await.expect("a server");
        let router = server.router();
        Self { server, router, clock, mail, folder }
    }

    /// With categories and agents; see [`House::furnish`].
    pub(crate) async fn furnished() -> Self {
        let house = Self::new().await;
        house.furnish().await;
        house
    }

    /// John, and the reference of his complaint, which Sarah holds.
    pub(crate) async fn complaint(&self) -> (Browser<'_>, String) {
        let mut john = self.customer("John Miller", "john@example.org").await;
        let reference = complain(&mut john, "Broken kettle").await;
        (john, reference)
    }

    pub(crate) fn visitor(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// A browser in which somebody is logged in.
    pub(crate) async fn browser_of(&self, email: &str) -> Browser<'_> {
        let mut browser = self.visitor();
        browser.open("/login").await;
        browser.press("/login", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(browser.status(), 200, "{}", browser.text());
        assert!(browser.has("form[action='/logout']"), "{}", browser.text());
        browser
    }

    /// The first admin, made through the set-up link.
    pub(crate) async fn admin(&self) -> Browser<'_> {
        let link = self.server.setup_link().expect("a set-up link");
        let mut browser = self.visitor();
        browser.open(path_of(link)).await;
        browser
            .press(
                "/setup",
                &[
                    ("name", "Ada Root"),
                    ("email", "ada@example.org"),
                    ("password", PASSWORD),
                    ("password_again", PASSWORD),
                ],
            )
            .await;
        assert!(browser.says("The first administrator is made"), "{}", browser.text());
        self.browser_of("ada@example.org").await
    }

    /// Categories and agents as in the story; every agent has an account under `name@example.org`.
    pub(crate) async fn furnish(&self) -> Browser<'_> {
        let mut admin = self.admin().await;
        for name in ["Damaged goods", "Late delivery"] {
            admin.open("/admin/categories/new").await;
            admin.press("/admin/categories/new", &[("name", name), ("questions.0.label", "Which parcel?")]).await;
            assert!(admin.says(name), "{}", admin.text());
        }
        for (name, level, skills, capacity) in [
            ("Sarah", "1", "damaged goods", "5"),
            ("Ben", "1", "late delivery", "10"),
            ("Maria", "2", "", "10"),
            ("Omar", "3", "", "10"),
        ] {
            admin.open("/admin/agents/new").await;
            let email = format!("{}@example.org", name.to_lowercase());
            let typed = [
                ("name", name),
                ("email", &email),
                ("level", level),
                ("skills", skills),
                ("capacity", capacity),
                ("password", PASSWORD),
            ];
            admin.press("/admin/agents/new", &typed).await;
            assert!(admin.says(name), "{}", admin.text());
        }
        admin
    }

    /// Somebody who signs up, confirms and logs in.
    pub(crate) async fn customer(&self, name: &str, email: &str) -> Browser<'_> {
        let mut browser = self.visitor();
        browser.open("/signup").await;
        browser
            .press("/signup", &[("name", name), ("email", email), ("password", PASSWORD), ("password_again", PASSWORD)])
            .await;
        assert!(browser.says("Please look at your mail"), "{}", browser.text());
        let link = self.mailed_link().await;
        browser.open(path_of(&link)).await;
        browser.press("/verify", &[]).await;
        assert!(browser.says("Your e-mail address is confirmed"), "{}", browser.text());
        self.browser_of(email).await
    }

    /// The mails about accounts that are due.
    pub(crate) async fn mails(&self) -> Vec<AccountMessage> {
        let state = self.server.state();
        state.accounts.deliver_account_mail(state.clock.now(), self.mail.as_ref()).await.expect("delivers");
        std::mem::take(&mut *self.mail.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The code in the mail to somebody, which is due.
    pub(crate) async fn mailed_code(&self, to: &str) -> String {
        let mails = self.mails().await;
        let mail = mails.iter().find(|mail| mail.to == to).unwrap_or_else(|| panic!("{mails:?}"));
        let is_code = |line: &&str| line.len() == 9 && line.chars().all(|c| c.is_ascii_digit() || c == ' ');
        mail.text.lines().find(is_code).expect("a code").to_owned()
    }

    /// The link in the only mail about an account that is due.
    pub(crate) async fn mailed_link(&self) -> String {
        let mails = self.mails().await;
        let [mail] = &mails[..] else { panic!("{mails:?}") };
        let start = mail.text.find("http://").expect("a link");
        mail.text[start..].split_whitespace().next().expect("a link").to_owned()
    }

    /// The address of the link in the only question that was mailed whether mail is one's own.
    pub(crate) fn question(&self) -> String {
        let letters = std::fs::read_dir(self.folder.path().join("data/mail")).expect("a folder");
        let texts = letters.filter_map(|file| {
            let raw = std::fs::read(file.ok()?.path()).ok()?;
            let letter = mail_parser::MessageParser::default().parse(&raw)?;
            letter.body_text(0).map(std::borrow::Cow::into_owned).filter(|text| text.contains("/mail/confirm"))
        });
        let [text] = &texts.collect::<Vec<_>>()[..] else { panic!("one question") };
        let start = text.find("/mail/confirm").expect("a link");
        text[start..].split_whitespace().next().expect("a link").to_owned()
    }

    /// Lets time pass and the clocks act.
    pub(crate) async fn after(&self, days: i64) {
        self.passes(TimeDelta::days(days));
        self.server.state().sweep().await.expect("sweeps");
    }

    /// Moves the clock, and nothing else.
    pub(crate) fn passes(&self, time: TimeDelta) {
        *self.clock.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

/// Where a command is posted to.
pub(crate) fn at(reference: &str, command: &str) -> String {
    format!("/complaints/{reference}/commands/{command}")
}

/// Hands a complaint in about what Sarah knows; returns its reference.
pub(crate) async fn complain(browser: &mut Browser<'_>, subject: &str) -> String {
    browser.open("/complaints/new?category=damaged-goods").await;
    let typed = [("subject", subject), ("description", "The lid is cracked."), ("contact.name", "Omar Oak (Manager)")];
    browser.press("/complaints/new", &typed).await;
    browser.reference()
}

pub(crate) fn path_of(link: &str) -> &str {
    let host = link.find("//").expect("a link") + 2;
    &link[host + link[host..].find('/').expect("a path")..]
}
