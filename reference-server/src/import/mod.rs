//! The `import` command: complaints from CSV files through the desk, once each.
//!
//! Rows go the way every complaint goes, in the name of the system and by the channel `import`; nothing is written past the
//! rules. Each row is named by its source and key, so a run that was cut, or is started again, continues where it was.
//! A few rows at a time are on their way together; what is said of them is said in the order of the table.
//! Clocks start at the import; when it really happened is kept as the incident date.

pub mod mapping;
pub mod rows;
pub mod table;
pub mod template;

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use complaint_core::desk::Acting;
use complaint_core::id::AgentId;
use complaint_core::policy::{Category, PolicyError};
use complaint_core::store::StoreError;
use complaint_core::{Actor, Agent, Desk, DeskError, Policy};
use csv::ByteRecord;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt as _, StreamExt as _};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use thiserror::Error;
use url::Url;

use crate::auth::password::{PasswordError, Passwords};
use crate::auth::values::EmailAddress;
use crate::auth::{AccountService, AccountsError, AuthError, NewStaff, Role};
use crate::catalogue::{self, CatalogueError};
use crate::clock::{Clock, SystemClock};
use crate::config::{DatabaseUrl, ImportArgs};
use crate::database::{self, Database, DatabaseError};
use crate::error::printable;
use crate::make_private_folder;

use mapping::{AgentEntry, Mapping, MappingFaults};
use rows::{Bound, Draft, Reason};
use table::Table;

/// How many row numbers the report names for each reason.
const NAMED_ROWS: usize = 5;
/// How many rows are handed in at once: they share their way to the disk, and none waits for the round trip of another.
const AT_ONCE: usize = 16;
/// More new categories than this mean that the column is not the one with the category.
const NEW_CATEGORIES_MAX: usize = 500;
/// As with clap's own faults.
const WRONG_ARGUMENTS: u8 = 2;

