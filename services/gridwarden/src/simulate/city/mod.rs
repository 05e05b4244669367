//! A believable made-up city from a seed: irregular cells under five levels, duty grids, streets, sensors, vehicles, officers, rules.
//!
//! Pure but for [`make`]: the same options give the same city to the last digit. Every name says that it is simulated.
//!
//! * `SIM-1` cells share their borders point by point: the leaves are a partition, without gaps and overlaps.
//! * `SIM-2` codes follow GB/T 30428: 6 + 3 + 3 + 3 digits, cells numbered west → east, north → south inside a community.

mod divide;
mod ground;
mod make;
mod outline;
mod people;
mod rules;
mod write;

use gridwarden_domain::city::{CityFile, Distinct, Endpoint, LayerFields, LayerFile, Limits, SketchFile};
use gridwarden_domain::class::Catalogue;
use gridwarden_domain::entity::Entity;
use gridwarden_domain::layer::{Area, LayerHead, Level};
use gridwarden_domain::rule::Rule;
use gridwarden_domain::text::Text;
use ground::Ground;

/// A point in degrees, [lon, lat].
pub(crate) type Point = [f64; 2];

/// Most cells a city may have.
pub(crate) const MOST_CELLS: u32 = 100_000;

/// What to make.
#[derive(Clone, Debug)]
pub(crate) struct CityOptions {
    /// Seed of everything left to chance.
    pub(crate) seed: u64,
    /// Number of unit grid cells, about: 16 to [`MOST_CELLS`].
    pub(crate) cells: u32,
    /// Mean width of a cell in metres; 万米单元 are 100 m × 100 m.
    pub(crate) cell_m: f64,
    /// Where webhooks go, if anywhere: URL and secret.
    pub(crate) endpoint: Option<(String, String)>,
}

impl Default for CityOptions {
    fn default() -> Self {
        Self { seed: 1, cells: 5_000, cell_m: 100.0, endpoint: None }
    }
}

/// A made-up city.
pub(crate) struct GeneratedCity {
    /// `city.toml`.
    pub(crate) file: CityFile,
    /// Layers with their areas; the first is the administrative tree.
    pub(crate) layers: Vec<(LayerHead, Vec<Area>)>,
    /// Lines along which things move.
    pub(crate) streets: Vec<Vec<Point>>,
    /// Everything that speaks.
    pub(crate) registry: Vec<Entity>,
    /// What can be reported.
    pub(crate) catalogue: Catalogue,
    /// What raises alerts.
    pub(crate) rules: Vec<Rule>,
}

/// A text in both languages.
fn text(en: impl Into<String>, zh: impl Into<String>) -> Text {
    Text { en: en.into(), zh: zh.into() }
}

/// Makes a city. Options out of range are brought into it.
pub(crate) fn generate(options: &CityOptions) -> GeneratedCity {
    let ground = Ground::new(options.seed, options.cells.clamp(16, MOST_CELLS), options.cell_m.clamp(10.0, 10_000.0));
    let tree = divide::tree(&ground, options.seed);
    let grid =
        (head("grid", text("Unit grid (simulated)", "单元网格（模拟）"), TREE, true), divide::areas(&ground, &tree));
    let duty = (
        head("duty", text("Duty grids (simulated)", "责任网格（模拟）"), DUTY, false),
        divide::duty_areas(&ground, &tree),
    );
    let registry = people::registry(&ground, options.seed);
    let rules = rules::rules(&ground, &registry, &grid.1);
    let layer_files = [&grid.0, &duty.0].map(layer_file).to_vec();
    GeneratedCity {
        file: city_file(layer_files, options.endpoint.as_ref()),
        layers: vec![grid, duty],
        streets: ground.streets(),
        registry,
        catalogue: people::catalogue(),
        rules,
    }
}

/// Id, English and Chinese name of a level.
type LevelName = (&'static str, &'static str, &'static str);

const TREE: &[LevelName] = &[
    ("city", "City", "市"),
    ("district", "District", "区"),
    ("street", "Street", "街道"),
    ("community", "Community", "社区"),
    ("cell", "Unit cell", "单元网格"),
];

const DUTY: &[LevelName] = &[("duty", "Duty grid", "责任网格")];

fn head(layer: &str, title: Text, levels: &[LevelName], main: bool) -> LayerHead {
    let levels = levels.iter().map(|(id, en, zh)| Level { id: (*id).to_owned(), name: text(*en, *zh) }).collect();
    LayerHead { layer: layer.to_owned(), title, levels, main, partition: false }
}

fn layer_file(head: &LayerHead) -> LayerFile {
    LayerFile {
        crs: None,
        id: head.layer.clone(),
        title: head.title.clone(),
        file: format!("layers/{}.geojson", head.layer),
        levels: head.levels.clone(),
        main: head.main,
        partition: head.partition,
        tolerance_m2: None,
        repair: false,
        fields: LayerFields::default(),
    }
}

fn city_file(layers: Vec<LayerFile>, endpoint: Option<&(String, String)>) -> CityFile {
    let endpoint = endpoint.map(|(url, secret)| Endpoint {
        id: "demo".to_owned(),
        url: url.clone(),
        secret: secret.clone(),
        min_severity: None,
        updates: true,
        rules: Vec::new(),
        allow_private: true,
    });
    CityFile {
        name: text("Simulated City", "模拟市"),
        timezone: "Asia/Shanghai".to_owned(),
        simulated: true,
        limits: Limits::default(),
        layers,
        registry: vec!["registry/entities.ndjson".to_owned()],
        rules: Some("rules".to_owned()),
        classes: vec!["classes.toml".to_owned()],
        mappings: Vec::new(),
        feeds: Vec::new(),
        endpoints: endpoint.into_iter().collect(),
        sketches: vec![SketchFile {
            metric: "vehicle.speed_kmh".to_owned(),
            quantiles: true,
            distinct: Some(Distinct::Source),
        }],
        calendars: Default::default(),
    }
}

pub(crate) use make::make;
pub(crate) use write::write;

#[cfg(test)]
mod tests;
