//! Validation: what a request must keep to beyond the shape of its dialect, where configuration says so.
//!
//! Nothing is refused by default. Which rules hold for a request (its dialect, path, model, workspace) is the
//! caller's choice.

mod compile;
mod parameters;
mod sanitise;
pub mod spec;

use std::fmt;

pub use self::compile::Rules;
use self::spec::OverLimit;
use crate::dialect::{Dialect, Family, Invalid, OutputCaps, Request, Role};
use crate::edit::Edit;

// === impl Rules ===

impl Rules {
    /// Checks a request, lowers its output `caps`, and says what must change in its texts.
    ///
    /// # Errors
    /// The first rule that the request breaks, by its field.
    pub fn check(&self, request: &Request<'_>, caps: &mut OutputCaps) -> Result<Vec<Edit>, Invalid> {
        if request.dialect == Dialect::Models {
            return Ok(Vec::new());
        }
        self.check_counts(request)?;
        self.check_roles(request)?;
        self.check_characters(request)?;
        for parameter in &self.parameters {
            parameter.check(request)?;
        }
        self.cap_output(request, caps)?;
        Ok(self.sanitise.edits(request))
    }

    /// Whether a rule is about parameters as they stand in the body, whatever they mean.
    pub fn look_at_parameters(&self) -> bool {
        !self.parameters.is_empty()
    }

    /// Checks the counted tokens of the prompt.
    ///
    /// # Errors
    /// More than `max_prompt_tokens`.
    pub fn check_prompt_tokens(&self, request: &Request<'_>, tokens: u64) -> Result<(), Invalid> {
        at_most(tokens, self.max_prompt_tokens, prompt_param(request), "tokens")
    }

    fn check_counts(&self, request: &Request<'_>) -> Result<(), Invalid> {
        at_most(
            request.messages.len(),
            self.max_messages,
            prompt_param(request),
            "messages",
        )?;
        at_most(request.tools.len(), self.max_tools, "tools", "tools")
    }

    fn check_roles(&self, request: &Request<'_>) -> Result<(), Invalid> {
        let Some(allowed) = &self.allowed_roles else {
            return Ok(());
        };
        let is_allowed = |role: &str| allowed.iter().any(|name| &**name == role);
        let prompt = prompt_param(request);
        for (index, message) in request.messages.iter().enumerate() {
            let role = message.role.as_deref();
            if role.is_some_and(|name| !is_allowed(name)) {
                let param = format!("{prompt}[{index}].role");
                return Err(Invalid::new(
                    &*param,
                    format!("{param} is not allowed; allowed are {}", allowed.join(", ")),
                ));
            }
        }
        let instructed = request
            .pieces
            .iter()
            .any(|piece| piece.message.is_none() && piece.role == Role::System);
        if instructed && !is_allowed("system") {
            let param = system_param(request);
            return Err(Invalid::new(
                param,
                format!("{param} is not allowed, because the role system is not"),
            ));
        }
        Ok(())
    }

    fn check_characters(&self, request: &Request<'_>) -> Result<(), Invalid> {
        if self.max_message_characters.is_none() && self.max_prompt_characters.is_none() {
            return Ok(());
        }
        // No text has more characters than bytes.
        let bytes = request
            .pieces
            .iter()
            .fold(0_usize, |sum, piece| sum.saturating_add(piece.raw.len()));
        let limits = [self.max_message_characters, self.max_prompt_characters];
        if limits.into_iter().flatten().all(|limit| bytes <= limit) {
            return Ok(());
        }
        let prompt = prompt_param(request);
        let (mut all, mut of_message, mut current) = (0_usize, 0_usize, None);
        for text in request.texts() {
            let characters = text.text.chars().count();
            all = all.saturating_add(characters);
            // What stands outside of messages (instructions, inputs to embed) is measured text by text.
            let goes_on = text.message.is_some() && text.message == current;
            of_message = if goes_on {
                of_message.saturating_add(characters)
            } else {
                characters
            };
            current = text.message;
            let param = || match text.message {
                Some(index) => format!("{prompt}[{index}]"),
                None if text.role == Role::System => system_param(request).to_owned(),
                None => prompt.to_owned(),
            };
            if self
                .max_message_characters
                .is_some_and(|limit| of_message > limit)
            {
                return at_most(of_message, self.max_message_characters, &param(), "characters");
            }
        }
        at_most(all, self.max_prompt_characters, prompt, "characters")
    }

    fn cap_output(&self, request: &Request<'_>, caps: &mut OutputCaps) -> Result<(), Invalid> {
        let Some(param) = caps.param() else {
            return Ok(());
        };
        let asked = caps.max();
        if asked.is_none() && self.require_max_tokens {
            return Err(Invalid::new(param, format!("{param} is required")));
        }
        let Some(limit) = self.max_output_tokens else {
            return Ok(());
        };
        let is_over = asked.is_some_and(|tokens| tokens > limit);
        if is_over && self.over_max_output_tokens == OverLimit::Refuse {
            at_most(asked.unwrap_or(0), Some(limit), param, "tokens")?;
        }
        let is_lowered = caps.clamp(limit);
        match request.thinking_budget {
            // Anthropic refuses a cap that is not larger than the budget for thinking.
            Some(budget) if is_lowered && budget >= limit => Err(Invalid::new(
                "thinking.budget_tokens",
                format!(
                    "thinking.budget_tokens is {budget}; with {param} limited to {limit} it must be lower"
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// Refuses a count over its limit.
fn at_most<T: Copy + PartialOrd + fmt::Display>(
    count: T,
    limit: Option<T>,
    param: &str,
    unit: &str,
) -> Result<(), Invalid> {
    match limit {
        Some(most) if count > most => Err(Invalid::new(
            param,
            format!("{param} has {count} {unit}; at most {most} are allowed"),
        )),
        _ => Ok(()),
    }
}

/// The field that holds the prompt.
const fn prompt_param(request: &Request<'_>) -> &'static str {
    match request.dialect {
        Dialect::ChatCompletions | Dialect::Messages => "messages",
        Dialect::Responses | Dialect::Embeddings => "input",
        Dialect::Completions => "prompt",
        Dialect::GenerateContent => "contents",
        Dialect::CountTokens | Dialect::Models => match request.family {
            Family::Gemini => "contents",
            _ => "messages",
        },
    }
}

/// The field that holds instructions outside of messages.
const fn system_param(request: &Request<'_>) -> &'static str {
    match request.family {
        Family::OpenAi => "instructions",
        Family::Anthropic => "system",
        Family::Gemini => "systemInstruction",
    }
}

#[cfg(test)]
mod tests;
