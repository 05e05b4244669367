//! What came of a run.

use super::Counts;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Figures of the oracle that must be 0.
const ZEROES: [&str; 10] = [
    "lost",
    "seen_twice",
    "rows_differ",
    "windows_differ",
    "sketches_differ",
    "latest_differ",
    "alerts_missed",
    "alerts_repeated",
    "alerts_left_open",
    "alerts_unfenced",
];

/// Faults made, what the oracle found, how long it took each time until records were processed again.
#[derive(Debug, Default)]
pub struct Report {
    /// Faults made.
    pub kills: Counts,
    /// The oracle's answer.
    pub found: Value,
    /// Seconds, by what was restarted.
    pub live_again: BTreeMap<&'static str, Vec<f64>>,
    /// Stopped processes that went on beside their successors.
    pub zombies_left: u32,
    /// Ends by SIGTERM that were not clean or took too long.
    pub bad_ends: u32,
    /// Records that came behind the stream's watermark though they are in time in their partition: alerts may then differ, and nothing
    /// else says why.
    pub clocks_apart: u32,
}

impl Report {
    /// Names of the figures that are not 0 though they must be.
    pub fn not_zero(&self) -> Vec<String> {
        let of_oracle =
            ZEROES.iter().filter(|name| self.found[**name].as_u64() != Some(0)).map(|name| (*name).to_owned());
        let own =
            [("zombies_left", self.zombies_left), ("bad_ends", self.bad_ends), ("clocks_apart", self.clocks_apart)];
        of_oracle.chain(own.into_iter().filter(|(_, count)| *count > 0).map(|(name, _)| name.to_owned())).collect()
    }

    /// Seconds until live again, of everything but Kafka.
    fn of_services(&self) -> Vec<f64> {
        self.live_again.iter().filter(|(what, _)| **what != "kafka").flat_map(|(_, seconds)| seconds.clone()).collect()
    }

    /// Whether everything came back in time: 10 s, and 30 s where Kafka was away.
    pub fn in_time(&self) -> bool {
        let kafka = self.live_again.get("kafka").map_or(0.0, |seconds| quantile(seconds, 0.99));
        quantile(&self.of_services(), 0.99) <= 10.0 && kafka <= 30.0
    }

    /// As one object.
    pub fn json(&self) -> Value {
        let quantiles = |seconds: &[f64]| json!({ "p50": quantile(seconds, 0.5), "p99": quantile(seconds, 0.99) });
        let by: serde_json::Map<String, Value> =
            self.live_again.iter().map(|(what, seconds)| ((*what).to_owned(), quantiles(seconds))).collect();
        let mut all = json!({
            "kills": self.kills, "live_again_s": quantiles(&self.of_services()), "live_again_by": by,
            "zombies_left": self.zombies_left, "bad_ends": self.bad_ends,
            "clocks_apart": self.clocks_apart,
        });
        if let (Some(all), Some(found)) = (all.as_object_mut(), self.found.as_object()) {
            all.extend(found.clone());
        }
        all
    }
}

/// The smallest value that is not below this share of all; 0 of none.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() as f64 * share).ceil() as usize;
    let value = sorted.get(place.saturating_sub(1)).copied().unwrap_or(0.0);
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!((quantile(&values, 0.5), quantile(&values, 0.99), quantile(&[], 0.5)), (100.0, 198.0, 0.0));
    }

    #[test]
    fn a_figure_that_is_not_there_is_not_zero() {
        assert_eq!(Report::default().not_zero().len(), ZEROES.len());
        let zeroes: serde_json::Map<String, Value> = ZEROES.iter().map(|name| ((*name).to_owned(), json!(0))).collect();
        let clean = Report { found: Value::Object(zeroes), ..Report::default() };
        assert_eq!(clean.not_zero(), Vec::<String>::new());
        assert_eq!(Report { zombies_left: 1, clocks_apart: 2, ..clean }.not_zero(), ["zombies_left", "clocks_apart"]);
    }
}
