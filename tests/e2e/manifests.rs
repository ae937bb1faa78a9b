//! The Kubernetes manifests: the Envoy configuration in them runs, and serves.
//!
//! No cluster is at hand. What Istio and Envoy Gateway do with a manifest is done here, on the demo's bootstrap with
//! nothing but a router in its chain; names, files and addresses that only a cluster has are exchanged.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tollgate_stack::progress::Silent;
use tollgate_stack::{Filter, Repository, Stack};
use tollgate_tests::{chat, event, post, received_header, send};

const CHAT: &str = "/v1/chat/completions";
const LISTENER: &str = "/static_resources/listeners/0";
const CLUSTERS: &str = "/static_resources/clusters";
const MANAGER: &str = "/filter_chains/0/filters/0";
const ROUTER: &str = "envoy.filters.http.router";

/// What the demo's bootstrap has and a cluster brings along.
struct Cluster {
    wasm: Value,
    sidecar: Value,
}

fn documents(file: &str) -> Vec<Value> {
    let path = Repository::here().root().join(file);
    serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn of_kind(documents: &[Value], kind: &str) -> Value {
    let found = documents.iter().find(|document| document["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}"))["spec"].clone()
}

fn at<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    value.pointer_mut(path).unwrap_or_else(|| panic!("no {path}"))
}

/// Takes out of the demo's bootstrap what a manifest has to bring.
fn bare(bootstrap: &mut Value) -> Cluster {
    let listener = at(bootstrap, LISTENER);
    listener
        .as_object_mut()
        .unwrap()
        .remove("per_connection_buffer_limit_bytes");
    let manager = at(listener, &format!("{MANAGER}/typed_config"));
    for setting in [
        "normalize_path",
        "merge_slashes",
        "path_with_escaped_slashes_action",
    ] {
        manager.as_object_mut().unwrap().remove(setting);
    }
    let filters = manager["http_filters"].as_array_mut().unwrap();
    let ours = filters.remove(0);
    assert_eq!((filters.len(), &filters[0]["name"]), (1, &json!(ROUTER)));
    let clusters = list(bootstrap, CLUSTERS);
    let sidecar = clusters.remove(0);
    assert_eq!(sidecar["name"], "tollgate_sidecar");
    for provider in clusters {
        // Their credentials, which the manifests put in elsewhere.
        provider
            .as_object_mut()
            .unwrap()
            .remove("typed_extension_protocol_options");
    }
    Cluster {
        wasm: ours["typed_config"]["config"]["vm_config"]["code"].clone(),
        sidecar,
    }
}

/// What stands for the operator's own in the filter: where its code is, and the token of the demo's sidecar.
fn settle_in(filter: &mut Value, cluster: &Cluster) {
    *at(filter, "/config/vm_config/code") = cluster.wasm.clone();
    let token = at(filter, "/config/configuration/value/sidecar/token");
    assert_eq!(*token, "replace-with-the-gateway-token");
    *token = json!("demo-gateway-token");
}

/// As protocol buffers are merged: fields of messages one by one, everything else replaced.
fn merge(target: &mut Value, value: &Value) {
    match (target, value) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, field) in fields {
                merge(into.entry(name.clone()).or_insert(Value::Null), field);
            }
        }
        (target, value) => *target = value.clone(),
    }
}

/// A cluster of the sidecar by another name, where the demo's is.
fn sidecar_named(cluster: &Cluster, name: &Value) -> Value {
    let mut sidecar = cluster.sidecar.clone();
    sidecar["name"] = name.clone();
    sidecar
}

fn list<'a>(value: &'a mut Value, path: &str) -> &'a mut Vec<Value> {
    at(value, path).as_array_mut().unwrap()
}

/// What Istio does with an `EnvoyFilter`; the resource that it would serve by ADS is read from `folder`.
fn apply_istio(bootstrap: &mut Value, spec: &Value, folder: &Path) {
    let cluster = bare(bootstrap);
    for entry in spec["configPatches"].as_array().unwrap() {
        let value = entry["patch"]["value"].clone();
        let kind = entry["applyTo"].as_str().unwrap();
        match (kind, entry["patch"]["operation"].as_str().unwrap()) {
            ("LISTENER", "MERGE") => merge(at(bootstrap, LISTENER), &value),
            ("NETWORK_FILTER", "MERGE") => merge(at(at(bootstrap, LISTENER), MANAGER), &value),
            ("HTTP_FILTER", operation) => {
                let filters = list(at(at(bootstrap, LISTENER), MANAGER), "/typed_config/http_filters");
                let place = match operation {
                    "INSERT_FIRST" => 0,
                    "INSERT_BEFORE" => {
                        let before =
                            &entry["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"];
                        filters
                            .iter()
                            .position(|filter| filter["name"] == *before)
                            .unwrap()
                    }
                    other => panic!("not known to this test: {other}"),
                };
                filters.insert(place, with_files(value, folder));
            }
            ("EXTENSION_CONFIG", "ADD") => {
                let name =
                    value["typed_config"]["config"]["configuration"]["value"]["sidecar"]["cluster"].clone();
                list(bootstrap, CLUSTERS).push(sidecar_named(&cluster, &name));
                let mut resource = value;
                settle_in(&mut resource["typed_config"], &cluster);
                resource["@type"] = json!("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig");
                let file = json!({"resources": [resource]}).to_string();
                std::fs::write(folder.join("tollgate.json"), file).unwrap();
            }
            other => panic!("not known to this test: {other:?}"),
        }
    }
}

