//! The benchmark's city and events.

use super::entity::{DEGREE, Entity, Event, KINDS, Order, speaker, values};
use super::ruleset;
use crate::simulate::city::{self, CityOptions, GeneratedCity};
use anyhow::{Context, Result};
use gridwarden_domain::layer::Area;
use gridwarden_domain::rule::Rule;
use gridwarden_runtime::city::City;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

/// Events per millisecond of event time.
pub(super) const PER_MS: u64 = 100;

const SEED: u64 = 1;
/// How far a vehicle moves between two events, at most, in millionths of a degree: about 100 m.
const STEP: i64 = 1_000;

/// How much there is of everything.
#[derive(Clone, Debug)]
pub(super) struct Size {
    pub(super) cells: u32,
    pub(super) entities: u32,
    /// A multiple of four: as many of each sort.
    pub(super) rules: u32,
}

impl Size {
    /// As in `bench stream`.
    pub(super) const USUAL: Self = Self { cells: 50_000, entities: 200_000, rules: 100 };

    /// The same with so many cells.
    pub(super) fn of_cells(cells: u32) -> Self {
        Self { cells, ..Self::USUAL }
    }
}

/// What a city has besides. The truth knows nothing of it.
#[derive(Default)]
pub(super) struct More {
    /// Where webhooks go: URL, secret.
    pub(super) endpoint: Option<(String, String)>,
    pub(super) rules: Vec<Rule>,
}

/// The city, its rules and who speaks in it.
pub(super) struct Town {
    /// As read from its folder.
    pub(super) city: City,
    /// Its rules.
    pub(super) rules: Vec<Rule>,
    entities: Vec<Entity>,
    /// West, south, east, north, in millionths of a degree: well inside the city.
    bounds: [i64; 4],
}

impl Town {
    /// Makes the city in a folder.
    pub(super) async fn make(size: Size, more: More, folder: &Path) -> Result<Self> {
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || Self::make_now(&size, more, &folder)).await?
    }

    fn make_now(size: &Size, more: More, folder: &Path) -> Result<Self> {
        // 100 km × 100 km.
        let cell_m = 100_000.0 / f64::from(size.cells).sqrt();
        let mut made = city::generate(&CityOptions { seed: SEED, cells: size.cells, cell_m, endpoint: more.endpoint });
        made.layers.truncate(1);
        made.file.layers.truncate(1);
        made.registry.clear();
        let bounds = inner_bounds(&made).context("a city without areas")?;
        let areas = made.layers.first().map_or(&[][..], |(_, areas)| areas.as_slice());
        made.rules = ruleset::rules(bounds, areas, (size.rules / 4, SEED));
        let rules = made.rules.clone();
        made.rules.extend(more.rules);
        city::write(&made, folder)?;
        let city = City::load(folder)?;
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let entities = (0..size.entities)
            .map(|_| Entity {
                lon: rng.random_range(bounds[0]..bounds[2]),
                lat: rng.random_range(bounds[1]..bounds[3]),
            })
            .collect();
        Ok(Self { city, rules, entities, bounds })
    }

    /// The box events lie in: west, south, east, north, in millionths of a degree.
    pub(super) fn bounds(&self) -> [i64; 4] {
        self.bounds
    }

    /// The areas of the city.
    pub(super) fn areas(&self) -> &[Area] {
        self.city.layers.first().map_or(&[], |(_, areas)| areas)
    }

    /// The events, the first at `begin_ms`.
    pub(super) fn events(&self, count: u64, begin_ms: i64) -> Events<'_> {
        let rng = ChaCha8Rng::seed_from_u64(SEED + 1);
        Events { town: self, entities: self.entities.clone(), rng, next: 0, count, begin_ms }
    }
}

/// The box around all areas, less 3 % on each side: the border is irregular, and nobody is to be nowhere.
fn inner_bounds(city: &GeneratedCity) -> Option<[i64; 4]> {
    let (_, areas) = city.layers.first()?;
    let mut bounds = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
    for [lon, lat] in areas.iter().filter_map(|area| area.polygons.as_ref()).flatten().flatten().flatten() {
        bounds = [bounds[0].min(*lon), bounds[1].min(*lat), bounds[2].max(*lon), bounds[3].max(*lat)];
    }
    let [west, south, east, north] = bounds;
    let (width, height) = ((east - west) * 0.03, (north - south) * 0.03);
    Some([west + width, south + height, east - width, north - height].map(|degrees| (degrees * DEGREE as f64) as i64))
}

/// Events in order of time.
pub(super) struct Events<'t> {
    town: &'t Town,
    entities: Vec<Entity>,
    rng: ChaCha8Rng,
    next: u64,
    count: u64,
    begin_ms: i64,
}

impl Iterator for Events<'_> {
    type Item = (Event, Order);

    fn next(&mut self) -> Option<(Event, Order)> {
        if self.next >= self.count {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let speaks = speaker(&mut self.rng, self.entities.len() as u32);
        let kind = KINDS.get(speaks as usize % KINDS.len())?;
        let entity = self.entities.get_mut(speaks as usize)?;
        if kind.name == "vehicle" {
            let [west, south, east, north] = self.town.bounds;
            entity.lon = (entity.lon + self.rng.random_range(-STEP..=STEP)).clamp(west, east);
            entity.lat = (entity.lat + self.rng.random_range(-STEP..=STEP)).clamp(south, north);
        }
        let order = match self.rng.random_range(0..100) {
            0..10 => Order::Other,
            10..15 => Order::Unknown,
            _ => Order::Usual,
        };
        let event = Event {
            number,
            entity: speaks,
            time: self.begin_ms + (number / PER_MS) as i64,
            lon: entity.lon,
            lat: entity.lat,
            values: values(kind, &mut self.rng),
        };
        Some((event, order))
    }
}
