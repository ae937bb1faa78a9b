//! Answers of the sidecar: in every order, late, never, wrong.

use std::time::Duration;

use tollgate_core::wire::SIDECAR_HEADER;
use tollgate_fakehost::{Answer, Cluster, Host};

use crate::gateway::{CLUSTER, KNOWN, REMOTE, answer, assert_sound, boot, chat, config, moderated};
use crate::sidecar::{Ledger, key_found, key_unknown, ok, verdict};

/// Every order of these.
fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.len() < 2 {
        return vec![items.to_vec()];
    }
    let mut all = Vec::new();
    for (at, first) in items.iter().enumerate() {
        let mut rest = items.to_vec();
        rest.remove(at);
        all.extend(permutations(&rest).into_iter().map(|mut tail| {
            tail.insert(0, *first);
            tail
        }));
    }
    all
}

#[test]
fn verdicts_may_come_in_every_order() {
    for order in permutations(&[0, 1, 2, 3]) {
        let host = boot(&moderated(false));
        let exchanges: Vec<_> = (0..4).map(|_| host.worker(0).send(chat(KNOWN))).collect();
        let callouts = host.callouts();
        assert_eq!(callouts.len(), 4);
        for (turn, at) in order.iter().enumerate() {
            let allowed = at % 2 == 0;
            callouts[*at]
                .clone()
                .answer(verdict(if allowed { "allow" } else { "block" }));
            let decided = exchanges.iter().filter(|exchange| !exchange.is_held()).count();
            assert_eq!(decided, turn + 1, "one verdict decides one exchange");
            assert_eq!(exchanges[*at].upstream().reached(), allowed);
        }
        for exchange in exchanges.iter().filter(|exchange| !exchange.is_over()) {
            exchange.respond(&answer());
            assert_sound(&host, exchange);
        }
        let ledger = Ledger::collect(&host);
        assert_eq!(ledger.all().iter().filter(|event| event.status == 200).count(), 2);
        assert_eq!(ledger.all().len(), 4);
    }
}

#[test]
fn a_verdict_before_the_client_has_finished_is_impossible_and_a_key_before_it_is_fine() {
    let host = boot(&config());
    let request = chat(REMOTE);
    let exchange = host.worker(0).open_streaming(&request);
    host.callout("/v1/keys/resolve").answer(key_found());
    assert!(exchange.is_held());
    exchange.chunk(crate::gateway::prompt().to_string());
    exchange.end();
    assert!(exchange.upstream().ended);
    exchange.respond(&answer());
    assert_sound(&host, &exchange);
}

#[test]
fn a_key_in_the_middle_of_the_body_lets_nothing_go_early() {
    let host = boot(&config());
    let body = crate::gateway::prompt().to_string();
    let exchange = host.worker(0).open_streaming(&chat(REMOTE));
    let (first, second) = body.split_at(body.len() / 2);
    exchange.chunk(first);
    host.callout("/v1/keys/resolve").answer(key_found());
    assert!(exchange.is_held());
    exchange.chunk(second);
    assert!(exchange.is_held());
    exchange.end();
    assert_eq!(exchange.upstream().body, body.as_bytes());
    exchange.respond(&answer());
    assert_sound(&host, &exchange);
}

/// What comes back instead of a good answer, and by what name.
fn bad_answers() -> Vec<(&'static str, Answer)> {
    vec![
        ("refused", Answer::refused()),
        ("reset", Answer::reset()),
        ("timed out", Answer::timed_out()),
        ("an error", Answer::status(500).header(SIDECAR_HEADER, "test")),
        (
            "no JSON",
            Answer::status(200).header(SIDECAR_HEADER, "test").body("<html>"),
        ),
        ("nothing", Answer::status(200).header(SIDECAR_HEADER, "test")),
        ("200 of somebody else", Answer::json(200, &serde_json::json!({}))),
        (
            "bytes",
            Answer::status(200)
                .header(SIDECAR_HEADER, "test")
                .body(b"\xff\x00\xfe".to_vec()),
        ),
        ("another shape", ok(&serde_json::json!([1, 2, 3]))),
    ]
}

