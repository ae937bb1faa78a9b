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

#[test]
fn the_names_of_json_are_read_too() {
    assert_eq!(
        camel_case("allow_on_headers_stop_iteration"),
        "allowOnHeadersStopIteration"
    );
}
