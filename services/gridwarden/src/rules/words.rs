//! What stands on the shelf, for people.

use crate::moment::said as time;
use gridwarden_stream::shelf::{Difference, Version};
use serde_json::{Value, json};

/// A rule as it is now.
pub(super) fn line(id: &str, version: &Version) -> String {
    let Some(rule) = &version.rule else { return format!("{id:<32} removed") };
    let title = if rule.title.en.is_empty() { &rule.title.zh } else { &rule.title.en };
    let kind = rule.condition.kind();
    format!("{id:<32} {:<8} {:>4}  {kind:<10} {title}", version.state(), rule.version)
}

pub(super) fn json(id: &str, version: &Version) -> Value {
    json!({ "id": id, "state": version.state(), "appended_at": version.appended_ms, "rule": version.rule })
}

/// A line of a history.
pub(super) fn of_version(version: &Version) -> String {
    let when = time(version.appended_ms);
    let Some(rule) = &version.rule else { return format!("{when}  removed: its file is gone") };
    let by = rule.changed.as_ref().map_or("a file of the city's folder", |changed| changed.by.as_str());
    let why = rule.changed.as_ref().and_then(|changed| changed.why.as_ref());
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    format!("{when}  version {}, {}, by {by}{why}", rule.version, version.state())
}

pub(super) fn difference(one: &Difference) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
    format!("{}: {} → {}", one.field, value(&one.before), value(&one.after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::rule;

    #[test]
    fn a_history_says_who_when_and_why() {
        let text = r#"{"id":"hot","version":3,"title":{"zh":"热"},"severity":"minor","state":"retired","changed":{"by":"anna","why":"winter"},"silence":{"after_s":5}}"#;
        let version = |rule| Version { rule, appended_ms: 1_700_000_000_000, offset: 7 };
        let written = version(Some(rule::read(text.as_bytes()).expect("a rule")));
        assert_eq!(of_version(&written), "2023-11-14T22:13:20Z  version 3, retired, by anna: winter");
        assert_eq!(line("hot", &written), format!("{:<32} retired     3  silence    热", "hot"));
        assert_eq!(of_version(&version(None)), "2023-11-14T22:13:20Z  removed: its file is gone");
        let one = Difference { field: "a.b".into(), before: None, after: Some(json!(5)) };
        assert_eq!(difference(&one), "a.b: - → 5");
    }
}
