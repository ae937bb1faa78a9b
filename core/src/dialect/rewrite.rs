//! Changes to a request body, as edits of the bytes that must change.
//!
//! Each place is edited once: take one of the edits for a place, not two. An insertion into the body stands right
//! after its first brace, so any number of them get along.

use super::fields::present;
use super::json_string::encode;
use super::prompt::Text;
use super::request::{CapPlace, IncludeUsage, Request};
use crate::edit::Edit;

// === impl Request ===

impl<'a> Request<'a> {
    /// Asks for another model. `None` where the path names the model: then the path must change
    /// ([`Endpoint::with_model`](super::Endpoint::with_model)).
    pub fn replace_model(&self, model: &str) -> Option<Edit> {
        let span = self.model.as_ref()?.span.clone()?;
        Some(Edit {
            span,
            with: encode(model),
        })
    }

    /// Replaces the `index`th of [`Request::texts`].
    pub fn replace_text(&self, index: usize, with: &str) -> Option<Edit> {
        self.texts().nth(index).map(|text| text.replace(with))
    }

    /// Sets the output cap to `tokens`, in every field that the client sent, or in a new one: `max_tokens`,
    /// `max_completion_tokens` for OpenAI's reasoning models, `max_output_tokens`, or
    /// `generationConfig.maxOutputTokens`. No edits where the dialect has no output cap.
    pub fn set_max_output_tokens(&self, tokens: u64) -> Vec<Edit> {
        self.cap_output(tokens, |_| true)
    }

    /// Lowers the output cap to `tokens` where it is higher, absent or `null`. No edits where it is low enough.
    pub fn clamp_max_output_tokens(&self, tokens: u64) -> Vec<Edit> {
        self.cap_output(tokens, |value| value.is_none_or(|current| current > tokens))
    }

    /// Makes a stream report its usage: sets `stream_options.include_usage`. `None` where nothing must change:
    /// no stream was asked for, it is set, or the dialect always reports.
    pub fn force_include_usage(&self) -> Option<Edit> {
        if !self.stream {
            return None;
        }
        match (&self.include_usage, self.stream_options) {
            (IncludeUsage::Always | IncludeUsage::Yes, _) => None,
            (IncludeUsage::No(span), _) => Some(Edit {
                span: span.clone(),
                with: b"true".to_vec(),
            }),
            (IncludeUsage::Absent, None) => {
                self.insert(self.body, "\"stream_options\":{\"include_usage\":true}")
            }
            (IncludeUsage::Absent, Some(options)) if present(Some(options)).is_none() => Some(Edit {
                span: self.span(options),
                with: b"{\"include_usage\":true}".to_vec(),
            }),
            (IncludeUsage::Absent, Some(options)) => self.insert(options, "\"include_usage\":true"),
        }
    }

    /// The name of the field that caps the output: the one that the client sent, or else the one that would be
    /// inserted. `None` where the dialect has none.
    pub fn output_cap_param(&self) -> Option<&'static str> {
        let sent = self.output_caps.iter().find(|cap| cap.value.is_some());
        sent.map(|cap| cap.param).or(match self.cap_place {
            CapPlace::Nowhere => None,
            CapPlace::Top(name) => Some(name),
            CapPlace::GenerationConfig(_) => Some("generationConfig.maxOutputTokens"),
        })
    }

    pub(super) fn model_names(&self) -> impl Iterator<Item = &str> {
        let named = self.model.as_ref().map(|model| &*model.name);
        named.into_iter().chain(self.body_model.as_deref())
    }

    fn cap_output(&self, tokens: u64, applies: impl Fn(Option<u64>) -> bool) -> Vec<Edit> {
        if self.output_caps.is_empty() {
            return self.insert_cap(tokens).into_iter().collect();
        }
        // A `null` beside a number is no cap that would have to be lowered.
        let only_null = self.max_output_tokens().is_none();
        self.output_caps
            .iter()
            .filter(|cap| (cap.value.is_some() || only_null) && applies(cap.value))
            .take(if only_null { 1 } else { usize::MAX })
            .map(|cap| Edit {
                span: cap.span.clone(),
                with: tokens.to_string().into_bytes(),
            })
            .collect()
    }

    fn insert_cap(&self, tokens: u64) -> Option<Edit> {
        match self.cap_place {
            CapPlace::Nowhere => None,
            CapPlace::Top(name) => self.insert(self.body, &format!("\"{name}\":{tokens}")),
            CapPlace::GenerationConfig(config) => {
                let field = format!("\"maxOutputTokens\":{tokens}");
                match config {
                    None => self.insert(self.body, &format!("\"generationConfig\":{{{field}}}")),
                    Some(raw) if present(Some(raw)).is_none() => Some(Edit {
                        span: self.span(raw),
                        with: format!("{{{field}}}").into_bytes(),
                    }),
                    Some(raw) => self.insert(raw, &field),
                }
            }
        }
    }

    /// Inserts a field at the front of the object `raw`, a part of the body.
    fn insert(&self, raw: &'a str, field: &str) -> Option<Edit> {
        let (space, inside) = raw.split_once('{')?;
        let at = self.span(raw).start + space.len() + 1;
        let empty = inside.trim_start().starts_with('}');
        let comma = if empty { "" } else { "," };
        Some(Edit {
            span: at..at,
            with: [field, comma].concat().into_bytes(),
        })
    }
}

// === impl Text ===

impl Text<'_> {
    /// Replaces this text.
    pub fn replace(&self, with: &str) -> Edit {
        Edit {
            span: self.span.clone(),
            with: encode(with),
        }
    }
}

/// Whether a model refuses `max_tokens` and wants `max_completion_tokens`: OpenAI's o-series, GPT-5 and later
/// (<https://platform.openai.com/docs/guides/reasoning>). Names may have a provider before a slash.
pub(super) fn is_reasoning_model(model: &str) -> bool {
    let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
    let number = |rest: &str| rest.chars().next().is_some_and(|digit| digit.is_ascii_digit());
    let o_series = name.strip_prefix('o').is_some_and(number);
    let generation = name
        .strip_prefix("gpt-")
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_digit())
                .next()
                .unwrap_or_default()
        })
        .and_then(|digits| digits.parse::<u32>().ok());
    o_series || generation.is_some_and(|number| (5..30).contains(&number)) || name.starts_with("codex-")
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
