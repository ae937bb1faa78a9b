//! What an exchange tells the filter to do next.

use std::time::Duration;

use crate::headers::HeaderOp;
use crate::key::KeyHash;
use crate::wire::{LeaseRequest, ModerationRequest};

/// The next thing to do. The filter performs it and, where it says so, comes back with what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Let these bytes, and whatever comes after them, go on as they are.
    Pass,
    /// Let these bytes go on in place of the chunk.
    Replace(Vec<u8>),
    /// Keep headers and body here; there is more to come.
    Hold,
    /// Call [`request_body`](super::Exchange::request_body) or [`response_body`](super::Exchange::response_body) with all that is held.
    ReadBody,
    /// Ask the sidecar, hold, and call [`answered`](super::Exchange::answered).
    Ask(Ask),
    /// Change the held headers and body, and let them go.
    Release(Release),
    /// Answer the client in the provider's place.
    Refuse(Reply),
}

/// What changes when held headers and body are let go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Changes to the held headers, in order; `content-length` is among them where the body changes.
    pub headers: Vec<HeaderOp>,
    /// The new body, where it is not the one that came.
    pub body: Option<Vec<u8>>,
}

/// A question to the sidecar.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    /// Whose key is this?
    ResolveKey(KeyHash),
    /// May this request be paid?
    Lease(Box<LeaseRequest>),
    /// May these texts pass?
    Moderate(Box<Moderate>),
}

/// A question about texts.
#[derive(Debug, PartialEq, Eq)]
pub struct Moderate {
    /// What is asked.
    pub request: ModerationRequest,
    /// How long to wait.
    pub timeout: Duration,
}

/// The sidecar's answer, as far as it reached the filter.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// The sidecar itself answered: HTTP status and body.
    Answered {
        /// HTTP status.
        status: u16,
        /// JSON.
        body: &'a [u8],
    },
    /// It could not be asked, did not answer in time, or something else answered in its place.
    Unavailable,
}

/// A local reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status, never 2xx.
    pub status: u16,
    /// Its headers, `content-type` included.
    pub headers: Vec<(&'static str, String)>,
    /// Its body, in the envelope of the path's dialect.
    pub body: Vec<u8>,
    /// For the access log: `tollgate_rate_limit_exceeded`.
    pub details: String,
}
