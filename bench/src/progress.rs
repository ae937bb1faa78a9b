//! What the bench says while it runs.

use std::io::Write as _;

/// Says lines to stderr.
#[derive(Debug, Default)]
pub(crate) struct Progress;

// === impl Progress ===

impl Progress {
    #[expect(clippy::unused_self, reason = "who has it may speak")]
    pub(crate) fn say(&self, line: &str) {
        // Where stderr is gone nobody is watching.
        let _ = writeln!(std::io::stderr(), "bench: {line}");
    }
}

impl tollgate_stack::progress::Progress for Progress {
    fn begin(&self, step: &str) {
        self.say(step);
    }

    fn note(&self, _line: &str) {}

    fn end(&self, _succeeded: bool) {}
}
