//! What becomes of the rows that wait in the outbox, whatever the relay does: a written table, tried with ten mails each.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use complaint_core::store::Store;
use complaint_core::testing::{ManualClock, samples};
use complaint_core::{Actor, Desk};
use complaint_notify::{EmailNotifier, IdsAreAddresses, Settings, Smtp, Timeouts};
use complaint_store_sqlx::SqliteStore;
use complaint_store_sqlx::postgres::PostgresOptions;
use mail_parser::MessageParser;

use crate::kept::Kept;
use crate::postgres::postgres;
use crate::scripted::Turn::{Cut, Drip, Say, SayAndCut, Silent};
use crate::scripted::{CERTIFICATE, FINE, Relay, Script, Tls, UPGRADING};

const MAILS: usize = 10;

/// What a row says afterwards, and what its error names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Delivered,
    /// Again in half a minute.
    Waiting(&'static str),
    Dead(&'static str),
}

use Row::{Dead, Delivered, Waiting};

const UNUSABLE: &str = "the relay cannot be used";
const SLOW: &str = "the relay took too long";

/// What the relay does, by name; what the rows say then; and how many of the ten messages have reached it whole.
const TABLE: [(&str, Script, Row, usize); 32] = [
    ("takes all", FINE, Delivered, MAILS),
    ("takes all after STARTTLS", UPGRADING, Delivered, MAILS),
    ("takes all under TLS", Script { tls: Tls::Wrapped, ..FINE }, Delivered, MAILS),
    ("takes one message a connection", Script { messages: 1, ..FINE }, Delivered, MAILS),
    ("250, then cut", Script { content: SayAndCut("250 taken"), ..FINE }, Delivered, MAILS),
    ("goes away before the next", Script { sender_again: SayAndCut("421 bye"), ..FINE }, Delivered, MAILS),
    ("greets with 421", Script { greeting: SayAndCut("421 busy"), ..FINE }, Waiting("421"), 0),
    ("greets with 554", Script { greeting: Say("554 go away"), ..FINE }, Waiting("554"), 0),
    ("is no relay", Script { greeting: Say("HTTP/1.1 400 Bad Request"), ..FINE }, Waiting(UNUSABLE), 0),
    ("cuts at once", Script { greeting: Cut, ..FINE }, Waiting(UNUSABLE), 0),
    ("greets at one byte a second", Script { greeting: Drip("220 relay"), ..FINE }, Waiting(SLOW), 0),
    ("does not greet", Script { greeting: Silent, ..FINE }, Waiting(SLOW), 0),
    ("does not want us", Script { hello: Say("550 no"), ..FINE }, Waiting("550"), 0),
    ("does not know us", Script { login: Say("535 who?"), ..UPGRADING }, Waiting("535"), 0),
    ("cannot look us up", Script { login: Say("454 later"), ..UPGRADING }, Waiting("454"), 0),
    ("has no STARTTLS, or somebody stripped it", Script { hello: FINE.hello, ..UPGRADING }, Waiting("STARTTLS"), 0),
    ("refuses STARTTLS", Script { starttls: Say("454 not now"), ..UPGRADING }, Waiting("454"), 0),
    ("goes on in the clear", Script { tls: Tls::Never, ..UPGRADING }, Waiting(UNUSABLE), 0),
    (
        "is answered for by another before TLS begins",
        Script { starttls: Say("220 go on\r\n250 ok"), ..UPGRADING },
        Waiting(UNUSABLE),
        0,
    ),
    ("refuses the sender for now", Script { sender: Say("451 later"), ..FINE }, Waiting("the sender: "), 0),
    ("refuses the sender", Script { sender: Say("550 not you"), ..FINE }, Waiting("the sender: "), 0),
    ("goes away at the recipient", Script { recipient: SayAndCut("421 bye"), ..FINE }, Waiting("421"), 0),
    ("greylists", Script { recipient: Say("450 in a while"), ..FINE }, Waiting("the recipient: "), 0),
    ("has no such mailbox", Script { recipient: Say("550 unknown"), ..FINE }, Dead("the recipient: 550 unknown"), 0),
    ("refuses all content", Script { data: Say("554 none"), ..FINE }, Dead("want the message: 554 none"), 0),
    ("is out of step", Script { data: Say("250 ok"), ..FINE }, Waiting("does not belong to the command"), 0),
    ("cuts within the message", Script { lines: 7, ..FINE }, Waiting("take the message"), 0),
    ("cuts after the dot", Script { content: Cut, ..FINE }, Waiting("take the message"), MAILS),
    ("is full", Script { content: Say("452 full"), ..FINE }, Waiting("take the message"), MAILS),
    ("takes it for too long", Script { content: Say("552 too big"), ..FINE }, Dead("the message: 552 too big"), MAILS),
    ("takes it for spam", Script { content: Say("554 spam"), ..FINE }, Dead("the message: 554 spam"), MAILS),
    ("answers at one byte a second", Script { content: Drip("250 taken"), ..FINE }, Waiting(SLOW), MAILS),
];

#[tokio::test]
async fn the_rows_say_what_the_table_says_and_what_waits_arrives_once_the_relay_is_mended() {
    the_table_holds(async |script| House::with(script).await).await;
}

#[tokio::test]
async fn on_postgres_the_rows_say_the_same() {
    if postgres().is_none() {
        return;
    }
    // In a schema of its own each.
    the_table_holds(async |script| House::on_postgres(script, postgres().expect("named")).await).await;
}

async fn the_table_holds(house: impl AsyncFn(Script) -> House) {
    for (name, script, wanted, reached) in TABLE {
        let house = house(script).await;
        house.desk.deliver().await.expect("delivers");
        for row in house.rows().await {
            assert_eq!(row.attempts, 1, "{name}: {row:?}");
            let fits = match wanted {
                Delivered => row.is("delivered", ""),
                Waiting(why) => row.is("waiting", why) && row.waits == Some(30),
                Dead(why) => row.is("dead", why),
            };
            assert!(fits, "{name} is to be {wanted:?}: {row:?}");
        }
        let came = house.came(reached).await;
        assert_eq!(came.len(), reached, "{name}");

        house.relay.play(mended(script));
        house.clock.advance(TimeDelta::seconds(30));
        house.desk.deliver().await.expect("delivers");
        let settled = if matches!(wanted, Dead(_)) { "dead" } else { "delivered" };
        let rows = house.rows().await;
        assert!(rows.iter().all(|row| row.state == settled), "{name}, mended: {rows:?}");
        // Who got it again got the same again.
        let repeated = if matches!(wanted, Waiting(_)) { MAILS } else { 0 };
        let again = house.came(reached + repeated).await.split_off(reached);
        assert_eq!(again.len(), repeated, "{name}, mended");
        if reached == MAILS {
            assert!(again.iter().all(|mail| came.contains(mail)), "{name}: {came:?} {again:?}");
        }
    }
}

#[tokio::test]
async fn a_relay_that_never_takes_it_is_tried_eight_times_over_ten_hours() {
    let house = House::with(Script { recipient: Say("450 in a while"), ..FINE }).await;
    for waits in [30, 120, 600, 1800, 3600, 7200, 21_600].map(Some) {
        house.desk.deliver().await.expect("delivers");
        let rows = house.rows().await;
        assert!(rows.iter().all(|row| row.is("waiting", "450") && row.waits == waits), "{waits:?}: {rows:?}");
        house.clock.advance(TimeDelta::seconds(waits.expect("seconds") - 1));
        assert_eq!(house.desk.deliver().await.expect("delivers").postponed, 0, "not yet");
        house.clock.advance(TimeDelta::seconds(1));
    }
    house.desk.deliver().await.expect("delivers");
    let rows = house.rows().await;
    assert!(rows.iter().all(|row| row.is("dead", "450") && row.attempts == 8), "{rows:?}");
}

/// Of each phase in which the relay would never end the time is short; the others must not depend on a fast machine.
fn timeouts(script: Script) -> Timeouts {
    let [patient, hasty] = [Duration::from_mins(1), Duration::from_millis(300)];
    let limit = |is_slow| if is_slow { hasty } else { patient };
    let slow = |turn| matches!(turn, Drip(_) | Silent);
    // Where TLS is spoken to, one who expects a line waits for the rest of it.
    let deaf = script.tls == Tls::Never && script.starttls != FINE.starttls;
    Timeouts { connect: limit(slow(script.greeting) || deaf), command: patient, content: limit(slow(script.content)) }
}

fn mended(script: Script) -> Script {
    match script.tls {
        Tls::Wrapped => Script { tls: Tls::Wrapped, ..FINE },
        Tls::Never if script.starttls == FINE.starttls => FINE,
        Tls::Never | Tls::Upgraded => UPGRADING,
    }
}

struct House {
    desk: Desk,
    clock: Arc<ManualClock>,
    relay: Relay,
    kept: Kept,
    _folder: Option<tempfile::TempDir>,
}

/// A row of the outbox, as an operator sees it.
#[derive(Debug)]
struct Stored {
    state: String,
    attempts: i64,
    error: Option<String>,
    /// Seconds until it is tried again.
    waits: Option<i64>,
}

impl Stored {
    fn is(&self, state: &str, why: &str) -> bool {
        self.state == state && self.error.as_deref().unwrap_or_default().contains(why)
    }
}

impl House {
    /// Ten notices wait for a relay.
    async fn with(script: Script) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("complaints.db");
        let store = SqliteStore::open(&format!("sqlite:{}", file.display())).await.expect("the store opens");
        store.migrate().await.expect("the tables are made");
        Self::over(script, store, Kept::in_file(&file), Some(folder)).await
    }

    async fn on_postgres(script: Script, url: String) -> Self {
        let (address, schema) = url.rsplit_once("schema=").expect("a schema of its own");
        let options = PostgresOptions::new(address.trim_end_matches(['?', '&'])).expect("an address").not_durable();
        let options = options.in_schema(schema).expect("a name");
        let store = options.open().await.expect("the store opens");
        store.migrate().await.expect("the tables are made");
        Self::over(script, store, Kept::Postgres(url), None).await
    }

    async fn over(script: Script, store: impl Store + 'static, kept: Kept, folder: Option<tempfile::TempDir>) -> Self {
        let relay = Relay::playing(script).await;
        let clock = Arc::new(ManualClock::at(samples::monday()));
        let notifier = EmailNotifier::new(smtp(&relay, script), IdsAreAddresses, settings(), clock.clone());
        let desk = Desk::new(store, samples::policy()).with_clock(clock.clone()).notifying(notifier);
        let house = Self { desk, clock, relay, kept, _folder: folder };
        house.fill().await;
        house
    }

    /// Each complaint is acknowledged to its customer by mail; nobody is there to take it.
    async fn fill(&self) {
        for number in 0..MAILS {
            let customer = Actor::customer(format!("john{number}@home.example")).expect("a key");
            self.desk.acting_as(customer).submit(samples::broken_kettle()).await.expect("submitted");
        }
    }

    async fn rows(&self) -> Vec<Stored> {
        let now = self.desk.now().timestamp_micros();
        let rows = self.kept.rows().await.into_iter().filter(|row| row.is_customers);
        let rows: Vec<Stored> = rows
            .map(|row| {
                let waits = (row.state == "waiting").then_some((row.available_at - now) / 1_000_000);
                Stored { state: row.state, attempts: row.attempts, error: row.error, waits }
            })
            .collect();
        assert_eq!(rows.len(), MAILS);
        rows
    }

    /// Recipient and `Message-ID` of each message that reached the relay whole, once it has read so many.
    async fn came(&self, wanted: usize) -> Vec<(String, String)> {
        let reading = async {
            while self.relay.came().len() < wanted {
                tokio::task::yield_now().await;
            }
        };
        // Whoever calls says what is wrong with fewer.
        let _ = tokio::time::timeout(Duration::from_mins(1), reading).await;
        self.relay
            .came()
            .into_iter()
            .map(|mail| {
                let message = MessageParser::default().parse(&mail.bytes).expect("a message");
                let to = message.to().and_then(|to| to.first()?.address()).expect("a recipient").to_owned();
                assert_eq!(to, mail.to, "the envelope says who reads it");
                (mail.to, message.message_id().expect("an id").to_owned())
            })
            .collect()
    }
}

fn settings() -> Settings {
    Settings::new("Shop <care@shop.example>", "https://shop.example", "Shop").expect("settings")
}

fn smtp(relay: &Relay, script: Script) -> Smtp {
    let scheme = match script.tls {
        Tls::Wrapped => "smtps://user:word@",
        Tls::Never if script.starttls == FINE.starttls => "smtp://",
        Tls::Never | Tls::Upgraded => "smtp+starttls://user:word@",
    };
    let smtp = Smtp::from_url(&format!("{scheme}localhost:{}", relay.port)).expect("a relay");
    smtp.with_timeouts(timeouts(script)).trusting(CERTIFICATE).expect("a certificate")
}
