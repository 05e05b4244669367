//! Queries of the readers, typed. Views only (`STO-1`): they collapse what was written twice.
//!
//! One file per reader's subject; each adds methods to [`Reader`].

mod conservation;
mod console_alerts;
mod console_entities;
mod console_figures;
mod console_metrics;
mod console_reports;
mod console_sketches;
mod console_storms;
mod log;
mod offsets;
mod recount;
mod replays;

pub use conservation::Accounted;
pub use console_alerts::{AlertFilter, AlertState, OpenAlerts};
pub use console_entities::{EntityPlace, EntityState};
pub use console_figures::{FigureBounds, Figures, Newest, RejectCount, RejectFound};
pub use console_metrics::{AreaFold, MetricSeen, WindowPoint, WindowsOf};
pub use console_reports::{ReportFilter, ReportFound, ReportGroup};
pub use console_sketches::{EstimatePoint, SeriesOf};
pub use console_storms::StormFound;
pub use log::{
    LogChunk, LogChunks, LogObservation, LogPart, LogRecord, LogReport, LogSaid, LogSlice, Shelf, Stretch, Wanted,
};
pub use offsets::OffsetRange;
pub use recount::{Archived, Counted, LateMinute, Recomputed, Rows, SameId, WindowKey};
pub use replays::{Original, RejectFilter, Rejected};

use crate::config::ClickHouseConfig;
use crate::error::StoreError;
use clickhouse::Client;

/// Reads from ClickHouse. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Reader {
    client: Client,
    spare: log::Spare,
}

impl Reader {
    /// A reader of the configured database. Connects with the first query.
    pub fn new(config: &ClickHouseConfig) -> Self {
        Self { client: config.client(), spare: log::Spare::default() }
    }

    /// Whether ClickHouse answers at all; costs it nothing.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.client.query_raw("SELECT 1").fetch_one::<u8>().await?;
        Ok(())
    }

    /// Memory to read slices of the log into.
    fn spare(&self) -> &log::Spare {
        &self.spare
    }

    /// For the files of this module.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// `STO-1`.
    #[test]
    fn no_query_of_a_reader_names_a_table_of_rows() {
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/read")];
        let mut looked_at = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                let names_rows =
                    code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("_rows"));
                assert!(!names_rows, "{} reads a table instead of its view", path.display());
                looked_at += 1;
            }
        }
        assert!(looked_at >= 5, "no file looked at");
    }
}
