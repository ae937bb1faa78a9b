//! Budgets, as operators see and change them.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::budget::{BudgetSpec, Enforcement, OnUnavailable, Period, Subject, Unit};
use tollgate_core::time::UnixMillis;

use super::budget_spec::{BudgetPatch, NewDeposit, check};
use crate::access::Permitted;
use crate::http::etag::{ETag, IfMatch, Tagged};
use crate::http::extract::{JsonBody, Params, PathId};
use crate::http::idempotency::IdempotencyKey;
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::{FieldError, Problem};
use crate::http::reply::Created;
use crate::ledger::admin::{BudgetFilter, Changed, Created as Made, Standing};
use crate::ledger::budgets::StoredBudget;
use crate::ledger::deposits::{Deposited, StoredDeposit};
use crate::secret_key::new_id;
use crate::state::App;

/// A budget as operators see it. Amounts are decimal strings in its unit.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BudgetView {
    id: String,
    name: String,
    subject: Subject,
    unit: Unit,
    period: Period,
    start_day: u8,
    time_zone: String,
    /// How much there is in the period of now, raises included.
    amount: String,
    /// How much there is without raises: what a change of `amount` changes.
    own_amount: String,
    /// When the first of the raises ends that are in the amount; null where there is none.
    raised_until: Option<Timestamp>,
    /// What events have charged in this period.
    spent: String,
    /// What gateways hold of it and may still spend.
    leased: String,
    /// What is not spent; what is leased is a part of it.
    remaining: String,
    /// By how much charges went past the amount.
    overrun: String,
    /// What was charged because the sidecar was away and policy let it pass.
    debt: String,
    period_start: Option<Timestamp>,
    period_end: Option<Timestamp>,
    thresholds: Vec<u8>,
    enforcement: Enforcement,
    on_unavailable: OnUnavailable,
    /// Whether it makes a budget for each subject that is seen.
    template: bool,
    /// The template that made it.
    template_id: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    archived_at: Option<Timestamp>,
    version: u64,
}

/// A page of budgets.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BudgetPage {
    budgets: Vec<BudgetView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// A deposit as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DepositView {
    id: String,
    budget_id: String,
    amount: String,
    /// The budget's amount after it.
    budget_amount: String,
    created_at: Timestamp,
}

/// `?workspace=&template_id=&subject=&archived=&after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetQuery {
    /// That the subject names.
    workspace: Option<String>,
    template_id: Option<String>,
    /// As JSON.
    subject: Option<String>,
    archived: Option<bool>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `POST /admin/v1/budgets`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(spec): JsonBody<BudgetSpec>,
) -> Result<Created<BudgetView>, Problem> {
    let budget = check(spec)?;
    permitted.make(budget.subject.workspace())?;
    let now = app.clock().now().into();
    let new = StoredBudget::new(new_id("bud", now)?, budget, now);
    match app
        .ledger()
        .create_budget(&new, now, &permitted.caller().actor())
        .await?
    {
        Made::Done(standing) => {
            let view = BudgetView::from(*standing);
            tracing::info!(budget_id = %view.id, name = %view.name, amount = %view.amount, "budget created");
            Ok(Created::at(format!("{BASE}/budgets/{}", view.id), view))
        }
        Made::Made(made) => Err(Problem::conflict(format!(
            "{} is of this subject, unit and period, made by template {}: change that one",
            made.id,
            made.template_id.unwrap_or_default()
        ))),
    }
}

/// `GET /admin/v1/budgets`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<BudgetQuery>,
) -> Result<Json<BudgetPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let after = query.after.unwrap_or_default();
    let subject = query.subject.as_deref().map(subject_key).transpose()?;
    let filter = BudgetFilter {
        workspaces: &permitted.list(query.workspace)?,
        template_id: query.template_id.as_deref(),
        subject: subject.as_deref(),
        with_archived: query.archived.unwrap_or(false),
    };
    let now = app.clock().now().into();
    let found = app
        .ledger()
        .budgets(filter, &after, size.rows().saturating_add(1), now)
        .await?;
    let (budgets, next) = size.cut(found, |standing| standing.budget.id.clone());
    Ok(Json(BudgetPage {
        budgets: budgets.into_iter().map(BudgetView::from).collect(),
        next,
    }))
}

/// `GET /admin/v1/budgets/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<Tagged<BudgetView>, Problem> {
    let standing = app.ledger().budget(&id, app.clock().now().into()).await?;
    let standing = standing.ok_or_else(no_such_budget)?;
    permitted.object(standing.budget.workspace(), no_such_budget)?;
    Ok(tagged(standing))
}

/// `PATCH /admin/v1/budgets/{id}`. The new amount counts at once, in the period of now.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(patch): JsonBody<BudgetPatch>,
) -> Result<Tagged<BudgetView>, Problem> {
    let change = |stored: &mut StoredBudget| {
        if stored.archived_at.is_some() {
            return Err(Problem::conflict(
                "the budget is archived, for good: create another",
            ));
        }
        patch.apply(&mut stored.budget)
    };
    changed(&app, &permitted, &if_match, &id, "budget.edit", change).await
}