/// Why an import could not be done.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The mapping does not fit itself or the table.
    #[error("{}: {faults}", .file.display())]
    Mapping {
        /// The mapping file.
        file: PathBuf,
        /// All of them.
        faults: MappingFaults,
    },
    /// A file cannot be read. What was taken over before stays; another run continues.
    #[error("{} cannot be read after {rows} rows", .file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// How many rows of it could be read.
        rows: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More categories are new than any catalogue would have.
    #[error("the tables hold more than {NEW_CATEGORIES_MAX} new categories; is `category.column` the right one?")]
    TooManyCategories,
    /// Somebody who is no agent has the address of an agent of the mapping.
    #[error("{email} belongs to somebody who is not an agent")]
    NotAnAgent {
        /// The address, as in the mapping.
        email: String,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The accounts cannot be read or written.
    #[error("accounts cannot be read or written")]
    Accounts(#[from] AccountsError),
    /// An account cannot be made.
    #[error("an account cannot be made")]
    Auth(#[from] AuthError),
    /// Passwords cannot be prepared.
    #[error("passwords cannot be prepared")]
    Passwords(#[from] PasswordError),
    /// The policy cannot be read or changed.
    #[error("the policy cannot be read or changed")]
    Policy(#[from] CatalogueError),
    /// The policy does not hold together.
    #[error("the policy cannot be used")]
    Faulty(#[from] PolicyError),
    /// Complaints cannot be stored. What was taken over before stays; another run continues.
    #[error("complaints cannot be stored")]
    Store(#[from] StoreError),
    /// The desk failed for a reason that is not the row's.
    #[error("the import stopped at row {row}")]
    Desk {
        /// As a spreadsheet shows it.
        row: u64,
        /// Why.
        #[source]
        source: DeskError,
    },
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Report {
    /// Rows seen, headers not counted.
    pub read: u64,
    /// Complaints made.
    pub created: u64,
    /// Of these, already with a handler.
    pub routed: u64,
    /// Rows not taken over, by reason.
    pub skipped: BTreeMap<Reason, Skipped>,
    /// Categories added to the policy.
    pub categories: Vec<String>,
    /// Agents enrolled.
    pub agents: Vec<String>,
    /// Time spent on rows.
    pub took: Duration,
    /// The most memory the program had at once, in KiB, where the system tells.
    pub peak_memory_kib: Option<u64>,
}

/// Rows not taken over for one reason.
#[derive(Debug, Default)]
pub struct Skipped {
    /// How many.
    pub count: u64,
    /// The first few: file and row.
    pub first: Vec<(PathBuf, u64)>,
}

impl Report {
    /// All rows not taken over.
    pub fn skipped_rows(&self) -> u64 {
        self.skipped.values().map(|skipped| skipped.count).sum()
    }

    fn count(&mut self, file: &Path, row: u64, taken: Taken) {
        self.read += 1;
        match taken {
            Ok(has_handler) => {
                self.created += 1;
                self.routed += u64::from(has_handler);
            }
            Err(reason) => self.skip(reason, file, row),
        }
    }

    fn skip(&mut self, reason: Reason, file: &Path, row: u64) {
        let skipped = self.skipped.entry(reason).or_default();
        skipped.count += 1;
        if skipped.first.len() < NAMED_ROWS {
            skipped.first.push((file.to_owned(), row));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.categories.is_empty() {
            writeln!(f, "New categories   {}", self.categories.join("; "))?;
        }
        if !self.agents.is_empty() {
            writeln!(f, "New agents       {} (invitations leave with the server's next mail)", self.agents.join("; "))?;
        }
        writeln!(f, "Rows read        {}", self.read)?;
        writeln!(f, "Created          {}", self.created)?;
        writeln!(f, "  with a handler {}", self.routed)?;
        writeln!(f, "  waiting        {}", self.created - self.routed)?;
        writeln!(f, "Skipped          {}", self.skipped_rows())?;
        for (reason, skipped) in &self.skipped {
            let rows: Vec<String> = skipped
                .first
                .iter()
                .map(|(file, row)| format!("{}:{row}", file.file_name().unwrap_or_default().to_string_lossy()))
                .collect();
            let more = if skipped.count > skipped.first.len() as u64 { ", …" } else { "" };
            writeln!(f, "  {:>7}  {reason} ({}{more})", skipped.count, rows.join(", "))?;
        }
        let seconds = self.took.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = if seconds > 0.0 { self.read as f64 / seconds } else { 0.0 };
        write!(f, "Rows per second  {rate:.0} ({seconds:.1} s)")?;
        match self.peak_memory_kib {
            Some(kib) => write!(f, "\nPeak memory      {} MiB", kib.div_ceil(1024)),
            None => Ok(()),
        }
    }
}

/// What an import works on.
pub struct House {
    desk: Desk,
    database: Database,
    accounts: AccountService,
}

impl House {
    /// Opens the data of a server; makes it if there is none.
    pub async fn open(database: &DatabaseUrl, durable: bool, clock: Arc<dyn Clock>) -> Result<Self, ImportError> {
        let database = Database::open(database, durable).await?;
        let policy = catalogue::load(database.policies.as_ref(), clock.as_ref()).await?;
        // Only mails hold links, and no mail leaves from here.
        let nowhere = Url::parse("http://localhost/").map_err(|_| PasswordError::Busy)?;
        let accounts =
            AccountService::new(Arc::clone(&database.accounts), Passwords::new()?, Arc::clone(&clock), &nowhere);
        let desk = Desk::over(Arc::clone(&database.store), unlimited(policy)).with_clock(clock);
        Ok(Self { desk, database, accounts })
    }

    /// The desk the rows go over.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Takes the rows of the files over, in their order, and writes down what became of them, also of those before a fault.
    pub async fn import(
        &self,
        survey: Survey<'_>,
        report: &mut Report,
        progress: &ProgressBar,
    ) -> Result<(), ImportError> {
        let begun = Instant::now();
        let done = self.take_all(survey, report, progress).await;
        report.took = begun.elapsed();
        report.peak_memory_kib = peak_memory_kib();
        done
    }

    async fn take_all(
        &self,
        survey: Survey<'_>,
        report: &mut Report,
        progress: &ProgressBar,
    ) -> Result<(), ImportError> {
        let Survey { mapping, mapping_file, files, rows, categories } = survey;
        progress.set_length(rows);
        if mapping.create_categories {
            report.categories = self.add_categories(categories).await?;
        }
        for entry in &mapping.agents {
            if self.enrol(entry).await? {
                report.agents.push(entry.name.clone());
            }
        }
        let system = self.desk.acting_as(Actor::system());
        for file in files {
            let mut walk = Walk::open(mapping, mapping_file, file)?;
            let mut under_way = FuturesOrdered::<BoxFuture<'_, HandedIn>>::new();
            let mut keys = HashSet::new();
            loop {
                // What was handed in before a fault is waited for: it may have been taken over.
                let (row, fault) = match walk.next() {
                    Ok(row) => (row, None),
                    Err(fault) => (None, Some(fault)),
                };
                let key = row.as_ref().and_then(|(_, draft)| draft.as_ref().ok()).map(|draft| draft.key.clone());
                // Of two rows with one key the former is taken over, and the latter is compared with it.
                let again = |keys: &HashSet<_>| key.as_ref().is_some_and(|key| keys.contains(key));
                while row.is_none() || under_way.len() == AT_ONCE || again(&keys) {
                    let Some((number, key, taken)) = under_way.next().await else { break };
                    let taken = taken.map_err(|source| ImportError::Desk { row: number, source })?;
                    report.count(file, number, taken);
                    progress.inc(1);
                    if let Some(key) = key {
                        keys.remove(&key);
                    }
                }
                let Some((number, draft)) = row else {
                    fault.map_or(Ok(()), Err)?;
                    break;
                };
                keys.extend(key.clone());
                under_way.push_back(handed_in(&system, number, key, draft).boxed());
            }
        }
        Ok(())
    }

    /// Adds categories in one new version of the policy; returns the names of those that were new.
    async fn add_categories(&self, found: BTreeMap<String, Category>) -> Result<Vec<String>, ImportError> {
        let policy = self.desk.policy();
        let new: Vec<Category> =
            found.into_values().filter(|category| policy.category(&category.key).is_none()).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let added = catalogue::change(self.database.policies.as_ref(), &self.desk, "system", |mut policy: Policy| {
            let mut added = Vec::new();
            for category in &new {
                if policy.category(&category.key).is_none() {
                    added.push(category.name.clone());
                    policy = policy.with_category(category.clone());
                }
            }
            Ok::<_, CatalogueError>((policy, added))
        })
        .await?;
        let in_force = self.desk.policy();
        self.desk.adopt(unlimited(Policy::clone(&in_force)))?;
        Ok(added)
    }

    /// Enrols an agent of the mapping with an account, unless they are there already; says whether they are new.
    async fn enrol(&self, entry: &AgentEntry) -> Result<bool, ImportError> {
        // The mapping was checked when it was read.
        let Ok(email) = EmailAddress::parse(&entry.email) else { return Ok(false) };
        let account = if let Some(known) = self.database.accounts.by_email(&email).await? {
            known.account
        } else {
            let (name, email) = (entry.name.as_str(), entry.email.as_str());
            let staff = NewStaff { name, email, phone: None, role: Role::Agent, password: None };
            self.accounts.create_staff(staff).await?
        };
        if account.role != Role::Agent {
            return Err(ImportError::NotAnAgent { email: entry.email.clone() });
        }
        let invalid = |source: DeskError| ImportError::Desk { row: 1, source };
        let id = AgentId::new(account.id.as_str()).map_err(|error| invalid(error.into()))?;
        if self.desk.store().find(&id).await?.is_some() {
            return Ok(false);
        }
        let mut agent = Agent::named(account.id, &entry.name)
            .map_err(|error| invalid(error.into()))?
            .with_capacity(entry.capacity)
            .at_level(entry.level);
        agent.skills.extend(entry.skills.iter().cloned());
        self.desk.enrol(agent).await.map_err(invalid)?;
        Ok(true)
    }
}

/// Takes complaints over as the arguments say.
pub async fn run(args: ImportArgs) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let wrong = |fault: &dyn fmt::Display| {
        eprintln!("{}", printable(&fault.to_string()));
        Ok(ExitCode::from(WRONG_ARGUMENTS))
    };
    let text = match std::fs::read_to_string(&args.mapping) {
        Ok(text) => text,
        Err(error) => return wrong(&format!("--mapping {}: {error}", args.mapping.display())),
    };
    let mapping = match Mapping::from_toml(&text) {
        Ok(mapping) => mapping,
        Err(faults) => return wrong(&ImportError::Mapping { file: args.mapping, faults }),
    };
    let database = match DatabaseUrl::of(args.database.as_deref(), &args.data) {
        Ok(database) => database,
        Err(fault) => return wrong(&fault),
    };
    // Before anything is made: a typing error must not leave an empty data folder behind.
    if let Some(missing) = args.files.iter().find(|file| !file.is_file()) {
        let why = if missing.is_dir() { "a folder, not a file" } else { "no such file" };
        return wrong(&format!("{}: {why}", missing.display()));
    }
    // The columns, too, and that there is a database: a typing error in `--data` would fill one that no server looks at.
    let survey = match Survey::of(&mapping, &args.mapping, &args.files) {
        Ok(survey) => survey,
        Err(error @ ImportError::Mapping { .. }) => return wrong(&error),
        Err(error) => {
            println!("Nothing was taken over: all files are looked through before the first complaint is made.");
            return Err(error.into());
        }
    };
    if let DatabaseUrl::Sqlite(url) = &database {
        match database::existing(url) {
            Ok(()) => {}
            Err(DatabaseError::Missing(_)) if args.create => make_private_folder(&args.data)?,
            Err(DatabaseError::Missing(file)) => {
                let fault = "there is no database; name the data folder of a server, start the server on this one once, or give --create";
                return wrong(&format!("{}: {fault}", file.display()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let house = House::open(&database, !args.not_durable, Arc::new(SystemClock)).await?;
    // Hidden by itself where standard error is no terminal.
    let progress = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} rows  {speed}  {eta} left")?;
    progress.set_style(style.with_key("speed", |state: &ProgressState, to: &mut dyn fmt::Write| {
        let _ = fmt::Write::write_fmt(to, format_args!("{:.0} rows/s", state.per_sec()));
    }));
    let mut report = Report::default();
    let done = house.import(survey, &mut report, &progress).await;
    progress.finish_and_clear();
    println!("{}", printable(&report.to_string()));
    io::stdout().flush()?;
    done?;
    Ok(ExitCode::SUCCESS)
}

/// What is known of the files before anything is changed.
pub struct Survey<'a> {
    mapping: &'a Mapping,
    mapping_file: &'a Path,
    files: &'a [PathBuf],
    rows: u64,
    categories: BTreeMap<String, Category>,
}

impl<'a> Survey<'a> {
    /// Looks through all files once: a mapping that does not fit stops before the first change, the progress bar has an end, and
    /// all new categories become one version of the policy.
    pub fn of(mapping: &'a Mapping, mapping_file: &'a Path, files: &'a [PathBuf]) -> Result<Self, ImportError> {
        let mut survey = Self { mapping, mapping_file, files, rows: 0, categories: BTreeMap::new() };
        for file in files {
            let mut walk = Walk::open(mapping, mapping_file, file)?;
            while let Some((_, draft)) = walk.next()? {
                survey.rows += 1;
                if let Ok(Draft { category, .. }) = draft {
                    survey.categories.entry(category.key.as_str().to_owned()).or_insert(category);
                }
                if survey.categories.len() > NEW_CATEGORIES_MAX {
                    return Err(ImportError::TooManyCategories);
                }
            }
        }
        Ok(survey)
    }
}

/// The number of a row and what it becomes.
type NumberedRow = (u64, Result<Draft, Reason>);

/// A walk over the rows of one file.
struct Walk<'m> {
    file: &'m Path,
    table: Table,
    bound: Bound<'m>,
    row: ByteRecord,
}

impl<'m> Walk<'m> {
    fn open(mapping: &'m Mapping, mapping_file: &Path, file: &'m Path) -> Result<Self, ImportError> {
        let table =
            Table::open(file).map_err(|source| ImportError::Unreadable { file: file.to_owned(), rows: 0, source })?;
        let bound = Bound::to_header(mapping, &file.display().to_string(), &table.header)
            .map_err(|faults| ImportError::Mapping { file: mapping_file.to_owned(), faults })?;
        Ok(Self { file, table, bound, row: ByteRecord::new() })
    }

    fn next(&mut self) -> Result<Option<NumberedRow>, ImportError> {
        let number = self.table.next(&mut self.row).map_err(|source| ImportError::Unreadable {
            file: self.file.to_owned(),
            rows: self.table.rows(),
            source,
        })?;
        Ok(number.map(|number| (number, self.bound.read(&self.row))))
    }
}

/// A row by its number and key, and what became of it.
type HandedIn = (u64, Option<String>, Result<Taken, DeskError>);

async fn handed_in(system: &Acting, number: u64, key: Option<String>, draft: Result<Draft, Reason>) -> HandedIn {
    match draft {
        Ok(draft) => (number, key, take_over(system, draft).await),
        Err(reason) => (number, key, Ok(Err(reason))),
    }
}

/// What became of a row: whether it has a handler already, or why it is left out.
type Taken = Result<bool, Reason>;

async fn take_over(system: &Acting, draft: Draft) -> Result<Taken, DeskError> {
    let once = system.clone().under_key(&draft.key, draft.fingerprint)?;
    match once.submit(draft.submission).await {
        Ok(receipt) if receipt.is_repeated() => Ok(Err(Reason::AlreadyImported)),
        Ok(receipt) => Ok(Ok(receipt.complaint().handler.is_some())),
        Err(DeskError::KeyReused) => Ok(Err(Reason::ChangedSince)),
        Err(DeskError::Refused(refusal)) => {
            let failed = refusal.failed.first();
            // The category is named by the catalogue or the table; only its field is repeated.
            let why = failed.map_or_else(String::new, |failed| match (&failed.field, failed.code) {
                (Some(field), "unknown_category") => format!("{field}: not in the policy"),
                (Some(field), _) => format!("{field}: {}", failed.message),
                (None, _) => failed.message.clone(),
            });
            Ok(Err(Reason::Refused(why)))
        }
        Err(error) => Err(error),
    }
}

/// The limit of open complaints keeps customers from flooding the desk; what is brought over has happened already.
fn unlimited(policy: Policy) -> Policy {
    Policy { open_complaints_per_customer: u32::MAX, ..policy }
}

/// Linux keeps count of it for every process.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix("kB")?.trim().parse().ok()
}
