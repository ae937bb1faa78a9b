//! Objects and arrays of a body, read one level at a time and borrowed: known fields as raw JSON, the rest
//! skipped. Skipping does not recurse, so nesting costs no stack.
//!
//! [`body`] reads the whole body, and refuses what is no JSON. Everything else here reads parts of a body that was
//! read before, and only tells them apart.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::at::{At, Invalid};
use super::scan;
use super::syntax::{self, List};

/// A body with fewer fields than this is looked through once, whatever is looked for.
const MAX_INDEXED: usize = 24;

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

struct ReadBody<'n, 's, 'a> {
    key_of: KeyOf<'n>,
    slots: Slots<'s, 'a>,
}

/// What reading a body has found.
pub(super) struct Body<'a, const N: usize> {
    /// The values of the fields that were asked for.
    pub(super) fields: [Option<&'a str>; N],
    /// All its fields, where they came up on the way and are not too many.
    pub(super) index: Option<Index<'a>>,
    /// Its messages, where they came up on the way.
    pub(super) list: Option<List<'a>>,
}

/// Where the values of known fields go.
struct Slots<'s, 'a> {
    values: &'s mut [Option<&'a str>],
    fault: &'s mut Option<Fault>,
}

/// Why an object with valid syntax is refused.
#[derive(Clone, Copy)]
struct Fault {
    slot: usize,
    variant: bool,
}

// === impl KeyOf ===

impl KeyOf<'_> {
    fn of(&self, key: &str) -> Key {
        for (slot, name) in self.names.iter().enumerate() {
            if key == *name || self.naming == Naming::Proto && is_snake_of(key, name) {
                return Key::Known(slot);
            }
        }
        let variant = if self.naming == Naming::Exact && key.is_ascii() {
            self.names.iter().position(|name| key.eq_ignore_ascii_case(name))
        } else {
            self.names
                .iter()
                .position(|name| folds_to(key, name, self.naming))
        };
        variant.map_or(Key::Unknown, Key::Variant)
    }
}

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
        Ok(self.of(key))
    }
}

// === impl Key ===

impl Key {
    /// The slot of a field that is known, and whether it is spelt in another way; `None` for any other field.
    const fn place(&self) -> Option<(usize, bool)> {
        match self {
            Self::Known(slot) => Some((*slot, false)),
            Self::Variant(slot) => Some((*slot, true)),
            Self::Unknown => None,
        }
    }
}

// === impl Slots ===

impl<'s, 'a> Slots<'s, 'a> {
    const fn new(values: &'s mut [Option<&'a str>], fault: &'s mut Option<Fault>) -> Self {
        Self { values, fault }
    }

    fn fill_known(&mut self, key: &Key, value: &'a str) {
        if let Some(place) = key.place() {
            self.fill(place, value);
        }
    }

    fn fill(&mut self, (slot, variant): (usize, bool), value: &'a str) {
        let place = self.values.get_mut(slot);
        let duplicate = place.is_some_and(|place| place.replace(value).is_some());
        if (variant || duplicate) && self.fault.is_none() {
            *self.fault = Some(Fault { slot, variant });
        }
    }
}

// === impl Fault ===

impl Fault {
    fn at(self, names: &[&'static str], at: &At<'_>) -> Invalid {
        let name = names.get(self.slot).copied().unwrap_or_default();
        let place = at.field(name);
        if self.variant {
            place.invalid(format!("{place} is spelt in another case"))
        } else {
            place.invalid(format!("{place} is given more than once"))
        }
    }
}

// === impl ReadBody ===

impl<'de> Visitor<'de> for ReadBody<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let KeyOf { naming, names } = self.key_of;
        while let Some(key) = map.next_key_seed(KeyOf { naming, names })? {
            let Some(place) = key.place() else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value: &'de RawValue = map.next_value()?;
            self.slots.fill(place, value.get());
        }
        Ok(())
    }
}

/// The values of the `names` in the body `json`, as raw JSON; `null` is a value.
pub(super) fn body<'a, const N: usize>(
    json: &'a str,
    naming: Naming,
    names: &[&'static str; N],
) -> Result<Body<'a, N>, Invalid> {
    let mut slots = [None; N];
    let mut fault = None;
    let key_of = KeyOf { naming, names };
    let mut fill = Slots::new(&mut slots, &mut fault);
    let mut fields = Vec::with_capacity(MAX_INDEXED);
    let read = syntax::object_with_list(json, "messages", |key, value| {
        fill.fill_known(&key_of.of(key), value);
        if fields.len() < MAX_INDEXED {
            fields.push((Cow::Borrowed(key), value));
        }
    });
    if read.is_none() {
        (slots, fault) = body_by_serde(json, naming, names)?;
    }
    let is_indexed = read.is_some() && fields.len() < MAX_INDEXED;
    match fault {
        None => Ok(Body {
            fields: slots,
            index: is_indexed.then_some(Index(fields)),
            list: read.flatten(),
        }),
        Some(fault) => Err(fault.at(names, &At::ROOT)),
    }
}

