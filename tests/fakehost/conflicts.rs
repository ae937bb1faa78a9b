//! Shared data under contention: conflicts at every step, and workers that truly race.

use serde_json::json;
use tollgate_fakehost::{Call, Fault, Status};

use crate::gateway::{KNOWN, answer, assert_sound, boot, boot_workers, chat, config};
use crate::sidecar::Ledger;

#[test]
fn conflicts_at_every_write_change_nothing_but_time() {
    for times in [1, 3] {
        for nth in 0.. {
            let host = boot(&config());
            host.fail(
                Fault::new(Call::SetSharedData, Status::CasMismatch)
                    .after(nth)
                    .times(times),
            );
            let exchange = host.worker(0).send(chat(KNOWN));
            if exchange.upstream().reached() {
                exchange.respond(&answer());
            }
            if host.struck().is_empty() {
                assert!(nth > 2, "a request makes conditional writes");
                break;
            }
            assert_eq!(
                exchange.client().status(),
                200,
                "conflict {nth}: {:?}",
                exchange.client().text()
            );
            assert_sound(&host, &exchange);
            host.clear_faults();
            assert_eq!(Ledger::collect(&host).all().len(), 1, "conflict {nth}");
        }
    }
}

#[test]
fn true_conflicts_on_warm_cells_are_retried() {
    let host = boot(&config());
    host.worker(0).send(chat(KNOWN)).respond(&answer());
    host.conflict("", 5);
    let exchange = host.worker(0).send(chat(KNOWN));
    exchange.respond(&answer());
    assert_eq!(exchange.client().status(), 200);
    assert_eq!(Ledger::collect(&host).all().len(), 2);
}

#[test]
fn conflicts_that_never_end_are_503_and_not_a_free_pass() {
    let host = boot(&config());
    host.fail(Fault::new(Call::SetSharedData, Status::CasMismatch).for_ever());
    let exchange = host.worker(0).send(chat(KNOWN));
    assert_eq!(exchange.client().status(), 503);
    assert!(!exchange.upstream().reached());
    assert_sound(&host, &exchange);
    assert!(
        exchange.calls().total() < 2_000,
        "a bounded number of tries: {:?}",
        exchange.calls()
    );
}

#[test]
fn racing_workers_never_let_more_through_than_the_limit() {
    const LIMIT: usize = 40;
    const WORKERS: usize = 3;
    let mut config = config();
    config["limits"] = json!([
        {"name": "requests", "count": "requests", "amount": LIMIT, "period": "1h", "per": ["workspace"]},
        {"name": "other", "count": "requests", "amount": 1000, "period": "1h", "per": ["key"]},
    ]);
    let host = boot_workers(&config, WORKERS);
    let passed: usize = std::thread::scope(|scope| {
        let racing: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let host = &host;
                scope.spawn(move || {
                    (0..30)
                        .filter(|_| {
                            let exchange = host.worker(worker).send(chat(KNOWN));
                            let reached = exchange.upstream().reached();
                            if reached {
                                exchange.respond(&answer());
                            }
                            assert!(reached || exchange.client().status() == 429);
                            reached
                        })
                        .count()
                })
            })
            .collect();
        racing.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(passed, LIMIT);
    let ledger = Ledger::collect(&host);
    assert_eq!(
        ledger.all().iter().filter(|event| event.status == 200).count(),
        LIMIT
    );
    assert_eq!(ledger.all().len(), WORKERS * 30);
}

#[test]
fn a_refusal_burns_nothing() {
    let mut config = config();
    config["limits"] = json!([
        {"name": "wide", "count": "requests", "amount": 5, "period": "1h", "per": ["workspace"]},
        {"name": "slots", "count": "concurrent", "amount": 1, "per": ["workspace"]},
    ]);
    let host = boot(&config);
    let holds = host.worker(0).send(chat(KNOWN));
    for _ in 0..20 {
        let refused = host.worker(0).send(chat(KNOWN));
        assert_eq!(refused.client().status(), 429, "the only slot is taken");
    }
    holds.respond(&answer());
    for left in (0..4).rev() {
        let exchange = host.worker(0).send(chat(KNOWN));
        assert!(exchange.upstream().reached(), "{left} should be left");
        exchange.respond(&answer());
    }
    assert_eq!(host.worker(0).send(chat(KNOWN)).client().status(), 429);
}
