//! What a system shall be.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use reqwest::Url;
use serde_json::Value;

use super::Stack;
use super::start::start;
use crate::envoy::EnvoySource;
use crate::envoy_config::EnvoyConfig;
use crate::ports::{Ports, Size};
use crate::process::Lifetime;
use crate::progress::{Progress, Silent};
use crate::repository::{Filter, Repository};
use crate::system::{Launch, is_port_clash};

/// How often a system is started on other ports because somebody took one of its own.
const START_ATTEMPTS: u32 = 4;

type Edit = Box<dyn FnOnce(&mut Value) + Send>;

/// What a system shall be.
pub struct StackBuilder {
    filter_edits: Vec<Edit>,
    envoy_edits: Vec<Edit>,
    concurrency: u32,
    upstream: Option<Url>,
    filter: Filter,
    wasm: Option<PathBuf>,
    hot_reload: bool,
    sidecar_config: PathBuf,
    sidecar_env: Vec<(String, String)>,
    envoy: EnvoySource,
    envoy_args: Vec<String>,
    base_port: Option<u16>,
    size: Size,
    data: Option<PathBuf>,
    lifetime: Lifetime,
    progress: Arc<dyn Progress>,
}

// === impl StackBuilder ===

impl Default for StackBuilder {
    fn default() -> Self {
        Self {
            filter_edits: Vec::new(),
            envoy_edits: Vec::new(),
            concurrency: 2,
            upstream: None,
            filter: Filter::Shipped,
            wasm: None,
            hot_reload: false,
            sidecar_config: Repository::here().root().join("sidecar/sidecar.yaml"),
            sidecar_env: Vec::new(),
            envoy: EnvoySource::Wheel,
            envoy_args: Vec::new(),
            base_port: None,
            size: Size::ONE,
            data: None,
            lifetime: Lifetime::Ours,
            progress: Arc::new(Silent),
        }
    }
}

impl StackBuilder {
    /// Changes the filter's configuration (the demo's, at first).
    #[must_use]
    pub fn filter_config(mut self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        self.filter_edits.push(Box::new(edit));
        self
    }

    /// Changes Envoy's configuration (`envoy/envoy.yaml` as data, on the system's ports).
    #[must_use]
    pub fn envoy_config(mut self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        self.envoy_edits.push(Box::new(edit));
        self
    }

    /// Sets the number of Envoy's workers (2, if not set).
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Sends all provider traffic there instead of to the mock, which is then not started.
    #[must_use]
    pub fn upstream(mut self, upstream: Url) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// Chooses the filter's build.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Runs the filter from this file instead of the one that is built.
    #[must_use]
    pub fn wasm(mut self, wasm: PathBuf) -> Self {
        self.wasm = Some(wasm);
        self
    }

    /// Has Envoy watch the filter's configuration (ECDS), for [`Stack::reload_filter`].
    #[must_use]
    pub fn hot_reload(mut self) -> Self {
        self.hot_reload = true;
        self
    }

    /// Runs the sidecar with this file instead of `sidecar/sidecar.yaml`.
    #[must_use]
    pub fn sidecar_config(mut self, path: impl Into<PathBuf>) -> Self {
        self.sidecar_config = path.into();
        self
    }

