//! Logs: one JSON object a line on standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging. `directives` are those of `tracing-subscriber`, already checked; only the first call of a
/// process counts.
pub fn init(directives: &str) {
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(std::io::stderr)
        .try_init();
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
}
