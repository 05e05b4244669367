//! What sketches should tell: every value and every source of a window, counted.

use super::windows_at;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Of one metric, by area, length in s and start in s.
#[derive(Default)]
pub(crate) struct Sketches {
    pub(crate) metric: String,
    pub(crate) of: HashMap<(u32, i64, i64), Plain>,
    /// By number.
    pub(crate) sources: Vec<String>,
    known: HashMap<String, usize>,
}

/// One window.
#[derive(Default)]
pub(crate) struct Plain {
    /// How often each value was there, in millionths.
    values: BTreeMap<i64, u64>,
    /// Numbers of its sources.
    pub(crate) sources: BTreeSet<usize>,
}

impl Sketches {
    pub(crate) fn of(metric: &str) -> Self {
        Self { metric: metric.to_owned(), ..Self::default() }
    }

    pub(crate) fn add(&mut self, metric: &str, value: i64, areas: &[u32], (time, source): (i64, &str)) {
        if metric != self.metric {
            return;
        }
        let number = self.known.get(source).copied().unwrap_or_else(|| {
            self.sources.push(source.to_owned());
            self.known.insert(source.to_owned(), self.sources.len() - 1);
            self.sources.len() - 1
        });
        for area in areas {
            for (length, start) in windows_at(time) {
                let window = self.of.entry((*area, length, start)).or_default();
                *window.values.entry(value).or_default() += 1;
                window.sources.insert(number);
            }
        }
    }
}

impl Plain {
    pub(crate) fn events(&self) -> u64 {
        self.values.values().sum()
    }

    /// The value at the rank of so many percent: the least one that as many are not above.
    pub(crate) fn quantile(&self, percent: u64) -> i64 {
        let (rank, mut below) = ((self.events() * percent).div_ceil(100), 0);
        let at_rank = self.values.iter().find(|(_, times)| {
            below += **times;
            below >= rank
        });
        at_rank.map_or(0, |(value, _)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_value_at_its_rank() {
        let mut sketches = Sketches::of("air.t");
        for value in [5, 1, 3, 3, 2, 9, 9, 9, 9, 100] {
            sketches.add("air.t", value, &[7], (0, "s"));
            sketches.add("air.u", value, &[7], (0, "t"));
        }
        let window = &sketches.of[&(7, 60, 0)];
        assert_eq!([10, 50, 51, 90, 91, 99].map(|percent| window.quantile(percent)), [1, 5, 9, 9, 100, 100]);
        assert_eq!((window.events(), window.sources.len(), sketches.of.len()), (10, 1, 2));
    }
}
