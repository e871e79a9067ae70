//! A relay that does as it is told: a script of what it says in each phase, in the clear and over TLS. It keeps what it heard.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

/// The certificate of the relay, made for `localhost` and by nobody whom others trust.
pub(crate) const CERTIFICATE: &[u8] = include_bytes!("relay-cert.pem");
const KEY: &[u8] = include_bytes!("relay-key.pem");

/// Certificate and key as files, for a relay that reads them itself.
pub(crate) fn in_files() -> [String; 2] {
    ["relay-cert.pem", "relay-key.pem"].map(|name| format!("{}/tests/scripted/{name}", env!("CARGO_MANIFEST_DIR")))
}

/// What the relay does when its turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Say(&'static str),
    /// Says it, then hangs up.
    SayAndCut(&'static str),
    /// Says it at one byte a second.
    Drip(&'static str),
    /// Hangs up.
    Cut,
    /// Says nothing and keeps the line.
    Silent,
}

use Turn::{Cut, Drip, Say, SayAndCut, Silent};

/// Where TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Nowhere, whatever the script says to `STARTTLS`.
    Never,
    /// With the first byte.
    Wrapped,
    /// After the answer to `STARTTLS`.
    Upgraded,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    pub(crate) tls: Tls,
    pub(crate) greeting: Turn,
    pub(crate) hello: Turn,
    pub(crate) starttls: Turn,
    pub(crate) login: Turn,
    pub(crate) sender: Turn,
    /// To the sender of a further message on the same connection.
    pub(crate) sender_again: Turn,
    pub(crate) recipient: Turn,
    pub(crate) data: Turn,
    /// Hangs up after so many lines of a message.
    pub(crate) lines: usize,
    pub(crate) content: Turn,
    /// Hangs up after this many messages on one connection.
    pub(crate) messages: usize,
}

pub(crate) const FINE: Script = Script {
    tls: Tls::Never,
    greeting: Say("220 relay"),
    hello: Say("250-relay\r\n250 AUTH PLAIN"),
    starttls: Say("502 not here"),
    login: Say("235 welcome"),
    sender: Say("250 ok"),
    sender_again: Say("250 ok"),
    recipient: Say("250 ok"),
    data: Say("354 go on"),
    lines: usize::MAX,
    content: Say("250 taken"),
    messages: usize::MAX,
};

/// One that offers STARTTLS, and means it.
pub(crate) const UPGRADING: Script = Script {
    tls: Tls::Upgraded,
    hello: Say("250-relay\r\n250-STARTTLS\r\n250 AUTH PLAIN"),
    starttls: Say("220 go on"),
    ..FINE
};

/// A message that came whole, whatever was said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// To whom, as the envelope says.
    pub(crate) to: String,
    /// As it came, without the line with the dot.
    pub(crate) bytes: Vec<u8>,
    /// Whether a good answer was on its way.
    pub(crate) promised: bool,
}

/// When somebody else may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment<'a> {
    /// A message has come whole, and nothing was said to it yet.
    Came(&'a Taken),
    /// Its answer is on its way, and a good one.
    Promised,
}

type Watcher = dyn Fn(Moment<'_>) + Send + Sync;

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    commands: Vec<String>,
    messages: Vec<Taken>,
}

/// Ends with the test's runtime.
pub(crate) struct Relay {
    pub(crate) port: u16,
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Seen>>,
}

impl Relay {
    pub(crate) async fn playing(script: Script) -> Self {
        Self::watched(script, |_| {}).await
    }

    /// One that goes on only after `watcher` was told.
    pub(crate) async fn watched(script: Script, watcher: impl Fn(Moment<'_>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let relay = Self { port, script: Arc::new(Mutex::new(script)), seen: Arc::default() };
        let (script, seen) = (Arc::clone(&relay.script), Arc::clone(&relay.seen));
        let watcher: Arc<Watcher> = Arc::new(watcher);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                seen.lock().unwrap().connections += 1;
                let script = *script.lock().unwrap();
                tokio::spawn(converse(stream, script, Arc::clone(&seen), Arc::clone(&watcher)));
            }
        });
        relay
    }

    /// What it plays to those who connect from now on.
    pub(crate) fn play(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.seen.lock().unwrap().commands.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// The messages that came whole.
    pub(crate) fn came(&self) -> Vec<Taken> {
        self.seen.lock().unwrap().messages.clone()
    }

    /// How many messages it promised to deliver.
    pub(crate) fn taken(&self) -> usize {
        self.seen.lock().unwrap().messages.iter().filter(|message| message.promised).count()
    }
}

