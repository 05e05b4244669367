//! The topics that hold messages, the contract's own and those that mappings of the city read: what Kafka says of each, and what
//! decodes it.

use crate::topics::{self, TopicMeta, topic_metas};
use crate::{BusError, KafkaConfig};
use gridwarden_domain::city::MappingFile;
use gridwarden_domain::decode::Decoder;
use gridwarden_domain::mapping::{Mapping, MappingError};

/// Why the topics cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Kafka.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A mapping of the city.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The sender's clock cannot tell what is late.
    #[error("topic {topic} does not use LogAppendTime (message.timestamp.type); what is late cannot be told")]
    SenderTime {
        /// Topic.
        topic: String,
    },
}

/// A topic and its decoder.
pub struct Source {
    /// Name, without prefix.
    pub topic: String,
    /// Id, partitions.
    pub meta: TopicMeta,
    /// Reads its messages.
    pub decoder: Decoder,
}

/// `observations.v1`, `reports.v1` and every mapped topic of the city, in this order. Blocks.
pub fn find(kafka: &KafkaConfig, mappings: &[(MappingFile, String)]) -> Result<Vec<Source>, SourceError> {
    let mut wanted = vec![
        (topics::OBSERVATIONS.to_owned(), Decoder::observations()),
        (topics::REPORTS.to_owned(), Decoder::reports()),
    ];
    for (file, text) in mappings {
        if let Some(topic) = &file.topic {
            wanted.push((topic.clone(), Decoder::mapped(Mapping::parse(text, &file.file)?)));
        }
    }
    let mut sources = Vec::with_capacity(wanted.len());
    let names: Vec<&str> = wanted.iter().map(|(topic, _)| topic.as_str()).collect();
    let metas = topic_metas(kafka, &names)?;
    for ((topic, decoder), meta) in wanted.into_iter().zip(metas) {
        if !meta.log_append_time {
            return Err(SourceError::SenderTime { topic });
        }
        sources.push(Source { topic, meta, decoder });
    }
    Ok(sources)
}

/// Mapped topics, to be made when they are missing.
pub fn mapped_topics(mappings: &[(MappingFile, String)]) -> Vec<topics::TopicSpec> {
    mappings.iter().filter_map(|(file, _)| file.topic.as_deref()).map(topics::mapped).collect()
}
