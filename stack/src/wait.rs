//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks at a condition.
const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `look` finds something.
///
/// # Errors
///
/// Where it finds nothing within `patience`, or fails.
pub async fn until<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if start.elapsed() > patience {
            bail!("{what}: not after {} s", patience.as_secs());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// As [`until`], blocking the thread; nothing where it was not found within `patience`.
pub(crate) fn until_now<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if start.elapsed() > patience {
            return None;
        }
        std::thread::sleep(INTERVAL);
    }
}
