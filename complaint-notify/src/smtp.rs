//! Mail through a relay.
//!
//! lettre speaks SMTP; the pool and the conversation are here. lettre's own pool gives a connection back when its user
//! is dropped in the middle of a message, for instance by a time-out, and from then on every answer belongs to the
//! message before: a mail would count as sent that was not. Here a connection is kept only after a message that ended
//! well, and each phase has its own time limit.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use complaint_core::NotifyError;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::Instant;
use url::{Host, Url};

use crate::mail::Mail;
use crate::transport::MailTransport;

/// Most connections kept for the next message. More may be open while more messages are on their way at once.
const KEPT_MAX: usize = 4;
/// How long an unused connection is kept; relays hang up after five minutes (RFC 5321, 4.5.3.2.7).
const KEPT_FOR: Duration = Duration::from_mins(1);

/// How a certificate begins in PEM form (RFC 7468).
const PEM_START: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Why a relay's address cannot be used. Never shows the address: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRelay {
    /// No URL, or one without a host.
    #[error("the relay must be given as smtps://host, smtp+starttls://host or smtp://host")]
    NotARelay,
    /// A path, a fragment or an unknown setting.
    #[error("the relay's address may have no path and no setting but tls=none")]
    Unknown,
    /// `smtp://` to another machine.
    #[error(
        "smtp:// is not encrypted and goes to this machine only: use smtps:// or smtp+starttls://, or add ?tls=none to send in the clear"
    )]
    Unencrypted,
    /// A password for an unencrypted connection to another machine.
    #[error("a password is never sent to another machine in the clear")]
    PasswordInTheClear,
    /// A user without a password, or the reverse, or bytes that are not UTF-8.
    #[error("the relay's user and password must both be given, percent-encoded UTF-8")]
    Credentials,
    /// A certificate that cannot be read.
    #[error("the certificate is not in PEM form")]
    Certificate,
    /// TLS cannot be set up for this host name.
    #[error("TLS cannot be set up for this host")]
    Tls,
}

/// How long the relay may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, agree on TLS, greet and log in; all together.
    pub connect: Duration,
    /// To answer one command.
    pub command: Duration,
    /// To take the message and answer for it. Long, because a message given up here may be sent twice.
    pub content: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(30), command: Duration::from_mins(1), content: Duration::from_mins(5) }
    }
}

/// Hands messages to a relay by SMTP (RFC 5321), over connections that are kept and used again.
///
/// What an answer means:
///
/// | where | 4xx, time-out, cut | 5xx |
/// |---|---|---|
/// | connection, TLS, greeting, log-in | later | later: it is about us, and an operator can mend it |
/// | `MAIL FROM` | later | later, likewise |
/// | `RCPT TO`, `DATA`, message | later | never; but 530, 534, 535 and 538 (log-in wanted) later |
///
/// What it takes at most:
///
/// - **Time** for one message: [`Timeouts::connect`], three times [`Timeouts::command`] and [`Timeouts::content`], which is eight and a half
///   minutes unless they are set; and one command more where a kept connection turns out to be lost.
/// - **Connections**: one for each message that is on its way, and up to four more, kept for a minute.
/// - **Memory**: the message, and whatever the relay answers in its time; how much that is has no limit of its own.
pub struct Smtp {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    timeouts: Timeouts,
    hello: ClientId,
    kept: Mutex<Vec<Kept>>,
}

enum Security {
    /// TLS from the first byte.
    Wrapped(TlsParameters),
    /// STARTTLS; without it, no message.
    Upgraded(TlsParameters),
    /// None, by explicit wish or to this machine.
    Plain,
}

