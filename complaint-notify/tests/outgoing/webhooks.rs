//! What an endpoint is told, whether a foreign verifier believes it, and what becomes of each answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use complaint_core::clock::{Clock, SystemClock};
use complaint_core::complaint::EventName;
use complaint_core::id::{CategoryKey, EndpointId, Version};
use complaint_core::notice::{Happening, Notice, NoticeChannel, NoticeKind, Recipient};
use complaint_core::testing::ManualClock;
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{
    Endpoint, EndpointBook, Networks, Told, WebhookMessage, WebhookNotifier, WebhookSecret, WebhookSender,
};
use serde_json::{Value, json};
use standardwebhooks::Webhook as Oracle;

use crate::python::Script;
use crate::stub::{Asked, Stub, Turn};
use crate::{customer, notice};

fn shop() -> EndpointId {
    "01900000-0000-7000-8000-000000000007".parse().unwrap()
}

fn happened(event: EventName) -> Notice {
    let happening = Happening {
        event,
        seq: 4,
        version: Version::new(3),
        by: "agent".to_owned(),
        category: CategoryKey::new("Damaged goods").unwrap(),
    };
    Notice {
        channel: NoticeChannel::Webhook,
        subject: notice(NoticeKind::Happened, customer()).reference.to_string(),
        text: None,
        happening: Some(happening),
        ..notice(NoticeKind::Happened, Recipient::Endpoint(shop()))
    }
}

/// A book with one endpoint, and what it was told to keep.
#[derive(Clone, Default)]
struct Book {
    endpoint: Option<Endpoint>,
    kept: Arc<Mutex<Vec<(String, Told)>>>,
}

#[async_trait]
impl EndpointBook for Book {
    async fn find(&self, id: EndpointId) -> Result<Option<Endpoint>, NotifyError> {
        Ok(self.endpoint.clone().filter(|_| id == shop()))
    }

    async fn keep(&self, _: EndpointId, _: &Notice, message: &WebhookMessage, told: &Told) {
        self.kept.lock().unwrap().push((message.id().to_owned(), told.clone()));
    }
}

struct Trial {
    notifier: WebhookNotifier,
    book: Book,
    clock: Arc<ManualClock>,
}

impl Trial {
    fn at(url: String, secrets: Vec<WebhookSecret>) -> Self {
        let book = Book { endpoint: Some(Endpoint { url, secrets }), ..Book::default() };
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let sender = WebhookSender::new("127.0.0.1".parse().unwrap(), Duration::from_secs(1)).unwrap();
        let notifier = WebhookNotifier::new(sender, Arc::new(book.clone()), clock.clone());
        Self { notifier, book, clock }
    }
}

fn secret(byte: u8) -> WebhookSecret {
    WebhookSecret::from_bytes([byte; 32])
}

fn believes(secret: &WebhookSecret, asked: &Asked, body: &str) -> bool {
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, asked.header(name).unwrap().parse().unwrap());
    }
    Oracle::new(secret.expose()).unwrap().verify(body.as_bytes(), &headers).is_ok()
}

/// What the verifier for Python says: `yes`, or `no` and why.
async fn verdict(verifier: &mut Script, secret: &WebhookSecret, asked: &Asked, body: &str) -> String {
    let headers: BTreeMap<&str, Option<&str>> = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| (name, asked.header(name)))
        .into_iter()
        .collect();
    verifier.tell(&json!({"secret": secret.expose(), "headers": headers, "body": body}).to_string()).await;
    verifier.line().await
}

#[tokio::test]
async fn a_foreign_verifier_believes_each_key_and_no_other_body() {
    let stub = Stub::doing(Turn::Answer("204 No Content", "")).await;
    let (old, new) = (secret(1), secret(2));
    let url = format!("http://127.0.0.1:{}/hooks?shop=7", stub.port);
    let trial = Trial::at(url, vec![new.clone(), old.clone()]);
    // Of the machine, since that is what the verifier goes by.
    let began = trial.clock.now();
    let sample = happened(EventName::Resolved);
    trial.notifier.deliver(&sample).await.unwrap();
    let asked = stub.taken().remove(0);
    assert_eq!(asked.line, "POST /hooks?shop=7 HTTP/1.1");
    assert_eq!(asked.header("content-type"), Some("application/json"));
    for (key, believed) in [(&old, true), (&new, true), (&secret(3), false)] {
        assert_eq!(believes(key, &asked, &asked.body), believed);
    }
    assert!(!believes(&new, &asked, &asked.body.replace("resolved", "reopened")));
    assert!(!believes(&new, &asked, &format!("{} ", asked.body)));
    assert_eq!(asked.header("webhook-id"), Some(format!("msg_{}", sample.id.as_uuid().simple()).as_str()));
    assert_eq!(asked.header("webhook-timestamp"), Some(began.timestamp().to_string().as_str()));

    trial.clock.advance(TimeDelta::minutes(1));
    trial.notifier.deliver(&sample).await.unwrap();
    let again = stub.taken().remove(0);
    assert_eq!((again.header("webhook-id"), &again.body), (asked.header("webhook-id"), &asked.body), "the same again");
    assert_ne!(again.header("webhook-timestamp"), asked.header("webhook-timestamp"), "sent at another time");
    assert!(believes(&old, &again, &again.body));
}

