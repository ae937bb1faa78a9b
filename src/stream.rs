//! One HTTP stream: Envoy's callbacks go in, the exchange decides, its steps are performed.

use std::rc::Rc;

use log::warn;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType, StreamType};
use tollgate_core::exchange::{Answer, Ask, Closing, Env, Exchange, Outside, Release, Reply, Step};
use tollgate_core::headers::{HeaderOp, Headers};
use tollgate_core::time::UnixNanos;

use crate::gateway::Gateway;
use crate::host::{self, HostError, LocalResponse};
use crate::sidecar::{self, NotSent};

/// Which half of the exchange a step belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

/// Where in Envoy's life of a stream a step is performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// In a callback of the stream: its return value decides.
    Callback,
    /// In the callback of a callout: what is held must be resumed by hand.
    Callout,
}

/// The filter's context of one HTTP stream.
pub(crate) struct Stream {
    gateway: Rc<Gateway>,
    exchange: Exchange,
    /// When the callback that runs began, as far as it needs to know: each look at the clock is a host call.
    now: UnixNanos,
    /// The callout that is waited for, and for which side.
    pending: Option<(u32, Side)>,
    /// How many bytes of a held response the exchange has seen.
    response_seen: usize,
}

// === impl Stream ===

impl Stream {
    pub(crate) fn new(gateway: Rc<Gateway>) -> Self {
        let now = host::now();
        let exchange = gateway.new_exchange(now);
        Self {
            gateway,
            exchange,
            now,
            pending: None,
            response_seen: 0,
        }
    }

    /// Has the exchange act, at the moment that is known.
    fn act<T>(&mut self, act: impl FnOnce(&mut Exchange, &mut Env<'_>) -> T) -> T {
        let Self {
            gateway,
            exchange,
            now,
            ..
        } = self;
        gateway.with_env_at(*now, |env| act(exchange, env))
    }

    /// Performs steps until one waits for Envoy.
    fn perform(&mut self, side: Side, moment: Moment, first: Step) -> Action {
        let mut step = first;
        loop {
            step = match step {
                Step::Pass => return self.let_go(side, moment),
                Step::Replace(bytes) => {
                    if let Err(error) = host::replace_buffer(side.body(), &bytes) {
                        warn!("cannot replace a chunk: {error}");
                    }
                    return self.let_go(side, moment);
                }
                Step::Hold => return Action::Pause,
                Step::ReadBody => self.read_body(side),
                Step::Ask(ask) => match self.ask(side, &ask) {
                    Ok(()) => return Action::Pause,
                    Err(unanswered) => unanswered,
                },
                Step::Release(release) => match apply(side, &release) {
                    Ok(()) => return self.let_go(side, moment),
                    Err(error) => {
                        warn!("cannot rewrite a message: {error}");
                        self.act(Exchange::release_failed)
                    }
                },
                Step::Refuse(reply) => {
                    refuse(&reply);
                    return Action::Pause;
                }
            }
        }
    }

    fn let_go(&self, side: Side, moment: Moment) -> Action {
        if moment == Moment::Callout
            && let Err(error) = host::resume(side.stream())
        {
            warn!("cannot resume a stream: {error}");
        }
        Action::Continue
    }

    fn read_body(&mut self, side: Side) -> Step {
        let body = host::buffer(side.body(), 0, i32::MAX as usize).unwrap_or_default();
        self.now = host::now();
        self.act(|exchange, env| match side {
            Side::Request => exchange.request_body(&body, env),
            Side::Response => exchange.response_body(&body),
        })
    }

    /// Sends a question; where it cannot be sent, what the exchange makes of that.
    fn ask(&mut self, side: Side, ask: &Ask) -> Result<(), Step> {
        match self.gateway.ask(ask, self.exchange.trace()) {
            Ok(token) => {
                self.pending = Some((token, side));
                Ok(())
            }
            Err(error) => {
                if error == NotSent::CircuitOpen {
                    self.gateway.unanswered("circuit_open");
                } else {
                    self.gateway.unanswered("question");
                    warn!("cannot ask the sidecar: {error}");
                }
                Err(self.act(|exchange, env| exchange.answered(Answer::Unavailable, env)))
            }
        }
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, body_size: usize, _trailers: usize) {
        let Some((expected, side)) = self.pending else {
            return;
        };
        if expected != token {
            return;
        }
        self.pending = None;
        let body = host::buffer(BufferType::HttpCallResponseBody, 0, body_size).unwrap_or_default();
        let status = sidecar::answer_status();
        self.gateway.was_answered(status.is_some());
        let answer = status.map_or(Answer::Unavailable, |status| Answer::Answered {
            status,
            body: &body,
        });
        self.now = host::now();
        let step = self.act(|exchange, env| exchange.answered(answer, env));
        self.perform(side, Moment::Callout, step);
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let map = host::headers(MapType::HttpRequestHeaders);
        let outside = self.gateway.outside();
        // The time is that of `Stream::new`: Envoy has made the context for this callback, a moment ago.
        let step = self.act(|exchange, env| match &map {
            Ok(map) => map.with(|headers| {
                trap_on_request(headers);
                exchange.request_headers(headers, end_of_stream, outside, env)
            }),
            // Without headers nothing can be decided: an empty map is refused as an unknown path.
            Err(_) => exchange.request_headers(Headers::new(&[]), true, Outside::default(), env),
        });
        self.perform(Side::Request, Moment::Callback, step)
    }

    fn on_http_request_body(&mut self, buffered: usize, end_of_stream: bool) -> Action {
        // While a callout is pending this is `Hold`: one Continue from a body callback would let the held
        // headers go (tetratelabs/proxy-wasm-go-sdk#367).
        let step = self.exchange.request_data(buffered, end_of_stream);
        self.perform(Side::Request, Moment::Callback, step)
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        // With trailers no body callback has said that the body is whole.
        let step = self.exchange.request_data(0, true);
        self.perform(Side::Request, Moment::Callback, step)
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let Ok(map) = host::headers(MapType::HttpResponseHeaders) else {
            return Action::Continue;
        };
        let step = map.with(|headers| self.exchange.response_headers(headers, end_of_stream));
        self.perform(Side::Response, Moment::Callback, step)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !self.exchange.reads_response() {
            return Action::Continue;
        }
        // While the body is held, `size` is all of it; while it passes, it is the chunk.
        let start = self.response_seen.min(size);
        // The last callback often brings nothing but the end.
        let fresh = if start < size {
            host::buffer(BufferType::HttpResponseBody, start, size - start).unwrap_or_default()
        } else {
            Vec::new()
        };
        if !self.exchange.has_first_byte() {
            self.now = host::now();
        }
        let step = self.act(|exchange, env| exchange.response_data(&fresh, end_of_stream, env));
        self.response_seen = if step == Step::Hold { size } else { 0 };
        self.perform(Side::Response, Moment::Callback, step)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        let step = self.act(|exchange, env| exchange.response_data(&[], true, env));
        match step {
            // What was withheld cannot be put back in front of trailers; there is nothing to replace.
            Step::Replace(_) => Action::Continue,
            step => self.perform(Side::Response, Moment::Callback, step),
        }
    }

    fn on_log(&mut self) {
        let status = self.exchange.needs_status().then(answered_status).flatten();
        let details = self
            .exchange
            .needs_details()
            .then(|| host::property(&["response", "code_details"]))
            .flatten();
        let closing = Closing {
            status,
            details: details.as_deref().map(String::from_utf8_lossy),
        };
        self.now = host::now();
        let finished = self.act(|exchange, env| exchange.finish(&closing, env));
        if let Some(finished) = finished {
            self.gateway.record(&finished);
        }
    }
}

// === impl Side ===

impl Side {
    const fn body(self) -> BufferType {
        match self {
            Self::Request => BufferType::HttpRequestBody,
            Self::Response => BufferType::HttpResponseBody,
        }
    }

