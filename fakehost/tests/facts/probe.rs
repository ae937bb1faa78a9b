//! A filter whose behaviour is a closure of the test.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
use tollgate_fakehost::{Cluster, Host, HostBuilder};

/// A callback that the probe got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Configure,
    Tick,
    RequestHeaders { end: bool },
    RequestBody { size: usize, end: bool },
    RequestTrailers,
    ResponseHeaders { end: bool },
    ResponseBody { size: usize, end: bool },
    ResponseTrailers,
    CallAnswered { headers: usize, size: usize },
    Log,
    Done,
}

pub(crate) type Behaviour = Arc<dyn Fn(Event) -> Action + Send + Sync>;

/// What the probe saw, for the test to look at afterwards.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

static BEHAVIOURS: Mutex<Option<HashMap<u64, Behaviour>>> = Mutex::new(None);
static LAST: AtomicU64 = AtomicU64::new(0);

struct Root {
    behaviour: Option<Behaviour>,
}

struct Stream {
    behaviour: Behaviour,
}

// === impl Notes ===

impl Notes {
    pub(crate) fn add(&self, note: impl std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{note:?}"));
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A host whose filter behaves so.
pub(crate) fn host(behaviour: impl Fn(Event) -> Action + Send + Sync + 'static) -> HostBuilder {
    Host::new(start)
        .config(behave(behaviour))
        .cluster("sidecar", Cluster::Up)
}

/// Registers a behaviour; its number is the configuration that chooses it.
pub(crate) fn behave(behaviour: impl Fn(Event) -> Action + Send + Sync + 'static) -> String {
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    BEHAVIOURS
        .lock()
        .unwrap()
        .get_or_insert_default()
        .insert(number, Arc::new(behaviour));
    number.to_string()
}

fn start() {
    proxy_wasm::set_root_context(|_| Box::new(Root { behaviour: None }));
}

impl Context for Root {
    fn on_http_call_response(&mut self, _: u32, headers: usize, size: usize, _: usize) {
        if let Some(behaviour) = &self.behaviour {
            behaviour(Event::CallAnswered { headers, size });
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let config = self.get_plugin_configuration().unwrap_or_default();
        let number = String::from_utf8(config)
            .ok()
            .and_then(|number| number.parse().ok());
        self.behaviour =
            number.and_then(|number: u64| BEHAVIOURS.lock().unwrap().as_ref()?.get(&number).cloned());
        let Some(behaviour) = &self.behaviour else {
            return false;
        };
        behaviour(Event::Configure);
        true
    }

    fn on_tick(&mut self) {
        if let Some(behaviour) = &self.behaviour {
            behaviour(Event::Tick);
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let behaviour = self.behaviour.clone()?;
        Some(Box::new(Stream { behaviour }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _: u32, headers: usize, size: usize, _: usize) {
        (self.behaviour)(Event::CallAnswered { headers, size });
    }

    fn on_done(&mut self) -> bool {
        (self.behaviour)(Event::Done);
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        (self.behaviour)(Event::RequestHeaders { end })
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        (self.behaviour)(Event::RequestBody { size, end })
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        (self.behaviour)(Event::RequestTrailers)
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        (self.behaviour)(Event::ResponseHeaders { end })
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        (self.behaviour)(Event::ResponseBody { size, end })
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        (self.behaviour)(Event::ResponseTrailers)
    }

    fn on_log(&mut self) {
        (self.behaviour)(Event::Log);
    }
}
