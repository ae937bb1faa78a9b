//! Rates: dollars for one token, request or other unit, exactly as they are written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;

/// Decimal places of a rate: LiteLLM's file has prices like `5.0000000000000004e-08`, with 24.
const PLACES: i64 = 24;
/// The most that one unit may cost, in dollars. What is above is a slip of the decimal point.
const MAX_DOLLARS: u128 = 1_000_000;
/// Significant digits that are read: the rest cannot matter.
const MAX_DIGITS: u32 = 34;

/// Dollars for one unit, in units of 10⁻²⁴ USD. A decimal is read from its text: no binary fraction comes between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Rate(pub(super) u128);

/// Why a decimal is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidRate {
    /// It is no JSON number.
    #[error("expected dollars for one unit as a decimal, such as 1.5e-07")]
    NotANumber,
    /// It is less than zero.
    #[error("a price must not be negative")]
    Negative,
    /// It is beyond [`MAX_DOLLARS`].
    #[error("a price must be at most {MAX_DOLLARS} dollars for one unit")]
    TooLarge,
}

// === impl Rate ===

impl Rate {
    /// Nothing.
    pub(super) const ZERO: Self = Self(0);
    /// One dollar.
    const DOLLAR: u128 = 10_u128.pow(PLACES as u32);

    /// Reads a JSON number. Exact to 24 decimal places; what is beyond them is rounded to the nearest.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidRate> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        if whole.is_empty() || fraction.is_empty() {
            return Err(InvalidRate::NotANumber);
        }
        let mut digits: u128 = 0;
        let mut significant = 0;
        let mut scale = PLACES + exponent;
        for (byte, is_fraction) in whole
            .bytes()
            .map(|byte| (byte, false))
            .chain(fraction.bytes().map(|byte| (byte, true)))
        {
            let digit = char::from(byte).to_digit(10).ok_or(InvalidRate::NotANumber)?;
            significant += u32::from(digits > 0);
            if significant < MAX_DIGITS {
                digits = digits * 10 + u128::from(digit);
                scale -= i64::from(is_fraction);
            } else {
                scale += i64::from(!is_fraction);
            }
        }
        let rate = Self(scaled(digits, scale).ok_or(InvalidRate::TooLarge)?);
        if rate.0 > MAX_DOLLARS * Self::DOLLAR {
            return Err(InvalidRate::TooLarge);
        }
        if negative && digits > 0 {
            return Err(InvalidRate::Negative);
        }
        Ok(rate)
    }

    /// What so many units cost, in units of 10⁻²⁴ USD.
    pub(super) fn times(self, units: u64) -> u128 {
        // Most kinds of tokens a request has none of. The VM, of 32 bits itself, has no product of 128 bits: as a rule two
        // of 64 do.
        match (u64::try_from(self.0), u32::try_from(units)) {
            _ if units == 0 => 0,
            (Ok(narrow), Ok(few)) => {
                let (high, low) = (narrow >> u32::BITS, narrow & u64::from(u32::MAX));
                let few = u64::from(few);
                (u128::from(high * few) << u32::BITS) + u128::from(low * few)
            }
            _ => self.0.saturating_mul(u128::from(units)),
        }
    }
}

impl fmt::Display for Rate {
    /// Dollars, as a plain decimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0 / Self::DOLLAR, self.0 % Self::DOLLAR);
        let digits = format!("{rest:024}");
        write!(f, "{dollars}.{:0<1}", digits.trim_end_matches('0'))
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(D::Error::custom)
    }
}

fn parse_exponent(text: &str) -> Result<i64, InvalidRate> {
    let exponent: i64 = text.parse().map_err(|_| InvalidRate::NotANumber)?;
    Ok(exponent.clamp(-1_000, 1_000))
}

/// `digits` × 10^`scale`, rounded half up; `None` where it does not fit.
fn scaled(digits: u128, scale: i64) -> Option<u128> {
    if digits == 0 {
        return Some(0);
    }
    let power = u32::try_from(scale.unsigned_abs())
        .ok()
        .and_then(|places| 10_u128.checked_pow(places));
    match (scale >= 0, power) {
        (true, power) => digits.checked_mul(power?),
        (false, Some(power)) => Some((digits + power / 2) / power),
        (false, None) => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_decimal_is_read_as_it_is_written() {
        for (text, expected) in [
            ("0", "0.0"),
            ("0.0", "0.0"),
            ("-0.0", "0.0"),
            ("1.5e-07", "0.00000015"),
            ("3.75e-08", "0.0000000375"),
            ("0.000125", "0.000125"),
            ("1E-6", "0.000001"),
            ("2.5e+1", "25.0"),
            ("5.0000000000000004E-8", "0.000000050000000000000004"),
            ("1e-24", "0.000000000000000000000001"),
            ("5e-25", "0.000000000000000000000001"),
            ("4e-25", "0.0"),
            ("1e-999999999", "0.0"),
            ("0.1000000000000000000000000000000000000000000000000", "0.1"),
            ("1000000", "1000000.0"),
        ] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for (text, error) in [
            ("-1e-6", InvalidRate::Negative),
            ("1000000.1", InvalidRate::TooLarge),
            ("1e400", InvalidRate::TooLarge),
            (
                "99999999999999999999999999999999999999999999999",
                InvalidRate::TooLarge,
            ),
            ("\"0.5\"", InvalidRate::NotANumber),
            ("true", InvalidRate::NotANumber),
            ("{}", InvalidRate::NotANumber),
            ("", InvalidRate::NotANumber),
            ("1.", InvalidRate::NotANumber),
            ("1e", InvalidRate::NotANumber),
        ] {
            assert_eq!(Rate::parse(text), Err(error), "{text}");
        }
    }

    /// Long multiplication by ten on decimal digits: the plain way to move a decimal point.
    fn moved(digits: &str, places: usize) -> String {
        let padded = format!("{digits}{}", "0".repeat(places));
        let trimmed = padded.trim_start_matches('0');
        if trimmed.is_empty() {
            "0".to_owned()
        } else {
            trimmed.to_owned()
        }
    }

    proptest! {
        #[test]
        fn a_product_is_that_of_128_bits(
            rate in prop_oneof![any::<u128>(), any::<u64>().prop_map(u128::from)],
            units in prop_oneof![any::<u64>(), any::<u32>().prop_map(u64::from)],
        ) {
            prop_assert_eq!(Rate(rate).times(units), rate.saturating_mul(u128::from(units)));
        }

        #[test]
        fn a_rate_equals_its_digits_with_the_point_moved(digits in "[0-9]{1,17}", exponent in 11usize..=24) {
            let rate = Rate::parse(&format!("{digits}e-{exponent}")).unwrap();
            prop_assert_eq!(rate.0.to_string(), moved(&digits, 24 - exponent));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,60}") {
            let _ = Rate::parse(&text);
        }
    }
}
