//! A step of the suite: shown while it runs, or kept beside others until it has ended.

use std::ffi::OsStr;
use std::io::{Read as _, Seek as _, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context as _, Error, Result, bail};

/// A command, and how whoever reads of its failure repeats it.
#[derive(Debug)]
pub(super) struct Step {
    what: String,
    command: Command,
    repeated_by: String,
}

/// Steps that run beside others. What they print is kept until they are waited for, so that it stands together.
#[derive(Debug)]
pub(super) struct Beside {
    what: &'static str,
    thread: JoinHandle<Ended>,
}

#[derive(Debug)]
struct Ended {
    log: Vec<u8>,
    result: Result<()>,
    seconds: f32,
}

// === impl Step ===

impl Step {
    /// A step that its own command line repeats.
    pub(super) fn new(what: impl Into<String>, command: Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let repeated_by: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        Self {
            what: what.into(),
            repeated_by: repeated_by.join(" "),
            command,
        }
    }

    /// The same, repeated in another way than it is run.
    pub(super) fn repeated_by(self, repeated_by: String) -> Self {
        Self { repeated_by, ..self }
    }

    /// The same, with a variable in its environment.
    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it on the terminal.
    pub(super) fn show(mut self) -> Result<()> {
        self.command.stdout(Stdio::inherit());
        self.show_and_read().map(|_| ())
    }

    /// Runs it on the terminal, but for its standard output, which is the result.
    pub(super) fn show_and_read(mut self) -> Result<Vec<u8>> {
        let (since, mut err) = (Instant::now(), std::io::stderr());
        writeln!(err, "==> {}", self.what)?;
        self.command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        let output = self.command.output().with_context(|| self.not_started())?;
        self.succeeded(output.status)?;
        writeln!(
            err,
            "    ok {} ({:.1} s)",
            self.what,
            since.elapsed().as_secs_f32()
        )?;
        Ok(output.stdout)
    }

    /// Runs it with what it prints going to the end of the log.
    pub(super) fn keep(mut self, log: &mut Vec<u8>) -> Result<()> {
        writeln!(log, "--> {}", self.what)?;
        // A file, not a pipe: something that it leaves running would keep a pipe open, and reading would never end.
        let mut printed = tempfile::tempfile().context("cannot make a temporary file")?;
        self.command
            .stdin(Stdio::null())
            .stdout(printed.try_clone()?)
            .stderr(printed.try_clone()?);
        let status = self.command.status().with_context(|| self.not_started())?;
        printed.rewind()?;
        printed.read_to_end(log)?;
        self.succeeded(status)
    }

    fn not_started(&self) -> String {
        format!(
            "{}: cannot start `{}`: is it installed?",
            self.what, self.repeated_by
        )
    }

    fn succeeded(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!(
                "{}: failed ({status}), see above; `{}` repeats it",
                self.what,
                self.repeated_by
            );
        }
        Ok(())
    }
}

// === impl Beside ===

impl Beside {
    /// Starts them.
    pub(super) fn start(
        what: &'static str,
        run: impl FnOnce(&mut Vec<u8>) -> Result<()> + Send + 'static,
    ) -> Self {
        let thread = std::thread::spawn(move || {
            let (since, mut log) = (Instant::now(), Vec::new());
            let result = run(&mut log);
            let seconds = since.elapsed().as_secs_f32();
            Ended { log, result, seconds }
        });
        Self { what, thread }
    }

    /// Waits for their end, and shows what they printed.
    pub(super) fn join(self) -> Result<()> {
        let mut err = std::io::stderr();
        writeln!(err, "==> {}, beside the above", self.what)?;
        let Ok(Ended { log, result, seconds }) = self.thread.join() else {
            bail!("{} ended in a panic", self.what);
        };
        err.write_all(&log)?;
        result?;
        writeln!(err, "    ok {} ({seconds:.1} s)", self.what)?;
        Ok(())
    }
}

/// What failed, of two that ran beside each other.
pub(super) fn both(one: Result<()>, other: Result<()>) -> Result<()> {
    match (one, other) {
        (Err(one), Err(other)) => Err(Error::msg(format!("{one:#}\nand {other:#}"))),
        (one, other) => one.and(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_beside_others_keeps_what_it_printed_and_tells_how_to_repeat_it() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let mut log = Vec::new();
        let failed = Step::new("a shell", shell)
            .repeated_by("cargo test --lib".to_owned())
            .keep(&mut log)
            .unwrap_err()
            .to_string();
        assert_eq!(log, b"--> a shell\nout\nerr\n");
        assert!(failed.contains("a shell: failed (exit status: 3)"), "{failed}");
        assert!(failed.contains("`cargo test --lib` repeats it"), "{failed}");
    }

    #[test]
    fn where_two_fail_beside_each_other_both_are_told() {
        let failed = |what: &str| Err(Error::msg(what.to_owned()));
        let told = both(failed("one"), failed("other")).unwrap_err().to_string();
        assert!(told.contains("one") && told.contains("other"), "{told}");
        assert!(both(Ok(()), failed("other")).is_err());
        assert!(both(failed("one"), Ok(())).is_err());
        assert!(both(Ok(()), Ok(())).is_ok());
    }
}
