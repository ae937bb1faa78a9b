use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{MAX_LISTED, object, object_with_list};
use crate::dialect::scan;

/// The fields as they are found here, where `json` is an object.
fn found(json: &str) -> Option<Vec<(&str, &str)>> {
    let mut fields = Vec::new();
    object(json, |key, value| fields.push((key, value)))?;
    Some(fields)
}

/// The plain way: the fields as serde_json finds them.
fn plainly(json: &str) -> Option<Vec<(String, &str)>> {
    struct Fields;
    impl<'de> serde::de::Visitor<'de> for Fields {
        type Value = Vec<(String, &'de str)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                fields.push((key, value.get()));
            }
            Ok(fields)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let fields = serde::Deserializer::deserialize_map(&mut reader, Fields).ok()?;
    reader.end().ok()?;
    Some(fields)
}

/// Both say the same; where this says no to what serde_json takes, it is for one of the reasons that it gives.
fn agree(json: &str) -> Result<(), TestCaseError> {
    let (ours, theirs) = (found(json), plainly(json));
    match (&ours, &theirs) {
        (Some(ours), Some(theirs)) => {
            prop_assert_eq!(ours.len(), theirs.len(), "{}", json);
            for ((key, value), (their_key, their_value)) in ours.iter().zip(theirs) {
                prop_assert_eq!((*key, *value), (&**their_key, *their_value), "{}", json);
            }
        }
        (None, None) => {}
        (Some(_), None) => prop_assert!(false, "taken and not valid: {}", json),
        (None, Some(_)) => prop_assert!(
            json.contains('\\') || depth(json) > 64,
            "valid and not taken: {}",
            json
        ),
    }
    Ok(())
}

fn depth(json: &str) -> usize {
    json.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        r#"["\\{}\[\],: \n]*"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-cé]{0,3}", inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Pieces that JSON is made of, valid and not.
fn any_piece() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\t",
        "\r",
        "\u{b}",
        "\"",
        "\\",
        "\"a\"",
        "\"b\":",
        "{\"c\":",
        "\"\\u00e9\"",
        "\"\\ud800\"",
        "\"\\u12g4\"",
        "\"\\x\"",
        "\"\u{1}\"",
        "\"\u{7f}é😀\"",
        "\"long enough for two words\"",
        "null",
        "true",
        "false",
        "nul",
        "0",
        "-0",
        "-",
        "01",
        "1",
        "12.5",
        "1.",
        ".5",
        "1e5",
        "1E+10",
        "1e-",
        "-1.25e300",
        "1e999",
        "+1",
        "NaN",
        "\u{feff}",
        "/",
        "'",
    ];
    prop::sample::select(pieces.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_pieces_are_taken_as_serde_takes_them(pieces in prop::collection::vec(any_piece(), 0..9), shape in 0..4) {
        let pieces = pieces.concat();
        agree(&match shape {
            0 => pieces,
            1 => format!("{{{pieces}}}"),
            2 => format!("{{\"a\":{pieces}}}"),
            _ => format!("{{\"a\":[{pieces}],\"b\":{{{pieces}}} }}"),
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn valid_json_is_taken(value in any_json(), pretty in any::<bool>()) {
        let object = serde_json::json!({"value": value, "": null, "other": [value]});
        let json = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
        agree(&json)?;
        prop_assert!(found(&json).is_some());
    }

    #[test]
    fn one_changed_byte_is_taken_as_serde_takes_it(value in any_json(), at in any::<prop::sample::Index>(), byte in prop_oneof![any::<char>(), prop::sample::select(" \t\n\r\"\\\u{1}{}[]:,-+.eE01tfn/u".chars().collect::<Vec<_>>())]) {
        let mut json: Vec<char> = serde_json::json!({"value": value, "n": -1.5e3}).to_string().chars().collect();
        let at = at.index(json.len());
        json[at] = byte;
        agree(&json.iter().collect::<String>())?;
        json.remove(at);
        agree(&json.iter().collect::<String>())?;
        json.truncate(at);
        agree(&json.iter().collect::<String>())?;
    }
}

#[test]
fn nesting_is_taken_up_to_a_depth_and_costs_no_stack() {
    for (depth, taken) in [(64, true), (65, false), (1_000_000, false)] {
        let json = format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(found(&json).is_some(), taken, "{depth}");
        assert!(serde_json::from_str::<IgnoredAny>(&json).is_ok());
    }
    let mixed = format!("{{\"a\":{}1{}}}", "[{\"b\":".repeat(32), "}]".repeat(32));
    assert!(found(&mixed).is_some());
    assert!(found(&mixed.replace("}]", "]}")).is_none());
}

#[test]
fn white_space_in_a_key_is_as_invalid_as_in_any_string() {
    for json in [
        "{\"\t\":1}",
        "{\"a\n\":1}",
        "{\"a\":{\"\t\":1}}",
        "{\"a\":\"\r\"}",
    ] {
        assert_eq!((found(json), plainly(json)), (None, None), "{json:?}");
    }
    assert_eq!(found("{\"a \" : 1 }"), Some(vec![("a ", "1")]));
}

fn any_list() -> impl Strategy<Value = Vec<Value>> {
    let message = prop::collection::btree_map("[a-cé]{0,3}", any_json(), 0..4)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()));
    prop::collection::vec(prop_oneof![9 => message, 1 => any_json()], 0..5)
}

proptest! {
    #[test]
    fn a_list_is_told_as_a_second_walk_over_it_tells_it(elements in any_list(), is_pretty: bool) {
        let body = serde_json::json!({"before": 1, "list": elements, "behind": "x"});
        let json = if is_pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let mut value = None;
        let told = object_with_list(&json, "list", |key, found| {
            if key == "list" {
                value = Some(found);
            }
        });
        let Some(list) = told else {
            prop_assert!(json.contains('\\'), "not taken: {}", json);
            return Ok(());
        };
        let value = value.unwrap();
        let is_list = !elements.is_empty() && elements.iter().all(Value::is_object);
        prop_assert_eq!(list.is_some(), is_list);
        if let Some(list) = list {
            prop_assert!(list.is(value));
            prop_assert_eq!(list.len(), elements.len());
            let again = scan::elements(value).enumerate().flat_map(|(element, object)| {
                scan::fields(object).map(move |(key, value)| (element, key.trim_matches('"'), value))
            });
            prop_assert_eq!(list.fields(), again.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_list_that_is_not_valid_is_not_taken(json in r#"\{"list":\[[\[\]{},:"a1 ]{0,12}\]\}"#) {
        let taken = object_with_list(&json, "list", |_, _| {}).is_some();
        prop_assert_eq!(taken, object(&json, |_, _| {}).is_some(), "{}", json);
    }
}

#[test]
fn a_list_that_is_too_long_is_not_kept() {
    for (fields, is_kept) in [(MAX_LISTED, true), (MAX_LISTED + 1, false)] {
        let json = format!("{{\"list\":[{}]}}", vec![r#"{"a":1}"#; fields].join(","));
        let list = object_with_list(&json, "list", |_, _| {}).unwrap();
        assert_eq!(list.is_some(), is_kept, "{fields}");
    }
}
