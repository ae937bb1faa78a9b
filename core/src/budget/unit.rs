//! What a budget counts, and amounts of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::decimal;
use crate::money::NanoUsd;

/// The largest amount of anything, so that every amount and every sum of two fits an SQL `BIGINT`.
pub const MAX_AMOUNT: u64 = (i64::MAX / 2) as u64;

/// Digits after the point in a decimal amount of dollars.
const USD_DECIMALS: usize = 9;

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// US dollars; amounts are nano-dollars.
    Usd,
    /// Input and output tokens together.
    Tokens,
    /// Requests that reached the provider.
    Requests,
}

/// How much of every unit: what a request needs, what it used, what is left for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amounts {
    /// Money.
    #[serde(rename = "nanousd")]
    pub usd: NanoUsd,
    /// Input and output tokens together.
    pub tokens: u64,
    /// Requests.
    pub requests: u64,
}

/// Why a decimal amount was not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no amount of {unit}; write {expected}")]
pub struct AmountError {
    text: String,
    unit: Unit,
    expected: &'static str,
}

// === impl Unit ===

impl Unit {
    /// The unit as JSON and clients spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usd => "usd",
            Self::Tokens => "tokens",
            Self::Requests => "requests",
        }
    }

    /// Reads an amount as people write it: `12.5` (dollars, at most nine decimals), `50000` (tokens, requests).
    ///
    /// # Errors
    /// Anything else: a sign, an exponent, more decimals than can be kept, more than [`MAX_AMOUNT`].
    pub fn parse_amount(self, text: &str) -> Result<u64, AmountError> {
        let amount = match self {
            Self::Usd => parse_decimal(text),
            Self::Tokens | Self::Requests => parse_digits(text),
        };
        amount
            .filter(|amount| *amount <= MAX_AMOUNT)
            .ok_or_else(|| AmountError {
                text: text.chars().take(40).collect(),
                unit: self,
                expected: match self {
                    Self::Usd => "dollars like 12.5, with at most nine decimals",
                    Self::Tokens | Self::Requests => "a whole number like 50000",
                },
            })
    }

    /// An amount as people read it: what [`parse_amount`](Self::parse_amount) reads.
    pub fn show_amount(self, amount: u64) -> String {
        match self {
            Self::Usd => NanoUsd(amount).text(),
            Self::Tokens | Self::Requests => decimal::text(amount),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Amounts ===

impl Amounts {
    /// As much as there can be of everything.
    pub const UNBOUNDED: Self = Self {
        usd: NanoUsd(u64::MAX),
        tokens: u64::MAX,
        requests: u64::MAX,
    };

    /// The part that a budget of this unit counts.
    pub const fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Usd => self.usd.0,
            Unit::Tokens => self.tokens,
            Unit::Requests => self.requests,
        }
    }

    /// Lowers the part of a unit to at most `most`.
    pub const fn cap(&mut self, unit: Unit, most: u64) {
        let part = match unit {
            Unit::Usd => &mut self.usd.0,
            Unit::Tokens => &mut self.tokens,
            Unit::Requests => &mut self.requests,
        };
        if *part > most {
            *part = most;
        }
    }
}

fn parse_digits(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

fn parse_decimal(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if decimals.len() > USD_DECIMALS {
        return None;
    }
    let nanos = parse_digits(&format!("{decimals:0<USD_DECIMALS$}"))?;
    parse_digits(decimals)?;
    parse_digits(whole)?
        .checked_mul(1_000_000_000)?
        .checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_write_dollars_with_a_point() {
        for (text, nanos) in [
            ("1.00", 1_000_000_000),
            ("0.000000001", 1),
            ("12.5", 12_500_000_000),
            ("10", 10_000_000_000),
        ] {
            assert_eq!(Unit::Usd.parse_amount(text), Ok(nanos));
        }
    }

    #[test]
    fn what_is_no_amount_is_told_what_one_looks_like() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "0.0000000001",
            "99999999999999",
            "ten",
            "1.5.5",
        ] {
            let message = Unit::Usd.parse_amount(text).unwrap_err().to_string();
            assert!(message.contains("12.5"), "{message}");
        }
        assert!(Unit::Tokens.parse_amount("1.5").is_err());
    }

    proptest! {
        #[test]
        fn an_amount_that_is_shown_is_read_back(amount in 0..=MAX_AMOUNT) {
            for unit in [Unit::Usd, Unit::Tokens, Unit::Requests] {
                prop_assert_eq!(unit.parse_amount(&unit.show_amount(amount)), Ok(amount));
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = Unit::Usd.parse_amount(&text);
        }
    }
}
