//! A client of streams, which reads its events as they come.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use memchr::memmem;
use tollgate_bench_prompts::Prompts;

use super::Shape;
use crate::clock;
use crate::load::{Target, ask, histogram};
use crate::upstream::SENT;

/// Digits of the time in an event.
const DIGITS: usize = 20;

/// What all clients share. Times are in nanoseconds.
pub(super) struct Shared {
    pub(super) target: Target,
    pub(super) prompts: Rc<RefCell<Prompts>>,
    pub(super) shape: Shape,
    pub(super) seen: RefCell<Seen>,
}

/// What the clients saw.
pub(super) struct Seen {
    pub(super) requests: u64,
    /// Events of text.
    pub(super) events: u64,
    /// From a request to its first event.
    pub(super) first: Histogram<u64>,
    /// From one event to the next.
    pub(super) gaps: Histogram<u64>,
    /// From an event's sending to its coming.
    pub(super) delays: Histogram<u64>,
}

// === impl Seen ===

impl Seen {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            requests: 0,
            events: 0,
            first: histogram()?,
            gaps: histogram()?,
            delays: histogram()?,
        })
    }
}

/// Takes a client's streams, one after the other. Clients begin one after the other, within the time of ten
/// events, so that a row is not measured at opening them all at once.
pub(super) async fn run(
    mut connection: SendRequest<Full<Bytes>>,
    number: u64,
    shared: Rc<Shared>,
) -> Result<()> {
    let Shape {
        clients,
        pace_ms,
        streams,
        ..
    } = shared.shape;
    let wait = Duration::from_millis(pace_ms) * 10 * u32::try_from(number)? / u32::try_from(clients)?;
    tokio::time::sleep(wait).await;
    for _ in 0..streams {
        stream(&mut connection, &shared).await?;
    }
    Ok(())
}

async fn stream(connection: &mut SendRequest<Full<Bytes>>, shared: &Shared) -> Result<()> {
    let number = {
        let mut seen = shared.seen.borrow_mut();
        seen.requests += 1;
        seen.requests
    };
    let body = shared.prompts.borrow_mut().next_body();
    let sent = clock::nanos();
    let mut body = ask(connection, shared.target.request(number, body)?).await?;
    let (mut pending, mut last, mut is_done) = (Vec::new(), None, false);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let now = clock::nanos();
        pending.extend_from_slice(&data);
        while let Some(end) = memmem::find(&pending, b"\n\n") {
            let event: Vec<u8> = pending.drain(..end + 2).collect();
            is_done |= event.starts_with(b"data: [DONE]");
            let Some(at) = sent_at(&event) else {
                continue;
            };
            let mut seen = shared.seen.borrow_mut();
            seen.events += 1;
            seen.delays.saturating_record(now.saturating_sub(at));
            match last.replace(now) {
                Some(before) => seen.gaps.saturating_record(now - before),
                None => seen.first.saturating_record(now - sent),
            }
        }
    }
    ensure!(is_done, "a stream ended without its end");
    last.map(|_| ()).context("a stream had no event")
}

/// When an event of text was sent.
fn sent_at(event: &[u8]) -> Option<u64> {
    let at = memmem::find(event, SENT.as_bytes())? + SENT.len();
    let digits = event.get(at..at + DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_text_says_when_it_was_sent_and_no_other_does() {
        let event = format!("data: {{\"choices\":[],{SENT}00000000000000000042\"}}\n\n");
        assert_eq!(sent_at(event.as_bytes()), Some(42));
        assert_eq!(
            sent_at(br#"data: {"usage":{"prompt_tokens":1},"obfuscation":"x"}"#),
            None
        );
        assert_eq!(sent_at(b"data: [DONE]"), None);
    }
}
