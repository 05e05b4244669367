//! The results against the truth: no figure without a proof that the work was done.

use super::oracle::Truth;
use anyhow::{Context, Result, ensure};
use gridwarden_bus::{Assignment, From, KafkaConfig, Reader, ReaderOptions, topic_meta, topics};
use gridwarden_domain::alert::{Alert, Transition};
use gridwarden_store::ClickHouseConfig;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Windows of every level and length, and alerts.
pub(super) async fn all(clickhouse: &ClickHouseConfig, kafka: &KafkaConfig, truth: &Truth) -> Result<()> {
    sums(clickhouse, truth).await?;
    windows(clickhouse, truth).await?;
    alerts(kafka.clone(), truth).await
}

/// Every event in the archive, once, with its values.
pub(super) async fn archive(clickhouse: &ClickHouseConfig, truth: &Truth) -> Result<()> {
    let sum = archived(clickhouse, truth.events).await?;
    ensure!(sum == truth.values, "values of {sum} in the archive, the truth is {}", truth.values);
    Ok(())
}

/// So many records in the archive, each once; the sum of their values (hundredths).
pub(super) async fn archived(clickhouse: &ClickHouseConfig, expected: u64) -> Result<i128> {
    #[derive(Deserialize)]
    struct Found {
        rows: u64,
        records: u64,
        sum: i64,
    }
    // Offsets as bitmaps: a set of ten million of them is more than a query may take.
    let sql = "SELECT sum(rows) AS rows, sum(records) AS records, sum(sum) AS sum FROM (
        SELECT count() AS rows, groupBitmap(offset) AS records,
            toInt64(sum(arraySum(arrayMap(number -> round(number * 100), value_numbers)))) AS sum
        FROM observations GROUP BY topic_id, partition)";
    let found = query::<Found>(clickhouse, sql).await?;
    let Some(Found { rows, records, sum }) = found.first() else { anyhow::bail!("ClickHouse does not answer") };
    let found = (*rows, *records);
    ensure!(found == (expected, expected), "{found:?} rows and records in the archive, {expected} were sent");
    Ok(i128::from(*sum))
}

/// A query's answer as text.
pub(super) async fn query_text(client: &reqwest::Client, url: &str, sql: &str) -> Result<String> {
    let answer = client.post(url).body(sql.to_owned()).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "ClickHouse: {text}");
    Ok(text)
}

/// A number that was answered.
pub(super) fn number(text: &str) -> Result<u64> {
    text.trim().parse().with_context(|| format!("not a number: {text:?}"))
}

#[derive(Deserialize)]
struct SumRow {
    level: String,
    window_s: u32,
    metric: String,
    count: u64,
    /// Hundredths.
    sum: i64,
}

async fn sums(clickhouse: &ClickHouseConfig, truth: &Truth) -> Result<()> {
    let rows: Vec<SumRow> = query(
        clickhouse,
        "SELECT level, window_s, metric, sum(count) AS count, toInt64(sum(sum) * 100) AS sum
         FROM area_metrics GROUP BY level, window_s, metric",
    )
    .await?;
    let expected = truth.levels * 2 * truth.sums.len();
    ensure!(rows.len() == expected, "{} sums by level, length and metric, expected {expected}", rows.len());
    for row in rows {
        let (count, sum) = truth.sums.get(&row.metric).copied().unwrap_or_default();
        ensure!(
            (row.count, i128::from(row.sum)) == (count, sum),
            "{} at level {} in windows of {} s: count {} and sum {}, the truth is {count} and {sum}",
            row.metric,
            row.level,
            row.window_s,
            row.count,
            row.sum,
        );
    }
    Ok(())
}

#[derive(Deserialize)]
struct WindowRow {
    start: i64,
    count: u64,
}

/// Events by window, those of probes left out.
pub(super) async fn windows(clickhouse: &ClickHouseConfig, truth: &Truth) -> Result<()> {
    let rows: Vec<WindowRow> = query(
        clickhouse,
        "SELECT toInt64(toUnixTimestamp(window_start)) AS start, sum(count) AS count FROM area_metrics
         WHERE level = 'city' AND window_s = 10 AND position(metric, '.') = 0 AND metric != 'probe' GROUP BY start",
    )
    .await?;
    let found: BTreeMap<i64, u64> = rows.into_iter().map(|row| (row.start, row.count)).collect();
    ensure!(found == truth.windows, "events by window: {found:?}, the truth is {:?}", truth.windows);
    Ok(())
}

async fn alerts(kafka: KafkaConfig, truth: &Truth) -> Result<()> {
    let found = tokio::task::spawn_blocking(move || count_alerts(&kafka)).await??;
    for (key, count) in &truth.alerts {
        let there = found.get(key).copied().unwrap_or(0);
        ensure!(there == *count, "rule {}, raised {}: {there} transitions, the truth is {count}", key.0, key.1);
    }
    let (all, expected) = (found.values().sum::<u64>(), truth.transitions());
    ensure!(all == expected, "{all} transitions of alerts, the truth is {expected}");
    Ok(())
}

fn count_alerts(kafka: &KafkaConfig) -> Result<BTreeMap<(String, bool), u64>> {
    let partitions = topic_meta(kafka, topics::ALERTS)?.partitions;
    let assignments: Vec<Assignment> = (0..partitions)
        .map(|partition| Assignment { topic: topics::ALERTS.to_owned(), partition, from: From::Beginning })
        .collect();
    let mut reader = Reader::open(kafka, &assignments, &ReaderOptions::named("gridwarden-bench-alerts"))?;
    let mut left: i64 = reader.end_offsets()?.iter().sum();
    let mut found = BTreeMap::new();
    while left > 0 {
        for record in reader.poll(10_000, Duration::from_secs(10))?.records() {
            left -= 1;
            // A fence says whose alerts follow.
            let Some(payload) = record.payload else { continue };
            let alert: Alert = serde_json::from_slice(payload)?;
            *found.entry((alert.rule, alert.transition == Transition::Raised)).or_default() += 1;
        }
    }
    Ok(found)
}

async fn query<T: serde::de::DeserializeOwned>(clickhouse: &ClickHouseConfig, sql: &str) -> Result<Vec<T>> {
    let body = format!("{sql} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0");
    let url = format!("{}/?database={}", clickhouse.url, clickhouse.database);
    let answer = reqwest::Client::new().post(url).body(body).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "ClickHouse: {text}");
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
