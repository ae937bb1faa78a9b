//! The program: its exit codes and what it says.

use std::process::{Command, Output};

use tempfile::TempDir;
use tollgate_sidecar::config::env::OVERRIDES;

use super::support::{new_database, yaml};
use crate::database::migrations;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollgate-sidecar"))
        .args(args)
        .output()
        .unwrap()
}

#[tokio::test]
async fn check_says_whether_a_configuration_is_valid() {
    let folder = TempDir::new().unwrap();
    let database = new_database(folder.path()).await;
    let file = folder.path().join("sidecar.yaml");
    std::fs::write(&file, yaml(&database, "")).unwrap();
    let good = run(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(good.status.code(), Some(0));
    assert!(String::from_utf8(good.stdout).unwrap().ends_with(": valid\n"));

    std::fs::write(&file, yaml(&database, "colour: blue")).unwrap();
    let bad = run(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(String::from_utf8(bad.stderr).unwrap().contains("\ncolour: "));
}

#[tokio::test]
async fn migrate_makes_the_ledger_and_may_run_again() {
    let folder = TempDir::new().unwrap();
    let database = new_database(folder.path()).await;
    let file = folder.path().join("sidecar.yaml");
    std::fs::write(&file, yaml(&database, "")).unwrap();
    for _ in 0..2 {
        let done = run(&["migrate", "--config", file.to_str().unwrap()]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let told = String::from_utf8(done.stdout).unwrap();
        assert!(told.ends_with(": up to date\n") && !told.contains('@'), "{told}");
    }
    assert!(migrations(&database).await > 0);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = run(&["serve", "--config", "/nowhere/sidecar.yaml"]);
    assert_eq!(missing.status.code(), Some(2));
    let told = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(told.matches("/nowhere/sidecar.yaml").count(), 1, "{told}");
    assert!(told.contains("--config names the configuration's file"), "{told}");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_opened_is_named_without_its_password_and_so_is_the_reason() {
    let folder = TempDir::new().unwrap();
    let database = new_database(folder.path()).await;
    let (ledger, named, reason) = match database.rsplit_once('/') {
        Some((server, _)) if database.starts_with("postgres://") => {
            (format!("{server}/nowhere"), "PostgreSQL at ", "does not exist")
        }
        _ => {
            std::fs::write(&database, "a letter, not a database".repeat(100)).unwrap();
            (database, "SQLite /", "file is not a database")
        }
    };
    let file = folder.path().join("sidecar.yaml");
    std::fs::write(&file, yaml(&ledger, "")).unwrap();
    let failed = run(&["migrate", "--config", file.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let told = String::from_utf8(failed.stderr).unwrap();
    let told = told.lines().last().unwrap();
    assert!(told.starts_with("error: cannot open the ledger"), "{told}");
    assert!(told.contains(named) && !told.contains('@'), "{told}");
    assert_eq!(told.matches(reason).count(), 1, "{told}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sidecar.yaml");
    std::fs::write(&file, yaml("never-opened.db", "")).unwrap();
    let failed = Command::new(env!("CARGO_BIN_EXE_tollgate-sidecar"))
        .args(["serve", "--config", file.to_str().unwrap()])
        .env("TOLLGATE_SIDECAR__LISTEN", &address)
        .output()
        .unwrap();
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let told = String::from_utf8(failed.stderr).unwrap();
    assert!(
        told.contains(&address) && told.contains("is another sidecar running"),
        "{told}"
    );
}

#[test]
fn the_help_lists_every_variable() {
    let help = run(&["--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    for (variable, _) in OVERRIDES {
        assert!(
            help.lines().any(|line| line.trim() == *variable),
            "{variable}: {help}"
        );
    }
}
