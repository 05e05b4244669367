//! What was in force when: layers and rules as their topics hold them.
//!
//! A change is in force for records appended two seconds after it. The town's areas are rectangles: what lies where can be told
//! by looking, without an index.

use crate::names::Names;
use crate::records::Record;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How long after it was appended a change is in force, in ms.
pub(crate) const FORCE_MS: i64 = 2_000;

/// West, south, east, north.
pub(crate) type Rectangle = [f64; 4];

/// One version of a layer.
pub(crate) struct Layer {
    pub(crate) name: String,
    /// Each leaf and the areas it counts for: itself and all above.
    leaves: Vec<(Rectangle, Vec<u32>)>,
    /// Each area and those above it, by its code.
    chains: HashMap<String, Vec<u32>>,
    /// Whether a code without a layer is one of its codes.
    is_main: bool,
}

/// Everything that is in force over a time.
type Since<T> = Vec<(i64, T)>;

/// The town through time.
#[derive(Default)]
pub(crate) struct Town {
    layers: Since<Vec<Arc<Layer>>>,
    rules: Since<Arc<Vec<Rule>>>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) kinds: Vec<String>,
    /// How long records wait for earlier ones; 0: not at all.
    pub(crate) reorder_ms: i64,
    pub(crate) body: Body,
}

/// What a rule does. Numbers are millionths.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Threshold { value: String, above: bool, level: i64, clear: i64, hold_ms: i64 },
    Fence { shape: Shape, on_exit: bool, first_counts: bool },
    Density { place: Place, at_least: usize, clear_below: usize, hold_ms: i64 },
}

/// Where entities are counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// In each area of this layer that holds no other.
    Each(String),
    Rectangle(Rectangle),
}

/// Where a fence stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Layer and code.
    Area(String, String),
    Rectangle(Rectangle),
}

pub(crate) fn lies_in(position: [f64; 2], [west, south, east, north]: Rectangle) -> bool {
    let [lon, lat] = position;
    west <= lon && lon < east && south <= lat && lat < north
}

impl Layer {
    /// Adds the areas a position lies in, each once, to `found`.
    pub(crate) fn find(&self, position: [f64; 2], found: &mut Vec<u32>) {
        for (_, areas) in self.leaves.iter().filter(|(rectangle, _)| lies_in(position, *rectangle)) {
            for area in areas {
                if !found.contains(area) {
                    found.push(*area);
                }
            }
        }
    }

    /// The areas that hold no other and a position lies in.
    pub(crate) fn leaves_at(&self, position: [f64; 2]) -> impl Iterator<Item = u32> + '_ {
        self.leaves
            .iter()
            .filter(move |(rectangle, _)| lies_in(position, *rectangle))
            .filter_map(|(_, areas)| areas.first().copied())
    }

    /// Adds the area that is named so, and all above it, to `found`: by layer and code, or in the main layer by its code alone.
    pub(crate) fn find_named(&self, named: &str, found: &mut Vec<u32>) {
        let code = match named.split_once('/') {
            Some((layer, code)) => (layer == self.name).then_some(code),
            None => self.is_main.then_some(named),
        };
        found.extend(code.and_then(|code| self.chains.get(code)).into_iter().flatten());
    }
}

impl Town {
    /// From the records of `layers.v1` and `rules.v1`.
    pub(crate) fn read(layers: &[Record], rules: &[Record], names: &mut Names) -> Result<Self> {
        let mut town = Self::default();
        let mut areas: HashMap<(String, String), Vec<Value>> = HashMap::new();
        for record in layers {
            let document: Value = serde_json::from_slice(record.value.as_deref().unwrap_or_default())?;
            if let Some(area) = document.get("area") {
                areas.entry(version(area)?).or_default().push(area["area"].clone());
            } else {
                let closing = document.get("closing").context("neither an area nor a closing record")?;
                let name = closing["head"]["layer"].as_str().context("a layer's name")?.to_owned();
                let key = (name, version_of(closing)?);
                let own = areas.get(&key).context("a version without areas")?;
                ensure!(Some(own.len() as u64) == closing["count"].as_u64(), "areas of a version are missing");
                town.close(record.appended, layer(&closing["head"], own, names)?);
                // A version that is published again brings its areas again.
                areas.remove(&key);
            }
        }
        let mut in_force: Vec<Rule> = Vec::new();
        for record in rules {
            let id = String::from_utf8(record.key.clone())?;
            in_force.retain(|rule| rule.id != id);
            if let Some(value) = &record.value {
                in_force.push(rule(&serde_json::from_slice(value)?)?);
            }
            town.rules.push((record.appended + FORCE_MS, Arc::new(in_force.clone())));
        }
        Ok(town)
    }

    fn close(&mut self, appended: i64, layer: Layer) {
        let mut layers = self.layers.last().map(|(_, layers)| layers.clone()).unwrap_or_default();
        layers.retain(|known| known.name != layer.name);
        layers.push(Arc::new(layer));
        self.layers.push((appended + FORCE_MS, layers));
    }

    /// Layers in force for a record appended then.
    pub(crate) fn layers_at(&self, appended: i64) -> &[Arc<Layer>] {
        at(&self.layers, appended).map_or(&[], |(_, layers)| layers)
    }

