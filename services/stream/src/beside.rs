//! Tools beside a running stream (`recompute`, `backtest`): the city, and what is in force, read once.

use crate::{prepare::find_topics, shared::Topic};
use anyhow::{Result, bail};
use gridwarden_bus::{KafkaConfig, TopicMeta, control::ControlReader};
use gridwarden_domain::locate::LayerSet;
use gridwarden_runtime::{city::MappedCity, clock::now_ms};
use std::sync::Arc;
use std::time::Duration;

/// What a tool beside the stream knows: topics, and what is in force.
pub(crate) struct Beside {
    pub(crate) topics: Vec<Topic>,
    pub(crate) metas: Vec<TopicMeta>,
    /// When Kafka was asked.
    pub(crate) asked_ms: i64,
    pub(crate) control: ControlReader,
}

/// Reads the control topics to their ends, once, for a tool that works beside the stream.
pub(crate) async fn look(kafka: &KafkaConfig, city: &MappedCity) -> Result<Beside> {
    const LIMIT: Duration = Duration::from_secs(60);
    let (kafka, mappings) = (kafka.clone(), city.mappings.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let (topics, metas) = find_topics(&kafka, &mappings)?;
        let asked_ms = now_ms();
        let control = ControlReader::start_to_place(&kafka)?;
        if !control.wait_covered(asked_ms, LIMIT)? {
            bail!("the control topics are not read to their ends within a minute");
        }
        control.build_rasters_ahead(Arc::new(LayerSet::prepare));
        Ok(Beside { topics, metas, asked_ms, control })
    });
    looked.await?
}
