//! The relay's side: what each of its answers means, in the clear and over TLS.

use std::sync::Arc;
use std::time::Duration;

use complaint_core::notice::NoticeKind;
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{EmailNotifier, Smtp, Timeouts};
use mail_parser::MessageParser;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::scripted::Turn::{self, Cut, Say, Silent};
use crate::scripted::{CERTIFICATE, FINE, Relay, Script, Tls, UPGRADING};
use crate::{Host, Still, customer, notice, settings};

const SHORT: Timeouts = Timeouts {
    connect: Duration::from_millis(300),
    command: Duration::from_millis(300),
    content: Duration::from_millis(300),
};

const PATIENT: Timeouts =
    Timeouts { connect: Duration::from_mins(1), command: Duration::from_mins(1), content: Duration::from_mins(1) };

fn notifier(smtp: Smtp) -> EmailNotifier {
    EmailNotifier::new(smtp, Host::usual(), settings(), Arc::new(Still))
}

async fn deliver(url: &str, timeouts: Timeouts) -> Result<(), NotifyError> {
    let smtp = Smtp::from_url(url).unwrap().with_timeouts(timeouts);
    notifier(smtp).deliver(&notice(NoticeKind::Received, customer())).await
}

#[tokio::test]
async fn a_message_is_handed_over_whole_and_connections_are_used_again() {
    let relay = Relay::playing(FINE).await;
    let smtp = Smtp::from_url(&format!("smtp://127.0.0.1:{}", relay.port)).unwrap().with_timeouts(PATIENT);
    let notifier = notifier(smtp);
    let mut sample = notice(NoticeKind::Message, customer());
    sample.text = Some(".\n..\nQUIT".to_owned());
    for _ in 0..3 {
        notifier.deliver(&sample).await.unwrap();
    }
    assert_eq!(relay.taken(), 3);
    assert_eq!(relay.connections(), 1);
    let commands = relay.commands();
    assert_eq!(commands[1..4], ["MAIL FROM:<complaints@example.com>", "RCPT TO:<john@example.org>", "DATA"]);
    let sent = relay.came().remove(0).bytes;
    let message = MessageParser::default().parse(&sent).unwrap();
    assert_eq!(message.message_id(), Some(format!("{}@example.com", sample.id).as_str()));
    assert!(message.body_text(0).unwrap().contains("> QUIT"));
}

#[tokio::test]
async fn a_message_and_its_end_come_together() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("smtp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let relay = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 65_536];
        for answer in ["220 relay", "250 relay", "250 ok", "250 ok", "354 go on", "250 taken"] {
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            if answer.starts_with("354") {
                let length = stream.read(&mut heard).await.unwrap();
                // Apart, the end would wait for the relay to acknowledge what came before it.
                assert!(heard[..length].ends_with(b"\r\n.\r\n"), "{}", String::from_utf8_lossy(&heard[..length]));
            } else if answer != "250 taken" {
                assert!(stream.read(&mut heard).await.unwrap() > 0);
            }
        }
    };
    let (delivered, ()) = tokio::join!(deliver(&url, PATIENT), relay);
    delivered.unwrap();
}

#[tokio::test]
async fn a_connection_that_the_relay_closed_is_replaced_at_once() {
    let relay = Relay::playing(Script { messages: 1, ..FINE }).await;
    let smtp = Smtp::from_url(&format!("smtp://127.0.0.1:{}", relay.port)).unwrap().with_timeouts(PATIENT);
    let notifier = notifier(smtp);
    for _ in 0..3 {
        notifier.deliver(&notice(NoticeKind::Received, customer())).await.unwrap();
    }
    assert_eq!((relay.taken(), relay.connections()), (3, 3));
}

#[tokio::test]
async fn a_kept_connection_is_given_up_for_a_goodbye_but_not_for_a_refusal() {
    for (turn, connections, taken) in [(Say("421 closing"), 2, 2), (Say("451 slow down"), 1, 1)] {
        let relay = Relay::playing(Script { sender_again: turn, ..FINE }).await;
        let smtp = Smtp::from_url(&format!("smtp://127.0.0.1:{}", relay.port)).unwrap();
        let notifier = notifier(smtp.with_timeouts(PATIENT));
        notifier.deliver(&notice(NoticeKind::Received, customer())).await.unwrap();
        let second = notifier.deliver(&notice(NoticeKind::Received, customer())).await;
        assert_eq!(second.is_ok(), taken == 2, "{turn:?}: {second:?}");
        let seen = (relay.connections(), relay.taken());
        assert_eq!(seen, (connections, taken), "{turn:?}");
    }
}

const LATER: bool = true;
const NEVER: bool = false;

/// The table of `Smtp`'s documentation, tried.
const ANSWERS: [(&str, Turn, bool); 25] = [
    ("greeting", Say("421 busy"), LATER),
    ("greeting", Say("554 go away"), LATER),
    ("greeting", Say("HTTP/1.1 400 Bad Request"), LATER),
    ("greeting", Cut, LATER),
    ("greeting", Silent, LATER),
    ("hello", Say("550 no"), LATER),
    ("hello", Cut, LATER),
    ("sender", Say("451 later"), LATER),
    ("sender", Say("550 not you"), LATER),
    ("sender", Cut, LATER),
    ("recipient", Say("450 greylisted"), LATER),
    ("recipient", Say("452 full"), LATER),
    ("recipient", Say("530 log in first"), LATER),
    ("recipient", Say("550 unknown"), NEVER),
    ("recipient", Say("552 full for good"), NEVER),
    ("recipient", Cut, LATER),
    ("recipient", Silent, LATER),
    ("data", Say("451 later"), LATER),
    ("data", Say("554 no"), NEVER),
    ("data", Say("250 an answer that belongs to another command"), LATER),
    ("content", Say("452 full"), LATER),
    ("content", Say("554 spam"), NEVER),
    ("content", Say("552 too big"), NEVER),
    ("content", Cut, LATER),
    ("content", Silent, LATER),
];

