//! Progress on the terminal: a spinner with the last line of output, or plain lines where there is no terminal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tollgate_stack::progress::Progress;

/// Longer lines of output are cut, so that a spinner stays on its line.
const WIDTH: usize = 100;

/// Reports to stderr.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    step: Mutex<Option<Step>>,
}

#[derive(Debug)]
struct Step {
    what: String,
    since: Instant,
    spinner: Option<ProgressBar>,
}

// === impl Terminal ===

impl Terminal {
    fn print(line: &str) {
        // Where stderr is gone nobody is watching.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

impl Progress for Terminal {
    fn begin(&self, what: &str) {
        let spinner = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} ({elapsed}) {wide_msg:.dim}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if spinner.is_none() {
            Self::print(&format!("==> {what}"));
        }
        let step = Step {
            what: what.to_owned(),
            since: Instant::now(),
            spinner,
        };
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
    }

    fn note(&self, line: &str) {
        let held = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = held.as_ref().and_then(|step| step.spinner.as_ref()) {
            bar.set_message(line.trim().chars().take(WIDTH).collect::<String>());
        }
    }

    fn end(&self, succeeded: bool) {
        let ended = self.step.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(step) = ended else { return };
        if let Some(bar) = step.spinner {
            bar.finish_and_clear();
        }
        let (mark, seconds) = (
            if succeeded { "ok" } else { "FAILED" },
            step.since.elapsed().as_secs_f32(),
        );
        Self::print(&format!("{mark:>6} {} ({seconds:.1} s)", step.what));
    }
}
