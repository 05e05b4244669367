//! What a survey found, in sentences: the largest places first, then how many more there are.

use super::Dated;
use crate::{city::LayerFile, layer::Warning, locate::Layer};
use gridwarden_geo::cover::{Gap, Outside, Overlap, Place};
use jiff::Timestamp;

/// Places told of each kind.
pub(super) const MOST_TOLD: usize = 20;
/// Neighbours of a gap that are named.
const MOST_NAMED: usize = 3;

pub(super) struct Teller<'a> {
    pub(super) file: &'a LayerFile,
    pub(super) layer: &'a Layer,
}

/// One sentence and how large what it tells of is.
struct Sentence {
    area_m2: f64,
    feature: String,
    detail: String,
}

impl Teller<'_> {
    pub(super) fn outside(&self, found: &[(Outside, u32)]) -> Vec<Warning> {
        let sentence = |(outside, above): &(Outside, u32)| Sentence {
            area_m2: outside.place.area_m2,
            feature: self.feature(outside.area),
            detail: format!(
                "{} of it lie outside of {}, the area above it, near {}",
                surface(outside.place.area_m2),
                self.code(*above),
                near(&outside.place)
            ),
        };
        self.largest("leave the area above", found.iter().map(sentence).collect())
    }

    /// The area that stands first among the leaves owns what it shares.
    pub(super) fn overlaps(&self, found: &[Dated<Overlap>]) -> Vec<Warning> {
        let sentence = |Dated { what, from_ms }: &Dated<Overlap>| {
            let [owner, other] = what.areas;
            Sentence {
                area_m2: what.place.area_m2,
                feature: self.feature(other),
                detail: format!(
                    "{} of it lie in {} too, near {}{}; {} owns them, for no priority says otherwise",
                    surface(what.place.area_m2),
                    self.code(owner),
                    near(&what.place),
                    since(*from_ms),
                    self.code(owner)
                ),
            }
        };
        self.largest("overlaps", found.iter().map(sentence).collect())
    }

    pub(super) fn gaps(&self, found: &[Dated<Gap>]) -> Vec<Warning> {
        let sentence = |Dated { what, from_ms }: &Dated<Gap>| Sentence {
            area_m2: what.place.area_m2,
            feature: String::new(),
            detail: format!(
                "{}{} lie in no area, near {}{}",
                surface(what.place.area_m2),
                self.beside(&what.beside),
                near(&what.place),
                since(*from_ms)
            ),
        };
        self.largest("gaps", found.iter().map(sentence).collect())
    }

    pub(super) fn unseen(&self, moments: usize) -> Warning {
        let detail =
            format!("gaps and overlaps were looked for at the latest boundaries only; {moments} earlier ones were not");
        self.warning(String::new(), detail)
    }

    fn largest(&self, kind: &str, mut sentences: Vec<Sentence>) -> Vec<Warning> {
        sentences.sort_by(|a, b| b.area_m2.total_cmp(&a.area_m2));
        let rest = sentences.split_off(sentences.len().min(MOST_TOLD));
        let mut told: Vec<Warning> =
            sentences.into_iter().map(|sentence| self.warning(sentence.feature, sentence.detail)).collect();
        if let Some(largest) = rest.first() {
            let detail = format!("{kind}: {} more, the largest of {}", rest.len(), surface(largest.area_m2));
            told.push(self.warning(String::new(), detail));
        }
        told
    }

    fn warning(&self, feature: String, detail: String) -> Warning {
        Warning { file: self.file.file.clone(), feature, field: "geometry".to_owned(), detail }
    }

    fn feature(&self, number: u32) -> String {
        format!("area {}", self.code(number))
    }

    fn code(&self, number: u32) -> &str {
        self.layer.areas.get(number as usize).map_or("", |area| area.code.as_str())
    }

    /// ` between 1, 2 and 3 more`.
    fn beside(&self, numbers: &[u32]) -> String {
        let named: Vec<&str> = numbers.iter().take(MOST_NAMED).map(|number| self.code(*number)).collect();
        let more = numbers.len().saturating_sub(MOST_NAMED);
        match named.as_slice() {
            [] => String::new(),
            [one] => format!(" beside {one}"),
            [first @ .., last] if more == 0 => format!(" between {} and {last}", first.join(", ")),
            all => format!(" between {} and {more} more", all.join(", ")),
        }
    }
}

fn surface(area_m2: f64) -> String {
    if area_m2 < 10.0 { format!("{area_m2:.1} m2") } else { format!("{area_m2:.0} m2") }
}

fn near(place: &Place) -> String {
    let [lon, lat] = place.at;
    format!("[{lon:.6}, {lat:.6}]")
}

/// `, from 2026-01-01T00:00:00Z on`; nothing for what was always so.
fn since(from_ms: i64) -> String {
    match Timestamp::from_millisecond(from_ms) {
        Ok(moment) => format!(", from {moment} on"),
        Err(_) => String::new(),
    }
}
