//! One clock for the upstream and the load, which are threads of one process: what an event says of when it was sent
//! can be compared with when it came.

use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// Nanoseconds since this was first asked.
pub(crate) fn nanos() -> u64 {
    let since = START.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
