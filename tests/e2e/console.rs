//! The operators' page in Chromium, against the real system. What is done and checked there is in `tests/console/*.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tollgate_stack::debian::CHROMIUM;
use tollgate_stack::progress::Silent;
use tollgate_stack::python::Venv;
use tollgate_stack::{Repository, Stack, wait};
use tollgate_tests::{SETTLED, chat, event, post, send};

const CHAT: &str = "/v1/chat/completions";

/// A system where requests are paid from budgets, with a budget of ten requests for the page's workspace, and where
/// some workspaces' conversations are kept.
async fn start() -> Stack {
    let sidecar = Repository::here()
        .root()
        .join("tests/e2e/conversations/sidecar.yaml");
    let started = Stack::builder().sidecar_config(sidecar).filter_config(|config| {
        config["budgets"] = json!({});
        config["conversations"] = json!([{"match": {"workspaces": ["kept", "ours", "support"]}}]);
    });
    let stack = started.start().await.unwrap();
    let budget = json!({
        "name": "the page's requests", "subject": {"workspace": "console"}, "unit": "requests", "period": "day",
        "amount": "10", "thresholds": [60, 80],
    });
    stack.admin.post("/admin/v1/budgets", &budget).await.unwrap();
    stack
}

/// Runs a script, and does to the system what its lines ask for.
async fn run(script: &str, stack: &mut Stack, more: Value) {
    let repository = Repository::here();
    let folder = repository.root().join("tests/console");
    let requirements = std::fs::read_to_string(folder.join("requirements.txt")).unwrap();
    let packages: Vec<&str> = requirements.lines().collect();
    let venv = Venv::with(&repository, "console", &packages, &Silent).unwrap();
    let mut settings = json!({
        "chromium": CHROMIUM.program(&repository, &Silent).unwrap(),
        "sidecar": stack.sidecar,
        "gateway": stack.gateway,
        "token": stack.admin_token,
    });
    let all = settings.as_object_mut().unwrap();
    all.extend(more.as_object().unwrap().clone());
    let mut child = Command::new(venv.python())
        .arg(folder.join(script))
        .arg(settings.to_string())
        // A proxy of the machine is not for the loopback interface.
        .env("NO_PROXY", "*")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = child.stdin.take().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        match line.unwrap().as_str() {
            "kill sidecar" => stack.kill_sidecar().unwrap(),
            "start sidecar" => stack.start_sidecar().await.unwrap(),
            other => println!("{script}: {other}"),
        }
        // A script that has ended needs no answer.
        let _ = answers.write_all(b"done\n");
    }
    assert!(child.wait().unwrap().success(), "{script} failed, see above");
}

#[tokio::test]
async fn an_operator_creates_watches_and_revokes_a_key_and_outlives_the_sidecar() {
    let mut stack = start().await;
    run("work.py", &mut stack, json!({})).await;
}

#[tokio::test]
async fn operators_tokens_and_workspaces_are_managed_and_take_effect_at_once() {
    let mut stack = start().await;
    run("people.py", &mut stack, json!({})).await;
}

#[tokio::test]
async fn limits_are_managed_and_hold_at_the_gateway_and_budgets_are_raised() {
    let mut stack = start().await;
    run("limits.py", &mut stack, json!({})).await;
}

#[tokio::test]
async fn prices_are_set_to_their_last_digit_and_hold_at_the_gateway() {
    let mut stack = start().await;
    run("prices.py", &mut stack, json!({})).await;
}

#[tokio::test]
async fn conversations_are_read_as_text_and_deleted() {
    let mut stack = start().await;
    run("conversations.py", &mut stack, json!({})).await;
}

#[tokio::test]
async fn nobody_is_offered_what_would_be_refused() {
    let mut stack = start().await;
    run("access.py", &mut stack, json!({})).await;
}

