//! ext_proc as a gateway must use it to see both bodies, with a server that does nothing.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::proxy::{Proxy, at};
use super::{Kind, Row, Running, any_credentials};
use crate::processor;

const CLUSTER: &str = "processor";

pub(super) async fn start(upstream: SocketAddr) -> Result<Row> {
    let server = processor::start()?;
    let filter = json!({"name": "envoy.filters.http.ext_proc", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER}, "timeout": "5s"},
        "message_timeout": "5s",
        "processing_mode": {
            "request_header_mode": "SEND", "request_body_mode": "BUFFERED", "request_trailer_mode": "SKIP",
            "response_header_mode": "SEND", "response_body_mode": "BUFFERED", "response_trailer_mode": "SKIP",
        },
    }});
    let cluster = json!({
        "name": CLUSTER,
        "type": "STATIC",
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        },
        "load_assignment": {"cluster_name": CLUSTER, "endpoints": [{"lb_endpoints": [{"endpoint": {
            "address": {"socket_address": {"address": server.ip().to_string(), "port_value": server.port()}},
        }}]}]},
    });
    let proxy = Proxy::start(upstream, vec![filter], |config| {
        let clusters = at(config, "/static_resources/clusters")?;
        clusters.as_array_mut().context("no clusters")?.push(cluster);
        Ok(())
    })
    .await?;
    Ok(Row {
        kind: Kind::ExtProc,
        target: proxy.target(any_credentials()),
        pid: proxy.process.pid(),
        running: Running::Proxy(proxy),
    })
}
