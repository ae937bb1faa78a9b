//! `up.json`: how to reach a running system, for people, tests and `cargo xtask down`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// The programs, in the order in which they are to be ended.
const ENDED_IN_ORDER: [&str; 4] = ["envoy", "sidecar", "mock", "postgres"];

/// A running system.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpFile {
    /// Where clients go, as a URL: the first gateway, where there are several.
    pub gateway: String,
    /// The admin of the first gateway's Envoy, as a URL.
    pub envoy_admin: String,
    /// The first sidecar, as a URL.
    pub sidecar: String,
    /// All gateways, as URLs.
    pub gateways: Vec<String>,
    /// All sidecars, as URLs.
    pub sidecars: Vec<String>,
    /// What the sidecar's admin API asks for.
    pub admin_token: String,
    /// The demo's keys by name.
    pub keys: BTreeMap<String, String>,
    /// Process ids by name: `envoy`, `envoy-2`, … `sidecar`, `sidecar-2`, … `mock`, `postgres`.
    pub pids: BTreeMap<String, u32>,
}

// === impl UpFile ===

impl UpFile {
    /// Its place in a data folder.
    pub fn path(data: &Path) -> PathBuf {
        data.join("up.json")
    }

    /// Reads the file of a data folder; nothing where there is none.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or understood.
    pub fn read(data: &Path) -> Result<Option<Self>> {
        let path = Self::path(data);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        serde_json::from_str(&text)
            .map(Some)
            .with_context(|| format!("{} is damaged", path.display()))
    }

    /// Writes the file, and beside it `env` with the same for a shell. Only the user may read them.
    ///
    /// # Errors
    ///
    /// Where they cannot be written.
    pub fn write(&self, data: &Path) -> Result<()> {
        let mut shell = format!(
            "export GATEWAY={}\nexport ENVOY_ADMIN={}\nexport SIDECAR={}\nexport ADMIN_TOKEN={}\n",
            self.gateway, self.envoy_admin, self.sidecar, self.admin_token
        );
        for (name, key) in &self.keys {
            shell.push_str(&format!("export {}_KEY={key}\n", name.to_uppercase()));
        }
        write_private(&data.join("env"), &shell)?;
        write_private(
            &Self::path(data),
            &format!("{}\n", serde_json::to_string_pretty(self)?),
        )
    }

    /// The processes, in the order in which they are to be ended: a gateway first, then a sidecar with what the
    /// gateway has sent. Each with the name of its program.
    pub fn processes(&self) -> Vec<(&'static str, u32)> {
        let of = |program: &'static str| {
            let pids = self.pids.iter();
            pids.filter(move |(name, _)| name.split('-').next() == Some(program))
                .map(move |(_, pid)| (program, *pid))
        };
        ENDED_IN_ORDER.into_iter().flat_map(of).collect()
    }

    /// Removes both files.
    ///
    /// # Errors
    ///
    /// Where they are there and cannot be removed.
    pub fn remove(data: &Path) -> Result<()> {
        for path in [Self::path(data), data.join("env")] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut open = File::options();
    let file = open
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut opened| opened.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
