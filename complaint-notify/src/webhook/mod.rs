//! Webhooks: other programs are told what happens, by the Standard Webhooks specification.

pub(crate) mod message;
pub(crate) mod signature;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::clock::Clock;
use complaint_core::id::EndpointId;
use complaint_core::notice::{Notice, NoticeChannel, Recipient};
use complaint_core::{Notifier, NotifyError};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;

use crate::outgoing::{self, InvalidAddress, Networks, REST, Resting};
use message::WebhookMessage;
use signature::WebhookSecret;

/// Where a program is, and what it knows our messages by.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its address, `https` unless it is in a network of the house.
    pub url: String,
    /// What messages are signed with; several while one replaces another.
    pub secrets: Vec<WebhookSecret>,
}

/// What became of one try to tell an endpoint something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It took it: a status from 200 to 299.
    Delivered {
        /// The status.
        status: u16,
    },
    /// It answered otherwise; redirects are not followed.
    Refused {
        /// The status.
        status: u16,
        /// How long it asks to be left alone.
        wait: Option<TimeDelta>,
    },
    /// It did not answer, or must not be asked.
    Unanswered {
        /// Why, for operators.
        why: String,
    },
}

impl Told {
    /// Whether it wants to hear nothing any more: status 410, as the specification says.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: 410, .. })
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { status } | Self::Refused { status, .. } => write!(f, "the endpoint answered {status}"),
            Self::Unanswered { why } => write!(f, "the endpoint cannot be used: {why}"),
        }
    }
}

/// Sends signed messages to endpoints.
///
/// ```
/// use std::time::Duration;
///
/// use complaint_notify::{Networks, WebhookSender};
///
/// let sender = WebhookSender::new(Networks::default(), Duration::from_secs(15))?;
/// assert!(sender.check("https://shop.example/hooks").is_ok());
/// assert!(sender.check("https://169.254.169.254/latest").is_err(), "never inside");
/// # Ok::<(), complaint_notify::InvalidAddress>(())
/// ```
#[derive(Debug, Clone)]
pub struct WebhookSender {
    client: Client,
    own: Networks,
}

impl WebhookSender {
    /// A sender that reaches public addresses and those of the house's own networks, and waits no longer than `timeout` for an answer.
    ///
    /// # Errors
    /// If TLS cannot be set up on this machine.
    pub fn new(own: Networks, timeout: Duration) -> Result<Self, InvalidAddress> {
        let client = outgoing::client(&own, timeout).map_err(|_| InvalidAddress::NoTls)?;
        Ok(Self { client, own })
    }

    /// Whether messages can be sent there. Where a name leads is looked at anew whenever one is.
    pub fn check(&self, url: &str) -> Result<(), InvalidAddress> {
        outgoing::address(url, &self.own).map(drop)
    }

    /// Sends a message once. `at` is the time it is signed with.
    pub async fn send(&self, endpoint: &Endpoint, message: &WebhookMessage, at: DateTime<Utc>) -> Told {
        let unanswered = |why: String| Told::Unanswered { why };
        let url = match outgoing::address(&endpoint.url, &self.own) {
            Ok(url) => url,
            Err(wrong) => return unanswered(format!("its address {wrong}")),
        };
        let timestamp = at.timestamp();
        let sign = |secret: &WebhookSecret| secret.sign(message.id(), timestamp, message.body());
        let signatures: Vec<String> = endpoint.secrets.iter().map(sign).collect();
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id())
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "))
            .body(message.body().to_owned());
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return unanswered(outgoing::in_words(error)),
        };
        let status = answer.status();
        if status.is_success() {
            return Told::Delivered { status: status.as_u16() };
        }
        Told::Refused { status: status.as_u16(), wait: outgoing::retry_after(answer.headers()) }
    }
}

/// Knows endpoints and keeps what became of each try. Implemented by the host.
#[async_trait]
pub trait EndpointBook: Send + Sync {
    /// The endpoint with this id; `None` if it is gone or out of use.
    ///
    /// # Errors
    /// [`NotifyError::Later`] if the book cannot be read now.
    async fn find(&self, id: EndpointId) -> Result<Option<Endpoint>, NotifyError>;

    /// Keeps a try. What cannot be kept is not sent again for that.
    async fn keep(&self, id: EndpointId, notice: &Notice, message: &WebhookMessage, told: &Told);
}

/// Delivers notices to endpoints.
///
/// Delivery is **at least once**, under the same `webhook-id`. What an answer means:
///
/// | answer | then |
/// |---|---|
/// | 200 to 299 | delivered |
/// | 410 | never |
/// | every other status, redirects too | later, not before `Retry-After` |
/// | no connection, TLS refused, time-out, cut, an address that is not public | later |
///
/// An endpoint that gave no answer is left alone for 30 seconds, and one that says `Retry-After` for so long, an hour at most, whatever
/// else there is to tell it: others must not wait for it.
#[derive(Clone)]
pub struct WebhookNotifier {
    sender: WebhookSender,
    book: Arc<dyn EndpointBook>,
    clock: Arc<dyn Clock>,
    resting: Arc<Resting<EndpointId>>,
}

impl WebhookNotifier {
    /// A notifier. The clock gives the time that messages are signed with.
    pub fn new(sender: WebhookSender, book: Arc<dyn EndpointBook>, clock: Arc<dyn Clock>) -> Self {
        Self { sender, book, clock, resting: Arc::default() }
    }
}

#[async_trait]
impl Notifier for WebhookNotifier {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        let (NoticeChannel::Webhook, Recipient::Endpoint(id)) = (notice.channel, &notice.recipient) else {
            return Err(NotifyError::Never(format!("no {} leaves as a webhook", notice.channel.label())));
        };
        let id = *id;
        let Some(endpoint) = self.book.find(id).await? else {
            return Err(NotifyError::Nobody(format!("endpoint {id} is gone or out of use")));
        };
        let message = WebhookMessage::about(notice)?;
        let now = self.clock.now();
        if let Some(wait) = self.resting.left(&id, now) {
            return Err(NotifyError::NotBefore { wait, why: "the endpoint is left alone for a while".into() });
        }
        let told = self.sender.send(&endpoint, &message, now).await;
        let rest = match &told {
            Told::Unanswered { .. } => REST,
            Told::Refused { wait, .. } => wait.unwrap_or_default(),
            Told::Delivered { .. } => TimeDelta::zero(),
        };
        self.resting.rest(id, rest, now);
        self.book.keep(id, notice, &message, &told).await;
        let why = told.to_string();
        match told {
            Told::Delivered { .. } => Ok(()),
            told if told.is_gone() => Err(NotifyError::Never(why)),
            Told::Refused { wait: Some(wait), .. } => Err(NotifyError::NotBefore { wait, why: why.into() }),
            Told::Refused { .. } | Told::Unanswered { .. } => Err(NotifyError::Later(why.into())),
        }
    }
}
