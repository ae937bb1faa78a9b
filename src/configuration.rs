//! The plugin's configuration as Envoy hands it over.
//!
//! A `google.protobuf.StringValue` arrives as its text. A `google.protobuf.Struct`, which is plain YAML in Envoy's
//! file, arrives in protobuf's binary form (Envoy 1.40, measured; its documentation says JSON).

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use serde_json::{Map, Number};

/// Whole numbers up to here are exact in a `Struct`, whose numbers are doubles.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The configuration as JSON. What is no `Struct` is taken for JSON already.
pub(crate) fn to_json(bytes: Vec<u8>) -> Vec<u8> {
    use prost::Message as _;
    match Struct::decode(bytes.as_slice()) {
        Ok(fields) if !bytes.is_empty() => object(fields).to_string().into_bytes(),
        Ok(_) | Err(_) => bytes,
    }
}

fn object(fields: Struct) -> serde_json::Value {
    let pairs = fields.fields.into_iter().map(|(name, value)| (name, json(value)));
    serde_json::Value::Object(pairs.collect::<Map<_, _>>())
}

fn json(value: Value) -> serde_json::Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::NumberValue(number)) => json_number(number),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json).collect(),
        Some(Kind::StructValue(fields)) => object(fields),
    }
}

/// Whole numbers become integers again.
fn json_number(number: f64) -> serde_json::Value {
    if number.fract() == 0.0 && number.abs() <= MAX_EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within range")]
        return (number as i64).into();
    }
    Number::from_f64(number).map_or(serde_json::Value::Null, serde_json::Value::Number)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::ListValue;

    use super::*;

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    #[test]
    fn a_struct_becomes_the_json_that_was_written() {
        let limit = Struct {
            fields: [
                ("amount".to_owned(), value(Kind::NumberValue(5.0))),
                ("rate".to_owned(), value(Kind::NumberValue(1.5e-7))),
                ("on".to_owned(), value(Kind::BoolValue(true))),
                ("none".to_owned(), value(Kind::NullValue(0))),
            ]
            .into(),
        };
        let list = ListValue {
            values: vec![value(Kind::StructValue(limit))],
        };
        let whole = Struct {
            fields: [("limits".to_owned(), value(Kind::ListValue(list)))].into(),
        };
        let json: serde_json::Value = serde_json::from_slice(&to_json(whole.encode_to_vec())).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"limits": [{"amount": 5, "rate": 1.5e-7, "on": true, "none": null}]})
        );
        assert!(json["limits"][0]["amount"].is_u64());
    }

    #[test]
    fn text_stays_as_it_is() {
        for text in ["", "{}", "\n{\"gateway_id\": \"a\"}", "not json"] {
            assert_eq!(to_json(text.into()), text.as_bytes());
        }
    }

    #[test]
    fn the_length_of_a_field_may_look_like_a_brace() {
        let name = "n".repeat(113);
        let whole = Struct {
            fields: [(name, value(Kind::StringValue("vvvv".to_owned())))].into(),
        };
        let bytes = whole.encode_to_vec();
        assert_eq!(bytes.get(1), Some(&b'{'), "the test needs a length of 123");
        assert!(serde_json::from_slice::<serde_json::Value>(&to_json(bytes)).is_ok());
    }
}
