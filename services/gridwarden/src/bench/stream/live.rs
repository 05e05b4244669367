//! A load as life brings it: the city's events at so many a second, in real time, and among them probes that are watched.

use super::entity::{Event, Source, write};
use super::input::{More, Town};
use super::oracle::{Oracle, Truth};
use anyhow::{Context, Result, anyhow};
use gridwarden_bus::{KafkaConfig, Message, Producer, ProducerOptions, topics};
use gridwarden_domain::rule::{Condition, Rule, Select, Severity, Side, Threshold};
use gridwarden_domain::text::Text;
use gridwarden_runtime::clock::now_ms;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Kind and name of the probes, whose rule they cross back and forth.
pub(super) const PROBE: &str = "probe";
/// Entities that send probes, one after the other.
const PROBES: u64 = 200;
/// Probes a second.
const PROBES_PER_S: u64 = 50;

/// What a city needs for probes; where its webhooks go, if anywhere.
pub(super) fn probed(endpoint: Option<(String, String)>) -> More {
    More { endpoint, rules: vec![probe_rule()] }
}

/// The rule probes are raised by, and cleared.
fn probe_rule() -> Rule {
    let threshold = Threshold { value: "v".to_owned(), side: Side::Above, level: 50.0, clear: None, hold_s: 0 };
    let title = Text { en: PROBE.to_owned(), zh: String::new() };
    let select = Select { kinds: vec![PROBE.to_owned()], ..Select::default() };
    // What is measured is not held back.
    let storm_per_minute = Some(u32::MAX);
    Rule { select, storm_per_minute, ..Rule::new(PROBE, title, Severity::Minor, Condition::Threshold(threshold)) }
}

/// A probe that was sent: by whom, its event time, and when.
pub(super) struct Sent {
    pub(super) source: String,
    pub(super) time: i64,
    pub(super) at: Instant,
}

/// Whether windows are worked out that must come of a load. That is done when it has ended: an exact test of a polygon for each event
/// takes more of the cores that are measured than sending it does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Judge {
    Windows,
    Probes,
}

/// What was sent, and the windows that must come of it, where those were worked out. Probes are not in the truth.
pub(super) struct Load {
    pub(super) truth: Truth,
    pub(super) probes: Vec<Sent>,
}

/// A load under way.
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Load>>,
}

impl Running {
    /// Begins to send.
    pub(super) fn start(town: &Arc<Town>, kafka: KafkaConfig, rate: u64, judge: Judge) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (town, stopped) = (Arc::clone(town), Arc::clone(&stop));
        Self { stop, thread: std::thread::spawn(move || send(&town, &kafka, (rate, judge), &stopped)) }
    }

    /// Ends it.
    pub(super) async fn stop(self) -> Result<Load> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await?;
        joined.map_err(|_| anyhow!("the sender panicked"))?
    }
}

fn send(town: &Town, kafka: &KafkaConfig, (rate, judge): (u64, Judge), stop: &AtomicBool) -> Result<Load> {
    // A city's events come through gateways, which gather them for some milliseconds; a probe has a sender of its own.
    let options = ProducerOptions { linger: Duration::from_millis(20), ..ProducerOptions::named("gridwarden-bench") };
    let producer = Producer::new(kafka, &options)?;
    let prober = Producer::new(kafka, &ProducerOptions::named("gridwarden-bench-probes"))?;
    let (begun, begin_ms) = (Instant::now(), now_ms());
    let mut oracle = Oracle::new(town);
    let (mut probes, mut times) = (Vec::new(), Vec::new());
    let mut text = String::with_capacity(300);
    let (every, mut next) = ((rate / PROBES_PER_S).max(1), 0);
    for (event, order) in town.events(u64::MAX, begin_ms) {
        let due = Duration::from_micros(event.number * 1_000_000 / rate.max(1));
        if let Some(early) = due.checked_sub(begun.elapsed()).filter(|early| *early > Duration::from_millis(1)) {
            std::thread::sleep(early);
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let event = Event { time: now_ms(), ..event };
        if judge == Judge::Windows {
            times.push(event.time);
        }
        write(&event, order, &mut text);
        let key = Source { kind: super::entity::KINDS[event.kind()].name, number: event.entity }.to_string();
        submit(&producer, &key, &text)?;
        if event.number >= next && oracle.holds(event.position()) {
            next = event.number + every;
            let probe = probe(probes.len() as u64, event.position());
            submit(&prober, &probe.0.source, &probe.1)?;
            probes.push(probe.0);
        }
    }
    for producer in [&producer, &prober] {
        producer.flush(Duration::from_secs(60)).context("not all events were acknowledged")?;
    }
    // The same events once more.
    for ((event, _), time) in town.events(u64::MAX, begin_ms).zip(times) {
        oracle.see_in_windows(&Event { time, ..event });
    }
    Ok(Load { truth: oracle.tell(), probes })
}

/// A probe and its text: each sender goes above the level and below it in turn.
fn probe(number: u64, [lon, lat]: [f64; 2]) -> (Sent, String) {
    let source = format!("{PROBE}-{}", number % PROBES);
    let value = if (number / PROBES).is_multiple_of(2) { 60 } else { 40 };
    let time = now_ms();
    let text = format!(
        r#"{{"source":"{source}","kind":"{PROBE}","time":{time},"position":{{"lon":{lon:.6},"lat":{lat:.6}}},"values":{{"v":{value}}}}}"#
    );
    (Sent { source, time, at: Instant::now() }, text)
}

fn submit(producer: &Producer, key: &str, text: &str) -> Result<()> {
    let message = Message {
        topic: topics::OBSERVATIONS,
        key: Some(key.as_bytes()),
        payload: Some(text.as_bytes()),
        ..Message::default()
    };
    drop(producer.submit_blocking(&message, Duration::from_secs(60)).context("cannot send")?);
    Ok(())
}
