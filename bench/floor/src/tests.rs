use tollgate_fakehost::{Call, Callback, Exchange, Host, Request, Response};

use super::{ADDED, start};

fn host(work: &str) -> Host {
    Host::new(start).config(work).boot().unwrap()
}

fn asked(host: &Host, answer: &Response) -> Exchange {
    let request = Request::post("/v1/chat/completions")
        .bearer("sk-bench")
        .chunks(["{\"model\":", "\"gpt-4o\"}"]);
    let exchange = host.worker(0).send(request);
    exchange.respond(answer);
    assert_eq!(exchange.client().status(), 200);
    host.assert_no_violation();
    exchange
}

fn answer() -> Response {
    Response::status(200)
        .header("content-type", "application/json")
        .chunks(["{\"usage\":", "{}}"])
}

#[test]
fn both_sides_are_held_until_they_are_whole_and_the_client_is_told() {
    let host = host("everything");
    let exchange = asked(&host, &answer());
    for Callback {
        name,
        end_of_stream,
        paused,
        ..
    } in exchange.callbacks()
    {
        let held = name.ends_with("headers") || name.ends_with("body");
        assert_eq!(paused, held && !end_of_stream, "{name}");
    }
    assert_eq!(exchange.upstream().header("authorization"), None);
    for name in ADDED {
        assert!(exchange.client().header(name).is_some(), "{name}");
    }
}

#[test]
fn events_are_passed_on_as_they_come() {
    let host = host("everything");
    let exchange = asked(&host, &Response::sse(["data: 1\n\n", "data: 2\n\n"]));
    assert_eq!(exchange.client().chunks.len(), 2, "{:?}", exchange.client());
    assert!(exchange.client().header(ADDED[0]).is_some());
}

#[test]
fn nothing_is_done_where_nothing_is_asked_for() {
    let host = host("nothing");
    let exchange = asked(&host, &answer());
    assert!(exchange.callbacks().iter().all(|callback| !callback.paused));
    for call in [Call::GetHeaderMapPairs, Call::GetBufferBytes] {
        assert_eq!(exchange.calls().of(call), 0, "{call:?}");
    }
    assert!(exchange.upstream().header("authorization").is_some());
}

#[test]
fn another_configuration_is_refused() {
    let refused = Host::new(start).config("something").boot().unwrap_err();
    let log = format!("{:?}", refused.log);
    assert!(log.contains("neither"), "{log}");
}
