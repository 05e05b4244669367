//! The files of `infra/schema/clickhouse`, in order. A test compares this table with the folder.

use super::Migration;

macro_rules! migration {
    ($number:literal, $name:literal, $file:literal) => {
        Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../../../../infra/schema/clickhouse/", $file)),
        }
    };
}

pub(super) const FILES: &[Migration] = &[
    migration!(1, "observations", "0001_observations.sql"),
    migration!(2, "reports", "0002_reports.sql"),
    migration!(3, "area_metrics", "0003_area_metrics.sql"),
    migration!(4, "entity_latest", "0004_entity_latest.sql"),
    migration!(5, "alerts", "0005_alerts.sql"),
    migration!(6, "rejects", "0006_rejects.sql"),
    migration!(7, "archived_offsets", "0007_archived_offsets.sql"),
    migration!(8, "markers", "0008_markers.sql"),
    migration!(9, "archive_gaps", "0009_archive_gaps.sql"),
    migration!(10, "archived_records", "0010_archived_records.sql"),
    migration!(11, "rollups", "0011_rollups.sql"),
    migration!(12, "conservation", "0012_conservation.sql"),
    migration!(13, "replays", "0013_replays.sql"),
    migration!(14, "sketches", "0014_sketches.sql"),
    migration!(15, "sliding_windows", "0015_sliding_windows.sql"),
    migration!(16, "archived_log", "0016_archived_log.sql"),
    migration!(17, "alert_evidence", "0017_alert_evidence.sql"),
    migration!(18, "storms", "0018_storms.sql"),
    migration!(19, "area_windows", "0019_area_windows.sql"),
];
