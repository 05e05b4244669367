//! Rows of windows in the order ClickHouse keeps them: (layer, level, metric, window_s, window_start, code). Sorted here, by
//! numbers instead of text, a block needs no sorting by the engine, which took a third of its insert.

use crate::{intern::AreaName, windows::Row};
use std::sync::Arc;

/// Where names stand among each other.
#[derive(Default)]
pub(crate) struct TableOrder {
    /// By area: place of its layer and level, place of its code. Areas are only added.
    areas: Vec<(u16, u32)>,
    /// By metric: its place among the metrics of the rows sorted last.
    metrics: Vec<u32>,
}

/// A metric that was not seen among the rows.
const UNSEEN: u32 = u32::MAX;

impl TableOrder {
    /// These rows in order. `metric`: a metric's name.
    pub(crate) fn sorted<'r>(
        &mut self,
        chunks: &'r [Vec<Row>],
        areas: &[AreaName],
        metric: impl FnMut(u32) -> Option<Arc<str>>,
    ) -> Vec<&'r Row> {
        if self.areas.len() != areas.len() {
            self.areas = places(areas);
        }
        self.place_metrics(chunks, metric);
        let mut keyed = Vec::with_capacity(chunks.iter().map(Vec::len).sum());
        // A window may be there twice: as it came.
        let rows = (0u32..).zip(chunks.iter().flatten());
        keyed.extend(rows.map(|(number, row)| (self.place(row), number, row)));
        keyed.sort_unstable_by_key(|(place, number, _)| (*place, *number));
        keyed.into_iter().map(|(_, _, row)| row).collect()
    }

    /// A row's place in the table.
    fn place(&self, row: &Row) -> u128 {
        let (group, code) = self.areas.get(row.area as usize).copied().unwrap_or_default();
        let metric = self.metrics.get(row.metric as usize).copied().unwrap_or(UNSEEN) & 0xff_ffff;
        let start = (row.start_ms / 1000) as u32;
        let window = u64::from(row.window_s & 0xff_ffff) << 32 | u64::from(start);
        u128::from(group) << 112 | u128::from(metric) << 88 | u128::from(window) << 32 | u128::from(code)
    }

    fn place_metrics(&mut self, chunks: &[Vec<Row>], mut metric: impl FnMut(u32) -> Option<Arc<str>>) {
        self.metrics.fill(UNSEEN);
        let mut seen = Vec::new();
        for row in chunks.iter().flatten() {
            let number = row.metric as usize;
            if self.metrics.len() <= number {
                self.metrics.resize(number + 1, UNSEEN);
            }
            if let Some(place) = self.metrics.get_mut(number).filter(|place| **place == UNSEEN) {
                *place = 0;
                seen.push((metric(row.metric), row.metric));
            }
        }
        seen.sort_unstable();
        for (place, (_, number)) in (0u32..).zip(seen) {
            if let Some(known) = self.metrics.get_mut(number as usize) {
                *known = place;
            }
        }
    }
}

fn places(areas: &[AreaName]) -> Vec<(u16, u32)> {
    let mut groups: Vec<(&str, &str)> = areas.iter().map(|area| (&*area.layer, &*area.level)).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut codes: Vec<&str> = areas.iter().map(|area| &*area.code).collect();
    codes.sort_unstable();
    let place = |area: &AreaName| {
        let group = groups.partition_point(|group| *group < (&*area.layer, &*area.level));
        (group as u16, codes.partition_point(|code| *code < &*area.code) as u32)
    };
    areas.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::windows::Aggregate;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_are_in_the_order_of_their_names(
            names in prop::collection::vec(("[ab]{1,2}", "[ab]{0,1}", "[a-c]{1,3}"), 1..12),
            metrics in prop::collection::btree_set("[a-c.]{1,3}", 1..6).prop_map(Vec::from_iter).prop_shuffle(),
            rows in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0i64..4, 0usize..2), 0..60),
        ) {
            let areas: Vec<AreaName> = names
                .iter()
                .map(|(layer, level, code)| AreaName {
                    layer: layer.as_str().into(),
                    level: level.as_str().into(),
                    code: code.as_str().into(),
                    parent: None,
                })
                .collect();
            let rows: Vec<Row> = rows
                .iter()
                .map(|(area, metric, start, window)| Row {
                    aggregate: Aggregate::EMPTY,
                    sketch: None,
                    start_ms: start * 10_000,
                    area: area.index(areas.len()) as u32,
                    metric: metric.index(metrics.len()) as u32,
                    window_s: [10, 86_400][*window],
                    closed: true,
                })
                .collect();
            let text = |row: &Row| {
                let area = &areas[row.area as usize];
                let metric = metrics[row.metric as usize].clone();
                let names = (area.layer.to_string(), area.level.to_string(), metric);
                (names, row.window_s, row.start_ms, area.code.to_string())
            };
            let mut expected: Vec<_> = rows.iter().map(text).collect();
            expected.sort();
            let mut order = TableOrder::default();
            let chunks: Vec<Vec<Row>> = rows.chunks(7).map(<[Row]>::to_vec).collect();
            for _ in 0..2 {
                let sorted = order.sorted(&chunks, &areas, |metric| metrics.get(metric as usize).map(|name| name.as_str().into()));
                prop_assert_eq!(sorted.into_iter().map(text).collect::<Vec<_>>(), expected.clone());
            }
        }
    }
}
