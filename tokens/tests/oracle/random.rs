//! Random numbers and strings that are found again by their seed.

/// A small generator (SplitMix64).
pub(crate) struct Random(u64);

// === impl Random ===

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// From 0 on; small numbers more often than large ones, none above `bound`.
    pub(crate) fn small(&mut self, bound: usize) -> usize {
        let most = self.below(bound) + 1;
        self.below(most)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A few parts, one after the other.
    pub(crate) fn soup(&mut self, parts: &[&str], most: usize) -> String {
        (0..self.small(most)).map(|_| self.pick(parts)).collect()
    }

    /// A character of any plane.
    pub(crate) fn scalar(&mut self, below: u32) -> char {
        loop {
            if let Some(scalar) = char::from_u32(self.next() as u32 % below) {
                return scalar;
            }
        }
    }
}
