//! The names of one exchange.

use crate::time::UnixNanos;

/// A time in milliseconds takes so many bytes for nine thousand years.
const TIME_BYTES: usize = 6;
const ENTROPY_BYTES: usize = 16;

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
    pub fn new(now: UnixNanos, entropy: [u8; ENTROPY_BYTES]) -> Self {
        let [_, _, time @ ..] = now.millis().0.to_be_bytes();
        let mut digits = [0; 2 * (TIME_BYTES + ENTROPY_BYTES)];
        let (of_time, of_entropy) = digits.split_at_mut(2 * TIME_BYTES);
        // Both have room for two digits a byte.
        let _ = hex::encode_to_slice::<[u8; TIME_BYTES]>(time, of_time);
        let _ = hex::encode_to_slice(entropy, of_entropy);
        let all = std::str::from_utf8(&digits).unwrap_or_default();
        let random = all.get(2 * TIME_BYTES..).unwrap_or_default();
        Self {
            request: ["req_", random].concat(),
            event: ["evt_", all].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_time_and_the_entropy_in_hexadecimal_digits() {
        let entropy = [
            0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 0xff,
        ];
        let ids = Ids::new(UnixNanos(1_800_000_000_123_000_000), entropy);
        assert_eq!(ids.request, "req_0123456789abcdef00000000000000ff");
        assert_eq!(ids.event, "evt_01a3185c507b0123456789abcdef00000000000000ff");
    }
}
