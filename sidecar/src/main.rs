//! The sidecar's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    tollgate_sidecar::cli::run()
}
