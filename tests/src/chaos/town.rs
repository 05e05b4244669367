//! A small town and its rules, published as a city's would be, and changed again and again.
//!
//! Areas are rectangles and no border runs through a place events come from: the oracle tells by looking what lies where. It reads
//! all of this from the topics; nothing is agreed with it beforehand.

use crate::wire::Wire;
use anyhow::Result;
use gridwarden_bus::topics::{ALERTS, LAYERS, OBSERVATIONS, REJECTS, REPORTS, RULES, ensure};
use gridwarden_bus::{KafkaConfig, Producer, ProducerOptions};
use gridwarden_domain::layer::{Area, LayerHead, LayerRecord, version_of};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long after it was told a change is in force, and a little more.
const IN_FORCE: Duration = Duration::from_millis(2_100);

/// Whoever publishes.
#[derive(Clone)]
pub(super) struct Town {
    producer: Producer,
}

impl Town {
    /// Makes topics, publishes the town, waits until it is in force.
    pub(super) async fn found(kafka: &KafkaConfig) -> Result<Self> {
        ensure(kafka, &[]).await?;
        // The oracle reads batches as they lie in the log, and knows no compression.
        let (bootstrap, prefix) = (kafka.bootstrap.clone(), kafka.topic_prefix.clone());
        tokio::task::spawn_blocking(move || {
            let mut wire = Wire::connect(&bootstrap);
            for topic in [ALERTS, LAYERS, OBSERVATIONS, REJECTS, REPORTS, RULES] {
                wire.set(&format!("{prefix}{topic}"), "compression.type", "uncompressed");
            }
        })
        .await?;
        let town = Self { producer: Producer::new(kafka, &ProducerOptions::named("chaos-town"))? };
        for rule in rules(0) {
            town.rule(&rule).await?;
        }
        town.layer(BEATS, beats()).await?;
        town.layer(GRID, grid(0)).await?;
        tokio::time::sleep(IN_FORCE).await;
        Ok(town)
    }

    /// Redraws a border and changes a rule, in turn, until told to stop.
    pub(super) async fn change(self, every: Duration, stop: Arc<AtomicBool>) -> Result<()> {
        for number in 1u32.. {
            tokio::time::sleep(every).await;
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if number % 2 == 1 {
                self.layer(GRID, grid(number)).await?;
            } else if let Some(rule) = rules(number).get(usize::from(number.is_multiple_of(4))) {
                self.rule(rule).await?;
            }
        }
        Ok(())
    }

    async fn rule(&self, rule: &Value) -> Result<()> {
        let id = rule["id"].as_str().unwrap_or_default();
        self.producer.send(RULES, Some(id.as_bytes()), Some(rule.to_string().as_bytes()), &[]).await?;
        Ok(())
    }

    async fn layer(&self, head: &str, areas: Vec<Area>) -> Result<()> {
        let head: LayerHead = serde_json::from_str(head)?;
        let (version, hash) = version_of(&head, &areas);
        let (layer, count) = (head.layer.clone(), u32::try_from(areas.len())?);
        for area in areas {
            let key = format!("{layer}/{version}/{}", area.code);
            let record = LayerRecord::Area { layer: layer.clone(), version: version.clone(), area };
            self.control(&key, &record).await?;
        }
        let key = format!("{layer}/{version}");
        self.control(&key, &LayerRecord::Closing { head, version, count, hash }).await
    }

    async fn control(&self, key: &str, record: &LayerRecord) -> Result<()> {
        self.producer.send(LAYERS, Some(key.as_bytes()), Some(&serde_json::to_vec(record)?), &[]).await?;
        Ok(())
    }
}

const GRID: &str = r#"{"layer":"grid","levels":[{"id":"city"},{"id":"district"},{"id":"cell"}],"main":true}"#;
const BEATS: &str = r#"{"layer":"beats","levels":[{"id":"town"},{"id":"beat"}]}"#;

fn area(code: &str, level: u8, parent: Option<&str>, from_to: Option<(f64, f64)>) -> Area {
    let rectangle = |(w, e): (f64, f64)| vec![vec![vec![[w, 0.0], [e, 0.0], [e, 2.0], [w, 2.0], [w, 0.0]]]];
    Area {
        code: code.to_owned(),
        level,
        name: Default::default(),
        parent: parent.map(str::to_owned),
        valid_from: None,
        valid_to: None,
        priority: None,
        polygons: from_to.map(rectangle),
    }
}

/// Four cells in two districts; where the districts meet depends on the number.
fn grid(number: u32) -> Vec<Area> {
    let border = 2.0 + f64::from(number * 37 % 700) / 1_000.0;
    vec![
        area("C", 0, None, None),
        area("west", 1, Some("C"), None),
        area("east", 1, Some("C"), None),
        area("c1", 2, Some("west"), Some((0.0, 1.0))),
        area("c2", 2, Some("west"), Some((1.0, border))),
        area("c3", 2, Some("east"), Some((border, 3.0))),
        area("c4", 2, Some("east"), Some((3.0, 4.0))),
    ]
}

/// Beats that overlap, one of them under nothing.
fn beats() -> Vec<Area> {
    vec![
        area("X", 0, None, None),
        area("p", 1, Some("X"), Some((0.0, 2.0))),
        area("q", 1, Some("X"), Some((1.0, 3.0))),
        area("lone", 1, None, Some((0.5, 4.0))),
    ]
}

/// The rules; the first two of them depend on the number.
fn rules(number: u32) -> [Value; 7] {
    let (level, clear) = if number.is_multiple_of(4) { (95, 30) } else { (105, 10) };
    let crowd = if number.is_multiple_of(8) { 150 } else { 153 };
    let middle = [[0.5, -1.0], [3.5, -1.0], [3.5, 2.0], [0.5, 2.0], [0.5, -1.0]];
    [
        json!({"id": "hot", "version": number + 1, "title": {"en": "Hot"}, "severity": "major",
            "select": {"kinds": ["air", "noise"]},
            "threshold": {"value": "t", "side": "above", "level": level, "clear": clear}}),
        json!({"id": "crowd", "version": number + 1, "title": {"en": "Crowd"}, "severity": "minor", "select": {"kinds": ["car"]},
            "density": {"place": {"polygon": [middle]}, "at_least": crowd, "clear_below": crowd - 8, "within_s": 86_400}}),
        json!({"id": "gathers", "version": 1, "title": {"en": "Gathers"}, "severity": "minor", "select": {"kinds": ["car"]},
            "density": {"place": {"each": "grid"}, "at_least": 52, "clear_below": 46, "hold_s": 2, "within_s": 86_400}}),
        json!({"id": "cold-long", "version": 1, "title": {"en": "Cold"}, "severity": "minor",
            "threshold": {"value": "t", "side": "below", "level": -90, "hold_s": 5}}),
        // What comes late is put in order here, and waits in checkpoints.
        json!({"id": "hot-in-order", "version": 1, "title": {"en": "Hot"}, "severity": "minor", "reorder_s": 4,
            "threshold": {"value": "t", "side": "above", "level": 60, "clear": -20, "hold_s": 1}}),
        json!({"id": "in-c3", "version": 1, "title": {"en": "In c3"}, "severity": "minor", "select": {"kinds": ["car"]},
            "fence": {"shape": {"area": {"layer": "grid", "code": "c3"}}, "on": "enter"}}),
        json!({"id": "out", "version": 1, "title": {"en": "Out"}, "severity": "warning", "select": {"kinds": ["car"]},
            "fence": {"shape": {"polygon": [middle]}, "on": "exit", "first_counts": true}}),
    ]
}
