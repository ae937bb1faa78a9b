//! What can go wrong with the ledger.

use thiserror::Error;

/// Why the ledger did not do what it was asked. Nothing of what was asked has happened.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The database refused, or could not be reached in time.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The folder for the database could not be made.
    #[error("cannot create {path}: {source}")]
    Folder {
        /// Which folder.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A row says something that this program does not know: a newer one wrote it.
    #[error("{table} {id}: cannot read {column}; is this program older than the ledger?")]
    Foreign {
        /// In which table.
        table: &'static str,
        /// Which row.
        id: String,
        /// Which column.
        column: &'static str,
    },
    /// There is no such time, or no such time zone.
    #[error("budget {id}: {reason}")]
    Calendar {
        /// Whose budget's.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// Budgets that a request needs were archived whenever they had been made.
    #[error("budgets are archived as fast as templates make them")]
    Unmade,
    /// The operating system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] crate::secret_key::NoRandomness),
}

// === impl LedgerError ===

impl LedgerError {
    /// Whether the same transaction may succeed the next time: it was in the way of another one.
    pub(super) fn is_collision(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        // PostgreSQL's serialization_failure and deadlock_detected.
        error
            .code()
            .is_some_and(|code| code == "40001" || code == "40P01")
    }
}
