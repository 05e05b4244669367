//! The past from Kafka: what the topics still hold of the span, up to where they ended when this began.
//!
//! `BKT-4` of the same records it says what the archive says: only the order between partitions differs, and nothing rests on that.

use super::{Ground, desk::Desk, tally::Unseen};
use crate::{
    intake::Record,
    source::{NOT_OURS, number, numbers, read},
};
use anyhow::{Context, Result, bail};
use gridwarden_bus::{Assignment, From, Offsets, Reader, ReaderOptions};
use gridwarden_runtime::clock::now_ms;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Records taken at once.
const BATCH: usize = 4_096;
/// How long nothing may come before that is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether anybody still waits.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A broker whose clock is put back by less than this hides no record of the span behind one of later.
const STEP_BACK_MS: i64 = 600_000;

/// Offsets to read of a partition, `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The partition's number.
    pub(super) part: u16,
    pub(super) first: i64,
    pub(super) end: i64,
    /// Whether older records of the span may have left the log.
    pub(super) is_cut: bool,
}

/// What the logs hold of the span. Blocks.
pub(super) fn stretches(ground: &Ground) -> Result<Vec<Stretch>> {
    let places = ground.shared.world.partitions();
    let offsets = Offsets::open(&ground.kafka)?;
    let (begins, ends) = (offsets.starts(&places)?, offsets.ends(&places)?);
    let since = offsets.first_since(&places, ground.since_ms())?;
    let until = ground.asked.to_ms.saturating_add(STEP_BACK_MS);
    let after = if until < now_ms() { offsets.first_since(&places, until)? } else { vec![None; places.len()] };
    let stretch = |part: usize| {
        let (begin, end) = (*begins.get(part)?, *ends.get(part)?);
        let end = after.get(part).copied().flatten().unwrap_or(end).min(end);
        let first = since.get(part).copied().flatten().unwrap_or(end).max(begin).min(end);
        // Whoever names no time asks for what there is.
        let is_cut = ground.asked.from_ms > 0 && begin > 0 && first == begin;
        Some(Stretch { part: u16::try_from(part).ok()?, first, end, is_cut })
    };
    Ok((0..places.len()).filter_map(stretch).collect())
}

impl Desk {
    /// Decides on what the logs hold of its partitions; on a thread of its own.
    pub(super) fn run_topic(mut self, stretches: &[Stretch]) -> Result<()> {
        let ground = Arc::clone(&self.ground);
        let world = &ground.shared.world;
        let of_part = |part: &u16| stretches.iter().find(|stretch| stretch.part == *part).copied();
        let mine: Vec<Stretch> = self.parts.iter().filter_map(of_part).collect();
        let mut open: BTreeMap<u16, Stretch> =
            mine.iter().filter(|own| own.first < own.end).map(|own| (own.part, *own)).collect();
        for own in mine.iter().filter(|own| !open.contains_key(&own.part)) {
            self.close(&[own.part]);
            ground.note_cut(own, None);
        }
        if open.is_empty() {
            return Ok(());
        }
        let assignment = |own: &Stretch| {
            let (topic, partition) = world.name_of(own.part);
            Assignment { topic: topic.to_owned(), partition, from: From::Offset(own.first) }
        };
        let assignments: Vec<Assignment> = open.values().map(assignment).collect();
        let options = ReaderOptions { partition_ends: true, ..ReaderOptions::named("gridwarden-backtest") };
        let mut reader = Reader::open(&ground.kafka, &assignments, &options).context("cannot read the topics")?;
        let numbers = numbers(reader.topics(), world);
        let (mut came, mut seen) = (Instant::now(), BTreeSet::new());
        while !open.is_empty() && !ground.is_given_up() {
            let batch = reader.poll(BATCH, LOOK_EVERY).context("cannot read the topics")?;
            if !batch.is_empty() {
                came = Instant::now();
            } else if came.elapsed() > PATIENCE {
                bail!("Kafka has given nothing for {PATIENCE:?}; {} partitions are not read to their ends", open.len());
            }
            let wanted = batch.records().filter_map(|record| {
                let part = number(&numbers, record.topic, record.partition).unwrap_or(NOT_OURS);
                let own = open.get(&part)?;
                if seen.insert(part) {
                    ground.note_cut(own, Some(record.appended_ms));
                }
                (record.offset < own.end).then(|| read(&record, part))
            });
            self.take(wanted.collect::<Vec<Record<'_>>>().into_iter());
            self.close_read(&mut reader, &numbers, &mut open)?;
        }
        Ok(())
    }

    /// Takes leave of partitions that are read to their ends.
    fn close_read(&self, reader: &mut Reader, numbers: &[Vec<u16>], open: &mut BTreeMap<u16, Stretch>) -> Result<()> {
        let mut read = Vec::new();
        for position in reader.positions() {
            let Some(part) = number(numbers, position.topic, position.partition) else { continue };
            let is_read = |own: &Stretch| position.next.is_some_and(|next| next >= own.end);
            if open.get(&part).is_some_and(is_read) {
                open.remove(&part);
                read.push((part, *position));
            }
        }
        for (part, position) in read {
            reader.hold_back(position.topic, position.partition)?;
            self.close(&[part]);
        }
        Ok(())
    }
}

impl Ground {
    /// Says that older records than those read may have left a log; append time of the oldest it holds.
    fn note_cut(&self, own: &Stretch, appended_at: Option<i64>) {
        if own.is_cut {
            let (topic, partition) = self.shared.world.name_of(own.part);
            self.tally().unseen(Unseen { topic: topic.to_owned(), partition, begins_at: own.first, appended_at });
        }
    }
}
