//! Reports: where they lie, by position or by the area they name, and what is counted of them.

use super::{FUTURE_MS, KEEP_MS, Kept, LATENESS_MS, MAX_AGE_MS, ONE, Part, Recount, position};
use crate::records::{Record, crc32};
use crate::town::Town;
use serde_json::Value;

/// What the archive says of a report, in ClickHouse's words.
pub(super) const ROW: &str = "CRC32(concat(id, '|', channel, '|', class_catalogue, '|', class_kind, '|', class_code, '|', \
    toString(toUnixTimestamp64Milli(time)), '|', ifNull(toString(lon), ''), '|', ifNull(toString(lat), ''), '|', description, \
    '|', attributes['by'], '|', toString(late), '|', arrayStringConcat(arraySort(arrayMap((layer, code) -> \
    concat(layer, '/', code), area_layers, area_codes)), ',')))";

/// A report as it was said.
struct Said {
    id: String,
    channel: String,
    /// Catalogue, kind, code.
    class: [String; 3],
    time: i64,
    position: Option<[f64; 2]>,
    area: Option<String>,
    description: String,
    by: String,
}

impl Recount {
    pub(super) fn report(&mut self, town: &Town, part: &mut Part, record: &Record) -> Kept {
        let said = record.value.as_deref().and_then(read).filter(|said| said.time <= record.appended + FUTURE_MS);
        let Some(said) = said else {
            self.rejected += 1;
            return Kept::Reject;
        };
        let mut areas = Vec::new();
        for layer in town.layers_at(record.appended) {
            match (said.position, &said.area) {
                (Some(position), _) => layer.find(position, &mut areas),
                (None, Some(named)) => layer.find_named(named, &mut areas),
                (None, None) => {}
            }
        }
        let late = said.time < record.appended - MAX_AGE_MS;
        let row = Kept::Row(self.report_row(&said, &areas, late));
        if late {
            self.late += 1;
            return row;
        }
        // Many more are remembered than lie between one and its repeat here.
        if !part.ids.insert(said.id) {
            self.duplicate += 1;
            return row;
        }
        self.accepted += 1;
        self.nowhere += u64::from(areas.is_empty());
        if said.time < part.clock - LATENESS_MS - KEEP_MS {
            self.too_late += 1;
            return row;
        }
        let [.., code] = &said.class;
        for metric in ["reports", &format!("reports.{code}")] {
            self.spread(metric, ONE, &areas, (said.time, record.partition, record.offset));
        }
        row
    }

    /// The checksum of what the archive should say of a report.
    fn report_row(&self, said: &Said, areas: &[u32], late: bool) -> u32 {
        let Said { id, channel, class, time, description, by, .. } = said;
        let place = said.position.map_or_else(|| "|".to_owned(), |[lon, lat]| format!("{lon}|{lat}"));
        let (class, places) = (class.join("|"), self.places(areas));
        crc32(format!("{id}|{channel}|{class}|{time}|{place}|{description}|{by}|{late}|{places}").as_bytes())
    }
}

/// What a report says; none when it is not as the contract wants it. Only what the load does wrong is looked at.
fn read(payload: &[u8]) -> Option<Said> {
    let document: Value = serde_json::from_slice(payload).ok()?;
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let one_of = |value: &Value, known: &[&str]| text(value).filter(|text| known.contains(&text.as_str()));
    let class = &document["class"];
    Some(Said {
        id: text(&document["id"])?,
        channel: one_of(&document["channel"], &["officer", "hotline", "citizen", "patrol"])?,
        class: [text(&class["catalogue"])?, one_of(&class["kind"], &["component", "event"])?, text(&class["code"])?],
        time: document["time"].as_i64()?,
        position: position(&document)?,
        area: text(&document["area"]),
        description: text(&document["description"]).unwrap_or_default(),
        by: text(&document["attributes"]["by"]).unwrap_or_default(),
    })
}
