//! A worker's VM dies with exchanges in flight.

use tollgate_core::usage::UsageStatus;

use crate::gateway::{
    KNOWN, answer, boot, boot_workers, chat, config, stream_answer, stream_chunks, streaming,
};
use crate::sidecar::Ledger;

#[test]
fn an_exchange_in_flight_is_charged_at_its_reservation() {
    let mut host = boot(&config());
    let exchange = host.worker(0).send(streaming(KNOWN));
    exchange.respond_headers(&stream_answer());
    exchange.respond_chunk(stream_chunks().concat());
    host.crash(0);
    assert!(exchange.client().reset);
    let ledger = Ledger::collect(&host);
    let event = ledger.only();
    assert_eq!(event.error_code.as_deref(), Some("worker_lost"));
    assert_eq!(
        (event.usage.status, event.usage.output_tokens),
        (UsageStatus::Estimated, 50)
    );
}

#[test]
fn requests_go_on_and_what_was_finished_is_sent_once() {
    let mut host = boot_workers(&config(), 2);
    for worker in 0..2 {
        host.worker(worker).send(chat(KNOWN)).respond(&answer());
    }
    let in_flight = host.worker(0).send(chat(KNOWN));
    host.crash(0);
    assert_eq!(in_flight.client().status(), 503);
    for worker in 0..2 {
        let exchange = host.worker(worker).send(chat(KNOWN));
        exchange.respond(&answer());
        assert_eq!(exchange.client().status(), 200);
    }
    let ledger = Ledger::collect(&host);
    let lost = ledger
        .all()
        .iter()
        .filter(|event| event.error_code.as_deref() == Some("worker_lost"))
        .count();
    assert_eq!((ledger.all().len(), lost), (5, 1));
    host.assert_no_violation();
}

#[test]
fn a_crash_before_the_provider_was_called_owes_nothing() {
    let mut host = boot(&config());
    let exchange = host.worker(0).open_streaming(&chat(KNOWN));
    exchange.chunk("{");
    host.crash(0);
    assert!(!exchange.upstream().reached());
    assert!(Ledger::collect(&host).all().is_empty());
}

#[test]
fn a_slot_of_a_crashed_worker_is_free_again_after_a_while() {
    let mut config = config();
    config["limits"] = serde_json::json!([
        {"name": "slots", "count": "concurrent", "amount": 1, "per": ["workspace"], "slot_ttl": "30s"},
    ]);
    let mut host = boot(&config);
    let _lost = host.worker(0).send(chat(KNOWN));
    host.crash(0);
    assert_eq!(host.worker(0).send(chat(KNOWN)).client().status(), 429);
    host.advance(std::time::Duration::from_secs(31));
    assert!(host.worker(0).send(chat(KNOWN)).upstream().reached());
}
