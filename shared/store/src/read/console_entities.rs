//! Latest states of entities for the console.

use super::Reader;
use crate::error::StoreError;
use clickhouse::Row;
use serde::Deserialize;

/// Where an entity is.
#[derive(Row, Deserialize, Clone, Debug, PartialEq)]
pub struct EntityPlace {
    /// Entity id.
    pub source: String,
    /// Kind.
    pub kind: String,
    /// Event time, epoch ms.
    pub time_ms: i64,
    /// Append time, epoch ms.
    pub appended_ms: i64,
    /// Longitude.
    pub lon: Option<f64>,
    /// Latitude.
    pub lat: Option<f64>,
}

/// All that is known of an entity's latest state.
#[derive(Row, Deserialize, Clone, Debug, PartialEq)]
pub struct EntityState {
    /// Entity id.
    pub source: String,
    /// Kind.
    pub kind: String,
    /// Event time, epoch ms.
    pub time_ms: i64,
    /// Append time, epoch ms.
    pub appended_ms: i64,
    /// Feed it came by.
    pub feed: String,
    /// Longitude.
    pub lon: Option<f64>,
    /// Latitude.
    pub lat: Option<f64>,
    /// Layers of the areas it lies in.
    pub area_layers: Vec<String>,
    /// Their codes.
    pub area_codes: Vec<String>,
    /// Names of its values.
    pub value_names: Vec<String>,
    /// Its values.
    pub value_numbers: Vec<f64>,
}

const PLACES: &str = "SELECT source, kind, toUnixTimestamp64Milli(time) AS time_ms, \
    toUnixTimestamp64Milli(appended_at) AS appended_ms, lon, lat FROM entity_latest \
    WHERE appended_at >= fromUnixTimestamp64Milli({since:Int64}) ORDER BY kind, source";

const STATE: &str = "SELECT source, kind, toUnixTimestamp64Milli(time) AS time_ms, \
    toUnixTimestamp64Milli(appended_at) AS appended_ms, feed, lon, lat, area_layers, area_codes, value_names, \
    value_numbers FROM entity_latest WHERE source = {source:String} ORDER BY appended_at DESC LIMIT 1";

impl Reader {
    /// Places of entities whose latest record was appended at `since_ms` or later, by kind and id.
    pub async fn entity_places(&self, since_ms: i64) -> Result<Vec<EntityPlace>, StoreError> {
        Ok(self.client().query_raw(PLACES).param("since", since_ms.max(0)).fetch_all().await?)
    }

    /// The latest state of one entity.
    pub async fn entity_state(&self, source: &str) -> Result<Option<EntityState>, StoreError> {
        Ok(self.client().query_raw(STATE).param("source", source).fetch_optional().await?)
    }
}
