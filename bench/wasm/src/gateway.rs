//! A gateway in one VM: exchanges that go through it, and a sidecar that agrees to everything.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tollgate_core::key::{KeyHash, KeyRecord, KeyStatus};
use tollgate_core::wire::SIDECAR_HEADER;

use crate::host::serialise;
use crate::vm::{Filter, ROOT, Vm};

/// Between two exchanges, in nanoseconds.
const PAUSE: u64 = 200_000;

/// A tick is due after so many exchanges.
const TICK_EVERY: u64 = 500;

const ANSWER: &[u8] = br#"{"id":"chatcmpl-bench","object":"chat.completion","created":1761955200,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"The answer is forty-two, more or less.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":412,"completion_tokens":250,"total_tokens":662,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"service_tier":"default"}"#;

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    /// Which of as many keys as there are.
    pub(crate) key: u64,
    pub(crate) session: u64,
    pub(crate) address: u64,
}

/// A gateway.
pub(crate) struct Gateway {
    pub(crate) vm: Vm,
    /// How many budgets each request is under.
    budgets: usize,
    exchanges: u64,
}

// === impl Client ===

impl Client {
    /// The same in each exchange.
    pub(crate) const ONE: Self = Self {
        key: 0,
        session: 0,
        address: 0,
    };
}

// === impl Gateway ===

impl Gateway {
    /// A gateway with this configuration and so many budgets a request.
    pub(crate) fn start(filter: &Filter, configuration: &Value, budgets: usize) -> Result<Self> {
        let mut vm = filter.start()?;
        vm.host_mut().now = 1_800_000_000_000_000_000;
        vm.configure(serde_json::to_vec(configuration)?)?;
        let mut gateway = Self {
            vm,
            budgets,
            exchanges: 0,
        };
        gateway.tick()?;
        Ok(gateway)
    }

    /// One exchange, from its first callback to its last.
    pub(crate) fn exchange(&mut self, client: Client, body: &[u8]) -> Result<()> {
        self.exchanges += 1;
        let context = self.vm.next_context();
        let bearer = format!("Bearer {}", key(client.key));
        let session = format!("session-{}", client.session);
        let length = body.len().to_string();
        let [a, b, c, _] = (client.address as u32).to_be_bytes();
        let host = self.vm.host_mut();
        host.now += PAUSE;
        host.client_address = format!("{}.{a}.{b}.{c}:4711", client.address % 199 + 1).into_bytes();
        host.request_headers = serialise(&[
            (":authority", "127.0.0.1:10000"),
            (":path", "/v1/chat/completions"),
            (":method", "POST"),
            (":scheme", "http"),
            ("user-agent", "bench/1.0"),
            ("content-type", "application/json"),
            ("content-length", &length),
            ("authorization", &bearer),
            ("x-tollgate-session", &session),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-envoy-internal", "true"),
            ("x-request-id", "4b1d5a0f-8a2a-4f5e-9a46-5e1dd6b6a1b5"),
        ]);
        host.request_body = body.to_vec();
        let size = u32::try_from(body.len())?;
        self.vm
            .call::<_, ()>("proxy_on_context_create", (context, ROOT))?;
        self.vm
            .call::<_, u32>("proxy_on_request_headers", (context, 13_u32, 0_u32))?;
        self.answer_all()?;
        self.vm
            .call::<_, u32>("proxy_on_request_body", (context, size, 0_u32))?;
        self.vm
            .call::<_, u32>("proxy_on_request_body", (context, size, 1_u32))?;
        self.answer_all()?;
        if let Some((status, body)) = self.vm.host_mut().reply.take() {
            bail!(
                "a request was refused: {status} {}",
                String::from_utf8_lossy(&body)
            );
        }
        self.respond(context)?;
        if self.exchanges.is_multiple_of(TICK_EVERY) {
            self.tick()?;
        }
        Ok(())
    }

    fn respond(&mut self, context: u32) -> Result<()> {
        let host = self.vm.host_mut();
        host.now += PAUSE;
        host.response_headers = serialise(&[
            (":status", "200"),
            ("content-type", "application/json"),
            ("content-length", "600"),
            ("openai-processing-ms", "250"),
            ("x-request-id", "req_0123456789abcdef0123456789abcdef"),
            ("x-envoy-upstream-service-time", "1"),
        ]);
        host.response_body = ANSWER.to_vec();
        let size = u32::try_from(ANSWER.len())?;
        self.vm
            .call::<_, u32>("proxy_on_response_headers", (context, 6_u32, 0_u32))?;
        self.vm
            .call::<_, u32>("proxy_on_response_body", (context, size, 0_u32))?;
        self.vm.host_mut().response_body = Vec::new();
        self.vm
            .call::<_, u32>("proxy_on_response_body", (context, 0_u32, 1_u32))?;
        self.vm.call::<_, u32>("proxy_on_done", context)?;
        self.vm.call::<_, ()>("proxy_on_log", context)?;
        self.vm.call::<_, ()>("proxy_on_delete", context)
    }

