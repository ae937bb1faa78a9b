//! A gateway under test: its configuration, its requests, and what must hold of every exchange.

use crate::sidecar::Ledger;
use serde_json::{Value, json};
use tollgate_core::key::KeyHash;
use tollgate_fakehost::{Cluster, Exchange, Framing, Host, Request, Response};

/// A key of the configuration.
pub(crate) const KNOWN: &str = "tg_test_knownknownknownknownknownknown01";
/// A key that only the sidecar knows.
pub(crate) const REMOTE: &str = "tg_test_remoteremoteremoteremoterem002";

pub(crate) const CLUSTER: &str = "sidecar";
pub(crate) const CHAT: &str = "/v1/chat/completions";

/// What the answer of [`answer`] reports.
pub(crate) const INPUT_TOKENS: u64 = 11;
pub(crate) const OUTPUT_TOKENS: u64 = 7;

/// A configuration with one of everything that touches shared data: requests, tokens, slots, the journal.
pub(crate) fn config() -> Value {
    json!({
        "gateway_id": "test",
        "sidecar": {"cluster": CLUSTER, "token": "gateway-token"},
        "keys": [{"id": "key_known", "sha256": KeyHash::of(KNOWN.as_bytes()).to_hex(), "workspace": "acme"}],
        "limits": [
            {"name": "requests", "count": "requests", "amount": 1000, "period": "1h", "per": ["workspace"]},
            {"name": "tokens", "count": "tokens", "amount": 1_000_000, "period": "1h", "per": ["workspace"]},
            {"name": "slots", "count": "concurrent", "amount": 100, "per": ["workspace"]},
        ],
    })
}

/// [`config`] with a moderation policy on prompts, and on answers where `output`.
pub(crate) fn moderated(output: bool) -> Value {
    let mut config = config();
    config["moderation"] = json!([{"policy": "default", "output": output}]);
    config
}

pub(crate) fn boot(config: &Value) -> Host {
    boot_workers(config, 1)
}

/// Workers that have heard from the sidecar that there are no budgets.
pub(crate) fn boot_workers(config: &Value, workers: usize) -> Host {
    boot_beside(config, workers, &mut Ledger::default())
}

/// Workers that have heard what a sidecar says of budgets.
pub(crate) fn boot_beside(config: &Value, workers: usize, sidecar: &mut Ledger) -> Host {
    let host = Host::new(tollgate::start)
        .config(config.to_string())
        .workers(workers)
        .cluster(CLUSTER, Cluster::Up)
        .boot()
        .unwrap_or_else(|refused| panic!("the configuration was refused: {refused:#?}"));
    host.tick_all();
    host.answer_callouts(|request| sidecar.answer(request));
    host
}

pub(crate) fn prompt() -> Value {
    json!({"model": "gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

/// A request that asks for an answer in one piece.
pub(crate) fn chat(key: &str) -> Request {
    Request::post(CHAT).bearer(key).json(&prompt())
}

/// A request that asks for a stream, and not for usage: the body is changed on its way.
pub(crate) fn streaming(key: &str) -> Request {
    let mut body = prompt();
    body["stream"] = true.into();
    Request::post(CHAT).bearer(key).json(&body)
}

pub(crate) fn answer() -> Response {
    Response::json(
        200,
        &json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": INPUT_TOKENS,
                "completion_tokens": OUTPUT_TOKENS,
                "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
            },
        }),
    )
}

/// The events of a stream, without the one that ends it.
pub(crate) fn stream_chunks() -> Vec<String> {
    let chunk = |delta: Value| {
        let chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini",
            "choices": [{"index": 0, "delta": delta, "finish_reason": null}], "usage": null,
        });
        format!("data: {chunk}\n\n")
    };
    vec![
        chunk(json!({"role": "assistant", "content": "Hel"})),
        chunk(json!({"content": "lo!"})),
    ]
}

/// A whole stream, with the usage that Tollgate asked for.
pub(crate) fn stream_answer() -> Response {
    let mut chunks = stream_chunks();
    let usage = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini", "choices": [],
        "usage": {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 18},
    });
    chunks.push(format!("data: {usage}\n\n"));
    chunks.push("data: [DONE]\n\n".to_owned());
    Response::sse(chunks)
}

/// What holds of an exchange whatever happened to it: its framing is right on both sides, and it is over.
pub(crate) fn assert_sound(host: &Host, exchange: &Exchange) {
    host.assert_no_violation();
    assert!(
        exchange.is_over(),
        "the exchange hangs: {:#?}",
        exchange.callbacks()
    );
    let upstream = exchange.upstream();
    assert!(
        !matches!(upstream.framing(), Framing::Overrun { .. }),
        "{upstream:?}"
    );
    if upstream.reached() {
        assert_eq!(
            upstream.header("authorization"),
            None,
            "the client's key reached the provider"
        );
    }
}
