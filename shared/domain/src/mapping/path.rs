//! Where a mapping finds a piece of an integrator's message: a path into JSON, or a column of CSV.

use super::CsvRow;
use crate::json::Node;
use std::borrow::Cow;

/// A message or row being mapped.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    Json(&'a Node<'a>),
    Csv(CsvRow<'a>),
}

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// A path: `a.b[0].c`, keys with other characters in quotes (`a."b.c"`). For CSV the whole text is the column's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Path {
    text: String,
    steps: Vec<Step>,
}

impl Path {
    /// A path into JSON, or what is wrong with it.
    pub(super) fn json(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (step, after) = if let Some(index) = rest.strip_prefix('[') {
                let (digits, after) = index.split_once(']').ok_or_else(|| format!("`{text}`: `]` is missing"))?;
                (Step::Index(digits.parse().map_err(|_| format!("`{text}`: `{digits}` is no index"))?), after)
            } else if let Some(quoted) = rest.strip_prefix('"') {
                let (key, after) = quoted.split_once('"').ok_or_else(|| format!("`{text}`: a quote is missing"))?;
                (Step::Key(key.to_owned()), after)
            } else {
                let (key, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
                if key.is_empty() {
                    return Err(format!("`{text}`: a key is missing"));
                }
                (Step::Key(key.to_owned()), after)
            };
            steps.push(step);
            rest = match after.strip_prefix('.') {
                Some("") => return Err(format!("`{text}`: a key is missing after the last point")),
                Some(next) => next,
                None if after.is_empty() || after.starts_with('[') => after,
                None => return Err(format!("`{text}`: `.` or `[` was expected before `{after}`")),
            };
        }
        if steps.is_empty() { Err("an empty path".to_owned()) } else { Ok(Self { text: text.to_owned(), steps }) }
    }

    /// A column.
    pub(super) fn column(name: &str) -> Result<Self, String> {
        if name.is_empty() {
            Err("an empty column name".to_owned())
        } else {
            Ok(Self { text: name.to_owned(), steps: Vec::new() })
        }
    }

    /// As written in the mapping.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text found there, trimmed; `None` when there is nothing, null or an empty text. Numbers keep their digits.
    /// Whatever else stands there, or on the way there, is an error: what it is.
    pub(super) fn find<'a>(&self, input: Input<'a>) -> Result<Option<Cow<'a, str>>, String> {
        let found = match input {
            Input::Csv(row) => row.get(&self.text).map(Cow::Borrowed),
            Input::Json(root) => match self.reach(root)? {
                None | Some(Node::Null) => None,
                Some(Node::Text(text)) => Some(Cow::Borrowed(text.as_ref())),
                Some(Node::Number(digits)) => Some(Cow::Borrowed(*digits)),
                Some(Node::Bool(yes)) => Some(Cow::Borrowed(if *yes { "true" } else { "false" })),
                Some(other) => return Err(format!("is {}, not a plain value", other.sort())),
            },
        };
        Ok(found.map(trimmed).filter(|text| !text.is_empty()))
    }

    fn reach<'a>(&self, root: &'a Node<'a>) -> Result<Option<&'a Node<'a>>, String> {
        let mut node = root;
        for step in &self.steps {
            match step.of(node)? {
                Some(next) => node = next,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

impl Step {
    /// One step down; `None` where nothing is, or where null or an empty text stands for what is not there.
    fn of<'a>(&self, node: &'a Node<'a>) -> Result<Option<&'a Node<'a>>, String> {
        match (self, node) {
            (Self::Key(key), Node::Object(entries)) => {
                let mut found = entries.iter().filter(|(name, _)| name == key).map(|(_, node)| node);
                match (found.next(), found.next()) {
                    (_, Some(_)) => Err(format!("`{key}` stands twice")),
                    (found, None) => Ok(found),
                }
            }
            (Self::Index(index), Node::List(items)) => Ok(items.get(*index)),
            (_, Node::Null) => Ok(None),
            (_, Node::Text(text)) if text.trim().is_empty() => Ok(None),
            (Self::Key(key), other) => Err(format!("`{key}` is looked for in {}", other.sort())),
            (Self::Index(index), other) => Err(format!("`[{index}]` is looked for in {}", other.sort())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_reach_into_json() {
        let text =
            r#"{"a":{"b":[{"c":" x "},7.50]},"d.e":true,"n":null,"s":"","t":1,"u":{"v":1,"v":2},"t2":{"w":1},"t2":{}}"#;
        let root = crate::json::parse(text).expect("JSON");
        let at = |text: &str| {
            Path::json(text).expect("path").find(Input::Json(&root)).map(|found| found.map(Cow::into_owned))
        };
        assert_eq!(at("a.b[0].c"), Ok(Some("x".to_owned())));
        assert_eq!(at("a.b[1]"), Ok(Some("7.50".to_owned())));
        assert_eq!(at("\"d.e\""), Ok(Some("true".to_owned())));
        for missing in ["n", "s", "a.b[2]", "a.c", "d.e", "n.x", "n[0]", "s.x", "x.y[3].z"] {
            assert_eq!(at(missing), Ok(None), "{missing}");
        }
        for (odd, said) in [
            ("a.b", "is a list, not a plain value"),
            ("a.b[0].c.x", "`x` is looked for in a text"),
            ("a[0]", "`[0]` is looked for in an object"),
            ("t.x", "`x` is looked for in a number"),
            ("u.v", "`v` stands twice"),
            ("t2.w", "`t2` stands twice"),
        ] {
            assert_eq!(at(odd), Err(said.to_owned()), "{odd}");
        }
    }

    #[test]
    fn bad_paths_are_named() {
        for bad in ["", "a.", ".a", "a..b", "a[", "a[x]", "a[0]b", "\"a", "\"a\"b"] {
            assert!(Path::json(bad).is_err(), "{bad}");
        }
    }
}
