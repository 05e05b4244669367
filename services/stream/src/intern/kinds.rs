//! A worker's own copy of kinds and metrics, so that the common case takes no lock.

use super::MetricNames;
use crate::windows::sketch::{Kept, Sketches};
use hashbrown::HashMap;
use std::sync::Arc;

type Hasher = foldhash::fast::FixedState;

/// A kind as a worker knows it.
pub(crate) struct Kind {
    /// Its number.
    pub(crate) number: u16,
    /// The metric that counts its events.
    pub(crate) count: u32,
    /// Whether any of its metrics has sketches.
    pub(crate) sketched: bool,
    /// By position in the message: devices send their values in one order.
    hints: Vec<(Box<str>, Option<u32>)>,
    values: HashMap<Box<str>, Option<u32>, Hasher>,
}

/// Kinds known to a worker.
pub(crate) struct Kinds {
    names: Arc<MetricNames>,
    by_name: HashMap<Box<str>, Option<u16>, Hasher>,
    kinds: Vec<Kind>,
    sketches: Sketches,
    /// What is kept of metrics asked for before.
    kept: HashMap<u32, Option<Kept>, Hasher>,
}

/// Most names remembered as being too many, so that the memory of refusals is bounded as well.
const MOST_REFUSED: usize = 10_000;

impl Kinds {
    pub(crate) fn new(names: Arc<MetricNames>, sketches: Sketches) -> Self {
        Self { names, by_name: HashMap::default(), kinds: Vec::new(), sketches, kept: HashMap::default() }
    }

    /// What is kept of a metric besides sums; to be asked for kinds that are `sketched` only.
    pub(crate) fn kept(&mut self, metric: u32) -> Option<Kept> {
        let Self { names, sketches, kept, .. } = self;
        *kept.entry(metric).or_insert_with(|| sketches.of_metric(&names.name(metric)?))
    }

    /// Where a kind stands here; none when there are too many kinds.
    #[inline]
    pub(crate) fn find(&mut self, name: &str) -> Option<u16> {
        match self.by_name.get(name) {
            Some(found) => *found,
            None => self.learn(name),
        }
    }

    /// Where a kind stands here that was asked for before; it stands there for ever.
    #[inline]
    pub(crate) fn known(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied().flatten()
    }

    #[cold]
    fn learn(&mut self, name: &str) -> Option<u16> {
        let found = self.names.kind(name).map(|number| {
            let here = self.kinds.len() as u16;
            let count = self.names.count(number);
            let sketched = self.sketches.of_kind(name);
            self.kinds.push(Kind { number, count, sketched, hints: Vec::new(), values: HashMap::default() });
            here
        });
        if found.is_some() || self.by_name.len() < MOST_REFUSED {
            self.by_name.insert(name.into(), found);
        }
        found
    }

    /// The kind at a place [`Kinds::find`] gave.
    #[inline]
    pub(crate) fn get(&self, here: u16) -> Option<&Kind> {
        self.kinds.get(usize::from(here))
    }

    /// The metric of the kind's value that stands at `position` in the message; none when there are too many.
    #[inline]
    pub(crate) fn value(&mut self, here: u16, position: usize, name: &str) -> Option<u32> {
        let kind = self.kinds.get(usize::from(here))?;
        match kind.hints.get(position) {
            Some((hint, metric)) if **hint == *name => *metric,
            _ => self.value_by_name(here, position, name),
        }
    }

    fn value_by_name(&mut self, here: u16, position: usize, name: &str) -> Option<u32> {
        let kind = self.kinds.get_mut(usize::from(here))?;
        let metric = match kind.values.get(name) {
            Some(metric) => *metric,
            None => {
                let metric = self.names.value(kind.number, name);
                if metric.is_some() || kind.values.len() < MOST_REFUSED {
                    kind.values.insert(name.into(), metric);
                }
                metric
            }
        };
        if kind.hints.len() == position {
            kind.hints.push((name.into(), metric));
        }
        metric
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_workers_agree_whatever_order_values_come_in() {
        let names = Arc::new(MetricNames::default());
        let mut one = Kinds::new(Arc::clone(&names), Sketches::default());
        let mut other = Kinds::new(names, Sketches::default());
        fn ask(kinds: &mut Kinds, kind: &str, values: [&'static str; 3]) -> (u16, Vec<(&'static str, Option<u32>)>) {
            let here = kinds.find(kind).unwrap();
            let mut found: Vec<_> =
                values.iter().enumerate().map(|(at, name)| (*name, kinds.value(here, at, name))).collect();
            found.sort_unstable();
            (kinds.get(here).unwrap().number, found)
        }
        assert_eq!(ask(&mut one, "air", ["a", "b", "c"]), ask(&mut other, "air", ["c", "a", "b"]));
        ask(&mut other, "noise", ["x", "y", "z"]);
        ask(&mut one, "water", ["x", "y", "z"]);
        assert_eq!(ask(&mut one, "noise", ["z", "y", "x"]), ask(&mut other, "noise", ["x", "y", "z"]));
    }
}
