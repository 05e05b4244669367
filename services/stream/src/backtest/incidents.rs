//! What truly happened, as people know it: which of it rules would have told of. Pure.

use super::tally::Episode;
use gridwarden_domain::{
    alert::{AreaRef, Subject},
    rule::MAX_RADIUS_M,
    time::rfc3339,
};
use gridwarden_geo::{distance_m, is_in_degrees};
use serde::{Deserialize, Serialize};

/// Something that happened. As written: `{"id","from","to"}` with `source`, `area` `{"layer","code"}` or `position` and `radius_m`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
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

/// An incident as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    from: Moment,
    to: Moment,
    source: Option<String>,
    area: Option<AreaRef>,
    /// [lon, lat].
    position: Option<[f64; 2]>,
    radius_m: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Ms(i64),
    Text(String),
}

impl Moment {
    fn ms(&self, field: &str) -> Result<i64, String> {
        match self {
            Self::Ms(ms) => Ok(*ms),
            Self::Text(text) => rfc3339(text)
                .ok_or_else(|| format!("{field}: {text} is neither an RFC 3339 time nor epoch milliseconds")),
        }
    }
}

impl TryFrom<Written> for Incident {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let (from_ms, to_ms) = (written.from.ms("from")?, written.to.ms("to")?);
        if from_ms > to_ms {
            return Err("to: lies before from".to_owned());
        }
        let mut signs: Vec<Sign> = written.source.into_iter().map(Sign::Source).collect();
        signs.extend(written.area.map(Sign::Area));
        match (written.position, written.radius_m) {
            (Some(place), Some(metres)) => signs.push(near(place, metres)?),
            (None, None) => {}
            _ => return Err("position and radius_m belong together".to_owned()),
        }
        if signs.is_empty() {
            return Err("names neither source, area nor position; no alert can be known to be of it".to_owned());
        }
        Ok(Self { id: written.id, from_ms, to_ms, signs })
    }
}

fn near(place: [f64; 2], metres: f64) -> Result<Sign, String> {
    if !is_in_degrees(place) {
        let [lon, lat] = place;
        return Err(format!("position: {lon}, {lat} is not a position in degrees"));
    }
    if !(metres > 0.0 && metres <= MAX_RADIUS_M) {
        return Err(format!("radius_m: {metres} must be above 0 and at most {MAX_RADIUS_M} metres"));
    }
    Ok(Sign::Near(place, metres))
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
