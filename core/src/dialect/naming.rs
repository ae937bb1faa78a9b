//! Which keys of an object are which fields: how a dialect spells them, and what else some parser takes for them.

/// How a dialect spells its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// As written.
    Exact,
    /// As written, in lowerCamelCase, or in snake_case: a JSON parser of protocol buffers takes both
    /// (<https://protobuf.dev/programming-guides/json/>).
    Proto,
}

/// Which of some names a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: usize,
    /// Whether it is another spelling, which some parsers take for the name and others do not.
    pub(super) is_variant: bool,
}

// === impl Naming ===

impl Naming {
    /// Which of the `names` a key is; `None` for any other.
    pub(super) fn place(self, key: &str, names: &[&str]) -> Option<Place> {
        let known = names.iter().position(|name| self.is(key, name));
        let variant = || names.iter().position(|name| self.folds_to(key, name));
        let slot = known.or_else(variant)?;
        Some(Place {
            slot,
            is_variant: known.is_none(),
        })
    }

    /// Whether `key` is the field `name`.
    pub(super) fn is(self, key: &str, name: &str) -> bool {
        key == name || self == Self::Proto && is_snake_of(key, name)
    }

    /// Whether a parser that does not mind the case takes `key` for `name`. Go folds the long s and the Kelvin sign
    /// as well (`encoding/json`, `foldName`).
    pub(super) fn folds_to(self, key: &str, name: &str) -> bool {
        match self {
            // A letter of ASCII stands for one letter, and others are longer than the letters that they stand for.
            Self::Exact if key.len() < name.len() => false,
            Self::Exact if key.is_ascii() => key.eq_ignore_ascii_case(name),
            Self::Exact | Self::Proto => self.folds_widely_to(key, name),
        }
    }

    fn folds_widely_to(self, key: &str, name: &str) -> bool {
        let fold = |character: char| match character {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        };
        let counts = |character: &char| self == Self::Exact || *character != '_';
        key.chars()
            .filter(counts)
            .map(fold)
            .eq(name.chars().filter(counts).map(fold))
    }
}

/// Whether `key` is the snake_case of the lowerCamelCase `name`.
fn is_snake_of(key: &str, name: &str) -> bool {
    let snake = name.bytes().flat_map(|byte| {
        let underscore = byte.is_ascii_uppercase().then_some(b'_');
        underscore.into_iter().chain([byte.to_ascii_lowercase()])
    });
    key.bytes().eq(snake)
}
