//! From the configuration as written to the configuration at work: every fault found, each with its path.

mod identity;

use std::ops::RangeInclusive;

use identity::{check_identity, compile_key_cache, compile_keys};

use super::spec::{BudgetsSpec, ConfigSpec, ConversationSpec, ModerationSpec, SidecarSpec, ValidationSpec};
use super::{Budgets, Config, Fault, Jwt, Moderation, Sidecar};
use crate::budget::{DowngradeSpec, Downgrades};
use crate::limit::{Limits, MatchSpec};
use crate::policy::{self, Policy};
use crate::price::Catalogue;
use crate::validation::Rules;

/// For how many callers a worker remembers which budgets apply.
const MAX_REMEMBERED: usize = 10_000;

/// How much of a text may be kept: less says nothing, more would not fit into a worker's queue.
const KEPT_BYTES: RangeInclusive<u32> = 1_024..=262_144;

/// Faults, collected while the rest is still looked at.
#[derive(Debug, Default)]
struct Faults(Vec<Fault>);

/// The plugin's configuration as it was written, kept so that it can be compiled again with what the ledger adds.
#[derive(Debug, Clone)]
pub struct Written(ConfigSpec);

/// Reads and compiles the plugin's configuration: JSON, as Envoy hands a `google.protobuf.Struct` over.
///
/// # Errors
/// Every fault that was found. Where the JSON or its types are wrong there is one: the first.
pub fn parse(json: &[u8]) -> Result<Config, Vec<Fault>> {
    Written::parse(json)?.compile(&Policy::default())
}

/// An error of `serde_json` for somebody who wrote YAML and does not know Rust. The line and column that it names are
/// those of JSON which nobody has seen.
fn in_words(error: &serde_json::Error) -> String {
    const WORDS: [(&str, &str); 7] = [
        ("expected u64", "expected a whole number"),
        ("expected u32", "expected a whole number below 4294967296"),
        ("expected u16", "expected a whole number below 65536"),
        ("expected u8", "expected a whole number below 256"),
        ("expected usize", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list"),
    ];
    let text = error.to_string();
    if !error.is_data() {
        return text;
    }
    let message = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(message, _)| message);
    let worded = WORDS
        .iter()
        .find_map(|(rust, words)| Some(format!("{}{words}", message.strip_suffix(rust)?)));
    worded.unwrap_or_else(|| message.to_owned())
}

fn compile(mut spec: ConfigSpec, policy: &Policy) -> Result<Config, Vec<Fault>> {
    let mut faults = Faults::default();
    let sidecar = spec
        .sidecar
        .as_ref()
        .and_then(|sidecar| faults.keep(compile_sidecar(sidecar)));
    check_identity(&spec.identity, &mut faults);
    let keys = compile_keys(&spec.keys, &mut faults);
    let overrides = faults.keep(policy.catalogue()).unwrap_or_default();
    let catalogue = Catalogue::built_in()
        .with(std::mem::take(&mut spec.prices.catalogue))
        .with(overrides);
    let downgrades = compile_downgrades(
        std::mem::take(&mut spec.budgets.downgrades),
        &catalogue,
        &mut faults,
    );
    let budgets = compile_budgets(&spec.budgets, downgrades, &mut faults);
    let validation = compile_validation(&spec.validation, &mut faults);
    let moderation = compile_moderation(&spec.moderation, sidecar.is_some(), &mut faults);
    let conversations = compile_conversations(&spec.conversations, sidecar.is_some(), &mut faults);
    let limits = faults.keep(Limits::compile(
        &[("limits", &spec.limits), (policy::LIMITS, &policy.limits)],
        &salt(&spec),
    ));
    let key_cache = compile_key_cache(&spec.key_cache);
    check_names(&spec, &mut faults);
    check_room(&spec, &mut faults);
    if spec.gateway_id.is_empty() {
        faults.add("gateway_id", "is empty; give this gateway a name");
    }
    match limits {
        Some(limits) if faults.0.is_empty() => Ok(Config {
            withheld: spec.identity.withheld(),
            gateway_id: spec.gateway_id,
            region: spec.region,
            sidecar,
            credential_headers: spec.identity.credential_headers,
            session_header: spec.identity.session_header,
            tags_header: spec.identity.tags_header,
            jwt: spec.identity.jwt.map(Jwt::from),
            key_cache,
            limits: limits.with_resets(&policy.resets),
            default_output_reservation: spec.default_output_reservation,
            catalogue,
            unknown_model: spec.prices.unknown_model,
            budgets,
            max_request_bytes: spec.bodies.max_request_bytes,
            // No body is longer than memory is large: what does not fit is no bound.
            exact_count_bytes: usize::try_from(spec.bodies.exact_count_bytes).unwrap_or(usize::MAX),
            max_held_response_bytes: spec.bodies.max_held_response_bytes,
            security_headers: spec.security_headers,
            max_events_per_worker: spec.journal.max_events_per_worker,
            flush_interval: spec.journal.flush_interval.get(),
            max_label_values: spec.metrics.max_label_values,
            access_log: spec.access_log.fields,
            keys,
            validation,
            model_aliases: spec.model_aliases.into_iter().collect(),
            moderation,
            conversations,
            providers: spec.providers,
        }),
        _ => Err(faults.0),
    }
}

