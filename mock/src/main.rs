//! The mock provider as a process.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;

/// A mock LLM provider for development and tests.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:10003", env = "TOLLGATE_MOCK_LISTEN")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = tollgate_mock::bind(args.listen).await.with_context(|| {
        format!(
            "cannot listen on {}: choose another address with --listen",
            args.listen
        )
    })?;
    tollgate_mock::serve(listener)
        .await
        .context("the listener failed")
}
