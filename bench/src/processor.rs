//! An external processor that does nothing, as quickly as that can be done: it looks at the first byte of a
//! message and says "go on" for that phase.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::Result;
use bytes::{Buf as _, Bytes, BytesMut};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::listen;

/// gRPC puts a flag and a length of four bytes before each message.
const PREFIX: usize = 5;

/// The answers to a stream of messages.
struct Answers {
    incoming: Incoming,
    received: BytesMut,
    is_over: bool,
}

/// Serves until the process ends; the address is on the loopback interface.
///
/// # Errors
///
/// Where no port is free.
pub(crate) fn start() -> Result<SocketAddr> {
    listen::on_a_thread("processor", serve)
}

async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(async |request| Ok::<_, Infallible>(respond(request)));
            // A proxy that closes its connection is no news.
            let _ = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

fn respond(request: Request<Incoming>) -> Response<Answers> {
    let mut response = Response::new(Answers {
        incoming: request.into_body(),
        received: BytesMut::new(),
        is_over: false,
    });
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

// === impl Answers ===

impl Answers {
    /// The answer to the next message that is whole.
    fn next(&mut self) -> Option<Bytes> {
        let message = next_message(&mut self.received)?;
        // `ProcessingRequest` and `ProcessingResponse` number the phases alike, the answer one lower.
        let phase = message.first()? >> 3;
        let field = phase.saturating_sub(1) << 3 | 2;
        Some(Bytes::copy_from_slice(&[0, 0, 0, 0, 2, field, 0]))
    }
}

impl Body for Answers {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            if let Some(answer) = self.next() {
                return Poll::Ready(Some(Ok(Frame::data(answer))));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.received.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.is_over = true;
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", HeaderValue::from_static("0"));
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
            }
        }
    }
}

/// Takes a whole message out of what was received.
fn next_message(received: &mut BytesMut) -> Option<BytesMut> {
    let length = received.get(1..PREFIX)?.try_into().map(u32::from_be_bytes).ok()?;
    let end = PREFIX + usize::try_from(length).ok()?;
    if received.len() < end {
        return None;
    }
    let mut message = received.split_to(end);
    message.advance(PREFIX);
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_out_whole_wherever_they_were_cut() {
        let wire = [0, 0, 0, 0, 3, b'a', b'b', b'c', 0, 0, 0, 0, 1, b'd'];
        let (mut received, mut messages) = (BytesMut::new(), Vec::new());
        for byte in wire {
            received.extend_from_slice(&[byte]);
            messages.extend(next_message(&mut received).map(|message| message.to_vec()));
        }
        assert_eq!(messages, [b"abc".to_vec(), b"d".to_vec()]);
    }
}
