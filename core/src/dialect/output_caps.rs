//! The output caps of a body: where they stand, what they say, and what they are to say.

use std::borrow::Cow;
use std::ops::Range;

use super::fields::present;
use super::request::{CapField, CapPlace, Request};
use crate::edit::Edit;

/// How many tokens each answer may have, as the body says it or is to say it. Whoever caps the output does so here;
/// [`edits`](Self::edits) write what came of it, once, and the body need not be read again in between.
#[derive(Debug, Clone)]
pub struct OutputCaps {
    /// Those that the client sent, with the values that they are to have.
    fields: Vec<Cap>,
    /// The field that holds a new one; `None` where the dialect has none.
    param: Option<&'static str>,
    /// Where a new one goes, where the client sent none.
    room: Option<Room>,
    /// The new one.
    added: Option<u64>,
}

/// A cap that the client sent.
#[derive(Debug, Clone)]
struct Cap {
    field: CapField,
    is_changed: bool,
}

/// A place for a number, and what stands around it there.
#[derive(Debug, Clone)]
struct Room {
    span: Range<usize>,
    before: Cow<'static, str>,
    after: &'static str,
}

// === impl Request ===

impl<'a> Request<'a> {
    /// The output caps, to be changed: in every field that the client sent, or in a new one, which is `max_tokens`,
    /// `max_completion_tokens` for OpenAI's reasoning models, `max_output_tokens`, or
    /// `generationConfig.maxOutputTokens`.
    pub fn output_caps(&self) -> OutputCaps {
        let fields = self.caps.iter().map(|field| Cap {
            field: field.clone(),
            is_changed: false,
        });
        OutputCaps {
            fields: fields.collect(),
            param: match self.cap_place {
                CapPlace::Nowhere => None,
                CapPlace::Top(name) => Some(name),
                CapPlace::GenerationConfig(_) => Some("generationConfig.maxOutputTokens"),
            },
            room: self.caps.is_empty().then(|| self.room_for_cap()).flatten(),
            added: None,
        }
    }

    fn room_for_cap(&self) -> Option<Room> {
        match self.cap_place {
            CapPlace::Nowhere => None,
            CapPlace::Top(name) => self.room(self.body, ["\"", name, "\":"].concat(), ["", ","]),
            CapPlace::GenerationConfig(None) => {
                let before = "\"generationConfig\":{\"maxOutputTokens\":";
                self.room(self.body, before, ["}", "},"])
            }
            CapPlace::GenerationConfig(Some(raw)) if present(Some(raw)).is_none() => Some(Room {
                span: self.span(raw),
                before: "{\"maxOutputTokens\":".into(),
                after: "}",
            }),
            CapPlace::GenerationConfig(Some(raw)) => self.room(raw, "\"maxOutputTokens\":", ["", ","]),
        }
    }

    /// Room at the front of the object `raw`, a part of the body; what comes behind the number where the object is
    /// empty, and where it is not.
    fn room(
        &self,
        raw: &'a str,
        before: impl Into<Cow<'static, str>>,
        [alone, followed]: [&'static str; 2],
    ) -> Option<Room> {
        let (at, is_empty) = self.front(raw)?;
        Some(Room {
            span: at..at,
            before: before.into(),
            after: if is_empty { alone } else { followed },
        })
    }
}

// === impl OutputCaps ===

impl OutputCaps {
    /// How many tokens each answer may have: the largest of the caps, because which one a provider heeds where a
    /// client sends two is its own affair. `None` where nothing caps the output.
    pub fn max(&self) -> Option<u64> {
        let sent = self.fields.iter().filter_map(|cap| cap.field.value);
        sent.chain(self.added).max()
    }

    /// The name of the field that caps the output: the one that the client sent, or else the one that would be
    /// added. `None` where the dialect has none.
    pub fn param(&self) -> Option<&'static str> {
        let sent = self.fields.iter().find(|cap| cap.field.value.is_some());
        sent.map_or(self.param, |cap| Some(cap.field.param))
    }

    /// Caps the output at `tokens`, in every field that the client sent. Nothing happens where the dialect has no
    /// output cap.
    pub fn set(&mut self, tokens: u64) {
        self.change(tokens, |_| true);
    }

    /// Lowers the caps to `tokens` where they are higher, absent or `null`; says whether any was.
    pub fn clamp(&mut self, tokens: u64) -> bool {
        self.change(tokens, |value| value.is_none_or(|current| current > tokens))
    }

    /// Whether the body says something else.
    pub fn are_changed(&self) -> bool {
        self.added.is_some() || self.fields.iter().any(|cap| cap.is_changed)
    }

    /// What must change in the body for it to say so. An insertion stands right behind a first brace, so it gets
    /// along with others.
    pub fn edits(&self) -> impl Iterator<Item = Edit> {
        let changed = self.fields.iter().filter(|cap| cap.is_changed);
        let replaced = changed.filter_map(|cap| Some((cap.field.span.clone(), "", cap.field.value?, "")));
        let added = self.room.as_ref().zip(self.added);
        let inserted = added.map(|(room, tokens)| (room.span.clone(), &*room.before, tokens, room.after));
        replaced
            .chain(inserted)
            .map(|(span, before, tokens, after)| Edit {
                span,
                with: [before, itoa::Buffer::new().format(tokens), after]
                    .concat()
                    .into_bytes(),
            })
    }

    fn change(&mut self, tokens: u64, applies: impl Fn(Option<u64>) -> bool) -> bool {
        if self.fields.is_empty() {
            let is_added = self.room.is_some() && applies(self.added);
            if is_added {
                self.added = Some(tokens);
            }
            return is_added;
        }
        // A `null` beside a number is no cap that would have to be lowered.
        let only_null = self.max().is_none();
        let mut is_changed = false;
        for cap in &mut self.fields {
            let value = cap.field.value;
            if (value.is_none() && !only_null) || !applies(value) {
                continue;
            }
            (cap.field.value, cap.is_changed, is_changed) = (Some(tokens), true, true);
            if only_null {
                break;
            }
        }
        is_changed
    }
}

#[cfg(test)]
#[path = "output_caps_tests.rs"]
mod tests;
