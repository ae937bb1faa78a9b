//! A database of the test's own, on the engine that the test runs on.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

/// Which engine the tests of a module run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

// === impl Engine ===

impl Engine {
    /// The engine whose name is in the path of a module (`module_path!()`).
    pub(crate) fn of(module: &str) -> Self {
        let is_named = |name: &str| module.split("::").any(|part| part == name);
        match (is_named("sqlite"), is_named("postgres")) {
            (true, false) => Self::Sqlite,
            (false, true) => Self::Postgres,
            _ => panic!("{module} is in neither `sqlite` nor `postgres`"),
        }
    }

    /// What a configuration says under `database` for a new, empty one; a file is in `folder`.
    pub(crate) async fn new_database(self, folder: &Path) -> String {
        match self {
            Self::Sqlite => folder.join("ledger.db").display().to_string(),
            Self::Postgres => tollgate_stack::postgres::fresh_database().await.unwrap(),
        }
    }
}

/// How many migrations a database has had.
pub(crate) async fn migrations(database: &str) -> i64 {
    number(database, "SELECT COUNT(*) FROM _sqlx_migrations WHERE success").await
}

/// One number that a database answers; 0 where it answers none.
pub(crate) async fn number(database: &str, select: &str) -> i64 {
    // Sums are of a type of their own in PostgreSQL.
    let select = AssertSqlSafe(format!("SELECT CAST(({select}) AS BIGINT)"));
    let number: Option<i64> = if database.starts_with("postgres://") {
        let mut connection = PgConnection::connect(database).await.unwrap();
        sqlx::query_scalar(select)
            .fetch_one(&mut connection)
            .await
            .unwrap()
    } else {
        let mut connection = SqliteConnection::connect(&format!("sqlite://{database}"))
            .await
            .unwrap();
        sqlx::query_scalar(select)
            .fetch_one(&mut connection)
            .await
            .unwrap()
    };
    number.unwrap_or(0)
}

/// Executes a statement.
pub(crate) async fn execute(database: &str, statement: &'static str) {
    if database.starts_with("postgres://") {
        let mut connection = PgConnection::connect(database).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    } else {
        let mut connection = SqliteConnection::connect(&format!("sqlite://{database}"))
            .await
            .unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
}

/// Makes a database as the sidecar of an earlier version left it: with its first migrations only.
pub(crate) async fn migrate_to(database: &str, version: i64) {
    let migrations = |folder: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(folder)
    };
    if database.starts_with("postgres://") {
        let migrator = Migrator::new(migrations("postgres")).await.unwrap();
        let mut connection = PgConnection::connect(database).await.unwrap();
        migrator.run_to(version, &mut connection).await.unwrap();
    } else {
        let migrator = Migrator::new(migrations("sqlite")).await.unwrap();
        let options = SqliteConnectOptions::new()
            .filename(database)
            .create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        migrator.run_to(version, &mut connection).await.unwrap();
    }
}
