//! The command line and what it means: one struct, all faults at once.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use complaint_core::store::StoreError;
use complaint_notify::inbound::ReplyAddress;
use complaint_notify::{Gateway, Networks, Smtp};
use complaint_store_sqlx::postgres::PostgresOptions;
use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;
use url::{Host, Url};

use crate::auth::documents::{Document, DocumentKind};
#[cfg(feature = "oidc")]
use crate::oidc::config::ProviderConfig;

/// Variable that holds the relay's URL where a password must not stand on the command line.
pub const SMTP_VARIABLE: &str = "COMPLAINT_SMTP";
/// Variable that holds the token that opens `/metrics`; never an argument, because arguments can be read by every user of a machine.
pub const METRICS_TOKEN_VARIABLE: &str = "COMPLAINT_METRICS_TOKEN";
/// Variable that holds the token by which a mail server hands mail over at `POST /api/v1/intake/mail`.
pub const INTAKE_TOKEN_VARIABLE: &str = "COMPLAINT_INTAKE_TOKEN";
/// Variable that holds the mailbox's URL, which has a password in it.
pub const IMAP_VARIABLE: &str = "COMPLAINT_IMAP";
/// The shortest token that cannot be guessed.
const TOKEN_MIN: usize = 16;

/// Handles complaints: from sign-up to feedback.
#[derive(Debug, Parser)]
#[command(name = "reference-server", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// For `serve` without its name.
    #[command(flatten)]
    pub serve: ServeArgs,
}

impl Cli {
    /// The command, `serve` being the default.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(Box::new(self.serve)))
    }
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server.
    Serve(Box<ServeArgs>),
    /// Start the server on a scratch database with a believable organisation.
    Demo(DemoArgs),
    /// Manage administrators.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Read complaints from CSV files.
    Import(ImportArgs),
    /// Take one message (RFC 5322) from standard input, as a mail server pipes it.
    #[command(
        after_help = "The message is safe once this ends with 0; the server looks into it within seconds, or when it is started next. In an alias \
file: complaints: \"|/usr/bin/reference-server intake --data /srv/complaints\", for addresses with + as well.\n\
Ends with the codes of sysexits.h: 0 it is kept, 64 the arguments are wrong, 65 the message is empty or larger than 25 MiB, 75 not at \
the moment, try it again (no database, or no server was started with --intake-address yet), 77 this user may not use the database."
    )]
    Intake(IntakeArgs),
    /// Look whether the logs of all complaints, and what they led to, are as they were committed.
    #[command(
        after_help = "Whoever can write to the database can also take a complaint out with all that belongs to it, cut the end of a log off and \
put the state back to match, or tell a log anew. That shows only in heads that were kept elsewhere: write them with --keep-heads, look for \
them with --heads. A head that is missed is kept on.\n\
Ends with 0 if they are, with 1 if any is not or the database cannot be read."
    )]
    Verify(VerifyArgs),
    /// Write all complaints with their logs, agents and notices that wait or were given up as JSON Lines.
    #[command(
        after_help = "Accounts with what people chose about notices and their letters of the day, the policy, mail that came in, endpoints of \
webhooks, notices that were delivered and attachments are not part of it; `backup` has them. May run beside the server."
    )]
    Export(ExportArgs),
    /// Carry all complaints with their logs, agents and notices that wait or were given up over to another database.
    #[command(
        after_help = "Stop the servers first. Given up, it may be begun again: what is there with the same log is passed over.\n\
NOT carried over: accounts with their sessions and tokens, the policy, mail that came in (nor the key by which letters are answered), what people chose about notices, their letters of the day, endpoints of webhooks with what was sent there, notices that were delivered, and what was asked under an Idempotency-Key. Attachments stay in \
the data folder. From then on only one of the two may have a server, or people are told twice.\n\
Ends with 0 if logs, agents and counts are the same in both afterwards, with 1 if any is not."
    )]
    Copy(CopyArgs),
    /// Copy database and attachments to a new folder while the server runs.
    #[command(
        after_help = "On PostgreSQL the program pg_dump must be in the search path, of the server's version or a later one."
    )]
    Backup(BackupArgs),
    /// Put a backup in a place where nothing is.
    #[command(
        after_help = "On PostgreSQL the program pg_restore must be in the search path, and the schema must have the name it had."
    )]
    Restore(RestoreArgs),
    /// Try a backup: restore it to a scratch place, look whether all is as it was committed, say how old it is.
    #[command(
        after_help = "On PostgreSQL the scratch place is a database made for that on the same server, so the role must have CREATEDB.\n\
Ends with 0 if all is as it was committed, with 1 if anything is not or the backup is damaged."
    )]
    Drill(DrillArgs),
}

/// Arguments of `serve`.
#[derive(Debug, Clone, Default, Args)]
#[command(
    after_help = "Measurements are at /metrics, for programs on this machine alone. With a token in the variable COMPLAINT_METRICS_TOKEN \
they are for whoever sends it as a bearer token, and for nobody else; behind a TLS proxy (--base-url https://…) that is the only way.

A mail server hands mail for --intake-address over to `reference-server intake`, or to POST /api/v1/intake/mail with the token in the \
variable COMPLAINT_INTAKE_TOKEN as a bearer token.

