//! The official Python SDKs, from PyPI: what their users see. The checks are in `tests/sdk/*.py`.

use std::process::Command;

use tollgate_stack::progress::Silent;
use tollgate_stack::python::Venv;
use tollgate_stack::{Repository, Stack};

async fn check(script: &str, checks: &[&str]) {
    let repository = Repository::here();
    let folder = repository.root().join("tests/sdk");
    let requirements = std::fs::read_to_string(folder.join("requirements.txt")).unwrap();
    let packages: Vec<&str> = requirements.lines().collect();
    let venv = Venv::with(&repository, "sdk", &packages, &Silent).unwrap();
    let stack = Stack::builder().start().await.unwrap();
    let keys = serde_json::to_string(&stack.keys).unwrap();
    let mut failures = Vec::new();
    for name in checks {
        let mut python = Command::new(venv.python());
        python
            .arg(folder.join(script))
            .args([stack.gateway.as_str(), &keys, name]);
        // A proxy of the machine is not for the loopback interface.
        let output = python
            .env("NO_PROXY", "*")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        if !output.status.success() {
            failures.push(format!(
                "{script} {name}:\n{}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn the_openai_sdk_works_as_with_openai() {
    let checks = [
        "chat",
        "streaming",
        "streaming_with_usage",
        "tools",
        "embeddings",
        "responses",
        "completions",
        "models",
    ];
    check("openai_sdk.py", &checks).await;
}

#[tokio::test]
async fn refusals_are_the_openai_sdks_own_exceptions() {
    check("openai_sdk.py", &["errors"]).await;
}

#[tokio::test]
async fn the_anthropic_sdk_works_as_with_anthropic() {
    check(
        "anthropic_sdk.py",
        &["messages", "streaming", "tools", "count_tokens"],
    )
    .await;
}

#[tokio::test]
async fn refusals_are_the_anthropic_sdks_own_exceptions() {
    check("anthropic_sdk.py", &["errors"]).await;
}
