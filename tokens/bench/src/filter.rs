//! A filter that counts when it is configured, and logs what it measured.

use core::arch::wasm32::memory_size;

use proxy_wasm::traits::{Context, RootContext};

use crate::corpora;
use crate::measure::{self, Logged, MARK, Memory};

/// Bytes of a page of a WebAssembly memory.
const PAGE: usize = 1 << 16;

struct Root;

// === impl Root ===

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let only = self.get_plugin_configuration().unwrap_or_default();
        let mut corpora = corpora::all();
        corpora.retain(|corpus| corpus.name.contains(&*String::from_utf8_lossy(&only)));
        let before = memory_size::<0>();
        measure::all(&corpora, |logged| log(&logged));
        log(&Logged::Done(Memory {
            tables: measure::tables(),
            grown: (memory_size::<0>() - before) * PAGE,
        }));
        true
    }
}

fn log(logged: &Logged) {
    match serde_json::to_string(logged) {
        Ok(json) => log::info!("{MARK}{json}"),
        Err(error) => log::error!("a figure cannot be written: {error}"),
    }
}

/// What the host calls when it has loaded the module.
mod entry {
    use proxy_wasm::traits::RootContext;
    use proxy_wasm::types::LogLevel;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(super::Root) });
    }}
}
