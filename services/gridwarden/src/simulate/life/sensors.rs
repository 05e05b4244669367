//! Fixed sensors: air, noise, water, bins. A base of their own, the rhythm of the day, drift, and what goes wrong near them.

use super::incidents::Incidents;
use super::{Point, rhythm};
use gridwarden_domain::entity::Entity;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// What a sensor measures.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Air,
    Noise,
    Water,
    Bin,
}

impl Kind {
    fn parse(kind: &str) -> Option<Self> {
        Some(match kind {
            "air" => Self::Air,
            "noise" => Self::Noise,
            "water" => Self::Water,
            "bin" => Self::Bin,
            _ => return None,
        })
    }
}

/// A fixed sensor.
pub(super) struct Sensor {
    pub(super) kind: Kind,
    pub(super) place: Point,
    base: f64,
    drift: f64,
    fill_pct: f64,
    fill_per_h: f64,
    last_ms: i64,
}

impl Sensor {
    /// `None` for kinds that are not fixed sensors, or without a registered position.
    pub(super) fn new(entity: &Entity, rng: &mut ChaCha8Rng) -> Option<Self> {
        let kind = Kind::parse(&entity.kind)?;
        let position = entity.position?;
        let base = match kind {
            Kind::Air => rng.random_range(18.0..55.0),
            Kind::Noise => rng.random_range(44.0..58.0),
            Kind::Water => rng.random_range(0.6..1.6),
            Kind::Bin => 0.0,
        };
        Some(Self {
            kind,
            place: [position.lon, position.lat],
            base,
            drift: 0.0,
            fill_pct: rng.random_range(5.0..75.0),
            fill_per_h: rng.random_range(1.5..9.0),
            last_ms: 0,
        })
    }

    /// What it measures at `at`.
    pub(super) fn measure(
        &mut self,
        at: i64,
        local_ms: i64,
        incidents: &Incidents,
        rng: &mut ChaCha8Rng,
        values: &mut BTreeMap<String, f64>,
    ) {
        self.drift = self.drift * 0.95 + rng.random_range(-1.0..1.0);
        let extra = incidents.at(self.kind, self.place, at);
        let mut say = |name: &str, value: f64| {
            values.insert(name.to_owned(), (value * 100.0).round() / 100.0);
        };
        match self.kind {
            Kind::Air => {
                let pm25 = (self.base * (0.7 + 0.3 * rhythm::of_traffic(local_ms)) + self.drift + extra).max(1.0);
                say("pm25", pm25);
                say("pm10", pm25 * 1.6 + rng.random_range(0.0..6.0));
                say("no2", 15.0 + 25.0 * rhythm::of_traffic(local_ms) + self.drift.abs());
                say("temp_c", 18.0 + 6.0 * rhythm::of_heat(local_ms) + self.drift * 0.2);
            }
            Kind::Noise => {
                say("laeq_db", self.base + 6.0 * rhythm::of_traffic(local_ms) + self.drift + extra);
            }
            Kind::Water => {
                say("level_m", (self.base + self.drift * 0.02 + extra).max(0.0));
                say("turbidity_ntu", 4.0 + self.drift.abs() + extra * 20.0);
            }
            Kind::Bin => {
                let hours = if self.last_ms == 0 { 0.0 } else { (at - self.last_ms).max(0) as f64 / 3_600_000.0 };
                self.fill_pct += hours * self.fill_per_h * rhythm::of_people(local_ms);
                // Collected at night, or when it has been full for a while.
                let collected = self.fill_pct > 88.0 && rng.random_range(0.0..1.0) < 0.2;
                if collected {
                    self.fill_pct = rng.random_range(0.0..4.0);
                }
                say("fill_pct", (self.fill_pct + extra).min(100.0));
                say("temp_c", 18.0 + 7.0 * rhythm::of_heat(local_ms));
            }
        }
        self.last_ms = at;
    }
}
