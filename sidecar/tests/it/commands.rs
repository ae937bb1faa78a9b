//! The command line against a sidecar that runs: what people and scripts get, and with which exit codes.

use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{ADMIN, Sidecar, event};

/// Runs the program, with nothing of this process's environment that it reads.
async fn run(sidecar: &Sidecar, args: &[&str]) -> Output {
    run_with(
        &[("TOLLGATE_URL", &sidecar.url), ("TOLLGATE_ADMIN_TOKEN", ADMIN)],
        args,
    )
    .await
}

async fn run_with(vars: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tollgate-sidecar"));
    command
        .env_remove("TOLLGATE_URL")
        .env_remove("TOLLGATE_ADMIN_TOKEN");
    command
        .envs(vars.iter().copied())
        .args(args)
        .output()
        .await
        .unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_str(&out(output)).unwrap()
}

fn refused(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn a_key_is_created_listed_paused_and_revoked() {
    let sidecar = Sidecar::start().await;
    let create = [
        "keys",
        "create",
        "--name",
        "ci",
        "--workspace",
        "research",
        "--model",
        "gpt-4o*",
        "--json",
    ];
    let made = parsed(&run(&sidecar, &create).await);
    assert!(made["key"].as_str().unwrap().starts_with("tg_live_"));
    let id = made["id"].as_str().unwrap();

    let table = out(&run(&sidecar, &["keys", "list", "--workspace", "research"]).await);
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        [
            "ID",
            "PREFIX",
            "NAME",
            "WORKSPACE",
            "USER",
            "STATUS",
            "MODELS",
            "EXPIRES"
        ]
    );
    assert_eq!(
        lines[1],
        [
            id,
            made["prefix"].as_str().unwrap(),
            "ci",
            "research",
            "–",
            "active",
            "gpt-4o*",
            "–"
        ]
    );
    assert_eq!(lines.len(), 2, "{table}");
    assert!(!table.contains(made["key"].as_str().unwrap()));

    for (turn, status) in [("pause", "paused"), ("resume", "active"), ("revoke", "revoked")] {
        assert_eq!(
            parsed(&run(&sidecar, &["keys", turn, id, "--json"]).await)["status"],
            status
        );
    }
    let shown = out(&run(&sidecar, &["keys", "show", id]).await);
    assert!(
        shown
            .lines()
            .any(|line| line.split_whitespace().eq(["status", "revoked"])),
        "{shown}"
    );
}

#[tokio::test]
async fn who_makes_a_key_is_told_that_it_is_shown_once() {
    let sidecar = Sidecar::start().await;
    let made = run(
        &sidecar,
        &["keys", "create", "--name", "ci", "--workspace", "research"],
    )
    .await;
    assert!(out(&made).contains("tg_live_"));
    assert!(
        String::from_utf8(made.stderr)
            .unwrap()
            .contains("shown this once")
    );
}

