//! What body callbacks see, hold and release.

use proxy_wasm::types::Action;
use tollgate_fakehost::{Exchange, Framing, Host, Request, Response};

use crate::probe::{Event, Notes, host};
use crate::raw;

fn sizes(exchange: &Exchange, name: &str) -> Vec<(usize, bool)> {
    exchange
        .callbacks()
        .iter()
        .filter(|callback| callback.name == name)
        .map(|callback| (callback.size, callback.end_of_stream))
        .collect()
}

/// Holds headers and body until the body is whole, then does `last`.
fn holding(last: fn()) -> Host {
    host(move |event| match event {
        Event::RequestHeaders { end } => {
            if end {
                Action::Continue
            } else {
                Action::Pause
            }
        }
        Event::RequestBody { end: false, .. } => Action::Pause,
        Event::RequestBody { end: true, .. } => {
            last();
            Action::Continue
        }
        _ => Action::Continue,
    })
    .boot()
    .unwrap()
}

#[test]
fn a_paused_body_comes_as_its_total() {
    let host = holding(|| assert_eq!(raw::body(0).unwrap(), "hello, you"));
    let exchange = host.worker(0).send(Request::post("/").chunks(["hello", ", you"]));
    assert_eq!(
        sizes(&exchange, "request_body"),
        [(5, false), (10, false), (10, true)]
    );
    assert_eq!(exchange.upstream().body, b"hello, you");
}

#[test]
fn a_body_that_goes_on_comes_in_pieces() {
    let host = host(|_| Action::Continue).boot().unwrap();
    let exchange = host.worker(0).send(Request::post("/").chunks(["hello", ", you"]));
    assert_eq!(
        sizes(&exchange, "request_body"),
        [(5, false), (5, false), (0, true)]
    );
    assert_eq!(exchange.upstream().body, b"hello, you");
}

#[test]
fn a_client_may_end_with_its_last_piece() {
    let host = host(|_| Action::Continue).boot().unwrap();
    let exchange = host
        .worker(0)
        .send(Request::post("/").body("hello").ends_with_last_chunk());
    assert_eq!(sizes(&exchange, "request_body"), [(5, true)]);
}

#[test]
fn nothing_leaves_while_the_headers_are_held() {
    let host = holding(|| {});
    let exchange = host.worker(0).open_streaming(&Request::post("/"));
    exchange.chunk("hello");
    assert!(exchange.is_held());
    exchange.end();
    assert!(exchange.upstream().ended);
}

#[test]
fn one_continue_from_the_body_releases_held_headers_even_with_a_callout_pending() {
    let host = host(|event| match event {
        Event::RequestHeaders { .. } => {
            raw::ask("sidecar").unwrap();
            Action::Pause
        }
        Event::CallAnswered { .. } => {
            raw::deny(403, "no");
            Action::Continue
        }
        _ => Action::Continue,
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(Request::post("/").body("hello"));
    assert!(exchange.upstream().ended, "the provider has the whole request");
    host.callout("/ask")
        .answer(tollgate_fakehost::Answer::status(200));
    assert_eq!(exchange.client().status(), 403, "and yet the client is refused");
    assert!(exchange.upstream().cancelled);
}

#[test]
fn the_body_is_readable_and_replaceable_in_a_callout_after_a_pause() {
    let host = host(|event| match event {
        Event::RequestHeaders { .. } | Event::RequestBody { end: false, .. } => Action::Pause,
        Event::RequestBody { end: true, .. } => {
            raw::ask("sidecar").unwrap();
            Action::Pause
        }
        Event::CallAnswered { .. } => {
            assert_eq!(raw::body(0).unwrap(), "hello");
            assert_eq!(raw::replace_body(0, "howdy!"), 0);
            assert_eq!(raw::set_header(raw::REQUEST, "content-length", "6"), 0);
            raw::resume(0);
            Action::Continue
        }
        _ => Action::Continue,
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(Request::post("/").body("hello"));
    assert!(exchange.is_held());
    host.callout("/ask")
        .answer(tollgate_fakehost::Answer::status(200));
    assert_eq!(exchange.upstream().body, b"howdy!");
    assert_eq!(exchange.upstream().framing(), Framing::Exact);
    host.assert_no_violation();
}

#[test]
fn a_longer_body_under_a_stale_content_length_is_noted_as_smuggling() {
    let host = holding(|| assert_eq!(raw::replace_body(0, "hello GET /admin"), 0));
    let exchange = host.worker(0).send(Request::post("/").body("hello"));
    assert_eq!(
        exchange.upstream().framing(),
        Framing::Overrun {
            declared: 5,
            sent: 16
        }
    );
    assert_eq!(host.violations().len(), 1);
}

#[test]
fn a_shorter_body_under_a_stale_content_length_is_noted_as_a_hang() {
    let host = holding(|| assert_eq!(raw::replace_body(0, "hi"), 0));
    let exchange = host.worker(0).send(Request::post("/").body("hello"));
    assert_eq!(
        exchange.upstream().framing(),
        Framing::Short { declared: 5, sent: 2 }
    );
    assert_eq!(host.violations().len(), 1);
}

#[test]
fn a_held_body_over_the_limit_is_413() {
    let host = host(|event| match event {
        Event::RequestHeaders { .. } | Event::RequestBody { .. } => Action::Pause,
        _ => Action::Continue,
    });
    let host = host.buffer_limit(8).boot().unwrap();
    let exchange = host.worker(0).send(Request::post("/").chunks(["hello", "world"]));
    assert_eq!(exchange.client().status(), 413);
    assert_eq!(exchange.details(), "request_payload_too_large");
    assert!(!exchange.upstream().reached());
}

#[test]
fn an_answer_over_the_limit_is_500_with_held_headers_and_cut_without() {
    for hold in [true, false] {
        let host = host(move |event| match event {
            Event::ResponseHeaders { .. } if hold => Action::Pause,
            Event::ResponseBody { .. } => Action::Pause,
            _ => Action::Continue,
        });
        let host = host.buffer_limit(8).boot().unwrap();
        let exchange = host.worker(0).send(Request::get("/"));
        exchange.respond(&Response::status(200).chunks(["hello", "world"]));
        let client = exchange.client();
        assert_eq!(
            (client.status(), client.reset),
            if hold { (500, false) } else { (200, true) }
        );
    }
}

#[test]
fn chunks_of_an_answer_can_be_replaced_one_by_one() {
    let host = host(|event| {
        if let Event::ResponseBody { size, end } = event {
            let with = if end { "end" } else { "" };
            assert_eq!(raw::body(1).unwrap().len(), size);
            raw::replace_body(1, with);
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(Request::get("/"));
    exchange.respond(&Response::sse(["data: 1\n\n", "data: 2\n\n"]));
    assert_eq!(exchange.client().text(), "end");
}

#[test]
fn a_204_that_is_paused_hangs_until_someone_gives_up() {
    let host = host(|event| match event {
        Event::ResponseHeaders { end: true } => Action::Pause,
        _ => Action::Continue,
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(Request::get("/"));
    exchange.respond(&Response::status(204));
    assert!(exchange.client().headers.is_none() && !exchange.is_over());
    exchange.hang_up();
    assert!(exchange.is_over());
}

#[test]
fn in_a_wrong_phase_a_body_reads_as_empty() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if let Event::RequestHeaders { .. } = event {
            saw.add((raw::body(0), raw::replace_body(0, "x"), raw::body(4)));
        }
        Action::Continue
    });
    host.boot().unwrap().worker(0).send(Request::get("/"));
    assert_eq!(notes.all(), [r#"(Ok(""), 2, Err(1))"#]);
}
