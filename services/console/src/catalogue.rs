//! How metrics, values and kinds are called, and in which unit. Pure; what is not known is called by its own name.

use gridwarden_domain::city::SketchFile;
use gridwarden_domain::class::Catalogue as Classes;
use gridwarden_domain::report;
use gridwarden_domain::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

const DOCUMENT: &str = include_str!("catalogue.toml");

/// How several windows become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// Sum of values by number of events.
    #[default]
    Mean,
    /// Sum of values.
    Sum,
    /// Number of events.
    Count,
    /// Lowest value.
    Min,
    /// Highest value.
    Max,
    /// Latest value by event time.
    Last,
}

impl Statistic {
    const ALL: [Self; 6] = [Self::Mean, Self::Sum, Self::Count, Self::Min, Self::Max, Self::Last];

    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Last => "last",
        }
    }

    /// Reads the name the API uses.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// What sketches say of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Estimate {
    /// Half of the values are not above it.
    P50,
    /// 90 % of the values are not above it.
    P90,
    /// 95 % of the values are not above it.
    P95,
    /// 99 % of the values are not above it.
    P99,
    /// How many sources there were.
    Sources,
}

impl Estimate {
    const ALL: [(&str, Self); 5] =
        [("p50", Self::P50), ("p90", Self::P90), ("p95", Self::P95), ("p99", Self::P99), ("sources", Self::Sources)];

    /// Reads the name the API uses.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, estimate)| estimate)
    }

    /// How wrong it may be, relative to what it stands for: at most, of quantiles; the standard error, of sources.
    pub fn error(self) -> f64 {
        if self == Self::Sources { 1.04 / 64.0 } else { 0.01 }
    }

    /// Whether a city asks for what it takes.
    pub fn is_kept(self, sketch: &SketchFile) -> bool {
        if self == Self::Sources { sketch.distinct.is_some() } else { sketch.quantiles }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    kinds: BTreeMap<String, Text>,
    values: BTreeMap<String, ValueEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueEntry {
    name: Text,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    statistic: Statistic,
}

/// How a metric is called and folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricName {
    /// For people.
    pub name: Text,
    /// Unit, or empty.
    pub unit: String,
    /// How it is folded unless asked otherwise.
    pub statistic: Statistic,
}

/// Names of kinds, values and classes.
pub struct Names {
    document: Document,
    classes: BTreeMap<String, Text>,
}

fn text(en: impl Into<String>, zh: impl Into<String>) -> Text {
    Text { en: en.into(), zh: zh.into() }
}

impl Names {
    /// The names we ship, and the city's own classes.
    pub fn new(catalogues: &[Classes]) -> Result<Self, toml::de::Error> {
        let classes = catalogues.iter().flat_map(|catalogue| &catalogue.classes);
        let classes = classes.map(|class| (class.code.clone(), class.name.clone())).collect();
        Ok(Self { document: toml::from_str(DOCUMENT)?, classes })
    }

    /// A kind of entity.
    pub fn kind(&self, kind: &str) -> Text {
        self.document.kinds.get(kind).cloned().unwrap_or_else(|| text(kind, ""))
    }

    /// A class, by code.
    pub fn class(&self, code: &str) -> Text {
        self.classes.get(code).cloned().unwrap_or_else(|| text(code, ""))
    }

    /// A metric of `area_metrics`.
    pub fn metric(&self, metric: &str) -> MetricName {
        if metric == report::METRIC {
            return counted(text("Reports", "上报"));
        }
        if let Some(class) = metric.strip_prefix("reports.") {
            let name = self.class(class);
            let zh = if name.zh.is_empty() { &name.en } else { &name.zh };
            return counted(text(format!("Reports: {}", name.en), format!("上报：{zh}")));
        }
        if let Some(entry) = self.document.values.get(metric) {
            return MetricName { name: entry.name.clone(), unit: entry.unit.clone(), statistic: entry.statistic };
        }
        match metric.split_once('.') {
            Some(_) => MetricName { name: text(metric, ""), unit: String::new(), statistic: Statistic::Mean },
            None => {
                let kind = self.kind(metric);
                let zh = if kind.zh.is_empty() { metric } else { &kind.zh };
                counted(text(format!("Observations: {}", kind.en), format!("观测：{zh}")))
            }
        }
    }

    /// A value of an observation: like the metric, called by the value's own name where nothing is known.
    pub fn value(&self, kind: &str, value: &str) -> MetricName {
        let metric = format!("{kind}.{value}");
        let mut found = self.metric(&metric);
        if found.name.en == metric {
            found.name = text(value, "");
        }
        found
    }
}

fn counted(name: Text) -> MetricName {
    MetricName { name, unit: String::new(), statistic: Statistic::Count }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let classes =
            r#"{"version":"v","classes":[{"kind":"event","code":"0203","name":{"en":"Graffiti","zh":"涂鸦"}}]}"#;
        Names::new(&[serde_json::from_str(classes).expect("catalogue")]).expect("our document")
    }

    #[test]
    fn known_and_unknown_metrics_have_names() {
        let names = names();
        let cases = [
            ("air.pm25", "PM2.5", "µg/m³", Statistic::Mean),
            ("reports", "Reports", "", Statistic::Count),
            ("reports.0203", "Reports: Graffiti", "", Statistic::Count),
            ("vehicle", "Observations: Vehicle", "", Statistic::Count),
            ("tram.load", "tram.load", "", Statistic::Mean),
        ];
        for (metric, name, unit, statistic) in cases {
            let found = names.metric(metric);
            assert_eq!((found.name.en.as_str(), found.unit.as_str(), found.statistic), (name, unit, statistic));
        }
        assert_eq!(names.value("tram", "load").name.en, "load");
        assert_eq!(names.metric("reports.0203").name.zh, "上报：涂鸦");
    }

    #[test]
    fn every_name_we_ship_is_in_both_languages() {
        let document: Document = toml::from_str(DOCUMENT).expect("document");
        let texts = document.kinds.values().chain(document.values.values().map(|entry| &entry.name));
        for text in texts {
            assert!(!text.en.is_empty() && !text.zh.is_empty(), "{text:?}");
        }
    }
}
