//! A web server that does as it is told, down to hanging up in the middle.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What it does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Turn {
    /// Answers: status line and headers, then the body.
    Answer(&'static str, &'static str),
    /// Hangs up without a word.
    Cut,
    /// Promises more than it sends, then hangs up.
    CutInTheMiddle,
    /// Says nothing and keeps the line.
    Silence,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    pub(crate) async fn doing(turn: Turn) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Self { port: listener.local_addr().unwrap().port(), asked: Arc::default() };
        let asked = Arc::clone(&stub.asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, turn) = (Arc::clone(&asked), turn.clone());
                tokio::spawn(async move { serve(stream, turn, &asked).await });
            }
        });
        stub
    }

    pub(crate) fn taken(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn serve(mut stream: TcpStream, turn: Turn, asked: &Mutex<Vec<Asked>>) {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut part).await else { return };
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let (line, head) = head.split_once("\r\n").unwrap();
        let request = Asked { line: line.to_owned(), head: head.to_owned(), body: body.to_owned() };
        let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            asked.lock().unwrap().push(request);
            break;
        }
    }
    let answer = match turn {
        Turn::Answer(head, body) => {
            format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        }
        Turn::Cut => return,
        Turn::CutInTheMiddle => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"status\": \"que".to_owned(),
        Turn::Silence => std::future::pending().await,
    };
    stream.write_all(answer.as_bytes()).await.ok();
}