fn refused_with_503(host: &Host, path: &str, key: &str) {
    for (name, bad) in bad_answers() {
        let exchange = host.worker(0).send(chat(key));
        host.callout(path).answer(bad);
        assert_eq!(exchange.client().status(), 503, "{name}");
        assert!(!exchange.upstream().reached(), "{name}");
        assert_sound(host, &exchange);
    }
    assert_eq!(Ledger::collect(host).all().len(), bad_answers().len());
}

#[test]
fn a_key_that_cannot_be_looked_up_is_503() {
    refused_with_503(&boot(&config()), "/v1/keys/resolve", REMOTE);
}

#[test]
fn a_prompt_that_cannot_be_judged_is_503_where_policy_fails_closed() {
    refused_with_503(&boot(&moderated(false)), "/v1/moderations", KNOWN);
}

#[test]
fn a_prompt_that_cannot_be_judged_passes_where_policy_fails_open() {
    let mut config = moderated(false);
    config["moderation"][0]["on_unavailable"] = "allow".into();
    let host = boot(&config);
    for (name, bad) in bad_answers() {
        let exchange = host.worker(0).send(chat(KNOWN));
        host.callout("/v1/moderations").answer(bad);
        assert!(exchange.upstream().ended, "{name}");
        exchange.respond(&answer());
        assert_sound(&host, &exchange);
    }
}

#[test]
fn an_answer_that_never_comes_is_503_when_the_time_is_up() {
    let host = boot(&config());
    let exchange = host.worker(0).send(chat(REMOTE));
    host.advance(Duration::from_millis(900));
    assert!(exchange.is_held());
    host.advance(Duration::from_millis(200));
    assert_eq!(exchange.client().status(), 503);
    assert_sound(&host, &exchange);
}

#[test]
fn a_sidecar_without_hosts_or_cluster_is_503_at_once() {
    let host = boot(&config());
    host.set_cluster(CLUSTER, Cluster::NoHosts);
    let exchange = host.worker(0).send(chat(REMOTE));
    assert_eq!(exchange.client().status(), 503);
    assert_sound(&host, &exchange);
    let mut nowhere = config();
    nowhere["sidecar"]["cluster"] = "nowhere".into();
    let host = boot(&nowhere);
    let exchange = host.worker(0).send(chat(REMOTE));
    assert_eq!(exchange.client().status(), 503);
    assert_sound(&host, &exchange);
}

#[test]
fn a_known_key_works_while_the_sidecar_is_away_and_no_event_is_lost() {
    let host = boot(&config());
    let exchange = host.worker(0).send(chat(REMOTE));
    host.callout("/v1/keys/resolve").answer(key_found());
    exchange.respond(&answer());
    host.set_cluster(CLUSTER, Cluster::NoHosts);
    for _ in 0..20 {
        let exchange = host.worker(0).send(chat(REMOTE));
        exchange.respond(&answer());
        assert_eq!(exchange.client().status(), 200);
        host.advance(Duration::from_secs(2));
    }
    host.set_cluster(CLUSTER, Cluster::Up);
    let ledger = Ledger::collect(&host);
    assert_eq!((ledger.all().len(), ledger.repeats), (21, 0));
}

#[test]
fn a_batch_whose_answer_is_lost_is_sent_again_under_the_same_ids() {
    let host = boot(&config());
    let exchange = host.worker(0).send(chat(KNOWN));
    exchange.respond(&answer());
    let mut ledger = Ledger::default();
    host.advance(Duration::from_secs(1));
    let batch = host.callout("/v1/events");
    ledger.answer(batch.request()).expect("the ledger takes events");
    batch.answer(Answer::reset());
    ledger.collect_for(&host, Duration::from_secs(30));
    assert_eq!((ledger.all().len(), ledger.repeats), (1, 1));
}

#[test]
fn an_unknown_key_is_401_and_remembered_as_such() {
    let host = boot(&config());
    for expected_questions in [1, 0] {
        let exchange = host.worker(0).send(chat(REMOTE));
        let asked = host.answer_callouts(|_| Some(key_unknown()));
        assert_eq!((asked, exchange.client().status()), (expected_questions, 401));
    }
}