async fn converse(stream: TcpStream, script: Script, seen: Arc<Mutex<Seen>>, watcher: Arc<Watcher>) -> Option<()> {
    if script.tls == Tls::Wrapped {
        let stream = acceptor().accept(stream).await.ok()?;
        return Conversation::new(stream, script, seen, watcher).play(true).await.map(drop);
    }
    let plain = Conversation::new(stream, script, Arc::clone(&seen), Arc::clone(&watcher));
    let stream = acceptor().accept(plain.play(true).await?).await.ok()?;
    Conversation::new(stream, script, seen, watcher).play(false).await.map(drop)
}

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// One connection; ends when either side hangs up.
struct Conversation<S> {
    stream: BufReader<S>,
    script: Script,
    seen: Arc<Mutex<Seen>>,
    watcher: Arc<Watcher>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    fn new(stream: S, script: Script, seen: Arc<Mutex<Seen>>, watcher: Arc<Watcher>) -> Self {
        Self { stream: BufReader::new(stream), script, seen, watcher }
    }

    /// The stream, when TLS is to begin on it; else the conversation is over.
    async fn play(mut self, greets: bool) -> Option<S> {
        let script = self.script;
        if greets {
            self.turn(script.greeting).await?;
        }
        let (mut messages, mut to) = (0, String::new());
        loop {
            let line = next_line(&mut self.stream).await?;
            let command = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.seen.lock().unwrap().commands.push(command.clone());
            let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" => script.hello,
                "STARTTLS" => script.starttls,
                "AUTH" => script.login,
                "MAIL" if messages == 0 => script.sender,
                "MAIL" => script.sender_again,
                "RCPT" => {
                    to = command.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    script.recipient
                }
                "DATA" => script.data,
                "QUIT" => Cut,
                _ => Say("502 not here"),
            };
            self.turn(answer).await?;
            if verb == "STARTTLS" && script.tls == Tls::Upgraded && is_good(answer) {
                return Some(self.stream.into_inner());
            }
            if verb == "DATA" && matches!(answer, Say(words) if words.starts_with("354")) {
                self.take(&to).await?;
                messages += 1;
                if messages == script.messages {
                    return None;
                }
            }
        }
    }

    async fn take(&mut self, to: &str) -> Option<()> {
        let mut bytes = Vec::new();
        for lines in 0.. {
            if lines == self.script.lines {
                return None;
            }
            let line = next_line(&mut self.stream).await?;
            if line == b".\r\n" {
                break;
            }
            bytes.extend_from_slice(&line);
        }
        let promised = is_good(self.script.content);
        let taken = Taken { to: to.to_owned(), bytes, promised };
        (self.watcher)(Moment::Came(&taken));
        self.seen.lock().unwrap().messages.push(taken);
        let said = self.turn(self.script.content).await;
        if promised {
            (self.watcher)(Moment::Promised);
        }
        said
    }

    async fn turn(&mut self, turn: Turn) -> Option<()> {
        match turn {
            Say(words) => self.say(format!("{words}\r\n").as_bytes()).await,
            SayAndCut(words) => {
                self.say(format!("{words}\r\n").as_bytes()).await?;
                None
            }
            Drip(words) => {
                let mut second = tokio::time::interval(Duration::from_secs(1));
                for byte in format!("{words}\r\n").bytes() {
                    second.tick().await;
                    self.say(&[byte]).await?;
                }
                Some(())
            }
            Cut => None,
            Silent => {
                // Until the other side gives up.
                while next_line(&mut self.stream).await.is_some() {}
                None
            }
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.write_all(bytes).await.ok()?;
        self.stream.flush().await.ok()
    }
}

fn is_good(turn: Turn) -> bool {
    matches!(turn, Say(words) | SayAndCut(words) if words.starts_with('2'))
}

async fn next_line(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = stream.read_until(b'\n', &mut line).await.ok()?;
    (read > 0).then_some(line)
}
