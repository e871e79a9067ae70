//! The relay's side: a scripted server that answers as told, in the clear and over TLS.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener as BlockingListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use complaint_core::notice::NoticeKind;
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{EmailNotifier, Smtp, Timeouts};
use mail_parser::MessageParser;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader as AsyncBufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::{Host, Still, customer, notice, settings};

/// What the relay does when its turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Say(&'static str),
    /// Hangs up.
    Cut,
    /// Says nothing and keeps the line.
    Silent,
}

use Turn::{Cut, Say, Silent};

#[derive(Debug, Clone, Copy)]
struct Script {
    greeting: Turn,
    hello: Turn,
    login: Turn,
    sender: Turn,
    /// To the sender of a further message on the same connection.
    sender_again: Turn,
    recipient: Turn,
    data: Turn,
    content: Turn,
    /// Hangs up after this many messages on one connection.
    messages: usize,
}

const FINE: Script = Script {
    greeting: Say("220 relay"),
    hello: Say("250-relay\r\n250 AUTH PLAIN"),
    login: Say("235 welcome"),
    sender: Say("250 ok"),
    sender_again: Say("250 ok"),
    recipient: Say("250 ok"),
    data: Say("354 go on"),
    content: Say("250 taken"),
    messages: usize::MAX,
};

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    commands: Vec<String>,
    messages: Vec<Vec<u8>>,
}

struct Relay {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Relay {
    async fn playing(script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        // Ends with the test's runtime.
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, script, Arc::clone(&shared)));
            }
        });
        Self { port, seen }
    }

    fn commands(&self) -> Vec<String> {
        self.seen.lock().unwrap().commands.clone()
    }

    fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    fn taken(&self) -> usize {
        self.seen.lock().unwrap().messages.len()
    }
}

/// Plays one connection; ends when either side hangs up.
async fn serve(stream: TcpStream, script: Script, seen: Arc<Mutex<Seen>>) -> Option<()> {
    let mut stream = AsyncBufReader::new(stream);
    turn(&mut stream, script.greeting).await?;
    let mut messages = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let command = line.trim_end().to_owned();
        seen.lock().unwrap().commands.push(command.clone());
        let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => script.hello,
            "AUTH" => script.login,
            "MAIL" if messages == 0 => script.sender,
            "MAIL" => script.sender_again,
            "RCPT" => script.recipient,
            "DATA" => script.data,
            "QUIT" => Cut,
            _ => Say("502 not here"),
        };
        turn(&mut stream, answer).await?;
        if verb == "DATA" && matches!(answer, Say(words) if words.starts_with("354")) {
            let mut content = Vec::new();
            while !content.ends_with(b"\r\n.\r\n") {
                if stream.read_until(b'\n', &mut content).await.ok()? == 0 {
                    return None;
                }
            }
            if matches!(script.content, Say(words) if words.starts_with('2')) {
                seen.lock().unwrap().messages.push(content);
            }
            turn(&mut stream, script.content).await?;
            messages += 1;
            if messages == script.messages {
                return None;
            }
        }
    }
}

async fn turn(stream: &mut AsyncBufReader<TcpStream>, turn: Turn) -> Option<()> {
    match turn {
        Say(words) => stream.write_all(format!("{words}\r\n").as_bytes()).await.ok(),
        Cut => None,
        Silent => {
            // Until the other side gives up.
            let mut rest = String::new();
            while stream.read_line(&mut rest).await.ok()? > 0 {}
            None
        }
    }
}

const SHORT: Timeouts = Timeouts {
    connect: Duration::from_millis(300),
    command: Duration::from_millis(300),
    content: Duration::from_millis(300),
};

const PATIENT: Timeouts =
    Timeouts { connect: Duration::from_secs(20), command: Duration::from_secs(20), content: Duration::from_secs(20) };

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
    let sent = relay.seen.lock().unwrap().messages[0].clone();
    let message = MessageParser::default().parse(&sent).unwrap();
    assert_eq!(message.message_id(), Some(format!("{}@example.com", sample.id).as_str()));
    assert!(message.body_text(0).unwrap().contains("> QUIT"));
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

/// A relay with TLS from the first byte and the test's own certificate, for `localhost`. Serves one connection and
/// gives the messages it took.
fn relay_with_tls() -> (u16, std::thread::JoinHandle<usize>) {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("data/relay-cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("data/relay-key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = BlockingListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let relay = std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = BufReader::new(rustls::StreamOwned::new(tls, tcp));
        let mut taken = 0;
        let mut in_message = false;
        let mut answer = Some("220 relay\r\n");
        loop {
            if let Some(words) = answer.take()
                && stream.get_mut().write_all(words.as_bytes()).is_err()
            {
                return taken;
            }
            let mut line = String::new();
            if !matches!(stream.read_line(&mut line), Ok(1..)) {
                return taken;
            }
            answer = match line.trim_end() {
                "." if in_message => {
                    in_message = false;
                    taken += 1;
                    Some("250 taken\r\n")
                }
                _ if in_message => None,
                "DATA" => {
                    in_message = true;
                    Some("354 go on\r\n")
                }
                _ => Some("250 ok\r\n"),
            };
        }
    });
    (port, relay)
}

#[tokio::test]
async fn certificates_are_verified_by_authority_and_by_name() {
    let own = include_bytes!("data/relay-cert.pem");
    for (host, trusting, delivered) in [
        ("localhost", true, true),
        // Nobody vouches for it.
        ("localhost", false, false),
        // It is for another name.
        ("127.0.0.1", true, false),
    ] {
        let (port, relay) = relay_with_tls();
        let mut smtp = Smtp::from_url(&format!("smtps://{host}:{port}")).unwrap().with_timeouts(PATIENT);
        if trusting {
            smtp = smtp.trusting(own).unwrap();
        }
        let notifier = notifier(smtp);
        let result = notifier.deliver(&notice(NoticeKind::Received, customer())).await;
        assert_eq!(result.is_ok(), delivered, "{host}, trusting: {trusting}: {result:?}");
        if !delivered {
            assert!(matches!(result, Err(NotifyError::Later(_))), "{result:?}");
        }
        // Closes the kept connection, which ends the relay.
        drop(notifier);
        assert_eq!(relay.join().unwrap(), usize::from(delivered));
    }
    assert!(Smtp::from_url("smtps://localhost").unwrap().trusting(b"no certificate").is_err());
}
