//! `SKE-1…3` in the end: sketches of `air.t` and windows that slide, recomputed by plain means from what the topics hold: borders of
//! buckets as they are written down, ClickHouse's own xxHash64, every window from its events.

use super::*;
use crate::support::query;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Layer, level, code.
type Area = (&'static str, &'static str, &'static str);

/// Time, value in millionths, source.
type Event = (i64, i64, String);

/// What there was of `air.t`, by area.
#[derive(Default)]
pub(super) struct Plain(BTreeMap<Area, Vec<Event>>);

/// Length of windows, and by how much they slide, in seconds.
const SLIDING: [(i64, i64); 3] = [(300, 60), (60, 20), (3_600, 600)];

impl Plain {
    pub(super) fn add(&mut self, area: Area, event: Event) {
        self.0.entry(area).or_default().push(event);
    }

    /// Every window that has events: area, start in seconds, what is in it.
    fn windows(&self, length: i64, every: i64) -> BTreeMap<(Area, i64), Vec<&Event>> {
        let mut windows: BTreeMap<(Area, i64), Vec<&Event>> = BTreeMap::new();
        for (area, events) in &self.0 {
            for event in events {
                let newest = event.0.div_euclid(every * 1000) * every;
                for back in 0..length / every {
                    windows.entry((*area, newest - back * every)).or_default().push(event);
                }
            }
        }
        windows
    }

    /// Waits until ClickHouse holds these sketches and nothing else, and its views say what is true of them.
    pub(super) async fn until_equal(&self, parts: &Parts) {
        let hashes = self.hashes(parts).await;
        let mut expected = Vec::new();
        for length in [10, 60] {
            for ((area, start), events) in self.windows(length, length) {
                expected.push(line(area, (length, start), &events, &hashes));
            }
        }
        expected.sort();
        let sql = "SELECT layer, level, code, window_s, toUnixTimestamp(window_start), events, \
            arrayMap(value -> toInt64(value * 1000000), buckets), bucket_events, registers, ranks \
            FROM area_sketches WHERE metric = 'air.t' AND window_s IN (10, 60)";
        wait::until_async("sketches as recounted", SOON, || async {
            let text = query(parts, sql).await;
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            let differ = lines.iter().zip(&expected).find(|(is, should)| **is != should.as_str());
            if let Some((is, should)) = differ {
                return Err(format!("is {is}\nshould be {should}"));
            }
            if lines.len() == expected.len() { Ok(()) } else { Err(format!("{} of {}", lines.len(), expected.len())) }
        })
        .await;
        for length in [10, 60] {
            let sql = format!("SELECT {SAID} FROM area_estimates WHERE metric = 'air.t' AND window_s = {length}");
            check(&query(parts, &sql).await, &self.windows(length, length));
        }
        for (length, every) in SLIDING {
            let of = format!(
                "(layer = '{{layer}}', metric = 'air.t', length = {length}, every = {every}, since = 0, before = 4000000000)"
            );
            let (mut sums, mut said) = (String::new(), String::new());
            for layer in ["grid", "beats"] {
                let of = of.replace("{layer}", layer);
                sums += &query(parts, &format!("SELECT {SUMS} FROM area_sliding{of}")).await;
                said += &query(parts, &format!("SELECT {SAID} FROM area_sliding_estimates{of}")).await;
            }
            let windows = self.windows(length, every);
            assert!(windows.len() > 30, "{}", windows.len());
            check(&said, &windows);
            let mut expected: Vec<String> =
                windows.iter().map(|((area, start), events)| sum_line(*area, *start, events)).collect();
            let mut lines: Vec<&str> = sums.lines().collect();
            expected.sort();
            lines.sort_unstable();
            assert_eq!(lines, expected, "{length} every {every}");
        }
    }

    /// ClickHouse's hash of every source.
    async fn hashes(&self, parts: &Parts) -> HashMap<String, u64> {
        let sources: BTreeSet<&str> = self.0.values().flatten().map(|(_, _, source)| source.as_str()).collect();
        let list: Vec<String> = sources.iter().map(|source| format!("'{source}'")).collect();
        let sql = format!("SELECT arrayJoin([{}]) AS source, xxHash64(source)", list.join(","));
        let text = query(parts, &sql).await;
        let pair = |line: &str| {
            let (source, hash) = line.split_once('\t').expect("two columns");
            (source.to_owned(), hash.parse().expect("a number"))
        };
        text.lines().map(pair).collect()
    }
}

const SUMS: &str = "layer, level, code, toUnixTimestamp(window_start), version, count, toInt64(sum * 1000000), \
    toInt64(min * 1000000), toInt64(max * 1000000), toUnixTimestamp64Milli(last_time)";

fn sum_line((layer, level, code): Area, start: i64, events: &[&Event]) -> String {
    let values = || events.iter().map(|(_, value, _)| *value);
    let (count, sum) = (events.len(), values().sum::<i64>());
    let (min, max) = (values().min().expect("one"), values().max().expect("one"));
    let last = events.iter().map(|(time, ..)| *time).max().expect("one");
    format!("{layer}\t{level}\t{code}\t{start}\t{count}\t{count}\t{sum}\t{min}\t{max}\t{last}")
}

/// What stands for the bucket of a value: 1 % above the least in it, which are 1 % below the most.
fn bucket(value: i64) -> i64 {
    let (magnitude, mut least) = (i128::from(value).abs(), 1i128);
    loop {
        let stands = least * 101 / 100;
        let most = stands * 100 / 99;
        match magnitude {
            0 => return 0,
            within if within <= most => return stands as i64 * value.signum(),
            _ => least = most + 1,
        }
    }
}

/// A row of `area_sketches`.
fn line(area: Area, (length, start): (i64, i64), events: &[&Event], hashes: &HashMap<String, u64>) -> String {
    let (mut buckets, mut registers) = (BTreeMap::<i64, u64>::new(), BTreeMap::<u64, u32>::new());
    for (_, value, source) in events {
        *buckets.entry(bucket(*value)).or_default() += 1;
        let hash = hashes[source];
        let rank = registers.entry(hash >> 52).or_default();
        let zeros = (0..52).rev().take_while(|bit| hash >> bit & 1 == 0).count() as u32;
        *rank = (zeros + 1).max(*rank);
    }
    let list = |numbers: &mut dyn Iterator<Item = String>| numbers.collect::<Vec<_>>().join(",");
    let (layer, level, code) = area;
    format!(
        "{layer}\t{level}\t{code}\t{length}\t{start}\t{}\t[{}]\t[{}]\t[{}]\t[{}]",
        events.len(),
        list(&mut buckets.keys().map(i64::to_string)),
        list(&mut buckets.values().map(u64::to_string)),
        list(&mut registers.keys().map(u64::to_string)),
        list(&mut registers.values().map(u32::to_string)),
    )
}

const SAID: &str = "layer, level, code, toUnixTimestamp(window_start), events, p50, p90, p95, p99, sources";

/// Every window is there, its quantiles are within 1 % of the exact ones, its sources are those there were.
fn check(text: &str, windows: &BTreeMap<(Area, i64), Vec<&Event>>) {
    let mut found = 0;
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| columns[at].parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
        let start = number(3) as i64;
        let is = |((layer, level, code), of): &&(Area, i64)| [*layer, *level, *code] == columns[..3] && *of == start;
        let (_, events) = windows.iter().find(|(key, _)| is(key)).unwrap_or_else(|| panic!("no such window: {line}"));
        assert_eq!(number(4) as usize, events.len(), "{line}");
        let mut values: Vec<i64> = events.iter().map(|(_, value, _)| *value).collect();
        values.sort_unstable();
        for (column, percent) in [(5, 50), (6, 90), (7, 95), (8, 99)] {
            let exact = values[(values.len() * percent).div_ceil(100) - 1] as f64 / 1e6;
            assert!((number(column) - exact).abs() <= exact.abs() * 0.01 + 1e-9, "p{percent} is {exact}: {line}");
        }
        let sources: BTreeSet<&str> = events.iter().map(|(_, _, source)| source.as_str()).collect();
        // Two of the thirty share a register.
        assert!((number(9) - sources.len() as f64).abs() < 1.1, "{} sources: {line}", sources.len());
        found += 1;
    }
    assert_eq!(found, windows.len());
}
