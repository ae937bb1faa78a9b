//! The JSON schemas take what the filter and the sidecar take, and refuse what they refuse, as editors would.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tollgate_stack::Repository;
use tollgate_stack::progress::Silent;
use tollgate_stack::python::Venv;

use super::read;

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap()
}

fn with(mut config: Value, path: &str, value: Value) -> Value {
    let (object, field) = path.rsplit_once('/').unwrap();
    config.pointer_mut(object).unwrap()[field] = value;
    config
}

#[test]
fn the_schemas_tell_good_configurations_from_bad_ones() {
    let schema = |path: &str| serde_json::from_str::<Value>(&read(path)).unwrap();
    let (filter, sidecar) = (
        schema("docs/tollgate.schema.json"),
        schema("docs/sidecar.schema.json"),
    );
    let chain = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0";
    let demo = yaml("envoy/envoy.yaml");
    let demo = demo
        .pointer(&format!("{chain}/typed_config/config/configuration/value"))
        .unwrap();
    let service = yaml("sidecar/sidecar.yaml");
    let case = |name: &str, schema: &Value, instance: Value, valid: bool| json!({"name": name, "schema": schema, "instance": instance, "valid": valid});
    let litellm = json!({"m": {"input_cost_per_token": 1e-6, "supports_vision": true, "max_tokens": null}});
    let cases = [
        case("nothing", &filter, json!({}), true),
        case("the demo's", &filter, demo.clone(), true),
        case(
            "LiteLLM's fields",
            &filter,
            json!({"prices": {"catalogue": litellm}}),
            true,
        ),
        case(
            "a range",
            &filter,
            json!({"validation": [{"rules": {"parameters": {"n": {"max": 2}}}}]}),
            true,
        ),
        case(
            "no price",
            &filter,
            json!({"prices": {"unknown_model": "deny"}}),
            true,
        ),
        case(
            "an unknown field",
            &filter,
            with(demo.clone(), "/sidecar/tmeout", json!("1s")),
            false,
        ),
        case(
            "an unknown algorithm",
            &filter,
            with(demo.clone(), "/limits/0/algorithm", json!("leaky")),
            false,
        ),
        case(
            "no span",
            &filter,
            with(demo.clone(), "/limits/0/period", json!("soon")),
            false,
        ),
        case(
            "nothing to count",
            &filter,
            json!({"limits": [{"name": "a", "amount": 1}]}),
            false,
        ),
        case("the demo's sidecar", &sidecar, service.clone(), true),
        case(
            "an unknown setting",
            &sidecar,
            with(service.clone(), "/log/colour", json!("blue")),
            false,
        ),
        case(
            "no action",
            &sidecar,
            with(
                service,
                "/moderation/policies/default/categories/x",
                json!("shout"),
            ),
            false,
        ),
    ];

    let repository = Repository::here();
    let folder = repository.root().join("tests/schema");
    let requirements = std::fs::read_to_string(folder.join("requirements.txt")).unwrap();
    let packages: Vec<&str> = requirements.lines().collect();
    let venv = Venv::with(&repository, "schema", &packages, &Silent).unwrap();
    let mut python = Command::new(venv.python())
        .arg(folder.join("check.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = serde_json::to_vec(&cases).unwrap();
    python.stdin.take().unwrap().write_all(&input).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
