//! What a change of one thing in the ledger came to.

/// What became of a change: of a key, a limit, a price …
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed<T, E> {
    /// It is now so.
    Done(Box<T>),
    /// There is no such thing.
    Missing,
    /// The change was refused, and nothing happened.
    Refused(E),
}
