//! Raises of budgets, as operators make and withdraw them.

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::budget::{MAX_AMOUNT, Period, Unit};
use tollgate_core::time::UnixMillis;

use super::budgets::no_such_budget;
use super::key_spec::check_name;
use crate::access::Permitted;
use crate::http::extract::{JsonBody, Params, PathId, PathParts};
use crate::http::page::PageSize;
use crate::http::problem::{FieldError, Problem};
use crate::http::reply::Created;
use crate::ledger::admin::Changed;
use crate::ledger::budgets::StoredBudget;
use crate::ledger::raises::StoredRaise;
use crate::secret_key::new_id;
use crate::state::App;

/// The longest raise.
const LONGEST_MS: u64 = 366 * 86_400_000;

/// `POST /admin/v1/budgets/{id}/raises`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRaise {
    /// By how much: a decimal string in the budget's unit.
    amount: String,
    /// RFC 3339. At least as long as a lease lasts from now (two minutes, unless configured), at most a year.
    until: Timestamp,
    /// For whoever reads it later.
    reason: String,
}

/// A raise as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RaiseView {
    id: String,
    budget_id: String,
    amount: String,
    until: Timestamp,
    reason: String,
    /// By whom.
    by: String,
    created_at: Timestamp,
    withdrawn_at: Option<Timestamp>,
    /// Whether the budget is raised by it now.
    active: bool,
}

/// A page of raises.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RaisePage {
    raises: Vec<RaiseView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// `?after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RaiseQuery {
    after: Option<String>,
    limit: Option<u32>,
}

/// `/budgets/{id}/raises/{raise}`
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RaisePath {
    id: String,
    raise: String,
}

/// `POST /admin/v1/budgets/{id}/raises`. While it lasts, the budget is larger by it; afterwards it is what it was.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    JsonBody(new): JsonBody<NewRaise>,
) -> Result<Created<RaiseView>, Problem> {
    let now: UnixMillis = app.clock().now().into();
    let raise_id = new_id("rse", now)?;
    let by = permitted.caller().actor();
    let lease_ms = app.config().budgets.leases.ttl_ms;
    let change = |stored: &mut StoredBudget| {
        permitted.object(stored.workspace(), no_such_budget)?;
        check_budget(stored)?;
        let amount = new.check(stored, lease_ms, now)?;
        let raise = StoredRaise {
            id: raise_id.clone(),
            amount,
            until: UnixMillis::from(new.until).0,
            reason: new.reason.clone(),
            by: by.name.clone(),
            created_at: now.0,
            withdrawn_at: None,
        };
        if stored.raise(raise, now) {
            Ok(())
        } else {
            Err(Problem::conflict(
                "the budget has as many raises as it may: withdraw one",
            ))
        }
    };
    let stored = changed(&app, &permitted, &id, "budget.raise", change).await?;
    let made = stored.raises.iter().find(|raise| raise.id == raise_id);
    let made = made.ok_or_else(no_such_raise)?;
    tracing::info!(budget_id = %id, raise_id, amount = made.amount, until = %new.until, "budget raised");
    Ok(Created::new(RaiseView::new(made, &stored, now)))
}

/// `GET /admin/v1/budgets/{id}/raises`, ended ones included.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    Params(query): Params<RaiseQuery>,
) -> Result<Json<RaisePage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let now = app.clock().now().into();
    let standing = app.ledger().budget(&id, now).await?.ok_or_else(no_such_budget)?;
    let stored = standing.budget;
    permitted.object(stored.workspace(), no_such_budget)?;
    let after = query.after.unwrap_or_default();
    let found = stored.raises.iter().filter(|raise| raise.id > after);
    let found: Vec<&StoredRaise> = found.take(size.rows().saturating_add(1) as usize).collect();
    let (raises, next) = size.cut(found, |raise| raise.id.clone());
    Ok(Json(RaisePage {
        raises: raises
            .into_iter()
            .map(|raise| RaiseView::new(raise, &stored, now))
            .collect(),
        next,
    }))
}

