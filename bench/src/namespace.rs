//! A network of its own, with nothing but a loopback interface: for a server that listens on every interface there is.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace, there as long as this is kept.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    file: Arc<File>,
}

// === impl Namespace ===

impl Namespace {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Where this process may not (it takes root), or `ip` is missing.
    pub(crate) fn new() -> Result<Self> {
        on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace: it takes root")?;
            // What this thread starts is in its namespace.
            let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
            let up = up.context("cannot run `ip`: on Debian and Ubuntu `apt install iproute2`")?;
            ensure!(up.success(), "`ip link set lo up` failed");
            let file = File::open("/proc/thread-self/ns/net")?;
            Ok(Self { file: Arc::new(file) })
        })
    }

    /// Does something on a thread that is in it. Sockets made there stay there, whoever uses them.
    ///
    /// # Errors
    ///
    /// What the work says, or that the thread cannot enter.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        on_a_thread(|| {
            setns(self.file.as_fd(), CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")?;
            work()
        })
    }

    /// A command that runs in it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let path = format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd());
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={path}")).arg(program);
        command
    }
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let ended = scope.spawn(work).join();
        ended.map_err(|_| anyhow!("a thread of the bench panicked"))?
    })
}
