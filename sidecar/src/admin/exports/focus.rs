//! Costs for chargeback in FOCUS 1.2, <https://focus.finops.org/focus-specification/v1-2/>: a row for what a key used
//! of a model in a day (UTC).
//!
//! All columns that 1.2 makes mandatory, and those others that mean something here. A workspace is the sub account,
//! a key the resource, a model the SKU; the user is a tag. Costs are those of the catalogue of prices: what is listed,
//! contracted, billed and effective is the same. Columns of our own begin with `x_`.

use axum::extract::State;
use futures_util::stream;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tollgate_core::money::NanoUsd;

use super::{DAY_MS, Download, ExportError, ExportParams, cell, csv_of};
use crate::access::Permitted;
use crate::admin::stats::{month, wrong};
use crate::http::extract::Params;
use crate::http::problem::Problem;
use crate::ledger::Ledger;
use crate::ledger::rollups::Interval;
use crate::ledger::rollups::usage::Usage;
use crate::state::App;

/// Days in one download.
const MAX_DAYS: i64 = 400;

const HEADER: &[&str] = &[
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_Requests",
    "x_InputTokens",
    "x_OutputTokens",
];

/// In the order of [`HEADER`].
#[derive(Serialize)]
struct Row {
    billed_cost: String,
    billing_account_id: &'static str,
    billing_account_name: &'static str,
    billing_currency: &'static str,
    billing_period_end: String,
    billing_period_start: String,
    charge_category: &'static str,
    /// Only a correction has one.
    charge_class: &'static str,
    charge_description: String,
    charge_frequency: &'static str,
    charge_period_end: String,
    charge_period_start: String,
    consumed_quantity: u64,
    consumed_unit: &'static str,
    contracted_cost: String,
    effective_cost: String,
    invoice_issuer_name: String,
    list_cost: String,
    pricing_quantity: u64,
    pricing_unit: &'static str,
    provider_name: String,
    publisher_name: String,
    resource_id: String,
    resource_type: &'static str,
    service_category: &'static str,
    service_name: String,
    service_subcategory: &'static str,
    sku_id: String,
    sku_meter: &'static str,
    sub_account_id: String,
    sub_account_name: String,
    tags: String,
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
}

/// What is read next: a day at a time.
struct Reading {
    ledger: Ledger,
    workspace: Option<String>,
    day: i64,
    to: i64,
    is_first: bool,
}

/// `GET /admin/v1/exports/focus.csv`: whole days, the ones of `from` and of `to` included.
pub(in crate::admin) async fn focus(
    State(app): State<App>,
    permitted: Permitted,
    Params(params): Params<ExportParams>,
) -> Result<Download, Problem> {
    let (from, to) = params.period(app.clock().now())?;
    if to - from > MAX_DAYS * DAY_MS {
        return Err(wrong(
            "from",
            format!("expected at most {MAX_DAYS} days before to"),
        ));
    }
    let reading = Reading {
        ledger: app.ledger().clone(),
        workspace: permitted.one(params.workspace)?,
        day: Interval::Day.start(from),
        to,
        is_first: true,
    };
    let parts = stream::try_unfold(reading, |reading| async {
        if reading.day < reading.to {
            reading.part().await.map(Some)
        } else {
            Ok(None)
        }
    });
    Ok(Download::new("tollgate-focus.csv", parts))
}

// === impl Reading ===

impl Reading {
    /// The next day, and what is left after it.
    async fn part(mut self) -> Result<(Vec<u8>, Self), ExportError> {
        let workspace = self.workspace.as_deref();
        let used = self.ledger.usage_of_day(self.day, workspace).await?;
        let rows = used.into_iter().filter_map(|usage| Row::new(self.day, usage));
        let part = csv_of(rows, self.is_first.then_some(HEADER))?;
        self.day = self.day.saturating_add(DAY_MS);
        self.is_first = false;
        Ok((part, self))
    }
}

// === impl Row ===

impl Row {
    /// None on a day that no calendar has: no event is of one.
    fn new(day: i64, usage: Usage) -> Option<Self> {
        let start = Timestamp::from_millisecond(day).ok()?;
        let end = Timestamp::from_millisecond(day.saturating_add(DAY_MS)).ok()?;
        let (period_start, period_end) = month(start).ok()?;
        let cost = NanoUsd(usage.cost_nanousd).to_string();
        let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
        // FOCUS has these not empty.
        let provider = cell(Some(usage.provider.as_deref().unwrap_or("unknown")));
        let model = cell(Some(usage.model.as_deref().unwrap_or("unknown")));
        let workspace = cell(usage.workspace.as_deref());
        let key = cell(usage.key_id.as_deref());
        Some(Self {
            billed_cost: cost.clone(),
            billing_account_id: "tollgate",
            billing_account_name: "Tollgate",
            billing_currency: "USD",
            billing_period_end: period_end.to_string(),
            billing_period_start: period_start.to_string(),
            charge_category: "Usage",
            charge_class: "",
            charge_description: format!(
                "{model} by {provider}: {tokens} tokens in {} requests",
                usage.requests
            ),
            charge_frequency: "Usage-Based",
            charge_period_end: end.to_string(),
            charge_period_start: start.to_string(),
            consumed_quantity: tokens,
            consumed_unit: "Tokens",
            contracted_cost: cost.clone(),
            effective_cost: cost.clone(),
            invoice_issuer_name: provider.clone(),
            list_cost: cost,
            pricing_quantity: tokens,
            pricing_unit: "Tokens",
            provider_name: provider.clone(),
            publisher_name: provider.clone(),
            resource_type: if key.is_empty() { "" } else { "API key" },
            resource_id: key,
            service_category: "AI and Machine Learning",
            service_name: format!("{provider} LLM API"),
            service_subcategory: "Generative AI",
            sku_id: model,
            sku_meter: "Tokens",
            sub_account_id: workspace.clone(),
            sub_account_name: workspace,
            tags: usage
                .user
                .map_or_else(|| "{}".to_owned(), |user| json!({ "user": user }).to_string()),
            requests: usage.requests,
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
        })
    }
}
