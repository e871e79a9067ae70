//! The commands `backup`, `restore` and `drill`: the database and the attachments, in one folder.
//!
//! The database is copied first. An attachment has its place before a complaint refers to it and never changes, so whatever
//! the copy of the database refers to is there when the files are copied behind it. Last comes the manifest: a folder
//! without one is no whole backup.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use chrono::{DateTime, Utc};
use complaint_store_sqlx::verify::{Heads, Verified};
use complaint_store_sqlx::{Scratch, SqliteStore};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::{Clock as _, SystemClock};
use crate::config::{BackupArgs, DatabaseUrl, DrillArgs, RestoreArgs};
use crate::database::{self, file_of, verified_json};
use crate::extract::hex;
use crate::heads::with_heads;
use crate::make_private_folder;

type AnyError = Box<dyn Error + Send + Sync>;

/// The arguments cannot be used, as with clap's own faults.
const WRONG_ARGUMENTS: u8 = 2;
const VERSION: u32 = 1;
const MANIFEST: &str = "backup.json";
const ATTACHMENTS: &str = "attachments";
/// Where attachments are while they come in: nothing refers to those.
const INCOMING: &str = "incoming";

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    /// The moment before which all is in it.
    at: DateTime<Utc>,
    engine: Engine,
    bytes: u64,
    sha256: String,
    attachments: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Engine {
    Sqlite,
    Postgresql,
}

impl Engine {
    fn of(url: &DatabaseUrl) -> Self {
        match url {
            DatabaseUrl::Sqlite(_) => Self::Sqlite,
            DatabaseUrl::Postgres(_) => Self::Postgresql,
        }
    }

    /// The file that holds the database.
    fn file(self) -> &'static str {
        match self {
            Self::Sqlite => "complaints.db",
            Self::Postgresql => "complaints.dump",
        }
    }
}

