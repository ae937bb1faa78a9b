//! The root context: configuration in, ticks, and the answers to what ticks ask.

use std::rc::Rc;

use log::{error, info, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType};
use tollgate_core::config::Written;

use crate::configuration;
use crate::gateway::Gateway;
use crate::host::{self, LocalResponse};
use crate::stream::Stream;
use crate::upkeep::Upkeep;

/// One root context: one generation of the configuration in one worker.
#[derive(Default)]
pub(crate) struct Root {
    /// `None` until a configuration was accepted.
    running: Option<Running>,
}

struct Running {
    gateway: Rc<Gateway>,
    upkeep: Upkeep,
}

/// A stream of a root without a configuration: it is refused.
struct Unconfigured;

// === impl Root ===

impl Root {
    /// The configuration that runs, if one does, gets no more ticks: gives back what this worker holds for it. Streams
    /// that are open go on.
    fn retire(&self) {
        if let Some(running) = &self.running {
            let gateway = &running.gateway;
            gateway.with_env(|env| {
                let now = env.now.millis();
                gateway.config().limits.close(env.cells, now);
                env.money.close(env.cells, now);
            });
            gateway.metrics.borrow_mut().expect_ticks(false);
        }
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, body_size: usize, _trailers: usize) {
        if let Some(running) = &mut self.running {
            running.upkeep.answered(&running.gateway, token, body_size);
        }
    }

    fn on_done(&mut self) -> bool {
        self.retire();
        true
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        // This also runs in a throw-away VM whose writes to shared data would stay: nothing shared is touched.
        let bytes = host::buffer(BufferType::PluginConfiguration, 0, size).unwrap_or_default();
        let gateway = match Written::parse(&configuration::to_json(bytes)).and_then(Gateway::new) {
            Ok(gateway) => gateway,
            Err(faults) => {
                for fault in faults {
                    error!("tollgate configuration: {fault}");
                }
                return false;
            }
        };
        self.retire();
        // What the ledger said to the configuration before this one holds from the first request on.
        gateway.follow_policy();
        let config = gateway.config();
        match host::set_tick_period(config.flush_interval) {
            Ok(()) => gateway.metrics.borrow_mut().expect_ticks(true),
            Err(error) => warn!("cannot ask for ticks: {error}"),
        }
        info!(
            "tollgate {} serves as {}",
            env!("CARGO_PKG_VERSION"),
            config.gateway_id
        );
        self.running = Some(Running {
            gateway: Rc::new(gateway),
            upkeep: Upkeep::default(),
        });
        true
    }

    fn on_tick(&mut self) {
        if let Some(running) = &mut self.running {
            running.upkeep.tick(&running.gateway);
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        // Envoy makes no streams for a plugin that refused its configuration; if it did, they are refused.
        let stream: Box<dyn HttpContext> = match &self.running {
            Some(running) => Box::new(Stream::new(Rc::clone(&running.gateway))),
            None => Box::new(Unconfigured),
        };
        Some(stream)
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

// === impl Unconfigured ===

impl Context for Unconfigured {}

impl HttpContext for Unconfigured {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let response = LocalResponse {
            status: 503,
            headers: &[],
            body: b"tollgate has no configuration",
            details: "tollgate_unconfigured",
        };
        if let Err(error) = host::respond(&response) {
            warn!("cannot send a local reply: {error}");
        }
        Action::Pause
    }
}