#[tokio::test]
async fn lists_longer_than_a_page_are_read_to_their_end() {
    let sidecar = Sidecar::start().await;
    for n in 0..5 {
        sidecar
            .create_key(&json!({"name": format!("k{n}"), "workspace": "w"}))
            .await;
    }
    let all = parsed(&run(&sidecar, &["keys", "list", "--json"]).await);
    assert_eq!(all.as_array().unwrap().len(), 5);
    let some = parsed(&run(&sidecar, &["keys", "list", "--json", "--limit", "3"]).await);
    assert_eq!(some.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_budget_is_made_changed_filled_and_archived() {
    let sidecar = Sidecar::start().await;
    let create = "budgets create --workspace research --unit usd --period total --amount 1 --json";
    let made = parsed(&run(&sidecar, &create.split(' ').collect::<Vec<_>>()).await);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["subject"], json!({"workspace": "research"}));
    let set = parsed(&run(&sidecar, &["budgets", "set", id, "--amount", "5", "--json"]).await);
    assert_eq!(set["amount"], "5");
    for _ in 0..2 {
        let deposit = [
            "budgets",
            "deposit",
            id,
            "2.50",
            "--idempotency-key",
            "invoice-17",
            "--json",
        ];
        assert_eq!(parsed(&run(&sidecar, &deposit).await)["budget_amount"], "7.5");
    }
    let raise = [
        "budgets",
        "raise",
        id,
        "50",
        "--for",
        "2d",
        "--reason",
        "the launch",
        "--json",
    ];
    let raise = parsed(&run(&sidecar, &raise).await);
    assert_eq!((&raise["amount"], &raise["active"]), (&json!("50"), &json!(true)));
    let raises = out(&run(&sidecar, &["budgets", "raises", id]).await);
    assert!(raises.contains("the launch"), "{raises}");
    out(&run(
        &sidecar,
        &["budgets", "withdraw", id, raise["id"].as_str().unwrap()],
    )
    .await);
    let soon = ["budgets", "raise", id, "50", "--for", "1s", "--reason", "x"];
    refused(&run(&sidecar, &soon).await, 4);
    let table = out(&run(&sidecar, &["budgets", "list"]).await);
    assert!(table.contains(id) && table.contains("7.5"), "{table}");
    out(&run(&sidecar, &["budgets", "archive", id]).await);
    assert!(!out(&run(&sidecar, &["budgets", "list"]).await).contains(id));
}

#[tokio::test]
async fn a_limit_is_made_changed_reset_and_deleted() {
    let sidecar = Sidecar::start().await;
    let create = "limits create per-key --count requests --amount 60 --period 1m --per key --workspace research --json";
    let create: Vec<&str> = create.split(' ').collect();
    let made = parsed(&run(&sidecar, &create).await);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["match"]["workspaces"], json!(["research"]));
    let again = refused(&run(&sidecar, &create).await, 4);
    assert!(again.contains("is called per-key already"), "{again}");

    let set = parsed(&run(&sidecar, &["limits", "set", id, "--amount", "5", "--json"]).await);
    assert_eq!((&set["amount"], &set["period"]), (&json!(5), &json!("1m")));
    assert!(refused(&run(&sidecar, &["limits", "set", id]).await, 2).contains("nothing to change"));

    for reset in [
        &["limits", "reset", id][..],
        &["limits", "reset", id, "--key", "key_1"],
        &[
            "limits",
            "reset",
            "--name",
            "of-a-file",
            "--workspace",
            "research",
        ],
    ] {
        assert_eq!(out(&run(&sidecar, reset).await), "");
    }
    let wrong = refused(&run(&sidecar, &["limits", "reset", id, "--user", "ann"]).await, 4);
    assert!(wrong.contains("422"), "{wrong}");
    refused(&run(&sidecar, &["limits", "reset"]).await, 2);
    let told = sidecar.gateway("/v1/policy", &json!({})).await;
    let told: Value = told.json().await.unwrap();
    assert_eq!(told["resets"].as_array().unwrap().len(), 3, "{told}");

    let table = out(&run(&sidecar, &["limits", "list", "--workspace", "research"]).await);
    assert!(table.starts_with("ID") && table.contains("per-key"), "{table}");
    out(&run(&sidecar, &["limits", "delete", id]).await);
    assert!(!out(&run(&sidecar, &["limits", "list"]).await).contains(id));
}

#[tokio::test]
async fn workspaces_and_users_are_paused_and_resumed() {
    let sidecar = Sidecar::start().await;
    let create = ["users", "create", "ann", "--workspace", "research", "--json"];
    let user = parsed(&run(&sidecar, &create).await);
    let id = user["id"].as_str().unwrap();
    for (pause, resume) in [
        (
            ["workspaces", "pause", "research"],
            ["workspaces", "resume", "research"],
        ),
        (["users", "pause", id], ["users", "resume", id]),
    ] {
        out(&run(&sidecar, &pause).await);
        let list = [pause[0], "list"];
        let table = out(&run(&sidecar, &list).await);
        assert!(table.contains("research") && table.contains("paused"), "{table}");
        out(&run(&sidecar, &resume).await);
        let table = out(&run(&sidecar, &list).await);
        assert!(!table.contains("paused"), "{table}");
    }
    let missing = refused(&run(&sidecar, &["users", "pause", "usr_none"]).await, 4);
    assert!(missing.contains("404"), "{missing}");
}

