//! Filling the topic: at the pace of the city, so that event times stand to append times as they do in life.

use super::entity::{KINDS, Source, write};
use super::input::{PER_MS, Town};
use super::oracle::{Oracle, Truth};
use crate::output::progress;
use crate::publish;
use anyhow::{Context, Result, ensure};
use gridwarden_bus::{KafkaConfig, Message, Offsets, Producer, ProducerOptions, headers, topics};
use gridwarden_domain::decode::{Encoding, protobuf_of};
use gridwarden_domain::observation::Observation;
use gridwarden_runtime::clock::now_ms;
use std::time::Duration;

/// Topics and control topics, in force for what is sent afterwards.
pub(super) async fn prepare(town: &Town, kafka: &KafkaConfig) -> Result<()> {
    topics::ensure(kafka, &[]).await?;
    let published = publish::publish(&town.city, kafka).await?;
    while now_ms() < published.in_force_from_ms {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Sends the events; what must come of them.
pub(super) async fn send(town: &Town, count: u64, kafka: KafkaConfig, encoding: Encoding) -> Result<Truth> {
    let options = ProducerOptions { linger: Duration::from_millis(20), ..ProducerOptions::named("gridwarden-bench") };
    let producer = Producer::new(&kafka, &options)?;
    let truth = tokio::task::block_in_place(|| send_all(town, count, &producer, encoding))?;
    let partitions: Vec<(&str, i32)> = (0..12).map(|partition| (topics::OBSERVATIONS, partition)).collect();
    let ends = tokio::task::block_in_place(|| Offsets::open(&kafka)?.ends(&partitions))?;
    let there: i64 = ends.iter().sum();
    ensure!(u64::try_from(there) == Ok(count), "the topic holds {there} events, {count} were sent");
    Ok(truth)
}

fn send_all(town: &Town, count: u64, producer: &Producer, encoding: Encoding) -> Result<Truth> {
    let begin = now_ms();
    let mut oracle = Oracle::new(town);
    let mut text = String::with_capacity(300);
    let mut bytes = 0;
    for (event, order) in town.events(count, begin) {
        if event.number % PER_MS == 0 {
            wait_until(event.time);
        }
        oracle.see(&event);
        write(&event, order, &mut text);
        let binary = protobuf(encoding, &text)?;
        let (payload, record_headers) = match &binary {
            Some(bytes) => (bytes.as_slice(), &PROTOBUF[..]),
            None => (text.as_bytes(), &[][..]),
        };
        bytes += payload.len();
        let key = Source { kind: KINDS[event.kind()].name, number: event.entity }.to_string();
        let message = Message {
            topic: topics::OBSERVATIONS,
            key: Some(key.as_bytes()),
            payload: Some(payload),
            headers: record_headers,
            ..Message::default()
        };
        drop(producer.submit_blocking(&message, Duration::from_secs(60)).context("cannot send")?);
        if event.number % 1_000_000 == 999_999 {
            progress(&format!("{} million sent", (event.number + 1) / 1_000_000));
        }
    }
    producer.flush(Duration::from_secs(60)).context("not all events were acknowledged")?;
    let took = (now_ms() - begin) as f64 / 1000.0;
    let size = bytes as f64 / count.max(1) as f64;
    progress(&format!("sent in {took:.1} s, {size:.0} bytes each"));
    Ok(oracle.tell())
}

const PROTOBUF: [(&str, &[u8]); 1] = [(headers::CONTENT_TYPE, b"application/x-protobuf")];

/// The message in Protobuf, where that is wanted.
pub(super) fn protobuf(encoding: Encoding, text: &str) -> Result<Option<Vec<u8>>> {
    match encoding {
        Encoding::Json => Ok(None),
        Encoding::Protobuf => Ok(Some(protobuf_of(&serde_json::from_str::<Observation>(text)?))),
    }
}

fn wait_until(time: i64) {
    let ahead = time - now_ms();
    if ahead > 0 {
        std::thread::sleep(Duration::from_millis(ahead.unsigned_abs()));
    }
}
