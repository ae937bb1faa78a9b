//! One direction of a stream: what flows, where it stands, and what of it the filter may touch.

use crate::headers::HeaderMap;

/// Which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

/// Whether the filter chain lets this direction flow (Envoy's `IterationState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Flow {
    #[default]
    Going,
    /// Nothing leaves; the filter goes on being called.
    Held,
    /// Nothing leaves, and what arrives waits, unseen by the filter, until it resumes.
    Stopped,
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub(crate) struct Half {
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) trailers: Option<HeaderMap>,
    /// What is held. Once there, it stays, if only empty.
    pub(crate) buffered: Option<Vec<u8>>,
    /// The piece of the body that the filter is being called with.
    pub(crate) frame: Vec<u8>,
    pub(crate) flow: Flow,
    pub(crate) headers_sent: bool,
    /// The peer has sent everything.
    pub(crate) complete: bool,
    /// A local reply was sent out of a callback of this direction: the rest is dropped.
    pub(crate) aborted: bool,
    pub(crate) in_callback: bool,
    pub(crate) access: Access,
}

/// What the filter can reach: Envoy keeps pointers, and clears them at moments of its own.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) headers: bool,
    pub(crate) trailers: bool,
    pub(crate) frame: bool,
    /// The filter paused in its last body callback: it now sees all that is held, not the last piece.
    pub(crate) buffering: bool,
}

// === impl Side ===

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Request, Self::Response];
}

// === impl Half ===

impl Half {
    /// Puts bytes behind those that are held.
    pub(crate) fn hold(&mut self, bytes: &[u8]) {
        self.buffered.get_or_insert_default().extend_from_slice(bytes);
    }

    /// The buffer that the filter sees now.
    pub(crate) fn body(&self) -> Option<&Vec<u8>> {
        if self.access.buffering {
            return self.buffered.as_ref();
        }
        self.access.frame.then_some(&self.frame)
    }

    /// The buffer that the filter may change now.
    pub(crate) fn body_mut(&mut self) -> Option<&mut Vec<u8>> {
        if self.access.buffering {
            return self.buffered.as_mut();
        }
        self.access.frame.then_some(&mut self.frame)
    }

    pub(crate) fn headers_mut(&mut self) -> Option<&mut HeaderMap> {
        self.headers.as_mut().filter(|_| self.access.headers)
    }

    pub(crate) fn trailers_mut(&mut self) -> Option<&mut HeaderMap> {
        self.trailers.as_mut().filter(|_| self.access.trailers)
    }
}
