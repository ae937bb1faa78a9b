//! A whole system for one test, or for the demo: built, started, ready, with keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use reqwest::Url;
use serde_json::Value;
use tempfile::TempDir;

use crate::admin::Admin;
use crate::envoy::EnvoySource;
use crate::envoy_config::EnvoyConfig;
use crate::http_client;
use crate::mock::Mock;
use crate::ports::Ports;
use crate::process::{self, Lifetime};
use crate::progress::{Progress, Silent};
use crate::repository::{Filter, Repository};
use crate::system::{Launch, System, is_port_clash, read_log};
use crate::up_file::UpFile;

/// The admin token of `sidecar/sidecar.yaml`.
const DEMO_ADMIN_TOKEN: &str = "demo-admin-token";
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
    hot_reload: bool,
    sidecar_config: PathBuf,
    sidecar_env: Vec<(String, String)>,
    envoy: EnvoySource,
    envoy_args: Vec<String>,
    ports: Option<Ports>,
    data: Option<PathBuf>,
    lifetime: Lifetime,
    progress: Arc<dyn Progress>,
}

/// A running system. Unless detached it ends with this value, and with this process.
pub struct Stack {
    /// Where clients go, e.g. `http://127.0.0.1:10000`.
    pub gateway: String,
    /// Envoy's admin.
    pub envoy_admin: String,
    /// The sidecar.
    pub sidecar: String,
    /// The sidecar's admin API.
    pub admin: Admin,
    /// What it asks for.
    pub admin_token: String,
    /// The mock provider.
    pub mock: Mock,
    /// The demo's keys: `demo`, `unlimited`, `expired`, `paused`.
    pub keys: BTreeMap<String, String>,
    /// A client without pool, proxy and redirects.
    pub http: reqwest::Client,
    system: System,
    /// The filter's resource file, with hot reload.
    resource: Option<Value>,
    /// Removed with the system.
    temporary: Option<TempDir>,
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
            hot_reload: false,
            sidecar_config: Repository::here().root().join("sidecar/sidecar.yaml"),
            sidecar_env: Vec::new(),
            envoy: EnvoySource::Wheel,
            envoy_args: Vec::new(),
            ports: None,
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

    /// Listens on these ports (on free ones, if not set).
    #[must_use]
    pub fn ports(mut self, ports: Ports) -> Self {
        self.ports = Some(ports);
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
        config.set_wasm(&artifacts.wasm)?;
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
            ports: self.ports.map_or_else(Ports::free, Ok)?,
            data,
            lifetime: self.lifetime,
            sidecar_config: self.sidecar_config,
            sidecar_env: self.sidecar_env,
        };
        // The last edits may look at ports: so all is edited once, and only ports change on a second try.
        config.set_ports(launch.ports)?;
        if let Some(upstream) = &self.upstream {
            config.set_upstream(upstream)?;
        }
        for edit in self.envoy_edits {
            edit(config.value_mut());
        }
        let with_mock = self.upstream.is_none();
        let mut attempts_left = START_ATTEMPTS;
        loop {
            attempts_left -= 1;
            match start(
                launch.clone(),
                config.clone(),
                with_mock,
                self.hot_reload,
                &*self.progress,
            )
            .await
            {
                Err(error) if self.ports.is_none() && attempts_left > 0 && is_port_clash(&error) => {
                    let taken = std::mem::replace(&mut launch.ports, Ports::free()?);
                    config.replace_ports(taken, launch.ports);
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

// === impl Stack ===

impl Stack {
    /// A system as the demo has it, to be changed before it starts.
    pub fn builder() -> StackBuilder {
        StackBuilder::default()
    }

    /// A demo key by name; empty, and so refused, where there is none of that name.
    pub fn key(&self, name: &str) -> &str {
        self.keys.get(name).map_or("", String::as_str)
    }

    /// How to reach it, for `up.json`.
    pub fn up_file(&self) -> UpFile {
        UpFile {
            gateway: self.gateway.clone(),
            envoy_admin: self.envoy_admin.clone(),
            sidecar: self.sidecar.clone(),
            admin_token: self.admin_token.clone(),
            keys: self.keys.clone(),
            pids: self.system.pids(),
        }
    }

    /// Kills the sidecar (SIGKILL), as a machine's failure would.
    ///
    /// # Errors
    ///
    /// Where it cannot be killed.
    pub fn kill_sidecar(&mut self) -> Result<()> {
        self.system
            .sidecar()
            .context("the sidecar was not started")?
            .kill()
    }

    /// Starts the sidecar again, on the same ledger, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    pub async fn start_sidecar(&mut self) -> Result<()> {
        self.system.start_sidecar().await
    }

    /// Kills Envoy (SIGKILL).
    ///
    /// # Errors
    ///
    /// Where it cannot be killed.
    pub fn kill_envoy(&mut self) -> Result<()> {
        self.system.envoy().context("Envoy was not started")?.kill()
    }

    /// Starts Envoy again with the same configuration.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    pub async fn start_envoy(&mut self) -> Result<()> {
        self.system.start_envoy().await
    }

    /// Ends all processes in order.
    ///
    /// # Errors
    ///
    /// Where one cannot be ended.
    pub fn stop(&mut self) -> Result<()> {
        self.system.stop()
    }

    /// An error where one of the processes has ended, with the end of its log.
    ///
    /// # Errors
    ///
    /// See above.
    pub fn check_running(&mut self) -> Result<()> {
        self.system.check_running()
    }

    /// Changes the filter's configuration while Envoy runs. Envoy takes it or leaves it a moment later: see
    /// the metrics `extension_config_discovery.http_filter.tollgate.{config_reload,config_fail}`.
    ///
    /// # Errors
    ///
    /// Where the system was built without [`StackBuilder::hot_reload`].
    pub fn reload_filter(&mut self, edit: impl FnOnce(&mut Value)) -> Result<()> {
        let path = "/resources/0/typed_config/config/configuration/value";
        let resource = self
            .resource
            .as_mut()
            .context("this system was built without hot_reload()")?;
        edit(
            resource
                .pointer_mut(path)
                .context("the filter has no configuration")?,
        );
        write_resource(&ecds(&self.system.launch().data), resource)
    }

    /// A number from Envoy's statistics, 0 where there is none of that name.
    ///
    /// # Errors
    ///
    /// Where Envoy's admin does not answer.
    pub async fn envoy_stat(&self, name: &str) -> Result<u64> {
        let url = format!(
            "{}/stats?format=json&filter=^{}$",
            self.envoy_admin,
            name.replace('.', "\\.")
        );
        let stats: Value = self.http.get(url).send().await?.json().await?;
        let found = stats.pointer("/stats/0/value").and_then(Value::as_u64);
        Ok(found.unwrap_or(0))
    }

    /// Envoy's log.
    pub fn envoy_log(&self) -> String {
        read_log(&self.system.launch().log("envoy"))
    }

    /// Envoy's access log: a JSON object a line.
    pub fn access_log(&self) -> String {
        read_log(&self.system.launch().log("access"))
    }

    /// The sidecar's log: a JSON object a line.
    pub fn sidecar_log(&self) -> String {
        read_log(&self.system.launch().log("sidecar"))
    }
}

impl Drop for Stack {
    /// A test that fails shows what the processes had to say.
    #[expect(
        clippy::print_stderr,
        reason = "the test harness shows what is printed so with the test that failed"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["envoy", "access", "sidecar", "mock"] {
                eprintln!(
                    "--- the end of {name}.log\n{}",
                    process::tail(&self.system.launch().log(name))
                );
            }
        }
    }
}

