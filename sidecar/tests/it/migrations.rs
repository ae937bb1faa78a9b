//! Migrations: a ledger of an earlier version comes up to date with all that is in it.

use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::money::{ask, charging};
use super::support::{Sidecar, new_database, yaml};
use crate::database;

/// A key of the first version, by its hash as an engine writes bytes.
macro_rules! insert_key {
    ($sha256:literal) => {
        concat!(
            "INSERT INTO keys (id, sha256, prefix, name, workspace, user_id, models, status, environment, created_at, \
                updated_at, version) VALUES ('key_old', ",
            $sha256,
            ", 'p', 'n', 'keyed', 'ann', '[]', 'active', 'live', 7, 7, 1)"
        )
    };
}

#[tokio::test]
async fn sums_over_a_long_period_are_those_of_its_days_after_the_migration() {
    let folder = TempDir::new().unwrap();
    let database = new_database(folder.path()).await;
    database::migrate_to(&database, 17).await;
    // Eight dollars and a bit more in each of sixty days; what a mistaken gateway charged in the first.
    macro_rules! sixty_days {
        ($no_latencies:literal) => {
            concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT day + 1 FROM days WHERE day < 59) \
                 INSERT INTO rollups SELECT 86400000, 'total', '', 1767225600000 + day * 86400000, '', 2, 1, 0, 30, 4, \
                 CASE WHEN day = 0 THEN 9223372036854775807 ELSE 8000000001 END, ",
                $no_latencies,
                " FROM days"
            )
        };
    }
    let insert = match database.starts_with("postgres") {
        true => sixty_days!(r"'\x'::bytea"),
        false => sixty_days!("x''"),
    };
    database::execute(&database, insert).await;
    let sidecar = Sidecar::start_on(&database).await;
    let stats = |from: &str| format!("/admin/v1/stats?from={from}T00:00:00Z&to=2026-03-02T00:00:00Z");
    let all = sidecar.get(&stats("2026-01-01")).await["totals"][0].clone();
    assert_eq!(
        (&all["requests"], &all["refusals"]),
        (&json!(120), &json!(60)),
        "{all}"
    );
    assert_eq!(
        (&all["input_tokens"], &all["output_tokens"]),
        (&json!(1_800), &json!(240))
    );
    let later = sidecar.get(&stats("2026-01-03")).await["totals"][0].clone();
    assert_eq!(
        (&later["requests"], &later["cost_usd"]),
        (&json!(116), &json!("464.000000058")),
        "{later}"
    );
}

#[tokio::test]
async fn a_ledger_of_the_first_version_keeps_its_keys_and_events() {
    let folder = TempDir::new().unwrap();
    let database = new_database(folder.path()).await;
    database::migrate_to(&database, 1).await;
    let insert = "INSERT INTO events (seq, event_id, request_id, time, workspace, stream, status, input_tokens, \
        output_tokens, cached_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, usage_status, \
        cost_nanousd, price_fallback, latency_ms, request_bytes, response_bytes, gateway_id, would_refuse) \
        VALUES (1, 'old', 'r', 1767323045678, 'acme', TRUE, 200, 1, 2, 0, 0, 0, 'complete', 3, FALSE, 4, 5, 6, 'gw', '[]')";
    database::execute(&database, insert).await;
    database::execute(&database, "UPDATE counters SET value = 1 WHERE name = 'event'").await;
    let insert = if database.starts_with("postgres://") {
        insert_key!("'\\x61'")
    } else {
        insert_key!("x'61'")
    };
    database::execute(&database, insert).await;

    let file = folder.path().join("sidecar.yaml");
    std::fs::write(&file, yaml(&database, "")).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_tollgate-sidecar"))
        .args(["migrate", "--config", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite")).unwrap();
    assert_eq!(database::migrations(&database).await, files.count() as i64);

    let sidecar = Sidecar::start_on(&database).await;
    let stats = sidecar
        .get("/admin/v1/stats?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z")
        .await;
    assert_eq!(
        stats["totals"][0]["output_tokens"], 2,
        "it is in the statistics: {stats}"
    );
    let workspaces = sidecar.get("/admin/v1/workspaces").await["workspaces"].clone();
    assert_eq!(
        (&workspaces[0]["id"], &workspaces[0]["last_seen_at"]),
        (&json!("acme"), &json!("2026-01-02T03:04:05.678Z"))
    );
    assert_eq!(workspaces[1]["id"], "keyed", "{workspaces}");
    let users = sidecar.get("/admin/v1/users").await["users"].clone();
    assert_eq!(users[0]["user"], "ann", "{users}");
    sidecar
        .send_events(&[charging("old", json!([])), charging("new", json!([]))])
        .await;
    let events = sidecar.get("/admin/v1/events").await["events"].clone();
    assert_eq!(
        (&events[0]["event_id"], &events[0]["charges"]),
        (&json!("old"), &json!([]))
    );
    assert_eq!(events[1]["event_id"], "new");
    sidecar.create_budget(json!({})).await;
    assert_eq!(sidecar.lease(&ask("a", 1)).await["version"], 1);
}
