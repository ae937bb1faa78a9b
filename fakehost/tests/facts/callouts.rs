//! Callouts belong to the root context, and fail in four ways.

use std::time::Duration;

use proxy_wasm::types::Action;
use tollgate_fakehost::{Answer, Cluster, Request, Response};

use crate::probe::{Event, Notes, host};
use crate::raw;

/// A filter that asks for every request, and notes what comes back.
fn asking(notes: &Notes) -> tollgate_fakehost::HostBuilder {
    let saw = notes.clone();
    host(move |event| match event {
        Event::RequestHeaders { .. } => {
            let asked = raw::ask("sidecar");
            saw.add(asked.map(|_| ()));
            if asked.is_ok() {
                Action::Pause
            } else {
                Action::Continue
            }
        }
        Event::CallAnswered { headers, size } => {
            let marker = raw::header(raw::CALLOUT, "x-marker").is_ok();
            saw.add((raw::header(raw::CALLOUT, ":status"), headers, size, marker));
            raw::resume(0);
            Action::Continue
        }
        _ => Action::Continue,
    })
}

#[test]
fn an_answer_comes_with_headers_and_body() {
    let notes = Notes::default();
    let host = asking(&notes).boot().unwrap();
    let exchange = host.worker(0).send(Request::get("/"));
    assert_eq!(host.callout("/ask").request().json(), serde_json::json!({"q": 1}));
    host.callout("/ask")
        .answer(Answer::status(200).header("x-marker", "1").body("ok"));
    assert_eq!(notes.all(), ["Ok(())", r#"(Ok("200"), 2, 2, true)"#]);
    assert!(exchange.upstream().reached());
}

#[test]
fn an_unknown_cluster_is_bad_argument_and_one_without_hosts_an_internal_failure() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if let Event::RequestHeaders { .. } = event {
            saw.add((raw::ask("nowhere"), raw::ask("empty")));
        }
        Action::Continue
    });
    let host = host.cluster("empty", Cluster::NoHosts).boot().unwrap();
    host.worker(0).send(Request::get("/"));
    assert_eq!(notes.all(), ["(Err(2), Err(10))"]);
    assert!(host.callouts().is_empty(), "no callback follows");
}

#[test]
fn a_timeout_is_a_504_of_envoys_own() {
    let notes = Notes::default();
    let host = asking(&notes).boot().unwrap();
    host.worker(0).send(Request::get("/"));
    host.advance(Duration::from_millis(999));
    assert_eq!(notes.all().len(), 1);
    host.advance(Duration::from_millis(1));
    assert_eq!(notes.all()[1], r#"(Ok("504"), 2, 24, false)"#);
}

#[test]
fn a_refused_connection_is_a_503_with_text() {
    let notes = Notes::default();
    let host = asking(&notes).boot().unwrap();
    host.worker(0).send(Request::get("/"));
    host.callout("/ask").answer(Answer::refused());
    assert!(notes.all()[1].starts_with(r#"(Ok("503"), 2, "#));
}

#[test]
fn a_reset_comes_without_headers() {
    let notes = Notes::default();
    let host = asking(&notes).boot().unwrap();
    host.worker(0).send(Request::get("/"));
    host.callout("/ask").answer(Answer::reset());
    assert_eq!(notes.all()[1], "(Err(2), 0, 0, false)");
}

#[test]
fn an_answer_for_a_stream_that_is_gone_is_dropped() {
    let notes = Notes::default();
    let host = asking(&notes).boot().unwrap();
    let exchange = host.worker(0).send(Request::get("/"));
    exchange.hang_up();
    assert_eq!(host.callouts().len(), 1, "the callout outlives its stream");
    host.callout("/ask").answer(Answer::status(200));
    assert_eq!(notes.all(), ["Ok(())"], "and nobody hears the answer");
}

#[test]
fn answers_may_come_in_any_order() {
    let notes = Notes::default();
    let host = asking(&notes).boot().unwrap();
    let first = host.worker(0).send(Request::get("/1"));
    let second = host.worker(0).send(Request::get("/2"));
    let waiting = host.callouts();
    waiting[1].clone().answer(Answer::status(200));
    assert!(first.is_held() && second.upstream().reached());
    waiting[0].clone().answer(Answer::status(200));
    assert!(first.upstream().reached());
}

#[test]
fn a_callout_from_the_access_log_leaves() {
    let host = host(|event| {
        if event == Event::Log {
            raw::ask("sidecar").unwrap();
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    host.worker(0)
        .send(Request::get("/"))
        .respond(&Response::status(200));
    assert_eq!(host.callouts().len(), 1);
}

#[test]
fn a_callout_of_the_canary_never_leaves() {
    let host = host(|event| {
        if event == Event::Configure {
            raw::ask("sidecar").unwrap();
        }
        Action::Continue
    });
    let host = host.workers(2).boot().unwrap();
    assert_eq!(host.callouts().len(), 3, "the main thread's and two workers'");
}
