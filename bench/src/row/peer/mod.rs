//! Other gateways, installed into `target/peers` when they are asked for.

pub(super) mod litellm;
pub(super) mod litellm_rs;
pub(super) mod portkey;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tollgate_stack::process::{Lifetime, Process};
use tollgate_stack::{Repository, wait};

use super::{Kind, Row, Running};
use crate::load::{Target, connect};
use crate::machine;

/// How long one may take to serve.
const READY: Duration = Duration::from_secs(120);
/// What all of them know their only client by.
const KEY: &str = "sk-bench-0123456789abcdef";
/// The smallest request that all of them take.
const PROBE: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello!"}]}"#;

/// A running gateway, with the folder of its configuration and log.
pub(super) struct Peer {
    #[expect(dead_code, reason = "its process ends with it")]
    process: Process,
    _folder: TempDir,
}

/// A folder for a gateway's configuration and log.
fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new()
        .prefix("tollgate-bench-peer-")
        .tempdir()?)
}

/// Where gateways are installed.
fn installed(name: &str) -> PathBuf {
    Repository::here().target().join("peers").join(name)
}

/// A port of the loopback interface that nobody listens on.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Chat completions through a gateway.
fn target(port: u16) -> Target {
    Target {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        path: "/v1/chat/completions".to_owned(),
        credentials: vec![format!("Bearer {KEY}")],
        headers: Vec::new(),
        namespace: None,
    }
}

/// Starts a gateway and waits until a request gets through it.
async fn start(kind: Kind, command: Command, folder: TempDir, target: Target) -> Result<Row> {
    let log = folder.path().join("log");
    let mut process = Process::start("peer", command, &log, Lifetime::Ours)?;
    wait::until(READY, "it does not serve", async || {
        process.check_running()?;
        Ok(serves(&target).await.unwrap_or(false).then_some(()))
    })
    .await
    .with_context(|| tollgate_stack::process::tail(&log))?;
    machine::bind_process(process.pid(), machine::PROXY_CORE)?;
    Ok(Row {
        kind,
        target,
        pid: process.pid(),
        running: Running::Peer(Peer {
            process,
            _folder: folder,
        }),
    })
}

async fn serves(target: &Target) -> Result<bool> {
    let mut connection = connect(target).await?;
    let response = connection.send_request(target.request(0, PROBE.into())?).await?;
    let is_served = response.status() == hyper::StatusCode::OK;
    response.into_body().collect().await?;
    Ok(is_served)
}
