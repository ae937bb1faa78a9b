//! What clients make up does not make anything grow: keys, sessions, addresses, models. (`cargo xtask bench-wasm` does
//! this a million times, and looks at the VM's own memory as well.)

use serde_json::json;
use tollgate_core::key::{KeyHash, KeyRecord};
use tollgate_core::wire::ResolveKey;
use tollgate_fakehost::{CalloutRequest, Host};

use crate::gateway::{answer, boot, chat, config};
use crate::sidecar::{Ledger, ok};

/// Exchanges until all room is taken, and as many again.
const ENOUGH: usize = 400;

#[test]
fn many_keys_sessions_and_addresses_do_not_make_shared_data_grow() {
    let mut config = config();
    config["key_cache"] = json!({"max_keys": 32});
    config["metrics"] = json!({"max_label_values": 4});
    config["limits"] = json!([
        {"name": "key", "count": "requests", "amount": 10, "period": "1h", "per": ["key"], "max_subjects": 32},
        {"name": "session", "count": "tokens", "amount": 10_000, "period": "1h", "per": ["session"],
         "max_subjects": 32},
        {"name": "address", "count": "concurrent", "amount": 10, "per": ["ip"], "max_subjects": 32},
    ]);
    let host = boot(&config);
    let mut sidecar = Ledger::default();
    let mut exchanges = |from: usize| {
        for number in from..from + ENOUGH {
            exchange(&host, &mut sidecar, number);
        }
    };
    exchanges(0);
    let full = size(&host);
    exchanges(ENOUGH);
    let later = size(&host);
    assert_eq!(later.0, full.0, "cells");
    assert!(later.1 <= full.1 + full.1 / 5, "{full:?}, then {later:?}");
    assert_eq!(later.2, full.2, "metrics");
    host.assert_no_violation();
}

/// An exchange of somebody who was never here before, and the ticks that send its event.
fn exchange(host: &Host, sidecar: &mut Ledger, number: usize) {
    let request = chat(&format!("tg_test_{number:032}"))
        .header("x-tollgate-session", format!("session-{number}"))
        .property(
            &["source", "address"],
            format!("10.0.{}.{}:4711", number / 256, number % 256),
        );
    let exchange = host.worker(0).send(request);
    host.answer_callouts(|question| (question.path() == "/v1/keys/resolve").then(|| ok(&found(question))));
    exchange.respond(&answer());
    assert_eq!(exchange.client().status(), 200);
    if number.is_multiple_of(20) {
        sidecar.collect_for(host, std::time::Duration::from_secs(1));
    }
}

/// Whatever key is asked for, there is one.
fn found(question: &CalloutRequest) -> serde_json::Value {
    let asked: ResolveKey = serde_json::from_slice(&question.body).unwrap();
    let record = KeyRecord {
        id: format!("key_{}", asked.sha256.to_hex()),
        sha256: KeyHash(asked.sha256.0),
        workspace: "acme".to_owned(),
        user: None,
        models: Vec::new(),
        expires_at_ms: None,
        retires_at_ms: None,
        status: tollgate_core::key::KeyStatus::Active,
        moderation: None,
    };
    serde_json::to_value(record).unwrap()
}

/// How many cells there are, how many bytes they hold, and how many metrics there are.
fn size(host: &Host) -> (usize, usize, usize) {
    let cells = host.shared_data();
    (
        cells.len(),
        cells.values().map(Vec::len).sum(),
        host.metrics().len(),
    )
}
