//! Envoy without a policy: what all others are compared with.

use std::net::SocketAddr;

use anyhow::Result;

use super::proxy::Proxy;
use super::{Kind, Row, Running, any_credentials};

pub(super) async fn start(upstream: SocketAddr) -> Result<Row> {
    let proxy = Proxy::start(upstream, Vec::new(), |_| Ok(())).await?;
    Ok(Row {
        kind: Kind::Bare,
        target: proxy.target(any_credentials()),
        pid: proxy.process.pid(),
        running: Running::Proxy(proxy),
    })
}
