//! Which rejects are meant: filters, or places in the log.

use crate::moment;
use gridwarden_domain::identity::TopicId;
use gridwarden_domain::reject::Code;
use gridwarden_store::read::RejectFilter;

/// Filters; all of them must fit.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Which {
    /// Reason, such as missing_field
    #[arg(long, value_parser = reason)]
    pub(super) reason: Option<String>,
    /// Topic they came by
    #[arg(long)]
    pub(super) topic: Option<String>,
    /// Source they came from: the key of the message
    #[arg(long)]
    pub(super) source: Option<String>,
    /// First appended at this moment or later (RFC 3339, or epoch milliseconds)
    #[arg(long, value_parser = moment::read)]
    pub(super) from: Option<i64>,
    /// First appended before this moment
    #[arg(long, value_parser = moment::read)]
    pub(super) to: Option<i64>,
    /// At most so many, the newest first
    #[arg(long, default_value_t = 1000)]
    pub(super) limit: u64,
}

impl Which {
    /// Whether anything is left out.
    pub(super) fn is_everything(&self) -> bool {
        self.filter() == RejectFilter::default()
    }

    pub(super) fn filter(&self) -> RejectFilter {
        RejectFilter {
            code: self.reason.clone().unwrap_or_default(),
            topic: self.topic.clone().unwrap_or_default(),
            key: self.source.clone().unwrap_or_default(),
            from_ms: self.from,
            to_ms: self.to,
            ..RejectFilter::default()
        }
    }
}

fn reason(text: &str) -> Result<String, String> {
    let codes = Code::ALL.map(Code::as_str);
    match codes.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("is none of {}", codes.join(", "))),
    }
}

/// Where a message stands: `topic/partition/offset`, the topic by its name or its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    topic: String,
    topic_id: Option<TopicId>,
    partition: i32,
    offset: i64,
}

impl Place {
    /// Reads it as written.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parse = || {
            let (rest, offset) = text.rsplit_once('/')?;
            let (topic, partition) = rest.rsplit_once('/')?;
            let offset = offset.parse().ok().filter(|offset: &i64| *offset >= 0)?;
            let partition = partition.parse().ok().filter(|partition: &i32| *partition >= 0)?;
            let is_id = topic.len() == 32 && topic.bytes().all(|byte| byte.is_ascii_hexdigit());
            let topic_id = is_id.then(|| u128::from_str_radix(topic, 16).ok()).flatten().map(TopicId);
            let topic = if is_id { String::new() } else { topic.to_owned() };
            (is_id || !topic.is_empty()).then_some(Self { topic, topic_id, partition, offset })
        };
        parse().ok_or_else(|| "is not TOPIC/PARTITION/OFFSET, such as observations.v1/0/77".to_owned())
    }

    pub(super) fn filter(&self) -> RejectFilter {
        let place = Some((self.partition, self.offset));
        RejectFilter { topic: self.topic.clone(), topic_id: self.topic_id, place, ..RejectFilter::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_its_topic_by_name_or_by_id() {
        let by_name = Place::parse("observations.v1/3/77").unwrap();
        assert_eq!(
            (by_name.topic.as_str(), by_name.topic_id, by_name.partition, by_name.offset),
            ("observations.v1", None, 3, 77)
        );
        let by_id = Place::parse("00112233445566778899aabbccddeeff/0/1").unwrap();
        assert_eq!(by_id.topic_id, Some(TopicId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)));
        for wrong in ["", "t", "t/1", "/1/2", "t/-1/2", "t/1/-2", "t/x/2", "t/1/99999999999999999999"] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_and_reasons_are_checked_where_they_are_given() {
        assert_eq!(moment::read("1970-01-01T00:00:01Z"), Ok(1000));
        assert_eq!(moment::read("17"), Ok(17));
        assert!(moment::read("yesterday").is_err());
        assert!(reason("malformed").is_ok());
        assert!(reason("bad").unwrap_err().contains("missing_field"));
    }
}
