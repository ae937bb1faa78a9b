//! From what a system shall be to one that runs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Resources, Stack};
use crate::admin::Admin;
use crate::envoy_config::EnvoyConfig;
use crate::http_client;
use crate::mock::Mock;
use crate::progress::Progress;
use crate::system::{Launch, System};

/// The admin token of `sidecar/sidecar.yaml`.
const DEMO_ADMIN_TOKEN: &str = "demo-admin-token";

pub(super) async fn start(
    launch: Launch,
    config: &EnvoyConfig,
    hot_reload: bool,
    progress: &dyn Progress,
) -> Result<Stack> {
    let mut system = System::new(launch, DEMO_ADMIN_TOKEN)?;
    let resources = write_configs(system.launch(), config, hot_reload)?;
    let ports = system.launch().ports.clone();
    let admin = Admin::new(&url(ports.sidecar(0)?), DEMO_ADMIN_TOKEN)?;
    let started = start_all(&mut system, &admin, progress).await;
    if started.is_err() {
        // Detached processes would stay. What went wrong first is what is told.
        let _ = system.stop();
    }
    let first = ports.gateway(0)?;
    Ok(Stack {
        gateway: url(first.clients),
        envoy_admin: url(first.admin),
        sidecar: url(ports.sidecar(0)?),
        gateways: ports
            .gateways
            .iter()
            .map(|gateway| url(gateway.clients))
            .collect(),
        sidecars: ports.sidecars.iter().map(|port| url(*port)).collect(),
        admin,
        admin_token: DEMO_ADMIN_TOKEN.to_owned(),
        mock: Mock::new(&url(ports.mock))?,
        keys: started?,
        http: http_client()?,
        system,
        resources,
        temporary: None,
    })
}

/// Writes each gateway's bootstrap and, with hot reload, its filter's resource.
fn write_configs(launch: &Launch, config: &EnvoyConfig, hot_reload: bool) -> Result<Option<Resources>> {
    let mut resources = Vec::new();
    for number in 0..launch.ports.gateways.len() {
        let mut own = config.for_gateway(&launch.ports, number)?;
        if hot_reload {
            let folder = launch.ecds(number);
            let resource = own.split_filter(&folder)?;
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
            write_resource(&folder, &resource)?;
            resources.push(resource);
        }
        let path = launch.envoy_config(number);
        std::fs::write(&path, own.to_json()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(hot_reload.then_some(Resources(resources)))
}

async fn start_all(
    system: &mut System,
    admin: &Admin,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, String>> {
    system.start_postgres(progress).await?;
    progress.begin("starting the sidecar, the mock provider and Envoy");
    let started = async {
        system.start_mock().await?;
        system.start_sidecars().await?;
        let keys = admin
            .create_demo_keys()
            .await
            .context("cannot create the demo's keys")?;
        system.start_gateways().await?;
        Ok(keys)
    };
    let result = started.await;
    progress.end(result.is_ok());
    result
}

/// Writes beside, then moves in place: what Envoy watches for, and never sees half of.
pub(super) fn write_resource(folder: &Path, resource: &Value) -> Result<()> {
    let (draft, place) = (folder.join(".tollgate.json.new"), folder.join("tollgate.json"));
    std::fs::write(&draft, resource.to_string())
        .and_then(|()| std::fs::rename(&draft, &place))
        .with_context(|| format!("cannot write {}", place.display()))
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