fn check_names(spec: &ConfigSpec, faults: &mut Faults) {
    for (alias, model) in &spec.model_aliases {
        if alias.is_empty() || model.is_empty() {
            faults.add(format!("model_aliases.{alias}"), "is empty; name a model");
        }
    }
    for (index, provider) in spec.providers.iter().enumerate() {
        if provider.name.is_empty() {
            faults.add(format!("providers[{index}].name"), "is empty; name the provider");
        }
    }
}

/// What would refuse every request, were it nothing.
fn check_room(spec: &ConfigSpec, faults: &mut Faults) {
    for (path, room) in [
        ("key_cache.max_keys", u64::from(spec.key_cache.max_keys)),
        ("budgets.max_budgets", u64::from(spec.budgets.max_budgets)),
        ("bodies.max_request_bytes", spec.bodies.max_request_bytes),
        (
            "journal.max_events_per_worker",
            u64::from(spec.journal.max_events_per_worker),
        ),
    ] {
        if room == 0 {
            faults.add(path, "must be at least 1");
        }
    }
}

fn compile_sidecar(spec: &SidecarSpec) -> Result<Sidecar, Vec<Fault>> {
    let mut faults = Faults::default();
    if spec.cluster.is_empty() {
        faults.add(
            "sidecar.cluster",
            "is empty; name the Envoy cluster of the sidecar",
        );
    }
    if spec.token.is_empty() {
        faults.add(
            "sidecar.token",
            "is empty; write the gateway token of the sidecar's configuration",
        );
    }
    if spec.breaker.failures == 0 {
        faults.add(
            "sidecar.breaker.failures",
            "is 0; write after how many failures requests stop waiting, at least 1",
        );
    }
    faults.into_result(Sidecar {
        cluster: spec.cluster.clone(),
        authority: spec.authority.clone().unwrap_or_else(|| spec.cluster.clone()),
        token: spec.token.clone(),
        timeout: spec.timeout.get(),
        breaker_failures: spec.breaker.failures,
        breaker_pause: spec.breaker.pause.get(),
    })
}

fn compile_validation(specs: &[ValidationSpec], faults: &mut Faults) -> Vec<(MatchSpec, Rules)> {
    let mut compiled = Vec::with_capacity(specs.len());
    for (index, spec) in specs.iter().enumerate() {
        let rules = faults.keep(Rules::compile(&format!("validation[{index}].rules"), &spec.rules));
        compiled.extend(rules.map(|rules| (spec.selector.clone(), rules)));
    }
    compiled
}

