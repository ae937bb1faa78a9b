//! One HTTP stream inside the proxy.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::half::{Half, Side};
use crate::headers::HeaderMap;
use crate::seen::Seen;

/// A stream and the filter's context of it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) root: u32,
    pub(crate) request: Half,
    pub(crate) response: Half,
    /// The answer is complete on the proxy's side: the rest of the request is of no interest.
    pub(crate) local_complete: bool,
    /// Headers went to the client: a local reply can only reset.
    pub(crate) answer_sent: bool,
    pub(crate) replied_locally: bool,
    pub(crate) log_phase: bool,
    pub(crate) over: bool,
    /// Properties of this stream, by their path joined with NUL.
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

/// An answer that the proxy itself gives.
#[derive(Debug, Clone)]
pub(crate) struct LocalReply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) details: String,
}

// === impl Stream ===

impl Stream {
    pub(crate) fn new(root: u32, properties: BTreeMap<Vec<u8>, Vec<u8>>, seen: Arc<Mutex<Seen>>) -> Self {
        Self {
            root,
            request: Half::default(),
            response: Half::default(),
            local_complete: false,
            answer_sent: false,
            replied_locally: false,
            log_phase: false,
            over: false,
            properties,
            seen,
        }
    }

    pub(crate) fn half(&self, side: Side) -> &Half {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }

    pub(crate) fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    /// Whether the client has its whole answer, or is about to get one from the proxy: what is left of the
    /// request goes nowhere, and a resume is harmless.
    pub(crate) fn answered_itself(&self) -> bool {
        self.local_complete || self.replied_locally
    }

    pub(crate) fn see<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap())
    }

    /// Says how the exchange ended, for `%RESPONSE_CODE_DETAILS%`.
    pub(crate) fn set_details(&mut self, details: &str) {
        self.properties
            .insert(b"response\0code_details".to_vec(), details.as_bytes().to_vec());
        self.see(|seen| details.clone_into(&mut seen.details));
    }
}

// === impl LocalReply ===

impl LocalReply {
    pub(crate) fn plain(status: u16, body: &str, details: &str) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            details: details.to_owned(),
        }
    }

    /// The headers that Envoy makes of it: `:status`, the filter's own, then length and type of a body.
    pub(crate) fn response_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([(":status", self.status.to_string())]);
        for (name, value) in self.headers.iter() {
            headers.add(name, value);
        }
        if !self.body.is_empty() {
            headers.set("content-length", self.body.len().to_string());
            if headers.first("content-type").is_none() {
                headers.add("content-type", "text/plain");
            }
        }
        headers
    }
}