struct Kept {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl Smtp {
    /// Reads the address of a relay.
    ///
    /// - `smtps://user:password@host[:465]`: TLS from the start (RFC 8314), to be preferred.
    /// - `smtp+starttls://user:password@host[:587]`: STARTTLS; a relay that does not offer it gets nothing.
    /// - `smtp://localhost[:25]`: no TLS, to this machine only; `?tls=none` allows another machine, without a password.
    ///
    /// Certificates are verified against Mozilla's roots; see [`Smtp::trusting`].
    pub fn from_url(url: &str) -> Result<Self, InvalidRelay> {
        let url = Url::parse(url).map_err(|_| InvalidRelay::NotARelay)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidRelay::NotARelay)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = match url.scheme() {
            "smtps" => 465,
            "smtp+starttls" => 587,
            "smtp" => 25,
            _ => return Err(InvalidRelay::NotARelay),
        };
        let mut in_the_clear = false;
        for (key, value) in url.query_pairs() {
            match (url.scheme(), &*key, &*value) {
                ("smtp", "tls", "none") => in_the_clear = true,
                _ => return Err(InvalidRelay::Unknown),
            }
        }
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(InvalidRelay::Unknown);
        }
        let credentials = credentials(&url)?;
        if url.scheme() == "smtp" && !is_loopback(&host) {
            if !in_the_clear {
                return Err(InvalidRelay::Unencrypted);
            }
            if credentials.is_some() {
                return Err(InvalidRelay::PasswordInTheClear);
            }
        }
        let security = match url.scheme() {
            "smtp" => Security::Plain,
            scheme => {
                let tls = TlsParameters::new_rustls(host.clone()).map_err(|_| InvalidRelay::Tls)?;
                if scheme == "smtps" { Security::Wrapped(tls) } else { Security::Upgraded(tls) }
            }
        };
        Ok(Self {
            port: url.port().unwrap_or(port),
            host,
            security,
            credentials,
            timeouts: Timeouts::default(),
            hello: ClientId::default(),
            kept: Mutex::new(Vec::new()),
        })
    }

    /// Trusts one more certificate (PEM), such as that of a company's own authority. The host name is still verified.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Self, InvalidRelay> {
        // lettre takes a file without any certificate for one with none to add.
        if !pem.windows(PEM_START.len()).any(|window| window == PEM_START) {
            return Err(InvalidRelay::Certificate);
        }
        let certificate = Certificate::from_pem(pem).map_err(|_| InvalidRelay::Certificate)?;
        let tls = TlsParameters::builder(self.host.clone())
            .add_root_certificate(certificate)
            .build_rustls()
            .map_err(|_| InvalidRelay::Certificate)?;
        self.security = match self.security {
            Security::Wrapped(_) => Security::Wrapped(tls),
            Security::Upgraded(_) => Security::Upgraded(tls),
            Security::Plain => Security::Plain,
        };
        Ok(self)
    }

    /// Sets the time limits.
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Fault> {
        let connecting = async {
            let wrapped = match &self.security {
                Security::Wrapped(tls) => Some(tls.clone()),
                Security::Upgraded(_) | Security::Plain => None,
            };
            let address = (self.host.as_str(), self.port);
            let limit = Some(self.timeouts.connect);
            let mut connection =
                AsyncSmtpConnection::connect_tokio1(address, limit, &self.hello, wrapped, None).await?;
            if let Security::Upgraded(tls) = &self.security {
                connection.starttls(tls.clone(), &self.hello).await?;
            }
            if let Some(credentials) = &self.credentials {
                let answer = connection.auth(DEFAULT_MECHANISMS, credentials).await?;
                if !answer.has_code(235) {
                    return Err(Fault::OutOfStep);
                }
            }
            Ok(connection)
        };
        limited(self.timeouts.connect, connecting).await
    }

    /// One message over one connection. `Err` leaves the connection in an unknown state.
    async fn hand_over(&self, connection: &mut AsyncSmtpConnection, mail: &Mail) -> Result<(), (Phase, Fault)> {
        let content = std::str::from_utf8(mail.bytes()).map_err(|_| (Phase::Content, Fault::NotAscii))?;
        let limit = self.timeouts.command;
        let sender = MailFrom::new(Some(mail.from().clone()), Vec::new());
        limited(limit, connection.command(sender)).await.map_err(|fault| (Phase::Sender, fault))?;
        let recipient = Rcpt::new(mail.to().clone(), Vec::new());
        limited(limit, connection.command(recipient)).await.map_err(|fault| (Phase::Recipient, fault))?;
        let go = limited(limit, connection.command(Data)).await.map_err(|fault| (Phase::Data, fault))?;
        if !go.has_code(354) {
            // Answers are one off, for instance because somebody slipped one in before TLS began: what follows would be
            // taken for the answer to the message.
            return Err((Phase::Data, Fault::OutOfStep));
        }
        let taken = limited(self.timeouts.content, connection.command(Content(content)))
            .await
            .map_err(|fault| (Phase::Content, fault))?;
        if taken.has_code(250) { Ok(()) } else { Err((Phase::Content, Fault::OutOfStep)) }
    }

    fn take_kept(&self) -> Option<AsyncSmtpConnection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.since.elapsed() < KEPT_FOR);
        kept.pop().map(|kept| kept.connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(Kept { connection, since: Instant::now() });
        }
    }
}

