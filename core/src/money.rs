//! Money is an integer count of nano-dollars; it becomes a decimal only where a person reads it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::decimal;

/// An amount of US dollars in nano-dollars (10⁻⁹ USD). Never negative: debts are kept as such, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub u64);

// === impl NanoUsd ===

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, at most the largest amount that can be written.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Decimal dollars without a sign and without trailing zeros: `0.000123`, `12.5`, `0`. What [`fmt::Display`] writes,
    /// without the machinery of `format!`.
    pub fn text(self) -> String {
        let (dollars, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let mut text = String::with_capacity(24);
        decimal::push(&mut text, dollars);
        if nanos > 0 {
            // Ten digits, of which the first keeps the zeros of the others, and gives its place to the point.
            let point = text.len();
            decimal::push(&mut text, 1_000_000_000 + nanos);
            text.replace_range(point..=point, ".");
            text.truncate(text.trim_end_matches('0').len());
        }
        text
    }
}

impl fmt::Display for NanoUsd {
    /// As [`NanoUsd::text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_decimal_dollars() {
        for (nanos, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (12_500_000_000, "12.5"),
            (3_000_000_000, "3"),
            (3_000_000_010, "3.00000001"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(NanoUsd(nanos).to_string(), text);
        }
    }
}
