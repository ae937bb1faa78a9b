//! Sends a plan: headers first, then each step as a chunk of its own, then the end that was planned.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc;

use crate::connection::Peer;
use crate::plan::{End, Plan};
use crate::record::{Outcome, Record};

/// A body that another task feeds, frame by frame.
#[derive(Debug)]
struct Fed {
    frames: mpsc::Receiver<io::Result<Frame<Bytes>>>,
}

/// The time before the headers. The library drops it when the client leaves meanwhile.
struct Waiting<'a> {
    record: &'a Record,
    number: u64,
    is_over: bool,
}

/// Starts to send; `number` is the request's in the record.
pub(crate) async fn send(plan: Plan, peer: Peer, record: Arc<Record>, number: u64) -> Response {
    let waiting = Waiting {
        record: &record,
        number,
        is_over: false,
    };
    waiting.wait(plan.before).await;
    record.answered(plan.status.as_u16());
    if matches!(plan.end, End::CloseAtOnce | End::ResetAtOnce) {
        record.ended(number, Outcome::Sent);
        peer.break_off(plan.end == End::ResetAtOnce);
        // The library cannot write this: the broken connection ends instead.
        return Response::new(Body::empty());
    }
    let mut headers = plan.headers.clone();
    headers.extend(
        plan.length
            .map(|length| (header::CONTENT_LENGTH, HeaderValue::from(length))),
    );
    if let Some(trailers) = &plan.trailers {
        // HTTP/1 sends only the trailers that it announced (RFC 9110, section 6.6.2).
        let names = trailers
            .keys()
            .map(HeaderName::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        headers.extend(
            HeaderValue::from_str(&names)
                .ok()
                .map(|value| (header::TRAILER, value)),
        );
    }
    let status = plan.status;
    let body = if status.as_u16() == 204 || status.as_u16() == 304 {
        record.ended(number, Outcome::Sent);
        Body::empty()
    } else {
        let (feed, frames) = mpsc::channel(1);
        tokio::spawn(async move {
            let outcome = if play(plan, &peer, &feed).await {
                Outcome::Sent
            } else {
                Outcome::Aborted
            };
            record.ended(number, outcome);
        });
        Body::new(Fed { frames })
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Feeds the steps and the end; false where the client left before.
async fn play(plan: Plan, peer: &Peer, feed: &mpsc::Sender<io::Result<Frame<Bytes>>>) -> bool {
    for step in plan.steps {
        if step.delay.is_zero() {
            // Lets the connection send what it has, so that each step is a write of its own.
            tokio::task::yield_now().await;
        } else if tokio::time::timeout(step.delay, feed.closed()).await.is_ok() {
            return false;
        }
        if feed.send(Ok(Frame::data(step.bytes))).await.is_err() {
            return false;
        }
    }
    match plan.end {
        End::Whole => match plan.trailers {
            Some(trailers) => feed.send(Ok(Frame::trailers(trailers))).await.is_ok(),
            None => true,
        },
        End::Stall => {
            feed.closed().await;
            false
        }
        End::Close | End::CloseAtOnce => fail(feed).await,
        End::Reset | End::ResetAtOnce => {
            // What was sent must reach the wire before the connection is broken.
            drop(feed.reserve().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
            peer.break_off(true);
            fail(feed).await
        }
    }
}

/// An error in the body makes the library end the connection in the middle of it.
async fn fail(feed: &mpsc::Sender<io::Result<Frame<Bytes>>>) -> bool {
    feed.send(Err(io::Error::from(io::ErrorKind::ConnectionAborted)))
        .await
        .is_ok()
}

// === impl Waiting ===

impl Waiting<'_> {
    async fn wait(mut self, before: Duration) {
        tokio::time::sleep(before).await;
        self.is_over = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.record.ended(self.number, Outcome::Aborted);
        }
    }
}

// === impl Fed ===

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.frames.poll_recv(cx)
    }
}
