//! Messages sent again after they were rejected: which of those that name one origin counts. Pure; what was taken before is
//! read from ClickHouse at the start.
//!
//! `ARC-9` of the records that name one origin, and are not rejected again, the first that is taken is archived; each other
//! leaves a row in `replays` alone. Whoever counts is noted in `replays` before its own row is written: a crash in between
//! takes the same record again, never another.

use gridwarden_domain::identity::RecordId;
use gridwarden_domain::origin::Origin;
use std::collections::HashMap;

/// Origins whose message was taken, and the record that counts.
#[derive(Default)]
pub struct Taken(HashMap<RecordId, RecordId>);

/// What a record that names an origin, and can be taken, is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// The one that counts.
    Counts,
    /// Another one counts.
    Repeat,
}

impl Taken {
    /// What ClickHouse holds: (origin, record that counts).
    pub fn new(held: impl IntoIterator<Item = (RecordId, RecordId)>) -> Self {
        Self(held.into_iter().collect())
    }

    /// Decides on a record, and remembers it when it is the first.
    pub fn turn(&mut self, origin: &Origin, record: RecordId) -> Turn {
        let counts = *self.0.entry(origin.record).or_insert(record);
        if counts == record { Turn::Counts } else { Turn::Repeat }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::identity::TopicId;
    use proptest::prelude::*;

    fn record(offset: i64) -> RecordId {
        RecordId { topic_id: TopicId(1), partition: 0, offset }
    }

    fn origin(offset: i64) -> Origin {
        Origin { record: record(offset), first_seen: 5 }
    }

    proptest! {
        /// However often the archive is killed, and whatever of its notes and rows it had written by then: one record counts for
        /// each origin, the same one every time.
        #[test]
        fn one_record_counts_for_each_origin(
            log in proptest::collection::vec(0i64..5, 1..40),
            kills in proptest::collection::vec((0usize..40, 0usize..3), 0..6),
        ) {
            let records: Vec<(Origin, RecordId)> =
                (100..).zip(&log).map(|(offset, of)| (origin(*of), record(offset))).collect();
            // What ClickHouse holds: notes (origin → who counts, or a repeat), rows.
            let (mut notes, mut rows) = (Vec::<(RecordId, RecordId, Turn)>::new(), Vec::<RecordId>::new());
            for (stop, behind) in kills.into_iter().chain([(records.len(), 0)]) {
                let counting = notes.iter().filter(|(_, _, turn)| *turn == Turn::Counts);
                let mut taken = Taken::new(counting.map(|(origin, record, _)| (*origin, *record)));
                let mut unwritten = Vec::new();
                for (origin, record) in records.iter().take(stop) {
                    let repeat = notes.iter().any(|(_, known, turn)| known == record && *turn == Turn::Repeat);
                    if rows.contains(record) || repeat {
                        continue;
                    }
                    let turn = taken.turn(origin, *record);
                    if !notes.iter().any(|(_, known, _)| known == record) {
                        notes.push((origin.record, *record, turn));
                    }
                    if turn == Turn::Counts {
                        unwritten.push(*record);
                    }
                }
                // The process dies before the last rows are written; their notes are.
                unwritten.truncate(unwritten.len().saturating_sub(behind));
                rows.extend(unwritten);
            }
            let mut counted: Vec<RecordId> = notes.iter().filter(|(_, _, turn)| *turn == Turn::Counts).map(|(of, _, _)| *of).collect();
            counted.sort();
            let all = counted.len();
            counted.dedup();
            prop_assert_eq!(counted.len(), all, "two records count for one origin");
            let mut origins: Vec<RecordId> = records.iter().map(|(origin, _)| origin.record).collect();
            origins.sort();
            origins.dedup();
            prop_assert_eq!(origins, counted);
            prop_assert_eq!(rows.len(), all);
        }
    }
}
