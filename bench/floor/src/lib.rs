//! A filter that does what every filter must that governs, and decides nothing: it reads the headers of both sides, holds
//! both sides until their bodies are whole, reads both bodies, takes the client's credentials out of the request and
//! tells the client in headers of the answer. What that costs is the least that governance in WebAssembly can cost.
//!
//! Its configuration is `everything`, or `nothing` for a filter that lets all pass without a call to the host: what it
//! costs to be called at all.

// For the linker, which takes its `memcpy`, as it does for the filter that ships.
#[cfg(target_arch = "wasm32")]
use tollgate_memory as _;

use std::hint::black_box;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

/// What the provider is not told: who the client is, and that the answer might be compressed.
const REMOVED: [&str; 3] = ["authorization", "x-tollgate-session", "accept-encoding"];

/// What a client is told: its limits and its budget.
const ADDED: [&str; 8] = [
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-tollgate-request-id",
    "x-tollgate-cost",
];

/// As long as what they say is.
const VALUE: &str = "0123456789";

/// What an answer has that comes in events: it is passed on as it comes.
const STREAMED: &[u8] = b"text/event-stream";

/// The plugin.
#[derive(Default)]
struct Root {
    work: Work,
}

/// How much is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Work {
    #[default]
    Nothing,
    Everything,
}

/// One request and its answer.
struct Exchange {
    work: Work,
    streamed: bool,
}

/// Registers the filter with the SDK of this VM.
fn start() {
    proxy_wasm::set_log_level(LogLevel::Error);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root::default()) });
}

/// What the host calls when it has loaded the module.
mod entry {
    proxy_wasm::main! {{
        super::start();
    }}
}

// === impl Root ===

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        self.work = match self.get_plugin_configuration().as_deref() {
            Some(b"everything") => Work::Everything,
            Some(b"nothing") => Work::Nothing,
            _ => {
                log::error!("the configuration is neither `everything` nor `nothing`");
                return false;
            }
        };
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange {
            work: self.work,
            streamed: false,
        }))
    }
}

// === impl Exchange ===

impl Exchange {
    fn tell(&self) {
        for name in ADDED {
            self.add_http_response_header(name, VALUE);
        }
    }
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if self.work == Work::Nothing {
            return Action::Continue;
        }
        black_box(self.get_http_request_headers_bytes());
        held_unless(end_of_stream)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.work == Work::Nothing {
            return Action::Continue;
        }
        if end_of_stream {
            black_box(self.get_http_request_body(0, size));
            for name in REMOVED {
                self.set_http_request_header(name, None);
            }
        }
        held_unless(end_of_stream)
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if self.work == Work::Nothing {
            return Action::Continue;
        }
        let headers = self.get_http_response_headers_bytes();
        self.streamed = headers
            .iter()
            .any(|(name, value)| name == "content-type" && value.starts_with(STREAMED));
        if self.streamed {
            self.tell();
        }
        held_unless(end_of_stream || self.streamed)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.work == Work::Nothing {
            return Action::Continue;
        }
        if self.streamed || end_of_stream {
            black_box(self.get_http_response_body(0, size));
        }
        if end_of_stream && !self.streamed {
            self.tell();
        }
        held_unless(end_of_stream || self.streamed)
    }
}

/// Holds what is not over.
fn held_unless(over: bool) -> Action {
    if over { Action::Continue } else { Action::Pause }
}

#[cfg(test)]
mod tests;