A gateway for text messages (--sms) is described like this:

  url = \"https://api.gateway.example/2010/messages\"
  secret = { env = \"COMPLAINT_SMS_KEY\" }    # or { file = \"/run/secrets/sms\" }
  user = \"AC0123456789\"                     # basic authentication; or put {secret} into a header
  [form]                                    # or [json], or method = \"GET\" and [query]
  To = \"{to}\"                               # +447700900123; {digits} without the plus sign
  From = \"Example\"
  Body = \"{text}\"
  [success]                                 # without it, any status from 200 to 299
  statuses = [201]
  json = { at = \"/status\", is = [\"queued\", \"sent\"] }

A gateway that is not on the internet is named with its network, networks = \"192.168.7.0/24\", and may then be asked by plain http.

Providers that customers log in with (--oidc) are described like this, each in a table of its own; tell them to send people back to \
https://YOUR-BASE-URL/login/with/KEY/back:

  [[provider]]
  key = \"google\"                            # stands in addresses
  name = \"Google\"                           # stands on the button
  issuer = \"https://accounts.google.com\"    # as the provider calls itself, to the letter
  client_id = \"0123456789-abc.apps.googleusercontent.com\"
  secret = { env = \"COMPLAINT_GOOGLE_SECRET\" }  # or { file = \"/run/secrets/google\" }; none for clients without
  scopes = [\"email\", \"profile\"]           # as it is without it

A provider that is not on the internet is named with its network, too: networks = \"10.1.0.0/16\"."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Folder for the database file, mail and attachments; made if missing.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL: `sqlite:FILE`, or `postgres://USER@HOST/DATABASE` for any number of servers, with the password in ~/.pgpass or the
    /// variable PGPASSWORD; `schema=NAME` behind a question mark keeps the tables elsewhere than in `public` [default: the file complaints.db in the data folder].
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Mail relay, smtps:// or smtp+starttls://, or smtp:// on this machine; without one, mail goes into a folder. The variable `COMPLAINT_SMTP` may hold it instead.
    #[arg(long, value_name = "URL")]
    pub smtp: Option<String>,
    /// Gateway for text messages, described in TOML as below; without one, none are sent. Every server on one database needs the same.
    #[arg(long, value_name = "FILE")]
    pub sms: Option<PathBuf>,
    /// Providers that customers can log in with, Google or any other of OpenID Connect, described in TOML as below. Every server on one
    /// database needs the same.
    #[cfg(feature = "oidc")]
    #[arg(long, value_name = "FILE")]
    pub oidc: Option<PathBuf>,
    /// Terms of service that customers accept before they go on: a text file whose first line is the version. With another version they are
    /// asked anew.
    #[arg(long, value_name = "FILE")]
    pub terms: Option<PathBuf>,
    /// The privacy notice that customers say they have read, as --terms.
    #[arg(long, value_name = "FILE")]
    pub privacy: Option<PathBuf>,
    /// Address at which complaints come by mail, as in complaints@example.org; mail to it must reach `intake` or `POST /api/v1/intake/mail`,
    /// with anything behind a + as well. Letters are then sent from it, and can be answered. Without it, no mail is taken in.
    #[arg(long, value_name = "EMAIL")]
    pub intake_address: Option<String>,
    /// Category of complaints that come by mail, by key or name [default: the first that asks for nothing].
    #[arg(long, value_name = "CATEGORY")]
    pub intake_category: Option<String>,
    /// Mailbox that mail to the address lands in, `imaps://USER:PASSWORD@HOST/FOLDER` (an @ in the user's name is %40), where no mail server
    /// hands it over: what is unread there is fetched each minute and marked as read. The variable `COMPLAINT_IMAP` may hold it instead.
    #[arg(long, value_name = "URL")]
    pub intake_imap: Option<String>,
    /// Name that the receiving mail server gives itself in Authentication-Results (RFC 8601). Without it nobody vouches for a sender: even
    /// customers are asked first whether a new complaint by mail is theirs.
    #[arg(long, value_name = "HOST")]
    pub intake_authserv: Option<String>,
    /// Certificates of the house's own authorities, in one PEM file: relay and mailbox are believed if one of these has signed theirs, as
    /// well as the authorities that browsers know.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// What links in mails start with [default: http:// and the address listened on].
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Network of the house that webhooks may lead to, as in 10.1.0.0/16; may be repeated. All others that are not public are refused.
    #[arg(long, value_name = "NETWORK")]
    pub webhook_network: Vec<String>,
    /// Address of a proxy whose X-Forwarded-For is believed; may be repeated.
    #[arg(long, value_name = "IP")]
    pub trusted_proxy: Vec<String>,
    /// Staff need a second factor: whoever has none can do nothing but set it up. Every server on one database needs the same.
    #[arg(long)]
    pub staff_second_factor: bool,
    /// Let anybody list complaints by Open311: number, category, open or closed, and dates; no words, names or places.
    #[arg(long)]
    pub open311_public: bool,
    /// Answer before data is safe from power loss.
    #[arg(long)]
    pub not_durable: bool,
    /// For trying out only: an admin may push the server's clock forward. It stays ahead when the server starts anew.
    #[arg(long)]
    pub movable_clock: bool,
}

/// Arguments of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Address and port to listen on, of this machine alone.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Folder to keep it in, without a database yet [default: a scratch folder that is removed at the end].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Commands about administrators.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Make an administrator.
    Create(AdminCreateArgs),
    /// Take the second factor of an account away whose owner has lost device and recovery codes.
    #[command(
        after_help = "They are logged out everywhere, told by mail, and log in with their password alone until they set up another one."
    )]
    ResetSecondFactor(ResetSecondFactorArgs),
}

/// Arguments of `admin reset-second-factor`.
#[derive(Debug, Clone, Args)]
pub struct ResetSecondFactorArgs {
    /// Data folder of the server.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL, as for `serve`.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Take a PostgreSQL that may lose what it acknowledged, as for `serve`.
    #[arg(long)]
    pub not_durable: bool,
    /// E-mail address of the account.
    #[arg(long)]
    pub email: String,
}

/// Arguments of `admin create`.
// In a refusal clap would show what was given beside what is missing, as if all of it were needed.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "reference-server admin create [OPTIONS] --name <NAME> --email <EMAIL> --password-stdin")]
pub struct AdminCreateArgs {
    /// Data folder of the server.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL, as for `serve`.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Take a PostgreSQL that may lose what it acknowledged, as for `serve`.
    #[arg(long)]
    pub not_durable: bool,
    /// Full name.
    #[arg(long)]
    pub name: String,
    /// E-mail address to log in with.
    #[arg(long)]
    pub email: String,
    /// Read the password from standard input (its first line).
    #[arg(long, required = true)]
    pub password_stdin: bool,
}