    /// A tick, and answers to what it asks.
    pub(crate) fn tick(&mut self) -> Result<()> {
        self.vm.call::<_, ()>("proxy_on_tick", ROOT)?;
        self.answer_all()
    }

    fn answer_all(&mut self) -> Result<()> {
        while let Some(question) = self.vm.host_mut().questions.pop() {
            let answer = self.answer(&question.path, &question.body)?;
            let body = serde_json::to_vec(&answer)?;
            let size = u32::try_from(body.len())?;
            let host = self.vm.host_mut();
            host.callout_headers = serialise(&[(":status", "200"), (SIDECAR_HEADER, "bench")]);
            host.callout_body = body;
            self.vm.call::<_, ()>(
                "proxy_on_http_call_response",
                (ROOT, question.token, 2_u32, size, 0_u32),
            )?;
        }
        Ok(())
    }

    /// What the sidecar answers.
    fn answer(&self, path: &str, question: &[u8]) -> Result<Value> {
        let version = u64::from(self.budgets > 0);
        Ok(match path {
            "/v1/events" => json!({"accepted": 0, "duplicates": 0, "rejected": 0}),
            "/v1/keys/changes" => json!({"version": 1, "keys": [], "more": false, "budgets": version}),
            "/v1/keys/resolve" => {
                let asked: Value = serde_json::from_slice(question)?;
                record(asked.get("sha256").context("a question without a key")?.clone())
            }
            "/v1/leases" => {
                let budgets: Vec<Value> = (0..self.budgets).map(budget).collect();
                json!({"version": version, "budgets": budgets})
            }
            "/v1/leases/report" => {
                let asked: Value = serde_json::from_slice(question)?;
                let holds = asked.get("holds").and_then(Value::as_array);
                let holds = holds.context("a report without leases")?;
                let leases: Vec<Value> = holds.iter().map(reported).collect();
                json!({"version": version, "leases": leases})
            }
            _ => bail!("the bench's sidecar does not know {path}"),
        })
    }
}

/// The text of a key.
fn key(number: u64) -> String {
    format!("tg_test_{number:032}")
}

/// As many keys as a configuration has them.
pub(crate) fn static_keys(count: u64) -> Vec<Value> {
    let one = |number| {
        let hash = KeyHash::of(key(number).as_bytes()).to_hex();
        json!({
            "id": format!("key_{number:08}"), "sha256": hash,
            "workspace": format!("workspace-{}", number % 100), "user": format!("user-{}", number % 1_000),
        })
    };
    (0..count).map(one).collect()
}

fn record(sha256: Value) -> Value {
    let id: String = sha256.as_str().unwrap_or_default().chars().take(26).collect();
    let record = KeyRecord {
        id: format!("key_{id}"),
        sha256: KeyHash([0; 32]),
        workspace: "bench".to_owned(),
        user: Some("user-1".to_owned()),
        models: Vec::new(),
        expires_at_ms: None,
        retires_at_ms: None,
        status: KeyStatus::Active,
        moderation: None,
    };
    let mut record = serde_json::to_value(record).unwrap_or_default();
    if let Some(fields) = record.as_object_mut() {
        fields.insert("sha256".to_owned(), sha256);
    }
    record
}

const AMOUNT: u64 = 1_000_000_000_000_000;

fn budget(number: usize) -> Value {
    let unit = ["usd", "tokens", "requests"].get(number % 3);
    json!({
        "id": format!("bud_{number:026}"), "name": format!("budget {number}"), "scope": "workspace", "unit": unit,
        "period": "total", "amount": AMOUNT, "spent": 0, "enforcement": "hard", "on_unavailable": "deny",
        "thresholds": [80, 90], "lease": lease(number as u64 + 1),
    })
}

fn lease(number: u64) -> Value {
    json!({"lease_id": number, "granted": AMOUNT / 2, "settled": 0, "expires_in_ms": 3_600_000, "status": "open"})
}

fn reported(hold: &Value) -> Value {
    let number = hold.get("lease_id").and_then(Value::as_u64).unwrap_or(1);
    json!({"budget_id": hold.get("budget_id"), "amount": AMOUNT, "spent": 0, "lease": lease(number)})
}

/// Ensures that the filter says nothing while it is measured.
pub(crate) fn assert_quiet(gateway: &Gateway) -> Result<()> {
    let log = &gateway.vm.host().log;
    let complaints: Vec<&String> = log.iter().filter(|line| !line.contains("serves as")).collect();
    ensure!(complaints.is_empty(), "the filter complains: {complaints:?}");
    Ok(())
}
