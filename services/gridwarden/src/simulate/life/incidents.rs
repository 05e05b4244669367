//! Incidents: something goes wrong somewhere for a while, sensors near it notice, people near it report it.

use super::Point;
use super::sensors::Kind;
use super::streets::{METRES_PER_DEGREE, metres};
use gridwarden_domain::class::ClassRef;
use gridwarden_domain::observation::Position;
use gridwarden_domain::report::{Channel, Report};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One incident.
struct Incident {
    kind: Kind,
    place: Point,
    radius_m: f64,
    strength: f64,
    start_ms: i64,
    end_ms: i64,
    witnesses: Vec<(i64, Point)>,
}

/// How long an incident takes to reach its strength, and to fade.
const RAMP_MS: f64 = 15_000.0;

impl Incident {
    fn new(kind: Kind, place: Point, at: i64, rng: &mut ChaCha8Rng) -> Self {
        let (radius_m, strength) = match kind {
            Kind::Air => (1_200.0, rng.random_range(180.0..320.0)),
            Kind::Noise => (500.0, rng.random_range(28.0..42.0)),
            Kind::Water => (900.0, rng.random_range(1.8..3.0)),
            Kind::Bin => (250.0, 100.0),
        };
        let end_ms = at + rng.random_range(120_000..420_000);
        let witnesses = (0..rng.random_range(1..4))
            .map(|_| {
                let off = |rng: &mut ChaCha8Rng| rng.random_range(-0.5..0.5) * radius_m / METRES_PER_DEGREE;
                let seen_at = at + rng.random_range(10_000..90_000);
                (seen_at, [place[0] + off(rng), place[1] + off(rng)])
            })
            .collect();
        Self { kind, place, radius_m, strength, start_ms: at, end_ms, witnesses }
    }

    /// What it adds to a measurement at `place`.
    fn adds(&self, place: Point, at: i64) -> f64 {
        if at < self.start_ms || at > self.end_ms {
            return 0.0;
        }
        let near = 1.0 - metres(self.place, place) / self.radius_m;
        if near <= 0.0 {
            return 0.0;
        }
        let rise = ((at - self.start_ms) as f64 / RAMP_MS).min(1.0);
        let fall = ((self.end_ms - at) as f64 / RAMP_MS).min(1.0);
        self.strength * near.sqrt() * rise * fall
    }

    fn sight(&self) -> Sight {
        let (words, code) = match self.kind {
            Kind::Air => ("smoke and a burning smell (simulated)", "0110"),
            Kind::Noise => ("very loud machines (simulated)", "0301"),
            Kind::Water => ("water on the street (simulated)", "0401"),
            Kind::Bin => ("bins overflowing (simulated)", "0106"),
        };
        Sight { words, code }
    }
}

/// What a witness saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sight {
    /// In words.
    pub(super) words: &'static str,
    /// Its class in the catalogue of made-up cities.
    pub(super) code: &'static str,
}

/// All incidents under way.
pub(super) struct Incidents {
    under_way: Vec<Incident>,
    every_s: f64,
    next_ms: i64,
}

/// The first incident comes soon, so that a visitor sees one.
const FIRST_AFTER_MS: i64 = 5_000;

impl Incidents {
    pub(super) fn new(every_s: f64, now_ms: i64) -> Self {
        Self { under_way: Vec::new(), every_s, next_ms: now_ms + FIRST_AFTER_MS }
    }

    /// Ends what is over and begins what is due.
    pub(super) fn advance(
        &mut self,
        now_ms: i64,
        rng: &mut ChaCha8Rng,
        mut site: impl FnMut(&mut ChaCha8Rng) -> Option<(Point, Kind)>,
    ) {
        self.under_way.retain(|incident| incident.end_ms >= now_ms || !incident.witnesses.is_empty());
        while self.next_ms <= now_ms {
            if let Some((place, kind)) = site(rng) {
                self.under_way.push(Incident::new(kind, place, self.next_ms, rng));
            }
            let wait = self.every_s * 1000.0 * rng.random_range(0.4..1.6);
            self.next_ms = (self.next_ms + wait.max(1.0) as i64).max(now_ms - 60_000);
        }
    }

    /// What incidents add to a measurement of this kind at `place`.
    pub(super) fn at(&self, kind: Kind, place: Point, at: i64) -> f64 {
        self.under_way.iter().filter(|incident| incident.kind == kind).map(|incident| incident.adds(place, at)).sum()
    }

    /// The next witness whose moment has come: when, where and what they saw.
    pub(super) fn next_witness(&mut self, now_ms: i64) -> Option<(i64, Point, Sight)> {
        for incident in &mut self.under_way {
            if let Some(index) = incident.witnesses.iter().position(|(at, _)| *at <= now_ms) {
                let (at, place) = incident.witnesses.swap_remove(index);
                return Some((at, place, incident.sight()));
            }
        }
        None
    }
}

/// A report as a person or a camera would make it.
pub(super) fn report(
    id: String,
    at: i64,
    place: Point,
    class: ClassRef,
    witness: Option<Sight>,
    rng: &mut ChaCha8Rng,
) -> Report {
    let channel = match rng.random_range(0..10) {
        0..=4 => Channel::Officer,
        5..=6 => Channel::Hotline,
        7..=8 => Channel::Citizen,
        _ => Channel::Patrol,
    };
    let accuracy_m = Some((rng.random_range(3.0_f32..25.0) * 10.0).round() / 10.0);
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    Report {
        id,
        channel,
        class,
        time: at,
        position: Some(Position { lon: round(place[0]), lat: round(place[1]), accuracy_m }),
        crs: None,
        area: None,
        description: witness.map_or("seen on a round (simulated)", |sight| sight.words).to_owned(),
        attributes: super::simulated(),
        component_id: None,
        media: Vec::new(),
        reporter_ref: None,
        external_id: None,
        video: None,
    }
}
