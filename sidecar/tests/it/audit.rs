//! The audit log: what is in it, and that a change by hand is found.

use std::process::{Command, Output};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::support::{ADMIN, Sidecar, event, expect, yaml};
use crate::database;

/// Makes and spends three budgets, so that there are six entries.
async fn six_entries(sidecar: &Sidecar) -> Vec<Value> {
    for name in ["a", "b", "c"] {
        let budget = json!({
            "name": name, "subject": {"workspace": name}, "unit": "usd", "period": "total", "amount": "1.00",
        });
        let response = sidecar.admin(Method::POST, "/admin/v1/budgets", &budget).await;
        let id = expect(response, StatusCode::CREATED).await["id"].clone();
        let mut spent = event(&format!("spends-{name}"), name);
        spent["charges"] = json!([{"budget_id": id, "reserved": 0, "charged": 1_000_000_000}]);
        sidecar.send_events(&[spent]).await;
    }
    let log = sidecar.get("/admin/v1/audit").await;
    log["entries"].as_array().unwrap().clone()
}

fn verify(database: &str) -> Output {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sidecar.yaml");
    std::fs::write(&file, yaml(database, "")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_tollgate-sidecar"))
        .args(["audit", "verify", "--config"])
        .arg(&file)
        .output()
        .unwrap()
}

/// What somebody with the database's password could do.
async fn tamper(database: &str, statement: &'static str) {
    let unlock = if database.starts_with("postgres://") {
        &["ALTER TABLE audit_log DISABLE TRIGGER USER"][..]
    } else {
        &[
            "DROP TRIGGER audit_log_is_not_changed",
            "DROP TRIGGER audit_log_is_not_shortened",
        ]
    };
    for statement in unlock.iter().copied().chain([statement]) {
        database::execute(database, statement).await;
    }
}

#[tokio::test]
async fn a_spent_budget_is_in_the_log_once() {
    let sidecar = Sidecar::start().await;
    let entries = six_entries(&sidecar).await;
    let told: Vec<_> = entries
        .iter()
        .filter(|entry| entry["action"] != "budget.create")
        .map(|entry| (entry["action"].clone(), entry["workspace"].clone()))
        .collect();
    assert_eq!(
        told,
        ["a", "b", "c"].map(|workspace| (json!("budget.spent"), json!(workspace)))
    );
    assert_eq!(entries[1]["detail"]["percent"], 100);
    let of_one = sidecar.get("/admin/v1/audit?workspace=b").await;
    assert_eq!(of_one["entries"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_row_that_is_changed_by_hand_is_named() {
    for (statement, broken) in [
        ("UPDATE audit_log SET detail = '{}' WHERE seq = 2", Some(2)),
        ("DELETE FROM audit_log WHERE seq = 2", Some(2)),
        ("DELETE FROM audit_log WHERE seq = 6", Some(6)),
        ("UPDATE audit_log SET actor = 'somebody' WHERE seq = 1", Some(1)),
        ("SELECT 1", None),
    ] {
        let mut sidecar = Sidecar::start().await;
        assert_eq!(six_entries(&sidecar).await.len(), 6);
        let database = sidecar.database().to_owned();
        sidecar.shut_down().await;
        tamper(&database, statement).await;
        let verified = verify(&database);
        let said = String::from_utf8([verified.stdout, verified.stderr].concat()).unwrap();
        match broken {
            Some(seq) => {
                assert_eq!(verified.status.code(), Some(1), "{statement}: {said}");
                assert!(
                    said.contains(&format!("broken at entry {seq}:")),
                    "{statement}: {said}"
                );
            }
            None => {
                assert_eq!(verified.status.code(), Some(0), "{said}");
                assert!(said.starts_with("6 entries, none changed"), "{said}");
            }
        }
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_an_entry() {
    let sidecar = Sidecar::start().await;
    six_entries(&sidecar).await;
    for statement in ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"] {
        let database = sidecar.database();
        let refused = if database.starts_with("postgres://") {
            let mut connection = PgConnection::connect(database).await.unwrap();
            connection.execute(statement).await.is_err()
        } else {
            let mut connection = SqliteConnection::connect(&format!("sqlite://{database}"))
                .await
                .unwrap();
            connection.execute(statement).await.is_err()
        };
        assert!(refused, "{statement}");
    }
}

#[tokio::test]
async fn a_change_is_told_with_who_and_how_it_was_before() {
    let sidecar = Sidecar::start().await;
    let key = sidecar
        .create_key(&json!({"name": "k", "workspace": "acme"}))
        .await;
    let path = format!("/admin/v1/keys/{}", key["id"].as_str().unwrap());
    let request = sidecar
        .request(Method::PATCH, &path)
        .bearer_auth(ADMIN)
        .header("user-agent", "a test");
    let edited = request.json(&json!({"models": ["gpt-4o"]})).send().await.unwrap();
    expect(edited, StatusCode::OK).await;
    let webhook = json!({"url": "https://example.com/hook"});
    let made = sidecar.admin(Method::POST, "/admin/v1/webhooks", &webhook).await;
    let secret = expect(made, StatusCode::CREATED).await["secret"].clone();

    let log = sidecar.get("/admin/v1/audit").await;
    let entries = log["entries"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["key.create", "key.edit", "webhook.create"]);
    let edit = &entries[1];
    assert_eq!(
        json!([
            edit["actor"],
            edit["address"],
            edit["user_agent"],
            edit["target"],
            edit["workspace"]
        ]),
        json!(["admin_token", "127.0.0.1", "a test", key["id"], "acme"])
    );
    assert_eq!(edit["detail"]["before"]["models"], json!([]));
    assert_eq!(edit["detail"]["after"]["models"], json!(["gpt-4o"]));
    for secret in [&key["key"], &secret] {
        assert!(!log.to_string().contains(secret.as_str().unwrap()), "{log}");
    }
}

#[tokio::test]
async fn what_is_refused_for_policy_is_told_once_and_other_refusals_are_not() {
    let sidecar = Sidecar::start().await;
    let codes = [
        "content_blocked",
        "rate_limit_exceeded",
        "model_not_allowed",
        "invalid_request",
        "budget_exceeded",
    ];
    let refused: Vec<Value> = codes
        .iter()
        .map(|code| {
            let mut refused = event(code, "acme");
            refused["error_code"] = json!(code);
            refused
        })
        .collect();
    for _ in 0..2 {
        sidecar.send_events(&refused).await;
    }
    let log = sidecar.get("/admin/v1/audit?workspace=acme").await;
    let told: Vec<_> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            json!([
                entry["actor"],
                entry["action"],
                entry["target"],
                entry["detail"]["code"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        ["content_blocked", "model_not_allowed", "budget_exceeded"].map(|code| json!([
            "gateway:gw-1",
            "request.refuse",
            format!("req-{code}"),
            code
        ]))
    );
}
