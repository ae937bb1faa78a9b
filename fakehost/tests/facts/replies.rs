//! Local replies: deferred, seen by the filter itself, and a cut answer once headers are out.

use proxy_wasm::types::Action;
use tollgate_fakehost::{Request, Response};

use crate::probe::{Event, Notes, host};
use crate::raw;

fn post() -> Request {
    Request::post("/").body("hello")
}

#[test]
fn a_reply_in_the_request_phase_comes_through_the_filters_own_response_callbacks() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| match event {
        Event::RequestHeaders { .. } => {
            raw::deny(429, "slow down");
            saw.add("asked");
            Action::Pause
        }
        Event::ResponseHeaders { .. } | Event::ResponseBody { .. } => {
            saw.add(event);
            Action::Continue
        }
        _ => Action::Continue,
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(post());
    assert_eq!(
        notes.all(),
        [
            r#""asked""#,
            "ResponseHeaders { end: false }",
            "ResponseBody { size: 9, end: true }"
        ]
    );
    let client = exchange.client();
    assert_eq!((client.status(), client.text().as_str()), (429, "slow down"));
    assert_eq!(client.header("content-type"), Some("text/plain"));
    assert_eq!(client.header("x-denied"), Some("1"));
    assert!(exchange.is_over() && !exchange.upstream().reached());
    host.assert_no_violation();
}

#[test]
fn the_stream_stops_whatever_the_callback_returns() {
    let host = host(|event| {
        if let Event::RequestHeaders { .. } = event {
            raw::deny(403, "no");
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(post());
    assert_eq!(exchange.client().status(), 403);
    assert!(!exchange.upstream().reached());
}

#[test]
fn a_reply_from_the_body_drops_the_rest_of_the_request() {
    let host = host(|event| match event {
        Event::RequestHeaders { .. } => Action::Pause,
        Event::RequestBody { .. } => {
            raw::deny(400, "bad");
            Action::Pause
        }
        _ => Action::Continue,
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(Request::post("/").chunks(["a", "b", "c"]));
    let bodies = exchange
        .callbacks()
        .iter()
        .filter(|callback| callback.name == "request_body")
        .count();
    assert_eq!(bodies, 1);
    assert_eq!(exchange.client().status(), 400);
}

#[test]
fn a_reply_in_place_of_an_answer_that_has_not_left_passes_the_filter_by() {
    let host = host(|event| {
        if let Event::ResponseHeaders { .. } = event {
            raw::deny(502, "no good");
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(post());
    exchange.respond(&Response::status(200).chunks(["fine"]));
    let replies = exchange
        .callbacks()
        .iter()
        .filter(|callback| callback.name.starts_with("response"))
        .count();
    assert_eq!(replies, 1, "only the provider's headers");
    assert_eq!(
        (exchange.client().status(), exchange.client().text()),
        (502, "no good".to_owned())
    );
}

#[test]
fn a_reply_after_the_headers_left_cuts_the_answer() {
    let host = host(|event| {
        if let Event::ResponseBody { .. } = event {
            raw::deny(500, "stop");
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(post());
    exchange.respond(&Response::sse(["data: 1\n\n", "data: 2\n\n"]));
    let client = exchange.client();
    assert_eq!(client.status(), 200);
    assert!(client.reset && !client.ended && client.chunks.is_empty());
}

#[test]
fn a_second_reply_is_noted() {
    let host = host(|event| {
        if let Event::RequestHeaders { .. } = event {
            raw::deny(403, "");
        }
        if let Event::ResponseHeaders { .. } = event {
            raw::deny(404, "");
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    host.worker(0).send(Request::get("/"));
    assert_eq!(host.violations(), ["a second local reply on one stream"]);
}

#[test]
fn a_resume_after_a_reply_is_harmless() {
    let host = host(|event| {
        if let Event::RequestHeaders { .. } = event {
            raw::deny(403, "no");
            raw::resume(0);
            raw::resume(0);
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(post());
    assert_eq!(exchange.client().status(), 403);
    assert!(!exchange.upstream().reached());
    host.assert_no_violation();
}
