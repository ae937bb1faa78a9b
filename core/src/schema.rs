//! JSON schemas of the configuration's types that are not derived: what is written as a string or a map.
//!
//! Only with the feature `schema`, which the filter is never built with.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::config::Span;
use crate::glob::{Glob, MAX_PATTERN_BYTES};
use crate::key::KeyHash;
use crate::price::{Catalogue, Price};

// === impl Span ===

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A span of time: a whole number and `ms`, `s`, `m`, `h` or `d`. Never zero.",
            "type": "string",
            "pattern": "^[0-9]*[1-9][0-9]*(ms|s|m|h|d)$",
        })
    }
}

impl Serialize for Span {
    /// In the largest unit that says it exactly.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const UNITS: [(&str, u64); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let millis = self.millis();
        let (unit, length) = UNITS
            .into_iter()
            .find(|(_, length)| millis.is_multiple_of(*length))
            .unwrap_or(("ms", 1));
        serializer.collect_str(&format_args!("{}{unit}", millis / length))
    }
}

// === impl Glob ===

impl JsonSchema for Glob {
    fn schema_name() -> Cow<'static, str> {
        "Glob".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A glob: `*` stands for any characters, `?` for exactly one.",
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_PATTERN_BYTES,
        })
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

// === impl KeyHash ===

impl JsonSchema for KeyHash {
    fn schema_name() -> Cow<'static, str> {
        "KeyHash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A SHA-256, as 64 hex digits.",
            "type": "string",
            "pattern": "^[0-9A-Fa-f]{64}$",
        })
    }
}

// === impl Catalogue ===

impl JsonSchema for Catalogue {
    fn schema_name() -> Cow<'static, str> {
        "Catalogue".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let price = generator.subschema_for::<Price>();
        json_schema!({
            "description": "Prices by model, in LiteLLM's format; fields that are not known are passed over.",
            "type": "object",
            "additionalProperties": price,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_written_as_people_write_it() {
        for text in ["250ms", "1s", "90s", "15m", "1h", "36h", "7d"] {
            let span = Span::parse(text).unwrap();
            assert_eq!(serde_json::to_value(span).unwrap(), text);
        }
    }
}