/// Arguments of `import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// Data folder of the server.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL, as for `serve`.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Take a PostgreSQL that may lose what it acknowledged, as for `serve`.
    #[arg(long)]
    pub not_durable: bool,
    /// Make the data folder and its database if there is none.
    #[arg(long)]
    pub create: bool,
    /// What the columns mean, as TOML.
    #[arg(long, value_name = "FILE")]
    pub mapping: PathBuf,
    /// CSV files, plain or gzipped.
    #[arg(value_name = "CSV", required = true)]
    pub files: Vec<PathBuf>,
}

/// Arguments of `intake`.
#[derive(Debug, Clone, Args)]
pub struct IntakeArgs {
    /// Data folder of the server.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL, as for `serve`.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Take a PostgreSQL that may lose what it acknowledged, as for `serve`.
    #[arg(long)]
    pub not_durable: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Data folder of the server.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL, as for `serve`.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Heads that were kept earlier, and those to keep.
    #[command(flatten)]
    pub heads: HeadsArgs,
    /// Answer as JSON, in one line.
    #[arg(long)]
    pub json: bool,
}

/// Heads of chains, for `verify` and `drill`.
#[derive(Debug, Clone, Default, Args)]
pub struct HeadsArgs {
    /// Heads that --keep-heads kept earlier: each must still be on its chain.
    #[arg(long, value_name = "FILE")]
    pub heads: Option<PathBuf>,
    /// New file for the heads of all chains; put it where whoever can write to the database cannot.
    #[arg(long, value_name = "FILE")]
    pub keep_heads: Option<PathBuf>,
}

/// Arguments of `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Data folder of the server.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL, as for `serve`.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// A file that is not there yet, or - for standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
}

/// Arguments of `copy`.
#[derive(Debug, Clone, Args)]
pub struct CopyArgs {
    /// Database URL of what is carried over, as for `serve`.
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// Database URL of where it goes.
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Take a target on PostgreSQL that may lose what it acknowledged, as for `serve`.
    #[arg(long)]
    pub not_durable: bool,
}

/// Arguments of `backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Data folder of the server.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL, as for `serve`.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Folder to make.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Answer as JSON, in one line.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// Folder that `backup` made.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Data folder without database and attachments; made if missing.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL, as for `serve`: a file that is not there, or an empty schema.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// Arguments of `drill`.
#[derive(Debug, Clone, Args)]
pub struct DrillArgs {
    /// Folder that `backup` made [default: a backup taken for that].
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// Data folder of the server.
    #[arg(long, value_name = "DIR", default_value = "./complaint-data")]
    pub data: PathBuf,
    /// Database URL, as for `serve`.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Folder with room for all of it; what is made there is removed again [default: the system's folder for such files].
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Heads that were kept earlier, and those to keep.
    #[command(flatten)]
    pub heads: HeadsArgs,
    /// Answer as JSON, in one line.
    #[arg(long)]
    pub json: bool,
}

/// Everything the server needs to know before it starts.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Folder for the database file, mail and attachments.
    pub data: PathBuf,
    /// Where complaints and accounts are kept.
    pub database: DatabaseUrl,
    /// The relay; none: mail goes into [`Config::mail_folder`]. May hold a password, hence not printable.
    pub smtp: Option<SecretString>,
    /// Authorities whose certificates are believed beside those that browsers know.
    pub authorities: Option<Authorities>,
    /// Where text messages leave; none: none are sent.
    pub sms: Option<Arc<Gateway>>,
    /// Providers that customers can log in with.
    #[cfg(feature = "oidc")]
    pub providers: Arc<[ProviderConfig]>,
    /// What customers accept before they go on; shared, because they are long.
    pub documents: Arc<[Document]>,
    /// Networks of the house that webhooks may lead to.
    pub webhook_networks: Networks,
    /// What links start with; none until the port is known, see [`Config::bound_to`].
    base_url: Option<Url>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether staff can do nothing without a second factor.
    pub staff_second_factor: bool,
    /// Whether anybody may list complaints by Open311, without what is personal.
    pub open311_public: bool,
    /// Whether a reply waits until data is safe from power loss.
    pub durable: bool,
    /// How mail is taken in; none: it is not.
    pub intake: Option<IntakeConfig>,
    /// Whether an admin may push the clock forward.
    pub movable_clock: bool,
    /// What opens `/metrics`; none: they are for this machine alone.
    pub metrics_token: Option<SecretString>,
}

/// How mail is taken in.
#[derive(Debug, Clone)]
pub struct IntakeConfig {
    /// Where complaints come by mail.
    pub address: String,
    /// The category of those that do, by key or name.
    pub category: Option<String>,
    /// Whose `Authentication-Results` are believed.
    pub authserv: Option<String>,
    /// The mailbox that is looked into; none: mail is handed over.
    pub imap: Option<ImapConfig>,
    /// What opens `POST /api/v1/intake/mail`; none: nothing does.
    pub token: Option<SecretString>,
}

/// A mailbox.
#[derive(Debug, Clone)]
pub struct ImapConfig {
    /// Its server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether by TLS; without it only on this machine.
    pub tls: bool,
    /// Who logs in.
    pub user: String,
    /// Their password.
    pub password: SecretString,
    /// Which folder; `INBOX` unless it is named.
    pub folder: String,
}

