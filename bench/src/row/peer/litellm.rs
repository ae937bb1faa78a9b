//! LiteLLM's proxy, from PyPI: a key, limits of its own kind, usage and cost; no database.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use serde_json::json;
use tollgate_stack::Repository;
use tollgate_stack::python::Venv;

use super::{KEY, Kind, Row, folder, free_port, target, write};
use crate::progress::Progress;

const PACKAGE: &str = "litellm[proxy]==1.106.0";

pub(in crate::row) async fn start(upstream: SocketAddr) -> Result<Row> {
    let venv = Venv::with(&Repository::here(), "litellm", &[PACKAGE], &Progress)?;
    let config = json!({
        "model_list": [{"model_name": "gpt-4o-mini", "litellm_params": {
            "model": "openai/gpt-4o-mini", "api_base": format!("http://{upstream}/v1"), "api_key": "sk-upstream",
            "rpm": 1_000_000_000, "tpm": 1_000_000_000_000_u64,
        }}],
        "general_settings": {"master_key": KEY},
    });
    let (folder, port) = (folder()?, free_port()?);
    // JSON is YAML.
    let config = write(folder.path(), "config.yaml", &config.to_string())?;
    let mut command = Command::new(venv.python().with_file_name("litellm"));
    command
        .arg("--config")
        .arg(config)
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .args(["--num_workers", "1", "--telemetry", "False"])
        .stdout(std::process::Stdio::null());
    super::start(Kind::Litellm, command, folder, target(port)).await
}
