//! Of which metrics the city wants sketches. A kind that has none costs one look at a flag.

use super::Cell;
use gridwarden_domain::{
    city::{CityFile, SketchFile},
    value::Fixed,
};
use std::collections::BTreeMap;

/// What is kept of a metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    /// Buckets of values.
    pub(crate) quantiles: bool,
    /// Registers of sources.
    pub(crate) sources: bool,
}

impl Kept {
    /// The cells an event goes into.
    pub(crate) fn cells(self, value: Fixed, source: &str) -> impl Iterator<Item = Cell> + use<> {
        let bucket = self.quantiles.then(|| Cell::of_value(value));
        let register = self.sources.then(|| Cell::of_source(source));
        bucket.into_iter().chain(register)
    }
}

/// What the city asks for, by metric.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sketches(BTreeMap<String, Kept>);

impl Sketches {
    /// As the city says.
    pub(crate) fn of(city: &CityFile) -> Self {
        let kept = |file: &SketchFile| Kept { quantiles: file.quantiles, sources: file.distinct.is_some() };
        Self(city.sketches.iter().map(|file| (file.metric.clone(), kept(file))).collect())
    }

    /// What is kept of a metric, if anything.
    pub(crate) fn of_metric(&self, metric: &str) -> Option<Kept> {
        self.0.get(metric).copied()
    }

    /// Whether anything is kept of a metric of this kind.
    pub(crate) fn of_kind(&self, kind: &str) -> bool {
        let of_kind = |rest: &str| rest.is_empty() || rest.starts_with('.');
        self.0.keys().any(|metric| metric.strip_prefix(kind).is_some_and(of_kind))
    }
}
