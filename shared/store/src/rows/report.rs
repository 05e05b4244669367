//! Rows of `reports`: what `archive` writes.

use super::{Areas, day, observation::position, sealed};
use crate::encode::Encoder;
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
}

/// Table `reports_rows`.
pub struct Reports;

impl sealed::Table for Reports {
    type Row<'a> = ReportRow<'a>;
    const NAME: &'static str = "reports_rows";
    const COLUMNS: &'static str = "topic_id, partition, offset, appended_at, time, feed, id, channel, class_catalogue, \
        class_kind, class_code, lon, lat, accuracy_m, area_layers, area_codes, description, attributes, component_id, \
        media, reporter_ref, external_id, video, late";

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
        out.array(said.attributes.iter(), |e, (name, text)| {
            e.str(name);
            e.str(text);
        });
        out.str(said.component_id.as_deref().unwrap_or(""));
        out.array(said.media.iter(), |e, hash| e.str(hash));
        out.str(said.reporter_ref.as_deref().unwrap_or(""));
        out.str(said.external_id.as_deref().unwrap_or(""));
        // Serialising numbers and strings does not fail; an empty text would mean "not from a camera".
        let video = said.video.as_ref().map(serde_json::to_string);
        out.str(video.and_then(Result::ok).as_deref().unwrap_or(""));
        out.bool(row.late);
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