/// `DELETE /admin/v1/budgets/{id}`: archives it, with all that it has made where it is a template. Its leases run
/// out; what events still charge to it is kept. Archiving an archived budget is no change.
pub(super) async fn archive(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<Tagged<BudgetView>, Problem> {
    let now: UnixMillis = app.clock().now().into();
    let change = |stored: &mut StoredBudget| {
        stored.archived_at = stored.archived_at.or(Some(now));
        Ok(())
    };
    changed(&app, &permitted, &if_match, &id, "budget.archive", change).await
}

/// `POST /admin/v1/budgets/{id}/deposits`. The same key with the same body is answered the same, whenever it comes.
pub(super) async fn deposit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(new): JsonBody<NewDeposit>,
) -> Result<Created<DepositView>, Problem> {
    let now = app.clock().now().into();
    let Some(standing) = app.ledger().budget(&id, now).await? else {
        return Err(no_such_budget());
    };
    permitted.object(standing.budget.workspace(), no_such_budget)?;
    let unit = standing.budget.budget.unit;
    let invalid = |detail: String| Problem::invalid(vec![FieldError::at("amount", detail)]);
    let amount = unit
        .parse_amount(&new.amount)
        .map_err(|error| invalid(error.to_string()))?;
    if amount == 0 {
        return Err(invalid("nothing is no deposit".to_owned()));
    }
    let by = permitted.caller().actor();
    let deposit = match app.ledger().deposit(&id, &key, amount, now, &by).await? {
        Deposited::Done(deposit) => {
            tracing::info!(budget_id = %id, deposit_id = %deposit.id, amount, "deposit made");
            app.returns().announce(std::slice::from_ref(&id));
            deposit
        }
        Deposited::Repeated(deposit) => deposit,
        Deposited::KeyReused => return Err(Problem::key_reused()),
        Deposited::NoSuchBudget => return Err(no_such_budget()),
        Deposited::NotPrepaid => {
            return Err(Problem::conflict(
                "only a budget with the period total, that is neither a template nor archived, takes deposits",
            ));
        }
        Deposited::TooMuch => {
            return Err(invalid(
                "the budget would be larger than can be counted".to_owned(),
            ));
        }
    };
    Ok(Created::new(DepositView::new(&deposit, unit)))
}

async fn changed(
    app: &App,
    permitted: &Permitted,
    if_match: &IfMatch,
    id: &str,
    action: &'static str,
    change: impl Fn(&mut StoredBudget) -> Result<(), Problem>,
) -> Result<Tagged<BudgetView>, Problem> {
    let change = |stored: &mut StoredBudget| {
        permitted.object(stored.workspace(), no_such_budget)?;
        if_match.check(&tag_of(stored))?;
        change(stored)
    };
    let by = permitted.caller().actor();
    match app
        .ledger()
        .change_budget(id, app.clock().now().into(), &by, action, change)
        .await?
    {
        Changed::Done(standing, returned) => {
            app.returns().announce(&returned);
            let tagged = tagged(*standing);
            let view = &tagged.view;
            tracing::info!(budget_id = %view.id, amount = %view.amount, version = view.version, "budget changed");
            Ok(tagged)
        }
        Changed::NoSuchBudget => Err(no_such_budget()),
        Changed::Refused(problem) => Err(problem),
    }
}

/// Of what the budget is, deposits included; what is spent of it changes all the time.
pub(super) fn tag_of(budget: &StoredBudget) -> ETag {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    ETag::of(number(budget.version), number(budget.updated_at.0))
}

fn tagged(standing: Standing) -> Tagged<BudgetView> {
    Tagged {
        tag: tag_of(&standing.budget),
        view: standing.into(),
    }
}

fn subject_key(json: &str) -> Result<String, Problem> {
    let subject: Result<Subject, _> = serde_json::from_str(json);
    subject.map(|subject| subject.key()).map_err(|error| {
        Problem::invalid(vec![FieldError {
            pointer: "subject".to_owned(),
            detail: error.to_string(),
        }])
    })
}

pub(super) fn no_such_budget() -> Problem {
    Problem::not_found("no budget has this id")
}

// === impl BudgetView ===

impl From<Standing> for BudgetView {
    fn from(standing: Standing) -> Self {
        let remaining = standing.remaining();
        let amount = standing.amount();
        let raised_until = standing.raised_until();
        let Standing {
            budget: stored,
            window,
            spent,
            leased,
            overrun,
            debt,
            ..
        } = standing;
        let StoredBudget { budget, .. } = stored;
        let show = |amount| budget.unit.show_amount(amount);
        Self {
            amount: show(amount),
            own_amount: show(budget.amount),
            raised_until: raised_until.map(UnixMillis::timestamp),
            spent: show(spent),
            leased: show(leased),
            remaining: show(remaining),
            overrun: show(overrun),
            debt: show(debt),
            id: stored.id,
            unit: budget.unit,
            period: budget.period,
            start_day: budget.start_day.get(),
            period_start: window.and_then(|window| window.end.map(|_| window.start.timestamp())),
            period_end: window.and_then(|window| window.end.map(UnixMillis::timestamp)),
            enforcement: budget.enforcement,
            on_unavailable: budget.on_unavailable,
            template: budget.subject.is_template(),
            name: budget.name,
            subject: budget.subject,
            time_zone: budget.time_zone,
            thresholds: budget.thresholds,
            template_id: stored.template_id,
            created_at: stored.created_at.timestamp(),
            updated_at: stored.updated_at.timestamp(),
            archived_at: stored.archived_at.map(UnixMillis::timestamp),
            version: stored.version,
        }
    }
}

// === impl DepositView ===

impl DepositView {
    fn new(deposit: &StoredDeposit, unit: Unit) -> Self {
        let show = |amount: i64| unit.show_amount(u64::try_from(amount).unwrap_or(0));
        Self {
            id: deposit.id.clone(),
            budget_id: deposit.budget_id.clone(),
            amount: show(deposit.amount),
            budget_amount: show(deposit.budget_amount),
            created_at: UnixMillis(u64::try_from(deposit.created_at).unwrap_or(0)).timestamp(),
        }
    }
}
