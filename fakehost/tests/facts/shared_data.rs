//! Shared data between workers, and metrics.

use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, MetricType};
use tollgate_fakehost::{Call, Request};

use crate::probe::{Event, Notes, host};
use crate::raw;

#[test]
fn compare_and_set_creates_once_and_then_wants_the_current_version() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if let Event::RequestHeaders { .. } = event {
            let create = raw::set_shared("k", "1", u32::MAX);
            let create_again = raw::set_shared("k", "2", u32::MAX);
            let (_, cas) = hostcalls::get_shared_data("k").unwrap();
            let update = raw::set_shared("k", "3", cas.unwrap());
            let stale = raw::set_shared("k", "4", cas.unwrap());
            let forced = raw::set_shared("k", "", 0);
            saw.add((create, create_again, update, stale, forced));
            saw.add(hostcalls::get_shared_data("k").unwrap().0);
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    host.worker(0).send(Request::get("/"));
    assert_eq!(notes.all(), ["(0, 8, 0, 8, 0)", "None"]);
    assert_eq!(host.shared_data().len(), 1, "an emptied key stays");
}

#[test]
fn workers_that_count_at_once_lose_nothing() {
    let host = host(|event| {
        if let Event::RequestHeaders { .. } = event {
            loop {
                let (value, cas) = hostcalls::get_shared_data("n").unwrap();
                let n: u64 = value.map_or(0, |value| String::from_utf8(value).unwrap().parse().unwrap());
                if raw::set_shared("n", &(n + 1).to_string(), cas.unwrap_or(u32::MAX)) == 0 {
                    break;
                }
            }
        }
        Action::Continue
    });
    let host = host.workers(4).boot().unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let host = &host;
            scope.spawn(move || {
                for _ in 0..50 {
                    host.worker(worker).send(Request::get("/")).hang_up();
                }
            });
        }
    });
    assert_eq!(host.shared_data()["n"], b"200");
}

#[test]
fn shared_data_outlives_a_crashed_vm() {
    let host = host(|event| {
        if let Event::RequestHeaders { .. } = event {
            raw::set_shared("k", "1", 0);
        }
        Action::Continue
    });
    let mut host = host.boot().unwrap();
    host.worker(0).send(Request::get("/"));
    host.crash(0);
    assert_eq!(host.shared_data()["k"], b"1");
}

#[test]
fn a_metric_of_a_name_is_one_across_workers_and_refuses_an_increment_by_nothing() {
    let notes = Notes::default();
    let saw = notes.clone();
    let host = host(move |event| {
        if let Event::RequestHeaders { .. } = event {
            let id = hostcalls::define_metric(MetricType::Counter, "requests").unwrap();
            hostcalls::increment_metric(id, 1).unwrap();
            saw.add(hostcalls::increment_metric(id, 0).map_err(|status| status as u32));
        }
        Action::Continue
    });
    let host = host.workers(2).boot().unwrap();
    host.worker(0).send(Request::get("/"));
    host.worker(1).send(Request::get("/"));
    assert_eq!(host.metric("requests"), 2);
    assert_eq!(notes.all(), ["Err(2)", "Err(2)"]);
}

#[test]
fn host_calls_are_counted_for_their_stream() {
    let host = host(|event| {
        if let Event::RequestHeaders { .. } = event {
            raw::set_shared("k", "1", 0);
            raw::set_shared("k", "2", 0);
            raw::pairs(raw::REQUEST).unwrap();
        }
        Action::Continue
    });
    let host = host.boot().unwrap();
    let exchange = host.worker(0).send(Request::get("/"));
    assert_eq!(exchange.calls().of(Call::SetSharedData), 2);
    assert_eq!(exchange.calls().total(), 3);
}
