//! The real server and a relay on its bad days: one that holds up every mail, and a kill between its promise and our note of it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mail_parser::MessageParser;
use serde_json::json;

use crate::http::{broken_kettle, do_it, field};
use crate::postgres::postgres;
use crate::scripted::Turn::{Cut, Drip};
use crate::scripted::{FINE, Moment, Relay, Script, Taken};
use crate::server::{Server, end};

/// How often the server is killed, unless `COMPLAINT_KILLS` says otherwise.
const KILLS: usize = 50;
/// Messages that each of a customer and a handler writes on each of two complaints.
const MESSAGES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_holds_up_every_mail_holds_up_no_complaint() {
    let mut server = Server::start();
    server.founded().await;
    let john = server.john().await;
    let tarpit =
        Script { content: Drip("250 taken, as you will have heard after a minute at one byte a second"), ..FINE };
    let relay = Relay::playing(tarpit).await;
    server.restart_mailing_to(relay.port);
    let submitting = async {
        for number in 0..8 {
            let complaint = server.post("/api/v1/complaints", &john, broken_kettle()).await;
            let text = json!({"text": format!("Message {number}")});
            do_it(&server, &john, field(&complaint, "id"), "post", text).await;
            until(async || !relay.came().is_empty(), "a mail on its way, from the first complaint on").await;
        }
    };
    // The first four mails alone would take longer.
    tokio::time::timeout(Duration::from_mins(1), submitting).await.expect("nobody waits for the relay");
    let rows = rows(&server).await;
    assert!(rows.len() > 16 && rows.iter().all(|row| !row.delivered), "every mail waits for the relay: {rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_promise_and_the_note_of_it_each_gets_theirs_and_again_only_what_was_on_its_way() {
    each_gets_theirs(Server::start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_beside_a_postgres_each_gets_theirs_as_well() {
    if let Some(database) = postgres() {
        each_gets_theirs(Server::start_on(Some(database))).await;
    }
}

async fn each_gets_theirs(mut server: Server) {
    let admin = server.founded().await;
    let people = planned(&mut server, &admin).await;

    let target: Arc<Mutex<Option<Arc<Mutex<Child>>>>> = Arc::default();
    let aim = Arc::clone(&target);
    let relay = Relay::watched(FINE, move |moment| {
        if moment == Moment::Promised
            && let Some(process) = aim.lock().expect("unpoisoned").take()
        {
            end(&process);
        }
    })
    .await;
    let kills = std::env::var("COMPLAINT_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    // What was noted down at each kill, and how many mails had come by then.
    let mut noted = Vec::new();
    for kill in 0..kills {
        // Who has the file alone takes up again what was claimed when it was killed; beside others its lease would have to end.
        if kill == 0 || server.may_have_company() {
            free_all(&server).await;
        }
        // Before it is ready: what it sends from then on would be gone before it is aimed at.
        *target.lock().expect("unpoisoned") = Some(server.begin_again_mailing_to(relay.port));
        until(async || target.lock().expect("unpoisoned").is_none(), &format!("kill {kill}")).await;
        end(&server.process());
        let delivered: BTreeSet<String> =
            rows(&server).await.into_iter().filter(|row| row.delivered).map(|row| row.id).collect();
        noted.push((relay.came().len(), delivered));
    }
    let before_the_last = relay.came().len();
    free_all(&server).await;
    server.restart_mailing_to(relay.port);
    until(async || rows(&server).await.iter().all(|row| row.delivered), "all is delivered in the end").await;

    let came: Vec<Mail> = relay.came().iter().map(Mail::of).collect();
    let rows = rows(&server).await;
    let mut copies: BTreeMap<&str, Vec<&Mail>> = BTreeMap::new();
    for mail in &came {
        copies.entry(&mail.notice).or_default().push(mail);
    }
    for row in &rows {
        let copies = copies.remove(row.id.as_str()).unwrap_or_default();
        assert!(!copies.is_empty(), "nobody had {row:?}");
        for mail in copies.iter().copied() {
            assert_eq!(Some(&mail.to), people.get(&row.recipient), "{row:?}");
            assert_eq!(mail, copies[0], "a copy is the same but for its date");
        }
    }
    assert!(copies.is_empty(), "nobody planned {:?}", copies.keys());
    let again = came.len() - rows.len();
    // At each kill four at most were on their way.
    assert!((1..=4 * kills).contains(&again), "{again} came again");
    for (arrived, delivered) in &noted {
        let repeated: Vec<&Mail> = came[*arrived..].iter().filter(|mail| delivered.contains(&mail.notice)).collect();
        assert!(repeated.is_empty(), "noted down, and sent again: {repeated:?}");
    }
    let last: Vec<&str> = came[before_the_last..].iter().map(|mail| mail.notice.as_str()).collect();
    assert_eq!(last.iter().collect::<BTreeSet<_>>().len(), last.len(), "nobody was killed, and nothing came twice");
}

/// Two customers and their handler have written to each other while the relay was down. Gives the address of each recipient.
async fn planned(server: &mut Server, admin: &str) -> BTreeMap<String, String> {
    let customers = [server.john().await, server.customer("Jane Hill", "jane@home.example").await];
    let sarah = server.token("sarah@shop.example").await;
    let down = Relay::playing(Script { greeting: Cut, ..FINE }).await;
    server.restart_mailing_to(down.port);
    let mut people = BTreeMap::new();
    for token in customers.iter().chain([&sarah, &admin.to_owned()]) {
        let me = server.get("/api/v1/me", token).await;
        people.insert(field(&me, "id").to_owned(), field(&me, "email").to_owned());
    }
    for customer in &customers {
        let complaint = server.post("/api/v1/complaints", customer, broken_kettle()).await;
        let id = field(&complaint, "id");
        do_it(server, &sarah, id, "begin", json!({})).await;
        for number in 0..MESSAGES {
            for token in [customer, &sarah] {
                do_it(server, token, id, "post", json!({"text": format!("Message {number}")})).await;
            }
        }
    }
    end(&server.process());
    people
}

/// A row of the outbox.
#[derive(Debug)]
struct Row {
    id: String,
    recipient: String,
    delivered: bool,
}

/// What waits in the outbox or was delivered from it; by a relay, not by the folder before it.
async fn rows(server: &Server) -> Vec<Row> {
    let rows = server.kept().rows().await;
    assert!(!rows.is_empty());
    rows.into_iter()
        .map(|row| {
            assert_ne!(row.state, "dead", "{row:?}");
            Row { id: row.id, recipient: row.recipient, delivered: row.state == "delivered" }
        })
        .collect()
}

/// As if the time had come at which what was held or put off may be tried again.
async fn free_all(server: &Server) {
    server.kept().free_all().await;
}

async fn until(happened: impl AsyncFn() -> bool, what: &str) {
    let waiting = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !happened().await {
            look.tick().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), waiting).await.is_ok(), "in vain: {what}");
}

/// A mail that came, without its date and its links: each time it is started, the server listens elsewhere.
#[derive(Debug, PartialEq, Eq)]
struct Mail {
    notice: String,
    to: String,
    subject: String,
    text: String,
}

impl Mail {
    fn of(taken: &Taken) -> Self {
        let message = MessageParser::default().parse(&taken.bytes).expect("a message");
        let (id, _) = message.message_id().and_then(|id| id.split_once('@')).expect("an id");
        let to = message.to().and_then(|to| to.first()?.address()).expect("a recipient");
        assert_eq!(to, taken.to, "the envelope says who reads it");
        let text = message.body_text(0).expect("a text");
        let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("http://")).collect();
        Self {
            notice: id.to_owned(),
            to: to.to_owned(),
            subject: message.subject().expect("a subject").to_owned(),
            text: text.join("\n"),
        }
    }
}
