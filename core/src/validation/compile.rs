//! Rules ready for use: checked, and in the order in which they are applied.

use super::parameters::Parameter;
use super::sanitise::Sanitise;
use super::spec::{OverLimit, RangeSpec, RulesSpec};
use crate::config::Fault;

/// How many parameters may have a rule: each is looked up in every body.
const MAX_PARAMETERS: usize = 64;

/// Rules for requests.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub(super) max_messages: Option<usize>,
    pub(super) max_message_characters: Option<usize>,
    pub(super) max_prompt_characters: Option<usize>,
    pub(super) max_prompt_tokens: Option<u64>,
    pub(super) max_tools: Option<usize>,
    pub(super) allowed_roles: Option<Box<[Box<str>]>>,
    pub(super) parameters: Box<[Parameter]>,
    pub(super) require_max_tokens: bool,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) over_max_output_tokens: OverLimit,
    pub(super) sanitise: Sanitise,
}

// === impl Rules ===

impl Rules {
    /// Checks and compiles rules. `path` is where they stand in the configuration.
    ///
    /// # Errors
    /// Every fault, with its path.
    pub fn compile(path: &str, spec: &RulesSpec) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        if spec.allowed_roles.as_ref().is_some_and(Vec::is_empty) {
            faults.push(Fault::at(
                format!("{path}.allowed_roles"),
                "no role is allowed; name some, or leave it out",
            ));
        }
        for (name, limit) in [
            ("max_output_tokens", spec.max_output_tokens),
            ("max_prompt_tokens", spec.max_prompt_tokens),
        ] {
            if limit == Some(0) {
                faults.push(Fault::at(format!("{path}.{name}"), "must be at least 1"));
            }
        }
        let parameters = compile_parameters(path, spec, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let roles = spec.allowed_roles.as_ref();
        Ok(Self {
            max_messages: spec.max_messages,
            max_message_characters: spec.max_message_characters,
            max_prompt_characters: spec.max_prompt_characters,
            max_prompt_tokens: spec.max_prompt_tokens,
            max_tools: spec.max_tools,
            allowed_roles: roles.map(|names| names.iter().map(|name| name.as_str().into()).collect()),
            parameters,
            require_max_tokens: spec.require_max_tokens,
            max_output_tokens: spec.max_output_tokens,
            over_max_output_tokens: spec.over_max_output_tokens,
            sanitise: Sanitise(spec.sanitize),
        })
    }
}

fn compile_parameters(path: &str, spec: &RulesSpec, faults: &mut Vec<Fault>) -> Box<[Parameter]> {
    let count = spec.forbidden_parameters.len() + spec.parameters.len();
    if count > MAX_PARAMETERS {
        let message = format!("{count} parameters have rules; there may be {MAX_PARAMETERS}");
        faults.push(Fault::at(format!("{path}.parameters"), message));
        return Box::default();
    }
    let forbidden = spec.forbidden_parameters.iter().enumerate().map(|(index, name)| {
        let place = format!("{path}.forbidden_parameters[{index}]");
        (place, name, Parameter::forbidden(name))
    });
    let ranged = spec.parameters.iter().map(|(name, range)| {
        let (min, max) = match range {
            RangeSpec::Max(max) => (None, Some(*max)),
            RangeSpec::Range(bounds) => (bounds.min, bounds.max),
        };
        (
            format!("{path}.parameters.{name}"),
            name,
            Parameter::ranged(name, min, max),
        )
    });
    let mut compiled = Vec::with_capacity(count);
    for (place, name, parameter) in forbidden.chain(ranged) {
        if name.is_empty() || name.split('.').any(str::is_empty) {
            faults.push(Fault::at(
                &*place,
                "must be a parameter's name, with dots between levels",
            ));
        }
        match parameter {
            Ok(rule) => compiled.push(rule),
            Err(message) => faults.push(Fault::at(place, message)),
        }
    }
    compiled.into()
}
