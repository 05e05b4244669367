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
        // In an outage the client would begin its bootstrap anew with every attempt to connect, making threads and joining them
        // (librdkafka #5546; races of that were still mended in 2.16, #5600). Brokers that are known are tried again, by name, as ever.
        config.set("metadata.recovery.strategy", "none");
        // Figures of clients are ours to give (KIP-714).
        config.set("enable.metrics.push", "false");
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

    fn made_with(properties: &[(&str, &str)]) -> Result<(), String> {
        let mut kafka = KafkaConfig::plain("127.0.0.1:1");
        kafka.properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let made = crate::Producer::new(&kafka, &crate::ProducerOptions::named("test")).map(|_| ());
        let opened = crate::Offsets::open(&kafka).map(|_| ());
        made.and(opened).map_err(|error| error.to_string())
    }

    #[test]
    fn tls_and_sasl_are_built_in() {
        let scram = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "u"),
            ("sasl.password", "p"),
            ("ssl.endpoint.identification.algorithm", "https"),
        ];
        assert_eq!(made_with(&scram), Ok(()));
        assert_eq!(made_with(&[("security.protocol", "SSL"), ("enable.ssl.certificate.verification", "true")]), Ok(()));
    }

    #[test]
    fn a_property_that_is_refused_is_named_and_no_secret_is_shown() {
        let words = |properties: &[(&str, &str)]| made_with(properties).expect_err("refused");
        let unknown = words(&[("sasl.passwrod", "hunter2")]);
        assert!(unknown.contains("sasl.passwrod") && !unknown.contains("hunter2"), "{unknown}");
        let wrong = words(&[("security.protocol", "TLS")]);
        assert!(wrong.contains("security.protocol") && wrong.contains("TLS"), "{wrong}");
        let number = words(&[("socket.timeout.ms", "soon")]);
        assert!(number.contains("socket.timeout.ms"), "{number}");
        let missing = words(&[("security.protocol", "SSL"), ("ssl.ca.location", "/nowhere/ca.pem")]);
        assert!(missing.contains("ssl.ca.location"), "{missing}");
        for said in [unknown, wrong, number, missing] {
            assert!(said.starts_with("kafka settings are refused: ") && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn debug_does_not_show_passwords() {
        let mut kafka = KafkaConfig::plain("h:1");
        kafka.properties.insert("sasl.password".into(), "hunter2".into());
        let shown = format!("{kafka:?}");
        assert!(shown.contains("sasl.password") && !shown.contains("hunter2"));
    }
}
