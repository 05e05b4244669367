//! Rows of `reports`: what `archive` writes.

use super::{Areas, day, observation::position, sealed};
use crate::native::{BOOL, Declared, Encoder, Kind, MILLIS, NULLABLE_F32, NULLABLE_F64, U32, U64, UUID};
use gridwarden_domain::{
    class::ClassKind,
    identity::RecordId,
    report::{Channel, Report},
};

/// A report with its identity and its places.
pub struct ReportRow<'a> {
    /// Where the record stands.
    pub record: RecordId,
    /// Append time, epoch milliseconds. All rows of a block must share its UTC day (`STO-3`).
    pub appended_ms: i64,
    /// Feed, empty for live ones.
    pub feed: &'a str,
    /// What was said; its position is WGS-84.
    pub report: &'a Report,
    /// Areas that contain it, every layer and level, leaf first.
    pub areas: Areas<'a>,
    /// Whether it came later than `max_age`.
    pub late: bool,
    /// Whether it was made up by `simulate`.
    pub simulated: bool,
}

/// Table `reports_rows`.
pub struct Reports;

impl sealed::Table for Reports {
    type Row<'a> = ReportRow<'a>;
    const NAME: &'static str = "reports_rows";
    const COLUMNS: &'static [Declared] = &[
        ("topic_id", UUID),
        ("partition", U32),
        ("offset", U64),
        ("appended_at", MILLIS),
        ("time", MILLIS),
        ("feed", Kind::Low),
        ("id", Kind::Text),
        ("channel", Kind::Low),
        ("class_catalogue", Kind::Low),
        ("class_kind", Kind::Low),
        ("class_code", Kind::Low),
        ("lon", NULLABLE_F64),
        ("lat", NULLABLE_F64),
        ("accuracy_m", NULLABLE_F32),
        ("area_layers", Kind::Lows),
        ("area_codes", Kind::Texts),
        ("description", Kind::Text),
        ("attributes", Kind::LowMap),
        ("component_id", Kind::Text),
        ("media", Kind::Texts),
        ("reporter_ref", Kind::Text),
        ("external_id", Kind::Text),
        ("video", Kind::Text),
        ("late", BOOL),
        ("simulated", BOOL),
    ];

    fn partition(row: &ReportRow<'_>) -> i64 {
        day(row.appended_ms)
    }

    fn encode(row: &ReportRow<'_>, out: &mut Encoder<'_>) {
        let said = row.report;
        out.record(row.record);
        out.i64(row.appended_ms);
        out.i64(said.time);
        out.str(row.feed);
        out.str(&said.id);
        out.str(channel_name(said.channel));
        out.str(&said.class.catalogue);
        out.str(class_kind_name(said.class.kind));
        out.str(&said.class.code);
        position(out, said.position);
        out.areas(row.areas);
        out.str(&said.description);
        out.map(said.attributes.iter().map(|(name, text)| (name.as_ref(), text.as_bytes())));
        out.str(said.component_id.as_deref().unwrap_or(""));
        out.strs(said.media.iter().map(String::as_str));
        out.str(said.reporter_ref.as_deref().unwrap_or(""));
        out.str(said.external_id.as_deref().unwrap_or(""));
        // Serialising numbers and strings does not fail; an empty text would mean "not from a camera".
        let video = said.video.as_ref().map(serde_json::to_string);
        out.str(video.and_then(Result::ok).as_deref().unwrap_or(""));
        out.bool(row.late);
        out.bool(row.simulated);
    }
}

fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Officer => "officer",
        Channel::Hotline => "hotline",
        Channel::Citizen => "citizen",
        Channel::Video => "video",
        Channel::Patrol => "patrol",
        Channel::Sensor => "sensor",
    }
}

fn class_kind_name(kind: ClassKind) -> &'static str {
    match kind {
        ClassKind::Component => "component",
        ClassKind::Event => "event",
    }
}