    const fn headers(self) -> MapType {
        match self {
            Self::Request => MapType::HttpRequestHeaders,
            Self::Response => MapType::HttpResponseHeaders,
        }
    }

    const fn stream(self) -> StreamType {
        match self {
            Self::Request => StreamType::HttpRequest,
            Self::Response => StreamType::HttpResponse,
        }
    }
}

/// Changes held headers and the held body. Where one change fails the message must not go on.
fn apply(side: Side, release: &Release) -> Result<(), HostError> {
    for op in &release.headers {
        match op {
            HeaderOp::Set(name, value) => host::set_header(side.headers(), name, value.as_bytes())?,
            HeaderOp::Add(name, value) => host::add_header(side.headers(), name, value)?,
            HeaderOp::Remove(name) => host::remove_header(side.headers(), name)?,
        }
    }
    release
        .body
        .as_ref()
        .map_or(Ok(()), |body| host::replace_buffer(side.body(), body))
}

/// The status that the client saw, if it saw one.
fn answered_status() -> Option<u16> {
    let map = host::headers(MapType::HttpResponseHeaders).ok()?;
    map.with(|headers| headers.text(":status")?.parse().ok())
}

fn refuse(reply: &Reply) {
    let headers: Vec<(&[u8], &[u8])> = reply
        .headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let response = LocalResponse {
        status: reply.status,
        headers: &headers,
        body: &reply.body,
        details: &reply.details,
    };
    if let Err(error) = host::respond(&response) {
        warn!("cannot send a local reply: {error}");
    }
}

/// Crashes this worker's VM when asked to. For the crash tests; what ships has an empty function.
#[cfg_attr(
    feature = "trap-on-request",
    expect(
        clippy::panic,
        reason = "the crash tests need a crash, and only they build this feature"
    )
)]
fn trap_on_request(headers: Headers<'_>) {
    #[cfg(feature = "trap-on-request")]
    if headers.first("x-test-trap").is_some() {
        panic!("asked to crash by x-test-trap");
    }
    #[cfg(not(feature = "trap-on-request"))]
    let _ = headers;
}
