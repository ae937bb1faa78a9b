//! The circuit breaker: no request waits for a dead sidecar.

use std::time::Duration;

use serde_json::Value;
use tollgate_fakehost::{Answer, Exchange, Host};

use crate::gateway::{KNOWN, REMOTE, answer, assert_sound, boot_workers, chat, moderated};
use crate::sidecar::{key_found, verdict};

const FAILURES: u64 = 3;

fn config() -> Value {
    let mut config = moderated(false);
    config["sidecar"]["breaker"] = serde_json::json!({"failures": FAILURES, "pause": "2s"});
    config
}

/// Two workers whose sidecar has not answered so often that the circuit is open.
fn opened() -> Host {
    let host = boot_workers(&config(), 2);
    for turn in 0..FAILURES {
        let exchange = host.worker(usize::from(turn % 2 == 1)).send(chat(KNOWN));
        host.callout("/v1/moderations").answer(Answer::timed_out());
        assert_eq!(exchange.client().status(), 503);
    }
    host
}

/// Questions that requests wait for; what ticks send goes on.
fn questions(host: &Host) -> usize {
    let asked = host.callouts();
    let is_question = |path: &str| path == "/v1/moderations" || path == "/v1/keys/resolve";
    asked
        .iter()
        .filter(|callout| is_question(callout.request().path()))
        .count()
}

fn refused_at_once(host: &Host, exchange: &Exchange) {
    assert_eq!(questions(host), 0, "it is not asked");
    assert_eq!(exchange.client().status(), 503);
    assert!(!exchange.upstream().reached());
    assert_sound(host, exchange);
}

#[test]
fn after_some_failures_of_all_workers_together_nobody_waits() {
    let host = opened();
    for worker in [0, 1] {
        refused_at_once(&host, &host.worker(worker).send(chat(KNOWN)));
        refused_at_once(&host, &host.worker(worker).send(chat(REMOTE)));
    }
}

#[test]
fn a_policy_that_fails_open_goes_on_at_once() {
    let mut config = config();
    config["moderation"][0]["on_unavailable"] = "allow".into();
    let host = boot_workers(&config, 1);
    for turn in 0..10 {
        let exchange = host.worker(0).send(chat(KNOWN));
        if turn < FAILURES {
            host.callout("/v1/moderations").answer(Answer::refused());
        }
        assert_eq!(questions(&host), 0);
        assert!(exchange.upstream().ended);
        exchange.respond(&answer());
        assert_sound(&host, &exchange);
    }
}

#[test]
fn after_the_pause_one_request_tries_and_its_success_lets_all_ask_again() {
    let host = opened();
    host.advance(Duration::from_millis(2_100));
    let probe = host.worker(0).send(chat(KNOWN));
    assert_eq!(questions(&host), 1);
    let beside = host.worker(1).send(chat(KNOWN));
    assert_eq!(questions(&host), 1, "one probe at a time");
    assert_eq!(beside.client().status(), 503);
    host.callout("/v1/moderations").answer(verdict("allow"));
    probe.respond(&answer());
    assert_eq!(probe.client().status(), 200);
    let next = host.worker(1).send(chat(REMOTE));
    host.callout("/v1/keys/resolve").answer(key_found());
    host.callout("/v1/moderations").answer(verdict("allow"));
    next.respond(&answer());
    assert_eq!(next.client().status(), 200);
}

#[test]
fn a_probe_that_fails_begins_another_pause() {
    let host = opened();
    host.advance(Duration::from_millis(2_100));
    let probe = host.worker(0).send(chat(KNOWN));
    host.callout("/v1/moderations").answer(Answer::reset());
    assert_eq!(probe.client().status(), 503);
    refused_at_once(&host, &host.worker(1).send(chat(KNOWN)));
    host.advance(Duration::from_millis(2_100));
    host.worker(1).send(chat(KNOWN));
    assert_eq!(questions(&host), 1);
}

#[test]
fn a_probe_whose_client_hangs_up_does_not_keep_the_circuit_open() {
    let host = opened();
    host.advance(Duration::from_millis(2_100));
    let probe = host.worker(0).send(chat(KNOWN));
    probe.hang_up();
    host.advance(Duration::from_secs(4));
    host.worker(1).send(chat(KNOWN));
    assert!(questions(&host) >= 1, "another one tries");
}
