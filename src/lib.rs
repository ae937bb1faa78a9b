//! The Tollgate filter: proxy-wasm glue and nothing else.
//!
//! Envoy's callback becomes a value, `tollgate-core` decides, and what it decides is performed here. Only [`host`]
//! touches the host.

mod access_log;
#[cfg(any(test, target_arch = "wasm32"))]
mod alloc;
mod configuration;
mod entropy;
mod gateway;
mod host;
mod metrics;
mod root;
mod sidecar;
mod stream;
mod upkeep;

#[cfg(test)]
use tollgate_fakehost as _;
// For the linker, which takes its `memcpy`.
#[cfg(target_arch = "wasm32")]
use tollgate_memory as _;

use proxy_wasm::traits::RootContext;
use proxy_wasm::types::LogLevel;

/// Registers the filter with the SDK of this VM. Envoy calls it through `_initialize`.
pub fn start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(root::Root::default()) });
}

/// What the host calls when it has loaded the module.
mod entry {
    proxy_wasm::main! {{
        super::start();
    }}
}
