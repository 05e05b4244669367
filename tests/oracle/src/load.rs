//! Sending the load at a steady rate, and the ledger of what was acknowledged.
//!
//! A batch is sent until it is acknowledged; what a lost answer leaves in the log twice stands there twice, as with any client.

use crate::kafka::{Broker, Topic};
use crate::noise::{Event, Noise};
use crate::records::{batch, crc32c};
use crate::{Log, Plan, now_ms};
use anyhow::Result;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_millis(200);

/// Sends until told to stop; the number of records acknowledged.
pub(crate) fn send(plan: &Plan, stop: &AtomicBool) -> Result<u64> {
    let mut first = Broker::connect(&plan.bootstrap)?;
    let mut topics = Vec::new();
    for log in Log::ALL {
        topics.push((log, first.topic(&plan.topic(log.topic()))?));
    }
    let mut noise = Noise::new(plan);
    let mut ledger = BufWriter::new(File::create(&plan.ledger)?);
    let (mut broker, mut sent) = (None, 0);
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let now = now_ms();
        let events: Vec<Event> =
            (0..plan.rate * TICK.as_millis() as u64 / 1_000).filter_map(|_| noise.event(now)).collect();
        for (log, topic) in &topics {
            let batches = batches(&events, *log, topic.partitions);
            for (partition, base) in until_acknowledged(plan, topic, &batches, &mut broker)? {
                let records = batches.get(partition as usize).map_or(&[][..], Vec::as_slice);
                let sums: Vec<u32> = records.iter().map(|(_, value)| crc32c(value)).collect();
                writeln!(ledger, "{} {partition} {base} {} {}", log.topic(), records.len(), joined(&sums))?;
                sent += records.len() as u64;
            }
        }
        ledger.flush()?;
        next = (next + TICK).max(Instant::now().checked_sub(TICK * 4).unwrap_or(next));
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(sent)
}

/// (key, value) of what goes to a topic, by partition.
type Batches = Vec<Vec<(String, Vec<u8>)>>;

fn batches(events: &[Event], log: Log, partitions: i32) -> Batches {
    let mut batches = vec![Vec::new(); partitions as usize];
    for event in events.iter().filter(|event| event.log == log) {
        if let Some(batch) = batches.get_mut(event.lane as usize % partitions as usize) {
            batch.push(event.message.clone());
        }
    }
    batches
}

/// One checksum of those of values in order.
pub(crate) fn joined(values: &[u32]) -> u32 {
    values.iter().fold(0, |sum, value| sum.rotate_left(1) ^ value)
}

fn until_acknowledged(
    plan: &Plan,
    topic: &Topic,
    batches: &Batches,
    broker: &mut Option<Broker>,
) -> Result<Vec<(i32, i64)>> {
    let mut written = Vec::new();
    for (partition, records) in (0..).zip(batches).filter(|(_, records)| !records.is_empty()) {
        written.push((partition, batch(records)?));
    }
    if written.is_empty() {
        return Ok(Vec::new());
    }
    loop {
        let attempt = match broker.as_mut() {
            Some(broker) => broker.produce(&topic.name, &written),
            None => Broker::connect(&plan.bootstrap).map(|new| *broker = Some(new)).map(|()| Vec::new()),
        };
        match attempt {
            Ok(begun) if !begun.is_empty() => return Ok(begun),
            Ok(_) => {}
            Err(_) => {
                *broker = None;
                std::thread::sleep(AGAIN);
            }
        }
    }
}