    /// The moments at which rules or layers change.
    pub(crate) fn changes(&self) -> BTreeSet<i64> {
        self.rules.iter().map(|(force, _)| *force).chain(self.layers.iter().map(|(force, _)| *force)).collect()
    }

    /// Rules in force then, and how many sets came before them.
    pub(crate) fn rules_at(&self, appended: i64) -> (usize, Arc<Vec<Rule>>) {
        at(&self.rules, appended).map_or_else(Default::default, |(number, rules)| (number + 1, Arc::clone(rules)))
    }
}

fn at<T>(since: &Since<T>, appended: i64) -> Option<(usize, &T)> {
    let behind = since.partition_point(|(force, _)| *force <= appended);
    let last = behind.checked_sub(1)?;
    since.get(last).map(|(_, what)| (last, what))
}

fn version(area: &Value) -> Result<(String, String)> {
    Ok((area["layer"].as_str().context("a layer")?.to_owned(), version_of(area)?))
}

fn version_of(document: &Value) -> Result<String> {
    Ok(document["version"].as_str().context("a version")?.to_owned())
}

fn layer(head: &Value, areas: &[Value], names: &mut Names) -> Result<Layer> {
    let name = head["layer"].as_str().context("a layer")?;
    let code = |area: &Value| area["code"].as_str().map(str::to_owned).context("a code");
    let mut by_code = HashMap::new();
    for area in areas {
        let level = area["level"].as_u64().context("a level")?;
        let level = head["levels"][usize::try_from(level)?]["id"].as_str().context("a level's id")?;
        let number = names.area(name, level, &code(area)?);
        by_code.insert(code(area)?, (number, area["parent"].as_str().map(str::to_owned)));
    }
    let (mut leaves, mut chains) = (Vec::new(), HashMap::new());
    for area in areas {
        let (mut counts, mut next) = (Vec::new(), Some(code(area)?));
        while let Some((number, parent)) = next.as_ref().and_then(|code| by_code.get(code)) {
            counts.push(*number);
            next.clone_from(parent);
        }
        if !area["polygons"].is_null() {
            leaves.push((rectangle(&area["polygons"][0][0])?, counts.clone()));
        }
        chains.insert(code(area)?, counts);
    }
    Ok(Layer { name: name.to_owned(), leaves, chains, is_main: head["main"] == true })
}

/// The rectangle a ring runs around.
fn rectangle(ring: &Value) -> Result<Rectangle> {
    let mut found = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
    for point in ring.as_array().context("a ring")? {
        let (lon, lat) = point[0].as_f64().zip(point[1].as_f64()).context("a point")?;
        let [west, south, east, north] = found;
        found = [west.min(lon), south.min(lat), east.max(lon), north.max(lat)];
    }
    Ok(found)
}

fn rule(document: &Value) -> Result<Rule> {
    let kinds = document["select"]["kinds"].as_array().cloned().unwrap_or_default();
    Ok(Rule {
        id: document["id"].as_str().context("a rule's id")?.to_owned(),
        kinds: kinds.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect(),
        reorder_ms: document["reorder_s"].as_i64().unwrap_or(0) * 1_000,
        body: match (&document["threshold"], &document["density"]) {
            (Value::Null, Value::Null) => fence(&document["fence"])?,
            (Value::Null, density) => self::density(density)?,
            (threshold, _) => self::threshold(threshold)?,
        },
    })
}

fn threshold(document: &Value) -> Result<Body> {
    let level = document["level"].as_f64().context("a level")?;
    Ok(Body::Threshold {
        value: document["value"].as_str().context("a value's name")?.to_owned(),
        above: document["side"] == "above",
        level: millionths(level),
        clear: millionths(document["clear"].as_f64().unwrap_or(level)),
        hold_ms: document["hold_s"].as_i64().unwrap_or(0) * 1_000,
    })
}

fn density(document: &Value) -> Result<Body> {
    let number = |name: &str| document[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let at_least = number("at_least").context("how many")?;
    let place = match document["place"]["each"].as_str() {
        Some(layer) => Place::Each(layer.to_owned()),
        None => Place::Rectangle(rectangle(&document["place"]["polygon"][0])?),
    };
    ensure!(document["within_s"] == 86_400, "so long that nobody is ever forgotten here");
    let hold_ms = document["hold_s"].as_i64().unwrap_or(0) * 1_000;
    Ok(Body::Density { place, at_least, clear_below: number("clear_below").unwrap_or(at_least), hold_ms })
}

fn fence(document: &Value) -> Result<Body> {
    let shape = match &document["shape"]["area"] {
        Value::Null => Shape::Rectangle(rectangle(&document["shape"]["polygon"][0])?),
        area => {
            let part = |name: &str| area[name].as_str().map(str::to_owned).context("an area");
            Shape::Area(part("layer")?, part("code")?)
        }
    };
    let first_counts = document["first_counts"].as_bool().unwrap_or(false);
    Ok(Body::Fence { shape, on_exit: document["on"] == "exit", first_counts })
}

/// A number as it is added up.
pub(crate) fn millionths(value: f64) -> i64 {
    (value * 1e6).round() as i64
}
