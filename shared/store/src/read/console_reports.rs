//! Reports for the console, from the archive: counts by where they lie, and the reports behind a count. A report sent twice
//! under one id counts once, as last sent.

use super::Reader;
use crate::error::StoreError;
use clickhouse::Row;
use serde::Deserialize;

/// Which reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportFilter {
    /// Event time at or after, epoch ms.
    pub from_ms: i64,
    /// Event time before, epoch ms.
    pub to_ms: i64,
    /// Class code; any when empty.
    pub class: String,
    /// Feed; any when `None`.
    pub feed: Option<String>,
}

/// Reports that lie in the same areas of a layer.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ReportGroup {
    /// Codes of the layer's areas, every level.
    pub codes: Vec<String>,
    /// Whether they came without a position.
    pub no_position: bool,
    /// Whether they lie in no area of any layer.
    pub nowhere: bool,
    /// Value of the attribute asked for, or empty.
    pub label: String,
    /// How many.
    pub reports: u64,
}

/// One report.
#[derive(Row, Deserialize, Clone, Debug, PartialEq)]
pub struct ReportFound {
    /// Report id.
    pub id: String,
    /// Event time, epoch ms.
    pub time_ms: i64,
    /// Append time, epoch ms.
    pub appended_ms: i64,
    /// Feed.
    pub feed: String,
    /// Channel.
    pub channel: String,
    /// Class catalogue.
    pub class_catalogue: String,
    /// Component or event.
    pub class_kind: String,
    /// Class code.
    pub class_code: String,
    /// Longitude.
    pub lon: Option<f64>,
    /// Latitude.
    pub lat: Option<f64>,
    /// Layers of the areas it lies in.
    pub area_layers: Vec<String>,
    /// Their codes.
    pub area_codes: Vec<String>,
    /// What was said.
    pub description: String,
    /// Number in the system it came from.
    pub external_id: String,
    /// Attributes, name and text.
    pub attributes: Vec<(String, String)>,
}

/// The reports that pass the filter, each id once.
macro_rules! once {
    () => {
        "(SELECT * FROM reports WHERE time >= fromUnixTimestamp64Milli({from:Int64}) \
         AND time < fromUnixTimestamp64Milli({to:Int64}) \
         AND (empty({class:String}) OR class_code = {class:String}) \
         AND ({any_feed:Bool} OR feed = {feed:String}) \
         ORDER BY id, appended_at DESC, offset DESC LIMIT 1 BY id)"
    };
}

const GROUPS: &str = concat!(
    "SELECT arraySort(arrayFilter((c, l) -> l = {layer:String}, area_codes, area_layers)) AS codes, \
     isNull(lon) AS no_position, empty(area_codes) AS nowhere, \
     if(empty({label:String}), '', attributes[{label:String}]) AS label, count() AS reports FROM ",
    once!(),
    " GROUP BY codes, no_position, nowhere, label ORDER BY codes, no_position, nowhere, label"
);

const LIST: &str = concat!(
    "SELECT id, toUnixTimestamp64Milli(time) AS time_ms, toUnixTimestamp64Milli(appended_at) AS appended_ms, feed, \
     channel, class_catalogue, class_kind, class_code, lon, lat, area_layers, area_codes, description, external_id, \
     arrayZip(mapKeys(attributes), mapValues(attributes)) AS attributes FROM ",
    once!(),
    " WHERE (empty({layer:String}) OR arrayExists((c, l) -> l = {layer:String} AND c = {area:String}, area_codes, \
     area_layers)) AND id > {after:String} ORDER BY id LIMIT {limit:UInt32}"
);

impl ReportFilter {
    fn bind(&self, query: clickhouse::query::Query) -> clickhouse::query::Query {
        let query = query.param("from", self.from_ms).param("to", self.to_ms).param("class", &self.class);
        query.param("any_feed", self.feed.is_none()).param("feed", self.feed.as_deref().unwrap_or_default())
    }
}

impl Reader {
    /// Counts reports by the areas of `layer` they lie in, and by the attribute `label` (empty: by none).
    pub async fn report_groups(
        &self,
        filter: &ReportFilter,
        layer: &str,
        label: &str,
    ) -> Result<Vec<ReportGroup>, StoreError> {
        let query = filter.bind(self.client().query_raw(GROUPS)).param("layer", layer).param("label", label);
        Ok(query.fetch_all().await?)
    }

    /// Reports after an id, in the order of ids; `area` = (layer, code), or anywhere.
    pub async fn reports(
        &self,
        filter: &ReportFilter,
        area: Option<(&str, &str)>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ReportFound>, StoreError> {
        let (layer, code) = area.unwrap_or_default();
        let query = filter.bind(self.client().query_raw(LIST)).param("layer", layer).param("area", code);
        Ok(query.param("after", after).param("limit", limit).fetch_all().await?)
    }
}
