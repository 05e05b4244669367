//! What differs between two documents, field by field. Pure.

use serde::Serialize;
use serde_json::Value;

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its path, as in errors: `fence.shape.circle.radius_m`.
    pub field: String,
    /// What it was; nothing where it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is; nothing where it is not there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What differs, in the order of paths. Lists of another length differ as a whole.
pub fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", Some(before), Some(after), &mut found);
    found
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, one.get(name), other.get(name), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if one.len() == other.len() => {
            for (number, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}[{number}]"), Some(one), Some(other), found);
            }
        }
        (before, after) => {
            found.push(Difference { field: path.to_owned(), before: before.cloned(), after: after.cloned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_field_that_differs_is_named_once() {
        let before = json!({"version": 1, "threshold": {"level": 10, "hold_s": 5}, "select": {"kinds": ["a", "b"]}, "points": [[1, 2], [3, 4]]});
        let after = json!({"version": 2, "threshold": {"level": 10, "clear": 8}, "select": {"kinds": ["a"]}, "points": [[1, 2], [3, 5]]});
        let found: Vec<String> = differences(&before, &after).iter().map(|one| one.field.clone()).collect();
        assert_eq!(found, ["points[1][1]", "select.kinds", "threshold.clear", "threshold.hold_s", "version"]);
        let level = differences(&json!({"a": 1}), &json!({"b": 1}));
        assert_eq!(level[0], Difference { field: "a".into(), before: Some(json!(1)), after: None });
        assert_eq!(differences(&before, &before), []);
    }
}