#[async_trait]
impl MailTransport for Smtp {
    async fn send(&self, mail: &Mail) -> Result<(), NotifyError> {
        if let Some(mut connection) = self.take_kept() {
            match self.hand_over(&mut connection, mail).await {
                Ok(()) => {
                    self.keep(connection);
                    return Ok(());
                }
                // The relay hung up in the meantime; it has not seen the message, so a fresh connection may try at once.
                Err((Phase::Sender, fault)) if fault.is_lost_connection() => {}
                Err((phase, fault)) => return Err(fault.told(phase)),
            }
        }
        let mut connection = self.connect().await.map_err(|fault| fault.told(Phase::Connection))?;
        self.hand_over(&mut connection, mail).await.map_err(|(phase, fault)| fault.told(phase))?;
        self.keep(connection);
        Ok(())
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

/// A message with the line that ends it. lettre writes the two apart, and TCP then holds back the second until the first is
/// acknowledged (RFC 896), which a relay that waits for it puts off (RFC 9293, 3.8.6.3): a standstill of 40 ms for each message.
struct Content<'a>(&'a str);

impl fmt::Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A line that begins with a dot gets one more (RFC 5321, 4.5.2).
        let mut lines = self.0.split("\r\n.");
        let first = lines.next().unwrap_or_default();
        if first.starts_with('.') {
            f.write_str(".")?;
        }
        f.write_str(first)?;
        lines.try_for_each(|line| write!(f, "\r\n..{line}"))?;
        f.write_str("\r\n.\r\n")
    }
}

/// Where in the conversation something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connection,
    Sender,
    Recipient,
    Data,
    Content,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "the relay cannot be used",
            Self::Sender => "the relay did not take the sender",
            Self::Recipient => "the relay did not take the recipient",
            Self::Data => "the relay did not want the message",
            Self::Content => "the relay did not take the message",
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the relay took too long")]
    TooSlow,
    #[error("the relay gave an answer that does not belong to the command")]
    OutOfStep,
    #[error("the message is not ASCII")]
    NotAscii,
    #[error("the relay refused or the connection broke")]
    Smtp(#[from] SmtpError),
}

impl Fault {
    fn is_lost_connection(&self) -> bool {
        match self {
            // 421: going away, said before any other word of this message.
            Self::Smtp(error) => error.status().is_none_or(|code| u16::from(code) == 421),
            Self::TooSlow | Self::OutOfStep | Self::NotAscii => false,
        }
    }

