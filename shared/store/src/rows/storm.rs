//! Rows of `storms`: what `dispatch` writes.

use super::{
    alert::{SEVERITY, severity},
    sealed,
};
use crate::native::{BOOL, Declared, Encoder, Kind, MILLIS, NULLABLE_MILLIS, U32, U64};
use gridwarden_domain::{rule::Severity, text::Text};

/// A storm as it stands.
#[derive(Clone, Copy, Debug)]
pub struct StormRow<'a> {
    /// A function of rule and first minute.
    pub id: &'a str,
    /// Rule id.
    pub rule: &'a str,
    /// Of the rule.
    pub severity: Severity,
    /// Of the rule.
    pub title: &'a Text,
    /// Raises that are told in a minute.
    pub per_minute: u32,
    /// Begin of the first minute beyond the limit, epoch ms.
    pub since_ms: i64,
    /// End of the last such minute, epoch ms; none while it goes on.
    pub until_ms: Option<i64>,
    /// Alerts that were not told.
    pub held_back: u64,
    /// Whether its rule's subjects are simulated.
    pub simulated: bool,
}

/// Table `storms_rows`.
pub struct Storms;

impl sealed::Table for Storms {
    type Row<'a> = StormRow<'a>;
    const NAME: &'static str = "storms_rows";
    const COLUMNS: &'static [Declared] = &[
        ("id", Kind::Text),
        ("rule", Kind::Low),
        ("severity", SEVERITY),
        ("title_en", Kind::Text),
        ("title_zh", Kind::Text),
        ("per_minute", U32),
        ("since", MILLIS),
        ("until", NULLABLE_MILLIS),
        ("held_back", U64),
        ("simulated", BOOL),
        ("version", U64),
    ];

    fn encode(row: &StormRow<'_>, out: &mut Encoder<'_>) {
        out.str(row.id);
        out.str(row.rule);
        out.u8(severity(row.severity));
        out.str(&row.title.en);
        out.str(&row.title.zh);
        out.u32(row.per_minute);
        out.i64(row.since_ms);
        out.nullable_i64(row.until_ms);
        out.u64(row.held_back);
        out.bool(row.simulated);
        out.u64(row.held_back * 2 + u64::from(row.until_ms.is_some()));
    }
}
