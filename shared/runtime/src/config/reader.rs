//! Reads a service's types from a [`Node`] by serde, keeping the key at hand for errors and noting keys nobody read.

use super::tree::{Node, Origin};
use super::{ConfigError, tree};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use std::cell::RefCell;
use std::collections::btree_map;
use std::fmt;

/// What one reading saw.
#[derive(Default)]
pub(super) struct Notes {
    /// Keys nobody read.
    pub(super) unread: RefCell<Vec<(String, Origin)>>,
    /// Structs and the fields they have, by the key they stand at.
    pub(super) structs: RefCell<Vec<(String, &'static [&'static str])>>,
}

/// Reads `T`; unread keys are an error.
pub(super) fn read<T: DeserializeOwned>(service: &str, tree: &Node) -> Result<T, ConfigError> {
    let notes = Notes::default();
    let value = T::deserialize(At { node: tree, key: String::new(), notes: &notes });
    // A misspelt key is the likelier mistake than the missing one it leaves behind, so it is told first.
    if let Some((key, origin)) = notes.unread.take().into_iter().next() {
        return Err(ConfigError::Unknown { service: service.to_owned(), key, origin });
    }
    value.map_err(|fault| match fault.place {
        Some((key, origin)) if fault.unknown => ConfigError::Unknown { service: service.to_owned(), key, origin },
        Some((key, origin)) if !fault.missing => ConfigError::Value { key, origin, why: fault.why },
        Some((key, _)) if !key.is_empty() => {
            ConfigError::Missing { service: service.to_owned(), why: format!("[{key}]: {}", fault.why) }
        }
        _ => ConfigError::Missing { service: service.to_owned(), why: fault.why },
    })
}

/// Reads `T` and tells what was seen; for checking defaults.
pub(super) fn survey<T: DeserializeOwned>(tree: &Node) -> (Result<(), String>, Notes) {
    let notes = Notes::default();
    let value = T::deserialize(At { node: tree, key: String::new(), notes: &notes });
    (value.map(|_| ()).map_err(|fault| fault.to_string()), notes)
}

/// An error and the innermost key it happened at.
#[derive(Debug)]
pub(super) struct Fault {
    why: String,
    missing: bool,
    unknown: bool,
    place: Option<(String, Origin)>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((key, _)) => write!(f, "{key}: {}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { why: message.to_string(), missing: false, unknown: false, place: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { why: format!("the configuration key {field} is missing"), missing: true, unknown: false, place: None }
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self { unknown: true, ..Self::custom(format_args!("no such key: {field}")) }
    }
}

struct At<'a> {
    node: &'a Node,
    key: String,
    notes: &'a Notes,
}

impl<'a> At<'a> {
    fn below(&self, key: &str, node: &'a Node) -> Self {
        let key = if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) };
        Self { node, key, notes: self.notes }
    }

    fn placed<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|mut fault| {
            fault.place.get_or_insert_with(|| (self.key.clone(), self.node.origin().clone()));
            fault
        })
    }

    fn keys(&self) -> Keys<'a, '_> {
        let keys = match self.node {
            Node::Table { keys, .. } => Some(keys.iter()),
            _ => None,
        };
        Keys { at: self, keys, next: None }
    }

    /// Text of the environment as the TOML it would be, for types that are not text.
    fn guessed(text: &str) -> toml::Value {
        let document = format!("x = {text}");
        let parsed = toml::from_str::<toml::Table>(&document).ok().and_then(|mut table| table.remove("x"));
        parsed.unwrap_or_else(|| toml::Value::String(text.to_owned()))
    }
}

macro_rules! typed {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let Node::Text { text, origin } = self.node else { return self.deserialize_any(visitor) };
            let node = Node::of(Self::guessed(text), origin);
            // A key without owner outlives the borrow no longer than this call.
            let at = At { node: &node, key: self.key.clone(), notes: self.notes };
            at.deserialize_any(visitor)
        }
    )* };
}

impl<'de> de::Deserializer<'de> for At<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match self.node {
            Node::Text { text, .. } => visitor.visit_str(text),
            Node::Value { value, .. } => match value {
                toml::Value::String(text) => visitor.visit_str(text),
                toml::Value::Integer(number) => visitor.visit_i64(*number),
                toml::Value::Float(number) => visitor.visit_f64(*number),
                toml::Value::Boolean(flag) => visitor.visit_bool(*flag),
                other => visitor.visit_string(other.to_string()),
            },
            Node::List { items, .. } => visitor.visit_seq(Items { at: &self, items: items.iter(), number: 0 }),
            Node::Table { .. } => visitor.visit_map(self.keys()),
        };
        self.placed(result)
    }

    typed! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_seq deserialize_map
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.notes.structs.borrow_mut().push((self.key.clone(), fields));
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = match self.node {
            Node::Text { text, .. } | Node::Value { value: toml::Value::String(text), .. } => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            Node::Table { .. } => visitor.visit_enum(de::value::MapAccessDeserializer::new(self.keys())),
            _ => Err(de::Error::custom("one of a set of words is expected")),
        };
        self.placed(result)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.notes.unread.borrow_mut().push((self.key.clone(), self.node.origin().clone()));
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

struct Keys<'a, 'b> {
    at: &'b At<'a>,
    keys: Option<btree_map::Iter<'a, String, Node>>,
    next: Option<(&'a String, &'a Node)>,
}

impl<'de> de::MapAccess<'de> for Keys<'_, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.next = self.keys.as_mut().and_then(Iterator::next);
        let Some((key, node)) = self.next else { return Ok(None) };
        let taken = seed.deserialize(key.as_str().into_deserializer());
        self.at.below(key, node).placed(taken).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, node)) = self.next else { return Err(de::Error::custom("a value without a key")) };
        // A type's own complaint (a secret that is not there, an address that is none) knows no key, so it is placed here.
        self.at.below(key, node).placed(seed.deserialize(self.at.below(key, node)))
    }
}

struct Items<'a, 'b> {
    at: &'b At<'a>,
    items: std::slice::Iter<'a, Node>,
    number: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(node) = self.items.next() else { return Ok(None) };
        let at = self.at.below(&self.number.to_string(), node);
        let place = self.at.below(&self.number.to_string(), node);
        self.number += 1;
        place.placed(seed.deserialize(at).map(Some))
    }
}

/// Reads a tree of defaults for [`super::check`].
pub(super) fn tree_of(defaults: &str) -> Result<Node, ConfigError> {
    tree::parse(defaults, &Origin::Defaults)
}
