//! Budgets on real parts: real Envoys, real sidecars, a real ledger in either engine, and a provider that counts what
//! it serves.

mod away;
mod clamp;
mod downgrade;
mod hang_up;
mod hot_path;
mod killed;
mod price_change;
mod raise;
mod refusal;
mod rush;
mod timeout;

use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};
use tollgate_core::budget::Unit;
use tollgate_stack::admin::Admin;
use tollgate_stack::{Stack, wait};
use tollgate_tests::shared::Shared;
use tollgate_tests::{SETTLED, number, send, sidecar_answers};

const CHAT: &str = "/v1/chat/completions";
/// A model that is dear, so that few requests spend much: nano-dollars a prompt token, and an answer's.
const MODEL: &str = "gpt-4";
const PRICE: (u64, u64) = (30_000, 60_000);
const DOLLAR: u64 = 1_000_000_000;

/// One system for the tests that need none of their own; each has a workspace of its own.
async fn shared() -> Arc<Stack> {
    static STACK: Shared = Shared::new();
    let build = || Stack::builder().envoy_config(timeout::impatient_route);
    let stack = STACK.stack(build).await.unwrap();
    budgets_are_heard_of(&stack).await;
    stack
}

/// A budget in the ledger.
#[derive(Debug, Clone)]
struct Budget {
    id: String,
    admin: Admin,
}

// === impl Budget ===

impl Budget {
    /// Makes a budget in dollars that never resets; more fields, or others, are laid over it.
    async fn of_workspace(stack: &Stack, workspace: &str, amount: &str, more: Value) -> Self {
        let mut spec = json!({
            "name": workspace, "subject": {"workspace": workspace}, "unit": "usd", "period": "total", "amount": amount,
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        let made = stack.admin.post("/admin/v1/budgets", &spec).await.unwrap();
        Self {
            id: made["id"].as_str().unwrap().to_owned(),
            admin: stack.admin.clone(),
        }
    }

    /// What the ledger says of it.
    async fn standing(&self) -> Result<Standing> {
        let view = self.admin.get(&format!("/admin/v1/budgets/{}", self.id)).await?;
        let amount = |field: &str| {
            let text = view[field].as_str().unwrap_or_default();
            Unit::Usd.parse_amount(text).unwrap()
        };
        Ok(Standing {
            amount: amount("amount"),
            spent: amount("spent"),
            leased: amount("leased"),
            overrun: amount("overrun"),
            debt: amount("debt"),
        })
    }

    /// Waits until so much is spent.
    async fn has_spent(&self, nanousd: u64) -> Standing {
        let what = format!("the ledger has not spent {nanousd} nano-dollars");
        let mut last = None;
        let waited = wait::until(SETTLED, &what, async || {
            let standing = self.standing().await?;
            last = Some(standing);
            Ok((standing.spent == nanousd).then_some(standing))
        });
        waited
            .await
            .unwrap_or_else(|error| panic!("{error}; last {last:?}"))
    }
}

/// Amounts of a budget, in nano-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    amount: u64,
    spent: u64,
    leased: u64,
    overrun: u64,
    debt: u64,
}

/// A new key of a workspace.
async fn key(stack: &Stack, workspace: &str) -> String {
    let spec = json!({"name": workspace, "workspace": workspace});
    stack.admin.create_key(&spec).await.unwrap().1
}

/// Answers of the sidecar after which each worker of a gateway has had a tick: it reads a list of changes each 500 ms.
const ANSWERS: u64 = 8;

/// Waits until every worker of every gateway has heard that there are budgets, as it does within seconds.
async fn budgets_are_heard_of(stack: &Stack) {
    let scout = key(stack, "scout").await;
    Budget::of_workspace(stack, "scout", "1.00", json!({})).await;
    for gateway in &stack.gateways {
        wait::until(SETTLED, "a gateway has not heard of the budgets", async || {
            let request = stack.http.post(format!("{gateway}{CHAT}")).bearer_auth(&scout);
            let answer = send(request.json(&ask(1, 1))).await?;
            Ok((!answer.header("x-tollgate-budget-limit").is_empty()).then_some(()))
        })
        .await
        .unwrap();
    }
    for number in 0..stack.gateways.len() {
        sidecar_answers(stack, number, ANSWERS).await.unwrap();
    }
}

/// As [`budgets_are_heard_of`]; then the provider forgets what that took.
async fn budgets_are_known(stack: &Stack) {
    budgets_are_heard_of(stack).await;
    stack.mock.reset().await.unwrap();
}

/// A request that is answered with so many words, and may be answered with `max_tokens`.
fn ask(words: u64, max_tokens: u64) -> Value {
    json!({
        "model": MODEL, "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": format!("words {words}")}],
    })
}

/// What the provider's own count costs.
async fn cost_served(stack: &Stack) -> u64 {
    let served = stack.mock.served().await.unwrap();
    number(&served, "input_tokens") * PRICE.0 + number(&served, "output_tokens") * PRICE.1
}

/// What an event charges a budget, and what was reserved for it.
fn charge(event: &Value, budget: &Budget) -> (u64, u64) {
    let charges = event["charges"].as_array().into_iter().flatten();
    let mut of_budget = charges.filter(|charge| charge["budget_id"] == json!(budget.id));
    let charge = of_budget
        .next()
        .unwrap_or_else(|| panic!("no charge to {}: {event}", budget.id));
    (number(charge, "charged"), number(charge, "reserved"))
}
