//! A database of the test's own, on whichever engine the tests run.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// The variable with the URL of a PostgreSQL server, without a database's name.
const SERVER: &str = "TOLLGATE_TEST_POSTGRES";

/// What a configuration says under `database` for a new, empty one.
pub(crate) async fn create(folder: &Path) -> String {
    let Ok(server) = std::env::var(SERVER) else {
        return folder.join("ledger.db").display().to_string();
    };
    // A temporary folder's name is as random as a database's has to be.
    let unique: String = folder
        .file_name()
        .unwrap()
        .to_string_lossy()
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = format!("tollgate_test_{unique}");
    let mut connection = PgConnection::connect(&format!("{server}/postgres"))
        .await
        .unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    format!("{server}/{name}")
}
