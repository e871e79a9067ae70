//! Answers that come before their request was read to its end.
//!
//! Who still sends when the connection is closed loses the answer with it: they would see a broken line where they were told that
//! their file is too large. So what is left of the request is read first, within bounds.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt as _;
use futures_util::stream::{Fuse, poll_fn as stream_of};

/// The most that is read of what nobody wanted, in bytes.
const LEFT_MAX: usize = 64 * 1024 * 1024;
/// For how long.
const LEFT_WITHIN: Duration = Duration::from_secs(30);

/// Lends the body to whoever answers, and reads what they left of it before the answer goes out.
pub(crate) async fn read_to_the_end(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    // Who asks first whether to send it (RFC 9110, section 10.1.1) sends nothing until somebody reads.
    let asks_first = parts.headers.contains_key(EXPECT);
    let lent = Lent { body: body.into_data_stream().fuse(), begun: !asks_first };
    let lent = Arc::new(Mutex::new(lent));
    let theirs = Arc::clone(&lent);
    let body = Body::from_stream(stream_of(move |at| lock(&theirs).poll(at)));
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(Arrival(Arc::clone(&lent)));
    let response = next.run(request).await;
    if lock(&lent).begun {
        let mut allowed = LEFT_MAX;
        let reading = async {
            while allowed > 0
                && let Some(Ok(bytes)) = poll_fn(|at| lock(&lent).poll(at)).await
            {
                allowed = allowed.saturating_sub(bytes.len());
            }
        };
        // What is not here by then is not waited for.
        let _ = tokio::time::timeout(LEFT_WITHIN, reading).await;
    }
    response
}

/// Tells whoever waits for an answer whether it is the request that keeps them waiting.
#[derive(Clone)]
pub(crate) struct Arrival(Arc<Mutex<Lent>>);

impl Arrival {
    /// Whether somebody reads the body and has not come to its end.
    pub(crate) fn is_awaited(&self) -> bool {
        let lent = lock(&self.0);
        lent.begun && !lent.body.is_done()
    }
}

/// A body that is read by one after the other.
struct Lent {
    body: Fuse<BodyDataStream>,
    begun: bool,
}

impl Lent {
    fn poll(&mut self, at: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        self.begun = true;
        self.body.poll_next_unpin(at)
    }
}

fn lock(lent: &Mutex<Lent>) -> MutexGuard<'_, Lent> {
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}
