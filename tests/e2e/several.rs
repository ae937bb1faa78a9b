//! Several Envoys and several sidecars on one ledger, as `cargo xtask up` runs them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use tollgate_stack::admin::Admin;
use tollgate_stack::ports::Size;
use tollgate_stack::{Part, Stack, process, wait};
use tollgate_tests::up::Up;
use tollgate_tests::{SETTLED, chat, send};

const CHAT: &str = "/v1/chat/completions";
const PATIENCE: Duration = Duration::from_secs(15);

/// The status of a call through a gateway with a key.
async fn call(gateway: &str, key: &str) -> u16 {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{gateway}{CHAT}")).bearer_auth(key);
    send(request.json(&chat("echo a"))).await.unwrap().status
}

#[tokio::test]
async fn two_gateways_and_two_sidecars_share_one_ledger_in_postgres() {
    let size = Size {
        gateways: 2,
        sidecars: 2,
        postgres: true,
    };
    let arguments = ["--gateways", "2", "--sidecars", "2", "--ledger", "postgres"];
    let up = Up::start(size, &arguments).unwrap();
    assert_eq!((up.file.gateways.len(), up.file.sidecars.len()), (2, 2));
    assert_eq!(
        (&up.file.gateways[0], &up.file.sidecars[0]),
        (&up.file.gateway, &up.file.sidecar)
    );
    let names: Vec<&str> = up.file.pids.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["envoy", "envoy-2", "mock", "postgres", "sidecar", "sidecar-2"]
    );

    // Made through one sidecar, used on both gateways, and accounted for by the other.
    let admins: Vec<Admin> = up
        .file
        .sidecars
        .iter()
        .map(|sidecar| Admin::new(sidecar, &up.file.admin_token).unwrap())
        .collect();
    let (_, key) = admins[1]
        .create_key(&json!({"name": "shared", "workspace": "shared"}))
        .await
        .unwrap();
    for gateway in &up.file.gateways {
        assert_eq!(call(gateway, &key).await, 200, "{gateway}");
    }
    let seen_by = wait::until(SETTLED, "both gateways' events", async || {
        let events = admins[0].events("workspace=shared").await?;
        let gateways = events.iter().map(|event| event["gateway_id"].to_string());
        Ok(Some(gateways.collect::<BTreeSet<_>>()).filter(|gateways| gateways.len() == 2))
    });
    let gateways = seen_by.await.unwrap();
    assert_eq!(Vec::from_iter(gateways), ["\"demo\"", "\"demo-2\""]);

    up.down().unwrap();
    for (program, pid) in up.file.processes() {
        assert!(!process::runs(pid, program), "{program} ({pid}) still runs");
    }
}

#[tokio::test]
async fn a_dead_sidecar_is_left_alone_while_another_lives() {
    let mut stack = Stack::builder().sidecars(2).start().await.unwrap();
    stack.kill(Part::Sidecar(0)).unwrap();
    wait::until(PATIENCE, "the dead sidecar is still asked", async || {
        let healthy = stack
            .envoy_stat("cluster.tollgate_sidecar.membership_healthy")
            .await?;
        Ok((healthy == 1).then_some(()))
    })
    .await
    .unwrap();
    // Each key is new to the gateway, so each call asks a sidecar.
    let admin = stack.admin_of(1).unwrap();
    for number in 0..20 {
        let spec = json!({"name": format!("k{number}"), "workspace": "unlimited"});
        let (_, key) = admin.create_key(&spec).await.unwrap();
        assert_eq!(call(&stack.gateway, &key).await, 200, "key {number}");
    }

    stack.restart(Part::Sidecar(0)).await.unwrap();
    wait::until(PATIENCE, "the sidecar that is back is not asked", async || {
        let healthy = stack
            .envoy_stat("cluster.tollgate_sidecar.membership_healthy")
            .await?;
        Ok((healthy == 2).then_some(()))
    })
    .await
    .unwrap();
}
