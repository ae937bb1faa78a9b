//! Programs that tests drive and that come from Debian: the one that is there, or the package where it may be installed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::progress::{self, Progress};
use crate::repository::Repository;

/// A program, and the package that has it.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// What Debian calls it.
    name: &'static str,
    /// A variable that names a program to be used, whatever else is there.
    variable: &'static str,
    /// Names on the PATH, the first that is there.
    programs: &'static [&'static str],
    /// Where else it may be.
    places: &'static [&'static str],
    /// What is tested with it, and how tests are run without it.
    purpose: &'static str,
}

/// The browser in which the page is tested.
pub const CHROMIUM: Package = Package {
    name: "chromium",
    variable: "TOLLGATE_CHROMIUM",
    programs: &[
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ],
    places: &["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
    purpose: "the page is tested in it; without it: `cargo test -p tollgate-tests -- --skip console`",
};

/// What runs the queries of the dashboard and of the alerts.
pub const PROMETHEUS: Package = Package {
    name: "prometheus",
    variable: "TOLLGATE_PROMETHEUS",
    programs: &["prometheus"],
    places: &[],
    purpose: "the dashboard and the alerts are tested in it; without it: \
        `cargo test -p tollgate-tests -- --skip prometheus`",
};

// === impl Package ===

impl Package {
    /// The program; installs it where there is none and this user may.
    ///
    /// # Errors
    ///
    /// Where there is none and it cannot be installed, with what to do.
    pub fn program(&self, repository: &Repository, progress: &dyn Progress) -> Result<PathBuf> {
        if let Some(chosen) = std::env::var_os(self.variable) {
            return Ok(chosen.into());
        }
        // One lock for all: apt-get has but one too.
        let _lock = repository.lock("apt")?;
        if let Some(found) = self.find() {
            return Ok(found);
        }
        if !nix::unistd::geteuid().is_root() || on_path("apt-get").is_none() {
            bail!("{}", self.advice());
        }
        let apt = |what: &str, arguments: &[&str]| {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
            progress::run(progress, what, &mut command).with_context(|| self.advice())
        };
        apt("looking for Debian's packages", &["update", "-q"])?;
        let install = ["install", "-q", "-y", "--no-install-recommends", self.name];
        apt(&format!("installing {} from Debian", self.name), &install)?;
        self.find().with_context(|| self.advice())
    }

    fn find(&self) -> Option<PathBuf> {
        let places = self.places.iter().map(PathBuf::from);
        self.programs
            .iter()
            .find_map(|program| on_path(program))
            .or_else(|| places.into_iter().find(|place| place.is_file()))
    }

    fn advice(&self) -> String {
        format!(
            "there is no {name}: `apt install {name}` as root, or name one in {variable} ({purpose})",
            name = self.name,
            variable = self.variable,
            purpose = self.purpose
        )
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
