//! What ClickHouse alone takes: the same rows, encoded beforehand, by one client.

use anyhow::Result;
use gridwarden_domain::value::Fixed;
use gridwarden_store::rows::{AreaMetricRow, AreaMetrics};
use gridwarden_store::{Block, BlockWriter, ClickHouseConfig, StoreMetrics, WriterOptions, migrate};
use prometheus::Registry;
use std::time::Instant;

/// Rows of a block, as the stream's, and blocks.
const ROWS: u32 = 200_000;
const BLOCKS: u32 = 5;

/// Rows per second.
pub(super) async fn rows_per_s(clickhouse: &ClickHouseConfig) -> Result<f64> {
    migrate(clickhouse).await?;
    let writer = BlockWriter::new(clickhouse, WriterOptions::default(), StoreMetrics::new(&Registry::new())?);
    let blocks: Vec<Block<AreaMetrics>> = (0..BLOCKS).map(block).collect();
    let begun = Instant::now();
    for (number, block) in blocks.iter().enumerate() {
        writer.insert(block, &format!("bench/{number}")).await?;
    }
    Ok(f64::from(ROWS * BLOCKS) / begun.elapsed().as_secs_f64())
}

fn block(number: u32) -> Block<AreaMetrics> {
    const BEGIN_S: u32 = 1_763_940_000;
    let mut block = Block::with_capacity(ROWS as usize);
    for row in 0..ROWS {
        // Scattered as rows of a hash table are.
        let code = format!("310115{:015}", row.wrapping_mul(2_654_435_761) % 50_000);
        let value = i64::from(row) * 1_000;
        block.push(&AreaMetricRow {
            layer: "grid",
            level: "cell",
            code: &code,
            metric: ["air", "air.pm25", "air.no2", "noise", "vehicle"][row as usize % 5],
            window_s: 10,
            start_s: BEGIN_S + number * 10,
            version: u64::from(row % 7 + 1),
            count: u64::from(row % 7 + 1),
            sum: i128::from(value) * 7,
            min: Fixed(value),
            max: Fixed(value + 7),
            last: Fixed(value + 3),
            last_ms: i64::from(BEGIN_S) * 1000 + i64::from(row % 10_000),
            closed: true,
        });
    }
    block
}
