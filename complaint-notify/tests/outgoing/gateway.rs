//! What a gateway is asked, and what becomes of each of its answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use complaint_core::clock::SystemClock;
use complaint_core::deadline::ClockKind;
use complaint_core::id::Level;
use complaint_core::notice::{NoticeChannel, NoticeKind, Recipient};
use complaint_core::testing::ManualClock;
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{Gateway, SmsNotifier, SmsTransport, TextMessage};
use serde_json::Value;

use crate::stub::{Stub, Turn};
use crate::{Host, customer, instant, notice, sarah, settings};

fn message(text: &str) -> TextMessage {
    TextMessage::new("n-17", "+447700900123".parse().unwrap(), text).unwrap()
}

fn description(port: u16, rest: &str) -> String {
    format!("url = \"http://127.0.0.1:{port}/send\"\nnetworks = \"127.0.0.1\"\ntimeout_seconds = 1\n{rest}")
}

const PLAIN: &str = "[form]\nto = \"{to}\"\ntext = \"{text}\"\n";

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Delivered,
    Later,
    NotBefore(i64),
    Never,
}

fn then(result: &Result<(), NotifyError>) -> Then {
    match result {
        Ok(()) => Then::Delivered,
        Err(NotifyError::Later(_)) => Then::Later,
        Err(NotifyError::NotBefore { wait, .. }) => Then::NotBefore(wait.num_seconds()),
        Err(NotifyError::Never(_)) => Then::Never,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_answer_has_its_consequence() {
    use Turn::{Answer, Cut, CutInTheMiddle, Silence};
    const QUEUED: &str = "[success]\nstatuses = [200, 201]\ncontains = \"id\"\njson = { at = \"/messages/0/status\", is = [\"queued\", \"0\"] }\n";
    let table = [
        (Answer("200 OK", ""), "", Then::Delivered),
        (Answer("202 Accepted", "whatever"), "", Then::Delivered),
        (Answer("200 OK", r#"{"id": 1, "messages": [{"status": "queued"}]}"#), QUEUED, Then::Delivered),
        (Answer("201 Created", r#"{"id": 1, "messages": [{"status": 0}]}"#), QUEUED, Then::Delivered),
        // It may have taken it: to try again could send it twice.
        (Answer("202 Accepted", r#"{"id": 1, "messages": [{"status": 0}]}"#), QUEUED, Then::Never),
        (Answer("200 OK", r#"{"id": 1, "messages": [{"status": "failed"}]}"#), QUEUED, Then::Never),
        (Answer("200 OK", r#"{"messages": [{"status": "queued"}]}"#), QUEUED, Then::Never),
        (Answer("200 OK", r#"{"id": 1, "messages": []}"#), QUEUED, Then::Never),
        (Answer("200 OK", "id queued"), QUEUED, Then::Never),
        (Answer("204 No Content", ""), QUEUED, Then::Never),
        (Answer("400 Bad Request", ""), "", Then::Never),
        (Answer("410 Gone", ""), "", Then::Never),
        (Answer("413 Content Too Large", ""), "", Then::Never),
        (Answer("422 Unprocessable Content", ""), "", Then::Never),
        // About us: an operator can mend it.
        (Answer("401 Unauthorized", ""), "", Then::Later),
        (Answer("402 Payment Required", ""), "", Then::Later),
        (Answer("403 Forbidden", ""), "", Then::Later),
        (Answer("404 Not Found", ""), "", Then::Later),
        (Answer("405 Method Not Allowed", ""), "", Then::Later),
        (Answer("407 Proxy Authentication Required", ""), "", Then::Later),
        (Answer("408 Request Timeout", ""), "", Then::Later),
        (Answer("425 Too Early", ""), "", Then::Later),
        (Answer("429 Too Many Requests", ""), "", Then::Later),
        (Answer("429 Too Many Requests\r\nRetry-After: 900", ""), "", Then::NotBefore(900)),
        (
            Answer(
                "503 Service Unavailable\r\nDate: Sat, 21 Nov 2026 09:30:00 GMT\r\nRetry-After: Sat, 21 Nov 2026 09:40:00 GMT",
                "",
            ),
            "",
            Then::NotBefore(600),
        ),
        (Answer("503 Service Unavailable\r\nRetry-After: soon", ""), "", Then::Later),
        (Answer("500 Internal Server Error", ""), "", Then::Later),
        (Answer("502 Bad Gateway", ""), "", Then::Later),
        // Not followed, wherever it leads.
        (Answer("301 Moved Permanently\r\nLocation: http://127.0.0.1/other", ""), "", Then::Later),
        (Answer("307 Temporary Redirect\r\nLocation: http://169.254.169.254/latest", ""), "", Then::Later),
        (Cut, "", Then::Later),
        (CutInTheMiddle, QUEUED, Then::Later),
        (Silence, "", Then::Later),
    ];
    for (turn, success, wanted) in table {
        let stub = Stub::doing(turn.clone()).await;
        let gateway = Gateway::from_toml(&description(stub.port, &format!("{PLAIN}{success}"))).unwrap();
        let result = gateway.send(&message("Hello")).await;
        assert_eq!(then(&result), wanted, "{turn:?}: {result:?}");
        assert_eq!(stub.taken().len(), 1, "{turn:?}: asked once");
    }
}

#[tokio::test]
async fn whoever_refuses_to_listen_is_tried_again_and_what_is_not_public_is_not_reached() {
    // A port that was just given back: nobody listens there.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let gateway = Gateway::from_toml(&description(port, PLAIN)).unwrap();
    assert_eq!(then(&gateway.send(&message("Hello")).await), Then::Later);

    let stub = Stub::doing(Turn::Answer("200 OK", "")).await;
    let by_name = format!("url = \"https://localhost:{}/send\"\n{PLAIN}", stub.port);
    let result = Gateway::from_toml(&by_name).unwrap().send(&message("Hello")).await;
    let why = format!("{:?}", result.as_ref().unwrap_err());
    assert!(then(&result) == Then::Later && why.contains("not public"), "{why}");
    assert!(stub.taken().is_empty());
}

#[tokio::test]
async fn values_stand_where_they_belong_whatever_is_in_them() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cr3t&=\"\n").unwrap();
    let secret = format!("secret = {{ file = {:?} }}\n", secret.path());
    let tricky = "a\"b\\c&to=+1\nd=é{to}%00";
    for (rest, line, body) in [
        (
            "[json]\nto = [\"{digits}\"]\nflash = false\n[json.body]\ntext = \"{{{text}}}\"\nkey = \"{secret}\"\n",
            "POST /send HTTP/1.1",
            r#"{"body":{"key":"s3cr3t&=\"","text":"{a\"b\\c&to=+1\nd=é{to}%00}"},"flash":false,"to":["447700900123"]}"#,
        ),
        (
            "[form]\nto = \"{to}\"\ntext = \"{text}\"\nkey = \"{secret}\"\n",
            "POST /send HTTP/1.1",
            "key=s3cr3t%26%3D%22&text=a%22b%5Cc%26to%3D%2B1%0Ad%3D%C3%A9%7Bto%7D%2500&to=%2B447700900123",
        ),
        (
            "method = \"GET\"\n[query]\nto = \"{to}\"\ntext = \"{text}\"\nkey = \"{secret}\"\n",
            "GET /send?key=s3cr3t%26%3D%22&text=a%22b%5Cc%26to%3D%2B1%0Ad%3D%C3%A9%7Bto%7D%2500&to=%2B447700900123 HTTP/1.1",
            "",
        ),
    ] {
        let stub = Stub::doing(Turn::Answer("200 OK", "")).await;
        let gateway = Gateway::from_toml(&description(stub.port, &format!("{secret}{rest}"))).unwrap();
        gateway.send(&message(tricky)).await.unwrap();
        let asked = stub.taken().remove(0);
        assert_eq!(asked.line, line);
        match serde_json::from_str::<Value>(body) {
            Ok(body) => assert_eq!(serde_json::from_str::<Value>(&asked.body).unwrap(), body),
            Err(_) => assert_eq!(asked.body, body),
        }
        assert!(!format!("{gateway:?}").contains("s3cr3t"));
    }
}

#[tokio::test]
async fn headers_carry_the_secret_and_the_id_that_stays() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cr3t\r\n").unwrap();
    let secret = format!("secret = {{ file = {:?} }}\n", secret.path());
    let stub = Stub::doing(Turn::Answer("200 OK", "")).await;
    let rest = format!("{secret}{PLAIN}[headers]\nAuthorization = \"Bearer {{secret}}\"\nX-Request-Id = \"{{id}}\"\n");
    let gateway = Gateway::from_toml(&description(stub.port, &rest)).unwrap();
    for _ in 0..2 {
        gateway.send(&message("Hello")).await.unwrap();
        let asked = stub.taken().remove(0);
        assert_eq!(asked.header("authorization"), Some("Bearer s3cr3t"));
        assert_eq!(asked.header("x-request-id"), Some("n-17"));
    }
    let rest = format!("{secret}user = \"AC01\"\n{PLAIN}");
    let gateway = Gateway::from_toml(&description(stub.port, &rest)).unwrap();
    gateway.send(&message("Hello")).await.unwrap();
    // AC01:s3cr3t in base64.
    assert_eq!(stub.taken()[0].header("authorization"), Some("Basic QUMwMTpzM2NyM3Q="));
}

#[tokio::test]
async fn what_went_wrong_is_told_without_the_secret() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cr3t").unwrap();
    for turn in [Turn::Cut, Turn::Silence, Turn::Answer("403 Forbidden", "s3cr3t +447700900123")] {
        let stub = Stub::doing(turn).await;
        let rest = format!(
            "secret = {{ file = {:?} }}\n[query]\nkey = \"{{secret}}\"\nto = \"{{to}}\"\ntext = \"{{text}}\"\n",
            secret.path()
        );
        let gateway = Gateway::from_toml(&description(stub.port, &rest)).unwrap();
        let why = format!("{:?}", gateway.send(&message("Hello")).await.unwrap_err());
        assert!(!why.contains("s3cr3t") && !why.contains("447700900123"), "{why}");
    }
}

#[test]
fn every_fault_of_a_description_is_named() {
    let with = |rest: &str| Gateway::from_toml(&format!("url = \"https://gateway.example/send\"\n{rest}"));
    assert!(with(PLAIN).is_ok());
    let many = Gateway::from_toml(
        "url = \"http://gateway.example\"\nnetworks = \"home\"\ntimeout_seconds = 0\n[form]\na = \"{nonsense}\"\n[success]\nstatuses = [302]\n",
    );
    let faults = many.unwrap_err().0;
    for setting in ["url ", "networks ", "timeout_seconds ", "form.a ", "success "] {
        assert!(faults.iter().any(|fault| fault.starts_with(setting)), "{setting}in {faults:?}");
    }
    for (rest, fault) in [
        ("", "must hold {to} or {digits}"),
        ("[form]\nto = \"{to}\"\n", "must hold {text}"),
        ("[form]\nto = \"{to}\"\ntext = \"{text\"\n", "single brace"),
        ("[form]\nto = \"{to}\"\ntext = \"{text}}\"\n", "single brace"),
        ("[form]\nto = \"{to}\"\ntext = \"{text}\"\n[json]\na = 1\n", "one body"),
        ("[json]\nto = \"{to}\"\ntext = \"{text}\"\nkey = \"{secret}\"\n", "none is given"),
        ("user = \"u\"\n[json]\nto = \"{to}\"\ntext = \"{text}\"\n", "none is given"),
        (
            "secret = { env = \"COMPLAINT_NO_SUCH_VARIABLE\" }\nuser = \"u\"\n[json]\nto = \"{to}\"\ntext = \"{text}\"\n",
            "COMPLAINT_NO_SUCH_VARIABLE",
        ),
        (
            "secret = { file = \"no-such-file\" }\nuser = \"u\"\n[json]\nto = \"{to}\"\ntext = \"{text}\"\n",
            "no-such-file",
        ),
        ("secret = { word = \"x\" }\n", "unknown variant"),
        ("[headers]\n\"a b\" = \"x\"\n[form]\nto = \"{to}\"\ntext = \"{text}\"\n", "headers.a b"),
        ("[headers]\na = \"x\\ny\"\n[form]\nto = \"{to}\"\ntext = \"{text}\"\n", "headers.a"),
        ("[headers]\na = \"{text}\"\n[form]\nto = \"{to}\"\ntext = \"{text}\"\n", "headers.a"),
        ("[success]\njson = { at = \"status\", is = [\"1\"] }\n[form]\nto = \"{to}\"\ntext = \"{text}\"\n", "json.at"),
        ("[success]\njson = { at = \"/status\", is = [] }\n[form]\nto = \"{to}\"\ntext = \"{text}\"\n", "json.is"),
        ("method = \"DELETE\"\n", "unknown variant"),
        ("colour = \"red\"\n", "unknown field"),
        ("timeout_seconds = 121\n[form]\nto = \"{to}\"\ntext = \"{text}\"\n", "1 to 120"),
    ] {
        let faults = with(rest).unwrap_err().to_string();
        assert!(faults.contains(fault), "{rest}: {faults}");
    }
    assert!(Gateway::from_toml("").is_err() && Gateway::from_toml("url = ").is_err());
}

#[tokio::test]
async fn everybody_at_a_level_who_has_a_number_gets_it_under_a_stable_id() {
    let stub = Stub::doing(Turn::Answer("200 OK", "")).await;
    let rest = "[json]\nto = \"{to}\"\ntext = \"{text}\"\nid = \"{id}\"\n";
    let gateway = Arc::new(Gateway::from_toml(&description(stub.port, rest)).unwrap());
    let mut host = Host::usual();
    let notifier =
        |host: &Host| SmsNotifier::new(gateway.clone(), Arc::new(host.clone()), settings(), Arc::new(SystemClock));
    let level = Recipient::Level { level: Level::new(2).unwrap(), down_to: Level::FIRST, except: BTreeSet::new() };
    let mut sample = notice(NoticeKind::Missed(ClockKind::Resolution), level);
    sample.channel = NoticeChannel::Sms;

    let result = notifier(&host).deliver(&sample).await;
    assert!(matches!(&result, Err(NotifyError::Nobody(why)) if why.contains("level 2")), "{result:?}");
    host.level[0].phone = Some("0170 1234567".to_owned());
    let result = notifier(&host).deliver(&sample).await;
    assert!(matches!(result, Err(NotifyError::Nobody(_))), "a number of which country? {result:?}");
    host.level[0].phone = Some("+49 170 1234567".to_owned());
    host.level[1].phone = Some("+49 (0)170 1234567".to_owned());
    notifier(&host).deliver(&sample).await.unwrap();
    let first: Vec<String> = stub.taken().into_iter().map(|asked| asked.body).collect();
    assert_eq!(first.len(), 1, "one number is told once: {first:?}");
    host.level.reverse();
    host.level[0].phone = Some("+49 170 7654321".to_owned());
    notifier(&host).deliver(&sample).await.unwrap();
    let second: Vec<String> = stub.taken().into_iter().map(|asked| asked.body).collect();
    assert_eq!((second.len(), &second[1]), (2, &first[0]), "whoever comes first changes no id");

    let wrong = notifier(&host).deliver(&notice(NoticeKind::Received, customer())).await;
    assert!(matches!(&wrong, Err(NotifyError::Never(why)) if why == "no e-mail leaves as a text message"), "{wrong:?}");
    sample.recipient = sarah();
    notifier(&host).deliver(&sample).await.unwrap();
    assert!(stub.taken()[0].body.contains("\"+447700900124\""));
}

#[tokio::test]
async fn a_gateway_that_cannot_be_used_makes_the_notice_return_and_is_left_alone() {
    for (turn, first, second) in [
        (Turn::Answer("429 Too Many Requests\r\nRetry-After: 60", ""), Then::NotBefore(60), 50),
        (Turn::Answer("503 Service Unavailable", ""), Then::Later, 20),
        (Turn::Cut, Then::Later, 20),
    ] {
        let stub = Stub::doing(turn).await;
        let gateway = Arc::new(Gateway::from_toml(&description(stub.port, PLAIN)).unwrap());
        let level = Recipient::Level { level: Level::new(2).unwrap(), down_to: Level::FIRST, except: BTreeSet::new() };
        let mut sample = notice(NoticeKind::Missed(ClockKind::Resolution), level);
        sample.channel = NoticeChannel::Sms;
        let mut host = Host::usual();
        host.level[0].phone = Some("+49 170 1234567".to_owned());
        host.level[1].phone = Some("+49 170 1234568".to_owned());
        let clock = Arc::new(ManualClock::at(instant("2026-11-21T09:30:05Z")));
        let notifier = SmsNotifier::new(gateway, Arc::new(host), settings(), clock.clone());
        assert_eq!(then(&notifier.deliver(&sample).await), first);
        clock.advance(TimeDelta::seconds(10));
        assert_eq!(then(&notifier.deliver(&sample).await), Then::NotBefore(second));
        assert_eq!(stub.taken().len(), 1, "neither the second of them nor the second time");
        clock.advance(TimeDelta::seconds(second));
        assert_eq!(then(&notifier.deliver(&sample).await), first);
        assert_eq!(stub.taken().len(), 1);
    }
}
