//! `cargo xtask check`, and the Envoy files that the repository ships.

use std::path::PathBuf;
use std::process::{Command, Output};

use tollgate_stack::Repository;
use tollgate_stack::envoy::EnvoySource;
use tollgate_stack::progress::Silent;

fn check(file: &str) -> Output {
    Repository::here()
        .cargo()
        .args(["xtask", "check", file])
        .output()
        .unwrap()
}

fn shipped() -> Vec<PathBuf> {
    let folder = Repository::here().root().join("envoy");
    vec![folder.join("envoy.yaml"), folder.join("ecds/envoy.yaml")]
}

#[test]
fn the_shipped_files_have_no_faults_and_no_warnings() {
    for file in [
        "envoy/envoy.yaml",
        "envoy/ecds/tollgate.yaml",
        "envoy/istio/tollgate.yaml",
        "envoy/gateway/tollgate.yaml",
    ] {
        let output = check(file);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            told.trim(),
            format!("{file}: ok"),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_fault_is_told_by_its_path_and_fails_the_command() {
    let text = std::fs::read_to_string(Repository::here().root().join("envoy/envoy.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("envoy.yaml");
    std::fs::write(&file, text.replace("algorithm: token_bucket", "algorithm: leaky")).unwrap();
    let output = check(file.to_str().unwrap());
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("limits[0].algorithm"), "{told}");
}

#[test]
fn envoy_accepts_the_shipped_files() {
    let repository = Repository::here();
    repository
        .build_wasm(tollgate_stack::Filter::Shipped, &Silent)
        .unwrap();
    let envoy = EnvoySource::default().binary(&repository, &Silent).unwrap();
    for file in shipped() {
        let mut command = Command::new(&envoy);
        let output = command
            .current_dir(repository.root())
            .args(["--mode", "validate", "-c"])
            .arg(&file)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {told}", file.display());
    }
}
