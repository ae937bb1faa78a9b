//! The committed reference is what the types say, and its examples are valid.

use std::collections::BTreeSet;
use std::process::Command;

use super::{File, files, filter_order, root, sidecar_order};
use serde_json::{Map, Value, json};

fn committed(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn generated(path: &str) -> String {
    let mut found = files().into_iter().filter(|file| file.path == path);
    found.next().unwrap().text
}

/// The examples of a page's generated part, each with the heading that it stands under.
fn examples(page: &str) -> Vec<(String, String)> {
    let (_, generated) = page.split_once("\n## All fields\n").unwrap();
    let mut sections = vec![("All fields", generated)];
    sections.extend(
        generated
            .split("\n## ")
            .skip(1)
            .map(|section| section.split_once('\n').unwrap()),
    );
    sections[0].1 = generated.split("\n## ").next().unwrap();
    sections
        .iter()
        .map(|(heading, section)| {
            let blocks: Vec<&str> = section
                .split("```yaml\n")
                .skip(1)
                .map(|rest| rest.split("```").next().unwrap())
                .collect();
            assert_eq!(blocks.len(), 1, "{heading}: a section has one example");
            (
                heading.trim_matches(['`', '[', ']']).to_owned(),
                blocks[0].to_owned(),
            )
        })
        .collect()
}

/// An example over the little that every configuration needs.
fn laid_over(needed: &Value, yaml: &str) -> Map<String, Value> {
    let mut whole = needed.as_object().unwrap().clone();
    whole.extend(serde_saphyr::from_str::<Map<String, Value>>(yaml).unwrap());
    whole
}

#[test]
fn the_committed_reference_is_up_to_date() {
    for File { path, text } in files() {
        assert!(
            committed(path) == text,
            "{path} is stale: `cargo xtask docs` writes it anew from the types and their comments"
        );
    }
}

#[test]
fn every_section_of_the_filters_page_has_an_example_that_the_filter_takes() {
    let sidecar = json!({"sidecar": {"cluster": "tollgate_sidecar", "token": "t"}});
    for (section, yaml) in examples(&generated("docs/configuration.md")) {
        let whole = laid_over(&sidecar, &yaml);
        assert!(
            section == "All fields" || whole.contains_key(&section),
            "{section}: {yaml}"
        );
        let faults = tollgate_core::config::parse(&serde_json::to_vec(&whole).unwrap()).err();
        assert_eq!(faults, None, "{section}");
    }
}

#[test]
fn every_section_of_the_sidecars_page_has_an_example_that_the_sidecar_takes() {
    let needed = json!({"database": "x.db", "admin_token": "a", "gateway_tokens": ["g"]});
    for (section, yaml) in examples(&generated("docs/sidecar-configuration.md")) {
        let whole = laid_over(&needed, &yaml);
        assert!(
            section == "All fields" || whole.contains_key(&section),
            "{section}: {yaml}"
        );
        let text = serde_json::to_string(&whole).unwrap();
        if let Err(error) = tollgate_sidecar::Config::from_yaml(&text, []) {
            panic!("{section}: {error}");
        }
    }
}

#[test]
fn every_field_of_a_schema_stands_on_its_page_with_a_description() {
    for (schema, page_path) in [
        ("docs/tollgate.schema.json", "docs/configuration.md"),
        ("docs/sidecar.schema.json", "docs/sidecar-configuration.md"),
    ] {
        let page = generated(page_path);
        let schema: Value = serde_json::from_str(&generated(schema)).unwrap();
        let mut fields = BTreeSet::new();
        let objects = schema["definitions"]
            .as_object()
            .unwrap()
            .values()
            .chain([&schema]);
        for (name, field) in objects
            .filter_map(|object| object["properties"].as_object())
            .flatten()
        {
            assert!(field["description"].is_string(), "{name} has no description");
            fields.insert(name);
        }
        for name in fields {
            assert!(page.contains(&format!("| `{name}` | ")), "{page_path}: {name}");
        }
        assert!(
            !page.contains("[`crate") && !page.contains("::"),
            "a link for rustdoc in {page_path}"
        );
    }
}

#[test]
fn defaults_stand_in_the_table_as_people_write_them() {
    let page = generated("docs/configuration.md");
    for row in [
        "| `gateway_id` | string | `tollgate` |",
        "| `ttl` | [span of time](#how-values-are-written) | `1h` |",
        "| `credential_headers` | list of string | `[authorization, x-api-key, api-key, x-goog-api-key]` |",
        "| `cluster` | string | required |",
        "| `on_unavailable` | `deny` or `allow` | `deny` |",
    ] {
        assert!(page.contains(row), "{row}");
    }
}

#[test]
fn the_filter_is_built_without_any_of_it() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .current_dir(root())
        .args(["tree", "--package", "tollgate", "--target", "wasm32-wasip1"])
        .args(["--edges", "no-dev", "--prefix", "none", "--offline", "--locked"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&tree.stdout);
    assert!(
        tree.status.success() && told.contains("tollgate-core"),
        "{tree:?}"
    );
    assert!(!told.contains("schemars"), "{told}");
}

#[test]
fn every_type_stands_in_the_order_of_its_declaration() {
    for (schema, order) in [
        ("docs/tollgate.schema.json", filter_order()),
        ("docs/sidecar.schema.json", sidecar_order()),
    ] {
        let schema: Value = serde_json::from_str(&generated(schema)).unwrap();
        for (name, definition) in schema["definitions"].as_object().unwrap() {
            // A price is no struct: LiteLLM's fields, by name.
            let is_struct = definition["properties"].is_object() && name != "Price";
            assert!(
                !is_struct || order.knows(name),
                "add `{name}` to the order in reference/src/lib.rs"
            );
        }
    }
}
