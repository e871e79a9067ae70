//! The `demo` command: the server on a scratch database with an organisation that looks lived in.

pub mod chance;
pub mod fates;
pub mod papers;
pub mod past;
pub mod people;
pub mod situations;

use std::error::Error;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::testing::{CountedIds, ManualClock};
use complaint_core::{Desk, Policy};
use complaint_notify::{EmailNotifier, Mailer, Transport};
use complaint_store_sqlx::SqliteStore;
use indicatif::{ProgressBar, ProgressStyle};
use rand::RngExt as _;
use tokio::net::TcpListener;

use crate::auth::accounts::{Accounts as _, NewAccount};
use crate::auth::password::{Passwords, judge};
use crate::auth::values::{EmailAddress, FullName};
use crate::auth::{AccountService, PolicyVersions as _, SqliteAccounts};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, DatabaseUrl, DemoArgs, ServeArgs};
use crate::files::Attachments;
use crate::mail::{self, AccountsBook};
use crate::preferences::PreferencesService;
use crate::{build, make_private_folder};

use past::{DAYS, LatelyDelivered, Past};
use people::{People, Person};

type AnyError = Box<dyn Error + Send + Sync>;

/// As with clap's own faults.
const WRONG_ARGUMENTS: u8 = 2;
/// Every demonstration has the same past.
const SEED: u64 = 20_482_026;
/// Mail of how long ago still lies in the folder.
const MAIL_OF: TimeDelta = TimeDelta::days(3);
/// How many customers the table of sign-in details names.
const CUSTOMERS_NAMED: usize = 4;

/// What [`fill`] made.
pub struct Filled {
    /// Who is there.
    pub people: People,
    /// What happened.
    pub past: Past,
    /// Signs everybody in.
    pub password: String,
}

