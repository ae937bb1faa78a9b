//! The configuration of the simulated gateways, as the filter reads it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::json;
use tollgate_core::config::{self, Config};
use tollgate_core::key::KeyHash;

use crate::plan::{MAX_WORKSPACES, PRICES, Plan};

thread_local! {
    /// Reading the built-in prices takes longer than some schedules do.
    static READ: RefCell<BTreeMap<String, Rc<Config>>> = const { RefCell::new(BTreeMap::new()) };
}

/// One configuration for each of the [`PRICES`].
pub(crate) fn all(plan: &Plan) -> Vec<Rc<Config>> {
    let texts = PRICES.map(|(input, output)| text(plan, input, output));
    READ.with_borrow_mut(|read| {
        let texts = texts.into_iter();
        let read = texts.map(|text| {
            let parse = || Rc::new(config::parse(text.as_bytes()).unwrap());
            Rc::clone(read.entry(text.clone()).or_insert_with(parse))
        });
        read.collect()
    })
}

fn text(plan: &Plan, input: u64, output: u64) -> String {
    let keys: Vec<_> = (0..MAX_WORKSPACES)
        .map(|number| {
            let key = format!("tg_test_{number}");
            json!({
                "id": format!("key_{number}"),
                "workspace": format!("w{number}"),
                "sha256": KeyHash::of(key.as_bytes()).to_hex(),
            })
        })
        .collect();
    let price = json!({
        "input_cost_per_token": dollars(input),
        "output_cost_per_token": dollars(output),
        "input_cost_per_token_priority": dollars(input * 7 / 4),
        "output_cost_per_token_priority": dollars(output * 7 / 4),
        "input_cost_per_token_flex": dollars(input / 2),
        "output_cost_per_token_flex": dollars(output / 2),
    });
    let config = json!({
        "gateway_id": "g",
        "sidecar": {"cluster": "sidecar", "token": "t"},
        "keys": keys,
        "prices": {"unknown_model": {"price": price}},
        "budgets": {
            "min_output_tokens": plan.min_output_tokens,
            "wait": format!("{}ms", plan.wait_ms),
            "remember": "10s",
            "max_exchange": format!("{}ms", plan.max_exchange_ms),
            "max_budgets": 16,
        },
        "journal": {"max_events_per_worker": plan.max_events},
    });
    config.to_string()
}

fn dollars(nanos: u64) -> f64 {
    f64::from(u32::try_from(nanos).unwrap()) / 1e9
}
