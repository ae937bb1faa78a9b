//! Unique bytes: for the ids of exchanges, and for the name of a worker.

use std::cell::Cell;

use crate::host;

/// Unique bytes without a host call each time: a random start, drawn once, and a counter.
#[derive(Debug, Default)]
pub(crate) struct Entropy {
    seed: Cell<Option<u128>>,
    counter: Cell<u64>,
}

// === impl Entropy ===

impl Entropy {
    /// Sixteen bytes that no other exchange has.
    pub(crate) fn next(&self) -> [u8; 16] {
        let seed = self.seed.get().unwrap_or_else(|| {
            let seed = random_seed();
            self.seed.set(Some(seed));
            seed
        });
        let count = self.counter.get();
        self.counter.set(count.wrapping_add(1));
        // Multiplying by an odd number is a bijection: different counts never meet.
        seed.wrapping_add(u128::from(count))
            .wrapping_mul(0x2d35_8dcc_aa6c_78a5_8bb8_4b93_962e_acc9)
            .to_be_bytes()
    }
}

/// A random start from the host; the time where it has no randomness to give.
fn random_seed() -> u128 {
    let mut seed = [0; 16];
    if getrandom::fill(&mut seed).is_err() {
        return u128::from(host::now().0) << 64;
    }
    u128::from_le_bytes(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_exchanges_share_their_bytes() {
        let entropy = Entropy {
            seed: Cell::new(Some(7)),
            counter: Cell::new(u64::MAX - 5),
        };
        let drawn: std::collections::HashSet<[u8; 16]> = (0..1000).map(|_| entropy.next()).collect();
        assert_eq!(drawn.len(), 1000);
    }
}
