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
}
