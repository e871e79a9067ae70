//! Mail fetched from a mailbox by IMAP (RFC 9051), where no mail server hands it over.
//!
//! What is unread there is kept here and then marked as read; nothing is removed from the mailbox. Cut in between, a message is fetched
//! again and found to be here. Several servers may look into one mailbox.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_imap::Client;
use async_imap::types::Fetch;
use complaint_notify::inbound::Unreadable;
use futures_util::TryStreamExt as _;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret as _;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::kept::Came;
use super::work::quarantined;
use super::{IntakeError, MAIL_MAX, MailIntake};
use crate::config::{Authorities, ImapConfig};
use crate::state::AppState;

/// How long one look into the mailbox may take.
const WITHIN: Duration = Duration::from_mins(5);
/// The most messages that are fetched at one look, the oldest first.
const BATCH: usize = 100;
/// How much is fetched of a message that is too large.
const BEGINNING: usize = 64 << 10;

/// Why a mailbox could not be looked into.
#[derive(Debug, Error)]
pub enum ImapError {
    /// Its server cannot be reached.
    #[error("the mailbox's server cannot be reached")]
    Connection(#[from] std::io::Error),
    /// TLS cannot be used.
    #[error("TLS cannot be used")]
    Tls(#[from] rustls::Error),
    /// The server refused something, or does not speak IMAP.
    #[error("the mailbox's server refused it")]
    Refused(#[from] async_imap::error::Error),
    /// It took too long.
    #[error("looking into the mailbox took longer than {} minutes", WITHIN.as_secs() / 60)]
    TooSlow,
    /// A message could not be kept.
    #[error(transparent)]
    Kept(#[from] IntakeError),
}

impl MailIntake {
    /// Fetches what is unread in the mailbox of the configuration, if there is one; returns how many messages were kept.
    pub async fn fetch(&self, state: &AppState) -> Result<usize, ImapError> {
        let Some(imap) = self.open.as_ref().and_then(|open| open.config.imap.as_ref()) else { return Ok(0) };
        match tokio::time::timeout(WITHIN, self.fetch_from(state, imap)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(ImapError::TooSlow),
        }
    }

    async fn fetch_from(&self, state: &AppState, imap: &ImapConfig) -> Result<usize, ImapError> {
        let stream = TcpStream::connect((imap.host.as_str(), imap.port)).await?;
        if imap.tls {
            let name = ServerName::try_from(imap.host.clone()).map_err(std::io::Error::other)?;
            let stream =
                TlsConnector::from(Arc::new(tls(state.config.authorities.as_ref())?)).connect(name, stream).await?;
            self.unread(state, imap, stream).await
        } else {
            self.unread(state, imap, stream).await
        }
    }

    async fn unread<S>(&self, state: &AppState, imap: &ImapConfig, stream: S) -> Result<usize, ImapError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Debug + Send,
    {
        let mut client = Client::new(stream);
        client.read_response().await?;
        let login = client.login(&imap.user, imap.password.expose_secret()).await;
        let mut session = login.map_err(|(refused, _)| refused)?;
        session.select(&imap.folder).await?;
        let mut unread: Vec<u32> = session.uid_search("UNSEEN").await?.into_iter().collect();
        unread.sort_unstable();
        let mut kept = 0;
        for uid in unread.into_iter().take(BATCH) {
            let uid = uid.to_string();
            let sizes: Vec<Fetch> = session.uid_fetch(&uid, "(UID RFC822.SIZE)").await?.try_collect().await?;
            let size = sizes.iter().find_map(|it| it.size).unwrap_or_default() as usize;
            // Read as little as possible of what is not wanted; and nothing is marked before it is here.
            let part = if size > MAIL_MAX {
                format!("(UID BODY.PEEK[]<0.{BEGINNING}>)")
            } else {
                "(UID BODY.PEEK[])".to_owned()
            };
            let fetched: Vec<Fetch> = session.uid_fetch(&uid, &part).await?.try_collect().await?;
            // Somebody may have removed it meanwhile.
            let Some(raw) = fetched.iter().find_map(Fetch::body) else { continue };
            match self.kept_from(state, raw, size).await {
                Ok(()) => kept += 1,
                // There is nothing to keep.
                Err(IntakeError::Unreadable(Unreadable::Empty)) => {}
                Err(error) => return Err(error.into()),
            }
            let marked: Vec<Fetch> = session.uid_store(&uid, "+FLAGS.SILENT (\\Seen)").await?.try_collect().await?;
            drop(marked);
        }
        session.logout().await?;
        Ok(kept)
    }

    /// Keeps a message, or the beginning of one that is too large, for staff to see that it is there.
    async fn kept_from(&self, state: &AppState, raw: &[u8], size: usize) -> Result<(), IntakeError> {
        // In one step: for a moment, somebody might take the beginning for the whole.
        let came = Came { whole_size: (size > MAIL_MAX).then_some(size as u64), ..Came::default() };
        let settled = (size > MAIL_MAX).then(|| {
            let why =
                format!("It has {size} bytes, and only its beginning is here; the whole of it is in the mailbox.");
            quarantined("too_large", &why)
        });
        let (id, now) = (state.desk.draw_id(), state.clock.now());
        super::keep(self.kept.as_ref(), id, raw, came, settled.as_ref(), now).await.map(drop)
    }
}

fn tls(authorities: Option<&Authorities>) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in authorities.map(Authorities::certificates).unwrap_or_default() {
        roots.add(certificate.clone())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
