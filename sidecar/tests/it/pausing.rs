//! Workspaces and users that operators pause: what gateways are told of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Sidecar, event, expect};
use super::workspaces::{all, edit, make, resolve};

/// What gateways are told after a version: the version to ask after next, and the keys by id.
async fn changes(sidecar: &Sidecar, after: Option<u64>) -> (u64, Vec<Value>) {
    let response = sidecar
        .gateway("/v1/keys/changes", &json!({ "after": after }))
        .await;
    let fed = expect(response, StatusCode::OK).await;
    (
        fed["version"].as_u64().unwrap(),
        fed["keys"].as_array().unwrap().clone(),
    )
}

/// What gateways are told of all callers: the policy's version, and who is paused.
async fn held(sidecar: &Sidecar) -> (u64, Value) {
    let response = sidecar.gateway("/v1/policy", &json!({})).await;
    let mut policy = expect(response, StatusCode::OK).await;
    (policy["version"].as_u64().unwrap(), policy["paused"].take())
}

#[tokio::test]
async fn pausing_a_workspace_holds_its_keys_and_no_others_and_the_feed_tells_of_them() {
    let sidecar = Sidecar::start().await;
    let key = async |workspace: &str| {
        sidecar
            .create_key(&json!({"name": "k", "workspace": workspace}))
            .await
    };
    let (held, other, revoked) = (key("held").await, key("other").await, key("held").await);
    let paused = key("held").await;
    for (key, action) in [(&revoked, "revoke"), (&paused, "pause")] {
        let path = format!("/admin/v1/keys/{}/{action}", key["id"].as_str().unwrap());
        expect(
            sidecar.admin(Method::POST, &path, &json!({})).await,
            StatusCode::OK,
        )
        .await;
    }
    let (version, _) = changes(&sidecar, None).await;
    edit(&sidecar, "workspaces/held", json!({"display_name": "Held"})).await;
    assert_eq!(
        changes(&sidecar, Some(version)).await,
        (version, vec![]),
        "nothing for gateways"
    );

    edit(&sidecar, "workspaces/held", json!({"status": "paused"})).await;
    let (version, told) = changes(&sidecar, Some(version)).await;
    let ids: BTreeSet<&str> = told.iter().map(|key| key["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        BTreeSet::from([held["id"].as_str().unwrap(), paused["id"].as_str().unwrap()])
    );
    assert!(told.iter().all(|key| key["status"] == "paused"), "{told:?}");
    let late = key("held").await;
    for (key, status) in [
        (&held, "paused"),
        (&late, "paused"),
        (&revoked, "revoked"),
        (&other, "active"),
    ] {
        assert_eq!(resolve(&sidecar, key).await["status"], status);
    }
    let view = sidecar
        .get(&format!("/admin/v1/keys/{}", held["id"].as_str().unwrap()))
        .await;
    assert_eq!(view["status"], "active", "the key itself is not paused");

    let (version, _) = changes(&sidecar, Some(version)).await;
    edit(&sidecar, "workspaces/held", json!({"status": "active"})).await;
    let (_, told) = changes(&sidecar, Some(version)).await;
    assert_eq!(told.len(), 3);
    assert_eq!(resolve(&sidecar, &held).await["status"], "active");
    assert_eq!(
        resolve(&sidecar, &paused).await["status"],
        "paused",
        "its own pause stays"
    );
}

#[tokio::test]
async fn pausing_a_user_holds_the_keys_of_that_user_in_that_workspace() {
    let sidecar = Sidecar::start().await;
    let key = async |workspace: &str, user: &str| {
        sidecar
            .create_key(&json!({"name": "k", "workspace": workspace, "user": user}))
            .await
    };
    let (held, colleague, namesake) = (
        key("acme", "ann").await,
        key("acme", "bob").await,
        key("other", "ann").await,
    );
    let users = all(&sidecar, "users").await;
    let ann = users
        .iter()
        .find(|user| (&user["workspace"], &user["user"]) == (&json!("acme"), &json!("ann")))
        .unwrap();
    let path = format!("users/{}", ann["id"].as_str().unwrap());
    let (version, _) = changes(&sidecar, None).await;
    edit(
        &sidecar,
        &path,
        json!({"status": "paused", "display_name": "Ann"}),
    )
    .await;
    let (_, told) = changes(&sidecar, Some(version)).await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["id"], &told[0]["status"]),
        (&held["id"], &json!("paused"))
    );
    for key in [&colleague, &namesake] {
        assert_eq!(resolve(&sidecar, key).await["status"], "active");
    }
    let changed = edit(&sidecar, &path, json!({"status": "active", "display_name": null})).await;
    assert_eq!(changed["display_name"], json!(null));
    assert_eq!(resolve(&sidecar, &held).await["status"], "active");
}

