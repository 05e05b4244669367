//! What became of what each process has read, as it said last.

use super::Reader;
use crate::error::StoreError;
use clickhouse::Row;
use serde::Deserialize;

/// The last word of a process.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Accounted {
    /// Its service.
    pub stage: String,
    /// When it started, and its number.
    pub process: String,
    /// Records read.
    pub read: u64,
    /// Of those, nothing (above 0) or two things (below 0).
    pub unaccounted: i64,
}

const LAST: &str = "SELECT stage, process, argMax(read, at) AS read, argMax(unaccounted, at) AS unaccounted \
    FROM conservation WHERE at > now() - 3600 GROUP BY stage, process ORDER BY stage, process";

impl Reader {
    /// Processes that said something in the last hour.
    pub async fn accounted(&self) -> Result<Vec<Accounted>, StoreError> {
        Ok(self.client().query_raw(LAST).fetch_all().await?)
    }
}
