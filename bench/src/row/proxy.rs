//! An Envoy of a row's own: the configuration that ships, with other filters.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;
use tollgate_stack::envoy::EnvoySource;
use tollgate_stack::envoy_config::EnvoyConfig;
use tollgate_stack::ports::{Ports, Size};
use tollgate_stack::process::{Lifetime, Process};
use tollgate_stack::progress::Silent;
use tollgate_stack::{Repository, wait};

use crate::load::Target;
use crate::machine;

/// How long Envoy may take to listen.
const READY: Duration = Duration::from_secs(30);

const LISTENER: &str = "/static_resources/listeners/0";
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// A running Envoy.
pub(super) struct Proxy {
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    _folder: TempDir,
}

// === impl Proxy ===

impl Proxy {
    /// Starts Envoy with these filters before its router, changed further by `edit`.
    ///
    /// # Errors
    ///
    /// Where it does not start, with the end of its log.
    pub(super) async fn start(
        upstream: SocketAddr,
        filters: Vec<Value>,
        edit: impl FnOnce(&mut Value) -> Result<()>,
    ) -> Result<Self> {
        let repository = Repository::here();
        let ports = Ports::free(Size::ONE)?;
        let mut config = EnvoyConfig::read(&repository.root().join("envoy/envoy.yaml"))?;
        config.set_ports(&ports)?;
        config.set_upstream(&format!("http://{upstream}").parse()?)?;
        level(config.value_mut())?;
        let chain = at(config.value_mut(), &format!("{MANAGER}/http_filters"))?;
        let chain = chain.as_array_mut().context("http_filters is no list")?;
        let router = chain.pop().context("there is no router")?;
        *chain = filters;
        chain.push(router);
        edit(config.value_mut())?;

        let folder = tempfile::Builder::new().prefix("tollgate-bench-").tempdir()?;
        let file = folder.path().join("envoy.json");
        std::fs::write(&file, config.to_json())?;
        let mut command = Command::new(EnvoySource::default().binary(&repository, &Silent)?);
        command
            .arg("-c")
            .arg(&file)
            .args(["--disable-hot-restart", "--concurrency", "1"]);
        command.stdout(std::process::Stdio::null());
        let mut process = Process::start("envoy", command, &folder.path().join("envoy.log"), Lifetime::Ours)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.gateway(0)?.clients));
        wait::until(READY, "Envoy does not listen", async || {
            process.check_running()?;
            Ok(tokio::net::TcpStream::connect(address).await.ok())
        })
        .await?;
        machine::bind_process(process.pid(), machine::PROXY_CORE)?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    /// Chat completions through it.
    pub(super) fn target(&self, credentials: Vec<String>) -> Target {
        Target {
            address: self.address,
            path: "/v1/chat/completions".to_owned(),
            credentials,
            headers: Vec::new(),
            namespace: None,
        }
    }
}

/// Makes the configuration that ships the common ground of all rows: without an access log, whose cost is the
/// choice of its fields, and without the injection of credentials, which is no filter's of ours. What a row adds
/// is then its filters alone.
///
/// # Errors
///
/// Where the configuration is not as expected.
pub(super) fn level(config: &mut Value) -> Result<()> {
    let manager = at(config, MANAGER)?
        .as_object_mut()
        .context("no connection manager")?;
    manager.remove("access_log");
    let clusters = at(config, "/static_resources/clusters")?
        .as_array_mut()
        .context("no clusters")?;
    for cluster in clusters {
        let path = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        if let Some(options) = cluster.pointer_mut(path).and_then(Value::as_object_mut) {
            options.remove("http_filters");
        }
    }
    at(config, LISTENER).map(|_| ())
}

/// A part of the configuration.
pub(super) fn at<'a>(config: &'a mut Value, path: &str) -> Result<&'a mut Value> {
    config
        .pointer_mut(path)
        .with_context(|| format!("envoy.yaml: there is no {path}"))
}
