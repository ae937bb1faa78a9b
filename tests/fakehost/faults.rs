//! Host calls fail one by one: the filter never panics, never hangs, never loses or doubles an event of an
//! exchange that reached the provider, and never passes what it could not account for.

use tollgate_fakehost::{Call, Exchange, Fault, Host, Request, Response, Status};

use crate::gateway::{
    KNOWN, REMOTE, answer, assert_sound, boot, chat, config, moderated, stream_answer, streaming,
};
use crate::sidecar::{Ledger, key_found, verdict};

/// More than any request of these tests makes.
const MOST_CALLS: u64 = 200;

/// A request and how its world answers.
struct Scenario {
    name: &'static str,
    config: serde_json::Value,
    request: Request,
    answer: Response,
}

fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "plain",
            config: config(),
            request: chat(KNOWN),
            answer: answer(),
        },
        Scenario {
            name: "stream",
            config: config(),
            request: streaming(KNOWN),
            answer: stream_answer(),
        },
        Scenario {
            name: "kept",
            config: {
                let mut config = config();
                config["conversations"] = serde_json::json!([{}]);
                config
            },
            request: streaming(KNOWN).header("x-tollgate-conversation", "thread-1"),
            answer: stream_answer(),
        },
        Scenario {
            name: "asked",
            config: moderated(true),
            request: chat(REMOTE),
            answer: answer(),
        },
    ]
}

/// Plays an exchange to its end, whatever happens to it.
fn play(host: &Host, scenario: &Scenario) -> Exchange {
    let exchange = host.worker(0).send(scenario.request.clone());
    answer_questions(host);
    if exchange.upstream().reached() && !exchange.is_over() {
        exchange.respond(&scenario.answer);
        answer_questions(host);
    }
    exchange
}

fn answer_questions(host: &Host) {
    host.answer_callouts(|request| match request.path() {
        "/v1/keys/resolve" => Some(key_found()),
        "/v1/moderations" => Some(verdict("allow")),
        _ => None,
    });
}

fn assert_no_new_violation(host: &Host, context: &str) {
    let violations = host.violations();
    assert!(violations.is_empty(), "{context}: {violations:?}");
}

#[test]
fn a_body_does_not_change_without_its_length() {
    for call in [Call::ReplaceHeaderMapValue, Call::SetBufferBytes] {
        let host = boot(&config());
        host.fail(Fault::new(call, Status::BadArgument).for_ever());
        let exchange = host.worker(0).send(streaming(KNOWN));
        host.clear_faults();
        exchange.hang_up();
        assert_sound(&host, &exchange);
    }
}

#[test]
fn every_single_call_may_fail() {
    for scenario in scenarios() {
        for nth in 0..MOST_CALLS {
            let host = boot(&scenario.config);
            host.fail(Fault::any().after(nth));
            let exchange = play(&host, &scenario);
            let struck = host.struck();
            host.clear_faults();
            if struck.is_empty() {
                assert!(nth > 0, "no call of {} can fail", scenario.name);
                break;
            }
            let context = format!("{}: call {nth} failed: {struck:?}", scenario.name);
            if !exchange.is_over() {
                // A stream may wait for a client or a provider that goes on, but it must let go of it.
                exchange.hang_up();
            }
            assert!(exchange.is_over(), "{context}");
            let reached = exchange.upstream().reached();
            let events = Ledger::collect(&host);
            if reached {
                assert_eq!(
                    events.all().len(),
                    1,
                    "{context}: one event of what the provider saw"
                );
            }
            assert!(events.all().len() <= 1, "{context}");
            assert_no_new_violation(&host, &context);
            // Whatever broke, the next one is served.
            let next = play(&host, &scenario);
            assert_eq!(next.client().status(), 200, "{context}");
            assert!(next.is_over(), "{context}");
            assert_no_new_violation(&host, &context);
        }
    }
}

#[test]
fn every_kind_of_call_may_fail_for_good() {
    for scenario in scenarios() {
        for call in Call::ALL.iter().copied() {
            let Some(status) = call.plausible_failure() else {
                continue;
            };
            let host = boot(&scenario.config);
            host.fail(Fault::new(call, status).for_ever());
            let exchange = play(&host, &scenario);
            host.clear_faults();
            if !exchange.is_over() {
                exchange.hang_up();
            }
            let context = format!("{}: {call:?} fails with {status:?}", scenario.name);
            assert!(exchange.is_over(), "{context}");
            assert_no_new_violation(&host, &context);
            let events = Ledger::collect(&host).all().len();
            let reached = exchange.upstream().reached();
            assert!(
                events == usize::from(reached) || !reached,
                "{context}: {events} events"
            );
            let next = play(&host, &scenario);
            assert_eq!(next.client().status(), 200, "{context}");
        }
    }
}

#[test]
fn a_request_makes_a_bounded_number_of_host_calls() {
    for scenario in scenarios() {
        let host = boot(&scenario.config);
        // The first request makes the cells and defines the metrics.
        play(&host, &scenario);
        let exchange = play(&host, &scenario);
        assert_eq!(exchange.client().status(), 200);
        let calls = exchange.calls();
        let counted: Vec<_> = calls.iter().collect();
        assert!(
            calls.total() <= 75,
            "{}: {} calls: {counted:?}",
            scenario.name,
            calls.total()
        );
        let shared = calls.of(Call::GetSharedData) + calls.of(Call::SetSharedData);
        assert!(
            shared <= 24,
            "{}: {shared} calls on shared data: {counted:?}",
            scenario.name
        );
    }
}

#[test]
fn the_chunks_of_a_stream_cost_a_bounded_number_of_calls_each() {
    let calls_for = |chunks: usize| {
        let host = boot(&config());
        let exchange = host.worker(0).send(streaming(KNOWN));
        let delta = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
        exchange.respond(&Response::sse(vec![delta; chunks]));
        exchange.calls().total()
    };
    let (few, many) = (calls_for(10), calls_for(110));
    assert!(
        (many - few).div_ceil(100) <= 3,
        "{few} calls for 10 chunks, {many} for 110"
    );
}
