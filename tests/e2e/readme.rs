//! The README's quick start, as it is written there (but for ports and folder, which tests choose).

use std::process::Command;

use tollgate_stack::{Repository, Stack, wait};
use tollgate_tests::SETTLED;

/// The commands of the quick start's second block that state a status: status, command.
fn commands() -> Vec<(String, String)> {
    let readme = std::fs::read_to_string(Repository::here().root().join("README.md")).unwrap();
    let section = readme
        .split("## Quick start")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let block = section
        .split("```sh\n")
        .nth(2)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let stated = block.split("\n\n").filter_map(|paragraph| {
        let (comment, command) = paragraph.trim().split_once('\n')?;
        let status = comment.strip_prefix("# ")?.split(':').next()?;
        Some((status.to_owned(), command.to_owned()))
    });
    stated.collect()
}

#[tokio::test]
async fn every_command_of_the_quick_start_answers_as_it_says() {
    let stack = Stack::builder().start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    stack.up_file().write(folder.path()).unwrap();
    let listed = commands();
    assert_eq!(
        listed
            .iter()
            .map(|(status, _)| status.as_str())
            .collect::<Vec<_>>(),
        ["401", "200", "200", "200", "429", "200"]
    );
    for (status, command) in listed {
        let script = format!("set -eu; . {}/env\n{command}", folder.path().display());
        let run = || {
            let output = Command::new("bash")
                .env("NO_PROXY", "*")
                .args(["-c", &script])
                .output()
                .unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let answer = run();
        assert!(answer.contains(&status), "{command}\nanswered:\n{answer}");
        if command.contains("/admin/v1/events") {
            // The gateway sends events in batches: the newest may still be on its way.
            wait::until(
                SETTLED,
                "the ledger does not show what the calls cost",
                async || {
                    let ledger = run();
                    Ok(
                        (ledger.contains("cost_nanousd") && ledger.contains("rate_limit_exceeded"))
                            .then_some(()),
                    )
                },
            )
            .await
            .unwrap();
        }
    }
}
