//! Changes to a request body, as edits of the bytes that must change.
//!
//! Each place is edited once: take one of the edits for a place, not two. An insertion into the body stands right
//! after its first brace, so any number of them get along.

use super::fields::present;
use super::json_string::encode;
use super::prompt::Text;
use super::request::{IncludeUsage, Request};
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

    pub(super) fn model_names(&self) -> impl Iterator<Item = &str> {
        let named = self.model.as_ref().map(|model| &*model.name);
        named.into_iter().chain(self.body_model.as_deref())
    }

    /// Inserts a field at the front of the object `raw`, a part of the body.
    fn insert(&self, raw: &'a str, field: &str) -> Option<Edit> {
        let (at, is_empty) = self.front(raw)?;
        let comma = if is_empty { "" } else { "," };
        Some(Edit {
            span: at..at,
            with: [field, comma].concat().into_bytes(),
        })
    }

    /// Where the first field of the object `raw`, a part of the body, stands or would stand, and whether it has none.
    pub(super) fn front(&self, raw: &'a str) -> Option<(usize, bool)> {
        let (space, inside) = raw.split_once('{')?;
        let at = self.span(raw).start + space.len() + 1;
        Some((at, inside.trim_start().starts_with('}')))
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
