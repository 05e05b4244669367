//! The life of a simulated city: what its sensors would measure, where its vehicles and officers would be, what would go wrong.
//!
//! Pure: a seed, a city and the moment in, observations and reports out. Knows no Kafka and no clock.
//!
//! * `LIF-1` the same seed, city and sequence of moments give the same messages.
//! * `LIF-2` a mover's next position lies on the street it was on, or on one that starts where that one ended.
//! * `LIF-3` every message says that it is simulated.

mod incidents;
mod movers;
mod rhythm;
mod sensors;
mod streets;

pub(crate) use streets::Streets;

use gridwarden_domain::class::{ClassKind, ClassRef};
use gridwarden_domain::entity::Entity;
use gridwarden_domain::observation::Observation;
use gridwarden_domain::report::Report;
use incidents::{Incidents, Sight};
use movers::Mover;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sensors::Sensor;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// A point in degrees, [lon, lat].
pub(crate) type Point = [f64; 2];

/// What a life needs of its city.
pub(crate) struct Stage {
    /// Everything that speaks.
    pub(crate) entities: Vec<Entity>,
    /// Where movers move.
    pub(crate) streets: Streets,
    /// What can be reported.
    pub(crate) classes: Vec<ClassRef>,
    /// Offset of local time from UTC in milliseconds.
    pub(crate) utc_offset_ms: i64,
}

/// How lively it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tempo {
    /// Observations a second over all entities.
    pub(crate) observations_per_s: f64,
    /// Mean time between incidents, in seconds.
    pub(crate) incident_every_s: f64,
    /// Mean time between ordinary reports by day, in seconds.
    pub(crate) report_every_s: f64,
}

/// What every message carries, so that whoever finds it in an archive or an export knows.
fn simulated() -> BTreeMap<String, String> {
    BTreeMap::from([("simulated".to_owned(), "true".to_owned())])
}

/// A message the city sends.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    /// From a sensor, a vehicle or an officer.
    Observation(Observation),
    /// From a person.
    Report(Box<Report>),
}

enum Body {
    Sensor(Sensor),
    Mover(Mover),
}

struct Voice {
    id: String,
    kind: String,
    body: Body,
    every_ms: f64,
}

/// A running city.
pub(crate) struct Life {
    voices: Vec<Voice>,
    due: BinaryHeap<Reverse<(i64, usize)>>,
    streets: Streets,
    classes: Vec<ClassRef>,
    incidents: Incidents,
    tempo: Tempo,
    next_report_ms: i64,
    reports: u64,
    born_ms: i64,
    utc_offset_ms: i64,
    rng: ChaCha8Rng,
}

/// A mover speaks this many times as often as a sensor.
const MOVER_SHARE: f64 = 5.0;

impl Life {
    /// A city that begins to live at `now_ms`. Entities of unknown kinds stay silent.
    pub(crate) fn new(stage: Stage, tempo: Tempo, seed: u64, now_ms: i64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let Stage { entities, streets, classes, utc_offset_ms } = stage;
        let mut voices: Vec<Voice> =
            entities.into_iter().filter_map(|entity| voice(entity, &streets, &mut rng, now_ms)).collect();
        let shares: f64 = voices.iter().map(share).sum();
        for voice in &mut voices {
            let per_s = tempo.observations_per_s * share(voice) / shares.max(1.0);
            voice.every_ms = 1000.0 / per_s.max(1e-6);
        }
        let due = (0..voices.len()).map(|i| Reverse((now_ms + first_delay(&voices, i, &mut rng), i))).collect();
        let incidents = Incidents::new(tempo.incident_every_s, now_ms);
        let next_report_ms = now_ms + 2_000;
        Self {
            voices,
            due,
            streets,
            classes,
            incidents,
            tempo,
            next_report_ms,
            reports: 0,
            born_ms: now_ms,
            utc_offset_ms,
            rng,
        }
    }

    /// Number of entities that speak.
    pub(crate) fn voices(&self) -> usize {
        self.voices.len()
    }

    /// Everything that is said up to `now_ms`, each message stamped with its own moment.
    pub(crate) fn until(&mut self, now_ms: i64, mut say: impl FnMut(Message)) {
        let local_ms = now_ms + self.utc_offset_ms;
        let sites = &self.voices;
        self.incidents.advance(now_ms, &mut self.rng, |rng| pick_site(sites, rng));
        while let Some(&Reverse((at, index))) = self.due.peek() {
            if at > now_ms {
                break;
            }
            self.due.pop();
            if let Some(voice) = self.voices.get_mut(index) {
                say(Message::Observation(speak(voice, at, local_ms, &self.streets, &self.incidents, &mut self.rng)));
                let wait = (voice.every_ms * self.rng.random_range(0.9..1.1)).max(1.0);
                // A city that was held up does not shout everything it missed: it goes on from now.
                let next = (at + wait as i64).max(now_ms - 2_000);
                self.due.push(Reverse((next, index)));
            }
        }
        self.say_reports(now_ms, local_ms, &mut say);
    }

