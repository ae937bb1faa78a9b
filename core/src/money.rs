//! Money is an integer count of nano-dollars; it becomes a decimal only where a person reads it.

use std::fmt;

use serde::{Deserialize, Serialize};

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
}

impl fmt::Display for NanoUsd {
    /// Decimal dollars without a sign and without trailing zeros: `0.000123`, `12.5`, `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if nanos == 0 {
            return write!(f, "{dollars}");
        }
        // Ten digits, of which the first keeps the zeros of the others.
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(1_000_000_000 + nanos);
        f.write_str(itoa::Buffer::new().format(dollars))?;
        f.write_str(".")?;
        f.write_str(digits.trim_end_matches('0').get(1..).unwrap_or_default())
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
        ] {
            assert_eq!(NanoUsd(nanos).to_string(), text);
        }
    }
}
