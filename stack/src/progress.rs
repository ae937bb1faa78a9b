//! How long steps tell what they do: the caller decides whether that is a spinner, lines or nothing.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Lines of a failed command's output that its error repeats.
const KEPT_LINES: usize = 40;

/// Where long steps report to.
pub trait Progress: Send + Sync {
    /// A step begins.
    fn begin(&self, step: &str);
    /// A line of what the step is doing.
    fn note(&self, line: &str);
    /// The step that began last has ended.
    fn end(&self, succeeded: bool);
}

/// Reports to nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

// === impl Silent ===

impl Progress for Silent {
    fn begin(&self, _step: &str) {}
    fn note(&self, _line: &str) {}
    fn end(&self, _succeeded: bool) {}
}

/// Runs a step and reports its end.
///
/// # Errors
///
/// The step's own.
pub fn step<T>(progress: &dyn Progress, what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    progress.begin(what);
    let result = run();
    progress.end(result.is_ok());
    result
}

/// Runs a command as a step: its output becomes notes, and the error where it fails.
///
/// # Errors
///
/// Where the command cannot be started, or does not succeed.
pub fn run(progress: &dyn Progress, what: &str, command: &mut Command) -> Result<()> {
    step(progress, what, || {
        let program = command.get_program().to_string_lossy().into_owned();
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = command
            .spawn()
            .with_context(|| format!("{what}: cannot start `{program}`"))?;
        // The command holds the pipe's other end: with it held here too, reading would never end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut last = VecDeque::new();
        for line in BufReader::new(reader).split(b'\n') {
            let text = String::from_utf8_lossy(&line?).trim_end().to_owned();
            progress.note(&text);
            if last.len() == KEPT_LINES {
                last.pop_front();
            }
            last.push_back(text);
        }
        let status = child.wait()?;
        if !status.success() {
            let output = Vec::from(last).join("\n");
            bail!("{what}: `{program}` failed ({status}); its last output:\n{output}");
        }
        Ok(())
    })
}
