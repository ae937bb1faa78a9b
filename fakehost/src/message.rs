//! What clients and providers send, in readable steps.

use std::collections::BTreeMap;

use crate::headers::HeaderMap;

/// A request as a client sends it.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) ends_with_last_chunk: bool,
    pub(crate) chunked: bool,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// An answer as a provider sends it.
#[derive(Debug, Clone)]
pub struct Response {
    pub(crate) headers: HeaderMap,
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) chunked: bool,
}

// === impl Request ===

impl Request {
    /// A request of any method, for `api.test`.
    pub fn new(method: &str, path: &str) -> Self {
        let headers = [
            (":method", method),
            (":path", path),
            (":authority", "api.test"),
            (":scheme", "http"),
        ];
        Self {
            headers: headers.into_iter().collect(),
            chunks: Vec::new(),
            trailers: None,
            ends_with_last_chunk: false,
            chunked: false,
            properties: BTreeMap::new(),
        }
    }

    /// A GET.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST of JSON.
    pub fn post(path: &str) -> Self {
        Self::new("POST", path).header("content-type", "application/json")
    }

    /// Adds a header, beside others of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value);
        self
    }

    /// Adds `authorization: Bearer KEY`.
    #[must_use]
    pub fn bearer(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    /// The whole body in one piece.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.chunks([body.into()])
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.body(body.to_string())
    }

    /// The body in pieces.
    #[must_use]
    pub fn chunks<C: Into<Vec<u8>>>(mut self, chunks: impl IntoIterator<Item = C>) -> Self {
        self.chunks = chunks.into_iter().map(Into::into).collect();
        self
    }

    /// Without `content-length`.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Ends the stream with its last piece, as an HTTP/2 client may, not by an empty piece behind it.
    #[must_use]
    pub fn ends_with_last_chunk(mut self) -> Self {
        self.ends_with_last_chunk = true;
        self
    }

    /// Trailers behind the body.
    #[must_use]
    pub fn trailers<'a>(mut self, trailers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.trailers = Some(trailers.into_iter().collect());
        self
    }

    /// A property of this stream, such as `["source", "address"]`.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl Into<Vec<u8>>) -> Self {
        self.properties.insert(path.join("\0").into_bytes(), value.into());
        self
    }

    /// Whether the headers are all of it.
    pub(crate) fn is_header_only(&self) -> bool {
        self.chunks.is_empty() && self.trailers.is_none()
    }

    /// The headers, with `content-length` where the body has one and the test did not set it.
    pub(crate) fn framed_headers(&self) -> HeaderMap {
        framed(&self.headers, &self.chunks, self.chunked)
    }
}

// === impl Response ===

impl Response {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self {
            headers: HeaderMap::from_iter([(":status", status.to_string())]),
            chunks: Vec::new(),
            trailers: None,
            chunked: false,
        }
    }

    /// A JSON answer in one piece.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::status(status)
            .header("content-type", "application/json")
            .chunks([body.to_string()])
    }

    /// A server-sent event stream in pieces.
    pub fn sse<C: Into<Vec<u8>>>(chunks: impl IntoIterator<Item = C>) -> Self {
        Self::status(200)
            .header("content-type", "text/event-stream")
            .chunks(chunks)
            .chunked()
    }

    /// Adds a header, beside others of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value);
        self
    }

    /// The body in pieces.
    #[must_use]
    pub fn chunks<C: Into<Vec<u8>>>(mut self, chunks: impl IntoIterator<Item = C>) -> Self {
        self.chunks = chunks.into_iter().map(Into::into).collect();
        self
    }

    /// Without `content-length`.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Trailers behind the body.
    #[must_use]
    pub fn trailers<'a>(mut self, trailers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.trailers = Some(trailers.into_iter().collect());
        self
    }

    pub(crate) fn is_header_only(&self) -> bool {
        self.chunks.is_empty() && self.trailers.is_none()
    }

    pub(crate) fn framed_headers(&self) -> HeaderMap {
        framed(&self.headers, &self.chunks, self.chunked)
    }
}

fn framed(headers: &HeaderMap, chunks: &[Vec<u8>], chunked: bool) -> HeaderMap {
    let mut framed = headers.clone();
    if !chunked && !chunks.is_empty() && framed.first("content-length").is_none() {
        framed.add(
            "content-length",
            chunks.iter().map(Vec::len).sum::<usize>().to_string(),
        );
    }
    framed
}