/// A filter whose parts are read from files that are here.
fn with_files(mut filter: Value, folder: &Path) -> Value {
    if let Some(source) = filter.pointer_mut("/config_discovery/config_source") {
        assert_eq!(source["ads"], json!({}));
        let path = folder.join("tollgate.json");
        *source = json!({"resource_api_version": "V3", "path_config_source": {"path": path}});
    }
    if let Some(path) = filter
        .pointer_mut("/typed_config/credential/typed_config/credential/sds_config/path_config_source/path")
    {
        *path = json!(
            path.as_str()
                .unwrap()
                .replace("/etc/tollgate/secrets", "envoy/secrets")
        );
    }
    filter
}

/// What Envoy Gateway does with an `EnvoyPatchPolicy`: JSON patches of the resources that it has made.
fn apply_gateway(bootstrap: &mut Value, spec: &Value) {
    let cluster = bare(bootstrap);
    let listener = at(bootstrap, LISTENER);
    // As Envoy Gateway makes a listener without TLS.
    listener["default_filter_chain"] = listener["filter_chains"].as_array_mut().unwrap().remove(0);
    for patch in spec["jsonPatches"].as_array().unwrap() {
        let operation = &patch["operation"];
        assert_eq!(operation["op"], "add");
        let (path, mut value) = (operation["path"].as_str().unwrap(), operation["value"].clone());
        match patch["type"].as_str().unwrap().rsplit('.').next().unwrap() {
            "Listener" => {
                settle_in(&mut value["typed_config"], &cluster);
                let (place, index) = path.rsplit_once('/').unwrap();
                list(at(bootstrap, LISTENER), place).insert(index.parse().unwrap(), value);
            }
            "Cluster" => {
                assert_eq!((path, &value["name"]), ("", &patch["name"]));
                let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
                *at(&mut value, endpoint) = cluster.sidecar.pointer(endpoint).unwrap().clone();
                list(bootstrap, CLUSTERS).push(value);
            }
            other => panic!("not known to this test: {other}"),
        }
    }
}

/// Nobody without a key; with one an answer, metered under the gateway's name, under the manifest's limits.
async fn serves(stack: &Stack, gateway: &str) {
    let stranger = send(
        stack
            .http
            .post(format!("{}{CHAT}", stack.gateway))
            .json(&chat("a")),
    )
    .await
    .unwrap();
    assert_eq!(
        (stranger.status, stranger.error_code().as_str()),
        (401, "invalid_api_key")
    );
    let answer = post(stack, CHAT, stack.key("unlimited"), &chat("echo a"))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-ratelimit-limit-requests"), "60");
    let event = event(stack, &answer).await.unwrap();
    assert_eq!(
        (&event["gateway_id"], &event["usage_status"]),
        (&json!(gateway), &json!("complete"))
    );
}

#[tokio::test]
async fn the_configuration_in_istios_manifest_serves() {
    let spec = of_kind(&documents("envoy/istio/tollgate.yaml"), "EnvoyFilter");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let stack = Stack::builder().envoy_config(move |bootstrap| apply_istio(bootstrap, &spec, &path));
    let stack = stack.start().await.unwrap();
    serves(&stack, "egress").await;

    let received = stack.mock.requests().await.unwrap().remove(0);
    let secret = &documents("envoy/secrets/openai.yaml")[0]["resources"][0]["generic_secret"]["secret"];
    let credential = format!("Bearer {}", secret["inline_string"].as_str().unwrap());
    assert_eq!(received_header(&received, "authorization").unwrap(), [credential]);

    // What the manifest asks of the listener: room for large bodies, one spelling a path.
    let large = post(
        &stack,
        CHAT,
        stack.key("unlimited"),
        &chat(&"word ".repeat(400_000)),
    )
    .await
    .unwrap();
    assert_eq!(large.status, 200, "{}", large.text());
    let escaped = stack.http.get(format!("{}/v1%2Fmodels", stack.gateway));
    assert_eq!(
        send(escaped.bearer_auth(stack.key("unlimited")))
            .await
            .unwrap()
            .status,
        400
    );
}

#[tokio::test]
async fn the_configuration_in_envoy_gateways_manifest_serves() {
    let spec = of_kind(&documents("envoy/gateway/tollgate.yaml"), "EnvoyPatchPolicy");
    let stack = Stack::builder().envoy_config(move |bootstrap| apply_gateway(bootstrap, &spec));
    serves(&stack.start().await.unwrap(), "llm").await;
}

#[test]
fn the_sidecar_takes_the_environment_that_manifests_and_containers_give_it() {
    let pods = documents("envoy/sidecar-kubernetes.yaml");
    let pod = of_kind(&pods, "StatefulSet");
    let container = &pod["template"]["spec"]["containers"][0];
    let kubernetes: Vec<(String, String)> = container["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            // What a Secret holds is anything.
            let value = entry["value"].as_str().unwrap_or("from-a-secret");
            (entry["name"].as_str().unwrap().to_owned(), value.to_owned())
        })
        .collect();
    let compose = &documents("docker-compose.yml")[0]["services"]["sidecar"]["environment"];
    let compose: Vec<(String, String)> = compose
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let sidecar = Repository::here()
        .build(Filter::Shipped, &Silent)
        .unwrap()
        .sidecar;
    for environment in [kubernetes, compose] {
        assert!(!environment.is_empty());
        let checked = Command::new(&sidecar)
            .current_dir(Repository::here().root())
            .args(["check", "--config", "sidecar/sidecar.yaml"])
            .envs(environment)
            .output()
            .unwrap();
        assert!(
            checked.status.success(),
            "{}",
            String::from_utf8_lossy(&checked.stderr)
        );
    }
    let grace = pod["template"]["spec"]["terminationGracePeriodSeconds"]
        .as_u64()
        .unwrap();
    assert!(grace > 10, "the demo's shutdown_timeout is 10s");
}
