//! litellm-rs, from crates.io: a proxy in Rust; it takes no key without a database of users, so anyone may call.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use serde_json::json;
use tollgate_stack::progress::run as run_step;

use super::{Kind, Row, folder, free_port, installed, target, write};
use crate::progress::Progress;

const VERSION: &str = "0.9.0";

pub(in crate::row) async fn start(upstream: SocketAddr) -> Result<Row> {
    let root = installed("litellm-rs");
    let program = root.join("bin/gateway");
    if !program.exists() {
        let mut install = Command::new("cargo");
        install
            .args(["install", "litellm-rs", "--version", VERSION, "--locked"])
            .args(["--features", "sqlite", "--bin", "gateway", "--root"])
            .arg(&root);
        run_step(&Progress, "installing litellm-rs, once (minutes)", &mut install)?;
    }
    let (folder, port) = (folder()?, free_port()?);
    let off = json!({"url": "", "enabled": false, "max_connections": 1, "connection_timeout": 5});
    let config = json!({
        "schema_version": "1.0",
        "server": {"host": "127.0.0.1", "port": port, "workers": 1, "max_connections": 4_096, "timeout": 30,
            "max_body_size": 10_485_760, "dev_mode": true},
        "providers": [{"name": "upstream", "provider_type": "openai", "api_key": "sk-upstream",
            "base_url": format!("http://{upstream}/v1"), "weight": 1.0, "rpm": 1_000_000_000,
            "tpm": 1_000_000_000, "max_concurrent_requests": 4_096, "timeout": 30, "max_retries": 0,
            "models": ["gpt-4o-mini"], "tags": [], "enabled": true, "endpoint_access": "private_network"}],
        "router": {"strategy": "round_robin", "load_balancer": {"health_check_enabled": false}},
        "storage": {"database": off, "redis": off, "vector_db": null},
        "auth": {"enable_jwt": false, "enable_api_key": false, "allow_anonymous": true, "jwt_secret": ""},
        "monitoring": {"metrics": {"enabled": false}},
        "rate_limit": {"enabled": false},
        "guardrails": {"enabled": false},
    });
    let config = write(folder.path(), "gateway.yaml", &config.to_string())?;
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(config)
        .current_dir(folder.path())
        // It would write two lines a request.
        .env("RUST_LOG", "warn")
        .stdout(std::process::Stdio::null());
    super::start(Kind::LitellmRs, command, folder, target(port)).await
}
