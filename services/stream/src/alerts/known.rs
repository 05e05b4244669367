//! What `alerts.v1` holds already: read at the start, from where a checkpoint says, to its end behind this process's fence.

use super::{Reached, Reconcile};
use crate::{checkpoint::AlertPlace, cluster::Seat};
use anyhow::Result;
use gridwarden_bus::{
    Assignment, BusError, From, KafkaConfig, Message, Producer, ProducerOptions, Reader, ReaderOptions, Record,
    headers,
    topics::{self, Identities},
};
use gridwarden_domain::{alert::Alert, generation::Fences};
use gridwarden_runtime::shutdown::Shutdown;
use hashbrown::HashMap;
use std::time::Duration;

/// How many partitions `alerts.v1` has. Blocks for a round trip.
pub(crate) fn alert_partitions(kafka: &KafkaConfig) -> Result<i32, BusError> {
    let found = Identities::open(kafka)?.ask(&[topics::ALERTS])?;
    let unknown = || BusError::UnknownTopic { topic: kafka.full_name(topics::ALERTS) };
    Ok(found.first().ok_or_else(unknown)?.partitions)
}

/// Appends a fence to every partition of `alerts.v1` (`GEN-1`): what a process of a lower generation writes behind it is not
/// heard. Blocks.
pub(crate) fn fence(kafka: &KafkaConfig, generation: u32) -> Result<()> {
    let partitions = alert_partitions(kafka)?;
    let producer = Producer::new(kafka, &ProducerOptions::named("gridwarden-stream-fence"))?;
    let digits = generation.to_string();
    let append = async {
        for partition in 0..partitions {
            let message = Message {
                topic: topics::ALERTS,
                key: None,
                payload: None,
                headers: &[(headers::FENCE, digits.as_bytes())],
                partition: Some(partition),
            };
            producer.submit(&message).await?.await?;
        }
        Ok(())
    };
    tokio::runtime::Handle::current().block_on(append)
}

/// Highest `seq` by alert id.
#[derive(Default)]
pub(crate) struct Known {
    highest: HashMap<u128, u32>,
    fences: Fences,
    /// What stood open when the topic was read.
    pub(super) reconcile: Reconcile,
}

/// Reads `alerts.v1` from some places, or its beginning, to its end; the ends, none when the shutdown came first. Blocks.
fn read(
    kafka: &KafkaConfig,
    from: &[AlertPlace],
    shutdown: &Shutdown,
    mut take: impl FnMut(&Record<'_>),
) -> Result<Option<Vec<i64>>> {
    let partitions = alert_partitions(kafka)?;
    let start = |partition| from.iter().find(|place| place.partition == partition).map(|place| place.next);
    let assignment = |partition| Assignment {
        topic: topics::ALERTS.to_owned(),
        partition,
        from: start(partition).filter(|next| *next > 0).map_or(From::Beginning, From::Offset),
    };
    let assignments: Vec<Assignment> = (0..partitions).map(assignment).collect();
    let options = ReaderOptions { partition_ends: true, queue_mib: 32, ..ReaderOptions::named("gridwarden-alerts") };
    let mut reader = Reader::open(kafka, &assignments, &options)?;
    let ends = reader.end_offsets()?;
    while !shutdown.is_triggered() {
        let read = |(position, end): (&gridwarden_bus::Position, &i64)| {
            start(position.partition).unwrap_or(0) >= *end || position.next.is_some_and(|next| next >= *end)
        };
        if reader.positions().iter().zip(&ends).all(read) {
            return Ok(Some(ends));
        }
        reader.poll(10_000, Duration::from_millis(200))?.records().for_each(|record| take(&record));
    }
    Ok(None)
}

/// The highest generation that ever wrote to `alerts.v1`: whoever begins without checkpoints must be heard all the same.
pub(crate) fn highest_generation(kafka: &KafkaConfig, shutdown: &Shutdown) -> Result<u32> {
    let mut fences = Fences::default();
    read(kafka, &[], shutdown, |record| {
        if let Some(generation) = record.headers().get(headers::FENCE) {
            fences.note(record.partition, generation);
        }
    })?;
    Ok(fences.highest())
}

impl Known {
    /// Reads `alerts.v1` from where a checkpoint says to its end, behind the fence of `generation`; none when the shutdown came
    /// first. Alerts this process watches over are those `is_ours` says. Blocks.
    pub(crate) fn read(
        kafka: &KafkaConfig,
        from: &[AlertPlace],
        ((generation, seat), is_ours): ((u32, Seat), impl Fn(&Alert) -> bool),
        shutdown: &Shutdown,
    ) -> Result<Option<(Self, Reached)>> {
        let mut known = Self { reconcile: Reconcile::new(seat.workers), ..Self::default() };
        // A fence before those places is not read again.
        from.iter().for_each(|place| known.fences.raise(place.partition, place.fence));
        let ends = read(kafka, from, shutdown, |record| {
            let fence = record.headers().get(headers::FENCE);
            known.learn((record.partition, record.payload, fence), &is_ours);
        })?;
        let others = if seat.leads() { 1..seat.processes } else { 0..0 };
        Ok(ends.map(|ends| (known, Reached::new(from, (&ends, generation), (seat.process, others)))))
    }

    /// What cannot be read is not ours, and not known; no more is what nobody hears.
    fn learn(
        &mut self,
        (partition, payload, fence): (i32, Option<&[u8]>, Option<&[u8]>),
        is_ours: impl Fn(&Alert) -> bool,
    ) {
        if let Some(Ok(alert)) = self.fences.read(partition, payload, fence)
            && let Ok(id) = u128::from_str_radix(&alert.id, 16)
        {
            self.is_new(id, alert.seq);
            // One process decides about an alert: it reads the partition whose records cause its transitions, or owns its rule.
            if is_ours(&alert) {
                self.reconcile.read(id, alert);
            }
        }
    }

    /// An alert of the state is at this transition.
    pub(crate) fn note(&mut self, id: u128, seq: u32) {
        self.is_new(id, seq);
    }

    /// Whether a transition is new; it is known from then on.
    pub(super) fn is_new(&mut self, id: u128, seq: u32) -> bool {
        let highest = self.highest.entry(id).or_insert(0);
        let is_new = seq > *highest;
        *highest = (*highest).max(seq);
        is_new
    }

    /// How many alerts are known.
    pub(crate) fn len(&self) -> usize {
        self.highest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_new_once_and_never_after_a_later_one() {
        let mut known = Known::default();
        assert!(known.is_new(1, 1) && !known.is_new(1, 1));
        assert!(known.is_new(1, 2) && !known.is_new(1, 1));
        assert!(known.is_new(2, 1));
        known.learn((0, Some(b"not an alert"), None), |_| true);
        assert_eq!(known.len(), 2);
    }
}
