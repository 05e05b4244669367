//! Configuration as a tree whose every value remembers where it came from.

use super::ConfigError;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The service's own defaults.
    Defaults,
    /// The file given by `--config`.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("the built-in defaults"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// A value, a list, or keys with values below.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A scalar of TOML.
    Value {
        value: toml::Value,
        origin: Origin,
    },
    /// Text whose type the reader decides: the environment's.
    Text {
        text: String,
        origin: Origin,
    },
    List {
        items: Vec<Node>,
        origin: Origin,
    },
    Table {
        keys: BTreeMap<String, Node>,
        origin: Origin,
    },
}

impl Node {
    pub(super) fn table(key: String, inner: Node, origin: Origin) -> Self {
        Self::Table { keys: BTreeMap::from([(key, inner)]), origin }
    }

    pub(super) fn origin(&self) -> &Origin {
        match self {
            Self::Value { origin, .. } | Self::Text { origin, .. } => origin,
            Self::List { origin, .. } | Self::Table { origin, .. } => origin,
        }
    }

    /// Where the value of a key stands; of the innermost table on the way when nobody gives it.
    pub(super) fn origin_of(&self, key: &str) -> &Origin {
        let mut node = self;
        for part in key.split('.') {
            let Self::Table { keys, .. } = node else { break };
            let Some(below) = keys.get(part) else { break };
            node = below;
        }
        node.origin()
    }

    pub(super) fn of(value: toml::Value, origin: &Origin) -> Self {
        let origin = origin.clone();
        match value {
            toml::Value::Array(items) => {
                let items = items.into_iter().map(|item| Self::of(item, &origin)).collect();
                Self::List { items, origin }
            }
            toml::Value::Table(table) => {
                let keys = table.into_iter().map(|(key, value)| (key, Self::of(value, &origin))).collect();
                Self::Table { keys, origin }
            }
            value => Self::Value { value, origin },
        }
    }

    /// Lays another tree over this one: tables are merged, anything else is replaced.
    pub(super) fn put(&mut self, over: Node) {
        match (self, over) {
            (Self::Table { keys, .. }, Self::Table { keys: above, .. }) => {
                for (key, node) in above {
                    match keys.get_mut(&key) {
                        Some(below) => below.put(node),
                        None => {
                            keys.insert(key, node);
                        }
                    }
                }
            }
            (below, over) => *below = over,
        }
    }
}

/// Reads TOML.
pub(super) fn parse(text: &str, origin: &Origin) -> Result<Node, ConfigError> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.lines().count().max(1));
        ConfigError::Syntax { origin: origin.clone(), why: format!("line {line}: {}", error.message()) }
    })?;
    Ok(Node::of(toml::Value::Table(table), origin))
}
