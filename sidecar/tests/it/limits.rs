//! Limits of the admin API, and the policy by which gateways hear of them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Sidecar, expect};

const LIMITS: &str = "/admin/v1/limits";

fn spec(name: &str, workspace: Option<&str>) -> Value {
    let mut spec = json!({"name": name, "count": "requests", "amount": 5, "period": "1m", "per": ["key"]});
    if let Some(workspace) = workspace {
        spec["match"] = json!({"workspaces": [workspace]});
    }
    spec
}

async fn create(sidecar: &Sidecar, spec: &Value) -> Value {
    expect(
        sidecar.admin(Method::POST, LIMITS, spec).await,
        StatusCode::CREATED,
    )
    .await
}

async fn policy(sidecar: &Sidecar) -> Value {
    expect(sidecar.gateway("/v1/policy", &json!({})).await, StatusCode::OK).await
}

async fn version(sidecar: &Sidecar) -> u64 {
    let told = sidecar.gateway("/v1/keys/changes", &json!({})).await;
    expect(told, StatusCode::OK).await["policy"].as_u64().unwrap()
}

/// What a reset of a limit is answered with.
async fn reset(sidecar: &Sidecar, path: &str, body: &Value) -> StatusCode {
    let path = format!("{LIMITS}/{path}/reset");
    sidecar.admin(Method::POST, &path, body).await.status()
}

