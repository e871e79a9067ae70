//! What is too large is refused so that whoever sent it can read why.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use tokio::net::TcpListener;

use crate::house::House;

/// Sends all of a request and only then reads: what a simple client does.
fn says_and_listens(to: SocketAddr, head: &str, body: usize) -> std::io::Result<String> {
    let mut line = TcpStream::connect(to)?;
    let head = format!("{head}\r\nHost: {to}\r\nContent-Length: {body}\r\nConnection: close\r\n\r\n");
    line.write_all(head.as_bytes())?;
    let piece = vec![b' '; 1 << 20];
    for _ in 0..body >> 20 {
        line.write_all(&piece)?;
    }
    let mut answer = String::new();
    line.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_too_much_and_then_listens_reads_the_refusal() {
    let house = House::new().await;
    let path = house.complaint().await;
    let token = house.john.bearer.clone().expect("a token");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = listener.local_addr().expect("an address");
    let service = house.it.server.router().into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });
    let json = "Content-Type: application/json";
    let form = "Content-Type: multipart/form-data; boundary=XX";
    for (door, kind, key, mebibytes, status, code) in [
        ("/api/v1/complaints".to_owned(), json, Some(&token), 24, "413", "too_large"),
        ("/api/v1/complaints".to_owned(), "Content-Type: text/plain", Some(&token), 24, "413", "too_large"),
        (format!("{path}/commands/note"), json, None, 24, "401", "not_logged_in"),
        (format!("{path}/attachments"), form, Some(&token), 60, "413", "too_large"),
        ("/api/v1/nothing".to_owned(), json, None, 24, "404", "not_found"),
    ] {
        let bearer = key.map(|token| format!("\r\nAuthorization: Bearer {token}")).unwrap_or_default();
        let head = format!("POST {door} HTTP/1.1\r\n{kind}{bearer}");
        let told = tokio::task::spawn_blocking(move || says_and_listens(to, &head, mebibytes << 20));
        let answer = told.await.expect("ends").unwrap_or_else(|error| panic!("{door}: {error}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{door}: {answer}");
        assert!(answer.contains("application/problem+json") && answer.contains(code), "{door}: {answer}");
    }
    serving.abort();
}