/// Everything that is wrong with the arguments.
#[derive(Debug, Error, PartialEq, Eq)]
pub struct ConfigFaults(pub Vec<String>);

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these arguments cannot be used:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// Authorities of the house whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    pem: Vec<u8>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Config {
    /// Checks every argument and reports all faults together. `smtp_variable` is the value of [`SMTP_VARIABLE`].
    pub fn from_args(args: &ServeArgs, smtp_variable: Option<String>) -> Result<Self, ConfigFaults> {
        let mut faults = Vec::new();
        let listen = socket_address(&args.listen).map_err(|fault| faults.push(fault)).ok();
        let database = DatabaseUrl::of(args.database.as_deref(), &args.data).map_err(|fault| faults.push(fault)).ok();
        let smtp = args
            .smtp
            .clone()
            .or(smtp_variable)
            .map(|url| smtp_url(&url))
            .transpose()
            .map_err(|fault| faults.push(fault))
            .ok();
        let sms = args.sms.as_deref().map(sms_gateway).transpose().map_err(|more| faults.extend(more)).ok();
        #[cfg(feature = "oidc")]
        let providers = args.oidc.as_deref().map(providers).transpose().map_err(|more| faults.extend(more));
        let documents = [(DocumentKind::Terms, &args.terms), (DocumentKind::Privacy, &args.privacy)];
        let documents = documents.into_iter().filter_map(|(kind, file)| {
            let file = file.as_deref()?;
            let wrong = |why| faults.push(format!("--{} {}: {why}", kind.as_str(), file.display()));
            Document::read(kind, file).map_err(wrong).ok()
        });
        let documents: Vec<Document> = documents.collect();
        let base_url = args.base_url.as_deref().map(base_url).transpose().map_err(|fault| faults.push(fault)).ok();
        let webhook_networks = args.webhook_network.join(",").parse::<Networks>();
        let webhook_networks =
            webhook_networks.map_err(|wrong| faults.push(format!("--webhook-network: {wrong}"))).unwrap_or_default();
        let authorities = args.ca_file.as_deref().map(Authorities::read).transpose();
        let authorities = authorities.map_err(|fault| faults.push(fault)).unwrap_or_default();
        let intake = intake(args).map_err(|more| faults.extend(more)).unwrap_or_default();
        let mut trusted_proxies = Vec::new();
        for proxy in &args.trusted_proxy {
            match proxy.parse() {
                Ok(address) => trusted_proxies.push(address),
                Err(_) => faults.push(format!("--trusted-proxy {proxy:?}: not an IP address")),
            }
        }
        if args.data.is_file() {
            faults.push(format!("--data {}: is a file, not a folder", args.data.display()));
        }
        match (listen, database, smtp, sms, base_url) {
            (Some(listen), Some(database), Some(smtp), Some(sms), Some(base_url)) if faults.is_empty() => Ok(Self {
                listen,
                data: args.data.clone(),
                database,
                smtp,
                authorities,
                sms,
                #[cfg(feature = "oidc")]
                providers: providers.ok().flatten().unwrap_or_default().into(),
                documents: documents.into(),
                webhook_networks,
                base_url,
                trusted_proxies,
                staff_second_factor: args.staff_second_factor,
                open311_public: args.open311_public,
                durable: !args.not_durable,
                intake,
                movable_clock: args.movable_clock,
                metrics_token: None,
            }),
            _ => Err(ConfigFaults(faults)),
        }
    }

    /// The same with a token that opens `/metrics`: the value of [`METRICS_TOKEN_VARIABLE`], if that is set.
    pub fn measured_with(mut self, token: Option<String>) -> Result<Self, ConfigFaults> {
        self.metrics_token = checked_token(METRICS_TOKEN_VARIABLE, token)?;
        Ok(self)
    }

    /// The same with a token that opens `POST /api/v1/intake/mail`: the value of [`INTAKE_TOKEN_VARIABLE`], if that is set.
    pub fn taking_mail_with(mut self, token: Option<String>) -> Result<Self, ConfigFaults> {
        let token = checked_token(INTAKE_TOKEN_VARIABLE, token)?;
        match &mut self.intake {
            Some(intake) => intake.token = token,
            None if token.is_some() => {
                return Err(ConfigFaults(vec![format!("{INTAKE_TOKEN_VARIABLE}: needs --intake-address")]));
            }
            None => {}
        }
        Ok(self)
    }

    /// The same, once the port is known (it may have been 0): without a base URL of its own, links start with this address.
    pub fn bound_to(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// What links start with.
    ///
    /// # Panics
    ///
    /// Never: a socket address makes a URL.
    pub fn base_url(&self) -> Url {
        self.base_url.clone().unwrap_or_else(|| {
            // Nobody can open a link to "any address".
            let host = if self.listen.ip().is_unspecified() {
                SocketAddr::new(loopback_like(self.listen.ip()), self.listen.port())
            } else {
                self.listen
            };
            Url::parse(&format!("http://{host}")).expect("a socket address makes a URL")
        })
    }

    /// Whether browsers reach the server over TLS.
    pub fn is_https(&self) -> bool {
        self.base_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    /// Where mail goes without a relay.
    pub fn mail_folder(&self) -> PathBuf {
        self.data.join("mail")
    }

    /// Where attachments go.
    pub fn attachments_folder(&self) -> PathBuf {
        self.data.join("attachments")
    }

    /// The relay's host and port, without its password.
    pub fn smtp_host(&self) -> Option<String> {
        let url = Url::parse(self.smtp.as_ref()?.expose_secret()).ok()?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}{port}", url.host_str()?))
    }

    /// What an operator must know about this configuration before relying on it.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.is_https() {
            warnings.push("plain HTTP: session cookies are not marked Secure; for use beyond this machine put a TLS proxy in front and set --base-url https://…".into());
        }
        if !self.listen.ip().is_loopback() && self.base_url.is_none() {
            warnings.push(format!(
                "listening beyond this machine without --base-url: links in mails will start with {}",
                self.base_url()
            ));
        }
        if self.database.may_cross_a_network_readable() {
            warnings.push("--database: the connection need not be encrypted; add sslmode=verify-full, as in postgres://…?sslmode=verify-full".into());
        }
        if !self.durable {
            warnings.push("--not-durable: what was answered may be lost with the power".into());
        }
        if self.movable_clock {
            warnings.push("--movable-clock: an admin can push this server's clock forward; for trying out only, never with real data".into());
        }
        warnings
    }
}