fn compile_moderation(
    specs: &[ModerationSpec],
    has_sidecar: bool,
    faults: &mut Faults,
) -> Vec<(MatchSpec, Moderation)> {
    let mut compiled = Vec::with_capacity(specs.len());
    for (index, spec) in specs.iter().enumerate() {
        let path = format!("moderation[{index}]");
        if !has_sidecar {
            faults.add(
                &path,
                "moderation is the sidecar's work, and there is no `sidecar` in this configuration",
            );
        }
        compiled.push((
            spec.selector.clone(),
            Moderation {
                policy: spec.policy.clone(),
                input: spec.input,
                output: spec.output,
                timeout: spec.timeout.get(),
                on_unavailable: spec.on_unavailable,
            },
        ));
    }
    compiled
}

fn compile_conversations(
    specs: &[ConversationSpec],
    has_sidecar: bool,
    faults: &mut Faults,
) -> Vec<(MatchSpec, usize)> {
    let mut compiled = Vec::with_capacity(specs.len());
    for (index, spec) in specs.iter().enumerate() {
        let path = format!("conversations[{index}]");
        if !has_sidecar {
            faults.add(
                &path,
                "texts are kept by the sidecar, and there is no `sidecar` in this configuration",
            );
        }
        if !KEPT_BYTES.contains(&spec.max_bytes) {
            let (least, most) = (KEPT_BYTES.start(), KEPT_BYTES.end());
            faults.add(
                format!("{path}.max_bytes"),
                format!("is {}; write {least} to {most}", spec.max_bytes),
            );
        }
        let max_bytes = usize::try_from(spec.max_bytes).unwrap_or(0);
        compiled.push((spec.selector.clone(), max_bytes));
    }
    compiled
}

fn compile_budgets(spec: &BudgetsSpec, downgrades: Downgrades, faults: &mut Faults) -> Budgets {
    if !(400..500).contains(&spec.status) {
        faults.add(
            "budgets.status",
            format!("{} is no client error; write 402, 403, 412 or 429", spec.status),
        );
    }
    Budgets {
        min_output_tokens: spec.min_output_tokens,
        status: spec.status,
        wait_ms: spec.wait.millis(),
        on_unavailable: spec.on_unavailable,
        remember_ms: spec.remember.millis(),
        max_remembered: MAX_REMEMBERED,
        max_exchange_ms: spec.max_exchange.millis(),
        max_budgets: spec.max_budgets,
        downgrades,
    }
}

fn compile_downgrades(specs: Vec<DowngradeSpec>, catalogue: &Catalogue, faults: &mut Faults) -> Downgrades {
    for (index, spec) in specs.iter().enumerate() {
        for (field, message) in spec.faults(catalogue) {
            faults.add(format!("budgets.downgrades[{index}].{field}"), message);
        }
    }
    Downgrades::new(specs)
}

/// A secret that all workers share, so that nobody outside can choose subjects which displace another's.
fn salt(spec: &ConfigSpec) -> Vec<u8> {
    let token = spec.sidecar.as_ref().map_or("", |sidecar| sidecar.token.as_str());
    [spec.gateway_id.as_bytes(), b"/", token.as_bytes()].concat()
}

// === impl Written ===

impl Written {
    /// Reads a configuration: JSON, as Envoy hands a `google.protobuf.Struct` over. Nothing is no configuration but
    /// the default one.
    ///
    /// # Errors
    /// The first fault of the JSON or its types.
    pub fn parse(json: &[u8]) -> Result<Self, Vec<Fault>> {
        let json = if json.trim_ascii().is_empty() { b"{}" } else { json };
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let spec = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| vec![Fault::at(error.path().to_string(), in_words(error.inner()))])?;
        Ok(Self(spec))
    }

    /// Compiles it together with the ledger's policy.
    ///
    /// # Errors
    /// Every fault that was found, in either of them or between them.
    pub fn compile(&self, policy: &Policy) -> Result<Config, Vec<Fault>> {
        compile(self.0.clone(), policy)
    }
}

// === impl Faults ===

impl Faults {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault::at(path, message));
    }

    /// The value, or nothing and its faults kept.
    fn keep<T>(&mut self, result: Result<T, Vec<Fault>>) -> Option<T> {
        result.map_err(|faults| self.0.extend(faults)).ok()
    }

    fn into_result<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}
