//! How Kafka is reached, and how that becomes a librdkafka configuration.

mod properties;

use rdkafka::ClientConfig;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The `[kafka]` section of every service.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port[,host:port…]`.
    pub bootstrap: String,
    /// Put before every topic name; lets several cities share a cluster.
    #[serde(default)]
    pub topic_prefix: String,
    /// Passed to librdkafka as they are: `security.protocol`, `sasl.*`, `ssl.*`, and tuning. What the bus's invariants
    /// rest on (acknowledgements, offset reset, commits) cannot be changed by them. Dots may be tables (TOML's own reading
    /// of `sasl.username = "u"`), and `_` stands for a dot (as in environment variables); librdkafka's names have no `_`.
    #[serde(default, deserialize_with = "properties::read")]
    pub properties: BTreeMap<String, String>,
}

impl std::fmt::Debug for KafkaConfig {
    /// Properties may hold passwords: only their names are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("bootstrap", &self.bootstrap)
            .field("topic_prefix", &self.topic_prefix)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl KafkaConfig {
    /// A cluster without prefix and without security, as on one machine.
    pub fn plain(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned(), topic_prefix: String::new(), properties: BTreeMap::new() }
    }

    /// The topic's name on the cluster.
    pub fn full_name(&self, topic: &str) -> String {
        format!("{}{topic}", self.topic_prefix)
    }

    /// A client's configuration: `defaults` give way to the properties, the properties give way to `fixed`.
    pub(crate) fn client(&self, client_id: &str, defaults: &[(&str, &str)], fixed: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", client_id).set("reconnect.backoff.max.ms", "2000").set("log.connection.close", "false");
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.bootstrap);
        for (name, value) in fixed {
            config.set(*name, *value);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_beat_defaults_but_not_what_is_fixed() {
        let mut kafka = KafkaConfig::plain("h:1");
        kafka.properties.insert("linger.ms".into(), "50".into());
        kafka.properties.insert("acks".into(), "0".into());
        let config = kafka.client("test", &[("linger.ms", "5")], &[("acks", "all")]);
        assert_eq!(config.get("linger.ms"), Some("50"));
        assert_eq!(config.get("acks"), Some("all"));
    }

    #[test]
    fn debug_does_not_show_passwords() {
        let mut kafka = KafkaConfig::plain("h:1");
        kafka.properties.insert("sasl.password".into(), "hunter2".into());
        let shown = format!("{kafka:?}");
        assert!(shown.contains("sasl.password") && !shown.contains("hunter2"));
    }
}
