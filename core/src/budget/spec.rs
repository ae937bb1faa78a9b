//! A budget as it is asked for, and as it is once it is known to be sound.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::period::{Period, StartDay};
use super::subject::Subject;
use super::unit::{AmountError, Unit};

/// At which parts of the amount somebody is told, in percent.
pub const DEFAULT_THRESHOLDS: [u8; 2] = [80, 100];

/// Most thresholds of a budget.
const MAX_THRESHOLDS: usize = 10;

/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 200;

/// A budget as an administrator writes it: strict, amounts as decimal strings.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
    /// For people: in refusals, webhooks, lists. If absent, it is made of the subject and the period.
    #[serde(default)]
    pub name: Option<String>,
    /// Which requests are paid from it; all, if absent.
    #[serde(default)]
    pub subject: Subject,
    /// What it counts.
    pub unit: Unit,
    /// How long until it is whole again.
    pub period: Period,
    /// The day on which a month begins.
    #[serde(default)]
    pub start_day: StartDay,
    /// IANA name of the zone whose calendar counts. Whoever has the zones' data checks it.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// How much there is in a period: `"12.5"` dollars, `"50000"` tokens or requests. A total budget may begin
    /// with `"0"` and grow by deposits.
    pub amount: String,
    /// In percent of the amount, ascending; 80 and 100, if absent.
    #[serde(default)]
    pub thresholds: Option<Vec<u8>>,
    /// Whether it refuses or only counts.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// What happens while the sidecar is away and the lease is spent; by default a hard budget refuses.
    #[serde(default)]
    pub on_unavailable: Option<OnUnavailable>,
}

/// A sound budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// For people.
    pub name: String,
    /// Which requests are paid from it. With a `*` this is a template: see [`Subject::applied_to`].
    pub subject: Subject,
    /// What it counts.
    pub unit: Unit,
    /// How long until it is whole again. Never [`Period::Session`]: that has become a template with
    /// [`Period::Total`].
    pub period: Period,
    /// The day on which a month begins.
    pub start_day: StartDay,
    /// IANA name of the zone whose calendar counts.
    pub time_zone: String,
    /// How much there is in a period, in the unit's smallest part.
    pub amount: u64,
    /// In percent, ascending, each once.
    pub thresholds: Vec<u8>,
    /// Whether it refuses or only counts.
    pub enforcement: Enforcement,
    /// What happens while the sidecar is away and the lease is spent.
    pub on_unavailable: OnUnavailable,
}

/// Whether a budget refuses or only counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// A request that does not fit is refused. Paid from leases.
    #[default]
    Hard,
    /// Nothing is refused; thresholds are told. Needs no lease.
    Soft,
}

/// What a budget does when its lease is spent and the sidecar does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnUnavailable {
    /// Refuse with 503.
    #[default]
    Deny,
    /// Go on; what it costs is charged as a debt once the sidecar is back.
    Allow,
}

/// Why a budget is not sound.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BudgetError {
    /// Nobody could tell it from another.
    #[error("name: expected 1 to {MAX_NAME_CHARS} characters without control characters")]
    Name,
    /// Not a number, or too large.
    #[error("amount: {0}")]
    Amount(#[from] AmountError),
    /// Nothing would ever fit.
    #[error("amount: nothing fits a budget of 0; only a total budget may begin with it and grow by deposits")]
    Nothing,
    /// Out of order, too many or past 100 %.
    #[error("thresholds: expected at most {MAX_THRESHOLDS} percentages from 1 to 100, ascending")]
    Thresholds,
    /// Only months begin on a day of choice.
    #[error("start_day: only a budget with the period month has one")]
    StartDay,
    /// A template for a session's own budget cannot name one session.
    #[error("subject: a budget for each session cannot name a session")]
    Session,
}

// === impl Enforcement ===

impl Enforcement {
    /// As JSON spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
        }
    }
}

// === impl OnUnavailable ===

impl OnUnavailable {
    /// As JSON spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
        }
    }
}

// === impl BudgetSpec ===

impl BudgetSpec {
    /// Checks everything but the time zone's name.
    ///
    /// # Errors
    /// What is wrong, with the field's name in front.
    pub fn check(self) -> Result<Budget, BudgetError> {
        let name = self
            .name
            .unwrap_or_else(|| default_name(&self.subject, self.period));
        check_name(&name)?;
        let amount = self.unit.parse_amount(&self.amount)?;
        if amount == 0 && self.period != Period::Total {
            return Err(BudgetError::Nothing);
        }
        if self.start_day != StartDay::FIRST && self.period != Period::Month {
            return Err(BudgetError::StartDay);
        }
        let thresholds = self.thresholds.unwrap_or_else(|| DEFAULT_THRESHOLDS.to_vec());
        check_thresholds(&thresholds)?;
        let (subject, period) = match self.period {
            Period::Session => {
                let each = self.subject.for_each_session();
                (each, Period::Total)
            }
            period => (self.subject, period),
        };
        if self.period == Period::Session && !subject.is_template() {
            return Err(BudgetError::Session);
        }
        let on_unavailable = self.on_unavailable.unwrap_or(match self.enforcement {
            Enforcement::Hard => OnUnavailable::Deny,
            Enforcement::Soft => OnUnavailable::Allow,
        });
        Ok(Budget {
            name,
            subject,
            unit: self.unit,
            period,
            start_day: self.start_day,
            time_zone: self.time_zone,
            amount,
            thresholds,
            enforcement: self.enforcement,
            on_unavailable,
        })
    }
}

