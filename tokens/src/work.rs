//! How much work counting may still take.

/// Work that is left, in units of about ten nanoseconds: what a byte of plain text takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work(usize);

/// What the lookup of a piece takes at least.
const PIECE: usize = 4;

/// What each byte takes that has to be merged, as measured for random letters.
const MERGED_BYTE: usize = 6;

/// What each byte takes that is merged from a heap.
const HEAP_BYTE: usize = 64;

// === impl Work ===

impl Work {
    /// No end of it.
    pub(crate) const fn endless() -> Self {
        Self(usize::MAX)
    }

    /// As much as a plain text of so many bytes takes.
    pub(crate) const fn of_plain_text(bytes: usize) -> Self {
        Self(bytes)
    }

    /// The longest text that it can be enough for.
    pub(crate) const fn longest_text(self) -> usize {
        self.0
    }

    /// Whether all is spent; what is begun then is still finished.
    #[inline]
    pub(crate) const fn is_spent(self) -> bool {
        self.0 == 0
    }

    /// Whether it is enough for a heap of so many bytes.
    pub(crate) const fn allows_heap(self, bytes: usize) -> bool {
        self.0 / HEAP_BYTE >= bytes
    }

    /// A piece is looked up.
    #[inline]
    pub(crate) fn look_up(&mut self, bytes: usize) {
        self.spend(if bytes < PIECE { PIECE } else { bytes });
    }

    /// Bytes are merged.
    #[inline]
    pub(crate) fn merge(&mut self, bytes: usize) {
        self.spend(bytes.saturating_mul(MERGED_BYTE));
    }

    /// Bytes are merged from a heap.
    pub(crate) fn heap(&mut self, bytes: usize) {
        self.spend(bytes.saturating_mul(HEAP_BYTE));
    }

    #[inline]
    fn spend(&mut self, units: usize) {
        self.0 = self.0.saturating_sub(units);
    }
}
