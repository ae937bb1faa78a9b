//! `cargo xtask down`: ends what `up --detach` started.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tollgate_stack::process;
use tollgate_stack::up_file::UpFile;

/// How long a process may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(15);

/// Options of `down`.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// The folder that `up` was given
    #[arg(long, value_name = "DIR", default_value = "target/tollgate")]
    data: PathBuf,
}

/// Ends the system of a data folder; fine where none runs.
pub(crate) fn run(args: &DownArgs) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    let Some(file) = UpFile::read(&args.data)? else {
        writeln!(out, "nothing is up in {}", args.data.display())?;
        return Ok(ExitCode::SUCCESS);
    };
    for (program, pid) in file.processes() {
        process::end(pid, program, PATIENCE)?;
    }
    UpFile::remove(&args.data)?;
    writeln!(out, "down; ledger and logs stay in {}", args.data.display())?;
    Ok(ExitCode::SUCCESS)
}
