//! A whole system for one test, or for the demo: built, started, ready, with keys.

mod builder;
mod start;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;

pub use self::builder::StackBuilder;
use crate::admin::Admin;
use crate::envoy_config::name_gateway;
use crate::mock::Mock;
use crate::process;
pub use crate::system::Part;
use crate::system::{System, read_log};
use crate::up_file::UpFile;

/// A running system. Unless detached it ends with this value, and with this process.
pub struct Stack {
    /// Where clients go, e.g. `http://127.0.0.1:10000`: the first gateway, where there are several.
    pub gateway: String,
    /// The admin of the first gateway's Envoy.
    pub envoy_admin: String,
    /// The first sidecar.
    pub sidecar: String,
    /// All gateways.
    pub gateways: Vec<String>,
    /// All sidecars.
    pub sidecars: Vec<String>,
    /// The first sidecar's admin API.
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
    /// The filter's resource files, with hot reload.
    resources: Option<Resources>,
    /// Removed with the system.
    temporary: Option<TempDir>,
}

/// The filter's resource of each gateway.
struct Resources(Vec<Value>);

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
            gateways: self.gateways.clone(),
            sidecars: self.sidecars.clone(),
            admin_token: self.admin_token.clone(),
            keys: self.keys.clone(),
            pids: self.system.pids(),
        }
    }

    /// The admin API of a sidecar by its number, from 0: the ledger is the same behind all.
    ///
    /// # Errors
    ///
    /// Where there is no such sidecar.
    pub fn admin_of(&self, sidecar: usize) -> Result<Admin> {
        let base = self.sidecars.get(sidecar).context("there is no such sidecar")?;
        Admin::new(base, &self.admin_token)
    }

    /// Kills a process (SIGKILL), as a machine's failure would.
    ///
    /// # Errors
    ///
    /// Where there is no such process, or it cannot be killed.
    pub fn kill(&mut self, part: Part) -> Result<()> {
        self.system.kill(part)
    }

    /// Starts a process again, with its old configuration and data, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// Where it does not start, with the end of its log.
    pub async fn restart(&mut self, part: Part) -> Result<()> {
        self.system.restart(part).await
    }

    /// Kills the first sidecar (SIGKILL).
    ///
    /// # Errors
    ///
    /// As for [`Self::kill`].
    pub fn kill_sidecar(&mut self) -> Result<()> {
        self.kill(Part::Sidecar(0))
    }

    /// Starts the first sidecar again, on the same ledger, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// As for [`Self::restart`].
    pub async fn start_sidecar(&mut self) -> Result<()> {
        self.restart(Part::Sidecar(0)).await
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

    /// Changes the filter's configuration while Envoy runs, in every gateway. Envoy takes it or leaves it a moment
    /// later: see the metrics `extension_config_discovery.http_filter.tollgate.{config_reload,config_fail}`.
    ///
    /// # Errors
    ///
    /// Where the system was built without [`StackBuilder::hot_reload`].
    pub fn reload_filter(&mut self, edit: impl FnOnce(&mut Value)) -> Result<()> {
        let resources = self.resources.as_mut();
        let Resources(list) = resources.context("this system was built without hot_reload()")?;
        let (first, others) = list.split_first_mut().context("there is no gateway")?;
        edit(filter_config(first)?);
        let edited = filter_config(first)?.clone();
        for (index, other) in others.iter_mut().enumerate() {
            *filter_config(other)? = edited.clone();
            name_gateway(filter_config(other)?, index + 1);
        }
        let launch = self.system.launch();
        list.iter()
            .enumerate()
            .try_for_each(|(number, resource)| start::write_resource(&launch.ecds(number), resource))
    }

    /// A number from the first Envoy's statistics, 0 where there is none of that name.
    ///
    /// # Errors
    ///
    /// Where Envoy's admin does not answer.
    pub async fn envoy_stat(&self, name: &str) -> Result<u64> {
        self.envoy_stat_of(0, name).await
    }

    /// As [`Self::envoy_stat`], of a gateway by its number, from 0.
    ///
    /// # Errors
    ///
    /// Where there is no such gateway or its admin does not answer.
    pub async fn envoy_stat_of(&self, gateway: usize, name: &str) -> Result<u64> {
        let admin = self.system.launch().ports.gateway(gateway)?.admin;
        let filter = name.replace('.', "\\.");
        let url = format!("http://127.0.0.1:{admin}/stats?format=json&filter=^{filter}$");
        let stats: Value = self.http.get(url).send().await?.json().await?;
        let found = stats.pointer("/stats/0/value").and_then(Value::as_u64);
        Ok(found.unwrap_or(0))
    }

    /// The first Envoy's log.
    pub fn envoy_log(&self) -> String {
        read_log(&self.system.launch().log("envoy", 0))
    }

    /// The first Envoy's access log: a JSON object a line.
    pub fn access_log(&self) -> String {
        read_log(&self.system.launch().log("access", 0))
    }

    /// The first sidecar's log: a JSON object a line.
    pub fn sidecar_log(&self) -> String {
        self.sidecar_log_of(0)
    }

    /// As [`Self::sidecar_log`], of a sidecar by its number, from 0.
    pub fn sidecar_log_of(&self, sidecar: usize) -> String {
        read_log(&self.system.launch().log("sidecar", sidecar))
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
            for log in self.system.launch().logs() {
                eprintln!("--- the end of {}\n{}", log.display(), process::tail(&log));
            }
        }
    }
}

fn filter_config(resource: &mut Value) -> Result<&mut Value> {
    resource
        .pointer_mut("/resources/0/typed_config/config/configuration/value")
        .context("the filter has no configuration")
}