/// The library for Rust may share a mistake with us; the one for Python was written by others.
#[tokio::test]
async fn the_verifier_for_python_believes_the_same() {
    let Some(mut verifier) = Script::start("verifier.py", &[]) else { return };
    let stub = Stub::doing(Turn::Answer("204 No Content", "")).await;
    let (old, new) = (secret(1), secret(2));
    let url = format!("http://127.0.0.1:{}/", stub.port);
    let trial = Trial::at(url, vec![new.clone(), old.clone()]);
    for event in [EventName::Resolved, EventName::Posted] {
        trial.notifier.deliver(&happened(event)).await.unwrap();
        let asked = stub.taken().remove(0);
        let changed = asked.body.replace("complaint.", "complaint.re");
        for (key, body, believed) in [
            (&old, &asked.body, true),
            (&new, &asked.body, true),
            (&secret(3), &asked.body, false),
            (&new, &changed, false),
        ] {
            let answer = verdict(&mut verifier, key, &asked, body).await;
            assert_eq!(answer == "yes", believed, "{event}: {answer}");
        }
    }
    // Heard too late, it is a replay.
    trial.clock.advance(-TimeDelta::minutes(10));
    trial.notifier.deliver(&happened(EventName::Closed)).await.unwrap();
    let late = stub.taken().remove(0);
    let answer = verdict(&mut verifier, &new, &late, &late.body).await;
    assert!(answer.starts_with("no: Message timestamp too old"), "{answer}");
}

#[tokio::test]
async fn an_endpoint_is_told_facts_and_no_word_that_was_typed() {
    let mut sample = happened(EventName::Posted);
    // Whatever a host may put into a notice.
    (sample.subject, sample.text, sample.address) =
        ("zz-subject".to_owned(), Some("zz-words".to_owned()), Some("zz@example.org".to_owned()));
    let message = WebhookMessage::about(&sample).unwrap();
    assert!(!message.body().contains("zz"), "{}", message.body());
    let body: Value = serde_json::from_str(message.body()).unwrap();
    assert_eq!(
        body,
        json!({
            "type": "complaint.posted",
            "timestamp": "2026-11-21T09:30:00.000123Z",
            "data": {
                "complaint": sample.complaint, "reference": sample.reference, "seq": 4, "version": 3, "status": "in_progress",
                "level": 2, "handler": "sarah", "category": "damaged-goods", "by": "agent",
            },
        })
    );
    for event in EventName::ALL {
        let message = WebhookMessage::about(&happened(*event)).unwrap();
        assert!(message.body().contains(&format!("\"complaint.{event}\"")));
    }
}

#[tokio::test]
async fn each_answer_has_its_consequence() {
    use Turn::{Answer, Cut, CutInTheMiddle, Silence};
    let later = |result: &Result<(), NotifyError>| matches!(result, Err(NotifyError::Later(_)));
    for (turn, wanted) in [
        (Answer("200 OK", ""), "delivered"),
        (Answer("204 No Content", ""), "delivered"),
        // The head of the answer is the answer.
        (CutInTheMiddle, "delivered"),
        (Answer("410 Gone", ""), "never"),
        (Answer("400 Bad Request", ""), "later"),
        (Answer("401 Unauthorized", ""), "later"),
        (Answer("404 Not Found", ""), "later"),
        (Answer("429 Too Many Requests", ""), "later"),
        (Answer("429 Too Many Requests\r\nRetry-After: 900", ""), "in 900 s"),
        (Answer("503 Service Unavailable\r\nRetry-After: 5", ""), "in 5 s"),
        (Answer("500 Internal Server Error", ""), "later"),
        (Answer("302 Found\r\nLocation: http://127.0.0.1:1/", ""), "later"),
        (Answer("308 Permanent Redirect\r\nLocation: http://169.254.169.254/", ""), "later"),
        (Cut, "later"),
        (Silence, "later"),
    ] {
        let stub = Stub::doing(turn.clone()).await;
        let trial = Trial::at(format!("http://127.0.0.1:{}/", stub.port), vec![secret(1)]);
        let result = trial.notifier.deliver(&happened(EventName::Closed)).await;
        let fits = match (wanted, &result) {
            ("delivered", result) => result.is_ok(),
            ("never", result) => matches!(result, Err(NotifyError::Never(_))),
            ("later", result) => later(result),
            (_, Err(NotifyError::NotBefore { wait, .. })) => wanted == format!("in {} s", wait.num_seconds()),
            _ => false,
        };
        assert!(fits, "{turn:?} is to be {wanted}: {result:?}");
        assert_eq!(stub.taken().len(), 1, "{turn:?}: asked once, wherever it points");
        assert_eq!(trial.book.kept.lock().unwrap().len(), 1, "{turn:?}");
    }
}

