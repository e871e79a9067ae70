//! The commands `export` and `copy`: all complaints at once.

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use complaint_core::store::{Exported, copy as carried_over, export as written};
use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::{Clock as _, SystemClock};
use crate::config::{CopyArgs, DatabaseUrl, ExportArgs};
use crate::database::{self, Database};
use crate::heads::written_whole;

type AnyError = Box<dyn Error + Send + Sync>;

/// The arguments cannot be used, as with clap's own faults.
const WRONG_ARGUMENTS: u8 = 2;

/// Runs `export`.
pub async fn export(args: ExportArgs) -> Result<ExitCode, AnyError> {
    let url = match DatabaseUrl::of(args.database.as_deref(), &args.data) {
        Ok(url) => url,
        Err(fault) => return Ok(refused(&fault)),
    };
    let store = database::as_it_is(&url).await?;
    let progress = progress()?;
    let write = async |to: &mut (dyn Write + Send)| -> Result<Exported, AnyError> {
        let told = |exported: &Exported| progress.set_position(exported.complaints);
        Ok(written(&*store, SystemClock.now(), to, told).await?)
    };
    let exported = if args.out == Path::new("-") {
        write(&mut BufWriter::new(io::stdout())).await
    } else {
        written_whole(&args.out, write).await
    };
    progress.finish_and_clear();
    let Exported { agents, complaints, entries, notices, given_up } = exported?;
    eprintln!("Complaints  {complaints}");
    eprintln!("Entries     {entries}");
    eprintln!("Agents      {agents}");
    eprintln!("Notices     {notices}, and {given_up} given up");
    Ok(ExitCode::SUCCESS)
}

/// Runs `copy`.
pub async fn copy(args: CopyArgs) -> Result<ExitCode, AnyError> {
    let url = |name: &str, given: &str| {
        DatabaseUrl::of(Some(given), Path::new("")).map_err(|fault| fault.replacen("--database", name, 1))
    };
    let (from, to) = match (url("--from", &args.from), url("--to", &args.to)) {
        (Ok(from), Ok(to)) => (from, to),
        (from, to) => {
            let faults: Vec<String> = [from.err(), to.err()].into_iter().flatten().collect();
            return Ok(refused(&faults.join("\n")));
        }
    };
    let source = database::as_it_is(&from).await?;
    let target = Database::open(&to, !args.not_durable).await?;
    let progress = progress()?;
    let copied = carried_over(&*source, &*target.store, |copied| progress.set_position(copied.seen)).await;
    progress.finish_and_clear();
    target.close().await;
    let copied = copied?;
    println!("Complaints  {}", copied.seen);
    println!("Copied      {}, with {} entries and {} notices", copied.complaints, copied.entries, copied.notices);
    println!("Given up    {} notices", copied.given_up);
    println!("There       {}", copied.there);
    println!("Agents      {}", copied.agents);
    println!("Differing   {}", copied.differing);
    for difference in &copied.differences {
        println!("  {difference}");
    }
    Ok(if copied.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn refused(faults: &str) -> ExitCode {
    eprintln!("{faults}");
    ExitCode::from(WRONG_ARGUMENTS)
}

/// On standard error, and only where a person looks at it.
fn progress() -> Result<ProgressBar, AnyError> {
    let progress = ProgressBar::new_spinner();
    progress.set_style(ProgressStyle::with_template("{spinner} {pos} complaints  {per_sec}")?);
    Ok(progress)
}
