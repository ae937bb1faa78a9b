//! Requests that are paid from budgets.

use serde_json::{Value, json};

use super::*;
use crate::wire::LeaseRequest;

/// The ledger's answer: one budget in dollars, of which this much is leased.
pub(super) fn granted(amount: u64, spent: u64, granted: u64) -> Value {
    json!({"version": 1, "budgets": [{
        "id": "bud_1", "name": "month", "scope": "workspace", "unit": "usd", "period": "month",
        "amount": amount, "spent": spent, "period_ends_in_ms": 60_000, "enforcement": "hard",
        "on_unavailable": "deny", "thresholds": [80, 100],
        "lease": {"lease_id": 1, "granted": granted, "settled": 0, "expires_in_ms": 60_000},
    }]})
}

/// Sends a request that has to ask the ledger, and answers it.
pub(super) fn send_asking(
    bench: &mut Bench,
    exchange: &mut Exchange,
    body: &[u8],
    answer: Option<&Value>,
) -> (LeaseRequest, Ended) {
    bench.headers(exchange, "/v1/chat/completions");
    assert_eq!(exchange.request_data(body.len(), true), Step::ReadBody);
    let Step::Ask(Ask::Lease(ask)) = bench.env(|env| exchange.request_body(body, env)) else {
        panic!("no question")
    };
    let text = answer.map(Value::to_string).unwrap_or_default();
    let told = match answer {
        Some(_) => Answer::Answered {
            status: 200,
            body: text.as_bytes(),
        },
        None => Answer::Unavailable,
    };
    let ended = match bench.env(|env| exchange.answered(told, env)) {
        Step::Refuse(reply) => Ended::Refused(reply.status),
        Step::ReadBody => match bench.env(|env| exchange.request_body(body, env)) {
            Step::Refuse(reply) => Ended::Refused(reply.status),
            Step::Release(release) => Ended::Released {
                body: release.body.unwrap_or_else(|| body.to_vec()),
            },
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    (*ask, ended)
}

#[test]
fn with_a_lease_in_hand_nobody_is_asked() {
    let mut bench = Bench::with_budgets(&config(&json!({})));
    let mut first = bench.exchange();
    let answer = granted(1_000_000_000, 0, 500_000_000);
    let (asked, ended) = send_asking(&mut bench, &mut first, CHAT, Some(&answer));
    assert!(asked.need.usd.0 > 0 && asked.facts.workspace.as_deref() == Some("a"));
    assert!(matches!(ended, Ended::Released { .. }));
    for _ in 0..20 {
        let mut exchange = bench.exchange();
        let ended = bench.send(&mut exchange, "/v1/chat/completions", CHAT);
        assert!(matches!(ended, Ended::Released { .. }));
        bench.answer(&mut exchange, "application/json", &[ANSWER]);
        let event = bench.finish(&mut exchange, Some(200)).event;
        assert_eq!(event.charges.len(), 1);
        assert_eq!(event.charges[0].charged, event.cost_nanousd.0);
        assert!(event.charges[0].reserved > event.charges[0].charged);
    }
}

#[test]
fn a_request_may_be_paid_from_hundreds_of_budgets() {
    let mut answer = granted(1_000_000_000, 0, 500_000_000);
    let one = answer["budgets"][0].clone();
    let many = (1..=300).map(|number| {
        let mut budget = one.clone();
        budget["id"] = json!(format!("bud_{number}"));
        budget["lease"]["lease_id"] = json!(number);
        budget
    });
    answer["budgets"] = many.collect();
    let mut bench = Bench::with_budgets(&config(&json!({})));
    let mut exchange = bench.exchange();
    let (_, ended) = send_asking(&mut bench, &mut exchange, CHAT, Some(&answer));
    assert!(matches!(ended, Ended::Released { .. }));
    bench.answer(&mut exchange, "application/json", &[ANSWER]);
    bench.finish(&mut exchange, Some(200));
    let events = bench.events();
    let charges = events[0]["charges"].as_array().unwrap();
    assert_eq!(charges.len(), 300);
    assert!(
        charges
            .iter()
            .all(|charge| charge["charged"] == events[0]["cost_nanousd"])
    );
}

#[test]
fn what_one_worker_has_heard_of_a_callers_budgets_every_worker_knows() {
    let config = config(&json!({}));
    let mut bench = Bench::with_budgets(&config);
    let mut first = bench.exchange();
    let answer = granted(1_000_000_000, 0, 500_000_000);
    send_asking(&mut bench, &mut first, CHAT, Some(&answer));
    // Another worker of the same Envoy, with the lease in hand, pays from it without a question; also long after, where
    // the sidecar is away.
    bench.money = Money::new(&bench.config.budgets, [2; 16]);
    let mut second = bench.exchange();
    let ended = bench.send(&mut second, "/v1/chat/completions", CHAT);
    assert!(matches!(ended, Ended::Released { .. }));
    bench.now.0 += bench.config.budgets.remember_ms * 1_000_000;
    bench.money = Money::new(&bench.config.budgets, [3; 16]);
    let mut third = bench.exchange();
    let (asked, ended) = send_asking(&mut bench, &mut third, CHAT, None);
    assert_eq!(asked.holds, [], "which leases to name is not known any more");
    // Its own budget says what happens then, and not the policy for budgets that nobody knows.
    assert_eq!(ended, Ended::Refused(503));
}

#[test]
fn a_request_without_an_output_cap_gets_the_one_that_was_reserved() {
    let mut bench = Bench::with_budgets(&config(&json!({})));
    let mut exchange = bench.exchange();
    let (_, ended) = send_asking(
        &mut bench,
        &mut exchange,
        CHAT,
        Some(&granted(1_000_000_000, 0, 500_000_000)),
    );
    let Ended::Released { body } = ended else { panic!() };
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["max_tokens"], 1_024);
}

#[test]
fn a_small_lease_lowers_the_output_and_says_so() {
    let mut bench = Bench::with_budgets(&config(&json!({})));
    let mut exchange = bench.exchange();
    let (_, ended) = send_asking(
        &mut bench,
        &mut exchange,
        CHAT,
        Some(&granted(200_000, 0, 200_000)),
    );
    let Ended::Released { body } = ended else { panic!() };
    let body: Value = serde_json::from_slice(&body).unwrap();
    let cap = body["max_tokens"].as_u64().unwrap();
    assert!((64..1_024).contains(&cap), "{cap}");
    let pairs: &[(&[u8], &[u8])] = &[(b":status", b"204")];
    let Step::Release(release) = exchange.response_headers(Headers::new(pairs), true) else {
        panic!()
    };
    let warned = release
        .headers
        .iter()
        .any(|op| matches!(op, crate::headers::HeaderOp::Add(name, _) if name == "x-tollgate-warning"));
    assert!(warned);
}

#[test]
fn an_exhausted_budget_refuses_and_burns_no_limit() {
    let mut bench = Bench::with_budgets(&limited());
    let mut answer = granted(1_000, 1_000, 0);
    answer["exhausted"] = json!({"budget_id": "bud_1", "available": 0, "may_return": false});
    for _ in 0..3 {
        let mut exchange = bench.exchange();
        let ended = if bench.drawn == 1 {
            send_asking(&mut bench, &mut exchange, CHAT, Some(&answer)).1
        } else {
            bench.send(&mut exchange, "/v1/chat/completions", CHAT)
        };
        assert_eq!(
            ended,
            Ended::Refused(402),
            "a limit of two requests a minute has not been touched"
        );
        let event = bench.finish(&mut exchange, Some(402)).event;
        assert_eq!(event.error_code.as_deref(), Some("budget_exceeded"));
        assert!(event.charges.is_empty());
    }
}

#[test]
fn budgets_that_are_not_known_while_the_sidecar_is_away_follow_the_configured_policy() {
    for (policy, expected) in [("deny", false), ("allow", true)] {
        let mut bench = Bench::with_budgets(&config(&json!({"budgets": {"on_unavailable": policy}})));
        bench.money.purse().learn_version(&bench.cells, 1).unwrap();
        let mut exchange = bench.exchange();
        let (_, ended) = send_asking(&mut bench, &mut exchange, CHAT, None);
        assert_eq!(matches!(ended, Ended::Released { .. }), expected, "{ended:?}");
    }
}

#[test]
fn where_nobody_has_heard_of_budgets_a_sidecar_that_is_away_stops_nobody() {
    let mut bench = Bench::with_budgets(&config(&json!({})));
    let mut exchange = bench.exchange();
    let (_, ended) = send_asking(&mut bench, &mut exchange, CHAT, None);
    assert!(matches!(ended, Ended::Released { .. }), "{ended:?}");
}

#[test]
fn a_client_that_leaves_while_the_ledger_is_asked_costs_nothing() {
    let mut bench = Bench::with_budgets(&config(&json!({})));
    let mut exchange = bench.exchange();
    bench.headers(&mut exchange, "/v1/chat/completions");
    exchange.request_data(CHAT.len(), true);
    assert!(matches!(
        bench.env(|env| exchange.request_body(CHAT, env)),
        Step::Ask(Ask::Lease(_))
    ));
    let event = bench.finish(&mut exchange, None).event;
    assert_eq!(
        (event.error_code.as_deref(), event.charges.len()),
        (Some("client_closed"), 0)
    );
}

#[test]
fn the_ledger_hears_of_a_requests_tags() {
    let mut bench = Bench::with_budgets(&config(&json!({})));
    let mut exchange = bench.exchange();
    let pairs: &[(&[u8], &[u8])] = &[
        (b":method", b"POST"),
        (b":path", b"/v1/chat/completions"),
        (b"authorization", b"Bearer tg_test_a"),
        (b"x-tollgate-tags", b" search , , batch,search"),
    ];
    bench.env(|env| exchange.request_headers(Headers::new(pairs), false, Outside::default(), env));
    exchange.request_data(CHAT.len(), true);
    let Step::Ask(Ask::Lease(ask)) = bench.env(|env| exchange.request_body(CHAT, env)) else {
        panic!("no question")
    };
    assert_eq!(ask.facts.tags, ["batch", "search"]);
}

/// What the purse says is used of the lease.
fn used(bench: &Bench) -> u64 {
    let purse = bench.money.purse();
    let holds = purse.report(&bench.cells, &mut 0, bench.now.millis()).unwrap();
    holds.iter().map(|hold| hold.used).sum()
}

#[test]
fn a_request_that_cannot_be_let_go_keeps_its_money_until_its_event_says_that_it_cost_nothing() {
    for event_is_written in [true, false] {
        let mut bench = Bench::with_budgets(&config(&json!({})));
        let mut exchange = bench.exchange();
        let answer = granted(1_000_000_000, 0, 500_000_000);
        send_asking(&mut bench, &mut exchange, CHAT, Some(&answer));
        let reserved = used(&bench);
        let step = bench.env(|env| exchange.release_failed(env));
        assert!(matches!(step, Step::Refuse(_)));
        // Until then its open record would charge what it has reserved.
        assert_eq!(used(&bench), reserved);
        if !event_is_written {
            bench.cells.die_after(Some(0));
        }
        let finished = bench
            .env(|env| exchange.finish(&Closing::default(), env))
            .unwrap();
        bench.cells.die_after(None);
        assert_eq!(finished.lost, !event_is_written);
        let charged: u64 = bench.events()[0]["charges"]
            .as_array()
            .map_or(0, |charges| charges[0]["charged"].as_u64().unwrap());
        assert_eq!(
            (used(&bench), charged),
            if event_is_written {
                (0, 0)
            } else {
                (reserved, reserved)
            }
        );
    }
}