    fn told(self, phase: Phase) -> NotifyError {
        if let Self::Smtp(error) = &self
            && error.is_permanent()
            && matches!(phase, Phase::Recipient | Phase::Data | Phase::Content)
            && !error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
        {
            let code = error.status().map_or(0, u16::from);
            let words = error.source().map(ToString::to_string).unwrap_or_default();
            // For operators; a relay's words end where a log line ends.
            let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
            return NotifyError::Never(format!("{phase}: {code} {words}"));
        }
        NotifyError::Later(Box::new(Refused { phase, fault: self }))
    }
}

/// A fault with its place.
#[derive(Debug, thiserror::Error)]
#[error("{phase}")]
struct Refused {
    phase: Phase,
    #[source]
    fault: Fault,
}

async fn limited<T, E>(limit: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, Fault>
where
    Fault: From<E>,
{
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(Fault::from),
        Err(_) => Err(Fault::TooSlow),
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, InvalidRelay> {
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err(InvalidRelay::Credentials),
        (user, Some(password)) => Ok(Some(Credentials::new(percent_decoded(user)?, percent_decoded(password)?))),
    }
}

fn percent_decoded(text: &str) -> Result<String, InvalidRelay> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (code, rest) = part.split_at_checked(2).ok_or(InvalidRelay::Credentials)?;
        bytes.push(u8::from_str_radix(code, 16).map_err(|_| InvalidRelay::Credentials)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| InvalidRelay::Credentials)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        || matches!(Host::parse(host), Ok(Host::Ipv4(ip)) if ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_message_ends_it() {
        for (message, sent) in [
            ("", "\r\n.\r\n"),
            ("Kettle\r\n", "Kettle\r\n\r\n.\r\n"),
            (".\r\n.\r\n.lid.\r\na.b", "..\r\n..\r\n..lid.\r\na.b\r\n.\r\n"),
            ("a\r\n.", "a\r\n..\r\n.\r\n"),
        ] {
            assert_eq!(Content(message).to_string(), sent);
        }
    }

    #[test]
    fn relays_are_read_and_unsafe_ones_refused() {
        for (url, port) in [
            ("smtps://u:p@mail.example.org", 465),
            ("smtp+starttls://u:p@mail.example.org", 587),
            ("smtp+starttls://mail.example.org:25", 25),
            ("smtp://localhost", 25),
            ("smtp://u:p@127.0.0.1:2525", 2525),
            ("smtp://[::1]:2525/", 2525),
            ("smtp://mail.example.org?tls=none", 25),
        ] {
            assert_eq!(Smtp::from_url(url).map(|smtp| smtp.port), Ok(port), "{url}");
        }
        for (url, fault) in [
            ("mail.example.org", InvalidRelay::NotARelay),
            ("https://mail.example.org", InvalidRelay::NotARelay),
            ("smtps://", InvalidRelay::NotARelay),
            ("smtp://mail.example.org", InvalidRelay::Unencrypted),
            ("smtp://localhost.example.org", InvalidRelay::Unencrypted),
            ("smtp://u:p@mail.example.org?tls=none", InvalidRelay::PasswordInTheClear),
            ("smtps://mail.example.org?tls=none", InvalidRelay::Unknown),
            ("smtp://localhost?tls=opportunistic", InvalidRelay::Unknown),
            ("smtps://mail.example.org/x", InvalidRelay::Unknown),
            ("smtps://u@mail.example.org", InvalidRelay::Credentials),
            ("smtps://u:%ff@mail.example.org", InvalidRelay::Credentials),
        ] {
            assert_eq!(Smtp::from_url(url).map(|smtp| smtp.port), Err(fault), "{url}");
        }
    }

    #[test]
    fn a_password_is_decoded_and_never_shown() {
        assert_eq!(percent_decoded("a%40b%25"), Ok("a@b%".to_owned()));
        assert_eq!(percent_decoded("a%4"), Err(InvalidRelay::Credentials));
        let smtp = Smtp::from_url("smtps://user:secret-word@mail.example.org").unwrap();
        assert!(!format!("{smtp:?}").contains("secret-word"));
    }
}