/// Whether a name is one.
///
/// # Errors
/// [`BudgetError::Name`].
pub fn check_name(name: &str) -> Result<(), BudgetError> {
    let chars = name.chars().count();
    if chars == 0 || chars > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(BudgetError::Name);
    }
    Ok(())
}

/// Whether somebody can be told at these percentages.
///
/// # Errors
/// [`BudgetError::Thresholds`].
pub fn check_thresholds(thresholds: &[u8]) -> Result<(), BudgetError> {
    let in_range = thresholds.iter().all(|percent| (1..=100).contains(percent));
    if thresholds.len() > MAX_THRESHOLDS || !in_range || !thresholds.is_sorted_by(|a, b| a < b) {
        return Err(BudgetError::Thresholds);
    }
    Ok(())
}

/// `workspace acme, user ann per month`.
fn default_name(subject: &Subject, period: Period) -> String {
    let whose = subject.to_string();
    let text = match period {
        Period::Total => whose,
        Period::Request | Period::Session | Period::Day | Period::Week | Period::Month => {
            format!("{whose} per {}", period.as_str())
        }
    };
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .take(MAX_NAME_CHARS)
        .collect()
}

fn utc() -> String {
    "UTC".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(changes: &Value) -> Result<Budget, BudgetError> {
        let mut spec = json!({"name": "demo", "unit": "usd", "period": "month", "amount": "1.00"});
        spec.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        serde_json::from_value::<BudgetSpec>(spec).unwrap().check()
    }

    #[test]
    fn little_needs_to_be_said() {
        let budget = check(&json!({"subject": {"workspace": "acme"}})).unwrap();
        assert_eq!(budget.amount, 1_000_000_000);
        assert_eq!(budget.thresholds, DEFAULT_THRESHOLDS);
        assert_eq!(budget.enforcement, Enforcement::Hard);
        assert_eq!(budget.on_unavailable, OnUnavailable::Deny);
        assert_eq!(budget.time_zone, "UTC");
    }

    #[test]
    fn a_budget_without_a_name_is_called_by_its_subject_and_period() {
        let unnamed = |subject: &Value, period: &str| {
            let changes = json!({"name": null, "subject": subject, "period": period});
            check(&changes).unwrap().name
        };
        assert_eq!(
            unnamed(&json!({"user": "ann", "workspace": "acme"}), "month"),
            "workspace acme, user ann per month"
        );
        assert_eq!(unnamed(&json!({"user": "*"}), "total"), "each user");
        assert_eq!(unnamed(&json!({}), "request"), "everything per request");
        let long = unnamed(&json!({"user": "\n".repeat(500)}), "day");
        assert_eq!(long.chars().count(), MAX_NAME_CHARS);
    }

    #[test]
    fn a_soft_budget_lets_pass_when_the_sidecar_is_away() {
        let budget = check(&json!({"enforcement": "soft"})).unwrap();
        assert_eq!(budget.on_unavailable, OnUnavailable::Allow);
    }

    #[test]
    fn a_budget_for_each_session_is_a_template_of_totals() {
        let tier =
            json!({"unit": "tokens", "period": "session", "amount": "50000", "subject": {"workspace": "w"}});
        let budget = check(&tier).unwrap();
        assert_eq!(budget.period, Period::Total);
        assert_eq!(budget.subject.key(), r#"{"workspace":"w","session":"*"}"#);
    }

    #[test]
    fn what_is_unsound_is_told_with_its_field() {
        for (changes, field) in [
            (json!({"name": ""}), "name"),
            (json!({"name": "a\nb"}), "name"),
            (json!({"amount": "-1"}), "amount"),
            (json!({"amount": "0"}), "amount"),
            (json!({"thresholds": [100, 80]}), "thresholds"),
            (json!({"thresholds": [80, 80]}), "thresholds"),
            (json!({"thresholds": [0]}), "thresholds"),
            (json!({"thresholds": [101]}), "thresholds"),
            (json!({"period": "week", "start_day": 5}), "start_day"),
            (
                json!({"period": "session", "subject": {"session": "s"}}),
                "subject",
            ),
        ] {
            let message = check(&changes).unwrap_err().to_string();
            assert!(message.starts_with(field), "{changes}: {message}");
        }
    }

    #[test]
    fn a_total_budget_may_begin_with_nothing() {
        assert_eq!(
            check(&json!({"period": "total", "amount": "0"})).unwrap().amount,
            0
        );
    }
}
