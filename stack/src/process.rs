//! Long-lived processes: started with their output in a file, found dead early, ended by their id.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// Bytes of a log that an error repeats.
const TAIL: usize = 4_000;

/// What becomes of a process when this one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It ends too, however this one ended.
    Ours,
    /// It goes on.
    Detached,
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    lifetime: Lifetime,
}

type Started = std::io::Result<Child>;

// === impl Process ===

impl Process {
    /// Starts a command; stderr goes to `log`, and stdout too unless the command has another place for it.
    ///
    /// # Errors
    ///
    /// Where the log cannot be written or the command does not start.
    pub fn start(name: &'static str, mut command: Command, log: &Path, lifetime: Lifetime) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let err = file.with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stderr(err);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = start(command, lifetime).with_context(|| format!("cannot start {name} (`{program}`)"))?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
            lifetime,
        })
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error where the process has ended, with the end of its log.
    ///
    /// # Errors
    ///
    /// See above.
    pub fn check_running(&mut self) -> Result<()> {
        match self.exited()? {
            None => Ok(()),
            Some(status) => Err(anyhow!(
                "{} ended ({status}); the end of {}:\n{}",
                self.name,
                self.log.display(),
                tail(&self.log)
            )),
        }
    }

    /// Whether, and how, the process has ended.
    ///
    /// # Errors
    ///
    /// Where the system does not tell.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("cannot tell whether {} runs", self.name))
    }

    /// Ends it at once (SIGKILL).
    ///
    /// # Errors
    ///
    /// Where the system does not allow it.
    pub fn kill(&mut self) -> Result<()> {
        self.child
            .kill()
            .with_context(|| format!("cannot kill {}", self.name))?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits; kills it where it takes longer than `patience`.
    ///
    /// # Errors
    ///
    /// Where the system does not allow it.
    pub fn terminate(&mut self, patience: Duration) -> Result<()> {
        self.end_with(Signal::SIGTERM, patience)
    }

    /// As [`Self::terminate`], with another signal: PostgreSQL waits for its clients where it gets SIGTERM.
    pub(crate) fn end_with(&mut self, asked: Signal, patience: Duration) -> Result<()> {
        if self.exited()?.is_some() {
            return Ok(());
        }
        signal(self.pid(), asked)?;
        match wait::until_now(patience, || self.exited().ok().flatten()) {
            Some(_) => Ok(()),
            None => self.kill(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Ours && self.exited().is_ok_and(|status| status.is_none()) {
            // Nobody is left to tell where it fails.
            let _ = self.kill();
        }
    }
}

/// Whether a process of this id runs, and runs `program` as far as the system tells.
pub fn runs(pid: u32, program: &str) -> bool {
    let Ok(id) = i32::try_from(pid) else { return false };
    if kill(Pid::from_raw(id), None).is_err() {
        return false;
    }
    // An id may have passed to another process; where there is no /proc it is believed.
    fs::read(format!("/proc/{pid}/cmdline")).map_or(!Path::new("/proc/self").exists(), |line| {
        String::from_utf8_lossy(&line).contains(program)
    })
}

/// Ends a process that another one started: SIGTERM (PostgreSQL, which would wait for its clients then: SIGINT),
/// then SIGKILL after `patience`.
///
/// # Errors
///
/// Where the system does not allow it.
pub fn end(pid: u32, program: &str, patience: Duration) -> Result<()> {
    if !runs(pid, program) {
        return Ok(());
    }
    let asked = match program {
        "postgres" => Signal::SIGINT,
        _ => Signal::SIGTERM,
    };
    signal(pid, asked)?;
    if wait::until_now(patience, || (!runs(pid, program)).then_some(())).is_none() {
        signal(pid, Signal::SIGKILL)?;
    }
    Ok(())
}

/// The end of a log.
pub fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let from = bytes.len().saturating_sub(TAIL);
    String::from_utf8_lossy(bytes.get(from..).unwrap_or_default())
        .trim()
        .to_owned()
}

/// The first line that a command prints, as a path.
pub(crate) fn printed_path(command: &mut Command) -> Result<PathBuf> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next().map(str::trim) {
        Some(line) if output.status.success() && !line.is_empty() => Ok(PathBuf::from(line)),
        _ => bail!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    }
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let id = i32::try_from(pid).with_context(|| format!("{pid} is no process id"))?;
    kill(Pid::from_raw(id), signal).with_context(|| format!("cannot send {signal} to process {pid}"))
}

fn start(mut command: Command, lifetime: Lifetime) -> Started {
    use std::os::unix::process::CommandExt as _;
    // A group of its own: Ctrl-C in the terminal is for us to pass on, in our order.
    command.process_group(0);
    match lifetime {
        Lifetime::Detached => command.spawn(),
        Lifetime::Ours => keeper(command),
    }
}

/// Starts a command on a thread that lives as long as this process: Linux ends a child with the *thread* that
/// started it (`PR_SET_PDEATHSIG`, prctl(2)), and a test's thread ends with the test.
fn keeper(mut command: Command) -> Started {
    type Job = (Command, mpsc::Sender<Started>);
    static KEEPER: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    die_with_parent(&mut command);
    let jobs = KEEPER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut job, answer) in receiver {
                // The asker is gone where its thread has ended: the child goes with the answer.
                let _ = answer.send(job.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (sender, receiver) = mpsc::channel();
    let sent = jobs
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, sender));
    sent.ok()
        .and_then(|()| receiver.recv().ok())
        .unwrap_or_else(|| Err(std::io::ErrorKind::BrokenPipe.into()))
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    #[expect(
        unsafe_code,
        reason = "pre_exec is unsafe by signature: the closure runs between fork and exec"
    )]
    // SAFETY: the closure makes one system call (prctl), which is async-signal-safe, and allocates nothing.
    unsafe {
        command.pre_exec(|| nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(Into::into));
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}
