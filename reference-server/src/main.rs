//! The reference server: arguments → configuration → library.

use std::error::Error;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser as _;
use complaint_core::clock::{Clock as _, IdSource as _, RandomIds};
use complaint_store_sqlx::verify::{Heads, Verified};
use reference_server::auth::password::Passwords;
use reference_server::auth::{AccountService, AuthError};
use reference_server::clock::SystemClock;
use reference_server::config::{
    AdminCommand, AdminCreateArgs, Cli, Command, Config, DatabaseUrl, IMAP_VARIABLE, INTAKE_TOKEN_VARIABLE, IntakeArgs,
    METRICS_TOKEN_VARIABLE, ResetSecondFactorArgs, SMTP_VARIABLE, ServeArgs, VerifyArgs,
};
use reference_server::database::{self, Database, verified_json};
use reference_server::error::{chain, printable};
use reference_server::heads::with_heads;
use reference_server::intake::{IntakeError, MAIL_MAX};
use reference_server::{backup, build, bulk, demo, import, intake, make_private_folder};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// The arguments cannot be used, as with clap's own faults.
const WRONG_ARGUMENTS: u8 = 2;

// What mail servers understand (sysexits.h).
const EX_USAGE: u8 = 64;
const EX_DATAERR: u8 = 65;
const EX_TEMPFAIL: u8 = 75;
const EX_NOPERM: u8 = 77;

/// How much of a line is read: more than any password may have.
const LINE_MAX: u64 = 4096;

type AnyError = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let command = Cli::parse().into_command();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // The mail library writes passwords and letters into its debug log: never, whatever RUST_LOG says.
    let filter = match "lettre=info".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    // Standard output is for the operator's lines; the log goes beside it, in colours where a person reads it.
    let coloured = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(coloured).init();
    // Every connection is an open file, and what a shell allows is often 1 024 of them.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done: Result<ExitCode, AnyError> = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve(*args).await,
            Command::Demo(args) => demo::run(args, told_to_stop()?).await,
            Command::Admin(AdminCommand::Create(args)) => admin_create(args).await,
            Command::Admin(AdminCommand::ResetSecondFactor(args)) => reset_second_factor(args).await,
            Command::Import(args) => import::run(args).await,
            Command::Intake(args) => Ok(intake(args).await),
            Command::Verify(args) => verify(args).await,
            Command::Export(args) => bulk::export(args).await,
            Command::Copy(args) => bulk::copy(args).await,
            Command::Backup(args) => backup::back_up(args).await,
            Command::Restore(args) => backup::restore(args).await,
            Command::Drill(args) => backup::drill(args).await,
        }
    });
    done.unwrap_or_else(|error| failed(error.as_ref()))
}

async fn serve(args: ServeArgs) -> Result<ExitCode, AnyError> {
    let mut args = args;
    args.intake_imap = args.intake_imap.or_else(|| std::env::var(IMAP_VARIABLE).ok());
    let config = Config::from_args(&args, std::env::var(SMTP_VARIABLE).ok());
    let config = config.and_then(|config| config.measured_with(std::env::var(METRICS_TOKEN_VARIABLE).ok()));
    let config = match config.and_then(|config| config.taking_mail_with(std::env::var(INTAKE_TOKEN_VARIABLE).ok())) {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("{faults}");
            return Ok(ExitCode::from(WRONG_ARGUMENTS));
        }
    };
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let server = build(config.bound_to(listener.local_addr()?)).await?;
    // Whoever has heard enough and closes the pipe still wants the server.
    let mut output = std::io::stdout();
    let _ = writeln!(output, "{}", server.greeting()).and_then(|()| output.flush());
    server.serve(listener, told_to_stop()?).await;
    Ok(ExitCode::SUCCESS)
}

async fn admin_create(args: AdminCreateArgs) -> Result<ExitCode, AnyError> {
    let database = match DatabaseUrl::of(args.database.as_deref(), &args.data) {
        Ok(database) => database,
        Err(fault) => {
            eprintln!("{fault}");
            return Ok(ExitCode::from(WRONG_ARGUMENTS));
        }
    };
    let mut line = Vec::new();
    std::io::stdin().lock().take(LINE_MAX).read_until(b'\n', &mut line)?;
    let Ok(line) = String::from_utf8(line) else {
        eprintln!("password: It is not UTF-8.");
        return Ok(ExitCode::from(WRONG_ARGUMENTS));
    };
    let password = line.strip_suffix('\n').map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    // Before anything is made: who is refused must not leave an empty data folder behind.
    if let Err(AuthError::Invalid(faults)) = AccountService::checked_person(&args.name, &args.email, password) {
        for wrong in faults {
            eprintln!("{}: {}", wrong.field, wrong.fault.message);
        }
        return Ok(ExitCode::from(WRONG_ARGUMENTS));
    }
    make_private_folder(&args.data)?;
    let accounts = Database::open(&database, !args.not_durable).await?.accounts;
    let base_url = "http://localhost/".parse()?;
    let service = AccountService::new(accounts, Passwords::new()?, Arc::new(SystemClock), &base_url);
    let account = service.create_admin(&args.name, &args.email, password).await?;
    println!("{} is an administrator of {database} now, with the id {}.", account.email, account.id);
    Ok(ExitCode::SUCCESS)
}

