//! Attachments: in, out, and every way in which it goes wrong.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::{Method, Request};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::house::{House, form};
use crate::support::{Answer, With, on_postgres};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";
const PDF: &[u8] = b"%PDF-1.7\nlid";
/// The beginning of a document of a word processor, up to the name of its second entry.
const DOCX: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x11\0\0\0word/document.xml";
const MIB: usize = 1024 * 1024;
/// Long enough for a busy disk.
const PATIENCE: Duration = Duration::from_mins(1);

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| if path.is_dir() { count(&path) } else { 1 })
        .sum()
}

impl House {
    fn kept(&self) -> usize {
        count(&self.it.folder.path().join("data/attachments"))
    }

    /// What broke off is removed in the background.
    async fn keeps(&self, wanted: usize) {
        let settled = async {
            while self.kept() != wanted {
                tokio::task::yield_now().await;
                std::thread::yield_now();
            }
        };
        let settled = timeout(PATIENCE, settled).await;
        assert!(settled.is_ok(), "{} files instead of {wanted}", self.kept());
    }

    /// How many files a complaint has, once as many are kept beside the `others`.
    async fn settles(&self, path: &str, others: usize) -> usize {
        let settled = async {
            loop {
                let files = self.read(path, &self.john).await["attachments"].as_array().map_or(0, Vec::len);
                if self.kept() == others + files {
                    return files;
                }
                tokio::task::yield_now().await;
            }
        };
        let settled = timeout(PATIENCE, settled).await;
        assert!(settled.is_ok(), "{} files beside {others}: {}", self.kept(), self.read(path, &self.john).await);
        settled.unwrap_or_default()
    }
}

/// Whoever waits for a future until it was looked at so many times, and then goes away.
struct Leaves<F> {
    waits_for: Pin<Box<F>>,
    looks: usize,
}

impl<F: Future> Future for Leaves<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let Some(left) = self.looks.checked_sub(1) else { return Poll::Ready(None) };
        self.looks = left;
        self.waits_for.as_mut().poll(context).map(Some)
    }
}

/// As browsers write it, and as programs do that escape it.
#[tokio::test]
async fn a_quote_in_the_name_of_a_file_stays_a_quote() {
    let house = House::new().await;
    let path = house.complaint().await;
    for name in ["12%22 screen.png", "12\\\" screen.png"] {
        let sent = house.upload(&path, &[(name, "image/png", PNG)], &house.john).await;
        let files = sent.json()["attachments"].as_array().cloned().unwrap_or_default();
        assert_eq!(files.last().expect("a file")["file_name"], "12\" screen.png", "{name}");
    }
    let sent = house.upload(&path, &[("100%25 new.png", "image/png", PNG)], &house.john).await.json();
    assert_eq!(sent["attachments"][2]["file_name"], "100%25 new.png", "nothing else is encoded");
    let broken = house.upload(&path, &[("a%0D%0Ab.png", "image/png", PNG)], &house.john).await;
    assert_eq!(broken.fields(), [("files.0".to_owned(), "bad_name".to_owned())], "{}", broken.text);
}

