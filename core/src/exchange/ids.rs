//! The names of one exchange.

use crate::time::UnixNanos;

/// The ids of one exchange, made from the time and sixteen random bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// `req_…`: the client sees it as `x-tollgate-request-id`.
    pub request: String,
    /// `evt_…`: the ledger recognises a repeated delivery by it. Sorts by time.
    pub event: String,
}

// === impl Ids ===

impl Ids {
    /// Makes ids. With the same bytes at the same time they are the same; the caller draws fresh ones.
    pub fn new(now: UnixNanos, entropy: [u8; 16]) -> Self {
        let entropy = hex::encode(entropy);
        Self {
            request: format!("req_{entropy}"),
            event: format!("evt_{:012x}{entropy}", now.millis().0),
        }
    }
}
