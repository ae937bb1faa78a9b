//! The two engines behind the ledger, and the macros that run one statement on either.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::LedgerError;
use super::applying::Catalogue;
use crate::config::Database;

/// How long a statement waits for another process's write lock, and a request for a connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often opening is tried: a second sidecar that starts at the same moment may be half-way through the same
/// migration (SQLite has no lock for it), and finds it done the next time.
const OPEN_TRIES: u32 = 5;
const OPEN_PAUSE: Duration = Duration::from_millis(200);
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;
/// So many batches of events may be in the database, or wait for a connection to it, at a time: nobody waits for their
/// answers, but requests wait for leases, which must not queue behind all of them. More would gain nothing, as events are
/// numbered one batch after the other.
const SQLITE_BATCHES: usize = 1;
const POSTGRES_BATCHES: usize = 2;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The ledger. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(super) engine: Engine,
    /// Which budgets there are, as far as it must be known to find those that apply.
    pub(super) catalogue: Arc<Mutex<Arc<Catalogue>>>,
    /// Turns of batches of events.
    batches: Arc<Semaphore>,
}

/// Connections to one of the engines.
#[derive(Debug, Clone)]
pub(super) enum Engine {
    /// One connection writes, so that writers queue here, in order and without being told that the database
    /// is busy; the others read, and are never blocked by it (WAL).
    Sqlite {
        /// The one that writes.
        writer: SqlitePool,
        /// The ones that read.
        readers: SqlitePool,
    },
    /// A pool for both.
    Postgres(PgPool),
}

/// Runs `$body` with `$conn`, a connection for reading. The body is compiled once for each engine.
macro_rules! read {
    ($ledger:expr, $conn:ident => $body:expr) => {
        match &$ledger.engine {
            $crate::ledger::engine::Engine::Sqlite { readers, .. } => {
                let mut held = readers.acquire().await?;
                let $conn = &mut *held;
                $body
            }
            $crate::ledger::engine::Engine::Postgres(pool) => {
                let mut held = pool.acquire().await?;
                let $conn = &mut *held;
                $body
            }
        }
    };
}

/// Runs `$body` with `$conn` in a transaction that only reads: all its statements see one moment. The body is compiled
/// once for each engine.
macro_rules! snapshot {
    ($ledger:expr, $conn:ident => $body:expr) => {
        match &$ledger.engine {
            $crate::ledger::engine::Engine::Sqlite { readers, .. } => {
                let mut transaction = readers.begin().await?;
                let $conn = &mut *transaction;
                $body
            }
            $crate::ledger::engine::Engine::Postgres(pool) => {
                let mut transaction = pool
                    .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?;
                let $conn = &mut *transaction;
                $body
            }
        }
    };
}

/// Runs `$body` with `$conn` in a transaction that may write, and commits. Leaving the body early (`?`,
/// `return`) rolls back. The body is compiled once for each engine.
macro_rules! transact {
    ($ledger:expr, $conn:ident => $body:expr) => {
        match &$ledger.engine {
            $crate::ledger::engine::Engine::Sqlite { writer, .. } => {
                // The write lock is taken at once: a transaction that begins by reading could not upgrade.
                let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                let $conn = &mut *transaction;
                let value = $body;
                transaction.commit().await?;
                value
            }
            $crate::ledger::engine::Engine::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                let $conn = &mut *transaction;
                let value = $body;
                transaction.commit().await?;
                value
            }
        }
    };
}

/// How often a transaction is tried that others are in the way of.
pub(super) const RETRIES: u32 = 8;

/// Runs a transaction again where another one was in its way: PostgreSQL has then rolled it back.
macro_rules! retry {
    ($transaction:expr) => {{
        let mut tries = 1;
        loop {
            match $transaction.await {
                Err(error) if error.is_collision() && tries < $crate::ledger::engine::RETRIES => {
                    tracing::debug!(%error, tries, "a transaction collided with another one and is tried again");
                    tokio::time::sleep($crate::ledger::engine::pause(tries)).await;
                    tries += 1;
                }
                result => break result,
            }
        }
    }};
}

