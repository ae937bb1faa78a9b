//! How much work counting may still take.

/// Work that is left, in units of about ten nanoseconds: what a byte of plain text takes. Less than none may be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work(i64);

/// What the lookup of a piece takes at least.
const PIECE: i64 = 4;

/// What each byte takes that has to be merged, as measured for random letters.
const MERGED_BYTE: i64 = 6;

/// What each byte takes that is merged from a heap.
const HEAP_BYTE: i64 = 64;

// === impl Work ===

impl Work {
    /// No end of it.
    pub(crate) const fn endless() -> Self {
        Self(i64::MAX)
    }

    /// As much as a plain text of so many bytes takes.
    pub(crate) fn of_plain_text(bytes: usize) -> Self {
        Self(bytes.try_into().unwrap_or(i64::MAX))
    }

    /// The longest text that it can be enough for.
    pub(crate) fn longest_text(self) -> usize {
        self.0.max(0).try_into().unwrap_or(usize::MAX)
    }

    /// Whether all is spent; what is begun then is still finished.
    #[inline]
    pub(crate) const fn is_spent(self) -> bool {
        self.0 <= 0
    }

    /// Whether it is enough for a heap of so many bytes.
    pub(crate) const fn allows_heap(self, bytes: usize) -> bool {
        self.0 / HEAP_BYTE >= bytes as i64
    }

    /// A piece is looked up.
    #[inline]
    pub(crate) fn look_up(&mut self, bytes: usize) {
        self.0 -= (bytes as i64).max(PIECE);
    }

    /// Bytes are merged.
    #[inline]
    pub(crate) fn merge(&mut self, bytes: usize) {
        self.spend(bytes, MERGED_BYTE);
    }

    /// Bytes are merged from a heap.
    pub(crate) fn heap(&mut self, bytes: usize) {
        self.spend(bytes, HEAP_BYTE);
    }

    #[inline]
    fn spend(&mut self, bytes: usize, each: i64) {
        self.0 = self.0.saturating_sub((bytes as i64).saturating_mul(each));
    }
}
