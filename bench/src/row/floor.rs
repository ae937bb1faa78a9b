//! The least that governance in WebAssembly can cost: a filter that reads and holds, and decides nothing (`bench/floor`).

use std::net::SocketAddr;

use anyhow::Result;
use serde_json::json;
use tollgate_stack::progress::Silent;
use tollgate_stack::{Filter, Repository};

use super::proxy::Proxy;
use super::{Kind, Row, Running, any_credentials};

/// How much of that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Nothing at all: what it costs that there is a filter.
    Nothing,
    Everything,
}

pub(crate) async fn start(upstream: SocketAddr, work: Work) -> Result<Row> {
    let work = match work {
        Work::Nothing => "nothing",
        Work::Everything => "everything",
    };
    let wasm = Repository::here().build_wasm(Filter::Floor, &Silent)?;
    let filter = json!({"name": "floor", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "floor",
            "root_id": "floor",
            "allow_on_headers_stop_iteration": true,
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": wasm}}},
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": work},
        },
    }});
    let proxy = Proxy::start(upstream, vec![filter], |_| Ok(())).await?;
    Ok(Row {
        kind: Kind::Floor,
        target: proxy.target(any_credentials()),
        pid: proxy.process.pid(),
        running: Running::Proxy(proxy),
    })
}