async fn reset_second_factor(args: ResetSecondFactorArgs) -> Result<ExitCode, AnyError> {
    let url = match DatabaseUrl::of(args.database.as_deref(), &args.data) {
        Ok(url) => url,
        Err(fault) => {
            eprintln!("{fault}");
            return Ok(ExitCode::from(WRONG_ARGUMENTS));
        }
    };
    if let DatabaseUrl::Sqlite(url) = &url {
        database::existing(url)?;
    }
    let accounts = Database::open(&url, !args.not_durable).await?.accounts;
    let service =
        AccountService::new(accounts, Passwords::new()?, Arc::new(SystemClock), &"http://localhost/".parse()?);
    let reset = async {
        let account = service.account_at(&args.email).await?;
        service.reset_second_factor(&account.id).await.map(|()| account)
    };
    match reset.await {
        Ok(account) => {
            println!("{} logs in with the password alone now, and is told by mail.", account.email);
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ (AuthError::NoSuchAccount | AuthError::NoSecondFactor)) => {
            eprintln!("{}: {error}", printable(&args.email));
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

/// Keeps one message; the server looks into it. Whatever the operator can mend is for the mail server to try again: no mail is lost by a
/// mistake of ours.
async fn intake(args: IntakeArgs) -> ExitCode {
    let told = |code: u8, why: &str| {
        eprintln!("{}", printable(why));
        ExitCode::from(code)
    };
    let url = match DatabaseUrl::of(args.database.as_deref(), &args.data) {
        Ok(url) => url,
        Err(fault) => return told(EX_USAGE, &fault),
    };
    let mut raw = Vec::new();
    // One byte more than allowed is enough to say so.
    if let Err(error) = std::io::stdin().lock().take(MAIL_MAX as u64 + 1).read_to_end(&mut raw) {
        return told(EX_TEMPFAIL, &format!("the message cannot be read: {error}"));
    }
    if let DatabaseUrl::Sqlite(url) = &url {
        let may_not = |file: std::path::PathBuf| {
            let opened = std::fs::OpenOptions::new().read(true).write(true).open(file);
            opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        };
        if database::file_of(url).is_ok_and(may_not) {
            return told(EX_NOPERM, "this user may not use the database");
        }
        if let Err(error) = database::existing(url) {
            return told(EX_TEMPFAIL, &chain(&error));
        }
    }
    let kept = async {
        let database = Database::open(&url, !args.not_durable).await?;
        let now = SystemClock.now();
        Ok::<_, AnyError>(intake::leave(database.inbox.as_ref(), RandomIds.next_id(now), &raw, now).await)
    };
    match kept.await {
        Ok(Ok(_)) => ExitCode::SUCCESS,
        Ok(Err(IntakeError::Unreadable(why))) => told(EX_DATAERR, &why.to_string()),
        Ok(Err(IntakeError::Closed)) => {
            told(EX_TEMPFAIL, "no server has been started with --intake-address on this data yet")
        }
        Ok(Err(error)) => told(EX_TEMPFAIL, &chain(&error)),
        Err(error) => told(EX_TEMPFAIL, &chain(error.as_ref())),
    }
}

async fn verify(args: VerifyArgs) -> Result<ExitCode, AnyError> {
    let url = match DatabaseUrl::of(args.database.as_deref(), &args.data) {
        Ok(url) => url,
        Err(fault) => {
            eprintln!("{fault}");
            return Ok(ExitCode::from(WRONG_ARGUMENTS));
        }
    };
    let begun = Instant::now();
    let walk = async |heads: Heads<'_>| -> Result<Verified, AnyError> { Ok(database::verify(&url, heads).await?) };
    let verified = with_heads(&args.heads, walk).await?;
    let seconds = begun.elapsed().as_secs_f64();
    if args.json {
        let mut answer = verified_json(&verified);
        answer["seconds"] = seconds.into();
        println!("{answer}");
    } else {
        println!("Complaints  {}", verified.complaints);
        println!("Entries     {}", verified.entries);
        println!("Seconds     {seconds:.1}");
        println!("Broken      {}", verified.broken);
        for breach in &verified.breaches {
            println!("  {breach}");
        }
        for miscount in &verified.miscounts {
            println!("  {miscount}");
        }
    }
    Ok(if verified.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Completes when the process is asked to end.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    // From now on, and not only once somebody waits for it: until then a signal would end the process where it stands.
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}

fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("{}", printable(&chain(error)));
    ExitCode::FAILURE
}
