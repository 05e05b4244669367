//! Vehicles and officers: along the streets, at a believable speed, with a believable GPS.

use super::rhythm;
use super::streets::{METRES_PER_DEGREE, Streets};
use gridwarden_domain::observation::Position;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Something that moves.
pub(super) struct Mover {
    segment: usize,
    done_m: f64,
    last_ms: i64,
    cruise_kmh: f64,
    pause_until_ms: i64,
    battery_pct: f64,
    on_foot: bool,
}

impl Mover {
    /// A mover somewhere on the streets; `None` for kinds that do not move, or where there are no streets.
    pub(super) fn new(kind: &str, streets: &Streets, rng: &mut ChaCha8Rng, now_ms: i64) -> Option<Self> {
        let on_foot = match kind {
            "officer" => true,
            "vehicle" => false,
            _ => return None,
        };
        let segment = streets.any(rng)?;
        let length = streets.segment(segment)?.metres;
        Some(Self {
            segment,
            done_m: rng.random_range(0.0..1.0) * length,
            last_ms: now_ms,
            cruise_kmh: if on_foot { rng.random_range(3.5..6.0) } else { rng.random_range(28.0..55.0) },
            pause_until_ms: 0,
            battery_pct: rng.random_range(35.0..100.0),
            on_foot,
        })
    }

    /// Moves on to `at` and says where it is.
    pub(super) fn go_on(
        &mut self,
        at: i64,
        local_ms: i64,
        streets: &Streets,
        rng: &mut ChaCha8Rng,
        values: &mut BTreeMap<String, f64>,
    ) -> Position {
        let seconds = ((at - self.last_ms).max(0) as f64 / 1000.0).min(300.0);
        self.last_ms = at;
        let paused = at < self.pause_until_ms;
        let speed_kmh = if paused { 0.0 } else { self.speed_kmh(local_ms, rng) };
        self.advance(speed_kmh / 3.6 * seconds, streets, rng);
        if !paused && rng.random_range(0.0..1.0) < 0.01 {
            self.pause_until_ms = at + rng.random_range(5_000..60_000);
        }
        values.insert("speed_kmh".to_owned(), (speed_kmh * 10.0).round() / 10.0);
        if self.on_foot {
            self.battery_pct = if self.battery_pct < 5.0 { 100.0 } else { self.battery_pct - seconds * 0.002 };
            values.insert("battery_pct".to_owned(), (self.battery_pct * 10.0).round() / 10.0);
        }
        self.position(streets, rng)
    }

    fn speed_kmh(&self, local_ms: i64, rng: &mut ChaCha8Rng) -> f64 {
        let jitter = rng.random_range(0.8..1.15);
        if self.on_foot {
            return self.cruise_kmh * jitter;
        }
        // The busier the streets, the slower; now and then somebody speeds.
        let crowded = 1.0 / (0.7 + 0.4 * rhythm::of_traffic(local_ms));
        let hurry = if rng.random_range(0.0..1.0) < 0.004 { 1.9 } else { 1.0 };
        self.cruise_kmh * crowded * jitter * hurry
    }

    fn advance(&mut self, mut metres: f64, streets: &Streets, rng: &mut ChaCha8Rng) {
        for _ in 0..10_000 {
            let Some(here) = streets.segment(self.segment) else { return };
            let left = here.metres - self.done_m;
            if metres < left {
                self.done_m += metres;
                return;
            }
            metres -= left;
            self.done_m = 0.0;
            match streets.next(self.segment, rng) {
                Some(next) => self.segment = next,
                None => return,
            }
        }
    }

    fn position(&self, streets: &Streets, rng: &mut ChaCha8Rng) -> Position {
        let accuracy_m = rng.random_range(2.0_f32..9.0);
        let [lon, lat] = match streets.segment(self.segment) {
            Some(here) => {
                let part = (self.done_m / here.metres).clamp(0.0, 1.0);
                let along = |axis: usize| {
                    let (from, to) = (here.from.get(axis).copied(), here.to.get(axis).copied());
                    from.unwrap_or_default() + (to.unwrap_or_default() - from.unwrap_or_default()) * part
                };
                [along(0), along(1)]
            }
            None => [0.0, 0.0],
        };
        let shake = f64::from(accuracy_m) * 0.3 / METRES_PER_DEGREE;
        Position {
            lon: micro(lon + rng.random_range(-shake..shake)),
            lat: micro(lat + rng.random_range(-shake..shake)),
            accuracy_m: Some((accuracy_m * 10.0).round() / 10.0),
        }
    }
}

/// Six decimals, as devices send them.
fn micro(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}