#[tokio::test]
async fn a_photo_and_a_document_come_back_as_they_were() {
    let house = House::new().await;
    let path = house.complaint().await;
    let sent = house
        .upload(&path, &[("Gerät.png", "text/html", PNG), ("../invoice.pdf", "image/png", PDF)], &house.john)
        .await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    assert_eq!(sent.header("etag"), "\"2\"");
    let view = sent.json();
    let files = view["attachments"].as_array().expect("files");
    let facts: Vec<(&str, &str, u64)> = files
        .iter()
        .map(|f| {
            (
                f["file_name"].as_str().expect("a name"),
                f["media_type"].as_str().expect("a type"),
                f["size"].as_u64().expect("a size"),
            )
        })
        .collect();
    assert_eq!(
        facts,
        [("Gerät.png", "image/png", 12), ("invoice.pdf", "application/pdf", 12)],
        "the bytes say what they are"
    );
    let href = files[1]["href"].as_str().expect("a path");
    for who in [&house.john, &house.sarah] {
        let got = house.it.get(href, who).await;
        assert_eq!((got.status.as_u16(), got.text.as_bytes()), (200, PDF));
        assert_eq!(got.header("content-type"), "application/pdf");
        assert_eq!(
            got.header("content-disposition"),
            "attachment; filename=\"invoice.pdf\"; filename*=UTF-8''invoice.pdf"
        );
        assert_eq!(got.header("content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(got.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!((got.header("x-content-type-options"), got.header("content-length")), ("nosniff", "12"));
    }
    for who in [&house.jane, &house.ben] {
        assert_eq!(house.it.get(href, who).await.problem(), (404, "not_found".into()));
    }
    let forged = format!("{path}/attachments/0190c6e6-0000-7000-8000-000000000000");
    assert_eq!(house.it.get(&forged, &house.john).await.problem(), (404, "not_found".into()));
    let log = house.read(&format!("{path}/log"), &house.sarah).await;
    let facts = log["items"].as_array().expect("items").iter().find(|entry| entry["type"] == "attached");
    assert!(facts.is_some_and(|entry| !entry["facts"].to_string().contains("file_name")), "{log}");
    let messages = house.read(&format!("{path}/messages"), &house.sarah).await;
    assert_eq!(messages["items"][0]["attachments"][0]["file_name"], "Gerät.png");
    assert_eq!(house.kept(), 2);
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    if on_postgres() {
        return; // Servers that share a folder leave there what is refused.
    }
    let house = House::new().await;
    let path = house.complaint().await;
    let eleven: Vec<(&str, &str, &[u8])> = vec![("a.txt", "text/plain", b"a"); 11];
    let long = "x".repeat(201);
    for (files, status, field, code) in [
        (vec![("a.txt", "text/plain", b"".as_slice())], 422, "files.0", "empty_file"),
        (
            vec![("ok.txt", "text/plain", b"ok"), ("page.html", "text/plain", b"<!DOCTYPE html><script>")],
            422,
            "files.1",
            "wrong_media_type",
        ),
        (vec![("a.png", "image/png", b"MZ\x90\x00\x03")], 422, "files.0", "wrong_media_type"),
        (vec![("a.txt", "text/plain", b"a\0b")], 422, "files.0", "wrong_media_type"),
        (
            vec![("a.svg", "image/png", b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>")],
            422,
            "files.0",
            "wrong_media_type",
        ),
        (vec![("run.bat", "text/plain", b"del *")], 422, "files.0", "wrong_name"),
        (vec![("a.js", "text/plain", b"alert(1)")], 422, "files.0", "wrong_name"),
        (vec![("x.url", "text/plain", b"[InternetShortcut]\nURL=http://a/")], 422, "files.0", "wrong_name"),
        (vec![("invoice.hta", "image/gif", b"GIF89a=1;<script>")], 422, "files.0", "wrong_name"),
        (vec![("ok.png", "image/png", PNG), ("photo.png.exe", "image/png", PNG)], 422, "files.1", "wrong_name"),
        (vec![("a.exe.png", "image/png", PNG)], 422, "files.0", "wrong_name"),
        (vec![("a.pdf.exe", "application/pdf", PDF)], 422, "files.0", "wrong_name"),
        (vec![("a.docm", "application/zip", DOCX)], 422, "files.0", "wrong_name"),
        (vec![("scan", "application/pdf", PDF)], 422, "files.0", "wrong_name"),
        (eleven, 422, "files", "too_many"),
        (vec![], 422, "files", "missing"),
        (vec![("/", "text/plain", b"a")], 422, "files.0", "bad_name"),
        (vec![(long.as_str(), "text/plain", b"a")], 422, "files.0", "bad_name"),
        (vec![("p\u{202E}gnp.exe", "text/plain", b"a")], 422, "files.0", "bad_name"),
    ] {
        let refused = house.upload(&path, &files, &house.john).await;
        assert_eq!(refused.status.as_u16(), status, "{code}: {}", refused.text);
        if code == "wrong_name" {
            let (name, ..) = files.last().expect("a file");
            assert!(refused.text.contains(&format!("“{name}”")) && refused.text.contains("(.pdf)"), "{}", refused.text);
        }
        assert!(refused.fields().contains(&(field.to_owned(), code.to_owned())), "{code}: {}", refused.text);
        house.keeps(0).await;
    }
    let text = b"--XX\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\nclosed\r\n--XX--\r\n".to_vec();
    let send = |kind: &'static str, body: Vec<u8>| {
        let path = format!("{path}/attachments");
        async move { (path, kind, body) }
    };
    for (kind, body, problem) in [
        ("multipart/form-data; boundary=XX", text, (422, "invalid_body")),
        (
            "multipart/form-data; boundary=XX",
            form(&[("a.txt", "text/plain", b"abc")])[..90].to_vec(),
            (400, "malformed_multipart"),
        ),
        ("multipart/form-data; boundary=XX", b"nonsense".to_vec(), (400, "malformed_multipart")),
        ("multipart/form-data", form(&[("a.txt", "text/plain", b"abc")]), (415, "unsupported_media_type")),
        ("application/json", b"{}".to_vec(), (415, "unsupported_media_type")),
    ] {
        let (path, kind, body) = send(kind, body).await;
        let refused = house.it.send(Method::POST, &path, Some(kind), body, &house.john).await;
        let (status, code) = refused.problem();
        assert_eq!((status, code.as_str()), problem, "{}", refused.text);
        house.keeps(0).await;
    }
    assert_eq!(house.read(&path, &house.john).await["version"], 1);
}

#[tokio::test]
async fn all_that_is_wrong_with_files_is_told_at_once() {
    let house = House::new().await;
    let path = house.complaint().await;
    let told = |field: &str, code: &str| (field.to_owned(), code.to_owned());
    let more = vec![b'x'; 10 * MIB + 1];
    let files: [(&str, &str, &[u8]); 4] = [
        ("run.exe", "image/png", b"MZ\x90\0"),
        ("empty.png", "image/png", b""),
        ("big.txt", "text/plain", &more),
        ("note.txt", "text/plain", b"fine"),
    ];
    let refused = house.upload(&path, &files, &house.john).await;
    let wrong = [told("files.1", "empty_file"), told("files.2", "file_too_large"), told("files.0", "wrong_media_type")];
    assert_eq!((refused.status.as_u16(), refused.fields()), (422, wrong.to_vec()), "{}", refused.text);
    // What ends the reading says what was wrong before.
    let (exactly, rest) = (&more[1..], &more[..=5 * MIB]);
    let all =
        [files[1], ("1.txt", "text/plain", exactly), ("2.txt", "text/plain", exactly), ("3.txt", "text/plain", rest)];
    let refused = house.upload(&path, &all, &house.john).await;
    assert_eq!(refused.problem(), (413, "too_large".into()));
    assert!(refused.fields().contains(&told("files.0", "empty_file")), "{}", refused.text);

    house.done(&path, "withdraw", json!({}), &house.john).await;
    let refused = house.upload(&path, &files[1..2], &house.john).await;
    assert_eq!(refused.fields(), [told("files.0", "empty_file"), told("", "wrong_status")], "{}", refused.text);
    if !on_postgres() {
        house.keeps(0).await;
    }
    assert_eq!(house.read(&path, &house.john).await["attachments"], json!([]));
}

#[tokio::test]
async fn limits_are_exact() {
    if on_postgres() {
        return; // Servers that share a folder leave there what is refused.
    }
    let house = House::new().await;
    let path = house.complaint().await;
    let exactly = vec![b'x'; 10 * MIB];
    let more = vec![b'x'; 10 * MIB + 1];
    let refused = house.upload(&path, &[("big.txt", "text/plain", &more)], &house.john).await;
    assert_eq!(refused.problem(), (413, "file_too_large".into()));
    let third = vec![b'y'; 5 * MIB + 1];
    let together: [(&str, &str, &[u8]); 3] =
        [("1.txt", "text/plain", &exactly), ("2.txt", "text/plain", &exactly), ("3.txt", "text/plain", &third)];
    assert_eq!(house.upload(&path, &together, &house.john).await.problem(), (413, "too_large".into()));
    house.keeps(0).await;
    let taken = house.upload(&path, &[("big.txt", "text/plain", &exactly)], &house.john).await;
    assert_eq!(taken.status, 201, "{}", taken.text);
    let names: Vec<String> = (0..9).map(|n| format!("{n}.txt")).collect();
    let nine: Vec<(&str, &str, &[u8])> =
        names.iter().map(|name| (name.as_str(), "text/plain", name.as_bytes())).collect();
    assert_eq!(house.upload(&path, &nine, &house.john).await.status, 201, "ten in all");
    let eleventh = house.upload(&path, &[("11.txt", "text/plain", b"eleven")], &house.john).await;
    assert_eq!((eleventh.status.as_u16(), eleventh.fields()), (422, vec![("files".into(), "too_many".into())]));
    house.keeps(10).await;
}

#[tokio::test]
async fn a_refused_command_takes_away_only_its_own() {
    if on_postgres() {
        return; // Servers that share a folder leave there what is refused.
    }
    let house = House::new().await;
    let (first, second) = (house.complaint().await, house.complaint().await);
    assert_eq!(house.upload(&first, &[("a.pdf", "x/y", PDF)], &house.john).await.status, 201);
    house.done(&second, "withdraw", json!({}), &house.john).await;
    let refused = house.upload(&second, &[("b.pdf", "x/y", PDF), ("c.png", "x/y", PNG)], &house.john).await;
    assert_eq!(refused.problem(), (422, "wrong_status".into()));
    house.keeps(1).await;
    let stale = house.john.clone().header("if-match", "\"1\"");
    assert_eq!(house.upload(&first, &[("c.png", "x/y", PNG)], &stale).await.problem(), (409, "stale_version".into()));
    house.keeps(1).await;
    let href = house.read(&first, &house.john).await["attachments"][0]["href"].as_str().expect("a path").to_owned();
    assert_eq!(house.it.get(&href, &house.john).await.text.as_bytes(), PDF);
    let once = house.john.clone().header("idempotency-key", "files-1");
    let sent = house.upload(&first, &[("c.png", "x/y", PNG)], &once).await;
    assert_eq!(sent.status, 201);
    assert_eq!(house.upload(&first, &[("c.png", "x/y", PNG)], &once).await.text, sent.text, "sent twice, taken once");
}

#[tokio::test]
async fn whoever_hangs_up_leaves_nothing() {
    if on_postgres() {
        return; // Servers that share a folder leave there what is refused.
    }
    let house = House::new().await;
    let path = house.complaint().await;
    let token = house.john.bearer.clone().expect("a token");
    let request = |body: Body| {
        Request::builder()
            .method(Method::POST)
            .uri(format!("{path}/attachments"))
            .header("host", "127.0.0.1:8080")
            .header(CONTENT_TYPE, "multipart/form-data; boundary=XX")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(body)
            .expect("a request")
    };
    let whole = form(&[("one.txt", "text/plain", b"first"), ("two.txt", "text/plain", &vec![b'x'; 200_000])]);
    let half = Bytes::from(whole[..100_000].to_vec());

    // The connection breaks while the second file comes in.
    let broken = stream::iter([Ok(half.clone()), Err(std::io::Error::other("gone"))]);
    let answer = house.it.raw(request(Body::from_stream(broken))).await;
    assert_eq!(answer.problem(), (400, "malformed_multipart".into()));
    house.keeps(0).await;

    // The server drops the request while it waits for more.
    let (waits, mut waiting) = mpsc::unbounded_channel();
    let stalled = stream::unfold(Some(half), move |next| {
        let waits = waits.clone();
        async move {
            if let Some(half) = next {
                return Some((Ok::<_, std::io::Error>(half), None));
            }
            let _ = waits.send(());
            std::future::pending().await
        }
    });
    let upload = house.it.open(request(Body::from_stream(stalled)));
    tokio::select! {
        _ = upload => panic!("answered before the end"),
        said = waiting.recv() => assert!(said.is_some()),
    }
    house.keeps(0).await;
    assert_eq!(house.read(&path, &house.john).await["version"], 1);
}

/// A form of a text and files, as a message is sent.
fn message(text: Option<&str>, files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let part = |text: &str| format!("--XX\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{text}\r\n");
    [text.map(part).unwrap_or_default().into_bytes(), form(files)].concat()
}

impl House {
    async fn says(&self, path: &str, name: &str, body: Vec<u8>, who: &With) -> Answer {
        let path = format!("{path}/commands/{name}");
        self.it.send(Method::POST, &path, Some("multipart/form-data; boundary=XX"), body, who).await
    }

    async fn asked(&self, path: &str) {
        let asked = self.done(path, "ask", json!({"text": "Which one?"}), &self.sarah).await;
        assert_eq!(asked["status"], "awaiting_customer");
    }

    async fn last_message(&self, path: &str) -> Value {
        let messages = self.read(&format!("{path}/messages"), &self.john).await;
        messages["items"].as_array().expect("items").last().expect("a message").clone()
    }
}

#[tokio::test]
async fn an_answer_is_a_text_files_or_both() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;

    // Sent along, without a word; a repetition is the same answer.
    house.asked(&path).await;
    let once = house.john.clone().header("idempotency-key", "answer-1");
    let alone = || message(None, &[("lid.pdf", "application/pdf", PDF)]);
    let answered = house.says(&path, "answer", alone(), &once).await;
    assert_eq!((answered.status.as_u16(), &answered.json()["status"]), (200, &json!("in_progress")));
    assert_eq!(house.says(&path, "answer", alone(), &once).await.text, answered.text, "sent twice, taken once");
    let other = house.says(&path, "answer", message(Some("Hm."), &[("lid.pdf", "application/pdf", PDF)]), &once).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".into()));
    let last = house.last_message(&path).await;
    assert_eq!((&last["kind"], &last["text"]), (&json!("answer"), &Value::Null));
    assert_eq!(last["attachments"][0]["file_name"], "lid.pdf");
    let href = last["attachments"][0]["href"].as_str().expect("a path");
    assert_eq!(house.it.get(href, &house.sarah).await.text.as_bytes(), PDF);

    // Sent before, and named in the answer.
    house.asked(&path).await;
    let sent = house.upload(&path, &[("photo.png", "image/png", PNG)], &house.john).await.json();
    assert_eq!(sent["status"], "awaiting_customer", "to attach is not to answer");
    let id = sent["attachments"][1]["id"].clone();
    let unknown = json!({"files": ["0190c6e6-0000-7000-8000-000000000000"]});
    let refused = house.command(&path, "answer", unknown, &house.john).await;
    assert_eq!(refused.fields(), [("files.0".into(), "unknown_file".into())]);
    let nothing = house.command(&path, "answer", json!({"files": []}), &house.john).await;
    assert_eq!(nothing.fields(), [("text".into(), "missing".into())]);
    let answered = house.done(&path, "answer", json!({"files": [id]}), &house.john).await;
    assert_eq!(
        (&answered["status"], answered["attachments"].as_array().map(Vec::len)),
        (&json!("in_progress"), Some(2))
    );
    assert_eq!(house.last_message(&path).await["attachments"][0]["file_name"], "photo.png");

    // Both, from the other side.
    let both = message(Some("This is ours.\r\nCompare it."), &[("ours.txt", "text/plain", b"Ours.")]);
    assert_eq!(house.says(&path, "post", both, &house.sarah).await.status, 200);
    let last = house.last_message(&path).await;
    assert_eq!((&last["kind"], &last["text"]), (&json!("message"), &json!("This is ours.\nCompare it.")));
    assert_eq!(last["attachments"][0]["file_name"], "ours.txt");
    house.keeps(3).await;
}

#[tokio::test]
async fn a_message_that_is_refused_leaves_no_file() {
    if on_postgres() {
        return; // Servers that share a folder leave there what is refused.
    }
    let house = House::new().await;
    let path = house.complaint().await;
    let file: &[(&str, &str, &[u8])] = &[("lid.png", "image/png", PNG)];
    let twice = [message(Some("One"), &[]).as_slice(), b"\r\n"].concat();
    let twice = [&twice[..twice.len() - "--XX--\r\n\r\n".len()], &message(Some("Two"), file)].concat();
    let foreign = b"--XX\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\nclosed\r\n--XX--\r\n".to_vec();
    for (name, body, status, code) in [
        ("answer", message(None, file), 422, "no_question_open"),
        ("post", message(None, &[]), 422, "missing"),
        ("post", message(Some(&"x".repeat(70_000)), file), 422, "too_long"),
        ("post", message(Some("a\u{7}b"), file), 422, "control_character"),
        ("post", message(Some("See."), &[("a.png", "image/png", b"MZ\x90\x00\x03")]), 422, "wrong_media_type"),
        ("post", twice, 422, "invalid_body"),
        ("post", foreign, 422, "invalid_body"),
        ("post", b"nonsense".to_vec(), 400, "malformed_multipart"),
        ("attach", message(None, file), 422, "invalid_body"),
        ("note", message(Some("Internal"), file), 415, "unsupported_media_type"),
        ("dance", message(None, file), 404, "not_found"),
    ] {
        let refused = house.says(&path, name, body, &house.john).await;
        assert_eq!(refused.problem(), (status, code.to_owned()), "{name}: {}", refused.text);
        house.keeps(0).await;
    }
    let strange = house.says(&path, "post", message(Some("Hello"), file), &house.jane).await;
    assert_eq!(strange.problem(), (404, "not_found".into()));
    house.keeps(0).await;
    assert_eq!(house.read(&path, &house.john).await["version"], 1);
    // A body of JSON keeps its own limit beside the larger one of forms.
    let long = json!({"text": "x".repeat(3 << 20)});
    assert_eq!(house.command(&path, "post", long, &house.john).await.problem(), (413, "too_large".into()));
}

#[tokio::test]
async fn whoever_leaves_at_any_moment_leaves_all_or_nothing() {
    if on_postgres() {
        return; // Servers that share a folder leave there what is refused.
    }
    let house = House::new().await;
    let token = house.john.bearer.clone().expect("a token");
    let mut others = 0;
    for looks in 0.. {
        let path = house.complaint().await;
        let text = format!("after {looks} looks");
        let upload = Request::builder()
            .method(Method::POST)
            .uri(format!("{path}/attachments"))
            .header("host", "127.0.0.1:8080")
            .header(CONTENT_TYPE, "multipart/form-data; boundary=XX")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::from(form(&[("one.txt", "text/plain", text.as_bytes())])))
            .expect("a request");
        let answer = Leaves { waits_for: Box::pin(house.it.open(upload)), looks }.await;
        let files = house.settles(&path, others).await;
        // Nothing comes after it either: this waits in the same line.
        house.done(&path, "withdraw", json!({}), &house.john).await;
        let files = house.settles(&path, others).await.max(files);
        if files > 0 {
            let href = house.read(&path, &house.john).await["attachments"][0]["href"].clone();
            assert_eq!(house.it.get(href.as_str().expect("a path"), &house.john).await.text, text);
        }
        others += files;
        if let Some(answer) = answer {
            assert_eq!((answer.status().as_u16(), files), (201, 1));
            break;
        }
    }
}

#[tokio::test]
async fn whoever_leaves_while_it_is_written_down_has_it_written_down() {
    if on_postgres() {
        return; // Servers that share a folder leave there what is refused.
    }
    let house = House::new().await;
    let path = house.complaint().await;
    let token = house.john.bearer.clone().expect("a token");
    let cookie = house.it.log_in("john@example.org").await.cookie();
    let post = |path: &str| {
        Request::post(path)
            .header("host", "127.0.0.1:8080")
            .header("sec-fetch-site", "same-origin")
            .header(CONTENT_TYPE, "multipart/form-data; boundary=XX")
    };
    let file = form(&[("one.txt", "text/plain", b"one")]);
    let mut new = Vec::new();
    for (name, value) in [("category", "damaged-goods"), ("subject", "Broken pot"), ("description", "No spout.")] {
        let part = format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        new.extend_from_slice(part.as_bytes());
    }
    new.extend_from_slice(&form(&[("two.txt", "text/plain", b"two")]));
    let database = format!("sqlite:{}", house.it.folder.path().join("data/complaints.db").display());
    let database = sqlx::SqlitePool::connect(&database).await.expect("opens");
    let attach = || {
        let to = post(&format!("{path}/attachments")).header(AUTHORIZATION, format!("Bearer {token}"));
        to.body(Body::from(file.clone())).expect("a request")
    };
    let hand_in = || post("/complaints/new").header(COOKIE, &cookie).body(Body::from(new.clone())).expect("a request");
    let doors: [&dyn Fn() -> Request<Body>; 2] = [&attach, &hand_in];
    for (number, door) in doors.into_iter().enumerate() {
        let written_down = async || {
            let list = house.read("/api/v1/complaints?sort=oldest", &house.john).await;
            let Some(id) = list["items"][number]["id"].as_str() else { return false };
            house.read(&format!("/api/v1/complaints/{id}"), &house.john).await["attachments"][0].is_object()
        };
        // Whoever leaves before it comes to writing leaves nothing; whoever waits long enough is in the line.
        let mut looks = 5;
        loop {
            // Nobody can write while this lasts.
            let line = database.begin_with("BEGIN IMMEDIATE").await.expect("begins");
            let waits = async {
                house.keeps(number + 1).await;
                for _ in 0..looks {
                    house.read(&path, &house.john).await;
                }
            };
            tokio::select! {
                answer = house.it.open(door()) => panic!("answered before its time: {answer:?}"),
                () = waits => {}
            }
            line.rollback().await.expect("ends");
            // Nothing comes after it: this waits in the same line.
            house.done(&path, "post", json!({"text": "Is it there?"}), &house.john).await;
            let settled = async {
                loop {
                    let there = written_down().await;
                    if house.kept() == number + usize::from(there) {
                        return there;
                    }
                    tokio::task::yield_now().await;
                }
            };
            if timeout(PATIENCE, settled).await.expect("all or nothing") {
                break;
            }
            looks *= 2;
            assert!(looks < 1000, "it never goes on to its end");
        }
    }
}
