//! Counting within a budget.

/// A number of tokens, and whether every byte was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Tokens.
    pub tokens: u64,
    /// False if the text was too long and the number is extrapolated from a part of it.
    pub exact: bool,
}

/// Windows that a long text is sampled in.
const WINDOWS: usize = 32;

/// Counts all of `text` if it fits the budget, else evenly spaced windows of it.
pub(crate) fn count(text: &str, budget: usize, exact: impl Fn(&str) -> u64) -> Count {
    if text.len() <= budget {
        return Count {
            tokens: exact(text),
            exact: true,
        };
    }
    let size = (budget / WINDOWS).max(64);
    let stride = text.len() / WINDOWS;
    let (mut seen, mut tokens) = (0, 0);
    for window in 0..WINDOWS {
        let start = text.floor_char_boundary(window * stride);
        let end = text.ceil_char_boundary((start + size).min(text.len()));
        let part = text.get(start..end).unwrap_or_default();
        seen += part.len();
        tokens += exact(part);
    }
    let scaled = u128::from(tokens) * text.len() as u128 / seen.max(1) as u128;
    Count {
        tokens: scaled.try_into().unwrap_or(u64::MAX),
        exact: false,
    }
}
