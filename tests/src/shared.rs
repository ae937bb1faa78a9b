//! One running system for several tests of a module.

use std::sync::{Arc, Weak};

use tokio::sync::Mutex;
use tollgate_stack::{Stack, StackBuilder};

/// Starts a system for the first test that asks, gives it to those that ask while it runs, and ends it with the
/// last of them. Tests that share one tell their traffic apart by workspaces of their own.
#[derive(Debug)]
pub struct Shared {
    running: Mutex<Weak<Stack>>,
}

// === impl Shared ===

impl Shared {
    /// Nothing runs yet.
    pub const fn new() -> Self {
        Self {
            running: Mutex::const_new(Weak::new()),
        }
    }

    /// The system that runs, or a new one as `build` describes it.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    pub async fn stack(&self, build: impl FnOnce() -> StackBuilder) -> anyhow::Result<Arc<Stack>> {
        let mut running = self.running.lock().await;
        if let Some(stack) = running.upgrade() {
            return Ok(stack);
        }
        let stack = Arc::new(build().start().await?);
        *running = Arc::downgrade(&stack);
        Ok(stack)
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}
