//! The order in which a type's fields are declared. A schema sorts them by name; a reader wants the important first.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// Fields by the name of their type's schema, as they are declared.
#[derive(Debug, Default)]
pub(crate) struct Order(BTreeMap<String, &'static [&'static str]>);

/// Takes the names that a derived `Deserialize` looks for, and deserialises nothing.
struct Names<'n>(&'n mut &'static [&'static str]);

// === impl Order ===

impl Order {
    /// Adds a type.
    pub(crate) fn of<T: JsonSchema + for<'de> Deserialize<'de>>(mut self) -> Self {
        let mut names: &'static [&'static str] = &[];
        // It fails by design: the names are known by then.
        let _ = T::deserialize(Names(&mut names));
        self.0.insert(T::schema_name().into_owned(), names);
        self
    }

    /// Whether a type was added.
    #[cfg(test)]
    pub(crate) fn knows(&self, schema: &str) -> bool {
        self.0.contains_key(schema)
    }

    /// Where a field stands; those of types that were not added are last, and so stay in their order by name.
    pub(crate) fn position(&self, schema: &str, field: &str) -> usize {
        let names = self.0.get(schema).copied().unwrap_or_default();
        names.iter().position(|name| *name == field).unwrap_or(usize::MAX)
    }
}

// === impl Names ===

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only the names were asked for"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its names matter")]
    struct Sample {
        zeta: u8,
        #[serde(rename = "match")]
        alpha: u8,
    }

    #[test]
    fn fields_stand_as_they_are_declared_under_their_written_names() {
        let order = Order::default().of::<Sample>();
        assert_eq!(
            (
                order.position("Sample", "zeta"),
                order.position("Sample", "match")
            ),
            (0, 1)
        );
        assert_eq!(order.position("Sample", "alpha"), usize::MAX);
        assert_eq!(order.position("Other", "zeta"), usize::MAX);
    }
}
