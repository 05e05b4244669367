//! Reading librdkafka properties from configuration: nested tables become dotted names.

use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Flag(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    Table(BTreeMap<String, Value>),
}

/// Flattens a table of tables.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let table = BTreeMap::<String, Value>::deserialize(from)?;
    let mut properties = BTreeMap::new();
    flatten("", table, &mut properties);
    Ok(properties)
}

fn flatten(prefix: &str, table: BTreeMap<String, Value>, into: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.replace('_', "."));
        let text = match value {
            Value::Flag(flag) => flag.to_string(),
            Value::Whole(number) => number.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text,
            Value::Table(inner) => {
                flatten(&format!("{name}."), inner, into);
                continue;
            }
        };
        into.insert(name, text);
    }
}

#[cfg(test)]
mod tests {
    use crate::KafkaConfig;

    #[test]
    fn dotted_quoted_and_underscored_names_are_the_same() {
        let text = r#"
            bootstrap = "h:1"
            [properties]
            security.protocol = "SASL_SSL"
            "sasl.username" = "u"
            sasl_password = "p"
            socket.timeout.ms = 5000
            ssl.enable.verification = true
        "#;
        let kafka: KafkaConfig = toml::from_str(text).unwrap();
        let shown =
            kafka.properties.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        let expected = "sasl.password=p sasl.username=u security.protocol=SASL_SSL socket.timeout.ms=5000 \
                        ssl.enable.verification=true";
        assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), expected.split_whitespace().collect::<Vec<_>>());
    }
}