/// Runs `backup`.
pub async fn back_up(args: BackupArgs) -> Result<ExitCode, AnyError> {
    let Some(url) = url(args.database.as_deref(), &args.data) else { return Ok(ExitCode::from(WRONG_ARGUMENTS)) };
    let begun = Instant::now();
    let manifest = take(&url, &args.data, &args.to).await?;
    let seconds = begun.elapsed().as_secs_f64();
    if args.json {
        let mut answer = serde_json::to_value(&manifest)?;
        answer["seconds"] = seconds.into();
        println!("{answer}");
    } else {
        println!("Backup       {}", args.to.display());
        println!("Bytes        {} and {} attachments", manifest.bytes, manifest.attachments);
        println!("Seconds      {seconds:.1}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `restore`.
pub async fn restore(args: RestoreArgs) -> Result<ExitCode, AnyError> {
    let Some(url) = url(args.database.as_deref(), &args.data) else { return Ok(ExitCode::from(WRONG_ARGUMENTS)) };
    let manifest = checked(&args.from, &url)?;
    make_private_folder(&args.data)?;
    // Of two at once the second would take away what the first has put there, and a server must not find half of it.
    let _alone = crate::lock(&args.data, &url, true)?;
    let into = args.data.join(ATTACHMENTS);
    if into.is_dir() && fs::read_dir(&into)?.next().is_some() {
        return Err(format!("{} is not empty", into.display()).into());
    }
    let attachments = sound_attachments(&args.from.join(ATTACHMENTS), manifest.attachments)?;
    let file = args.from.join(manifest.engine.file());
    let restored = async {
        for file in attachments {
            copied(&file, &place_of(&into, &file)?)?;
        }
        // Last, so that a server finds either nothing or all of it.
        match &url {
            DatabaseUrl::Sqlite(url) => SqliteStore::restore(&file, &file_of(url)?).await?,
            DatabaseUrl::Postgres(url) => url.options.restore(&file).await?,
        }
        Ok::<_, AnyError>(())
    };
    let restored = restored.await;
    if restored.is_err() {
        // It was empty before.
        let _ = fs::remove_dir_all(&into);
    }
    restored?;
    println!("Restored     {url}");
    println!("As of        {}, with {} attachments", manifest.at.to_rfc3339(), manifest.attachments);
    Ok(ExitCode::SUCCESS)
}

/// Runs `drill`.
pub async fn drill(args: DrillArgs) -> Result<ExitCode, AnyError> {
    let Some(url) = url(args.database.as_deref(), &args.data) else { return Ok(ExitCode::from(WRONG_ARGUMENTS)) };
    let begun = Instant::now();
    let scratch = Scratch::within(&args.scratch.unwrap_or_else(std::env::temp_dir))?;
    let folder = if let Some(folder) = args.from {
        folder
    } else {
        let folder = scratch.path().join("backup");
        take(&url, &args.data, &folder).await?;
        folder
    };
    let manifest = checked(&folder, &url)?;
    sound_attachments(&folder.join(ATTACHMENTS), manifest.attachments)?;
    let file = folder.join(manifest.engine.file());
    let drilled = async |heads: Heads<'_>| -> Result<Verified, AnyError> {
        Ok(match &url {
            DatabaseUrl::Sqlite(_) => SqliteStore::drill_with(&file, scratch.path(), heads).await?,
            DatabaseUrl::Postgres(url) => url.options.drill_with(&file, heads).await?,
        })
    };
    let verified = with_heads(&args.heads, drilled).await?;
    let age = SystemClock.now().signed_duration_since(manifest.at).num_seconds();
    let seconds = begun.elapsed().as_secs_f64();
    if args.json {
        let mut answer = verified_json(&verified);
        answer["at"] = serde_json::to_value(manifest.at)?;
        answer["age_seconds"] = age.into();
        answer["attachments"] = manifest.attachments.into();
        answer["seconds"] = seconds.into();
        println!("{answer}");
    } else {
        println!("Taken        {}, {age} seconds ago", manifest.at.to_rfc3339());
        println!("Complaints   {}", verified.complaints);
        println!("Entries      {}", verified.entries);
        println!("Attachments  {}", manifest.attachments);
        println!("Seconds      {seconds:.1}");
        println!("Broken       {}", verified.broken);
        for breach in &verified.breaches {
            println!("  {breach}");
        }
        for miscount in &verified.miscounts {
            println!("  {miscount}");
        }
    }
    Ok(if verified.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn url(database: Option<&str>, data: &Path) -> Option<DatabaseUrl> {
    DatabaseUrl::of(database, data).map_err(|fault| eprintln!("{fault}")).ok()
}

async fn take(url: &DatabaseUrl, data: &Path, to: &Path) -> Result<Manifest, AnyError> {
    if to.exists() {
        return Err(format!("{} is there already", to.display()).into());
    }
    let engine = Engine::of(url);
    if let DatabaseUrl::Sqlite(url) = url {
        // Only looking must not make one.
        database::existing(url)?;
    }
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_private_folder(parent)?;
    // Beside its place until it is whole: what is left of one that was killed goes with the next.
    let scratch = Scratch::within(parent)?;
    let folder = scratch.path().join("backup");
    make_private_folder(&folder)?;
    let at = SystemClock.now();
    let file = folder.join(engine.file());
    match url {
        DatabaseUrl::Sqlite(url) => {
            let store = SqliteStore::open(url).await?;
            let backed_up = store.back_up(&file).await;
            store.close().await;
            backed_up?;
        }
        DatabaseUrl::Postgres(url) => url.options.back_up(&file).await?,
    }
    let attachments = backed_up_attachments(&data.join(ATTACHMENTS), &folder.join(ATTACHMENTS))?;
    let (bytes, sha256) = digest(&file)?;
    let manifest = Manifest { version: VERSION, at, engine, bytes, sha256, attachments };
    let mut written = File::create_new(folder.join(MANIFEST))?;
    written.write_all(serde_json::to_string(&manifest)?.as_bytes())?;
    written.sync_all()?;
    if to.exists() {
        return Err(format!("{} is there already", to.display()).into());
    }
    // A folder that somebody made meanwhile is refused by this as well, unless it is empty.
    fs::rename(&folder, to).map_err(|fault| format!("cannot write {}: {fault}", to.display()))?;
    #[cfg(unix)]
    for folder in [to, parent] {
        File::open(folder)?.sync_all()?;
    }
    Ok(manifest)
}

/// What a backup says of itself, once its database file is known to be the one that was written.
fn checked(folder: &Path, url: &DatabaseUrl) -> Result<Manifest, AnyError> {
    let path = folder.join(MANIFEST);
    let text = fs::read_to_string(&path)
        .map_err(|fault| format!("{} is no whole backup: cannot read {}: {fault}", folder.display(), path.display()))?;
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|fault| format!("{} is damaged: {fault}", path.display()))?;
    if manifest.version != VERSION {
        let version = manifest.version;
        return Err(format!("{} is a backup of version {version}: use a newer program", folder.display()).into());
    }
    if manifest.engine != Engine::of(url) {
        let file = manifest.engine.file();
        return Err(format!("the backup holds {file}, and --database names another engine: {url}").into());
    }
    let file = folder.join(manifest.engine.file());
    let (bytes, sha256) = digest(&file).map_err(|fault| format!("cannot read {}: {fault}", file.display()))?;
    if (bytes, &sha256) != (manifest.bytes, &manifest.sha256) {
        return Err(format!("{} is damaged: not the bytes that were written", file.display()).into());
    }
    Ok(manifest)
}

/// The bytes of attachments never change: where it can be, a file is only given a second name.
fn backed_up_attachments(from: &Path, to: &Path) -> Result<u64, AnyError> {
    let mut count = 0;
    for file in attachments(from)? {
        let place = place_of(to, &file)?;
        if fs::hard_link(&file, &place).is_err() {
            copied(&file, &place)?;
        }
        count += 1;
    }
    Ok(count)
}

/// The attachments of a backup, each of which must be what its name says.
fn sound_attachments(folder: &Path, expected: u64) -> Result<Vec<PathBuf>, AnyError> {
    let files = attachments(folder)?;
    for file in &files {
        if file.file_name().and_then(|name| name.to_str()) != Some(digest(file)?.1.as_str()) {
            return Err(format!("{} is damaged: its content is not what its name says", file.display()).into());
        }
    }
    let count = files.len() as u64;
    if count == expected {
        return Ok(files);
    }
    Err(format!("{} is damaged: {count} files where {expected} were written", folder.display()).into())
}

fn attachments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let folders = match fs::read_dir(folder) {
        Ok(folders) => folders,
        Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(fault) => return Err(fault),
    };
    for inner in folders {
        let inner = inner?;
        if inner.file_name() == INCOMING || !inner.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(inner.path())? {
            found.push(file?.path());
        }
    }
    Ok(found)
}

/// Where a file goes: the same folder and name below another root.
fn place_of(root: &Path, file: &Path) -> Result<PathBuf, AnyError> {
    let inner = file.parent().and_then(Path::file_name).map_or_else(|| root.to_owned(), |inner| root.join(inner));
    make_private_folder(&inner)?;
    Ok(file.file_name().map_or(inner.clone(), |name| inner.join(name)))
}

/// Copies a file to where nothing is, and waits until the disk has it.
fn copied(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut into = options.open(to)?;
    io::copy(&mut File::open(from)?, &mut into)?;
    into.sync_all()
}

/// How many bytes a file has, and their SHA-256.
fn digest(file: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(file)?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hex(&sha.finalize())));
        }
        sha.update(&buffer[..read]);
        bytes += read as u64;
    }
}
