//! What can go wrong with Kafka, and whether trying again may help.

use crate::log::{self, Logs};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Whether trying the same again may help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hint {
    /// The cluster is away or busy; wait and try again.
    Transient,
    /// Somebody has to change something first.
    Fatal,
}

/// An error of the bus.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BusError {
    /// A setting librdkafka refuses; names the property, never shows a secret.
    #[error("kafka settings are refused: {0}")]
    Settings(String),
    /// Nobody answers.
    #[error("kafka at {bootstrap} does not answer: {detail}")]
    Unreachable {
        /// The configured address.
        bootstrap: String,
        /// librdkafka's words: of its log, when there are any.
        detail: String,
    },
    /// The topic does not exist.
    #[error("topic {topic} does not exist")]
    UnknownTopic {
        /// Name on the cluster.
        topic: String,
    },
    /// The partition does not exist.
    #[error("topic {topic} has {partitions} partitions, there is no partition {partition}")]
    UnknownPartition {
        /// Name on the cluster.
        topic: String,
        /// The one asked for.
        partition: i32,
        /// How many there are.
        partitions: i32,
    },
    /// The offset asked for is not in the log (any more).
    #[error("topic {topic}, partition {partition}: the position to read from is not in the log: {detail}")]
    OffsetGone {
        /// Name on the cluster.
        topic: String,
        /// Partition.
        partition: i32,
        /// librdkafka's words.
        detail: String,
    },
    /// Not allowed by the cluster.
    #[error("kafka refuses access: {0}")]
    Denied(String),
    /// The producer's queue is full.
    #[error("the producer's queue is full")]
    QueueFull,
    /// A message was not acknowledged in time, or refused.
    #[error("message for topic {topic} was not acknowledged: {detail}")]
    Undelivered {
        /// Name without prefix.
        topic: String,
        /// librdkafka's words.
        detail: String,
        /// Whether it may pass later.
        hint: Hint,
    },
    /// A message is longer than its topic takes.
    #[error("a message is too long for topic {topic}: {detail}")]
    TooLarge {
        /// Name without prefix.
        topic: String,
        /// librdkafka's words.
        detail: String,
    },
    /// The control topics cannot be followed any more.
    #[error("control topics: {0}")]
    Control(String),
    /// Not done within the time given.
    #[error("not done within {0} ms: {1}")]
    TimedOut(u128, &'static str),
    /// Anything else librdkafka reports.
    #[error("kafka: {detail}")]
    Other {
        /// librdkafka's words.
        detail: String,
        /// Whether it may pass.
        hint: Hint,
    },
}

impl BusError {
    /// Whether trying again may help.
    pub fn hint(&self) -> Hint {
        match self {
            Self::Unreachable { .. } | Self::QueueFull | Self::TimedOut(..) => Hint::Transient,
            Self::Undelivered { hint, .. } | Self::Other { hint, .. } => *hint,
            Self::Settings(_)
            | Self::UnknownTopic { .. }
            | Self::UnknownPartition { .. }
            | Self::OffsetGone { .. }
            | Self::Denied(_)
            | Self::TooLarge { .. }
            | Self::Control(_) => Hint::Fatal,
        }
    }

    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        self.hint() == Hint::Transient
    }

    /// Translates an error of a request to `bootstrap`.
    pub(crate) fn request(bootstrap: &str, error: &KafkaError) -> Self {
        let detail = error.to_string();
        match error {
            KafkaError::ClientConfig(_, said, property, value) => {
                Self::Settings(refused_property(said, property, value))
            }
            KafkaError::ClientCreation(said) => Self::Settings(said.clone()),
            _ => match error.rdkafka_error_code() {
                Some(code) if is_unreachable(code) => Self::Unreachable { bootstrap: bootstrap.to_owned(), detail },
                Some(code) if is_denied(code) => Self::Denied(detail),
                Some(code) => Self::Other { detail, hint: hint_of(code) },
                None => Self::Other { detail, hint: Hint::Fatal },
            },
        }
    }
}

impl BusError {
    /// With the reason the client's log gives, when nobody answers.
    pub(crate) fn because(self, client: &BaseConsumer<Logs>) -> Self {
        match self {
            Self::Unreachable { bootstrap, detail } => {
                log::listen(client);
                Self::Unreachable { bootstrap, detail: client.client().context().failure().unwrap_or(detail) }
            }
            other => other,
        }
    }
}

/// A sentence that names the property. librdkafka repeats the value in its own words: never that of a secret.
fn refused_property(said: &str, property: &str, value: &str) -> String {
    let is_secret = ["password", "secret", "key", "pem", "token", "jaas"].iter().any(|word| property.contains(word));
    let said = if is_secret && !value.is_empty() { said.replace(value, "***") } else { said.to_owned() };
    if said.contains(property) { said } else { format!("property {property}: {said}") }
}

/// Nobody answers, or not in time.
pub(crate) fn is_unreachable(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::Resolve
            | Code::LeaderNotAvailable
            | Code::MessageTimedOut
            | Code::TimedOutQueue
    )
}

/// The cluster knows us and says no.
pub(crate) fn is_denied(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Authentication
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::TransactionalIdAuthorizationFailed
    )
}

/// What trying again may bring for an error code.
pub(crate) fn hint_of(code: RDKafkaErrorCode) -> Hint {
    use RDKafkaErrorCode as Code;
    let passes = is_unreachable(code)
        || matches!(
            code,
            Code::QueueFull
                | Code::NotLeaderForPartition
                | Code::NotEnoughReplicas
                | Code::NotEnoughReplicasAfterAppend
                | Code::NetworkException
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::CoordinatorLoadInProgress
                | Code::KafkaStorageError
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::NotController
                | Code::ReplicaNotAvailable
                | Code::BrokerNotAvailable
                | Code::Retry
                | Code::InProgress
        );
    if passes { Hint::Transient } else { Hint::Fatal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_property_is_named_and_a_secret_is_not_shown() {
        let said = |said: &str, property: &str, value: &str| refused_property(said, property, value);
        assert_eq!(said("Invalid value \"x\" for \"acks\"", "acks", "x"), "Invalid value \"x\" for \"acks\"");
        assert_eq!(said("Invalid value \"x\"", "acks", "x"), "property acks: Invalid value \"x\"");
        assert_eq!(
            said("\"hunter2\" is short", "ssl.key.password", "hunter2"),
            "property ssl.key.password: \"***\" is short"
        );
        assert_eq!(said("no value", "sasl.password", ""), "property sasl.password: no value");
    }

    #[test]
    fn what_the_cluster_says_decides_whether_to_try_again() {
        use RDKafkaErrorCode as Code;
        let hint = |code| BusError::request("h:1", &KafkaError::MetadataFetch(code)).hint();
        for code in [Code::BrokerTransportFailure, Code::NotEnoughReplicas, Code::LeaderNotAvailable] {
            assert_eq!(hint(code), Hint::Transient, "{code:?}");
        }
        for code in [Code::TopicAuthorizationFailed, Code::UnknownTopicOrPartition, Code::Fatal] {
            assert_eq!(hint(code), Hint::Fatal, "{code:?}");
        }
    }
}
