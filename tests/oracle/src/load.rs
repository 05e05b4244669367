//! The load: a made-up city's noise at a steady rate, and the ledger of what was acknowledged.
//!
//! 5 % of the events are late (some for windows, some altogether), 1 % repeat an id, 1 % are malformed. A batch is sent until it
//! is acknowledged; what a lost answer leaves in the log twice stands there twice, as with any client.

use crate::dice::Dice;
use crate::kafka::{Broker, Topic};
use crate::records::{batch, crc32c};
use crate::{Plan, now_ms};
use anyhow::Result;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_millis(200);
const DAY_MS: i64 = 86_400_000;
/// Messages of a source that may come again.
const RECENT: usize = 6;

/// A sensor that stands or something that moves.
struct Source {
    name: String,
    kind: &'static str,
    partition: i32,
    position: [f64; 2],
    number: u64,
    /// Whether it falls silent now and then, and until when it is.
    falls_silent: bool,
    silent_until: i64,
    recent: VecDeque<Vec<u8>>,
}

/// Makes events.
struct Noise {
    dice: Dice,
    sources: Vec<Source>,
    /// Of 10,000 readings so many are extreme.
    extreme: u64,
}

impl Noise {
    fn new(plan: &Plan, partitions: i32) -> Self {
        let mut dice = Dice::new(plan.seed);
        let kinds = [("car", "car"), ("s", "air"), ("s", "noise")];
        let source = |(number, (name, kind)): (u32, (&str, &'static str))| Source {
            name: format!("{name}{number}"),
            kind,
            partition: (number as i32) % partitions,
            position: place(&mut dice),
            number: 0,
            falls_silent: number.is_multiple_of(5),
            silent_until: 0,
            recent: VecDeque::new(),
        };
        let sources = (0..plan.sources).zip(kinds.into_iter().cycle()).map(source).collect();
        Self { dice, sources, extreme: plan.extreme_of_10000 }
    }

    /// One event: partition, key, value.
    fn event(&mut self, now: i64) -> Option<(i32, String, Vec<u8>)> {
        let dice = &mut self.dice;
        let place_of = dice.roll(self.sources.len() as u64) as usize;
        let source = self.sources.get_mut(place_of)?;
        if source.silent_until > now {
            return None;
        }
        let of_thousand = dice.roll(1_000);
        let value = match of_thousand {
            0..10 => malformed(dice, &source.name, now),
            10..20 if !source.recent.is_empty() => {
                let again = dice.roll(source.recent.len() as u64) as usize;
                source.recent.get(again)?.clone()
            }
            _ => {
                let time = now - how_late(dice, of_thousand);
                let text = source.say(dice, time, self.extreme).into_bytes();
                source.recent.push_back(text.clone());
                if source.recent.len() > RECENT {
                    source.recent.pop_front();
                }
                text
            }
        };
        Some((source.partition, source.name.clone(), value))
    }
}

impl Source {
    fn say(&mut self, dice: &mut Dice, time: i64, extreme: u64) -> String {
        if self.kind == "car" && dice.roll(20) == 0 {
            self.position = place(dice);
        }
        self.number += 1;
        let (name, kind) = (&self.name, self.kind);
        let id = if dice.roll(8) == 0 { String::new() } else { format!(r#""id":"{}","#, self.number) };
        let [lon, lat] = self.position.map(|degrees| format!("{degrees:.4}"));
        let place = match dice.roll(100) {
            0 => String::new(),
            _ => format!(r#""position":{{"lon":{lon},"lat":{lat}}},"#),
        };
        let extremity = dice.roll(10_000);
        let t = if extremity < extreme {
            100.0 + dice.roll(2_000) as f64 / 100.0
        } else if extremity < 2 * extreme {
            if self.falls_silent && dice.roll(2) == 0 {
                self.silent_until = time + 25_000;
            }
            -100.0 - dice.roll(2_000) as f64 / 100.0
        } else {
            dice.roll(6_000) as f64 / 100.0 - 20.0
        };
        let u = dice.roll(1_000);
        format!(r#"{{{id}"source":"{name}","kind":"{kind}","time":{time},{place}"values":{{"t":{t:.2},"u":{u}}}}}"#)
    }
}

/// Somewhere in or beside the town, never on a border.
fn place(dice: &mut Dice) -> [f64; 2] {
    [0.0005 + dice.roll(4_200) as f64 / 1_000.0, 0.0005 + dice.roll(1_000) as f64 / 1_000.0]
}

/// How long before now an event happened, in ms.
fn how_late(dice: &mut Dice, of_thousand: u64) -> i64 {
    (match of_thousand {
        20..50 => 10_000 + dice.roll(110_000),
        50..65 => 650_000 + dice.roll(600_000),
        65..70 => 8 * DAY_MS as u64 + dice.roll(10_000),
        _ => dice.roll(1_500),
    }) as i64
}

fn malformed(dice: &mut Dice, name: &str, now: i64) -> Vec<u8> {
    let text = match dice.roll(5) {
        0 => r#"{"source":"#.to_owned(),
        1 => format!(r#"{{"kind":"air","time":{now},"values":{{"t":1}}}}"#),
        2 => format!(r#"{{"source":"{name}","kind":"air","time":{},"values":{{"t":1}}}}"#, now + 300_000),
        3 => {
            format!(r#"{{"source":"{name}","kind":"air","time":{now},"position":{{"lon":999,"lat":0}},"values":{{}}}}"#)
        }
        _ => format!(r#"{{"source":"{name}","kind":"air","time":{now},"values":{{"t":"hot"}}}}"#),
    };
    text.into_bytes()
}

/// Sends until told to stop; the number of records acknowledged.
pub(crate) fn send(plan: &Plan, stop: &AtomicBool) -> Result<u64> {
    let topic = Broker::connect(&plan.bootstrap)?.topic(&plan.topic("observations.v1"))?;
    let mut noise = Noise::new(plan, topic.partitions);
    let mut ledger = BufWriter::new(File::create(&plan.ledger)?);
    let (mut broker, mut sent) = (None, 0);
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let now = now_ms();
        let mut batches: Vec<Vec<(String, Vec<u8>)>> = vec![Vec::new(); topic.partitions as usize];
        for _ in 0..plan.rate * TICK.as_millis() as u64 / 1_000 {
            let Some((partition, key, value)) = noise.event(now) else { continue };
            if let Some(batch) = batches.get_mut(partition as usize) {
                batch.push((key, value));
            }
        }
        let begun = until_acknowledged(plan, &topic, &batches, &mut broker)?;
        for (partition, base) in begun {
            let records = batches.get(partition as usize).map_or(&[][..], Vec::as_slice);
            let sums: Vec<u32> = records.iter().map(|(_, value)| crc32c(value)).collect();
            writeln!(ledger, "{partition} {base} {} {}", records.len(), joined(&sums))?;
            sent += records.len() as u64;
        }
        ledger.flush()?;
        next = (next + TICK).max(Instant::now().checked_sub(TICK * 4).unwrap_or(next));
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(sent)
}

/// One checksum of those of values in order.
pub(crate) fn joined(values: &[u32]) -> u32 {
    values.iter().fold(0, |sum, value| sum.rotate_left(1) ^ value)
}

fn until_acknowledged(
    plan: &Plan,
    topic: &Topic,
    batches: &[Vec<(String, Vec<u8>)>],
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
