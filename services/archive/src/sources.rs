//! Whether the topics the archive reads are there, and still what they were.

use gridwarden_bus::topics::{Identities, Identity};
use gridwarden_bus::{BusError, TopicMeta, sources::Source};
use std::time::{Duration, Instant};

/// How long a topic may be unknown before that is believed: a broker that starts, and one that makes a topic anew, knows none
/// for a moment.
pub const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// Whether waiting may help, for somebody who has asked in vain since then.
pub fn passes(error: &BusError, since: Instant) -> bool {
    let unknown = matches!(error, BusError::UnknownTopic { .. });
    error.is_transient() || (unknown && since.elapsed() < UNKNOWN_FOR)
}

/// Asks whether the topics are still what they were; what changed, in words. Blocks for a round trip.
pub fn changed(identities: &Identities, sources: &[Source]) -> Result<Option<String>, BusError> {
    let names: Vec<&str> = sources.iter().map(|source| source.topic.as_str()).collect();
    let now = identities.ask(&names)?;
    Ok(sources.iter().zip(now).find_map(|(source, now)| change(&source.topic, source.meta, now)))
}

/// What changed about a topic since it was first asked for: such a change ends the archive, and a fresh start copes with it.
fn change(source: &str, before: TopicMeta, now: Identity) -> Option<String> {
    if before.id != now.id {
        return Some(format!("topic {source} was made anew (its id was {}, it is {})", before.id, now.id));
    }
    if before.partitions != now.partitions {
        return Some(format!("topic {source} has {} partitions now, it had {}", now.partitions, before.partitions));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::identity::TopicId;

    #[test]
    fn another_id_or_more_partitions_are_a_change() {
        let before = TopicMeta { id: TopicId(1), partitions: 3, log_append_time: true, retention_ms: 1 };
        let now = |id, partitions| change("t", before, Identity { id: TopicId(id), partitions });
        assert_eq!(now(1, 3), None);
        assert!(now(2, 3).is_some_and(|text| text.contains("was made anew")));
        assert_eq!(now(1, 4).as_deref(), Some("topic t has 4 partitions now, it had 3"));
    }
}
