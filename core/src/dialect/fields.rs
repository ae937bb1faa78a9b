//! Objects and arrays of a body, read one level at a time and borrowed: known fields as raw JSON, the rest
//! skipped. Skipping does not recurse, so nesting costs no stack.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::at::{At, Invalid};

/// How a dialect spells its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// As written.
    Exact,
    /// As written, in lowerCamelCase, or in snake_case: a JSON parser of protocol buffers takes both
    /// (<https://protobuf.dev/programming-guides/json/>).
    Proto,
}

/// What a key means to the reader of an object.
enum Key {
    Known(usize),
    /// Another spelling of a known name, which some parsers take for it and others do not.
    Variant(usize),
    Unknown,
}

struct KeyOf<'n> {
    naming: Naming,
    names: &'n [&'n str],
}

struct ReadObject<'n, 's, 'a> {
    naming: Naming,
    names: &'n [&'n str],
    slots: &'s mut [Option<&'a str>],
    fault: &'s mut Option<Fault>,
}

/// Why an object with valid syntax is refused.
#[derive(Clone, Copy)]
struct Fault {
    slot: usize,
    variant: bool,
}

struct ReadEntries<F>(F);

struct ReadIndex<'s, 'a>(&'s mut Vec<(Cow<'a, str>, &'a str)>);

struct AnyKey;

struct ReadArray<'s, 'a, F> {
    each: F,
    fault: &'s mut Option<Invalid>,
    borrowed: PhantomData<&'a str>,
}

// === impl KeyOf ===

impl<'de> DeserializeSeed<'de> for KeyOf<'_> {
    type Value = Key;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Key, E> {
        for (slot, name) in self.names.iter().enumerate() {
            if key == *name || self.naming == Naming::Proto && is_snake_of(key, name) {
                return Ok(Key::Known(slot));
            }
        }
        let variant = self
            .names
            .iter()
            .position(|name| folds_to(key, name, self.naming));
        Ok(variant.map_or(Key::Unknown, Key::Variant))
    }
}

// === impl ReadObject ===

impl<'de> Visitor<'de> for ReadObject<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self {
            naming,
            names,
            slots,
            fault,
        } = self;
        while let Some(key) = map.next_key_seed(KeyOf { naming, names })? {
            let (slot, variant) = match key {
                Key::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Key::Known(slot) => (slot, false),
                Key::Variant(slot) => (slot, true),
            };
            let value: &'de RawValue = map.next_value()?;
            let place = slots.get_mut(slot);
            let duplicate = place.is_some_and(|place| place.replace(value.get()).is_some());
            if (variant || duplicate) && fault.is_none() {
                *fault = Some(Fault { slot, variant });
            }
        }
        Ok(())
    }
}

// === impl ReadIndex ===

impl<'de> Visitor<'de> for ReadIndex<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(AnyKey)? {
            let value: &'de RawValue = map.next_value()?;
            self.0.push((key, value.get()));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for AnyKey {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for AnyKey {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

// === impl ReadEntries ===

impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for ReadEntries<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let value: &'de RawValue = map.next_value()?;
            (self.0)(&key, value.get());
        }
        Ok(())
    }
}

// === impl ReadArray ===

impl<'de, F> Visitor<'de> for ReadArray<'_, 'de, F>
where
    F: FnMut(usize, &'de str) -> Result<(), Invalid>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(value) = seq.next_element::<&'de RawValue>()? {
            if let Err(invalid) = (self.each)(index, value.get()) {
                *self.fault = Some(invalid);
                return Err(de::Error::custom("refused"));
            }
            index += 1;
        }
        Ok(())
    }
}

/// The values of the `names` in the object `json`, as raw JSON; `null` is a value.
pub(super) fn object<'a, const N: usize>(
    json: &'a str,
    naming: Naming,
    names: &[&'static str; N],
    at: &At<'_>,
) -> Result<[Option<&'a str>; N], Invalid> {
    let mut slots = [None; N];
    let Some(fault) = read_object(json, naming, names, &mut slots, at)? else {
        return Ok(slots);
    };
    let name = names.get(fault.slot).copied().unwrap_or_default();
    let place = at.field(name);
    Err(if fault.variant {
        place.invalid(format!("{place} is spelt in another case"))
    } else {
        place.invalid(format!("{place} is given more than once"))
    })
}

/// All fields of an object that was read before, for look-ups by names that were not known then: one scan, however
/// many look-ups follow.
#[derive(Debug, Clone)]
pub(super) struct Index<'a>(Vec<(Cow<'a, str>, &'a str)>);

// === impl Index ===

impl<'a> Index<'a> {
    /// The fields of `json`; none where it is no object.
    pub(super) fn of(json: &'a str) -> Result<Self, Ambiguous> {
        let mut fields = Vec::new();
        if is_object(json.trim_start()) {
            // What cannot be read to its end was not read before either.
            serde_json::Deserializer::from_str(json)
                .deserialize_map(ReadIndex(&mut fields))
                .map_err(|_| Ambiguous)?;
        }
        Ok(Self(fields))
    }

