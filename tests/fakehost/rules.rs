//! The rules of a filter's life in Envoy, each of which some filter has broken.

use proptest::prelude::*;
use tollgate_core::usage::UsageStatus;
use tollgate_fakehost::{Framing, Request, Response};

use crate::gateway::{
    CHAT, INPUT_TOKENS, KNOWN, OUTPUT_TOKENS, REMOTE, answer, assert_sound, boot, chat, config, moderated,
    prompt, stream_answer, stream_chunks, streaming,
};
use crate::sidecar::{Ledger, key_found, verdict};

#[test]
fn a_plain_exchange_passes_and_is_accounted() {
    let host = boot(&config());
    let exchange = host.worker(0).send(chat(KNOWN));
    assert_eq!(exchange.upstream().framing(), Framing::Exact);
    exchange.respond(&answer());
    assert_eq!(exchange.client().status(), 200);
    assert_sound(&host, &exchange);
    let ledger = Ledger::collect(&host);
    let event = ledger.only();
    assert_eq!(
        (event.usage.input_tokens, event.usage.output_tokens),
        (INPUT_TOKENS, OUTPUT_TOKENS)
    );
    assert_eq!(
        (event.usage.status, event.status, ledger.repeats),
        (UsageStatus::Complete, 200, 0)
    );
}

#[test]
fn headers_that_are_no_utf8_are_survived() {
    let host = boot(&config());
    for name in [
        "authorization",
        "x-api-key",
        "content-type",
        "x-tollgate-session",
        "x-anything",
    ] {
        let request = chat(KNOWN).header(name, b"\xff\xfe\x80");
        let exchange = host.worker(0).send(request);
        if !exchange.is_over() {
            exchange.respond(&answer());
        }
        assert_sound(&host, &exchange);
    }
    let exchange = host
        .worker(0)
        .send(Request::post("/v1/\u{fffd}").header(":path", b"\xff"));
    assert_eq!(exchange.client().status(), 404);
}

#[test]
fn answers_whose_headers_are_no_utf8_pass_as_they_are() {
    let host = boot(&config());
    let exchange = host.worker(0).send(chat(KNOWN));
    exchange.respond(
        &answer()
            .header("x-odd", b"\xff\xfe")
            .header("x-ratelimit-limit-requests", b"\x80"),
    );
    assert_eq!(
        exchange.client().headers.clone().unwrap().first("x-odd"),
        Some(&b"\xff\xfe"[..])
    );
    assert_sound(&host, &exchange);
}

#[test]
fn trailers_do_not_slip_a_body_past_the_checks() {
    let host = boot(&config());
    for (body, expected) in [("{\"model\":", 400), ("[]", 400), ("", 400)] {
        let request = Request::post(CHAT)
            .bearer(KNOWN)
            .chunked()
            .body(body)
            .trailers([("x-t", "1")]);
        let exchange = host.worker(0).send(request);
        assert_eq!(exchange.client().status(), expected, "{body:?}");
        assert!(!exchange.upstream().reached());
    }
    let request = Request::post(CHAT)
        .bearer(KNOWN)
        .chunked()
        .body(prompt().to_string())
        .trailers([("x-t", "1")]);
    let exchange = host.worker(0).send(request);
    exchange.respond(&answer());
    assert_eq!(exchange.client().status(), 200);
    assert_sound(&host, &exchange);
}

#[test]
fn an_answer_that_ends_with_trailers_is_accounted() {
    let host = boot(&config());
    for (request, answer) in [(chat(KNOWN), answer()), (streaming(KNOWN), stream_answer())] {
        let exchange = host.worker(0).send(request);
        exchange.respond(&answer.trailers([("x-t", "1")]));
        assert!(exchange.client().ended);
        assert_sound(&host, &exchange);
    }
    let ledger = Ledger::collect(&host);
    let output: Vec<u64> = ledger
        .all()
        .iter()
        .map(|event| event.usage.output_tokens)
        .collect();
    assert_eq!(output, [OUTPUT_TOKENS, OUTPUT_TOKENS]);
}

#[test]
fn a_changed_body_has_its_own_length() {
    let host = boot(&config());
    let request = streaming(KNOWN);
    let exchange = host.worker(0).send(request);
    let upstream = exchange.upstream();
    assert!(String::from_utf8_lossy(&upstream.body).contains("include_usage"));
    assert_eq!(upstream.framing(), Framing::Exact);
    exchange.respond(&stream_answer());
    assert!(
        !exchange.client().text().contains("prompt_tokens"),
        "the client did not ask for usage"
    );
    assert_sound(&host, &exchange);
}

