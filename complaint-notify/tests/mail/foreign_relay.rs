//! A relay of others, with TLS and a log-in: aiosmtpd.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use complaint_core::notice::NoticeKind;
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{EmailNotifier, Smtp};
use mail_parser::MessageParser;
use serde_json::{Value, json};

use crate::python::Script;
use crate::scripted::{CERTIFICATE, in_files};
use crate::{Host, Still, customer, notice, settings};

#[tokio::test]
async fn a_foreign_relay_takes_what_is_sent_under_tls_after_a_log_in_and_nothing_else() {
    let certificate = in_files();
    for (scheme, how) in [("smtps", "smtps"), ("smtp+starttls", "starttls")] {
        let Some(mut relay) = Script::start("relay.py", &[&certificate[0], &certificate[1], how]) else { return };
        let port = relay.line().await;
        let notifier = |password: &str, trusting| {
            let url = format!("{scheme}://care%40shop.example:{password}@localhost:{port}");
            let smtp = Smtp::from_url(&url).unwrap();
            let smtp = if trusting { smtp.trusting(CERTIFICATE).unwrap() } else { smtp };
            EmailNotifier::new(smtp, Host::usual(), settings(), Arc::new(Still))
        };
        let mut sample = notice(NoticeKind::Message, customer());
        sample.text = Some(".\n..\nمرحبا – \u{1f600}\nQUIT".to_owned());
        for (password, trusting) in [("wrong", true), ("p%40ss%3Aw%2Frd", false)] {
            let refused = notifier(password, trusting).deliver(&sample).await;
            assert!(matches!(refused, Err(NotifyError::Later(_))), "{how}: {refused:?}");
        }
        let trusted = notifier("p%40ss%3Aw%2Frd", true);
        let mut peers = Vec::new();
        // What was refused is not among them: the first that it tells of is the first of these.
        for number in 1..=3_u128 {
            sample.id = complaint_core::id::NoticeId::from_uuid(uuid::Uuid::from_u128(number));
            trusted.deliver(&sample).await.unwrap();
            let mut told: Value = serde_json::from_str(&relay.line().await).unwrap();
            let raw = STANDARD.decode(told["bytes"].take().as_str().unwrap()).unwrap();
            peers.push(told["peer"].take());
            let envelope = json!({
                "peer": null, "bytes": null, "encrypted": true, "user": "care@shop.example",
                "from": "complaints@example.com", "to": ["john@example.org"],
            });
            assert_eq!(told, envelope, "{how}");
            let message = MessageParser::default().parse(&raw).unwrap();
            assert_eq!(message.message_id(), Some(format!("{}@example.com", sample.id).as_str()));
            let text = message.body_text(0).unwrap().replace("\r\n", "\n");
            assert!(text.contains("> .\n> ..\n> مرحبا – \u{1f600}\n> QUIT"), "{text}");
        }
        peers.dedup();
        assert_eq!(peers.len(), 1, "{how}: one connection for all");
    }
}
