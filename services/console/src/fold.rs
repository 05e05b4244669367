//! From what ClickHouse says of areas to the numbers that are shown: statistics of windows, counts of reports. Pure.

use crate::atlas::Sheet;
use crate::catalogue::{Estimate, Statistic};
use gridwarden_domain::text::Text;
use gridwarden_store::read::{AreaFold, EstimatePoint, ReportGroup, WindowPoint};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What windows say, whatever row it came in.
pub struct Parts {
    /// Number of events.
    pub events: u64,
    /// Sum of values.
    pub total: f64,
    /// Lowest.
    pub lowest: f64,
    /// Highest.
    pub highest: f64,
    /// Latest.
    pub latest: f64,
}

impl From<&AreaFold> for Parts {
    fn from(row: &AreaFold) -> Self {
        Self { events: row.events, total: row.total, lowest: row.lowest, highest: row.highest, latest: row.latest }
    }
}

impl From<&WindowPoint> for Parts {
    fn from(row: &WindowPoint) -> Self {
        Self { events: row.events, total: row.total, lowest: row.lowest, highest: row.highest, latest: row.latest }
    }
}

impl Statistic {
    /// The number to show.
    pub fn of(self, parts: &Parts) -> f64 {
        match self {
            Self::Mean => parts.total / parts.events.max(1) as f64,
            Self::Sum => parts.total,
            Self::Count => parts.events as f64,
            Self::Min => parts.lowest,
            Self::Max => parts.highest,
            Self::Last => parts.latest,
        }
    }
}

impl Estimate {
    /// The number to show, if it is kept of the metric.
    pub fn of(self, point: &EstimatePoint) -> Option<f64> {
        match self {
            Self::P50 => point.p50,
            Self::P90 => point.p90,
            Self::P95 => point.p95,
            Self::P99 => point.p99,
            Self::Sources => point.sources,
        }
    }
}

/// Rows of area folds as numbered values (`CON-3`); areas the layer no longer has are left out.
pub fn values(rows: &[AreaFold], sheet: &Sheet, statistic: Statistic, now_ms: i64) -> BTreeMap<u32, f64> {
    rows.iter().filter_map(|row| Some((sheet.layer.find(&row.code, now_ms)?, statistic.of(&row.into())))).collect()
}

/// Reports of one area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AreaCount {
    /// Area code.
    pub code: String,
    /// Its name.
    #[schema(value_type = crate::api::model::TextView)]
    pub name: Text,
    /// Reports that lie in it; a report in two areas counts in both.
    pub count: u64,
}

/// How well the areas agree with what the source itself says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LabelCount {
    /// The attribute compared with area codes.
    pub attribute: String,
    /// Reports whose label is the code of an area they lie in.
    pub matching: u64,
    /// Reports that lie in other areas only.
    pub elsewhere: u64,
    /// Reports with a position that lie in no area.
    pub nowhere: u64,
}

/// Reports counted by where they lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Summary {
    /// Reports, each once.
    pub total: u64,
    /// Reports in at least one area of the level.
    pub located: u64,
    /// Reports in two or more areas of the level.
    pub in_several: u64,
    /// Reports in no area of the level, with or without a position.
    pub nowhere: u64,
    /// Of those, reports that have a position.
    pub outside: u64,
    /// Reports that came without a position.
    pub without_position: u64,
    /// Reports in no area of any layer.
    pub in_no_layer: u64,
    /// Per area of the level, by code; areas without reports are left out.
    pub areas: Vec<AreaCount>,
    /// Only when a label was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelCount>,
}

/// Counts groups of reports at a level.
pub fn summarise(groups: &[ReportGroup], sheet: &Sheet, level: usize, now_ms: i64) -> Summary {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut summary = Summary::default();
    let mut label = LabelCount::default();
    for group in groups {
        let here: Vec<&str> =
            group.codes.iter().map(String::as_str).filter(|code| stands_at(sheet, code, level, now_ms)).collect();
        let n = group.reports;
        summary.total += n;
        summary.without_position += if group.no_position { n } else { 0 };
        summary.in_no_layer += if group.nowhere { n } else { 0 };
        match here.as_slice() {
            [] => {
                summary.nowhere += n;
                summary.outside += if group.no_position { 0 } else { n };
                label.nowhere += if group.no_position { 0 } else { n };
            }
            [_, rest @ ..] => {
                summary.located += n;
                summary.in_several += if rest.is_empty() { 0 } else { n };
                if here.contains(&group.label.as_str()) { label.matching += n } else { label.elsewhere += n }
            }
        }
        for code in here {
            *counts.entry(code).or_default() += n;
        }
    }
    summary.areas = counts.into_iter().map(|(code, count)| area_count(sheet, code, count, now_ms)).collect();
    summary.label = Some(label);
    summary
}

/// Whether a code is an area of the level; a code of an older version that is gone counts at no level.
fn stands_at(sheet: &Sheet, code: &str, level: usize, now_ms: i64) -> bool {
    let area = sheet.layer.find(code, now_ms).and_then(|number| sheet.area(number));
    area.is_some_and(|area| usize::from(area.level) == level)
}

fn area_count(sheet: &Sheet, code: &str, count: u64, now_ms: i64) -> AreaCount {
    let area = sheet.layer.find(code, now_ms).and_then(|number| sheet.area(number));
    AreaCount { code: code.to_owned(), name: area.map(|area| area.name.clone()).unwrap_or_default(), count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::tests::small_city;

    fn group(codes: &[&str], no_position: bool, label: &str, reports: u64) -> ReportGroup {
        ReportGroup {
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            no_position,
            nowhere: codes.is_empty(),
            label: label.into(),
            reports,
        }
    }

    #[test]
    fn every_report_counts_once_in_the_totals_and_in_each_of_its_areas() {
        let atlas = small_city();
        let sheet = atlas.main().expect("main");
        let groups = [
            group(&["1", "c"], false, "1", 5),
            group(&["1", "2", "c"], false, "2", 3),
            group(&["2", "c"], false, "9", 2),
            group(&[], false, "1", 4),
            group(&[], true, "", 1),
        ];
        let summary = summarise(&groups, sheet, 1, 0);
        let counts: Vec<(&str, u64)> = summary.areas.iter().map(|area| (area.code.as_str(), area.count)).collect();
        assert_eq!(counts, [("1", 8), ("2", 5)]);
        assert_eq!((summary.total, summary.located, summary.in_several), (15, 10, 3));
        assert_eq!((summary.nowhere, summary.outside, summary.without_position, summary.in_no_layer), (5, 4, 1, 5));
        let label = summary.label.expect("label");
        assert_eq!((label.matching, label.elsewhere, label.nowhere), (8, 2, 4));
        let city = summarise(&groups, sheet, 0, 0);
        assert_eq!(city.areas.iter().map(|area| area.count).collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn statistics() {
        let parts = Parts { events: 4, total: 10.0, lowest: 1.0, highest: 4.0, latest: 3.0 };
        let cases = [("mean", 2.5), ("sum", 10.0), ("count", 4.0), ("min", 1.0), ("max", 4.0), ("last", 3.0)];
        for (name, value) in cases {
            assert_eq!(Statistic::parse(name).expect("statistic").of(&parts), value);
        }
        assert_eq!(Statistic::parse("median"), None);
    }
}
