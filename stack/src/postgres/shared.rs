//! One server for all tests of a process.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::{Durability, Postgres, Settings};
use crate::ports;
use crate::process::Lifetime;
use crate::progress::Silent;
use crate::repository::Repository;

/// The server, and the folder that goes with it.
static SERVER: Mutex<Option<(Postgres, TempDir)>> = Mutex::const_new(None);

/// Makes a new, empty database on a server that this process has for all its tests, without `fsync`: started by
/// the first call, ended and removed with the process. The answer is the database's URL.
///
/// # Errors
///
/// Where PostgreSQL cannot be fetched, does not start, or gives no database.
pub async fn database() -> Result<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut server = SERVER.lock().await;
    if server.is_none() {
        *server = Some(start().await?);
    }
    let (postgres, _) = server.as_ref().context("no server")?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    postgres.create_database(&format!("test_{number}")).await
}

async fn start() -> Result<(Postgres, TempDir)> {
    let folder = tempfile::Builder::new()
        .prefix("tollgate-postgres-")
        .permissions(std::fs::Permissions::from_mode(0o711))
        .tempdir()?;
    let settings = Settings {
        folder: folder.path().join("cluster"),
        log: folder.path().join("postgres.log"),
        port: ports::free_port()?,
        durability: Durability::Off,
        lifetime: Lifetime::Ours,
    };
    let postgres = Postgres::start(&Repository::here(), settings, &Silent).await?;
    end_at_exit()?;
    Ok((postgres, folder))
}

/// What is static is not dropped when a process ends; a killed one takes its server along all the same
/// ([`Lifetime::Ours`]), but leaves the folder.
fn end_at_exit() -> Result<()> {
    extern "C" fn end() {
        if let Ok(mut server) = SERVER.try_lock() {
            server.take();
        }
    }
    #[expect(unsafe_code, reason = "there is no safe way to be called when a process ends")]
    // SAFETY: the function is there as long as the program, unwinds into nobody and touches nothing of C's.
    let refused = unsafe { nix::libc::atexit(end) };
    if refused != 0 {
        bail!("the system does not call back at the end of a process");
    }
    Ok(())
}
