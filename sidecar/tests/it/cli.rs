//! The program: its exit codes and what it says.

use std::process::{Command, Output};

use tempfile::TempDir;

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
    }
    assert!(migrations(&database).await > 0);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = run(&["serve", "--config", "/nowhere/sidecar.yaml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        String::from_utf8(missing.stderr)
            .unwrap()
            .contains("/nowhere/sidecar.yaml")
    );
}