/// `DELETE /admin/v1/budgets/{id}/raises/{raise}`: it ends now. What gateways have leased of it is theirs until they next
/// report, a second later, or their leases end.
pub(super) async fn withdraw(
    State(app): State<App>,
    permitted: Permitted,
    PathParts(RaisePath { id, raise }): PathParts<RaisePath>,
) -> Result<NoContent, Problem> {
    let now: UnixMillis = app.clock().now().into();
    let change = |stored: &mut StoredBudget| {
        permitted.object(stored.workspace(), no_such_budget)?;
        let found = stored.raises.iter_mut().find(|found| found.id == raise);
        let found = found.ok_or_else(no_such_raise)?;
        if found.is_on(now) {
            found.withdrawn_at = Some(now.0);
        }
        Ok(())
    };
    changed(&app, &permitted, &id, "budget.withdraw_raise", change).await?;
    tracing::info!(budget_id = %id, raise_id = %raise, "raise withdrawn");
    Ok(NoContent)
}

async fn changed(
    app: &App,
    permitted: &Permitted,
    id: &str,
    action: &'static str,
    change: impl Fn(&mut StoredBudget) -> Result<(), Problem>,
) -> Result<StoredBudget, Problem> {
    let (now, by) = (app.clock().now().into(), permitted.caller().actor());
    match app.ledger().change_budget(id, now, &by, action, change).await? {
        Changed::Done(standing, returned) => {
            app.returns().announce(&returned);
            Ok(standing.budget)
        }
        Changed::NoSuchBudget => Err(no_such_budget()),
        Changed::Refused(problem) => Err(problem),
    }
}

/// # Errors
/// 409 where the budget has no amount of its own that could be raised for a while.
fn check_budget(stored: &StoredBudget) -> Result<(), Problem> {
    if stored.archived_at.is_some() {
        return Err(Problem::conflict("the budget is archived, for good"));
    }
    if stored.budget.subject.is_template() {
        return Err(Problem::conflict(
            "a template is not spent: raise the budgets that it has made",
        ));
    }
    if stored.budget.period == Period::Request {
        return Err(Problem::conflict(
            "a cap for each request is not spent: change its amount",
        ));
    }
    Ok(())
}

fn no_such_raise() -> Problem {
    Problem::not_found("this budget has no raise with this id")
}

// === impl NewRaise ===

impl NewRaise {
    /// The amount.
    ///
    /// # Errors
    /// A [`Problem`] with every field that is wrong.
    fn check(&self, stored: &StoredBudget, lease_ms: u64, now: UnixMillis) -> Result<u64, Problem> {
        let mut errors = Vec::new();
        let amount = match stored.budget.unit.parse_amount(&self.amount) {
            Ok(0) => Err("nothing is no raise".to_owned()),
            Ok(amount) if stored.amount_at(now).saturating_add(amount) > MAX_AMOUNT => {
                Err("the budget would be larger than can be counted".to_owned())
            }
            Ok(amount) => Ok(amount),
            Err(error) => Err(error.to_string()),
        };
        let lasts_ms = UnixMillis::from(self.until).0.saturating_sub(now.0);
        if !(lease_ms..=LONGEST_MS).contains(&lasts_ms) {
            let seconds = lease_ms.div_ceil(1_000);
            let detail = format!(
                "expected a moment that is {seconds} s to 366 days from now: no raise is shorter than a lease"
            );
            errors.push(FieldError::at("until", detail));
        }
        check_name("reason", &self.reason, &mut errors);
        match amount {
            Ok(amount) if errors.is_empty() => return Ok(amount),
            Ok(_) => {}
            Err(detail) => errors.push(FieldError::at("amount", detail)),
        }
        Err(Problem::invalid(errors))
    }
}

// === impl RaiseView ===

impl RaiseView {
    fn new(raise: &StoredRaise, budget: &StoredBudget, now: UnixMillis) -> Self {
        let unit: Unit = budget.budget.unit;
        Self {
            id: raise.id.clone(),
            budget_id: budget.id.clone(),
            amount: unit.show_amount(raise.amount),
            until: UnixMillis(raise.until).timestamp(),
            reason: raise.reason.clone(),
            by: raise.by.clone(),
            created_at: UnixMillis(raise.created_at).timestamp(),
            withdrawn_at: raise.withdrawn_at.map(|at| UnixMillis(at).timestamp()),
            active: raise.is_on(now),
        }
    }
}
