//! `cargo xtask check FILE`: validates Tollgate's configuration inside an Envoy file.
//!
//! The file may be a bootstrap, an ECDS or LDS resource file, or a Kubernetes manifest that holds either: every
//! Wasm filter in it that is Tollgate's is found, wherever it stands.

mod surroundings;

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::Value;

/// Options of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Envoy configurations, as YAML or JSON
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    severity: Severity,
    /// Where in the file.
    path: String,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    /// Envoy or the filter refuses it.
    Fault,
    /// It runs, and not as it should.
    Warning,
}

/// Checks all files; fails where any has a fault.
pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    let mut faulty = false;
    for file in &args.files {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        // The parser's error shows the line itself, with its neighbours.
        let findings = match serde_saphyr::from_multiple::<Value>(&text) {
            Ok(documents) => check(&documents),
            Err(error) => vec![Finding::fault(
                "(file)",
                format!("neither YAML nor JSON: {error}"),
            )],
        };
        for finding in &findings {
            writeln!(out, "{}: {finding}", file.display())?;
        }
        if findings.iter().any(|finding| finding.severity == Severity::Fault) {
            faulty = true;
        } else {
            writeln!(out, "{}: ok", file.display())?;
        }
    }
    Ok(if faulty {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

// === impl Finding ===

impl Finding {
    fn fault(path: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fault,
            path: path.to_owned(),
            message: message.into(),
        }
    }

    fn warning(path: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Fault => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}: {}", self.path, self.message)
    }
}

fn check(documents: &[Value]) -> Vec<Finding> {
    let mut plugins = Vec::new();
    for document in documents {
        find_plugins(document, "", &mut plugins);
    }
    if plugins.is_empty() {
        let message =
            "no Wasm filter that is Tollgate's: none names it in name, root_id, vm_id or its code's path";
        return vec![Finding::fault("(file)", message)];
    }
    let mut findings: Vec<Finding> = plugins
        .iter()
        .flat_map(|(path, plugin)| check_plugin(path, plugin))
        .collect();
    let largest_request = plugins
        .iter()
        .filter_map(|(_, plugin)| largest_request(plugin))
        .max();
    for document in documents {
        surroundings::check(document, largest_request, &mut findings);
    }
    findings
}

/// `bodies.max_request_bytes` of a filter, where its configuration is valid.
fn largest_request(plugin: &Value) -> Option<u64> {
    let configuration = configuration(plugin).ok()?;
    let config = tollgate_core::config::parse(configuration.as_bytes()).ok()?;
    Some(config.max_request_bytes)
}

/// Collects Tollgate's `envoy.extensions.wasm.v3.PluginConfig`s with their paths.
fn find_plugins<'a>(value: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_plugins(item, &format!("{path}[{index}]"), found);
            }
        }
        Value::Object(fields) => {
            if let Some(plugin) = plugin_of(value) {
                found.push((join(path, "config"), plugin));
                return;
            }
            for (name, field) in fields {
                find_plugins(field, &join(path, name), found);
            }
        }
        _ => {}
    }
}

/// Tollgate's `PluginConfig`, where this is the `typed_config` of its filter.
fn plugin_of(typed_config: &Value) -> Option<&Value> {
    let kind = typed_config.get("@type")?.as_str()?;
    let is_wasm = kind.ends_with("envoy.extensions.filters.http.wasm.v3.Wasm");
    typed_config
        .get("config")
        .filter(|plugin| is_wasm && is_tollgate(plugin))
}

fn is_tollgate(plugin: &Value) -> bool {
    let vm = field(plugin, "vm_config");
    let names = [
        field(plugin, "name"),
        field(plugin, "root_id"),
        vm.and_then(|config| field(config, "vm_id")),
    ];
    let code = vm.and_then(|config| field(config, "code")).map(Value::to_string);
    let names = names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    names.chain(code).any(|name| name.contains("tollgate"))
}

fn check_plugin(path: &str, plugin: &Value) -> Vec<Finding> {
    let mut findings = host_settings(path, plugin);
    let at = join(path, "configuration");
    match configuration(plugin) {
        Ok(json) => {
            let faults = tollgate_core::config::parse(json.as_bytes())
                .err()
                .unwrap_or_default();
            let inside = faults.iter().map(|fault| Finding::fault(&at, fault.to_string()));
            findings.extend(inside);
        }
        Err(message) => findings.push(Finding::fault(&at, message)),
    }
    findings
}

/// The configuration as the filter receives it: Envoy hands over a Struct as JSON, a StringValue as its text.
fn configuration(plugin: &Value) -> Result<String, String> {
    let Some(given) = field(plugin, "configuration") else {
        return Err("missing: the filter needs at least `{}`, as a google.protobuf.Struct".to_owned());
    };
    let kind = given.get("@type").and_then(Value::as_str).unwrap_or_default();
    match (kind.rsplit('.').next(), given.get("value")) {
        (Some("Struct"), Some(value)) => Ok(value.to_string()),
        (Some("StringValue"), Some(Value::String(text))) => Ok(text.clone()),
        _ => Err(
            "expected `@type: type.googleapis.com/google.protobuf.Struct` (or StringValue) and a `value`"
                .to_owned(),
        ),
    }
}

/// What Envoy must be told about the filter, beside its configuration.
fn host_settings(path: &str, plugin: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    if field(plugin, "allow_on_headers_stop_iteration") != Some(&Value::Bool(true)) {
        findings.push(Finding::warning(
            &join(path, "allow_on_headers_stop_iteration"),
            "must be true (Envoy 1.35 or newer): without it a request's headers leave before its body is checked",
        ));
    }
    if field(plugin, "failure_policy").and_then(Value::as_str) != Some("FAIL_RELOAD") {
        findings.push(Finding::warning(
            &join(path, "failure_policy"),
            "should be FAIL_RELOAD: by default a worker whose VM trapped answers 503 until Envoy is restarted",
        ));
    }
    let vm_id = field(plugin, "vm_config")
        .and_then(|vm| field(vm, "vm_id"))
        .and_then(Value::as_str);
    if vm_id.is_none_or(str::is_empty) {
        findings.push(Finding::warning(
            &join(path, "vm_config.vm_id"),
            "should be set and kept: limits and queued events live in memory that bears this name",
        ));
    }
    findings
}

/// A field by its proto name or its JSON name: Envoy takes both.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).or_else(|| value.get(camel_case(name)))
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut whole, part| {
        let mut letters = part.chars();
        whole.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        whole.push_str(letters.as_str());
        whole
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests;