/// Where complaints and accounts are kept. What it shows holds no password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file, as a `sqlite:` URL.
    Sqlite(String),
    /// A schema of a PostgreSQL database.
    Postgres(Box<PostgresUrl>),
}

/// A checked `postgres://` URL.
#[derive(Clone)]
pub struct PostgresUrl {
    /// How its store is opened.
    pub options: PostgresOptions,
    shown: String,
    readable: bool,
}

impl DatabaseUrl {
    /// What `--database` names, or the file in the data folder.
    pub fn of(given: Option<&str>, data: &Path) -> Result<Self, String> {
        match given {
            // A folder may be called what means something else in a URL.
            None => {
                let file = data.join("complaints.db").display().to_string();
                Ok(Self::Sqlite(format!("sqlite://{}", file.replace('%', "%25").replace('?', "%3F"))))
            }
            Some(url) if url.starts_with("sqlite:") => {
                let file = url.strip_prefix("sqlite://").unwrap_or(&url["sqlite:".len()..]);
                if file.is_empty() || file.starts_with('?') {
                    Err(format!("--database: {url} names no file, as sqlite:complaints.db does"))
                } else if url.contains(":memory:") || url.contains("mode=memory") {
                    Err("--database: a database in memory would lose everything at the end; name a file, as in sqlite:complaints.db".into())
                } else {
                    Ok(Self::Sqlite(url.to_owned()))
                }
            }
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => PostgresUrl::parse(url)
                .map(|url| Self::Postgres(Box::new(url)))
                .map_err(|wrong| format!("--database: {wrong}")),
            Some(url) => {
                // Only the scheme: the rest may hold a password.
                let scheme = url.split_once(':').map_or("no scheme", |(scheme, _)| scheme);
                Err(format!(
                    "--database: {scheme} is not supported; use sqlite:, as in sqlite:complaints.db, or postgres://, as in postgres://user@host/database"
                ))
            }
        }
    }

    fn may_cross_a_network_readable(&self) -> bool {
        matches!(self, Self::Postgres(url) if url.readable)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(url) => {
                let file = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
                f.write_str(&file.replace("%3F", "?").replace("%25", "%"))
            }
            Self::Postgres(url) => f.write_str(&url.shown),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl PostgresUrl {
    /// What may stand behind the question mark. The driver passes over what it does not know: a misspelt `sslmode` would ask for nothing.
    const PARAMETERS: [&str; 14] = [
        "schema",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "application_name",
        "options",
        "statement-cache-capacity",
    ];
    /// Those that are shown.
    const PLAIN: [&str; 6] = ["schema", "sslmode", "host", "hostaddr", "port", "dbname"];

    fn parse(text: &str) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|wrong| format!("not a URL of PostgreSQL: {wrong}"))?;
        let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        if let Some((unknown, _)) = parameters.iter().find(|(name, _)| !Self::PARAMETERS.contains(&name.as_str())) {
            return Err(format!("the parameter {unknown:?} is not known; there are {}", Self::PARAMETERS.join(", ")));
        }
        let value = |name| parameters.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let told = |wrong: StoreError| match wrong {
            StoreError::Unusable(wrong) => wrong,
            other => other.to_string(),
        };
        url.query_pairs_mut().clear().extend_pairs(parameters.iter().filter(|(name, _)| name != "schema"));
        let mut options = PostgresOptions::new(url.as_str()).map_err(told)?;
        if let Some(schema) = value("schema") {
            options = options.in_schema(schema).map_err(told)?;
        }
        let host = value("hostaddr").or(value("host")).or(url.host_str()).unwrap_or_default();
        let is_here = host.is_empty() || host.starts_with('/') || is_this_machine(host);
        let readable = !is_here && !matches!(value("sslmode"), Some("require" | "verify-ca" | "verify-full"));
        url.query_pairs_mut()
            .clear()
            .extend_pairs(parameters.iter().filter(|(name, _)| Self::PLAIN.contains(&name.as_str())));
        // Neither fails: a URL with a host takes both, one without has none.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let shown = url.as_str().trim_end_matches('?').to_owned();
        Ok(Self { options, shown, readable })
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .ok()
        .or_else(|| text.to_socket_addrs().ok()?.next())
        .ok_or_else(|| format!("--listen {text:?}: not an address and port, as in 127.0.0.1:8080"))
}

impl Authorities {
    /// Reads a PEM file with at least one certificate, and nothing that is none.
    fn read(file: &Path) -> Result<Self, String> {
        let wrong = |why: &str| format!("--ca-file {}: {why}", file.display());
        let pem = std::fs::read(file).map_err(|error| wrong(&error.to_string()))?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates.map_err(|_| wrong("cannot be read as certificates in PEM form"))?;
        if certificates.is_empty() {
            return Err(wrong("holds no certificate in PEM form"));
        }
        let mut store = RootCertStore::empty();
        for certificate in &certificates {
            store.add(certificate.clone()).map_err(|_| wrong("holds something that is no certificate"))?;
        }
        Ok(Self { pem, certificates })
    }

    /// The file.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }

    /// What is in it.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}

fn smtp_url(text: &str) -> Result<SecretString, String> {
    Smtp::from_url(text).map(|_| text.into()).map_err(|fault| format!("--smtp: {fault}"))
}

fn checked_token(variable: &str, token: Option<String>) -> Result<Option<SecretString>, ConfigFaults> {
    let visible = |token: &String| token.len() >= TOKEN_MIN && token.bytes().all(|b| b.is_ascii_graphic());
    match token {
        Some(token) if !visible(&token) => {
            Err(ConfigFaults(vec![format!("{variable}: at least {TOKEN_MIN} visible ASCII characters")]))
        }
        token => Ok(token.map(SecretString::from)),
    }
}

fn intake(args: &ServeArgs) -> Result<Option<IntakeConfig>, Vec<String>> {
    let given = |value: &Option<String>| value.as_deref().map(str::trim).map(str::to_owned);
    let (category, authserv) = (given(&args.intake_category), given(&args.intake_authserv));
    let mut faults = Vec::new();
    let blank = |value: &Option<String>| {
        value.as_ref().is_some_and(|value| value.is_empty() || value.chars().any(char::is_control))
    };
    let imap =
        args.intake_imap.as_deref().map(mailbox).transpose().map_err(|fault| faults.push(fault)).unwrap_or_default();
    if args.intake_imap.is_some() && args.intake_address.is_none() {
        faults.push("--intake-imap: needs --intake-address".to_owned());
    }
    for (name, value) in [("--intake-category", &category), ("--intake-authserv", &authserv)] {
        if value.is_some() && args.intake_address.is_none() {
            faults.push(format!("{name}: needs --intake-address"));
        }
        if blank(value) {
            faults.push(format!("{name}: must be one line, and not empty"));
        }
    }
    let address = given(&args.intake_address);
    if let Some(address) = &address
        && let Err(wrong) = ReplyAddress::new(address, &[0; 32], 1)
    {
        faults.push(format!("--intake-address {address:?}: {wrong}"));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(address.map(|address| IntakeConfig { address, category, authserv, imap, token: None }))
}

fn mailbox(text: &str) -> Result<ImapConfig, String> {
    // Never what was given: it holds a password.
    let wrong = |why: &str| {
        format!("--intake-imap: {why}, as in imaps://complaints%40example.org:password@mail.example.org/INBOX")
    };
    let url = Url::parse(text).map_err(|_| wrong("not a mailbox's URL"))?;
    let tls = match url.scheme() {
        "imaps" => true,
        "imap" => false,
        _ => return Err(wrong("must start with imaps://")),
    };
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
    if !tls && !is_this_machine(host) {
        return Err(wrong("plain imap only on this machine; the password would cross the network readable"));
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(Cow::into_owned).ok();
    let named = |text: &str, what: &str| {
        let one_line = |text: &String| !text.is_empty() && !text.chars().any(char::is_control);
        decoded(text).filter(one_line).ok_or_else(|| wrong(what))
    };
    let user = named(url.username(), "names no user")?;
    let password = named(url.password().unwrap_or_default(), "has no password")?;
    let folder = match url.path().trim_matches('/') {
        "" => "INBOX".to_owned(),
        path => named(path, "names no folder")?,
    };
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has more than user, password, host, port and folder"));
    }
    let port = url.port().unwrap_or(if tls { 993 } else { 143 });
    Ok(ImapConfig { host: host.to_owned(), port, tls, user, password: password.into(), folder })
}

fn sms_gateway(file: &Path) -> Result<Arc<Gateway>, Vec<String>> {
    let here = |fault: &dyn fmt::Display| format!("--sms {}: {fault}", file.display());
    let described = std::fs::read_to_string(file).map_err(|error| vec![here(&error)])?;
    let gateway = Gateway::from_toml(&described);
    gateway.map(Arc::new).map_err(|wrong| wrong.0.iter().map(|fault| here(fault)).collect())
}

#[cfg(feature = "oidc")]
fn providers(file: &Path) -> Result<Vec<ProviderConfig>, Vec<String>> {
    let here = |fault: String| format!("--oidc {}: {fault}", file.display());
    crate::oidc::config::read(file).map_err(|faults| faults.into_iter().map(here).collect())
}

fn base_url(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|_| format!("--base-url {text:?}: not a URL, as in https://complaints.example"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("--base-url {text:?}: must start with https:// (or http:// on this machine)"));
    }
    if url.path() != "/"
        || url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(format!("--base-url {text:?}: only scheme, host and port"));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(format!(
            "--base-url {text:?}: plain http only for this machine; passwords would cross the network readable"
        ));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn loopback_like(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Command {
        Cli::try_parse_from(std::iter::once("reference-server").chain(line.iter().copied()))
            .expect("parses")
            .into_command()
    }

    fn serve(line: &[&str]) -> Result<Config, ConfigFaults> {
        match parsed(line) {
            Command::Serve(args) => Config::from_args(&args, None),
            other => panic!("not serve: {other:?}"),
        }
    }

    #[test]
    fn serve_is_the_default() {
        let plain = serve(&[]).expect("fine");
        assert_eq!(
            (plain.listen.to_string().as_str(), plain.durable, plain.movable_clock),
            ("127.0.0.1:8080", true, false)
        );
        assert_eq!(plain.database.to_string(), "./complaint-data/complaints.db");
        assert_eq!(plain.base_url().as_str(), "http://127.0.0.1:8080/");
        for line in [
            ["--listen", "127.0.0.1:9", "--data", "x"].as_slice(),
            &["serve", "--listen", "127.0.0.1:9", "--data", "x"],
        ] {
            let config = serve(line).expect("fine");
            assert_eq!((config.listen.port(), config.database.to_string().as_str()), (9, "x/complaints.db"));
        }
    }

    #[test]
    fn other_commands_parse() {
        assert!(matches!(parsed(&["demo"]), Command::Demo(args) if args.listen == "127.0.0.1:8080"));
        let admin =
            parsed(&["admin", "create", "--data", "d", "--name", "A", "--email", "a@b.org", "--password-stdin"]);
        assert!(matches!(admin, Command::Admin(AdminCommand::Create(args)) if args.data == std::path::Path::new("d")));
        let import = parsed(&["import", "--data", "d", "--mapping", "m.toml", "a.csv", "b.csv.gz"]);
        assert!(matches!(import, Command::Import(args) if args.files.len() == 2));
        let verify = parsed(&["verify", "--database", "postgres://h/d", "--json"]);
        assert!(matches!(verify, Command::Verify(args) if args.json && args.database.is_some()));
        for wrong in [
            ["admin", "create", "--name", "A", "--email", "a@b.org"].as_slice(),
            &["import", "--mapping", "m"],
            &["--listne", "x"],
            &["sing"],
        ] {
            assert!(
                Cli::try_parse_from(std::iter::once("reference-server").chain(wrong.iter().copied())).is_err(),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn all_faults_come_at_once() {
        let faults = serve(&[
            "--listen",
            "nowhere",
            "--database",
            "mysql://u:secret@h/d",
            "--smtp",
            "http://x",
            "--base-url",
            "ftp://x",
            "--trusted-proxy",
            "p",
        ])
        .expect_err("wrong");
        assert_eq!(faults.0.len(), 5, "{faults}");
        let text = faults.to_string();
        for part in
            ["--listen", "--database: mysql is not supported; use sqlite:", "--smtp", "--base-url", "--trusted-proxy"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn base_urls_are_https_or_local() {
        for good in [
            "https://c.example",
            "http://localhost:8080",
            "http://127.0.0.1:1",
            "http://[::1]:8080",
            "https://c.example:8443/",
        ] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://c.example",
            "https://c.example/app",
            "https://u@c.example",
            "https://c.example/?a",
            "c.example",
            "http://192.168.1.4",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_databases_are_refused() {
        for bad in [
            "mysql://h/d",
            "sqlite:",
            "sqlite://",
            "sqlite:?mode=ro",
            "complaints.db",
            "sqlite::memory:",
            "sqlite:x?mode=memory",
        ] {
            assert!(serve(&["--database", bad]).is_err(), "{bad}");
        }
        assert_eq!(serve(&["--database", "sqlite:/srv/c.db"]).expect("fine").database.to_string(), "/srv/c.db");
        let folder = Path::new("/srv/a%41b?c");
        let url = DatabaseUrl::of(None, folder).expect("fine");
        let DatabaseUrl::Sqlite(named) = &url else { panic!("{url}") };
        assert_eq!(crate::database::file_of(named).expect("fine"), folder.join("complaints.db"));
        assert_eq!(url.to_string(), "/srv/a%41b?c/complaints.db");
    }

    #[test]
    fn a_postgresql_is_shown_without_who_logs_in_and_how() {
        for (url, shown) in [
            (
                "postgres://u:secret@db.example:5433/c?sslmode=verify-full",
                "postgres://db.example:5433/c?sslmode=verify-full",
            ),
            ("postgresql://db.example/c?user=u&password=secret", "postgresql://db.example/c"),
            (
                "postgres://u:secret@localhost/c?host=/run/pg&schema=house",
                "postgres://localhost/c?host=%2Frun%2Fpg&schema=house",
            ),
            ("postgres:///c?host=/run/pg", "postgres:///c?host=%2Frun%2Fpg"),
        ] {
            let config = serve(&["--database", url]).expect("fine");
            assert_eq!(config.database.to_string(), shown);
            assert!(!format!("{config:?}").contains("secret"), "{config:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_postgresql_is_named_and_its_password_is_not() {
        for (rest, named) in [
            (":port/c", "port"),
            ("/c?sslmod=require", "\"sslmod\" is not known"),
            ("/c?sslmode=always", "always"),
            ("/c?schema=No%20name", "\"No name\" is no name for a schema"),
        ] {
            let faults =
                serve(&["--database", &format!("postgres://u:secret@h{rest}")]).expect_err("wrong").to_string();
            assert!(faults.contains("--database: ") && faults.contains(named), "{rest}: {faults}");
            assert!(!faults.contains("secret"), "{faults}");
        }
    }

    #[test]
    fn a_connection_that_may_be_readable_on_the_way_is_warned_of() {
        let warned =
            |url: &str| serve(&["--base-url", "https://c.example", "--database", url]).expect("fine").warnings().len();
        for readable in [
            "postgres://db.example/c",
            "postgres://10.0.0.2/c?sslmode=prefer",
            "postgres://localhost/c?host=db.example",
        ] {
            assert_eq!(warned(readable), 1, "{readable}");
        }
        for fine in [
            "postgres://db.example/c?sslmode=require",
            "postgres://localhost/c",
            "postgres://[::1]/c",
            "postgres://h/c?host=/run/pg",
        ] {
            assert_eq!(warned(fine), 0, "{fine}");
        }
    }

    #[test]
    fn the_relay_is_shown_without_its_password() {
        let config = Config::from_args(
            &ServeArgs { listen: "127.0.0.1:0".into(), ..ServeArgs::default() },
            Some("smtps://u:hush@relay.example:465".into()),
        )
        .expect("fine");
        assert_eq!(config.smtp_host().as_deref(), Some("relay.example:465"));
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn a_relay_that_mail_could_not_go_to_is_refused_at_once_and_every_other_is_taken() {
        for relay in ["smtps://u:p@relay.example", "smtp+starttls://u:p@relay.example:587", "smtp://localhost:2525"] {
            assert_eq!(serve(&["--smtp", relay]).map(|config| config.smtp.is_some()), Ok(true), "{relay}");
        }
        let in_the_clear = serve(&["--smtp", "smtp://u:hush@relay.example:587"]).expect_err("wrong").to_string();
        assert!(in_the_clear.contains("--smtp: smtp:// is not encrypted"), "{in_the_clear}");
        assert!(!in_the_clear.contains("hush"), "{in_the_clear}");
    }

    #[test]
    fn every_fault_of_a_gateway_is_named_with_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        let given = file.display().to_string();
        let serve = || serve(&["--sms", &given]);
        assert!(serve().expect_err("missing").to_string().contains(&format!("--sms {given}: ")));
        std::fs::write(&file, "url = \"http://g.example\"\n[form]\nto = \"{too}\"\n").expect("written");
        let faults = serve().expect_err("wrong").0;
        for fault in ["url must begin with https://", "form.to has {too}", "must hold {text}"] {
            assert!(faults.iter().any(|it| it.starts_with("--sms ") && it.contains(fault)), "{fault} in {faults:?}");
        }
        std::fs::write(&file, "url = \"https://g.example\"\n[form]\nto = \"{to}\"\ntext = \"{text}\"\n")
            .expect("written");
        assert_eq!(serve().expect("fine").sms.map(|gateway| gateway.host().to_owned()).as_deref(), Some("g.example"));
    }

    #[cfg(feature = "oidc")]
    #[test]
    fn every_fault_of_a_provider_is_named_with_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("providers.toml");
        let given = file.display().to_string();
        let serve = || serve(&["--oidc", &given]);
        assert!(serve().expect_err("missing").to_string().contains(&format!("--oidc {given}: ")));
        let described =
            "[[provider]]\nkey = \"google\"\nname = \"Google\"\nissuer = \"http://g.example\"\nclient_id = \"\"\n";
        std::fs::write(&file, described).expect("written");
        let faults = serve().expect_err("wrong").0;
        for fault in ["issuer must begin with https://", "client_id must be"] {
            assert!(faults.iter().any(|it| it.starts_with("--oidc ") && it.contains(fault)), "{fault} in {faults:?}");
        }
        std::fs::write(&file, described.replace("http:", "https:").replace("\"\"", "\"c\"")).expect("written");
        assert_eq!(serve().expect("fine").providers.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["google"]);
    }

    #[test]
    fn the_token_of_the_measurements_cannot_be_guessed_and_is_not_shown() {
        let with = |token: &str| serve(&[]).expect("fine").measured_with(Some(token.to_owned()));
        for wrong in ["", "short", "with a blank inside it"] {
            assert!(with(wrong).expect_err("wrong").to_string().contains(METRICS_TOKEN_VARIABLE), "{wrong}");
        }
        assert!(!format!("{:?}", with("0123456789abcdef").expect("fine")).contains("0123456789abcdef"));
        assert!(serve(&[]).expect("fine").measured_with(None).expect("fine").metrics_token.is_none());
    }

    #[test]
    fn how_mail_is_taken_in_is_checked_as_a_whole() {
        let all = [
            "--intake-address",
            "complaints@example.org",
            "--intake-category",
            "Other",
            "--intake-authserv",
            "mx.example.org",
        ];
        let config = serve(&all).expect("fine").taking_mail_with(Some("0123456789abcdef".to_owned())).expect("fine");
        assert!(!format!("{config:?}").contains("0123456789abcdef"));
        let intake = config.intake.expect("it is taken in");
        assert_eq!((intake.address.as_str(), intake.category.as_deref()), ("complaints@example.org", Some("Other")));
        assert!(serve(&[]).expect("fine").intake.is_none());
        for (line, named) in [
            (["--intake-address", "complaints"].as_slice(), "--intake-address"),
            (&["--intake-address", "complaints+x@example.org"], "--intake-address"),
            (&["--intake-address", "more-than-twenty-four-characters@example.org"], "at most 24"),
            (&["--intake-category", "Other"], "--intake-category: needs --intake-address"),
            (&["--intake-authserv", "mx"], "--intake-authserv: needs --intake-address"),
            (&["--intake-address", "c@example.org", "--intake-category", " "], "--intake-category: must be one line"),
        ] {
            let faults = serve(line).expect_err("wrong").to_string();
            assert!(faults.contains(named), "{line:?}: {faults}");
        }
        let with = |line: &[&str], token: &str| serve(line).expect("fine").taking_mail_with(Some(token.to_owned()));
        assert!(with(&all, "short").expect_err("wrong").to_string().contains(INTAKE_TOKEN_VARIABLE));
        assert!(with(&[], "0123456789abcdef").expect_err("wrong").to_string().contains("needs --intake-address"));
        assert!(matches!(parsed(&["intake", "--data", "d"]), Command::Intake(args) if args.data == Path::new("d")));
    }

    #[test]
    fn a_mailbox_is_named_without_its_password() {
        let at = |url: &str| serve(&["--intake-address", "c@example.org", "--intake-imap", url]);
        let config = at("imaps://c%40example.org:hush%2F@mail.example.org/Shared/Mail").expect("fine");
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
        let imap = config.intake.and_then(|intake| intake.imap).expect("a mailbox");
        assert_eq!((imap.user.as_str(), imap.password.expose_secret()), ("c@example.org", "hush/"));
        assert_eq!((imap.host.as_str(), imap.port, imap.folder.as_str()), ("mail.example.org", 993, "Shared/Mail"));
        let imap = at("imap://u:p@127.0.0.1:1143").expect("fine").intake.and_then(|intake| intake.imap).expect("one");
        assert_eq!((imap.tls, imap.port, imap.folder.as_str()), (false, 1143, "INBOX"));
        for (url, named) in [
            ("imap://u:hush@mail.example.org", "cross the network readable"),
            ("smtp://u:hush@mail.example.org", "must start with imaps://"),
            ("imaps://mail.example.org", "names no user"),
            ("imaps://u@mail.example.org", "has no password"),
            ("imaps://u:hush%0A@mail.example.org", "has no password"),
            ("imaps://u:hush@mail.example.org/?x", "has more than"),
            ("mail.example.org", "not a mailbox's URL"),
        ] {
            let faults = at(url).expect_err("wrong").to_string();
            assert!(faults.contains(named) && !faults.contains("hush"), "{url}: {faults}");
        }
        let alone = serve(&["--intake-imap", "imaps://u:p@h.example"]).expect_err("wrong").to_string();
        assert!(alone.contains("--intake-imap: needs --intake-address"), "{alone}");
    }

    #[test]
    fn dangers_are_named() {
        let config = serve(&["--listen", "0.0.0.0:80", "--not-durable", "--movable-clock"]).expect("fine");
        assert_eq!(config.warnings().len(), 4);
        assert_eq!(config.base_url().as_str(), "http://127.0.0.1/");
        assert!(serve(&["--base-url", "https://c.example"]).expect("fine").warnings().is_empty());
    }
}