/// As [`body`], for bodies that are out of the ordinary or not valid.
fn body_by_serde<'a, const N: usize>(
    json: &'a str,
    naming: Naming,
    names: &[&'static str; N],
) -> Result<([Option<&'a str>; N], Option<Fault>), Invalid> {
    let mut slots = [None; N];
    let mut fault = None;
    let mut reader = serde_json::Deserializer::from_str(json);
    reader
        .deserialize_map(ReadBody {
            key_of: KeyOf { naming, names },
            slots: Slots::new(&mut slots, &mut fault),
        })
        .and_then(|()| reader.end())
        .map_err(|error| match error.classify() {
            Category::Data => At::ROOT.must("be an object"),
            Category::Syntax | Category::Eof | Category::Io => {
                At::ROOT.invalid(format!("the body is not valid JSON: {error}"))
            }
        })?;
    Ok((slots, fault))
}

/// The values of the `names` in the object `json` of a body that was read before; `null` is a value.
pub(super) fn object<'a, const N: usize>(
    json: &'a str,
    naming: Naming,
    names: &[&'static str; N],
    at: &At<'_>,
) -> Result<[Option<&'a str>; N], Invalid> {
    if !is_object(json) {
        return Err(at.must("be an object"));
    }
    let mut slots = [None; N];
    match read_object(json, naming, names, &mut slots) {
        None => Ok(slots),
        Some(fault) => Err(fault.at(names, at)),
    }
}

/// All fields of an object that was read before, for look-ups by names that were not known then: one scan, however
/// many look-ups follow.
#[derive(Debug, Clone)]
pub(super) struct Index<'a>(Vec<(Cow<'a, str>, &'a str)>);

// === impl Index ===

impl<'a> Index<'a> {
    /// The fields of `json`; none where it is no object.
    pub(super) fn of(json: &'a str) -> Self {
        let fields = scan::fields(json.trim_start());
        Self(fields.map(|(key, value)| (scan::key_text(key), value)).collect())
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
        if read_object(found, naming, &[name], &mut slot).is_some() {
            return Err(Ambiguous);
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
pub(super) fn array<'a, F>(json: &'a str, at: &At<'_>, mut each: F) -> Result<(), Invalid>
where
    F: FnMut(usize, &'a str) -> Result<(), Invalid>,
{
    if !is_array(json) {
        return Err(at.must("be an array"));
    }
    scan::elements(json)
        .enumerate()
        .try_for_each(|(index, element)| each(index, element))
}

/// Calls `each` for every element of the array `json`, which must all be objects, with the values of the `names` in it:
/// as [`array`] and [`object`], in one walk.
pub(super) fn objects<'a, const N: usize, F>(
    json: &'a str,
    naming: Naming,
    names: &[&'static str; N],
    at: &At<'_>,
    mut each: F,
) -> Result<(), Invalid>
where
    F: FnMut(usize, [Option<&'a str>; N]) -> Result<(), Invalid>,
{
    if !is_array(json) {
        return Err(at.must("be an array"));
    }
    let key_of = KeyOf { naming, names };
    let mut objects = scan::Objects::of(json);
    for index in 0.. {
        let mut slots = [None; N];
        let mut fault = None;
        let mut fill = Slots::new(&mut slots, &mut fault);
        let next = objects.next(|key, value| fill.fill_known(&key_of.of(&scan::key_text(key)), value));
        match (next, fault) {
            (None, _) => break,
            (Some(false), _) => return Err(at.index(index).must("be an object")),
            (Some(true), Some(fault)) => return Err(fault.at(names, &at.index(index))),
            (Some(true), None) => each(index, slots)?,
        }
    }
    Ok(())
}

/// As [`objects`], for an array that was walked over when the body was read.
pub(super) fn listed<'a, const N: usize, F>(
    list: &List<'a>,
    names: &[&'static str; N],
    at: &At<'_>,
    mut each: F,
) -> Result<(), Invalid>
where
    F: FnMut(usize, [Option<&'a str>; N]) -> Result<(), Invalid>,
{
    let key_of = KeyOf {
        naming: Naming::Exact,
        names,
    };
    let mut rest = list.fields();
    for index in 0..list.len() {
        let own = rest.iter().take_while(|(element, ..)| *element == index).count();
        let (fields, others) = rest.split_at_checked(own).unwrap_or_default();
        rest = others;
        let mut slots = [None; N];
        let mut fault = None;
        let mut fill = Slots::new(&mut slots, &mut fault);
        for (_, key, value) in fields {
            fill.fill_known(&key_of.of(key), value);
        }
        match fault {
            Some(fault) => return Err(fault.at(names, &at.index(index))),
            None => each(index, slots)?,
        }
    }
    Ok(())
}

/// Calls `each` for every field of the object `json`; for none where it is no object.
pub(super) fn entries<'a>(json: &'a str, mut each: impl FnMut(&str, &'a str)) {
    for (key, value) in scan::fields(json) {
        each(&scan::key_text(key), value);
    }
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
) -> Option<Fault> {
    let key_of = KeyOf { naming, names };
    let mut fault = None;
    let mut slots = Slots::new(slots, &mut fault);
    for (key, value) in scan::fields(json) {
        slots.fill_known(&key_of.of(&scan::key_text(key)), value);
    }
    fault
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
    match naming {
        // A letter of ASCII stands for one letter, and others are longer than the letters that they stand for.
        Naming::Exact if key.len() < name.len() => false,
        Naming::Exact if key.is_ascii() => key.eq_ignore_ascii_case(name),
        Naming::Exact | Naming::Proto => folds_widely_to(key, name, naming),
    }
}

fn folds_widely_to(key: &str, name: &str, naming: Naming) -> bool {
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
