//! Checks of a budget that need the time zones' data, for the admin API and for the configuration.

use jiff::tz::TimeZone;
use tollgate_core::budget::{Budget, BudgetError, BudgetSpec};

/// Checks a budget, its time zone included.
///
/// # Errors
/// The field that is wrong, and what is wrong with it.
pub fn check(spec: BudgetSpec) -> Result<Budget, (String, String)> {
    let mut budget = spec.check().map_err(|error| field_of(&error))?;
    if budget.subject.values().any(|value| value.contains('\0')) {
        let message = "a value has the character NUL, which no request's has".to_owned();
        return Err(("subject".to_owned(), message));
    }
    let zone = TimeZone::get(&budget.time_zone).map_err(|_| {
        let message = format!(
            "no time zone is named {:?}; write one like Europe/Berlin, or UTC",
            budget.time_zone
        );
        ("time_zone".to_owned(), message)
    })?;
    // As the zones' data spell it: any case is understood.
    if let Some(name) = zone.iana_name() {
        name.clone_into(&mut budget.time_zone);
    }
    Ok(budget)
}

/// The field of a fault, and what is wrong with it: the rules say the field first.
pub fn field_of(error: &BudgetError) -> (String, String) {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((field, message)) => (field.to_owned(), message.to_owned()),
        None => (String::new(), text),
    }
}
