//! When headers can be read and changed.

use proxy_wasm::types::Action;
use tollgate_fakehost::{Call, Fault, Request, Response, Status};

use crate::probe::{Event, Notes, host};
use crate::raw;

const BAD_ARGUMENT: u32 = 2;

fn post() -> Request {
    Request::post("/v1/x").body("hello")
}

#[test]
fn headers_that_went_on_cannot_be_read_in_the_body_phase() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if let Event::RequestBody { .. } = event {
            saw.add((raw::pairs(raw::REQUEST), raw::set_header(raw::REQUEST, "x", "1")));
        }
        Action::Continue
    });
    host.boot().unwrap().worker(0).send(post());
    assert_eq!(notes.all()[0], "(Err(2), 2)");
}

#[test]
fn held_headers_are_writable_while_the_body_comes() {
    let host = host(|event| match event {
        Event::RequestHeaders { .. } | Event::RequestBody { end: false, .. } => Action::Pause,
        Event::RequestBody { end: true, .. } => {
            assert_eq!(raw::header(raw::REQUEST, ":path").unwrap(), "/v1/x");
            assert_eq!(raw::set_header(raw::REQUEST, "x-late", "1"), 0);
            Action::Continue
        }
        _ => Action::Continue,
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(post());
    assert_eq!(exchange.upstream().header("x-late"), Some("1"));
    assert_eq!(exchange.upstream().body, b"hello");
}

#[test]
fn without_the_flag_held_headers_hold_the_body_back_too() {
    let host = host(|event| match event {
        Event::RequestHeaders { .. } => {
            raw::ask("sidecar").unwrap();
            Action::Pause
        }
        Event::CallAnswered { .. } => {
            raw::resume(0);
            Action::Continue
        }
        _ => Action::Continue,
    });
    let host = host.hold_headers(false).boot().unwrap();
    let exchange = host.worker(0).send(post());
    assert_eq!(
        exchange.callbacks().len(),
        1,
        "no body callback before the resume"
    );
    host.callout("/ask")
        .answer(tollgate_fakehost::Answer::status(200));
    let sizes: Vec<_> = exchange
        .callbacks()
        .iter()
        .map(|callback| (callback.name, callback.size))
        .collect();
    assert_eq!(sizes[1..], [("request_body", 5)], "then all of it at once");
    assert_eq!(exchange.upstream().body, b"hello");
    assert!(exchange.upstream().ended);
}

#[test]
fn a_repeated_header_shows_its_first_value_only_but_comes_twice_in_the_map() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if let Event::RequestHeaders { .. } = event {
            let map =
                proxy_wasm::hostcalls::get_map_bytes(proxy_wasm::types::MapType::HttpRequestHeaders).unwrap();
            let twice = map.iter().filter(|(name, _)| name == "x-api-key").count();
            saw.add((raw::header(raw::REQUEST, "x-api-key"), twice));
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    host.worker(0).send(
        Request::get("/")
            .header("x-api-key", "a")
            .header("X-Api-Key", "b"),
    );
    assert_eq!(notes.all(), [r#"(Ok("a"), 2)"#]);
}

#[test]
fn setting_a_header_replaces_all_values() {
    let host = host(|event| {
        if let Event::RequestHeaders { .. } = event {
            raw::set_header(raw::REQUEST, "x", "new");
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    let exchange = host
        .worker(0)
        .send(Request::get("/").header("x", "1").header("x", "2"));
    assert_eq!(exchange.upstream().headers.unwrap().all("x"), [b"new"]);
}

#[test]
fn bytes_that_are_no_text_pass() {
    let host = host(|_| Action::Continue).boot().unwrap();
    let exchange = host.worker(0).send(Request::get("/").header("x", b"\xff\xfe"));
    assert_eq!(
        exchange.upstream().headers.unwrap().first("x"),
        Some(&b"\xff\xfe"[..])
    );
}

#[test]
fn a_resume_takes_the_request_headers_away_even_for_a_response() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| match event {
        // One Continue out of the body releases the headers, but leaves them readable.
        Event::RequestHeaders { .. } => Action::Pause,
        Event::ResponseHeaders { .. } => {
            let before = raw::pairs(raw::REQUEST).is_ok();
            raw::resume(1);
            saw.add((before, raw::pairs(raw::REQUEST)));
            Action::Continue
        }
        _ => Action::Continue,
    });
    let host = host.boot().unwrap();
    host.worker(0).send(post()).respond(&Response::status(204));
    assert_eq!(notes.all(), [format!("(true, Err({BAD_ARGUMENT}))")]);
}

#[test]
fn in_the_access_log_all_headers_are_readable_also_after_the_client_left() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if event == Event::Log {
            saw.add((
                raw::header(raw::REQUEST, ":path"),
                raw::header(raw::RESPONSE, ":status"),
            ));
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    host.worker(0).send(post()).respond(&Response::status(200));
    host.worker(0).send(post()).hang_up();
    assert_eq!(
        notes.all(),
        [r#"(Ok("/v1/x"), Ok("200"))"#, r#"(Ok("/v1/x"), Err(1))"#]
    );
}

#[test]
fn a_host_call_fails_when_the_test_says_so() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if let Event::RequestHeaders { .. } = event {
            saw.add(raw::header(raw::REQUEST, ":path"));
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    host.fail(Fault::new(Call::GetHeaderMapValue, Status::InternalFailure).after(1));
    for _ in 0..3 {
        host.worker(0).send(Request::get("/"));
    }
    assert_eq!(notes.all(), [r#"Ok("/")"#, "Err(10)", r#"Ok("/")"#]);
    assert_eq!(
        host.struck(),
        [(Call::GetHeaderMapValue, Status::InternalFailure)]
    );
}
