use super::*;

/// A filter as it should be, around a configuration.
fn plugin(configuration: &str) -> String {
    format!(
        r#"
http_filters:
  - name: tollgate
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
      config:
        root_id: tollgate
        failure_policy: FAIL_RELOAD
        allow_on_headers_stop_iteration: true
        vm_config: {{ vm_id: tollgate, runtime: envoy.wasm.runtime.v8 }}
        configuration: {configuration}
"#
    )
}

fn findings(yaml: &str) -> Vec<String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    check(&documents).iter().map(ToString::to_string).collect()
}

const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";
const STRING: &str = "type.googleapis.com/google.protobuf.StringValue";

#[test]
fn a_good_configuration_has_no_findings() {
    let given = format!(r#"{{ "@type": "{STRUCT}", value: {{ gateway_id: a }} }}"#);
    assert_eq!(findings(&plugin(&given)), [""; 0]);
}

#[test]
fn a_configuration_may_stand_in_a_string() {
    let given = format!(r#"{{ "@type": "{STRING}", value: '{{"gateway_id": "a"}}' }}"#);
    assert_eq!(findings(&plugin(&given)), [""; 0]);
}

#[test]
fn a_fault_is_told_with_both_paths() {
    let given = format!(r#"{{ "@type": "{STRUCT}", value: {{ limits: [{{ name: 7 }}] }} }}"#);
    let told = findings(&plugin(&given)).join("\n");
    assert!(
        told.contains("error: http_filters[0].typed_config.config.configuration: limits[0]"),
        "{told}"
    );
}

#[test]
fn a_configuration_of_another_type_is_a_fault() {
    let told = findings(&plugin("{ gateway_id: a }")).join("\n");
    assert!(
        told.starts_with("error: ") && told.contains("google.protobuf.Struct"),
        "{told}"
    );
}

#[test]
fn a_file_without_the_filter_is_a_fault() {
    assert_eq!(findings("admin: {}").len(), 1);
}

#[test]
fn every_host_setting_that_lacks_is_named() {
    let given = format!(r#"{{ "@type": "{STRUCT}", value: {{}} }}"#);
    let yaml = plugin(&given)
        .replace("FAIL_RELOAD", "FAIL_CLOSED")
        .replace("allow_on_headers_stop_iteration: true", "x: 1")
        .replace("vm_id: tollgate", "vm_id: ''");
    let told = findings(&yaml).join("\n");
    for setting in [
        "allow_on_headers_stop_iteration",
        "failure_policy",
        "vm_config.vm_id",
    ] {
        assert!(
            told.contains(&format!(
                "warning: http_filters[0].typed_config.config.{setting}: "
            )),
            "{told}"
        );
    }
}

/// A bootstrap as it should be.
fn bootstrap() -> String {
    let given =
        format!(r#"{{ "@type": "{STRUCT}", value: {{ bodies: {{ max_request_bytes: 2097152 }} }} }}"#);
    let filters = plugin(&given).replace('\n', "\n                ");
    let tags: Vec<String> = [
        "workspace",
        "model",
        "provider",
        "status",
        "reason",
        "limit",
        "call",
        "worker",
    ]
    .iter()
    .map(|label| format!("{{ tag_name: {label}, regex: '(;{label}=([^;]+))' }}"))
    .collect();
    format!(
        r#"
stats_config: {{ stats_tags: [{}] }}
static_resources:
  listeners:
    - per_connection_buffer_limit_bytes: 2097152
      filter_chains:
        - filters:
            - typed_config:
                {filters}
                route_config: {{ virtual_hosts: [{{ routes: [{{ route: {{ cluster: a }} }}] }}] }}
"#,
        tags.join(", ")
    )
}

#[test]
fn a_good_bootstrap_has_no_findings() {
    assert_eq!(findings(&bootstrap()), [""; 0]);
}

#[test]
fn every_setting_around_the_filter_that_is_wrong_is_named() {
    let listener = "static_resources.listeners[0]";
    let manager = format!("{listener}.filter_chains[0].filters[0].typed_config");
    for (from, to, path) in [
        (
            "bytes: 2097152\n ",
            "bytes: 2097151\n ",
            format!("{listener}.per_connection_buffer_limit_bytes"),
        ),
        (
            "    - per_connection_buffer_limit_bytes: 2097152\n      filter_chains",
            "    - filter_chains",
            format!("{listener}.per_connection_buffer_limit_bytes"),
        ),
        (
            "- name: tollgate\n",
            "- name: envoy.filters.http.lua\n                  - name: tollgate\n",
            format!("{manager}.http_filters[1]"),
        ),
        (
            "cluster: a",
            "cluster: a, retry_policy: { num_retries: 1 }",
            format!("{manager}.route_config.virtual_hosts[0].routes[0].route.retry_policy"),
        ),
        (
            "route_config:",
            "upgrade_configs: [{ upgrade_type: websocket }]\n                route_config:",
            format!("{manager}.upgrade_configs"),
        ),
        (
            "tag_name: worker",
            "tag_name: w",
            "stats_config.stats_tags".to_owned(),
        ),
    ] {
        let good = bootstrap();
        assert!(good.contains(from), "{from} is not in\n{good}");
        let told = findings(&good.replacen(from, to, 1));
        assert_eq!(told.len(), 1, "{from}: {told:?}");
        assert!(told[0].starts_with(&format!("warning: {path}: ")), "{told:?}");
    }
}

#[test]
fn a_jwt_filter_may_stand_before_it() {
    let before = "- name: envoy.filters.http.jwt_authn\n                  - name: tollgate\n";
    let told = findings(&bootstrap().replacen("- name: tollgate\n", before, 1));
    assert_eq!(told, [""; 0]);
}

#[test]
fn the_names_of_json_are_read_too() {
    assert_eq!(
        camel_case("allow_on_headers_stop_iteration"),
        "allowOnHeadersStopIteration"
    );
}
