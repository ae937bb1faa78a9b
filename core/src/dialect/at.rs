//! Where in a body a fault is, in the notation of OpenAI's `param`: `messages[3].content[1].type`.

use std::fmt;

use thiserror::Error;

/// Why a body was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Invalid {
    /// Which field, as `messages[3].role`; empty where it is the body as a whole.
    pub param: String,
    /// What is wrong with it, naming the field.
    pub message: String,
}

/// A place in a body. It lives on the stack and costs nothing until a fault is reported.
#[derive(Clone, Copy)]
pub(super) struct At<'p> {
    parent: Option<&'p At<'p>>,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Root,
    Field(&'static str),
    Index(usize),
}

// === impl Invalid ===

impl Invalid {
    /// A fault of the field `param`.
    pub fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: param.into(),
            message: message.into(),
        }
    }
}

// === impl At ===

impl<'p> At<'p> {
    /// The body itself.
    pub(super) const ROOT: At<'static> = At {
        parent: None,
        step: Step::Root,
    };

    /// A field of the object here.
    pub(super) const fn field(&'p self, name: &'static str) -> At<'p> {
        At {
            parent: Some(self),
            step: Step::Field(name),
        }
    }

    /// An element of the array here.
    pub(super) const fn index(&'p self, index: usize) -> At<'p> {
        At {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    /// A fault here, with a message that stands by itself.
    pub(super) fn invalid(&self, message: impl Into<String>) -> Invalid {
        Invalid::new(self.to_string(), message)
    }

    /// A fault here: `messages[3].role must be a string`.
    pub(super) fn must(&self, be: &str) -> Invalid {
        match self.step {
            Step::Root => self.invalid(format!("the body must {be}")),
            Step::Field(_) | Step::Index(_) => self.invalid(format!("{self} must {be}")),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Field(name) => {
                let top = self.parent.is_none_or(|parent| matches!(parent.step, Step::Root));
                if !top {
                    f.write_str(".")?;
                }
                f.write_str(name)
            }
        }
    }
}
