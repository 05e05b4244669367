//! The entities' book: who is where, each with a small number that stays the same while this process lives. Pure.

use gridwarden_store::read::EntityPlace;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;

/// An entity as last seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its number.
    pub id: u32,
    /// Entity id.
    pub source: String,
    /// Kind.
    pub kind: String,
    /// Longitude.
    pub lon: f64,
    /// Latitude.
    pub lat: f64,
    /// Event time, epoch ms.
    pub time: i64,
}

/// An entity seen for the first time.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Fresh {
    /// Its number.
    pub id: u32,
    /// Entity id.
    pub source: String,
    /// Kind.
    pub kind: String,
    /// Longitude.
    pub lon: f64,
    /// Latitude.
    pub lat: f64,
    /// Event time, epoch ms.
    pub time: i64,
}

/// What changed: the live stream's event `entities`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Moves {
    /// Numbers are of this process.
    pub epoch: String,
    /// Entities that spoke.
    pub ids: Vec<u32>,
    /// Where they are now.
    pub lon: Vec<f64>,
    /// Where they are now.
    pub lat: Vec<f64>,
    /// Event times.
    pub time: Vec<i64>,
    /// Entities seen for the first time.
    pub fresh: Vec<Fresh>,
}

impl Moves {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.fresh.is_empty()
    }
}

/// The book.
#[derive(Default)]
pub struct Book {
    epoch: String,
    entities: Vec<Seen>,
    by_source: HashMap<String, u32>,
    kinds: BTreeMap<String, u64>,
    newest_appended: i64,
    begun: bool,
}

impl Book {
    /// An empty book of this process.
    pub fn new(epoch: String) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// Of which process its numbers are.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Every entity, in the order of numbers.
    pub fn entities(&self) -> &[Seen] {
        &self.entities
    }

    /// Whether anything was ever taken in, be it an empty city.
    pub fn is_begun(&self) -> bool {
        self.begun
    }

    /// Entities per kind, by kind.
    pub fn kinds(&self) -> &BTreeMap<String, u64> {
        &self.kinds
    }

    /// Highest append time taken in, epoch ms.
    pub fn newest_appended(&self) -> i64 {
        self.newest_appended
    }

    /// Takes places in and tells what changed. `fixed` gives the registered position of an entity that sent none; an entity
    /// without any position is not in the book. An older event never replaces a newer one.
    pub fn take(&mut self, places: Vec<EntityPlace>, fixed: impl Fn(&str) -> Option<[f64; 2]>) -> Moves {
        let mut moves = Moves { epoch: self.epoch.clone(), ..Moves::default() };
        self.begun = true;
        for place in places {
            self.newest_appended = self.newest_appended.max(place.appended_ms);
            let own = place.lon.zip(place.lat).map(|(lon, lat)| [lon, lat]);
            let Some([lon, lat]) = own.or_else(|| fixed(&place.source)) else { continue };
            match self.by_source.get(&place.source).and_then(|id| self.entities.get_mut(*id as usize)) {
                Some(seen) => {
                    if place.time_ms > seen.time {
                        (seen.lon, seen.lat, seen.time) = (lon, lat, place.time_ms);
                        moves.ids.push(seen.id);
                        moves.lon.push(lon);
                        moves.lat.push(lat);
                        moves.time.push(place.time_ms);
                    }
                }
                None => moves.fresh.push(self.add(place, lon, lat)),
            }
        }
        moves
    }

    fn add(&mut self, place: EntityPlace, lon: f64, lat: f64) -> Fresh {
        let id = u32::try_from(self.entities.len()).unwrap_or(u32::MAX);
        let EntityPlace { source, kind, time_ms: time, .. } = place;
        *self.kinds.entry(kind.clone()).or_default() += 1;
        self.by_source.insert(source.clone(), id);
        self.entities.push(Seen { id, source: source.clone(), kind: kind.clone(), lon, lat, time });
        Fresh { id, source, kind, lon, lat, time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(source: &str, time_ms: i64, at: Option<f64>) -> EntityPlace {
        EntityPlace {
            source: source.into(),
            kind: "vehicle".into(),
            time_ms,
            appended_ms: time_ms + 5,
            lon: at,
            lat: at,
        }
    }

    #[test]
    fn first_seen_then_moved_then_silent() {
        let mut book = Book::new("e".into());
        assert!(!book.is_begun());
        let moves = book.take(vec![place("a", 10, Some(1.0)), place("b", 10, None)], |_| None);
        assert_eq!((moves.fresh.len(), moves.ids.len()), (1, 0));
        let moves = book.take(vec![place("a", 20, Some(2.0)), place("b", 20, None)], |_| Some([9.0, 9.0]));
        assert_eq!(moves.ids, [0]);
        assert_eq!((moves.fresh[0].source.as_str(), moves.fresh[0].lon), ("b", 9.0));
        assert!(book.take(vec![place("a", 20, Some(2.0))], |_| None).is_empty());
        assert_eq!(book.kinds().get("vehicle"), Some(&2));
        assert_eq!(book.newest_appended(), 25);
    }

    #[test]
    fn an_older_event_moves_nobody() {
        let mut book = Book::new("e".into());
        book.take(vec![place("a", 20, Some(2.0))], |_| None);
        assert!(book.take(vec![place("a", 10, Some(1.0))], |_| None).is_empty());
        assert_eq!(book.entities()[0].lon, 2.0);
    }
}
