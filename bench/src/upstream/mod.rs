//! The provider that every row calls: as quick as it can be, so that what is measured is the proxy.

mod events;

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use self::events::Events;
pub(crate) use self::events::{EVENTS, PACE, SENT};
use crate::listen;

/// An answer of 250 tokens, as OpenAI writes one.
const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1761955200,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"TEXT","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":412,"completion_tokens":250,"total_tokens":662,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_62a23a81ef"}"#;

/// Serves until the process ends; the address is on the loopback interface.
///
/// # Errors
///
/// Where no port is free.
pub(crate) fn start() -> Result<SocketAddr> {
    listen::on_a_thread("upstream", serve)
}

async fn serve(listener: TcpListener) -> Result<()> {
    let answer = Bytes::from(ANSWER.replace("TEXT", &"The answer is forty-two, more or less. ".repeat(25)));
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let answer = answer.clone();
        let service = service_fn(move |request| respond(request, answer.clone()));
        tokio::spawn(async move {
            // A proxy that closes its connection is no news.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    answer: Bytes,
) -> Result<Response<Either<Full<Bytes>, Events>>, Infallible> {
    let events = Events::asked_for(request.headers());
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    let (kind, body) = match events {
        Some(events) => ("text/event-stream; charset=utf-8", Either::Right(events)),
        None => ("application/json", Either::Left(Full::new(answer))),
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}
