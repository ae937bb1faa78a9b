//! A server of the bench's own, on a thread of its own.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::net::TcpListener;

/// Serves until the process ends; the address is on the loopback interface.
///
/// # Errors
///
/// Where no port is free.
pub(crate) fn on_a_thread<F>(
    name: &str,
    serve: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> Result<SocketAddr>
where
    F: Future<Output = Result<()>>,
{
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(async { serve(TcpListener::from_std(listener)?).await }))?;
    Ok(address)
}