/// Has workspaces, keys, budgets and calls, so that there is something to see: answers, refusals, a bar of each colour.
async fn use_it(stack: &Stack) {
    const MODELS: [&str; 3] = ["gpt-4o", "gpt-4o-mini", "gpt-4.1"];
    let workspaces = [
        ("research", "ada", 19),
        ("support", "helpdesk", 15),
        ("platform", "grace", 8),
        ("growth", "linus", 24),
    ];
    for (workspace, user, calls) in workspaces {
        let budget = json!({
            "name": format!("Calls of {workspace}"), "subject": {"workspace": workspace}, "unit": "requests",
            "period": "week", "amount": "24",
        });
        let budget = stack.admin.post("/admin/v1/budgets", &budget).await.unwrap();
        let path = format!("/admin/v1/budgets/{}", budget["id"].as_str().unwrap());
        let key = json!({"name": format!("{user}'s"), "workspace": workspace, "user": user});
        let (_, key) = stack.admin.create_key(&key).await.unwrap();
        let call = async |n: usize| {
            let mut body = chat(&format!("echo {}", "a word or two ".repeat(1 + n * 7 % 40)));
            body["model"] = json!(MODELS[n % MODELS.len()]);
            post(stack, CHAT, &key, &body).await.unwrap()
        };
        let request = stack.http.post(format!("{}{CHAT}", stack.gateway));
        let request = request
            .bearer_auth(&key)
            .header("x-tollgate-conversation", "ticket-4711");
        let answer = send(request.json(&chat("echo How do I raise a budget?")))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        // The gateway hears of a new budget within two seconds.
        wait::until(SETTLED, "no call is charged to the budget", async || {
            call(0).await;
            let budget = stack.admin.get(&path).await?;
            Ok((budget["spent"] != json!("0")).then_some(()))
        })
        .await
        .unwrap();
        let mut last = call(1).await;
        for n in 2..calls {
            last = call(n).await;
        }
        event(stack, &last).await.unwrap();
    }
    for (name, count, amount, workspace) in [
        ("research-per-key", "requests", 600, "research"),
        ("support-tokens", "tokens", 200_000, "support"),
    ] {
        let limit = json!({
            "name": name, "count": count, "amount": amount, "period": "1m", "per": ["key"],
            "match": {"workspaces": [workspace]},
        });
        stack.admin.post("/admin/v1/limits", &limit).await.unwrap();
    }
    for (path, body) in [
        (
            "prices",
            json!({"id": "our-finetune", "price": {"input_cost_per_token": 3e-7, "output_cost_per_token": 1.2e-6}}),
        ),
        (
            "prices",
            json!({"id": "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", "price": {
                "input_cost_per_token": 3e-6, "output_cost_per_token": 1.5e-5, "cache_read_input_token_cost": 3e-7,
                "cache_creation_input_token_cost": 3.75e-6, "max_output_tokens": 64_000,
            }}),
        ),
        (
            "moderation/policies",
            json!({"id": "projects", "policy": {"rules": [
                {"name": "names", "category": "confidential", "action": "block", "words": ["project nightingale"]},
            ]}}),
        ),
        (
            "webhooks",
            json!({"url": "http://127.0.0.1:1/hooks/tollgate/budgets", "kinds": ["budget.threshold"]}),
        ),
        (
            "operators",
            json!({"name": "ada", "password": "a long enough password", "roles": {"*": "admin"}}),
        ),
        (
            "operators",
            json!({"name": "grace.hopper@example.com", "roles": {"research": "admin", "support": "member", "growth": "viewer"}}),
        ),
        (
            "tokens",
            json!({"name": "nightly export", "role": "viewer", "scopes": ["events:read", "stats:read"]}),
        ),
    ] {
        stack
            .admin
            .post(&format!("/admin/v1/{path}"), &body)
            .await
            .unwrap();
    }
    for key in ["expired", "paused"] {
        let answer = post(stack, CHAT, stack.key(key), &chat("echo a")).await.unwrap();
        event(stack, &answer).await.unwrap();
    }
}

#[tokio::test]
async fn every_view_is_accessible_keeps_its_policy_and_fits_its_screen() {
    let mut stack = start().await;
    use_it(&stack).await;
    let shots = std::env::var("TOLLGATE_SCREENSHOTS").ok();
    run("views.py", &mut stack, json!({ "shots": shots })).await;
}
