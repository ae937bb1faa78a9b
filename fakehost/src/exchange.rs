//! A test's hold on one exchange: it plays the client and the provider, and looks at both.

use std::sync::{Arc, Mutex};

use crate::call::CallCounts;
use crate::half::Side;
use crate::headers::HeaderMap;
use crate::message::Response;
use crate::seen::{Callback, Client, Seen, Upstream};
use crate::stream::LocalReply;
use crate::worker::Worker;
use crate::{chain, lifecycle, vm};

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    worker: Arc<Worker>,
    id: u32,
    seen: Arc<Mutex<Seen>>,
}

// === impl Exchange ===

/// The client's side.
impl Exchange {
    /// The client sends a piece of the body.
    pub fn chunk(&self, bytes: impl Into<Vec<u8>>) {
        self.data(Side::Request, bytes.into(), false);
    }

    /// The client ends the request, as HTTP/1 does it: by an empty piece.
    pub fn end(&self) {
        self.end_with(Vec::new());
    }

    /// The client ends the request with a last piece.
    pub fn end_with(&self, bytes: impl Into<Vec<u8>>) {
        self.data(Side::Request, bytes.into(), true);
    }

    /// The client ends the request with trailers.
    pub fn trailers(&self, trailers: HeaderMap) {
        self.run(move |id| chain::trailers(id, Side::Request, trailers));
    }

    /// The client goes away.
    pub fn hang_up(&self) {
        self.run(lifecycle::hang_up);
    }
}

/// The provider's side.
impl Exchange {
    /// The provider answers in full.
    ///
    /// # Panics
    /// As [`Self::respond_headers`].
    pub fn respond(&self, response: &Response) {
        self.respond_with(response, response.is_header_only());
        for chunk in &response.chunks {
            self.respond_chunk(chunk.clone());
        }
        match &response.trailers {
            Some(trailers) => self.respond_trailers(trailers.clone()),
            None if !response.is_header_only() => self.respond_end(),
            None => {}
        }
    }

    /// The provider sends headers; the body follows.
    ///
    /// # Panics
    /// Where the request has not reached the provider: the test expects too much.
    pub fn respond_headers(&self, response: &Response) {
        self.respond_with(response, false);
    }

    /// The provider sends a piece of the answer.
    pub fn respond_chunk(&self, bytes: impl Into<Vec<u8>>) {
        self.data(Side::Response, bytes.into(), false);
    }

    /// The provider ends the answer.
    pub fn respond_end(&self) {
        self.data(Side::Response, Vec::new(), true);
    }

    /// The provider ends the answer with trailers.
    pub fn respond_trailers(&self, trailers: HeaderMap) {
        self.run(move |id| chain::trailers(id, Side::Response, trailers));
    }

    /// The provider's connection breaks: before its headers that is 503 from Envoy, after them a cut answer.
    pub fn provider_dies(&self) {
        self.run(|id| {
            let text = "upstream connect error or disconnect/reset before headers. reset reason: connection \
                        termination";
            let details = "upstream_reset_before_response_started{connection_termination}";
            match vm::with_stream(id, |stream| stream.response.headers.is_some()) {
                Some(true) => lifecycle::reset(
                    id,
                    "upstream_reset_after_response_started{connection_termination}",
                ),
                Some(false) => lifecycle::reply(id, &LocalReply::plain(503, text, details)),
                None => {}
            }
        });
    }

    fn respond_with(&self, response: &Response, end: bool) {
        assert!(
            self.upstream().reached(),
            "the request did not reach the provider: {:?}",
            self.client()
        );
        let headers = response.framed_headers();
        self.run(move |id| {
            vm::with_stream(id, |stream| stream.set_details("via_upstream"));
            chain::headers(id, Side::Response, headers, end);
        });
    }
}

/// What happened.
impl Exchange {
    /// What the provider received so far.
    pub fn upstream(&self) -> Upstream {
        self.look(|seen| seen.upstream.clone())
    }

    /// What the client received so far.
    pub fn client(&self) -> Client {
        self.look(|seen| seen.client.clone())
    }

    /// The stream's callbacks of the filter so far, without those of the context's end.
    pub fn callbacks(&self) -> Vec<Callback> {
        self.look(|seen| seen.callbacks.clone())
    }

    /// The host calls that the filter made for this stream.
    pub fn calls(&self) -> CallCounts {
        self.look(|seen| seen.calls.clone())
    }

    /// Filter state that the filter set, which the access log shows as `%FILTER_STATE(wasm.NAME:PLAIN)%`.
    pub fn filter_state(&self, name: &str) -> Option<String> {
        self.look(|seen| {
            seen.filter_state
                .get(name)
                .map(|value| String::from_utf8_lossy(value).into_owned())
        })
    }

    /// `%RESPONSE_CODE_DETAILS%`.
    pub fn details(&self) -> String {
        self.look(|seen| seen.details.clone())
    }

    /// Whether the exchange has ended and was logged.
    pub fn is_over(&self) -> bool {
        self.look(|seen| seen.over)
    }

    /// Whether neither an answer nor the request itself has left the proxy.
    pub fn is_held(&self) -> bool {
        self.look(|seen| !seen.over && !seen.upstream.reached() && seen.client.headers.is_none())
    }

    pub(crate) fn new(worker: Arc<Worker>, id: u32, seen: Arc<Mutex<Seen>>) -> Self {
        Self { worker, id, seen }
    }

    fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    fn data(&self, side: Side, bytes: Vec<u8>, end: bool) {
        self.run(move |id| chain::data(id, side, bytes, end));
    }

    /// Does something to the stream, unless it is over (also because its VM is no more).
    fn run(&self, job: impl FnOnce(u32) + Send + 'static) {
        if self.is_over() {
            return;
        }
        let id = self.id;
        self.worker.run(move || job(id));
    }
}
