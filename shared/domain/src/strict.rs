//! Reading documents that people write (rules, entities) into the types that serde describes, more strictly than serde's own
//! readers of JSON do: an object is an object and never a list of its fields, a choice is written in one way, no field
//! stands twice, and a fault names its place.
//!
//! Knows nothing of what a document means: what a type cannot say is checked by whoever owns the type.

use crate::{
    json::{self, Node},
    reject::{Code, Reason},
};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use std::{borrow::Cow, collections::HashSet, fmt, vec};

/// Reads a document whole.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Reason> {
    parse(text).map_err(Reason::from)
}

/// Reads a part of a document, which stands under `name`.
pub(crate) fn part<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Reason> {
    parse(text).map_err(|fault| fault.under(name).into())
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    T::deserialize(json::parse(text).map_err(|fault| Fault::new(Code::Malformed, "", fault.to_string()))?)
}

/// What is wrong, and where below the value that was read.
#[derive(Debug)]
pub(crate) struct Fault {
    code: Code,
    field: String,
    detail: String,
}

impl Fault {
    fn new(code: Code, field: &str, detail: impl Into<String>) -> Self {
        Self { code, field: field.to_owned(), detail: detail.into() }
    }

    fn not(node: &Node<'_>, wanted: &str) -> Self {
        Self::new(Code::WrongType, "", format!("is {}, not {wanted}", node.sort()))
    }

    /// The same fault, seen from the object above.
    fn under(mut self, key: &str) -> Self {
        let rest = std::mem::take(&mut self.field);
        self.field =
            if rest.is_empty() || rest.starts_with('[') { format!("{key}{rest}") } else { format!("{key}.{rest}") };
        self
    }
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code, fault.field, fault.detail)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.detail)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(detail: T) -> Self {
        Self::new(Code::InvalidValue, "", detail.to_string())
    }

    fn invalid_type(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::new(Code::WrongType, "", format!("is {found}, not {wanted}"))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::new(Code::InvalidValue, field, format!("is not a field here; fields are {}", known.join(", ")))
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(Code::InvalidValue, "", format!("`{found}` is none of {}", known.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Code::MissingField, field, "is missing")
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Null => visitor.visit_unit(),
            Node::Bool(yes) => visitor.visit_bool(yes),
            Node::Number(digits) => number(digits, visitor),
            Node::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Node::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Node::List(items) => list(items, visitor),
            Node::Object(entries) => visitor.visit_map(Entries::new(entries)?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self == Node::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Node::Object(entries) => visitor.visit_map(Entries::new(entries)?),
            other => Err(Fault::not(&other, "an object")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Node::Text(name) => visitor.visit_enum(Choice { name, content: None }),
            Node::Object(mut entries) => match (entries.pop(), entries.is_empty()) {
                (Some((name, content)), true) => visitor.visit_enum(Choice { name, content: Some(content) }),
                _ => Err(Fault::new(Code::InvalidValue, "", format!("must hold exactly one of {}", known.join(", ")))),
            },
            other => Err(Fault::not(&other, "a text or an object")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// A whole number where it is written as one, else the nearest `f64` (`DEC-2`).
fn number<'de, V: Visitor<'de>>(digits: &str, visitor: V) -> Result<V::Value, Fault> {
    if let Ok(whole) = digits.parse() {
        return visitor.visit_u64(whole);
    }
    if let Ok(whole) = digits.parse() {
        return visitor.visit_i64(whole);
    }
    match digits.parse() {
        Ok(number) => visitor.visit_f64(number),
        Err(_) => Err(Fault::new(Code::WrongType, "", "is not a number that can be read")),
    }
}

fn list<'de, V: Visitor<'de>>(items: Vec<Node<'de>>, visitor: V) -> Result<V::Value, Fault> {
    let length = items.len();
    let mut items = Items { at: 0, rest: items.into_iter() };
    let value = visitor.visit_seq(&mut items)?;
    if items.rest.len() == 0 {
        return Ok(value);
    }
    Err(Fault::new(Code::InvalidValue, "", format!("has {length} entries; {} belong here", items.at)))
}

struct Items<'de> {
    at: usize,
    rest: vec::IntoIter<Node<'de>>,
}

impl<'de> de::SeqAccess<'de> for &mut Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.rest.next() else { return Ok(None) };
        let place = format!("[{}]", self.at);
        self.at += 1;
        seed.deserialize(item).map(Some).map_err(|fault| fault.under(&place))
    }
}

struct Entries<'de> {
    rest: vec::IntoIter<(Cow<'de, str>, Node<'de>)>,
    value: Option<(Cow<'de, str>, Node<'de>)>,
}

impl<'de> Entries<'de> {
    fn new(entries: Vec<(Cow<'de, str>, Node<'de>)>) -> Result<Self, Fault> {
        let mut seen = HashSet::with_capacity(entries.len());
        if let Some((twice, _)) = entries.iter().find(|(key, _)| !seen.insert(key.as_ref())) {
            return Err(Fault::new(Code::InvalidValue, twice, "stands twice"));
        }
        Ok(Self { rest: entries.into_iter(), value: None })
    }
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        let found = seed.deserialize(key.as_ref().into_deserializer())?;
        self.value = Some((key, value));
        Ok(Some(found))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, value)) = self.value.take() else { return Err(de::Error::custom("a value without a key")) };
        seed.deserialize(value).map_err(|fault| fault.under(&key))
    }
}

/// A choice: its name alone, or its name with what belongs to it.
struct Choice<'de> {
    name: Cow<'de, str>,
    content: Option<Node<'de>>,
}

impl<'de> de::EnumAccess<'de> for Choice<'de> {
    type Error = Fault;
    type Variant = Chosen<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Chosen<'de>), Fault> {
        let chosen = seed.deserialize(self.name.as_ref().into_deserializer())?;
        Ok((chosen, Chosen { name: self.name, content: self.content }))
    }
}

struct Chosen<'de> {
    name: Cow<'de, str>,
    content: Option<Node<'de>>,
}

impl<'de> Chosen<'de> {
    fn content<T>(self, read: impl FnOnce(Node<'de>) -> Result<T, Fault>) -> Result<T, Fault> {
        match self.content {
            Some(content) => read(content).map_err(|fault| fault.under(&self.name)),
            None => {
                Err(Fault::new(Code::WrongType, "", format!("is a text, not an object that holds `{}`", self.name)))
            }
        }
    }
}

impl<'de> de::VariantAccess<'de> for Chosen<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Fault::new(Code::WrongType, "", "is an object, not a text")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.content(|content| seed.deserialize(content))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.content(|content| content.deserialize_any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.content(|content| content.deserialize_struct("", fields, visitor))
    }
}

#[cfg(test)]
mod tests;
