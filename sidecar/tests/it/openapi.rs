//! The admin API's own description: that it is whole, and that what it says is so.

use std::process::Command;

use reqwest::Method;
use serde_json::Value;
use tollgate_stack::Repository;
use tollgate_stack::progress::Silent;
use tollgate_stack::python::Venv;

use super::conversations::KEEPING;
use super::support::{ADMIN, Sidecar};

const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// Beside what is checked of every answer: what is refused for what it means (no such policy, an amount that is no
/// number) is allowed by its schema, which only tells of shapes.
const NOT_CHECKED: &str = "positive_data_acceptance";
/// For a whole run, in seconds.
const TIME: &str = "25";

async fn document(sidecar: &Sidecar) -> Value {
    let response = sidecar
        .request(Method::GET, "/admin/v1/openapi.json")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "nobody need say who asks");
    response.json().await.unwrap()
}

/// Every operation: its path, method and description.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (path.clone(), method.clone(), operation.clone()))
    });
    operations.collect()
}

/// Has Schemathesis try the API; what it has found, if it has.
async fn schemathesis(sidecar: &Sidecar, more: &[&str]) {
    let venv = Venv::with(&Repository::here(), "schemathesis", &[SCHEMATHESIS], &Silent).unwrap();
    let mut run = Command::new(venv.python());
    run.args(["-m", "schemathesis.cli", "run"])
        .arg(format!("{}/admin/v1/openapi.json", sidecar.url))
        .args([
            "--exclude-checks",
            NOT_CHECKED,
            "--max-time",
            TIME,
            "--seed",
            "1",
            "--no-color",
        ])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--generation-database",
            "none",
        ])
        .args([
            "--max-examples",
            "10",
            "--output-truncate",
            "false",
            "--warnings",
            "off",
        ])
        .args(more)
        // A proxy of the machine is not for the loopback interface.
        .env("NO_PROXY", "*")
        .current_dir(std::env::temp_dir());
    let output = tokio::task::spawn_blocking(move || run.output().unwrap())
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn every_operation_is_described_whole() {
    let sidecar = Sidecar::start().await;
    let document = document(&sidecar).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let operations = operations(&document);
    assert!(operations.len() >= 25, "{operations:?}");
    for (path, method, operation) in operations {
        let at = format!("{method} {path}");
        assert!(operation["operationId"].is_string(), "{at} has no id");
        assert!(operation["summary"].is_string(), "{at} has no summary");
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses.keys().any(|status| status.starts_with(['2', '3'])),
            "{at}: {responses:?}"
        );
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{at} {status}");
        }
        for name in path.split('{').skip(1).filter_map(|part| part.split('}').next()) {
            let parameters = operation["parameters"].as_array().unwrap();
            let is_it = |parameter: &&Value| parameter["name"] == name && parameter["in"] == "path";
            assert!(
                parameters.iter().any(|parameter| is_it(&parameter)),
                "{at}: {name}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_nothing_with_credentials() {
    let sidecar = Sidecar::start_with(KEEPING).await;
    schemathesis(&sidecar, &["--header", &format!("Authorization: Bearer {ADMIN}")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_nothing_without_credentials() {
    let sidecar = Sidecar::start().await;
    schemathesis(&sidecar, &[]).await;
}
