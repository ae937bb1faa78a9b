//! A streamed answer, as OpenAI writes one: so many events, at a pace or as fast as they are taken. Each says when it
//! was sent, in the field that OpenAI pads its events with.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::header::HeaderMap;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::clock;

/// Header of a request that asks for a stream: how many events of text.
pub(crate) const EVENTS: &str = "x-bench-events";
/// Header of a request for a stream: milliseconds between events.
pub(crate) const PACE: &str = "x-bench-pace-ms";
/// Stands before the time at which an event was sent.
pub(crate) const SENT: &str = r#""obfuscation":""#;

const BEFORE: &str = r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1761955200,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_62a23a81ef","choices":[{"index":0,"delta":{"content":" forty-two"},"logprobs":null,"finish_reason":null}],"usage":null,"#;
/// The usage that a client gets who asks for it, and the end.
const LAST: &str = concat!(
    r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1761955200,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_62a23a81ef","choices":[],"usage":{"prompt_tokens":412,"completion_tokens":250,"total_tokens":662,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"obfuscation":"x"}"#,
    "\n\ndata: [DONE]\n\n"
);

/// A body of events.
pub(super) struct Events {
    /// Events of text to come; `None` when the last has been sent.
    left: Option<u64>,
    pace: Option<Interval>,
}

// === impl Events ===

impl Events {
    /// The stream that a request asks for, if it asks for one.
    pub(super) fn asked_for(headers: &HeaderMap) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
        let pace = number(PACE).filter(|millis| *millis > 0).map(|millis| {
            let mut pace = interval(Duration::from_millis(millis));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        Some(Self {
            left: Some(number(EVENTS)?),
            pace,
        })
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left else {
            return Poll::Ready(None);
        };
        if let Some(pace) = &mut self.pace {
            ready!(pace.poll_tick(context));
        }
        self.left = left.checked_sub(1);
        let event = if left == 0 {
            Bytes::from_static(LAST.as_bytes())
        } else {
            Bytes::from(format!("{BEFORE}{SENT}{:020}\"}}\n\n", clock::nanos()))
        };
        Poll::Ready(Some(Ok(Frame::data(event))))
    }
}