#[tokio::test]
async fn what_is_not_public_is_not_reached_by_address_name_or_redirect() {
    let stub = Stub::doing(Turn::Answer("200 OK", "")).await;
    for url in [
        format!("https://localhost:{}/", stub.port),
        format!("https://[::1]:{}/", stub.port),
        format!("http://127.0.0.2:{}/", stub.port),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[::ffff:10.0.0.1]/".to_owned(),
        "nonsense".to_owned(),
    ] {
        let book = Book { endpoint: Some(Endpoint { url: url.clone(), secrets: vec![secret(1)] }), ..Book::default() };
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let sender = WebhookSender::new(Networks::default(), Duration::from_secs(1)).unwrap();
        let notifier = WebhookNotifier::new(sender, Arc::new(book.clone()), clock);
        let result = notifier.deliver(&happened(EventName::Closed)).await;
        assert!(matches!(result, Err(NotifyError::Later(_))), "{url}: {result:?}");
        let kept = book.kept.lock().unwrap().remove(0).1.to_string();
        assert!(
            kept.contains("not public") || kept.contains("web address") || kept.contains("https://"),
            "{url}: {kept}"
        );
    }
    assert!(stub.taken().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_gives_no_answer_is_left_alone_for_a_while() {
    let stub = Stub::doing(Turn::Cut).await;
    let trial = Trial::at(format!("http://127.0.0.1:{}/", stub.port), vec![secret(1)]);
    let deliver = async || trial.notifier.deliver(&happened(EventName::Closed)).await;
    assert!(matches!(deliver().await, Err(NotifyError::Later(_))));
    trial.clock.advance(TimeDelta::seconds(10));
    let result = deliver().await;
    assert!(matches!(&result, Err(NotifyError::NotBefore { wait, .. }) if wait.num_seconds() == 20), "{result:?}");
    assert_eq!(stub.taken().len(), 1, "not asked");
    trial.clock.advance(TimeDelta::seconds(20));
    assert!(matches!(deliver().await, Err(NotifyError::Later(_))));
    assert_eq!(stub.taken().len(), 1, "asked again");
    assert_eq!(trial.book.kept.lock().unwrap().len(), 2, "a try that was not made is not kept");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_it_is_left_alone_and_the_others_are_not() {
    let busy = Stub::doing(Turn::Answer("503 Service Unavailable\r\nRetry-After: 900", "")).await;
    let trial = Trial::at(format!("http://127.0.0.1:{}/", busy.port), vec![secret(1)]);
    let deliver = async || trial.notifier.deliver(&happened(EventName::Closed)).await;
    for wait in [900, 600] {
        let result = deliver().await;
        assert!(
            matches!(&result, Err(NotifyError::NotBefore { wait: it, .. }) if it.num_seconds() == wait),
            "{result:?}"
        );
        trial.clock.advance(TimeDelta::minutes(5));
    }
    assert_eq!(busy.taken().len(), 1);
    trial.clock.advance(TimeDelta::minutes(5));
    assert!(deliver().await.is_err());
    assert_eq!(busy.taken().len(), 1, "its time is over");
}

#[tokio::test]
async fn what_is_meant_for_nobody_or_another_channel_is_not_sent() {
    let stub = Stub::doing(Turn::Answer("200 OK", "")).await;
    let trial = Trial::at(format!("http://127.0.0.1:{}/", stub.port), vec![secret(1)]);
    let other = "01900000-0000-7000-8000-000000000008".parse().unwrap();
    let gone = Notice { recipient: Recipient::Endpoint(other), ..happened(EventName::Closed) };
    let result = trial.notifier.deliver(&gone).await;
    assert!(matches!(result, Err(NotifyError::Nobody(_))), "{result:?}");
    for wrong in [
        notice(NoticeKind::Received, customer()),
        Notice { channel: NoticeChannel::Email, ..happened(EventName::Closed) },
        Notice { happening: None, ..happened(EventName::Closed) },
        Notice { recipient: customer(), ..happened(EventName::Closed) },
    ] {
        let result = trial.notifier.deliver(&wrong).await;
        assert!(matches!(result, Err(NotifyError::Never(_))), "{result:?}");
    }
    assert!(stub.taken().is_empty());
}