/// Starts the server on a scratch database and runs it until `stop` completes.
pub async fn run(args: DemoArgs, stop: impl Future<Output = ()> + Send + 'static) -> Result<ExitCode, AnyError> {
    let wrong = |fault: String| {
        eprintln!("{fault}");
        Ok(ExitCode::from(WRONG_ARGUMENTS))
    };
    let scratch = match &args.data {
        Some(folder) if folder.join("complaints.db").exists() => {
            let folder = folder.display();
            return wrong(format!("--data {folder}: holds a database already; a demonstration begins with none"));
        }
        Some(folder) => Scratch::kept(folder.clone()),
        None => Scratch::fresh(),
    };
    let serve = ServeArgs { listen: args.listen.clone(), data: scratch.folder.clone(), ..ServeArgs::default() };
    // No relay, whatever the environment says: nobody outside must get mail from a demonstration.
    let config = match Config::from_args(&serve, None) {
        Ok(config) => config,
        Err(faults) => return wrong(faults.to_string()),
    };
    if !config.listen.ip().is_loopback() {
        return wrong(format!(
            "--listen {}: a demonstration prints its password and is for this machine alone; use 127.0.0.1",
            args.listen
        ));
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    make_private_folder(&scratch.folder)?;

    let begun = Instant::now();
    eprintln!("Living through {DAYS} days …");
    // Hidden by itself where standard error is no terminal.
    let bar = ProgressBar::new(1);
    bar.set_style(ProgressStyle::with_template("{wide_bar} {percent} %")?);
    let config = config.bound_to(listener.local_addr()?);
    let progress = |done, whole| {
        bar.set_length(whole);
        bar.set_position(done);
    };
    let mut stop = Box::pin(stop);
    let filled = tokio::select! {
        filled = fill(&config, SystemClock.now(), progress) => filled?,
        () = &mut stop => {
            bar.finish_and_clear();
            eprintln!("Stopped before it was complete.");
            return Ok(ExitCode::SUCCESS);
        }
    };
    bar.finish_and_clear();

    let server = build(config).await?;
    println!("{}\n\n{}", server.greeting(), filled.sign_in_details());
    println!("\nReady after {:.1} s. Stop it with Ctrl-C.", begun.elapsed().as_secs_f64());
    if !scratch.kept {
        println!("Everything is forgotten then.");
    }
    std::io::stdout().flush()?;
    server.serve(listener, stop).await;
    Ok(ExitCode::SUCCESS)
}

/// Fills an empty data folder with the organisation and its past, which ends at `now`: database, attachments, and the mail of the last
/// days.
pub async fn fill(config: &Config, now: DateTime<Utc>, progress: impl FnMut(u64, u64)) -> Result<Filled, AnyError> {
    for folder in [&config.data, &config.mail_folder(), &config.attachments_folder()] {
        make_private_folder(folder)?;
    }
    let DatabaseUrl::Sqlite(database) = &config.database else {
        return Err("a demonstration is kept in a file of its own".into());
    };
    let people = People::of_tidewater()?;
    let founded = now - TimeDelta::days(DAYS + 1);
    let accounts = SqliteAccounts::open(database, false).await?;
    let password = draw_password();
    // One password, so one hash: a salt of its own for each account would hide nothing, and 44 hashes take seconds.
    let hash = Passwords::new()?.hash(&password).await?;
    for person in &people.everybody {
        accounts.insert(account(person, &hash)?, None, founded).await?;
    }
    let policy = Policy { version: 1, ..Policy::from_toml(include_str!("policy.toml"))? };
    accounts.append(0, &policy.to_toml()?, "system", founded).await?;

    let store = SqliteStore::open(database).await?;
    store.migrate().await?;
    // Until it is complete a scratch database may be lost with the power; the server then opens it with everything on.
    sqlx::query("PRAGMA synchronous = OFF").execute(store.writer()).await?;
    let clock = ManualClock::at(founded);
    let shared = Arc::new(clock.clone());
    let letters = Transport::from_config(None, config.mail_folder())?;
    let mailer = Mailer::new(Arc::new(letters), mail::settings(config, &policy, None)?, Arc::clone(&shared) as _);
    let service = AccountService::new(
        Arc::new(accounts.clone()),
        Passwords::new()?,
        Arc::clone(&shared) as _,
        &config.base_url(),
    );
    let kept = Arc::new(accounts.clone());
    let preferences = PreferencesService::open(kept, Arc::clone(&shared) as _, &config.base_url()).await?;
    let book = AccountsBook::over(service, Arc::new(store.clone()), preferences);
    let by = EmailNotifier::with_mailer(mailer, Arc::new(book)).only_known_people();
    let desk = Desk::new(store.clone(), policy)
        .with_clock(Arc::new(clock.clone()))
        .with_ids(Arc::new(CountedIds::from(SEED)))
        .notifying(LatelyDelivered { since: now - MAIL_OF, clock: clock.clone(), by });
    let past = past::live(&desk, &clock, &people, now, SEED, progress).await?;
    let attachments = Attachments::open(&config.attachments_folder())?;
    for bytes in past.files.values() {
        let mut incoming = attachments.begin(desk.draw_id()).await?;
        incoming.take(bytes.clone().into()).await?;
        incoming.finish().await?.keep();
    }
    store.close().await;
    accounts.close().await;
    Ok(Filled { people, past, password })
}

impl Filled {
    /// Who can sign in how.
    pub fn sign_in_details(&self) -> String {
        let staff = self.people.everybody.len() - self.people.customers.len();
        let named = self.people.everybody.iter().take(staff + CUSTOMERS_NAMED);
        let mut lines = vec![format!("{:<12} {:<18} {:<34} {}", "Role", "Name", "E-mail", "Password")];
        lines.extend(
            named.map(|person| {
                format!("{:<12} {:<18} {:<34} {}", person.title, person.name, person.email, self.password)
            }),
        );
        let more = self.people.customers.len().saturating_sub(CUSTOMERS_NAMED);
        lines.push(format!("and {more} more customers with the same password"));
        let total: u64 = self.past.statuses.values().sum();
        let statuses: Vec<String> = self
            .past
            .statuses
            .iter()
            .map(|(status, count)| format!("{count} {}", status.label().to_lowercase()))
            .collect();
        lines.push(format!("\n{total} complaints: {}", statuses.join(", ")));
        lines.join("\n")
    }
}

fn account(person: &Person, hash: &str) -> Result<NewAccount, AnyError> {
    let fault = |fault: crate::auth::values::Fault| AnyError::from(fault.message);
    Ok(NewAccount {
        id: person.id.clone(),
        name: FullName::parse(person.name).map_err(fault)?,
        email: EmailAddress::parse(&person.email).map_err(fault)?,
        phone: None,
        password_hash: Some(hash.to_owned()),
        role: person.role,
        email_verified: true,
    })
}

/// Four made-up words, easy to type, about 60 bits.
fn draw_password() -> String {
    const SOFT: &[u8; 16] = b"bdfghjklmnprstvz";
    const OPEN: &[u8; 4] = b"aiou";
    let mut dice = rand::rng();
    loop {
        let mut words = Vec::new();
        for _ in 0..4 {
            let mut word = String::new();
            for _ in 0..2 {
                word.push(char::from(SOFT[dice.random_range(0..SOFT.len())]));
                word.push(char::from(OPEN[dice.random_range(0..OPEN.len())]));
            }
            word.push(char::from(SOFT[dice.random_range(0..SOFT.len())]));
            words.push(word);
        }
        let password = words.join("-");
        if judge(&password, "", "").is_ok() {
            return password;
        }
    }
}

/// The folder of a demonstration.
struct Scratch {
    folder: PathBuf,
    kept: bool,
}

impl Scratch {
    fn kept(folder: PathBuf) -> Self {
        Self { folder, kept: true }
    }

    fn fresh() -> Self {
        let name = format!("complaint-demo-{:016x}", rand::rng().random::<u64>());
        Self { folder: std::env::temp_dir().join(name), kept: false }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept
            && is_scratch(&self.folder)
            && let Err(error) = std::fs::remove_dir_all(&self.folder)
        {
            tracing::warn!(folder = %self.folder.display(), %error, "the scratch folder could not be removed");
        }
    }
}

/// A last look before a folder is removed.
fn is_scratch(folder: &Path) -> bool {
    folder.is_dir() && folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("complaint-demo-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_password_is_strong_and_another_each_time() {
        let (one, other) = (draw_password(), draw_password());
        assert_ne!(one, other);
        assert_eq!(one.len(), 23);
        assert!(judge(&one, "Ada Lindgren", "ada.lindgren@tidewater.example").is_ok());
    }

    #[test]
    fn only_scratch_folders_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        drop(Scratch { folder: folder.path().to_owned(), kept: false });
        assert!(folder.path().is_dir(), "it was not ours");
        let scratch = Scratch::fresh();
        let path = scratch.folder.clone();
        std::fs::create_dir_all(&path).unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
