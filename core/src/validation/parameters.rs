//! Parameters that are forbidden, or held to a range.

use crate::dialect::{Invalid, Request};

/// A rule for one parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameter {
    dotted: Box<str>,
    allowed: Allowed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Allowed {
    Nothing,
    Range { min: Option<f64>, max: Option<f64> },
}

// === impl Parameter ===

impl Parameter {
    /// It must not be given.
    pub(super) fn forbidden(dotted: &str) -> Result<Self, &'static str> {
        Ok(Self {
            dotted: dotted.into(),
            allowed: Allowed::Nothing,
        })
    }

    /// Where it is given, it must be a number from `min` to `max`.
    pub(super) fn ranged(dotted: &str, min: Option<f64>, max: Option<f64>) -> Result<Self, &'static str> {
        match (min, max) {
            (None, None) => Err("needs a min or a max"),
            (Some(least), Some(most)) if least > most => Err("min is larger than max"),
            _ => Ok(Self {
                dotted: dotted.into(),
                allowed: Allowed::Range { min, max },
            }),
        }
    }

    /// Checks a request.
    pub(super) fn check(&self, request: &Request<'_>) -> Result<(), Invalid> {
        let dotted = &*self.dotted;
        let Some(raw) = request.parameter(dotted)? else {
            return Ok(());
        };
        let (min, max) = match self.allowed {
            Allowed::Nothing => return Err(Invalid::new(dotted, format!("{dotted} is not allowed"))),
            Allowed::Range { min, max } => (min, max),
        };
        // A number in quotes is one to providers that do not mind (protocol buffers, pydantic): it counts as one.
        let number = raw.trim_matches('"').parse::<f64>().ok();
        let Some(value) = number.filter(|value| value.is_finite()) else {
            return Err(Invalid::new(dotted, format!("{dotted} must be a number")));
        };
        if let Some(least) = min.filter(|least| value < *least) {
            return Err(Invalid::new(dotted, format!("{dotted} must be at least {least}")));
        }
        if let Some(most) = max.filter(|most| value > *most) {
            return Err(Invalid::new(dotted, format!("{dotted} must be at most {most}")));
        }
        Ok(())
    }
}