#[tokio::test]
async fn gateways_are_told_who_is_paused_whether_they_have_keys_or_not() {
    let sidecar = Sidecar::start().await;
    let nobody = json!({"workspaces": [], "users": {}});
    make(&sidecar, "workspaces", json!({"id": "closed"})).await;
    let ann = make(&sidecar, "users", json!({"workspace": "open", "user": "ann"})).await;
    let ann = format!("users/{}", ann["id"].as_str().unwrap());
    let (before, told) = held(&sidecar).await;
    assert_eq!(told, nobody);

    for path in ["workspaces/closed", &ann] {
        edit(&sidecar, path, json!({"status": "paused"})).await;
    }
    let (version, told) = held(&sidecar).await;
    assert_eq!(
        told,
        json!({"workspaces": ["closed"], "users": {"open": ["ann"]}})
    );
    assert!(version > before, "gateways ask for a policy of another version");
    for path in ["workspaces/closed", &ann] {
        edit(
            &sidecar,
            path,
            json!({"status": "paused", "display_name": "A name"}),
        )
        .await;
    }
    assert_eq!(held(&sidecar).await.0, version, "nothing for gateways");

    edit(&sidecar, &ann, json!({"status": "active"})).await;
    let path = "/admin/v1/workspaces/closed";
    let deleted = sidecar.admin(Method::DELETE, path, &json!({})).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let (after, told) = held(&sidecar).await;
    assert_eq!(told, nobody);
    assert!(after > version);
}

#[tokio::test]
async fn so_many_are_paused_as_gateways_can_be_told_of_and_whoever_is_can_be_resumed() {
    let sidecar = Sidecar::start().await;
    // The longest in JSON that a user can be called: an escape of six bytes for each character.
    let events: Vec<Value> = (0..90)
        .map(|n| {
            let mut event = event(&format!("e{n}"), "acme");
            event["user"] = json!(format!("{n:02}{}", "\u{1}".repeat(510)));
            event
        })
        .collect();
    sidecar.send_events(&events).await;
    let (mut paused, mut refused) = (Vec::new(), Vec::new());
    for user in all(&sidecar, "users").await {
        let path = format!("/admin/v1/users/{}", user["id"].as_str().unwrap());
        let answer = sidecar
            .admin(Method::PATCH, &path, &json!({"status": "paused"}))
            .await;
        match answer.status() {
            StatusCode::OK => paused.push(path),
            StatusCode::CONFLICT => refused.push(path),
            other => panic!("{other}"),
        }
    }
    assert_eq!((paused.len(), refused.len()), (85, 5));
    assert_eq!(
        held(&sidecar).await.1["users"]["acme"].as_array().unwrap().len(),
        85
    );
    for (path, status) in [(&paused[0], "active"), (&refused[0], "paused")] {
        let answer = sidecar
            .admin(Method::PATCH, path, &json!({"status": status}))
            .await;
        expect(answer, StatusCode::OK).await;
    }
}

#[tokio::test]
async fn no_key_that_is_made_meanwhile_escapes_a_pause() {
    let sidecar = Arc::new(Sidecar::start().await);
    make(&sidecar, "workspaces", json!({"id": "busy"})).await;
    let tasks: Vec<_> = (0..12)
        .map(|i| {
            let sidecar = sidecar.clone();
            tokio::spawn(async move {
                if i == 6 {
                    edit(&sidecar, "workspaces/busy", json!({"status": "paused"})).await;
                }
                sidecar
                    .create_key(&json!({"name": "k", "workspace": "busy"}))
                    .await;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (_, told) = changes(&sidecar, Some(0)).await;
    assert_eq!(told.len(), 12);
    assert!(told.iter().all(|key| key["status"] == "paused"), "{told:?}");
}
