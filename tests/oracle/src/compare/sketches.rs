//! Sketches in ClickHouse, held against every value and source there was: quantiles within 1 % of the value at their rank, registers of
//! sources as they follow from ClickHouse's own hash.

use super::Findings;
use crate::clickhouse::ClickHouse;
use crate::recount::{Plain, Recount};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, HashMap};

const QUANTILES: [u64; 4] = [50, 90, 95, 99];

pub(super) fn compare(clickhouse: &ClickHouse, recount: &Recount, found: &mut Findings) -> Result<()> {
    each(clickhouse, recount, ("area_estimates", "events, p50, p90, p95, p99"), found, |window, is| {
        let numbers: Option<Vec<f64>> = is.iter().map(|number| number.parse().ok()).collect();
        let Some((events, quantiles)) = numbers.as_deref().and_then(<[f64]>::split_first) else { return false };
        *events as u64 == window.events()
            && QUANTILES.iter().zip(quantiles).all(|(percent, is)| {
                let should = window.quantile(*percent) as f64 / 1e6;
                (is - should).abs() <= should.abs() * 0.01 + 1e-9
            })
    })?;
    let hashes = hashes(clickhouse, &recount.sketches.sources)?;
    each(clickhouse, recount, ("area_sketches", "registers, ranks"), found, |window, is| {
        is == registers(window.sources.iter().filter_map(|source| hashes.get(*source).copied()))
    })
}

/// Hands out every window's row of a view; counts those that are not as they should be, and those that are missing.
fn each(
    clickhouse: &ClickHouse,
    recount: &Recount,
    (view, columns): (&str, &str),
    found: &mut Findings,
    is_right: impl Fn(&Plain, &[&str]) -> bool,
) -> Result<()> {
    let mut expected: HashMap<String, &Plain> = HashMap::new();
    for ((area, length, start), window) in &recount.sketches.of {
        let (layer, level, code) = recount.names.areas.get(*area as usize).context("an area")?;
        expected.insert(format!("{layer}\t{level}\t{code}\t{length}\t{start}"), window);
    }
    let query = format!(
        "SELECT layer, level, code, window_s, toUnixTimestamp(window_start), {columns} FROM {view} \
         WHERE metric = '{}' AND window_s IN (10, 60)",
        recount.sketches.metric
    );
    clickhouse.rows(&query, |columns| {
        let (key, is) = columns.split_at_checked(5).context("five columns and more")?;
        let key = key.join("\t");
        let should = expected.remove(&key);
        if !should.is_some_and(|window| is_right(window, is)) {
            found.sketches_differ += 1;
            found.show(|| format!("{view} {key} is {is:?}, of {:?} events", should.map(Plain::events)));
        }
        Ok(())
    })?;
    found.sketches_differ += expected.len() as u64;
    for (key, should) in expected {
        found.show(|| format!("{view} {key} is missing, of {} events", should.events()));
    }
    Ok(())
}

/// ClickHouse's hash of every source.
fn hashes(clickhouse: &ClickHouse, sources: &[String]) -> Result<Vec<u64>> {
    let list: Vec<String> = sources.iter().map(|source| format!("'{source}'")).collect();
    let mut hashes = Vec::new();
    clickhouse.rows(&format!("SELECT xxHash64(arrayJoin([{}]))", list.join(",")), |columns| {
        hashes.push(columns.first().context("a column")?.parse()?);
        Ok(())
    })?;
    Ok(hashes)
}

/// Registers and ranks as ClickHouse prints them: the upper 12 bits of a hash, the zeros that follow and one, the highest of each.
fn registers(hashes: impl Iterator<Item = u64>) -> [String; 2] {
    let mut highest = BTreeMap::<u64, u32>::new();
    for hash in hashes {
        let zeros = (0..52).rev().take_while(|bit| hash >> bit & 1 == 0).count() as u32;
        let rank = highest.entry(hash >> 52).or_default();
        *rank = (*rank).max(zeros + 1);
    }
    let list = |numbers: Vec<String>| format!("[{}]", numbers.join(","));
    [list(highest.keys().map(u64::to_string).collect()), list(highest.values().map(u32::to_string).collect())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_holds_the_highest_rank() {
        let hashes = [0xfff0_0000_0000_0000, 0x0018_0000_0000_0000, 0x0011_0000_0000_0000];
        assert_eq!(registers(hashes.into_iter()), ["[1,4095]", "[4,53]"]);
        assert_eq!(registers(std::iter::empty()), ["[]", "[]"]);
    }
}
