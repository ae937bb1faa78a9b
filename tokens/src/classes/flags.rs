//! The classes of characters, one bit each, so that a set of classes is a mask.

/// `\p{Lu}` and `\p{Lt}`: begins a word.
pub(crate) const UPPER: u8 = 1;
/// `\p{Ll}`: goes on with a word.
pub(crate) const LOWER: u8 = 1 << 1;
/// `\p{Lm}` and `\p{Lo}`: letters without case, which may begin or go on with a word.
pub(crate) const MIDDLE: u8 = 1 << 2;
/// `\p{M}`: combining marks; no letters, but part of words in `o200k_base`.
pub(crate) const MARK: u8 = 1 << 3;
/// `\p{N}`.
pub(crate) const NUMBER: u8 = 1 << 4;
/// `\s`.
pub(crate) const SPACE: u8 = 1 << 5;
/// `[\r\n]`, which are spaces too.
pub(crate) const NEWLINE: u8 = 1 << 6;
/// Everything else: punctuation, symbols, controls, unassigned.
pub(crate) const OTHER: u8 = 1 << 7;

/// `\p{L}`.
pub(crate) const LETTER: u8 = UPPER | LOWER | MIDDLE;
/// `[^\s\p{L}\p{N}]`.
pub(crate) const SYMBOL: u8 = OTHER | MARK;
