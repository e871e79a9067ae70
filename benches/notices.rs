//! How fast notices become letters and leave: a letter alone, then the whole way from the outbox on SQLite to a relay, over
//! connections that are used again, beside what the relay takes in the same run from somebody who does nothing else.
//!
//! The relay answers from this process and either forgets what it was given or, as RFC 5321, 6.1 asks of real ones, has
//! it on disk first. Run it with `cargo bench --bench notices`. It ends with lines `figure NAME VALUE UNIT`. Nothing is asserted of
//! times: a slow machine is not a fault.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use complaint_core::notice::{Notice, NoticeKind, Recipient};
use complaint_core::testing::{ManualClock, samples};
use complaint_core::{Actor, Desk, Notifier as _, NotifyError};
use complaint_notify::{EmailNotifier, IdsAreAddresses, Mail, MailTransport, Settings, Smtp};
use complaint_store_sqlx::SqliteStore;
use measure::{figure, median};
use scripted::{FINE, Moment, Relay};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

mod measure;
#[path = "../complaint-notify/tests/scripted/mod.rs"]
mod scripted;

/// Mails of one measurement, and how often it is repeated.
const MAILS: usize = 500;
const REPEATS: usize = 3;
/// As many connections as the courier has messages on their way at once.
const CONNECTIONS: usize = 4;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let letters = runtime.block_on(rendering());
    // The relay has threads of its own: it may wait for a disk.
    let elsewhere = tokio::runtime::Builder::new_multi_thread().worker_threads(CONNECTIONS).enable_all().build();
    let elsewhere = elsewhere.expect("a runtime");
    for keeps in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = keeps.then(|| folder.path().to_owned());
        let relay = Arc::new(elsewhere.block_on(relay(spool)));
        let name = if keeps { "keeping" } else { "forgetful" };
        let (mut limits, mut drains, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        let connections = relay.connections();
        for _ in 0..REPEATS {
            let limit = runtime.block_on(limit(relay.port, &letters));
            let drain = runtime.block_on(drain(relay.port));
            limits.push(limit);
            drains.push(drain);
            shares.push(drain / limit);
        }
        assert_eq!(relay.taken(), 2 * MAILS * REPEATS, "each mail arrives once");
        let connections = relay.connections() - connections;
        figure(&format!("notices_relay_{name}"), median(limits), "mails/s");
        figure(&format!("notices_drain_{name}"), median(drains), "mails/s");
        figure(&format!("notices_drain_{name}_of_relay"), median(shares), "ratio");
        figure(&format!("notices_connections_{name}"), as_f64(connections) / as_f64(2 * REPEATS), "each round");
    }
}

/// What it costs to make a letter; and the letters.
async fn rendering() -> Vec<Mail> {
    let folder = tempfile::tempdir().expect("a folder");
    let (desk, clock) = filled(folder.path()).await;
    let tray = Tray::default();
    let notifier = EmailNotifier::new(tray.clone(), IdsAreAddresses, settings(), clock);
    for (name, kind) in [("short", NoticeKind::Acknowledged), ("decision", NoticeKind::Decision)] {
        let mut took = Vec::new();
        for notice in waiting(&desk).await {
            let notice = Notice { kind, text: Some("The lid was cracked when it left us. ".repeat(20)), ..notice };
            let started = Instant::now();
            notifier.deliver(&notice).await.expect("a letter");
            took.push(started.elapsed().as_secs_f64() * 1e6);
        }
        figure(&format!("notices_render_{name}"), median(took), "us");
    }
    tray.0.lock().expect("unpoisoned").drain(..MAILS).collect()
}

/// A relay that has each message on disk before it says so, if there is a folder for them.
async fn relay(spool: Option<std::path::PathBuf>) -> Relay {
    let count = AtomicUsize::new(0);
    let keep = move |moment: Moment<'_>| {
        if let (Moment::Came(mail), Some(spool)) = (moment, &spool) {
            let name = spool.join(count.fetch_add(1, Ordering::Relaxed).to_string());
            let mut file = File::create(name).expect("a file");
            file.write_all(&mail.bytes).expect("written");
            file.sync_all().expect("on disk");
        }
    };
    Relay::watched(FINE, keep).await
}

