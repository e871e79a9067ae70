//! JSON that is read as it is described: what has fields is an object, and what has a name is a text.
//!
//! Example: [`Described`].

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::{Error, Value};

/// A reader of a JSON value for bodies that come from outside.
///
/// Readers that serde derives are made for more formats than this one: they take a list for an object, field by field, and
/// `{"refund": null}` for the name `refund`. So `["refund", "5 EUR"]` would promise money that nobody wrote down. Here both are of the
/// wrong type. [`Command::from_json`](crate::lifecycle::Command::from_json) reads so; hosts may read submissions and bodies of their own
/// likewise.
///
/// ```
/// use complaint_core::complaint::{Contact, Wish};
/// use complaint_core::json::Described;
/// use serde::Deserialize;
/// use serde_json::json;
///
/// let contact = Contact::deserialize(Described(&json!({ "email": "john@example.org" })))?;
/// assert_eq!(contact.email.as_deref(), Some("john@example.org"));
/// assert!(Contact::deserialize(Described(&json!(["John", "john@example.org", null, null]))).is_err());
///
/// assert_eq!(Wish::deserialize(Described(&json!("refund")))?, Wish::Refund);
/// assert!(Wish::deserialize(Described(&json!({ "refund": null }))).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Described<'a>(
    /// The value.
    pub &'a Value,
);

impl<'de> Deserializer<'de> for Described<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => number.deserialize_any(visitor),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.iter().map(Described));
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Value::Object(members) => {
                let mut members = MapDeserializer::new(members.iter().map(|(name, it)| (name.as_str(), Described(it))));
                let value = visitor.visit_map(&mut members)?;
                members.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.0.is_array() {
            Err(Error::invalid_type(Unexpected::Seq, &visitor))
        } else {
            self.deserialize_any(visitor)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some(name) = self.0.as_str() else { return Err(Error::invalid_type(unexpected(self.0), &"a string")) };
        visitor.visit_enum(name.into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Described<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(_) => Unexpected::Other("number"),
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}