#[tokio::test]
async fn answers_mean_later_or_never_as_the_table_says() {
    for (phase, turn, later) in ANSWERS {
        let mut script = FINE;
        *match phase {
            "greeting" => &mut script.greeting,
            "hello" => &mut script.hello,
            "sender" => &mut script.sender,
            "recipient" => &mut script.recipient,
            "data" => &mut script.data,
            "content" => &mut script.content,
            other => panic!("no phase {other}"),
        } = turn;
        let relay = Relay::playing(script).await;
        // Only silence needs a short time limit; the others must not depend on a fast machine.
        let timeouts = if turn == Silent { SHORT } else { PATIENT };
        match (deliver(&format!("smtp://127.0.0.1:{}", relay.port), timeouts).await, turn) {
            (Err(NotifyError::Later(_)), _) => assert!(later, "{phase} {turn:?} should be never"),
            (Err(NotifyError::Never(why)), Say(words)) => {
                assert!(!later, "{phase} {turn:?} should be later: {why}");
                assert!(why.contains(&words[..3]), "{phase} {turn:?}: {why}");
            }
            (other, _) => panic!("{phase} {turn:?}: {other:?}"),
        }
        assert_eq!(relay.taken(), 0, "{phase} {turn:?}");
        // It got as far as the phase and no further.
        let data = relay.commands().contains(&"DATA".to_owned());
        assert_eq!(data, matches!(phase, "data" | "content"), "{phase} {turn:?}");
    }
}

#[tokio::test]
async fn a_message_after_one_that_was_given_up_has_its_own_connection() {
    // The relay keeps silent on the content: were that connection used again, its late answer would count for the next.
    let relay = Relay::playing(Script { content: Silent, ..FINE }).await;
    let smtp = Smtp::from_url(&format!("smtp://127.0.0.1:{}", relay.port)).unwrap().with_timeouts(SHORT);
    let notifier = notifier(smtp);
    for _ in 0..2 {
        let result = notifier.deliver(&notice(NoticeKind::Received, customer())).await;
        assert!(matches!(result, Err(NotifyError::Later(_))), "{result:?}");
    }
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn without_the_starttls_that_was_asked_for_nothing_is_said() {
    let relay = Relay::playing(FINE).await;
    let result = deliver(&format!("smtp+starttls://user:word@localhost:{}", relay.port), PATIENT).await;
    assert!(matches!(result, Err(NotifyError::Later(_))), "{result:?}");
    for command in relay.commands() {
        assert!(command.starts_with("EHLO") || command == "QUIT", "{command}");
    }
}

#[tokio::test]
async fn a_user_logs_in_and_a_wrong_password_can_be_mended() {
    let relay = Relay::playing(FINE).await;
    deliver(&format!("smtp://user:p%40ss@127.0.0.1:{}", relay.port), PATIENT).await.unwrap();
    // NUL user NUL p@ss, in base64.
    assert!(relay.commands().contains(&"AUTH PLAIN AHVzZXIAcEBzcw==".to_owned()), "{:?}", relay.commands());

    let relay = Relay::playing(Script { login: Say("535 wrong"), ..FINE }).await;
    let result = deliver(&format!("smtp://user:word@127.0.0.1:{}", relay.port), PATIENT).await;
    assert!(matches!(result, Err(NotifyError::Later(_))), "{result:?}");
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_tried_again_later() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let result = deliver(&format!("smtp://127.0.0.1:{port}"), PATIENT).await;
    assert!(matches!(result, Err(NotifyError::Later(_))), "{result:?}");
}

#[tokio::test]
async fn certificates_are_verified_by_authority_and_by_name() {
    for (scheme, script) in [("smtps", Script { tls: Tls::Wrapped, ..FINE }), ("smtp+starttls", UPGRADING)] {
        for (host, trusting, delivered) in [
            ("localhost", true, true),
            // Nobody vouches for it.
            ("localhost", false, false),
            // It is for another name.
            ("127.0.0.1", true, false),
        ] {
            let relay = Relay::playing(script).await;
            let url = format!("{scheme}://user:word@{host}:{}", relay.port);
            let mut smtp = Smtp::from_url(&url).unwrap().with_timeouts(PATIENT);
            if trusting {
                smtp = smtp.trusting(CERTIFICATE).unwrap();
            }
            let result = notifier(smtp).deliver(&notice(NoticeKind::Received, customer())).await;
            assert_eq!(result.is_ok(), delivered, "{scheme} to {host}, trusting: {trusting}: {result:?}");
            assert_eq!(relay.taken(), usize::from(delivered));
            if !delivered {
                assert!(matches!(result, Err(NotifyError::Later(_))), "{result:?}");
                let commands = relay.commands();
                assert!(!commands.iter().any(|command| command.starts_with("AUTH")), "{commands:?}");
            }
        }
    }
    assert!(Smtp::from_url("smtps://localhost").unwrap().trusting(b"no certificate").is_err());
}
