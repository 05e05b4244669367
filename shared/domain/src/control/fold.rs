//! Reading control topics record by record.

use super::{FORCE_DELAY_MS, Timeline, registry::Registry, rules::Rules};
use crate::{
    entity::Entity,
    layer::{Area, LayerHead, LayerRecord, version_of},
    locate::{Layer, LayerSet},
    reject::{Code, Reason},
    rule,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Areas of a version read so far, in canonical order; a repeated record replaces its like.
type Pending = BTreeMap<(u8, String, Option<i64>), Area>;

/// Unclosed versions remembered at the same time; the oldest is given up beyond that.
const MAX_PENDING: usize = 16;

/// Reads the control topics, each in its own log order. Pure: equal logs give equal timelines.
#[derive(Default)]
pub struct Fold {
    registry: Registry,
    rules: Rules,
    pending: HashMap<(String, String), Pending>,
    pending_order: Vec<(String, String)>,
    current: BTreeMap<String, Arc<Layer>>,
    layers: Vec<(i64, Arc<LayerSet>)>,
    registry_clock: Option<i64>,
    rules_clock: Option<i64>,
    places_only: bool,
}

impl Fold {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, for whoever only places records ([`Layer::for_placing`]).
    pub fn to_place() -> Self {
        Self { places_only: true, ..Self::default() }
    }

    /// The next record of `registry.v1`.
    pub fn registry(&mut self, key: &[u8], value: Option<&[u8]>, append_ms: i64) -> Result<(), Reason> {
        let id = text(key, "key")?;
        let entity = value.map(|value| read_entity(id, value)).transpose()?;
        let force = force_of(&mut self.registry_clock, append_ms);
        self.registry.change(id, entity, force);
        Ok(())
    }

    /// The next record of `rules.v1`.
    pub fn rule(&mut self, key: &[u8], value: Option<&[u8]>, append_ms: i64) -> Result<(), Reason> {
        let id = text(key, "key")?;
        let rule = value.map(rule::read).transpose();
        let rule = rule.map_err(|error| reason(Code::InvalidValue, &error.field, &error.detail))?;
        if let Some(rule) = &rule
            && rule.id != id
        {
            return Err(reason(Code::InvalidValue, "id", "differs from the record's key"));
        }
        let force = force_of(&mut self.rules_clock, append_ms);
        self.rules.change(id, rule, force);
        Ok(())
    }

    /// The next record of `layers.v1`. A record without value under a bare layer id ends that layer.
    pub fn layer(&mut self, key: &[u8], value: Option<&[u8]>, append_ms: i64) -> Result<(), Reason> {
        let key = text(key, "key")?;
        let Some(value) = value else {
            if self.current.remove(key).is_none() {
                return Err(reason(Code::EmptyPayload, "", "no layer of this id to end"));
            }
            self.layers_change(append_ms);
            return Ok(());
        };
        // sonic-rs reads floats exactly; serde_json does so only with a feature, and the hash needs every bit.
        let record: LayerRecord = sonic_rs::from_slice(value)
            .map_err(|error| reason(Code::Malformed, "", &first_line(&error.to_string())))?;
        match record {
            LayerRecord::Area { layer, version, area } => {
                self.area(layer, version, area);
                Ok(())
            }
            LayerRecord::Closing { head, version, count, hash } => {
                let layer = self.close(head, &version, count, &hash)?;
                let name = layer.head.layer.clone();
                // What says the same again changes nothing: no new set, no raster built anew.
                if self.current.get(&name).is_none_or(|current| current.version != layer.version) {
                    self.current.insert(name, Arc::new(layer));
                    self.layers_change(append_ms);
                }
                Ok(())
            }
        }
    }

    /// What is in force as of the records read so far.
    pub fn timeline(&mut self) -> Timeline {
        Timeline {
            layers: Arc::new(self.layers.clone()),
            rules: Arc::new(self.rules.clone()),
            registry: self.registry.clone(),
            settled_ms: self.settled(),
            ..Timeline::default()
        }
    }

    fn settled(&self) -> Option<i64> {
        let clocks = [self.registry_clock, self.rules_clock].into_iter().flatten();
        let forces = clocks.map(|clock| clock.saturating_add(FORCE_DELAY_MS));
        forces.chain(self.layers.last().map(|(force, _)| *force)).max()
    }

    fn area(&mut self, layer: String, version: String, mut area: Area) {
        area.fit();
        let name = (layer, version);
        if !self.pending.contains_key(&name) {
            if self.pending_order.len() >= MAX_PENDING {
                let oldest = self.pending_order.remove(0);
                self.pending.remove(&oldest);
            }
            self.pending_order.push(name.clone());
        }
        let place = (area.level, area.code.clone(), area.valid_from);
        self.pending.entry(name).or_default().insert(place, area);
    }

    fn close(&mut self, head: LayerHead, version: &str, count: u32, hash: &str) -> Result<Layer, Reason> {
        let name = (head.layer.clone(), version.to_owned());
        let pending = self.pending.remove(&name).unwrap_or_default();
        self.pending_order.retain(|known| *known != name);
        let areas: Vec<Area> = pending.into_values().collect();
        if areas.len() != count as usize {
            let detail = format!("{count} areas announced, {} read", areas.len());
            return Err(reason(Code::InvalidValue, "count", &detail));
        }
        let (own_version, own_hash) = version_of(&head, &areas);
        if own_hash != hash || own_version != version {
            let detail = format!("the areas read have the hash {own_hash}");
            return Err(reason(Code::InvalidValue, "hash", &detail));
        }
        let layer = Layer::build(head, own_version, areas)
            .map_err(|error| reason(Code::InvalidValue, "areas", &error.to_string()))?;
        Ok(if self.places_only { layer.for_placing() } else { layer })
    }

    fn layers_change(&mut self, append_ms: i64) {
        let last = self.layers.last().map(|(force, _)| *force);
        let force = append_ms.saturating_add(FORCE_DELAY_MS);
        let force = last.map_or(force, |last| last.max(force));
        if last == Some(force) {
            self.layers.pop();
        }
        let set = LayerSet::new(self.current.values().cloned().collect());
        self.layers.push((force, Arc::new(set)));
    }
}

/// When a record appended now is in force: never before one that stands before it in its log.
fn force_of(clock: &mut Option<i64>, append_ms: i64) -> i64 {
    let highest = clock.map_or(append_ms, |clock| clock.max(append_ms));
    *clock = Some(highest);
    highest.saturating_add(FORCE_DELAY_MS)
}

fn read_entity(id: &str, value: &[u8]) -> Result<Entity, Reason> {
    let entity = Entity::read(value)?;
    if entity.id != id {
        return Err(reason(Code::InvalidValue, "id", "differs from the record's key"));
    }
    Ok(entity)
}

fn text<'a>(bytes: &'a [u8], field: &str) -> Result<&'a str, Reason> {
    match std::str::from_utf8(bytes) {
        Ok("") => Err(reason(Code::MissingField, field, "is empty")),
        Ok(text) => Ok(text),
        Err(_) => Err(reason(Code::NotUtf8, field, "is not UTF-8")),
    }
}

fn reason(code: Code, field: &str, detail: &str) -> Reason {
    Reason::new(code, field, detail)
}

/// sonic-rs draws the place of the error on further lines; a reason is one line.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}
