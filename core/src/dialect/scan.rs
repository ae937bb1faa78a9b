//! Objects and arrays inside a body that was read to its end before. They are valid JSON, so quotes and brackets
//! alone tell their parts apart, and a long text is passed over sixteen bytes at a time.

use std::borrow::Cow;

use super::json_string::decode;
use crate::words;

/// A walk over the parts of an object or an array.
#[derive(Debug, Clone)]
struct Walk<'a> {
    json: &'a str,
    at: usize,
}

/// A walk over the elements of an array that should all be objects.
#[derive(Debug, Clone)]
pub(super) struct Objects<'a>(Option<Walk<'a>>);

/// The fields of an object, as raw JSON: the key with its quotes, and the value. None of what is no object.
pub(crate) fn fields(json: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut walk = Walk::into(json, b'{');
    std::iter::from_fn(move || walk.as_mut()?.field())
}

/// The elements of an array, as raw JSON. None of what is no array.
pub(super) fn elements(json: &str) -> impl Iterator<Item = &str> {
    let mut walk = Walk::into(json, b'[');
    std::iter::from_fn(move || {
        let walk = walk.as_mut()?;
        walk.pass(b',');
        walk.value()
    })
}

/// The text of a key with its quotes.
pub(crate) fn key_text(raw: &str) -> Cow<'_, str> {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        _ => decode(raw),
    }
}

// === impl Objects ===

impl<'a> Objects<'a> {
    /// The objects in `json`; none in what is no array.
    pub(super) fn of(json: &'a str) -> Self {
        Self(Walk::into(json, b'['))
    }

    /// Calls `each` for the fields of the next object, as [`fields`] tells them: an element is walked over once. `false`
    /// where the next element is no object; `None` where there is none.
    pub(super) fn next(&mut self, mut each: impl FnMut(&'a str, &'a str)) -> Option<bool> {
        let walk = self.0.as_mut()?;
        walk.pass(b',');
        if !walk.pass(b'{') {
            return walk.value().map(|_| false);
        }
        while let Some((key, value)) = walk.field() {
            each(key, value);
        }
        walk.pass(b'}');
        Some(true)
    }
}

// === impl Walk ===

impl<'a> Walk<'a> {
    /// A walk that starts behind the bracket that `json` opens with; `None` where it opens with something else.
    fn into(json: &'a str, bracket: u8) -> Option<Self> {
        let opens = json.as_bytes().first() == Some(&bracket);
        opens.then_some(Self { json, at: 1 })
    }

    /// The next field of the object that the walk is in; `None` at its end.
    fn field(&mut self) -> Option<(&'a str, &'a str)> {
        self.pass(b',');
        let key = self.value().filter(|key| key.starts_with('"'))?;
        self.pass(b':');
        Some((key, self.value()?))
    }

    /// Passes a separator or a bracket that stands next, and the white space around it; says whether it did.
    fn pass(&mut self, sign: u8) -> bool {
        self.pass_space();
        let is_next = self.json.as_bytes().get(self.at) == Some(&sign);
        if is_next {
            self.at += 1;
            self.pass_space();
        }
        is_next
    }

    fn pass_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.json.as_bytes().get(self.at) {
            self.at += 1;
        }
    }

    /// The value that begins here; `None` at the closing bracket.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        let end = end_of_value(self.json.as_bytes(), start)?;
        self.at = end;
        self.json.get(start..end).filter(|value| !value.is_empty())
    }
}

/// Where the value that begins at `start` ends. What is deep costs no stack.
fn end_of_value(bytes: &[u8], start: usize) -> Option<usize> {
    match bytes.get(start)? {
        b'"' => end_of_string(bytes, start),
        b'{' | b'[' => end_of_nested(bytes, start),
        _ => {
            let rest = bytes.get(start..)?;
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t');
            Some(start + rest.iter().position(ends).unwrap_or(rest.len()))
        }
    }
}

fn end_of_nested(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = end_of_string(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Where the string that begins at `start` ends. Quotes are looked for, not backslashes, of which code has many more.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let first = start + 1;
    let mut at = first;
    loop {
        at += words::len_until(bytes.get(at..)?, b'"')?;
        let before = bytes.get(first..at)?.iter().rev();
        let backslashes = before.take_while(|byte| **byte == b'\\').count();
        at += 1;
        if backslashes.is_multiple_of(2) {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
            ".*".prop_map(Value::from),
            r#"["\\{}\[\],: ]*"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(r#"[a-c"\\{:]{0,3}"#, inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// The value, put together again from what the walks find.
    fn walked(raw: &str) -> Value {
        match raw.as_bytes().first() {
            Some(b'{') => fields(raw)
                .map(|(key, value)| (key_text(key).into_owned(), walked(value)))
                .collect(),
            Some(b'[') => elements(raw).map(walked).collect(),
            _ => serde_json::from_str(raw).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn every_part_of_valid_json_is_found(value in any_json()) {
            prop_assert_eq!(walked(&serde_json::to_string(&value).unwrap()), value.clone());
            prop_assert_eq!(walked(&serde_json::to_string_pretty(&value).unwrap()), value);
        }

        #[test]
        fn what_is_no_json_ends_the_walk(raw in r#"[\[{]["\\a:,{}\[\] ]{0,20}"#) {
            prop_assert!(fields(&raw).count() <= raw.len());
            prop_assert!(elements(&raw).count() <= raw.len());
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("[{}{}]", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(elements(&deep).map(str::len).collect::<Vec<_>>(), [2_000_000]);
    }
}
