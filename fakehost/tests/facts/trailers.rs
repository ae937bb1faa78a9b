//! Trailers end a stream, and no body callback says so.

use proxy_wasm::types::Action;
use tollgate_fakehost::{Exchange, Request, Response};

use crate::probe::{Event, host};
use crate::raw;

fn names(exchange: &Exchange) -> Vec<(&'static str, bool)> {
    exchange
        .callbacks()
        .iter()
        .map(|callback| (callback.name, callback.end_of_stream))
        .collect()
}

fn with_trailers() -> Request {
    Request::post("/")
        .chunked()
        .body("hello")
        .trailers([("x-t", "1")])
}

#[test]
fn with_trailers_no_body_callback_ends_the_stream() {
    let host = host(|_| Action::Continue).boot().unwrap();
    let exchange = host.worker(0).send(with_trailers());
    let expected = [
        ("request_headers", false),
        ("request_body", false),
        ("request_trailers", true),
    ];
    assert_eq!(names(&exchange), expected);
    assert_eq!(exchange.upstream().trailers.unwrap().text("x-t"), Some("1"));
}

#[test]
fn continue_from_the_trailers_releases_what_the_body_held() {
    let host = host(|event| match event {
        Event::RequestTrailers => Action::Continue,
        _ => Action::Pause,
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(with_trailers());
    assert_eq!(
        exchange.upstream().body,
        b"hello",
        "a check at the end of the body was bypassed"
    );
    assert!(exchange.upstream().ended);
}

#[test]
fn held_trailers_hold_everything_and_the_body_stays_readable() {
    let host = host(|event| match event {
        Event::RequestTrailers => {
            assert_eq!(raw::body(0).unwrap(), "hello");
            assert_eq!(raw::header(raw::REQUEST_TRAILERS, "x-t").unwrap(), "1");
            raw::ask("sidecar").unwrap();
            Action::Pause
        }
        Event::CallAnswered { .. } => {
            raw::resume(0);
            Action::Continue
        }
        _ => Action::Pause,
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(with_trailers());
    assert!(exchange.is_held());
    host.callout("/ask")
        .answer(tollgate_fakehost::Answer::status(200));
    assert!(exchange.upstream().ended);
    assert!(exchange.upstream().trailers.is_some());
}

#[test]
fn response_trailers_end_the_answer() {
    let host = host(|_| Action::Continue).boot().unwrap();
    let exchange = host.worker(0).send(Request::get("/"));
    exchange.respond(&Response::sse(["data: 1\n\n"]).trailers([("x-t", "1")]));
    assert!(names(&exchange).contains(&("response_trailers", true)));
    assert!(!names(&exchange).contains(&("response_body", true)));
    assert!(exchange.client().ended && exchange.is_over());
}
