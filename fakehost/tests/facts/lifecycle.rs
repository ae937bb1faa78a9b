//! Contexts: how they begin, how they end, and how they die.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::types::Action;
use tollgate_fakehost::{Host, Request, Response};

use crate::probe::{Event, Notes, behave, host};
use crate::raw;

#[test]
fn the_configuration_is_read_in_canary_main_and_every_worker() {
    let count = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&count);
    let host = host(move |event| {
        if event == Event::Configure {
            seen.fetch_add(1, Ordering::Relaxed);
        }
        Action::Continue
    });
    let _host = host.workers(3).boot().unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 5);
}

#[test]
fn a_refused_configuration_does_not_boot_and_an_update_leaves_the_old_one() {
    assert!(host(|_| Action::Continue).config("nonsense").boot().is_err());
    let mut host = host(|_| Action::Continue).boot().unwrap();
    assert!(host.update_config("nonsense").is_err());
    assert!(host.worker(0).send(Request::get("/")).upstream().reached());
}

#[test]
fn log_comes_before_done() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if matches!(event, Event::Log | Event::Done) {
            saw.add(event);
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    host.worker(0)
        .send(Request::get("/"))
        .respond(&Response::status(200));
    assert_eq!(notes.all(), ["Log", "Done"]);
    assert_eq!(host.worker(0).open_streams(), 0);
}

#[test]
fn a_dead_vm_logs_nothing_and_its_clients_get_503() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        match event {
            Event::Log | Event::Done => saw.add(event),
            Event::RequestHeaders { .. } => return Action::Pause,
            _ => {}
        }
        Action::Continue
    });
    let mut host = host.boot().unwrap();
    let exchange = host.worker(0).send(Request::get("/"));
    host.crash(0);
    assert_eq!(exchange.client().status(), 503);
    assert!(notes.all().is_empty());
    exchange.hang_up();
    assert!(
        host.worker(0).send(Request::get("/")).is_held(),
        "the fresh VM takes requests"
    );
}

#[test]
fn an_updated_configuration_serves_new_streams_while_old_ones_last() {
    let answering = |status: u32| {
        behave(move |event| match event {
            Event::RequestHeaders { .. } => {
                raw::ask("sidecar").unwrap();
                Action::Pause
            }
            Event::CallAnswered { .. } => {
                raw::deny(status, "");
                Action::Continue
            }
            _ => Action::Continue,
        })
    };
    let mut host = host(|_| Action::Continue).config(answering(401)).boot().unwrap();
    let old = host.worker(0).send(Request::get("/"));
    host.update_config(answering(402)).unwrap();
    let new = host.worker(0).send(Request::get("/"));
    assert_eq!(host.worker(0).root_contexts(), 2);
    host.answer_callouts(|_| Some(tollgate_fakehost::Answer::status(200)));
    assert_eq!((old.client().status(), new.client().status()), (401, 402));
    assert_eq!(
        host.worker(0).root_contexts(),
        1,
        "the old root went with its last stream"
    );
}

#[test]
fn ticks_come_in_the_main_thread_and_every_worker_when_time_passes() {
    let count = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&count);
    let host = host(move |event| {
        match event {
            Event::Configure => hostcalls::set_tick_period(Duration::from_millis(100)).unwrap(),
            Event::Tick => {
                seen.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        Action::Continue
    });
    let host: Host = host.workers(2).boot().unwrap();
    host.advance(Duration::from_millis(250));
    assert_eq!(count.load(Ordering::Relaxed), 6);
}

#[test]
fn time_stands_still_until_the_test_moves_it() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if let Event::RequestHeaders { .. } = event {
            let now = hostcalls::get_current_time().unwrap();
            saw.add(now.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos());
        }
        Action::Continue
    });
    let host = host.time(7).boot().unwrap();
    host.worker(0).send(Request::get("/"));
    host.advance(Duration::from_nanos(3));
    host.worker(0).send(Request::get("/"));
    assert_eq!(notes.all(), ["7", "10"]);
}

#[test]
fn filter_state_set_in_the_log_phase_is_still_visible() {
    let host = host(|event| {
        if event == Event::Log {
            let details = hostcalls::get_property(vec!["response", "code_details"]).unwrap();
            hostcalls::set_property(vec!["ended"], details.as_deref()).unwrap();
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(Request::get("/"));
    exchange.hang_up();
    assert_eq!(
        exchange.filter_state("ended").as_deref(),
        Some("downstream_remote_disconnect")
    );
}

#[test]
fn a_provider_that_dies_is_503_before_its_headers_and_a_cut_answer_after_them() {
    let host = host(|_| Action::Continue).boot().unwrap();
    let early = host.worker(0).send(Request::get("/"));
    early.provider_dies();
    assert_eq!(early.client().status(), 503);
    let late = host.worker(0).send(Request::get("/"));
    late.respond_headers(&Response::sse(["x"]));
    late.provider_dies();
    assert!(late.client().reset && late.is_over());
}