/// How many mails a second the relay takes at most, from somebody with nothing else to do.
async fn limit(port: u16, letters: &[Mail]) -> f64 {
    let started = Instant::now();
    let clients = letters.chunks(MAILS.div_ceil(CONNECTIONS)).map(|letters| {
        let letters = letters.to_vec();
        tokio::spawn(async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
            stream.set_nodelay(true).expect("set");
            let mut stream = BufReader::new(stream);
            answer(&mut stream, "220").await;
            say(&mut stream, b"EHLO bench\r\n", "250 ").await;
            for letter in letters {
                say(&mut stream, format!("MAIL FROM:<{}>\r\n", letter.from()).as_bytes(), "250").await;
                say(&mut stream, format!("RCPT TO:<{}>\r\n", letter.to()).as_bytes(), "250").await;
                say(&mut stream, b"DATA\r\n", "354").await;
                say(&mut stream, &[letter.bytes(), b"\r\n.\r\n"].concat(), "250").await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("it ends");
    }
    as_f64(MAILS) / started.elapsed().as_secs_f64()
}

async fn say(stream: &mut BufReader<TcpStream>, words: &[u8], wanted: &str) {
    stream.write_all(words).await.expect("written");
    answer(stream, wanted).await;
}

async fn answer(stream: &mut BufReader<TcpStream>, wanted: &str) {
    let mut line = String::new();
    while !line.starts_with(wanted) {
        line.clear();
        assert!(stream.read_line(&mut line).await.expect("read") > 0, "it hung up");
    }
}

/// How many notices a second leave an outbox on SQLite.
async fn drain(port: u16) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let (desk, clock) = filled(folder.path()).await;
    let smtp = Smtp::from_url(&format!("smtp://127.0.0.1:{port}")).expect("a relay");
    let desk = desk.notifying(EmailNotifier::new(smtp, IdsAreAddresses, settings(), clock));
    let started = Instant::now();
    let done = desk.deliver().await.expect("delivers");
    assert_eq!((done.delivered, done.postponed, done.dead), (u32::try_from(MAILS).expect("small"), 0, 0));
    as_f64(MAILS) / started.elapsed().as_secs_f64()
}

/// A store with as many notices as are measured, each to a customer of its own.
async fn filled(folder: &Path) -> (Desk, Arc<ManualClock>) {
    let store = SqliteStore::open(&format!("sqlite:{}", folder.join("complaints.db").display())).await.expect("opens");
    store.migrate().await.expect("the tables are made");
    let clock = Arc::new(ManualClock::at(samples::monday()));
    let desk = Desk::new(store, samples::policy()).with_clock(clock.clone());
    for number in 0..MAILS {
        let customer = Actor::customer(format!("john{number}@home.example")).expect("a key");
        desk.acting_as(customer).submit(samples::broken_kettle()).await.expect("submitted");
    }
    // What nobody can be told is no mail.
    desk.clone().notifying(StaffAlone).deliver().await.expect("settled");
    assert_eq!(waiting(&desk).await.len(), MAILS);
    clock.advance(chrono::TimeDelta::minutes(1));
    (desk, clock)
}

/// Settles what goes to staff, and leaves the customers' to somebody else.
struct StaffAlone;

#[async_trait]
impl complaint_core::Notifier for StaffAlone {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        match notice.recipient {
            Recipient::Customer(_) => Err(NotifyError::Later("not mine".into())),
            _ => Ok(()),
        }
    }
}

async fn waiting(desk: &Desk) -> Vec<Notice> {
    desk.store().waiting(None, 10_000).await.expect("an outbox")
}

fn settings() -> Settings {
    Settings::new("Shop <care@shop.example>", "https://shop.example", "Shop").expect("settings")
}

/// Keeps what it is given.
#[derive(Clone, Default)]
struct Tray(Arc<Mutex<Vec<Mail>>>);

#[async_trait]
impl MailTransport for Tray {
    async fn send(&self, mail: &Mail) -> Result<(), NotifyError> {
        self.0.lock().expect("unpoisoned").push(mail.clone());
        Ok(())
    }
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("bounded"))
}