#[tokio::test]
async fn gateways_are_told_every_change_of_a_limit() {
    let sidecar = Sidecar::start().await;
    assert_eq!(
        policy(&sidecar).await,
        json!({
            "version": 0, "limits": [], "resets": [], "prices": {}, "paused": {"workspaces": [], "users": {}},
        })
    );
    assert_eq!(version(&sidecar).await, 0);

    let made = create(&sidecar, &spec("per-key", None)).await;
    let path = format!("{LIMITS}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        (&made["algorithm"], &made["workspace"]),
        (&json!("token_bucket"), &Value::Null)
    );
    let told = policy(&sidecar).await;
    assert_eq!(told["version"], version(&sidecar).await);
    assert_eq!(told["limits"][0]["amount"], 5);

    let patch = json!({"amount": 9, "burst": 20, "mode": "shadow"});
    let changed = expect(sidecar.admin(Method::PATCH, &path, &patch).await, StatusCode::OK).await;
    assert_eq!(
        (&changed["amount"], &changed["period"]),
        (&json!(9), &json!("1m"))
    );
    let cleared = sidecar.admin(Method::PATCH, &path, &json!({"burst": null})).await;
    assert_eq!(expect(cleared, StatusCode::OK).await["burst"], Value::Null);
    let again = policy(&sidecar).await;
    assert!(again["version"].as_u64() > told["version"].as_u64());
    assert_eq!(
        (&again["limits"][0]["amount"], &again["limits"][0]["mode"]),
        (&json!(9), &json!("shadow"))
    );
    assert_eq!(again["limits"][0].get("burst"), None);

    let before = version(&sidecar).await;
    expect(
        sidecar.admin(Method::PATCH, &path, &json!({"amount": 9})).await,
        StatusCode::OK,
    )
    .await;
    assert_eq!(
        version(&sidecar).await,
        before,
        "what changes nothing is no change"
    );

    let deleted = sidecar.admin(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    assert_eq!(policy(&sidecar).await["limits"], json!([]));
    assert!(version(&sidecar).await > before);
    assert_eq!(
        sidecar.admin(Method::DELETE, &path, &Value::Null).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_gateways_would_refuse_is_refused_by_its_field() {
    let sidecar = Sidecar::start().await;
    create(&sidecar, &spec("taken", None)).await;
    for (change, pointer) in [
        (json!({"amount": 0}), "#/amount"),
        (json!({"period": "500ms"}), "#/period"),
        (json!({"period": "soon"}), "#/period"),
        (json!({"name": "a b"}), "#/name"),
        (json!({"per": ["key", "key"]}), "#/per"),
        (json!({"count": "apples"}), "#/count"),
        (json!({"slot_ttl": "1m"}), "#/slot_ttl"),
        (json!({"match": {"model": ["a"]}}), "#/match/model"),
        (
            json!({"match": {"workspaces": ["a\u{0}"]}}),
            "#/match/workspaces/0",
        ),
        (json!({"match": {"models": vec!["m".repeat(200); 25]}}), "#/match"),
    ] {
        let mut bad = spec("bad", None);
        bad.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let problem = sidecar.admin(Method::POST, LIMITS, &bad).await;
        let problem = expect(problem, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let twice = sidecar.admin(Method::POST, LIMITS, &spec("taken", None)).await;
    expect(twice, StatusCode::CONFLICT).await;
    let path = format!(
        "{LIMITS}/{}",
        create(&sidecar, &spec("other", None)).await["id"]
            .as_str()
            .unwrap()
    );
    let worse = sidecar.admin(Method::PATCH, &path, &json!({"amount": 0})).await;
    expect(worse, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(policy(&sidecar).await["limits"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn there_are_no_more_limits_than_a_gateway_takes() {
    let sidecar = Sidecar::start().await;
    for number in 0..128 {
        create(&sidecar, &spec(&format!("limit-{number}"), None)).await;
    }
    let more = sidecar.admin(Method::POST, LIMITS, &spec("one-more", None)).await;
    expect(more, StatusCode::CONFLICT).await;
}

#[tokio::test]
async fn a_change_is_for_the_version_that_it_names() {
    let sidecar = Sidecar::start().await;
    let made = create(&sidecar, &spec("per-key", None)).await;
    let path = format!("{LIMITS}/{}", made["id"].as_str().unwrap());
    let shown = sidecar.admin(Method::GET, &path, &Value::Null).await;
    let tag = shown.headers()["etag"].to_str().unwrap().to_owned();
    for (amount, expected) in [(6, StatusCode::OK), (7, StatusCode::PRECONDITION_FAILED)] {
        let request = sidecar
            .request(Method::PATCH, &path)
            .bearer_auth(super::support::ADMIN);
        let request = request.header("if-match", &tag).json(&json!({"amount": amount}));
        assert_eq!(request.send().await.unwrap().status(), expected);
    }
    let request = sidecar
        .request(Method::DELETE, &path)
        .bearer_auth(super::support::ADMIN);
    let stale = request.header("if-match", &tag).send().await.unwrap();
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(policy(&sidecar).await["limits"][0]["amount"], 6);
}

#[tokio::test]
async fn an_admin_of_a_workspace_has_only_its_limits() {
    let sidecar = Sidecar::start().await;
    let token = json!({"name": "t", "workspace": "own", "role": "admin"});
    let token = sidecar.admin(Method::POST, "/admin/v1/tokens", &token).await;
    let token = expect(token, StatusCode::CREATED).await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let ask = async |method: Method, path: &str, body: &Value| {
        let request = sidecar.request(method, path).bearer_auth(&token).json(body);
        request.send().await.unwrap()
    };
    let for_all = create(&sidecar, &spec("for-all", None)).await;
    let own = ask(Method::POST, LIMITS, &spec("own", Some("own"))).await;
    let own = expect(own, StatusCode::CREATED).await;
    for workspaces in [json!([]), json!(["other"]), json!(["own", "other"])] {
        let mut wide = spec("wide", None);
        wide["match"] = json!({"workspaces": workspaces});
        let wide = ask(Method::POST, LIMITS, &wide).await;
        assert_eq!(wide.status(), StatusCode::FORBIDDEN, "{workspaces}");
        let path = format!("{LIMITS}/{}", own["id"].as_str().unwrap());
        let widened = ask(
            Method::PATCH,
            &path,
            &json!({"match": {"workspaces": workspaces}}),
        )
        .await;
        assert_eq!(widened.status(), StatusCode::FORBIDDEN, "{workspaces}");
    }
    let path = format!("{LIMITS}/{}", for_all["id"].as_str().unwrap());
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        assert_eq!(
            ask(method, &path, &json!({})).await.status(),
            StatusCode::NOT_FOUND
        );
    }
    let by_name = ask(Method::POST, &format!("{LIMITS}/by-name/own/reset"), &json!({})).await;
    assert_eq!(
        by_name.status(),
        StatusCode::FORBIDDEN,
        "names are not those of a workspace"
    );
    let request = sidecar
        .request(Method::GET, LIMITS)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let listed = expect(request, StatusCode::OK).await;
    assert_eq!(listed["limits"].as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test]
async fn gateways_are_told_resets_while_they_matter() {
    let clock = tollgate_sidecar::clock::Clock::system();
    let sidecar = Sidecar::start_at(clock, "").await;
    let made = create(&sidecar, &spec("per-key", None)).await;
    let id = made["id"].as_str().unwrap().to_owned();
    for (body, expected) in [
        (
            json!({"subject": {"user": "ann"}}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (json!({"subject": {"key": ""}}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"subject": {}}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"subject": {"key": "key_1"}}), StatusCode::ACCEPTED),
        (json!({"subject": {"key": "key_2"}}), StatusCode::ACCEPTED),
        (json!({"subject": {"key": "key_1"}}), StatusCode::ACCEPTED),
    ] {
        assert_eq!(reset(&sidecar, &id, &body).await, expected, "{body}");
    }
    let anywhere = json!({"subject": {"workspace": "acme", "model": "gpt-4o"}});
    assert_eq!(
        reset(&sidecar, "by-name/of-a-file", &anywhere).await,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        reset(&sidecar, "by-name/no%20name", &json!({})).await,
        StatusCode::NOT_FOUND
    );
    let resets = policy(&sidecar).await["resets"].clone();
    let resets = resets.as_array().unwrap();
    let told: Vec<(&Value, &Value)> = resets
        .iter()
        .map(|one| (&one["limit"], &one["subject"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("per-key"), &json!({"key": "key_2"})),
            (&json!("per-key"), &json!({"key": "key_1"})),
            (&json!("of-a-file"), &anywhere["subject"]),
        ],
        "the newer one stands for the older one of the same subject"
    );
    assert!(resets.is_sorted_by_key(|one| one["generation"].as_u64().unwrap()));
    assert_eq!(reset(&sidecar, &id, &json!({})).await, StatusCode::ACCEPTED);
    let resets = policy(&sidecar).await["resets"].clone();
    assert_eq!(
        resets.as_array().unwrap().len(),
        2,
        "one for everybody stands for all of them: {resets}"
    );
    let audit = sidecar.get("/admin/v1/audit").await.to_string();
    assert!(
        audit.contains("limit.reset") && audit.contains("key_2"),
        "{audit}"
    );
}
