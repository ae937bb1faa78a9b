//! JSON schemas of the configuration's types that are not derived: what is written as a string or a map.
//!
//! Only with the feature `schema`, which the filter is never built with.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

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