    /// Sets a variable of the sidecar's environment, e.g. `TOLLGATE_SIDECAR__LOG__LEVEL`.
    #[must_use]
    pub fn sidecar_env(mut self, name: &str, value: &str) -> Self {
        self.sidecar_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Chooses where Envoy comes from.
    #[must_use]
    pub fn envoy(mut self, source: EnvoySource) -> Self {
        self.envoy = source;
        self
    }

    /// Adds an argument to Envoy's command line, e.g. `--component-log-level=wasm:debug`.
    #[must_use]
    pub fn envoy_arg(mut self, argument: &str) -> Self {
        self.envoy_args.push(argument.to_owned());
        self
    }

    /// Listens on the documented ports from this one up (on free ones, if not set): see [`Ports::from_base`].
    #[must_use]
    pub fn base_port(mut self, base: u16) -> Self {
        self.base_port = Some(base);
        self
    }

    /// Sets the number of gateways, at least one: Envoys with one configuration, but for ports and `gateway_id`.
    #[must_use]
    pub fn gateways(mut self, gateways: u16) -> Self {
        self.size.gateways = gateways.max(1);
        self
    }

    /// Sets the number of sidecars, at least one, on one ledger. Every gateway knows all.
    #[must_use]
    pub fn sidecars(mut self, sidecars: u16) -> Self {
        self.size.sidecars = sidecars.max(1);
        self
    }

    /// Keeps the ledger in a PostgreSQL server of the system's own instead of in SQLite.
    #[must_use]
    pub fn postgres(mut self) -> Self {
        self.size.postgres = true;
        self
    }

    /// Keeps ledger, logs and configuration there (in a temporary folder, if not set).
    #[must_use]
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Some(folder.into());
        self
    }

    /// Leaves the processes running when this one ends.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.lifetime = Lifetime::Detached;
        self
    }

    /// Reports long steps there.
    #[must_use]
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Builds what is not built, starts all processes and waits until all are ready.
    ///
    /// # Errors
    ///
    /// What failed, with the end of its log.
    pub async fn start(self) -> Result<Stack> {
        let ports = match self.base_port {
            Some(base) => Ports::from_base(base, self.size)?,
            None => Ports::free(self.size)?,
        };
        if self.base_port.is_some() {
            ports.check_free()?;
        }
        let repository = Repository::here();
        let artifacts = repository.build(self.filter, &*self.progress)?;
        let envoy = self.envoy.binary(&repository, &*self.progress)?;
        let (temporary, data) = match &self.data {
            Some(folder) => (None, std::path::absolute(folder)?),
            None => {
                let made = tempfile::Builder::new().prefix("tollgate-").tempdir()?;
                let path = made.path().to_owned();
                (Some(made), path)
            }
        };
        let mut config = EnvoyConfig::read(&repository.root().join("envoy/envoy.yaml"))?;
        config.set_wasm(self.wasm.as_deref().unwrap_or(&artifacts.wasm))?;
        for edit in self.filter_edits {
            edit(config.filter_config()?);
        }
        let mut envoy_args = vec!["--concurrency".to_owned(), self.concurrency.to_string()];
        // The access log is for people who watch: not ten seconds late.
        envoy_args.extend(["--file-flush-interval-msec".to_owned(), "200".to_owned()]);
        envoy_args.extend(self.envoy_args);
        let mut launch = Launch {
            repository,
            artifacts,
            envoy,
            envoy_args,
            ports,
            data,
            lifetime: self.lifetime,
            sidecar_config: self.sidecar_config,
            sidecar_env: self.sidecar_env,
            with_mock: self.upstream.is_none(),
        };
        // The last edits may look at ports: so all is edited once, and only ports change on a second try.
        config.set_ports(&launch.ports)?;
        if let Some(upstream) = &self.upstream {
            config.set_upstream(upstream)?;
        }
        for edit in self.envoy_edits {
            edit(config.value_mut());
        }
        let mut attempts_left = START_ATTEMPTS;
        loop {
            attempts_left -= 1;
            let started = start(launch.clone(), &config, self.hot_reload, &*self.progress).await;
            match started {
                Err(error) if self.base_port.is_none() && attempts_left > 0 && is_port_clash(&error) => {
                    let taken = std::mem::replace(&mut launch.ports, Ports::free(self.size)?);
                    config.replace_ports(&taken, &launch.ports);
                }
                Err(error) => return Err(error),
                Ok(mut stack) => {
                    stack.temporary = temporary;
                    return Ok(stack);
                }
            }
        }
    }
}
