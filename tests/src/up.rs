//! Systems that `cargo xtask up --detach` starts.

use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tollgate_stack::Repository;
use tollgate_stack::ports::{Ports, Size};
use tollgate_stack::up_file::UpFile;

/// How often a system is brought up where its ports are taken meanwhile.
const ATTEMPTS: u32 = 5;

/// A system that was brought up, and is brought down with this value.
#[derive(Debug)]
pub struct Up {
    /// Its `up.json`.
    pub file: UpFile,
    folder: TempDir,
}

// === impl Up ===

impl Up {
    /// Brings a system of this size up on free ports, with more arguments than those for its place.
    ///
    /// # Errors
    ///
    /// What `cargo xtask up` says.
    pub fn start(size: Size, arguments: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for attempts_left in (0..ATTEMPTS).rev() {
            let base = Ports::free_base(size)?.to_string();
            let place = ["up", "--detach", "--base-port", &base, "--data"];
            let output = xtask(&[&place[..], &[text(folder.path())], arguments].concat())?;
            if output.status.success() {
                break;
            }
            let told = String::from_utf8_lossy(&output.stderr);
            // Another process took a port between the look and the start.
            ensure!(attempts_left > 0 && told.contains("is taken"), "{told}");
        }
        let file = UpFile::read(folder.path())?.context("`up` wrote no up.json")?;
        Ok(Self { file, folder })
    }

    /// Its folder.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Brings it down; fine where it is down already.
    ///
    /// # Errors
    ///
    /// What `cargo xtask down` says.
    pub fn down(&self) -> Result<()> {
        let output = xtask(&["down", "--data", text(self.data())])?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; nobody is left to tell where that fails.
        let _ = self.down();
    }
}

/// Runs `cargo xtask`.
///
/// # Errors
///
/// Where it does not start.
pub fn xtask(arguments: &[&str]) -> Result<Output> {
    let mut cargo = Repository::here().cargo();
    cargo
        .arg("xtask")
        .args(arguments)
        .output()
        .context("cannot start cargo")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
