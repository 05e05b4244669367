//! Rows as they are written, one type per table. Text is borrowed: a row is encoded at once and never kept.
//!
//! A table's columns are listed in the order its `encode` writes them; a test against the engine inserts and reads each.

#![allow(private_interfaces, reason = "`Table` is sealed: its encoder cannot be named outside")]

mod alert;
mod counts;
mod gap;
mod metric;
mod observation;
mod recompute;
mod replay;
mod report;
mod sketch;
mod storm;

pub use alert::{AlertRow, Alerts, Deliveries, DeliveryRow, DeliveryState};
pub use counts::{ArchiveCounts, CountsRow, StreamCounts};
pub use gap::{GapKind, GapRow, Gaps};
pub use metric::{AreaMetricRow, AreaMetrics, EntityLatest, EntityLatestRow, entity_version, metric_version};
pub use observation::{MarkerRow, Markers, ObservationRow, Observations, RejectRow, Rejects, Said};
pub use recompute::{RecomputeRow, Recomputes};
pub use replay::{ReplayRow, Replays};
pub use report::{ReportRow, Reports};
pub use sketch::{AreaSketchRow, AreaSketches};
pub use storm::{StormRow, Storms};

use crate::native::{Declared, Encoder};

/// A table that is written. Sealed: the tables are those of `infra/schema/clickhouse`.
pub trait Table: sealed::Table {}

impl<T: sealed::Table> Table for T {}

/// The UTC day of an append time: what archive tables are partitioned by.
fn day(appended_ms: i64) -> i64 {
    appended_ms.div_euclid(86_400_000)
}

/// Areas of a row: (layer id, area code), leaf first.
pub type Areas<'a> = &'a [(&'a str, &'a str)];

pub(crate) mod sealed {
    use super::{Declared, Encoder};

    pub trait Table: Send + Sync + 'static {
        type Row<'a>;
        const NAME: &'static str;
        const COLUMNS: &'static [Declared];
        /// `STO-3`: rows of one block share this; tables that need not be one part leave it alone.
        fn partition(_row: &Self::Row<'_>) -> i64 {
            0
        }
        fn encode(row: &Self::Row<'_>, out: &mut Encoder<'_>);
    }
}
