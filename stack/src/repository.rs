//! Where things are: the repository, and what is built or fetched into its `target/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use crate::progress::{self, Progress};

/// Names the profile that the sidecar and the mock provider are built in, instead of `tools`.
pub const TOOLS_PROFILE: &str = "TOLLGATE_TOOLS_PROFILE";

/// Names the folder where the sidecar and the mock provider are, instead of building them: whoever sets it has built
/// them just now.
pub const TOOLS_FOLDER: &str = "TOLLGATE_TOOLS_FOLDER";

/// The repository that this program was built from.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
}

/// Which filter is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// The one that ships.
    #[default]
    Shipped,
    /// One that can be made to trap (`--features trap-on-request`), for crash tests only.
    TrapOnRequest,
    /// One that decides nothing (`bench/floor`), for the bench only.
    Floor,
}

/// What was built.
#[derive(Debug, Clone)]
pub struct Artifacts {
    /// The filter, as WebAssembly.
    pub wasm: PathBuf,
    /// The sidecar's binary.
    pub sidecar: PathBuf,
    /// The mock provider's binary.
    pub mock: PathBuf,
}

/// A file lock: held until dropped, by one process at a time.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

// === impl Repository ===

impl Repository {
    /// The repository around this package.
    pub fn here() -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self {
            root: package.parent().unwrap_or(package).to_owned(),
        }
    }

    /// Its top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target folder (`CARGO_TARGET_DIR`, or `target`).
    pub fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.root.join("target"), |dir| self.root.join(dir))
    }

    /// Builds the filter, the sidecar and the mock provider; quick where nothing has changed.
    ///
    /// # Errors
    ///
    /// What cargo says, and what to do where cargo or the wasm target is missing.
    pub fn build(&self, filter: Filter, progress: &dyn Progress) -> Result<Artifacts> {
        // Once a process: tests start many systems, and even finding nothing to do takes cargo a second.
        static BUILT: Mutex<Vec<(Filter, Artifacts)>> = Mutex::new(Vec::new());
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, artifacts)) = built.iter().find(|(of, _)| *of == filter) {
            return Ok(artifacts.clone());
        }
        let artifacts = self.build_all(filter, progress)?;
        built.push((filter, artifacts.clone()));
        Ok(artifacts)
    }

    fn build_all(&self, filter: Filter, progress: &dyn Progress) -> Result<Artifacts> {
        let wasm = self.build_wasm(filter, progress)?;
        let tools = match std::env::var_os(TOOLS_FOLDER) {
            Some(folder) => PathBuf::from(folder),
            None => self.build_tools(progress)?,
        };
        Ok(Artifacts {
            wasm,
            sidecar: tools.join("tollgate-sidecar"),
            mock: tools.join("tollgate-mock"),
        })
    }

    /// Builds the sidecar and the mock provider, and returns the folder that they are in.
    fn build_tools(&self, progress: &dyn Progress) -> Result<PathBuf> {
        let profile = std::env::var(TOOLS_PROFILE).unwrap_or_else(|_| "tools".to_owned());
        let tools = [
            "build",
            "--profile",
            &profile,
            "-p",
            "tollgate-sidecar",
            "-p",
            "tollgate-mock",
        ];
        progress::run(
            progress,
            "building the sidecar and the mock provider",
            self.cargo().args(tools),
        )?;
        // Cargo's one profile whose folder has another name.
        let folder = if profile == "dev" { "debug" } else { &profile };
        Ok(self.target().join(folder))
    }

    /// Builds a filter alone.
    ///
    /// # Errors
    ///
    /// As for [`Self::build`].
    pub fn build_wasm(&self, filter: Filter, progress: &dyn Progress) -> Result<PathBuf> {
        let (what, package, file) = match filter {
            Filter::Shipped | Filter::TrapOnRequest => ("the filter", "tollgate", "tollgate.wasm"),
            Filter::Floor => (
                "the filter that decides nothing",
                "tollgate-bench-floor",
                "tollgate_bench_floor.wasm",
            ),
        };
        let mut cargo = self.cargo();
        cargo
            .args(["build", "--release", "--target", "wasm32-wasip1", "-p"])
            .arg(package);
        let target = match filter {
            Filter::Shipped | Filter::Floor => self.target(),
            // A folder of its own: both builds would be called tollgate.wasm.
            Filter::TrapOnRequest => {
                let apart = self.target().join("trap-on-request");
                cargo
                    .args(["--features", "trap-on-request", "--target-dir"])
                    .arg(&apart);
                apart
            }
        };
        progress::run(
            progress,
            &format!("building {what} (release, wasm32-wasip1)"),
            &mut cargo,
        )
        .context(
            "if the target is missing: `rustup target add wasm32-wasip1`; if cargo is: https://rustup.rs",
        )?;
        Ok(target.join("wasm32-wasip1/release").join(file))
    }

    /// A cargo of the repository's toolchain, at its root.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        // Where cargo runs this program, these tell of its package. Build scripts ask for theirs by the same names: `ring`,
        // and the sidecar on it, would be built again whenever another program of the workspace starts a build.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        cargo
    }

    /// Waits until no other process holds the lock of this name.
    ///
    /// # Errors
    ///
    /// Where the target folder cannot be written.
    pub fn lock(&self, name: &str) -> Result<Lock> {
        let target = self.target();
        fs::create_dir_all(&target).with_context(|| format!("cannot create {}", target.display()))?;
        let path = target.join(format!(".{name}.lock"));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Lock { _file: file })
    }
}
