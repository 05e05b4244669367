//! The header `origin` of a message that is sent again after it was rejected: which record it was first.
//!
//! `RPL-1` of the records that name one origin, and are not rejected again, the first one counts; the others are repeats.
//! They all stand in the partition of their origin, so that whoever reads a partition can tell by itself.

use crate::{
    identity::{RecordId, TopicId},
    reject::{Code, Reason},
};
use std::fmt;

/// What a message sent again was first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The record that was rejected first.
    pub record: RecordId,
    /// When that was, epoch milliseconds.
    pub first_seen: i64,
}

impl Origin {
    /// Reads the header: topic id (32 hex digits), partition, offset, first seen, with `/` between them.
    pub fn parse(header: &[u8]) -> Result<Self, Reason> {
        let parse = || {
            let mut parts = std::str::from_utf8(header).ok()?.split('/');
            let id = parts.next().filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            let topic_id = TopicId(u128::from_str_radix(id, 16).ok()?);
            let partition = parts.next()?.parse().ok().filter(|partition: &i32| *partition >= 0)?;
            let mut number = || parts.next()?.parse().ok().filter(|number: &i64| *number >= 0);
            let (offset, first_seen) = (number()?, number()?);
            let record = RecordId { topic_id, partition, offset };
            parts.next().is_none().then_some(Self { record, first_seen })
        };
        let words = "must be <topic id>/<partition>/<offset>/<first seen>";
        parse().ok_or_else(|| Reason::new(Code::InvalidValue, "header origin", words))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.record, self.first_seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(id: u128, partition in 0i32.., offset in 0i64.., first_seen in 0i64..) {
            let origin = Origin { record: RecordId { topic_id: TopicId(id), partition, offset }, first_seen };
            prop_assert_eq!(Origin::parse(origin.to_string().as_bytes()), Ok(origin));
        }

        #[test]
        fn anything_else_is_refused_and_never_panics(header in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(Origin::parse(&header).is_err());
        }
    }

    #[test]
    fn a_part_too_few_or_too_many_is_refused_by_name() {
        let id = "0".repeat(32);
        for header in ["", "1/2/3/4", &id, &format!("{id}/1/2"), &format!("{id}/1/2/3/4"), &format!("{id}/-1/2/3")] {
            let reason = Origin::parse(header.as_bytes()).unwrap_err();
            assert_eq!((reason.code, reason.field.as_str()), (Code::InvalidValue, "header origin"), "{header}");
        }
        assert!(Origin::parse(format!("{id}/1/2/3").as_bytes()).is_ok());
    }
}
