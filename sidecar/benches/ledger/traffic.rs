//! What gateways send: events of a company's size, keys, and leases of the budgets that they pay from.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const WORKSPACES: usize = 20;
const USERS: usize = 200;
const KEYS: usize = 10_000;
/// Keys that events are of.
const BUSY_KEYS: usize = 300;
const MODELS: usize = 12;
const PROVIDERS: [&str; 3] = ["openai", "anthropic", "gcp.gemini"];
const DIALECTS: [&str; 3] = ["chat_completions", "messages", "generate_content"];
/// What the sidecar takes at once.
const KEYS_AT_ONCE: usize = 100;
const NEED: u64 = 1_000;

/// Names that events are made of.
pub(crate) struct Traffic {
    secrets: Vec<String>,
}

/// One gateway process, with a lease of each of the two budgets that its requests are paid from.
pub(crate) struct Gateway {
    instance: String,
    workspace: String,
    /// As its events say it.
    pub(crate) charges: Value,
    used: AtomicU64,
}

// === impl Traffic ===

impl Traffic {
    pub(crate) fn new() -> Self {
        let secret = |key: usize| hex::encode(Sha256::digest(format!("tg_live_{key:032}")));
        Self {
            secrets: (0..KEYS).map(secret).collect(),
        }
    }

    /// Bodies that import all keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = String> {
        let keys: Vec<Value> = self
            .secrets
            .iter()
            .enumerate()
            .map(|(at, sha256)| {
                json!({
                    "sha256": sha256, "name": format!("key {at}"), "workspace": format!("workspace-{}", at % WORKSPACES),
                    "user": format!("user-{}", at % USERS),
                })
            })
            .collect();
        let bodies: Vec<String> = keys
            .chunks(KEYS_AT_ONCE)
            .map(|keys| json!({ "keys": keys }).to_string())
            .collect();
        bodies.into_iter()
    }

    pub(crate) fn resolve(&self, caller: usize, call: u64) -> String {
        let at = usize::try_from(call).unwrap() * 7_919 + caller * 641;
        json!({ "sha256": self.secrets.get(at % KEYS) }).to_string()
    }

    /// A batch of events of now.
    pub(crate) fn events(&self, id: &str, size: usize, charges: &Value) -> String {
        let now = jiff::Timestamp::now();
        let mut random = fastrand::Rng::new();
        let events: Vec<Value> = (0..size)
            .map(|at| {
                let key = random.usize(..BUSY_KEYS).min(random.usize(..BUSY_KEYS));
                let model = random.usize(..MODELS).min(random.usize(..MODELS));
                let provider = model % PROVIDERS.len();
                let (input, output) = (random.u64(200..8_000), random.u64(10..900));
                json!({
                    "event_id": format!("{:032x}", random.u128(..)), "request_id": format!("{id}-{at}"), "time": now,
                    "trace_id": format!("{:032x}", random.u128(1..)), "parent_span_id": format!("{:016x}", random.u64(1..)),
                    "trace_sampled": false,
                    "workspace": format!("workspace-{}", key % WORKSPACES), "user": format!("user-{}", key % USERS),
                    "key_id": format!("key_01JABCDEFGHJKMNPQRST{key:06}"),
                    "dialect": DIALECTS.get(provider), "provider": PROVIDERS.get(provider),
                    "request_model": format!("model-{model}"), "response_model": format!("model-{model}-2026-07-18"),
                    "stream": random.bool(), "status": 200, "input_tokens": input, "output_tokens": output,
                    "cached_input_tokens": 0, "cache_creation_input_tokens": 0, "reasoning_output_tokens": 0,
                    "usage_status": "complete", "cost_nanousd": input * 150 + output * 600,
                    "latency_ms": random.u64(300..9_000), "time_to_first_token_ms": random.u64(80..600),
                    "request_bytes": input * 4, "response_bytes": output * 180, "gateway_id": "bench",
                    "charges": charges,
                })
            })
            .collect();
        json!({ "events": events }).to_string()
    }
}

// === impl Gateway ===

impl Gateway {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            instance: format!("gateway-{number}"),
            workspace: format!("workspace-{number}"),
            charges: json!([]),
            used: AtomicU64::new(0),
        }
    }

    /// Takes over the leases that an answer grants.
    pub(crate) fn learn(&mut self, answer: &Value) {
        let charge = |budget: &Value| {
            json!({
                "budget_id": budget["id"], "lease_id": budget.pointer("/lease/lease_id"), "reserved": 2, "charged": 1,
            })
        };
        let charges: Vec<Value> = answer["budgets"].as_array().unwrap().iter().map(charge).collect();
        assert_eq!(charges.len(), 2, "{answer}");
        self.charges = charges.into();
    }

    /// What it has used by now of each lease: more than before.
    pub(crate) fn use_more(&self) -> u64 {
        self.used.fetch_add(100 * NEED, Ordering::Relaxed)
    }

    pub(crate) fn request(&self, used: u64) -> String {
        let need = json!({"nanousd": NEED, "tokens": 0, "requests": 0});
        json!({
            "request_id": "bench", "gateway_id": "bench", "instance": self.instance,
            "facts": {"workspace": self.workspace, "gateway": "bench"}, "need": need, "least": need,
            "wait_ms": 0, "holds": self.holds(used),
        })
        .to_string()
    }

    pub(crate) fn report(&self, used: u64) -> String {
        json!({"gateway_id": "bench", "instance": self.instance, "holds": self.holds(used)}).to_string()
    }

    fn holds(&self, used: u64) -> Vec<Value> {
        let of = |charge: &Value| {
            json!({
                "budget_id": charge["budget_id"], "lease_id": charge["lease_id"], "returned": 0, "used": used,
                "waiting": 0, "recent": 0, "done": false,
            })
        };
        self.charges.as_array().unwrap().iter().map(of).collect()
    }
}
