//! What truly happened, as people know it: which of it rules would have told of. Pure.

use super::tally::Episode;
use gridwarden_domain::alert::{AreaRef, Subject};
use gridwarden_geo::distance_m;
use serde::Serialize;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its name for people.
    pub id: String,
    /// Event time of its begin, epoch ms.
    pub from_ms: i64,
    /// Event time of its end.
    pub to_ms: i64,
    /// Where or about whom; an alert that fits one of these tells of it.
    pub signs: Vec<Sign>,
}

/// By what an alert is known to be of an incident.
#[derive(Clone, Debug, PartialEq)]
pub enum Sign {
    /// It is about this entity.
    Source(String),
    /// It lies in this area, of any level.
    Area(AreaRef),
    /// It lies this near: `[lon, lat]`, metres.
    Near([f64; 2], f64),
}

/// How many incidents alerts tell of, and which make the difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// How many were given.
    pub given: u64,
    /// Told of by the set compared with.
    pub before: u64,
    /// Told of by the set tried.
    pub after: u64,
    /// Told of by the set compared with alone: they would be lost.
    pub lost: Vec<String>,
    /// Told of by the set tried alone.
    pub won: Vec<String>,
    /// Told of by neither.
    pub missed: Vec<String>,
}

impl Incident {
    fn is_told_by(&self, episode: &Episode) -> bool {
        let in_time = episode.raised_at <= self.to_ms && episode.cleared_at.is_none_or(|end| end >= self.from_ms);
        in_time && self.signs.iter().any(|sign| sign.fits(episode))
    }
}

impl Sign {
    fn fits(&self, episode: &Episode) -> bool {
        match self {
            Self::Source(source) => match &episode.subject {
                Subject::Entity(entity) => entity == source,
                Subject::Pair(pair) => pair.contains(source),
                Subject::Area(_) | Subject::Place(_) => false,
            },
            Self::Area(area) => episode.areas.contains(area),
            Self::Near(place, metres) => {
                episode.position.is_some_and(|at| distance_m(*place, [at.lon, at.lat]) <= *metres)
            }
        }
    }
}

/// Looks for alerts of incidents among those of both sets.
pub(super) fn told(incidents: &[Incident], (before, after): (&[&Episode], &[&Episode])) -> Told {
    let mut told = Told { given: incidents.len() as u64, ..Told::default() };
    for incident in incidents {
        let is_told = |episodes: &[&Episode]| episodes.iter().any(|episode| incident.is_told_by(episode));
        let (was, is) = (is_told(before), is_told(after));
        told.before += u64::from(was);
        told.after += u64::from(is);
        match (was, is) {
            (true, true) => {}
            (true, false) => told.lost.push(incident.id.clone()),
            (false, true) => told.won.push(incident.id.clone()),
            (false, false) => told.missed.push(incident.id.clone()),
        }
    }
    told
}
