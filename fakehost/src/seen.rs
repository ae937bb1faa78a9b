//! What the world outside the filter saw of one exchange: the provider, the client, the access log.

use std::collections::BTreeMap;

use crate::call::CallCounts;
use crate::headers::HeaderMap;

/// What the provider received.
#[derive(Debug, Clone, Default)]
pub struct Upstream {
    /// The request's headers as they were when they left; absent while nothing left.
    pub headers: Option<HeaderMap>,
    /// All body bytes.
    pub body: Vec<u8>,
    /// The request's trailers.
    pub trailers: Option<HeaderMap>,
    /// Whether the request is whole.
    pub ended: bool,
    /// Whether the proxy gave the request up.
    pub cancelled: bool,
}

/// What the client received.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The answer's headers; absent while there are none.
    pub headers: Option<HeaderMap>,
    /// The body, a piece for every write.
    pub chunks: Vec<Vec<u8>>,
    /// The answer's trailers.
    pub trailers: Option<HeaderMap>,
    /// Whether the answer is whole.
    pub ended: bool,
    /// Whether the proxy cut the answer (or the connection) off.
    pub reset: bool,
    /// Whether the client hung up.
    pub gone: bool,
}

/// Whether a body is as long as its `content-length` says. A longer one is request smuggling: its tail is
/// read as the next request of the connection. A shorter one makes the peer wait for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no `content-length`: chunked, always right.
    Chunked,
    /// Exactly as long.
    Exact,
    /// Bytes beyond `content-length`.
    Overrun {
        /// What the header says.
        declared: usize,
        /// What was sent.
        sent: usize,
    },
    /// The end came too early (or has not come yet).
    Short {
        /// What the header says.
        declared: usize,
        /// What was sent.
        sent: usize,
    },
}

/// One callback that the filter got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The export without `proxy_on_`.
    pub name: &'static str,
    /// The number of headers, or of bytes in the buffer.
    pub size: usize,
    /// Whether the peer ended the stream with it.
    pub end_of_stream: bool,
    /// Whether the filter returned `Pause`.
    pub paused: bool,
}

/// Everything that is seen of an exchange.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) upstream: Upstream,
    pub(crate) client: Client,
    pub(crate) callbacks: Vec<Callback>,
    pub(crate) calls: CallCounts,
    pub(crate) filter_state: BTreeMap<String, Vec<u8>>,
    pub(crate) details: String,
    pub(crate) over: bool,
}

// === impl Upstream ===

impl Upstream {
    /// Whether the request reached the provider.
    pub fn reached(&self) -> bool {
        self.headers.is_some()
    }

    /// Whether the body fits its `content-length`.
    pub fn framing(&self) -> Framing {
        Framing::of(self.headers.as_ref(), self.body.len())
    }

    /// A header that reached the provider, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref().and_then(|headers| headers.text(name))
    }
}

// === impl Client ===

impl Client {
    /// The status; 0 where there is none.
    pub fn status(&self) -> u16 {
        self.headers.as_ref().map_or(0, HeaderMap::status)
    }

    /// The whole body.
    pub fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    /// The whole body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    /// A header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref().and_then(|headers| headers.text(name))
    }

    /// Whether the body fits its `content-length`.
    pub fn framing(&self) -> Framing {
        Framing::of(self.headers.as_ref(), self.chunks.iter().map(Vec::len).sum())
    }
}

// === impl Framing ===

impl Framing {
    fn of(headers: Option<&HeaderMap>, sent: usize) -> Self {
        let Some(declared) = headers.and_then(HeaderMap::content_length) else {
            return Self::Chunked;
        };
        match sent.cmp(&declared) {
            std::cmp::Ordering::Equal => Self::Exact,
            std::cmp::Ordering::Greater => Self::Overrun { declared, sent },
            std::cmp::Ordering::Less => Self::Short { declared, sent },
        }
    }
}
