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
use super::naming::{Naming, Place};
use super::scan;
use super::syntax::{self, List};
use crate::words;

/// A body with fewer fields than this is looked through once, whatever is looked for.
const MAX_INDEXED: usize = 24;

/// Reads a key, and says which of some names it is.
struct KeyOf<'n> {
    naming: Naming,
    names: &'n [&'n str],
}

/// Takes the values of a body that serde_json reads.
struct ReadBody<'r, 'n, 's, 'a, const N: usize>(&'r mut Slots<'n, 's, 'a, N>);

/// What reading a body has found.
pub(super) struct Body<'a, const N: usize> {
    /// The values of the fields that were asked for.
    pub(super) fields: [Option<&'a str>; N],
    /// All its fields, where they came up on the way and are not too many.
    pub(super) index: Option<Index<'a>>,
    /// Its messages, where they came up on the way.
    pub(super) list: Option<List<'a>>,
}

/// The values of the fields with some names, as they come up.
struct Slots<'n, 's, 'a, const N: usize> {
    naming: Naming,
    names: &'n [&'s str; N],
    values: [Option<&'a str>; N],
    /// The first that is refused: given more than once, or spelt in another way.
    fault: Option<Place>,
}

// === impl KeyOf ===

impl<'de> DeserializeSeed<'de> for KeyOf<'_> {
    type Value = Option<Place>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf<'_> {
    type Value = Option<Place>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.naming.place(key, self.names))
    }
}

// === impl Slots ===

impl<'n, 's, 'a, const N: usize> Slots<'n, 's, 'a, N> {
    const fn new(naming: Naming, names: &'n [&'s str; N]) -> Self {
        Self {
            naming,
            names,
            values: [None; N],
            fault: None,
        }
    }

    /// Of the object `json`, which was read before.
    fn of(json: &'a str, naming: Naming, names: &'n [&'s str; N]) -> Self {
        let mut slots = Self::new(naming, names);
        for (key, value) in scan::fields(json) {
            slots.see(&scan::key_text(key), value);
        }
        slots
    }

    fn see(&mut self, key: &str, value: &'a str) {
        if let Some(place) = self.naming.place(key, self.names) {
            self.fill(place, value);
        }
    }

    fn fill(&mut self, place: Place, value: &'a str) {
        let slot = self.values.get_mut(place.slot);
        let is_duplicate = slot.is_some_and(|slot| slot.replace(value).is_some());
        if (place.is_variant || is_duplicate) && self.fault.is_none() {
            self.fault = Some(place);
        }
    }
}

impl<'a, const N: usize> Slots<'_, 'static, 'a, N> {
    /// The values in the object at `at`, if none of its fields is refused.
    fn values(self, at: &At<'_>) -> Result<[Option<&'a str>; N], Invalid> {
        let Some(fault) = self.fault else {
            return Ok(self.values);
        };
        let name = self.names.get(fault.slot).copied().unwrap_or_default();
        let place = at.field(name);
        Err(if fault.is_variant {
            place.invalid(format!("{place} is spelt in another case"))
        } else {
            place.invalid(format!("{place} is given more than once"))
        })
    }
}

// === impl ReadBody ===

impl<'de, const N: usize> Visitor<'de> for ReadBody<'_, '_, '_, 'de, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Slots { naming, names, .. } = *self.0;
        while let Some(key) = map.next_key_seed(KeyOf { naming, names })? {
            let Some(place) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value: &'de RawValue = map.next_value()?;
            self.0.fill(place, value.get());
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
    let mut slots = Slots::new(naming, names);
    let mut fields = Vec::with_capacity(MAX_INDEXED);
    let read = syntax::object_with_list(json, "messages", |key, value| {
        slots.see(key, value);
        if fields.len() < MAX_INDEXED {
            fields.push((Cow::Borrowed(key), value));
        }
    });
    if read.is_none() {
        slots = body_by_serde(json, naming, names)?;
    }
    let is_indexed = read.is_some() && fields.len() < MAX_INDEXED;
    Ok(Body {
        fields: slots.values(&At::ROOT)?,
        index: is_indexed.then_some(Index(fields)),
        list: read.flatten(),
    })
}

/// As [`body`], for bodies that are out of the ordinary or not valid.
fn body_by_serde<'n, 'a, const N: usize>(
    json: &'a str,
    naming: Naming,
    names: &'n [&'static str; N],
) -> Result<Slots<'n, 'static, 'a, N>, Invalid> {
    let mut slots = Slots::new(naming, names);
    let mut reader = serde_json::Deserializer::from_str(json);
    reader
        .deserialize_map(ReadBody(&mut slots))
        .and_then(|()| reader.end())
        .map_err(|error| match error.classify() {
            Category::Data => At::ROOT.must("be an object"),
            Category::Syntax | Category::Eof | Category::Io => {
                At::ROOT.invalid(format!("the body is not valid JSON: {error}"))
            }
        })?;
    Ok(slots)
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
    Slots::of(json, naming, names).values(at)
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

    /// The value at the end of a path of names with dots between them, as [`lookup`].
    pub(super) fn lookup(&self, naming: Naming, dotted: &str) -> Result<Option<&'a str>, Ambiguous> {
        // Most have no dot.
        let Some((first, rest)) = words::split_at(dotted, b'.') else {
            return Ok(present(self.find(naming, dotted)?));
        };
        match present(self.find(naming, first)?) {
            Some(value) => lookup(value, naming, rest.split('.')),
            None => Ok(None),
        }
    }

    fn find(&self, naming: Naming, name: &str) -> Result<Option<&'a str>, Ambiguous> {
        let mut found = None;
        for (key, value) in &self.0 {
            let is_known = naming.is(key, name);
            if !is_known && !naming.folds_to(key, name) {
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
        let names = [name];
        let slots = Slots::of(found, naming, &names);
        if slots.fault.is_some() {
            return Err(Ambiguous);
        }
        let [value] = slots.values;
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
    let mut objects = scan::Objects::of(json);
    for index in 0.. {
        let (at, mut slots) = (at.index(index), Slots::new(naming, names));
        match objects.next(|key, value| slots.see(&scan::key_text(key), value)) {
            None => break,
            Some(false) => return Err(at.must("be an object")),
            Some(true) => each(index, slots.values(&at)?)?,
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
    let mut rest = list.fields();
    for index in 0..list.len() {
        let own = rest.iter().take_while(|(element, ..)| *element == index).count();
        let (fields, others) = rest.split_at_checked(own).unwrap_or_default();
        rest = others;
        let mut slots = Slots::new(Naming::Exact, names);
        for (_, key, value) in fields {
            slots.see(key, value);
        }
        each(index, slots.values(&at.index(index))?)?;
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
