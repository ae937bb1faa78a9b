//! Two systems on one machine, as `cargo xtask up --base-port` runs them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tollgate_stack::Repository;
use tollgate_stack::ports::Ports;
use tollgate_stack::process;

fn xtask(arguments: &[&str]) -> Output {
    let repository = Repository::here();
    repository
        .cargo()
        .args(["xtask"])
        .args(arguments)
        .output()
        .unwrap()
}

/// Four free ports in a row.
fn base_port() -> u16 {
    (0..100)
        .filter_map(|_| Ports::free().ok())
        .map(|ports| ports.gateway)
        .find(|base| Ports::from_base(*base).is_ok_and(|ports| ports.check_free().is_ok()))
        .unwrap()
}

fn up(data: &Path, base: u16) -> Value {
    let output = xtask(&[
        "up",
        "--detach",
        "--base-port",
        &base.to_string(),
        "--data",
        data.to_str().unwrap(),
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&std::fs::read_to_string(data.join("up.json")).unwrap()).unwrap()
}

fn status(up: &Value) -> String {
    let output = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}"])
        .arg(format!("{}/v1/models", up["gateway"].as_str().unwrap()))
        .arg("-H")
        .arg(format!(
            "authorization: Bearer {}",
            up["keys"]["unlimited"].as_str().unwrap()
        ))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn two_systems_live_side_by_side_and_down_ends_one() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first_up = up(first.path(), base_port());
    let second_up = up(second.path(), base_port());
    assert_eq!(
        (status(&first_up), status(&second_up)),
        ("200".to_owned(), "200".to_owned())
    );

    let again = xtask(&["up", "--detach", "--data", first.path().to_str().unwrap()]);
    assert!(
        !again.status.success(),
        "a second `up` into one folder must be refused"
    );
    assert!(String::from_utf8_lossy(&again.stderr).contains("it is up already"));

    assert!(
        xtask(&["down", "--data", first.path().to_str().unwrap()])
            .status
            .success()
    );
    for (name, pid) in first_up["pids"].as_object().unwrap() {
        let pid = u32::try_from(pid.as_u64().unwrap()).unwrap();
        assert!(!process::runs(pid, name), "{name} still runs");
    }
    assert_eq!(status(&second_up), "200");
    assert!(
        xtask(&["down", "--data", second.path().to_str().unwrap()])
            .status
            .success()
    );
}