/// Functions over a connection of either engine, in a transaction that the caller has begun: a trait whose
/// bodies are compiled once for each engine.
macro_rules! on_engines {
    ($(#[$doc:meta])* $vis:vis trait $name:ident {
        $(
            $(#[$about:meta])*
            async fn $function:ident($conn:ident $(, $arg:ident: $type:ty)*) -> $value:ty $body:block
        )*
    }) => {
        $(#[$doc])*
        $vis trait $name: $crate::ledger::engine::Locking + $crate::ledger::rows::ManyRows {
            $(
                $(#[$about])*
                async fn $function($conn: &mut Self $(, $arg: $type)*) -> Result<$value, $crate::ledger::LedgerError>;
            )*
        }

        impl $name for sqlx::SqliteConnection {
            $(
                async fn $function($conn: &mut Self $(, $arg: $type)*) -> Result<$value, $crate::ledger::LedgerError> { $body }
            )*
        }

        impl $name for sqlx::PgConnection {
            $(
                async fn $function($conn: &mut Self $(, $arg: $type)*) -> Result<$value, $crate::ledger::LedgerError> { $body }
            )*
        }
    };
}

/// How rows are locked until the transaction ends.
pub(super) trait Locking: Sized {
    /// Stands at the end of a SELECT.
    const FOR_UPDATE: &'static str;
}

// === impl Locking ===

impl Locking for sqlx::SqliteConnection {
    /// `BEGIN IMMEDIATE` has locked everything.
    const FOR_UPDATE: &'static str = "";
}

impl Locking for sqlx::PgConnection {
    const FOR_UPDATE: &'static str = " FOR UPDATE";
}

// === impl Ledger ===

impl Ledger {
    /// Opens the ledger and brings its schema up to date.
    ///
    /// # Errors
    /// [`LedgerError`] where the database cannot be opened or migrated.
    pub async fn open(database: &Database) -> Result<Self, LedgerError> {
        let mut tries = 1;
        loop {
            match Self::try_open(database).await {
                Err(error) if tries < OPEN_TRIES => {
                    tracing::warn!(%error, "cannot open the ledger, trying again");
                    tokio::time::sleep(OPEN_PAUSE).await;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    async fn try_open(database: &Database) -> Result<Self, LedgerError> {
        let (engine, batches) = match database {
            Database::Sqlite(path) => (open_sqlite(path).await?, SQLITE_BATCHES),
            Database::Postgres(url) => (open_postgres(url).await?, POSTGRES_BATCHES),
        };
        let ledger = Self {
            engine,
            catalogue: Arc::default(),
            batches: Arc::new(Semaphore::new(batches)),
        };
        ledger.migrate().await?;
        ledger.catch_up_to_read().await?;
        Ok(ledger)
    }

    /// Whether the ledger can be read, and has the schema that this program knows.
    ///
    /// # Errors
    /// [`LedgerError`] where it cannot be read.
    pub async fn is_ready(&self) -> Result<bool, LedgerError> {
        let known = match &self.engine {
            Engine::Sqlite { .. } => SQLITE_MIGRATIONS.iter().count(),
            Engine::Postgres(_) => POSTGRES_MIGRATIONS.iter().count(),
        };
        const APPLIED: &str = "SELECT COUNT(*) FROM _sqlx_migrations WHERE success";
        let applied: i64 = read!(self, conn => sqlx::query_scalar(APPLIED).fetch_one(conn).await?);
        Ok(usize::try_from(applied).is_ok_and(|applied| applied >= known))
    }

    /// Closes all connections, after the statements under way.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Engine::Postgres(pool) => pool.close().await,
        }
    }

    /// Waits for a batch's turn, which lasts until this is dropped.
    ///
    /// # Errors
    /// As where no connection is to be had: others take too long.
    pub(super) async fn batch_turn(&self) -> Result<SemaphorePermit<'_>, LedgerError> {
        match tokio::time::timeout(BUSY_TIMEOUT, self.batches.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
        }
    }

    async fn migrate(&self) -> Result<(), LedgerError> {
        match &self.engine {
            Engine::Sqlite { writer, .. } => SQLITE_MIGRATIONS.run(writer).await?,
            Engine::Postgres(pool) => POSTGRES_MIGRATIONS.run(pool).await?,
        }
        Ok(())
    }
}

async fn open_sqlite(path: &Path) -> Result<Engine, LedgerError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| LedgerError::Folder {
            path: folder.to_owned(),
            source,
        })?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged survives a power cut too, not only a crash of this process.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        // What was deleted is overwritten: it may have been somebody's text.
        .pragma("secure_delete", "on")
        .foreign_keys(true);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(BUSY_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(BUSY_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.create_if_missing(false).pragma("query_only", "on"))
        .await?;
    Ok(Engine::Sqlite { writer, readers })
}

async fn open_postgres(url: &str) -> Result<Engine, LedgerError> {
    let options = PgConnectOptions::from_str(url)?;
    let opened = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_with(options.clone())
        .await;
    match opened {
        Ok(pool) => Ok(Engine::Postgres(pool)),
        // The pool has tried again and again, and kept to itself what was in the way.
        Err(sqlx::Error::PoolTimedOut) => {
            let reason = tokio::time::timeout(BUSY_TIMEOUT, options.connect()).await;
            Err(reason
                .ok()
                .and_then(Result::err)
                .unwrap_or(sqlx::Error::PoolTimedOut)
                .into())
        }
        Err(error) => Err(error.into()),
    }
}

/// How long to wait before a transaction is tried again: longer each time, and not as long as the other one.
pub(super) fn pause(tries: u32) -> Duration {
    let most = 1_000_u64 << tries.min(8);
    let mut random = [0; 2];
    // Without randomness both wait for the same time, and one of them goes first all the same.
    let _ = getrandom::fill(&mut random);
    Duration::from_micros(most / 2 + u64::from(u16::from_le_bytes(random)) % most)
}
