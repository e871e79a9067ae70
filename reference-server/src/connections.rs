//! Connections: taken, given up where nobody speaks, and ended when the server stops.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::header::HOST;
use axum::http::{Request, Version};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::error::Problem;

/// Until the head of a request must be there, from the opening of the connection or the answer before.
const HEAD_WITHIN: Duration = Duration::from_mins(1);
/// How long it is waited before the next is taken, where this machine has no room for another one.
const ROOM_AFTER: Duration = Duration::from_secs(1);

/// Answers on `listener` until `stop` completes, then until every request that was begun has its answer.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let open = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((socket, peer)) => {
                let connection = http.serve_connection(TokioIo::new(socket), answering(router.clone(), peer));
                let connection = open.watch(connection);
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%peer, error = %crate::error::chain(&error), "a connection ended early");
                    }
                });
            }
            Err(error) if is_theirs(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken");
                tokio::time::sleep(ROOM_AFTER).await;
            }
        }
    }
    drop(listener);
    open.shutdown().await;
}

/// What answers the requests of one connection, and knows whose they are.
fn answering(
    router: Router,
    peer: SocketAddr,
) -> impl hyper::service::Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> {
    service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move {
            if !names_its_host(&request) {
                let said = "There is one Host header, and no more.";
                return Ok(Problem::malformed("malformed_host", said).into_response());
            }
            router.oneshot(request).await
        }
    })
}

/// RFC 9112, section 3.2: none or several leave open who is asked, and what stands between might read another one than we.
fn names_its_host<T>(request: &Request<T>) -> bool {
    request.version() < Version::HTTP_11 || request.headers().get_all(HOST).iter().count() == 1
}

/// Whether it was the other side that gave up before it was taken.
fn is_theirs(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;

    async fn served() -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let router =
            Router::new().route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }));
        let serving = tokio::spawn(serve(listener, router, async move {
            let _ = stopped.await;
        }));
        (address, stop, serving)
    }

    /// What is answered until the other side ends the connection.
    async fn until_its_end(stream: &mut TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("ends");
        answer
    }

    // The clock stands still while anything can be done, and then jumps to what is waited for next.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_speak_is_given_up() {
        let (address, _stop, _serving) = served().await;
        for said in ["", "GET / HTTP/1.1\r\nHost: x\r\nX: ", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            let begun = Instant::now();
            stream.write_all(said.as_bytes()).await.expect("sends");
            let answer = until_its_end(&mut stream).await;
            assert_eq!(answer.starts_with("HTTP/1.1 200"), said.ends_with("\r\n\r\n"), "{said}: {answer}");
            assert!(begun.elapsed() >= HEAD_WITHIN, "{said}: {:?}", begun.elapsed());
        }
    }

    #[tokio::test]
    async fn a_request_names_one_host() {
        let (address, _stop, _serving) = served().await;
        for (head, status) in [
            ("HTTP/1.1\r\nHost: x\r\n", "200"),
            ("HTTP/1.1\r\n", "400"),
            ("HTTP/1.1\r\nHost: x\r\nhost: y\r\n", "400"),
            ("HTTP/1.0\r\n", "200"),
        ] {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            let request = format!("GET / {head}Connection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.expect("sends");
            let answer = until_its_end(&mut stream).await;
            assert_eq!(answer.split(' ').nth(1), Some(status), "{head}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_request_that_was_begun_is_answered_before_the_end() {
        let (address, stop, serving) = served().await;
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let me = stream.local_addr().expect("an address");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sends");
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("an answer");
        stop.send(()).expect("still serving");
        let answer = until_its_end(&mut stream).await;
        assert!(&first == b"HTTP/1.1 200" && answer.ends_with(&me.to_string()), "{answer}");
        serving.await.expect("no panic");
        assert!(TcpStream::connect(address).await.is_err(), "nobody is taken any more");
    }
}
