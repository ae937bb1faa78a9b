//! Who the server runs as: PostgreSQL refuses to run as root.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};

/// Who runs the server where we are root.
const UNPRIVILEGED: &str = "nobody";

/// Who runs the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    /// Whoever runs this program.
    Ours,
    /// Another one, because we are root.
    Other {
        user: u32,
        group: u32,
        /// It may go through folders that are closed to it: the repository or the data is in one of them, such
        /// as root's home.
        passes_closed_folders: bool,
    },
}

// === impl Account ===

impl Account {
    /// The account for a server with these programs and this folder.
    pub(super) fn for_server(programs: &Path, folder: &Path) -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Ours);
        }
        let user = User::from_name(UNPRIVILEGED)
            .context("cannot look up users")?
            .with_context(|| {
                format!(
                    "PostgreSQL does not run as root, and there is no user `{UNPRIVILEGED}` to run it: run this \
                     as another user"
                )
            })?;
        let around = folder.parent().unwrap_or(folder);
        Ok(Self::Other {
            user: user.uid.as_raw(),
            group: user.gid.as_raw(),
            passes_closed_folders: !(is_open(programs) && is_open(around)),
        })
    }

    /// Gives a file or folder to the account.
    pub(super) fn own(&self, path: &Path) -> std::io::Result<()> {
        match self {
            Self::Ours => Ok(()),
            Self::Other { user, group, .. } => std::os::unix::fs::chown(path, Some(*user), Some(*group)),
        }
    }

    /// A program that runs as the account, and is sent `end_with_parent` when the thread that started it ends.
    ///
    /// With an account that is not ours it goes through `setpriv` (util-linux), which becomes the program: the
    /// signal must be asked for after the change of the account, which forgets it (prctl(2)).
    pub(super) fn command(&self, program: &Path, end_with_parent: Option<Signal>) -> Command {
        let Self::Other {
            user,
            group,
            passes_closed_folders,
        } = self
        else {
            return Command::new(program);
        };
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={group}")]);
        command.arg("--clear-groups");
        if *passes_closed_folders {
            command.args(["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]);
        }
        if let Some(signal) = end_with_parent {
            command.arg(format!("--pdeathsig={signal}"));
        }
        command.arg(program);
        command
    }
}

/// Whether everybody may go into a folder, and into all above it.
fn is_open(folder: &Path) -> bool {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    absolute
        .ancestors()
        .all(|part| fs::metadata(part).is_ok_and(|found| found.mode() & 0o001 != 0))
}