async fn start(
    launch: Launch,
    mut config: EnvoyConfig,
    with_mock: bool,
    hot_reload: bool,
    progress: &dyn Progress,
) -> Result<Stack> {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let mut sidecar_env = vec![
        (
            "TOLLGATE_SIDECAR__LISTEN".to_owned(),
            format!("127.0.0.1:{}", launch.ports.sidecar),
        ),
        (
            "TOLLGATE_SIDECAR__DATABASE".to_owned(),
            launch.data.join("ledger.db").display().to_string(),
        ),
        (
            "TOLLGATE_SIDECAR__ADMIN_TOKEN".to_owned(),
            DEMO_ADMIN_TOKEN.to_owned(),
        ),
    ];
    // What a caller sets goes last, and so wins.
    sidecar_env.extend(launch.sidecar_env.iter().cloned());
    let mut system = System::new(Launch {
        sidecar_env,
        ..launch
    })?;
    let ports = system.launch().ports;
    let resource = if hot_reload {
        let folder = ecds(&system.launch().data);
        let resource = config.split_filter(&folder)?;
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        write_resource(&folder, &resource)?;
        Some(resource)
    } else {
        None
    };
    let path = system.launch().envoy_config();
    std::fs::write(&path, config.to_json()).with_context(|| format!("cannot write {}", path.display()))?;

    progress.begin("starting the sidecar, the mock provider and Envoy");
    let admin = Admin::new(&url(ports.sidecar), DEMO_ADMIN_TOKEN)?;
    let started = start_all(&mut system, &admin, with_mock).await;
    progress.end(started.is_ok());
    if started.is_err() {
        // Detached processes would stay. What went wrong first is what is told.
        let _ = system.stop();
    }
    Ok(Stack {
        gateway: url(ports.gateway),
        envoy_admin: url(ports.admin),
        sidecar: url(ports.sidecar),
        admin,
        admin_token: DEMO_ADMIN_TOKEN.to_owned(),
        mock: Mock::new(&url(ports.mock))?,
        keys: started?,
        http: http_client()?,
        system,
        resource,
        temporary: None,
    })
}

async fn start_all(system: &mut System, admin: &Admin, with_mock: bool) -> Result<BTreeMap<String, String>> {
    if with_mock {
        system.start_mock().await?;
    }
    system.start_sidecar().await?;
    let keys = admin
        .create_demo_keys()
        .await
        .context("cannot create the demo's keys")?;
    system.start_envoy().await?;
    Ok(keys)
}

fn ecds(data: &Path) -> PathBuf {
    data.join("ecds")
}

/// Writes beside, then moves in place: what Envoy watches for, and never sees half of.
fn write_resource(folder: &Path, resource: &Value) -> Result<()> {
    let (draft, place) = (folder.join(".tollgate.json.new"), folder.join("tollgate.json"));
    std::fs::write(&draft, resource.to_string())
        .and_then(|()| std::fs::rename(&draft, &place))
        .with_context(|| format!("cannot write {}", place.display()))
}