    fn say_reports(&mut self, now_ms: i64, local_ms: i64, say: &mut impl FnMut(Message)) {
        while let Some((at, place, sight)) = self.incidents.next_witness(now_ms) {
            let report = self.report(at, place, Some(sight));
            say(Message::Report(Box::new(report)));
        }
        while self.next_report_ms <= now_ms {
            let at = self.next_report_ms;
            if let Some(place) = self.somewhere() {
                let report = self.report(at, place, None);
                say(Message::Report(Box::new(report)));
            }
            let lively = rhythm::of_people(local_ms).max(0.1);
            let wait = self.tempo.report_every_s * 1000.0 / lively * self.rng.random_range(0.3..1.7);
            self.next_report_ms = (at + wait.max(1.0) as i64).max(now_ms - 10_000);
        }
    }

    /// On a street; where there are none, at a sensor.
    fn somewhere(&mut self) -> Option<Point> {
        let street = self.streets.somewhere(&mut self.rng);
        street.or_else(|| pick_site(&self.voices, &mut self.rng).map(|(place, _)| place))
    }

    fn report(&mut self, at: i64, place: Point, witness: Option<Sight>) -> Report {
        self.reports += 1;
        let class = self.class(witness);
        // Unique over runs as well.
        let id = format!("sim-{}-{}", self.born_ms, self.reports);
        incidents::report(id, at, place, class, witness, &mut self.rng)
    }

    /// The class of what was seen, if the catalogue has it; any class otherwise.
    fn class(&mut self, witness: Option<Sight>) -> ClassRef {
        let seen = witness.and_then(|sight| self.classes.iter().find(|class| class.code == sight.code));
        let any = || match self.classes.len() {
            0 => None,
            n => self.classes.get(self.rng.random_range(0..n)),
        };
        seen.or_else(any).cloned().unwrap_or_else(|| ClassRef {
            catalogue: "simulated".to_owned(),
            kind: ClassKind::Event,
            code: "0000".to_owned(),
        })
    }
}

fn voice(entity: Entity, streets: &Streets, rng: &mut ChaCha8Rng, now_ms: i64) -> Option<Voice> {
    let body = if let Some(sensor) = Sensor::new(&entity, rng) {
        Body::Sensor(sensor)
    } else {
        Body::Mover(Mover::new(&entity.kind, streets, rng, now_ms)?)
    };
    Some(Voice { id: entity.id, kind: entity.kind, body, every_ms: 1000.0 })
}

fn share(voice: &Voice) -> f64 {
    match voice.body {
        Body::Sensor(_) => 1.0,
        Body::Mover(_) => MOVER_SHARE,
    }
}

fn first_delay(voices: &[Voice], index: usize, rng: &mut ChaCha8Rng) -> i64 {
    let every = voices.get(index).map_or(1000.0, |voice| voice.every_ms);
    (every * rng.random_range(0.0..1.0)) as i64
}

/// A random fixed sensor: incidents happen where somebody measures, or nobody would ever see them.
fn pick_site(voices: &[Voice], rng: &mut ChaCha8Rng) -> Option<(Point, sensors::Kind)> {
    for _ in 0..64 {
        let index = rng.random_range(0..voices.len().max(1));
        if let Some(Voice { body: Body::Sensor(sensor), .. }) = voices.get(index) {
            return Some((sensor.place, sensor.kind));
        }
    }
    None
}

fn speak(
    voice: &mut Voice,
    at: i64,
    local_ms: i64,
    streets: &Streets,
    incidents: &Incidents,
    rng: &mut ChaCha8Rng,
) -> Observation {
    let mut values = BTreeMap::new();
    let position = match &mut voice.body {
        Body::Sensor(sensor) => {
            sensor.measure(at, local_ms, incidents, rng, &mut values);
            None
        }
        Body::Mover(mover) => Some(mover.go_on(at, local_ms, streets, rng, &mut values)),
    };
    Observation {
        id: None,
        source: voice.id.clone(),
        kind: voice.kind.clone(),
        time: at,
        position,
        crs: None,
        values,
        attributes: simulated(),
    }
}

#[cfg(test)]
mod tests;
