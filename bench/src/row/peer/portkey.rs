//! Portkey's open gateway, from npm: routing; no keys, no limits. It binds every interface, so it gets a network with
//! nothing but a loopback interface, and an upstream in there.

use std::process::Command;

use anyhow::{Context as _, Result};
use tollgate_stack::progress::run as run_step;

use super::{Kind, Row, folder, free_port, installed, target};
use crate::namespace::Namespace;
use crate::progress::Progress;
use crate::upstream;

const PACKAGE: &str = "@portkey-ai/gateway@1.15.2";

pub(in crate::row) async fn start() -> Result<Row> {
    let root = installed("portkey");
    let server = root.join("node_modules/@portkey-ai/gateway/build/start-server.js");
    if !server.exists() {
        std::fs::create_dir_all(&root)?;
        let mut install = Command::new("npm");
        install
            .current_dir(&root)
            .args(["install", "--no-fund", "--no-audit", "--ignore-scripts", PACKAGE]);
        run_step(&Progress, "fetching Portkey's gateway, once", &mut install)
            .context("Node.js with npm is needed: on Debian and Ubuntu `apt install nodejs npm`")?;
    }
    let namespace = Namespace::new()?;
    let (upstream, port) = namespace.within(|| Ok((upstream::start()?, free_port()?)))?;
    let mut command = namespace.command("node");
    command
        .arg(server)
        .args([&format!("--port={port}"), "--headless"])
        .stdout(std::process::Stdio::null());
    let mut target = target(port);
    target.headers = vec![
        ("x-portkey-provider", "openai".to_owned()),
        ("x-portkey-custom-host", format!("http://{upstream}/v1")),
    ];
    target.namespace = Some(namespace);
    super::start(Kind::Portkey, command, folder()?, target).await
}