    /// The value at the end of a path of names, as [`lookup`].
    pub(super) fn lookup<'n>(
        &self,
        naming: Naming,
        mut names: impl Iterator<Item = &'n str>,
    ) -> Result<Option<&'a str>, Ambiguous> {
        let Some(first) = names.next() else {
            return Ok(None);
        };
        match present(self.find(naming, first)?) {
            Some(value) => lookup(value, naming, names),
            None => Ok(None),
        }
    }

    fn find(&self, naming: Naming, name: &str) -> Result<Option<&'a str>, Ambiguous> {
        let mut found = None;
        for (key, value) in &self.0 {
            let is_known = key == name || naming == Naming::Proto && is_snake_of(key, name);
            if !is_known && !folds_to(key, name, naming) {
                continue;
            }
            if !is_known || found.replace(*value).is_some() {
                return Err(Ambiguous);
            }
        }
        Ok(found)
    }
}

/// A field on the way was given twice, or in another case: two parsers may read two values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ambiguous;

/// The value at the end of a path of names, `null` excluded, in a body that was read before. `None` where there is
/// none, also because the path goes through something else than objects.
pub(super) fn lookup<'a, 'n>(
    json: &'a str,
    naming: Naming,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<Option<&'a str>, Ambiguous> {
    let mut found = json.trim_start();
    for name in names {
        if !is_object(found) {
            return Ok(None);
        }
        let mut slot = [None];
        match read_object(found, naming, &[name], &mut slot, &At::ROOT) {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => return Err(Ambiguous),
        }
        let [value] = slot;
        match present(value) {
            Some(next) => found = next,
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// As [`lookup`], for names as written and values that decide nothing.
pub(super) fn nested<'a>(json: &'a str, names: &[&str]) -> Option<&'a str> {
    lookup(json, Naming::Exact, names.iter().copied()).unwrap_or(None)
}

/// Calls `each` for every element of the array `json`.
pub(super) fn array<'a, F>(json: &'a str, at: &At<'_>, each: F) -> Result<(), Invalid>
where
    F: FnMut(usize, &'a str) -> Result<(), Invalid>,
{
    if !is_array(json) {
        return Err(at.must("be an array"));
    }
    let mut fault = None;
    let read = serde_json::Deserializer::from_str(json).deserialize_seq(ReadArray {
        each,
        fault: &mut fault,
        borrowed: PhantomData,
    });
    match (fault, read) {
        (Some(invalid), _) => Err(invalid),
        (None, Err(_)) => Err(at.must("be an array")),
        (None, Ok(())) => Ok(()),
    }
}

/// Calls `each` for every field of the object `json`; for none where it is no object.
pub(super) fn entries<'a>(json: &'a str, each: impl FnMut(&str, &'a str)) {
    // What cannot be read any further (a lone surrogate in a key) ends the walk: it is for counting only.
    let _ = serde_json::Deserializer::from_str(json).deserialize_map(ReadEntries(each));
}

/// The value, unless it is absent or `null`.
pub(super) fn present(json: Option<&str>) -> Option<&str> {
    json.filter(|value| *value != "null")
}

pub(super) fn is_string(json: &str) -> bool {
    json.starts_with('"')
}

pub(super) fn is_array(json: &str) -> bool {
    json.starts_with('[')
}

pub(super) fn is_object(json: &str) -> bool {
    json.starts_with('{')
}

fn read_object<'a>(
    json: &'a str,
    naming: Naming,
    names: &[&str],
    slots: &mut [Option<&'a str>],
    at: &At<'_>,
) -> Result<Option<Fault>, Invalid> {
    let mut fault = None;
    let mut reader = serde_json::Deserializer::from_str(json);
    reader
        .deserialize_map(ReadObject {
            naming,
            names,
            slots,
            fault: &mut fault,
        })
        .and_then(|()| reader.end())
        .map_err(|error| match error.classify() {
            Category::Data => at.must("be an object"),
            Category::Syntax | Category::Eof | Category::Io => {
                at.invalid(format!("the body is not valid JSON: {error}"))
            }
        })?;
    Ok(fault)
}

/// Whether `key` is the snake_case of the lowerCamelCase `name`.
fn is_snake_of(key: &str, name: &str) -> bool {
    let snake = name.bytes().flat_map(|byte| {
        let underscore = byte.is_ascii_uppercase().then_some(b'_');
        underscore.into_iter().chain([byte.to_ascii_lowercase()])
    });
    key.bytes().eq(snake)
}

/// Whether a parser that does not mind the case takes `key` for `name`. Go folds the long s and the Kelvin sign
/// as well (`encoding/json`, `foldName`).
fn folds_to(key: &str, name: &str, naming: Naming) -> bool {
    let fold = |character: char| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    let counts = |character: &char| naming == Naming::Exact || *character != '_';
    key.chars()
        .filter(counts)
        .map(fold)
        .eq(name.chars().filter(counts).map(fold))
}