#[test]
fn nothing_leaves_while_a_callout_is_pending() {
    let host = boot(&moderated(false));
    for trailers in [false, true] {
        let head = Request::post(CHAT).bearer(REMOTE).chunked();
        let exchange = host.worker(0).open_streaming(&head);
        let body = prompt().to_string();
        let (first, second) = body.split_at(10);
        exchange.chunk(first);
        exchange.chunk(second);
        if trailers {
            exchange.trailers([("x-t", "1")].into_iter().collect());
        } else {
            exchange.end();
        }
        if !trailers {
            assert!(exchange.is_held(), "the key is not known yet");
            host.callout("/v1/keys/resolve").answer(key_found());
        }
        assert!(exchange.is_held(), "the prompt is not judged yet");
        host.callout("/v1/moderations").answer(verdict("allow"));
        assert!(exchange.upstream().ended);
        exchange.respond(&answer());
        assert_sound(&host, &exchange);
    }
}

#[test]
fn an_answer_without_a_body_does_not_hang() {
    let host = boot(&moderated(true));
    for status in [204, 304, 500] {
        let exchange = host.worker(0).send(chat(KNOWN));
        host.callout("/v1/moderations").answer(verdict("allow"));
        exchange.respond(&Response::status(status));
        assert_eq!(exchange.client().status(), status);
        assert_sound(&host, &exchange);
    }
}

#[test]
fn a_request_without_a_body_does_not_hang() {
    let host = boot(&config());
    let refused = host.worker(0).send(Request::post(CHAT).bearer(KNOWN));
    assert_eq!(refused.client().status(), 400);
    let models = host.worker(0).send(Request::get("/v1/models").bearer(KNOWN));
    assert!(models.upstream().ended);
    models.respond(&Response::status(200).chunks(["{}"]));
    assert_sound(&host, &models);
}

#[test]
fn a_refusal_is_not_read_as_an_answer() {
    let host = boot(&config());
    let exchange = host.worker(0).send(chat("tg_test_nobody"));
    host.callout("/v1/keys/resolve")
        .answer(crate::sidecar::key_unknown());
    assert_eq!(exchange.client().status(), 401);
    assert_sound(&host, &exchange);
    let ledger = Ledger::collect(&host);
    let event = ledger.only();
    assert_eq!(event.usage.status, UsageStatus::None);
    assert_eq!(
        (event.status, event.error_code.as_deref()),
        (401, Some("invalid_api_key"))
    );
    assert_eq!(event.cost_nanousd, tollgate_core::money::NanoUsd::ZERO);
}

#[test]
fn repeated_headers_that_could_deceive_are_refused() {
    let host = boot(&config());
    for name in ["authorization", "content-type", "content-encoding"] {
        let exchange = host
            .worker(0)
            .send(chat(KNOWN).header(name, "identity").header(name, "gzip"));
        assert!(
            (400..402).contains(&exchange.client().status()),
            "{name}: {:?}",
            exchange.client()
        );
        assert!(!exchange.upstream().reached());
    }
}

#[test]
fn an_upgrade_is_refused() {
    let host = boot(&config());
    let exchange = host.worker(0).send(
        chat(KNOWN)
            .header("upgrade", "websocket")
            .header("connection", "upgrade"),
    );
    assert_eq!(exchange.client().status(), 400);
    assert!(!exchange.upstream().reached());
}

#[test]
fn a_bad_configuration_is_refused_and_touches_nothing() {
    let mut host = boot(&config());
    let before = host.shared_data();
    let mut bad = config();
    bad["limits"][0]["amount"] = "many".into();
    let refused = host.update_config(bad.to_string()).unwrap_err();
    assert!(
        refused.log.iter().any(|line| line.message.contains("limits")),
        "{:?}",
        refused.log
    );
    assert_eq!(host.shared_data(), before);
    let exchange = host.worker(0).send(chat(KNOWN));
    exchange.respond(&answer());
    assert_eq!(exchange.client().status(), 200);
}

#[test]
fn a_stream_outlives_the_configuration_that_it_began_under() {
    let mut host = boot(&config());
    let exchange = host.worker(0).send(streaming(KNOWN));
    let mut next = config();
    next["gateway_id"] = "next".into();
    host.update_config(next.to_string()).unwrap();
    exchange.respond(&stream_answer());
    assert_sound(&host, &exchange);
    assert_eq!(host.worker(0).root_contexts(), 1);
    let ledger = Ledger::collect(&host);
    assert_eq!(ledger.only().gateway_id, "test");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_of_a_stream_gives_the_same_bytes_and_usage(cuts in proptest::collection::vec(1usize..60, 1..40)) {
        let whole = stream_chunks().concat() + &format!(
            "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{INPUT_TOKENS},\"completion_tokens\":{OUTPUT_TOKENS}}}}}\n\n\
             data: [DONE]\n\n"
        );
        let expected = stream_chunks().concat() + "data: [DONE]\n\n";
        let mut chunks = Vec::new();
        let mut rest = whole.as_str();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at((*cut).min(rest.len()));
            chunks.push(chunk.to_owned());
            rest = after;
        }
        let host = boot(&config());
        let exchange = host.worker(0).send(streaming(KNOWN));
        exchange.respond(&Response::sse(chunks));
        prop_assert_eq!(exchange.client().text(), expected);
        let ledger = Ledger::collect(&host);
        prop_assert_eq!(ledger.only().usage.output_tokens, OUTPUT_TOKENS);
    }
}