#[tokio::test]
async fn events_statistics_and_exports_are_those_of_the_ledger() {
    let sidecar = Sidecar::start().await;
    let mut hostile = event("b", "beta");
    hostile["request_model"] = json!("\u{1b}[2J");
    sidecar.send_events(&[event("a", "acme"), hostile]).await;
    let table = out(&run(&sidecar, &["events"]).await);
    assert!(table.contains("acme") && !table.contains('\u{1b}'), "{table}");
    let one = parsed(&run(&sidecar, &["events", "--workspace", "acme", "--json"]).await);
    assert_eq!(
        (one.as_array().unwrap().len(), &one[0]["event_id"]),
        (1, &json!("a"))
    );

    let stats = "stats --by workspace --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z";
    let table = out(&run(&sidecar, &stats.split(' ').collect::<Vec<_>>()).await);
    let acme = table.lines().find(|line| line.starts_with("acme")).unwrap();
    let cells: Vec<&str> = acme.split_whitespace().collect();
    assert_eq!(cells[..7], ["acme", "1", "0", "0", "11", "7", "0.0000975"]);

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("costs.csv");
    let export = format!(
        "export focus --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --output {}",
        file.display()
    );
    assert_eq!(
        out(&run(&sidecar, &export.split(' ').collect::<Vec<_>>()).await),
        ""
    );
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written.starts_with("BilledCost,") && written.lines().count() == 3,
        "{written}"
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no half of it is left"
    );
}

#[tokio::test]
async fn what_goes_wrong_has_its_exit_code_and_says_what_to_do() {
    let sidecar = Sidecar::start().await;
    let url = ("TOLLGATE_URL", sidecar.url.as_str());
    let tokenless = run_with(&[url], &["keys", "list"]).await;
    assert!(refused(&tokenless, 2).contains("TOLLGATE_ADMIN_TOKEN"));
    let wrong = run_with(&[url, ("TOLLGATE_ADMIN_TOKEN", "a-guess")], &["keys", "list"]).await;
    let told = refused(&wrong, 4);
    assert!(
        told.contains("401") && told.contains("TOLLGATE_ADMIN_TOKEN"),
        "{told}"
    );
    let unknown = run(&sidecar, &["keys", "show", "key/../../readyz?"]).await;
    assert!(refused(&unknown, 4).contains("404"));
    let invalid = ["keys", "create", "--name", " ", "--workspace", "w"];
    assert!(refused(&run(&sidecar, &invalid).await, 4).contains("#/name"));
    let nobody = [
        ("TOLLGATE_URL", "http://127.0.0.1:1"),
        ("TOLLGATE_ADMIN_TOKEN", ADMIN),
    ];
    assert!(refused(&run_with(&nobody, &["events"]).await, 3).contains("http://127.0.0.1:1"));
    let no_url = [("TOLLGATE_URL", "localhost"), ("TOLLGATE_ADMIN_TOKEN", ADMIN)];
    assert!(refused(&run_with(&no_url, &["events"]).await, 2).contains("--url"));
    refused(&run(&sidecar, &["keys", "lisst"]).await, 2);
    let day = run(&sidecar, &["stats", "--from", "2026-01-31"]).await;
    assert!(refused(&day, 2).contains("like 2026-01-31T00:00:00Z"));
}

#[tokio::test]
async fn shells_get_their_completions_and_every_command_has_examples() {
    for shell in ["bash", "zsh", "fish"] {
        let script = out(&run_with(&[], &["completions", shell]).await);
        assert!(
            script.contains("tollgate-sidecar") && script.contains("budgets"),
            "{shell}"
        );
    }
    for command in ["keys", "budgets", "limits", "events", "stats", "export", "audit"] {
        let help = out(&run_with(&[], &[command, "--help"]).await);
        assert!(help.contains("Examples:"), "{help}");
    }
}
