//! Alerts as they should be: rules over single entities, in partition order, looked at one by one.

use crate::names::Names;
use crate::records::Record;
use crate::town::{Body, Rule, Shape, lies_in};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What should be said of an alert at a transition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Transition {
    pub(crate) raised: bool,
    pub(crate) time: i64,
    /// The record that caused it.
    pub(crate) cause: (i32, i64),
}

/// Transitions by alert, in order.
#[derive(Default)]
pub(crate) struct Alerts {
    /// Id of `observations.v1`.
    pub(crate) topic: String,
    pub(crate) said: HashMap<String, Vec<Transition>>,
}

impl Alerts {
    fn say(&mut self, id: &str, raised: bool, time: i64, record: &Record) {
        self.say_of(id, raised, time, (record.partition, record.offset));
    }

    pub(crate) fn say_of(&mut self, id: &str, raised: bool, time: i64, cause: (i32, i64)) {
        let said = self.said.entry(id.to_owned()).or_default();
        // No alert ends before it began.
        let time = said.first().map_or(time, |first| time.max(first.time));
        said.push(Transition { raised, time, cause });
    }

    fn id(&self, rule: &str, source: &str, first: (i32, i64)) -> String {
        self.id_of(rule, &format!("entity:{source}"), first)
    }

    pub(crate) fn id_of(&self, rule: &str, subject: &str, (partition, offset): (i32, i64)) -> String {
        let text = format!("{rule}\n{subject}\n{}/{partition}/{offset}", self.topic);
        let mut id = hex::encode(Sha256::digest(text));
        id.truncate(32);
        id
    }
}

/// What rules hold against an entity.
#[derive(Default)]
pub(crate) struct Entity {
    /// By rule.
    held: HashMap<String, Held>,
    /// Rules whose fence it was inside of.
    inside: BTreeSet<String>,
    /// Rules that have seen a position of it.
    seen: BTreeSet<String>,
}

enum Held {
    /// Since then, with this record.
    Pending(i64, (i32, i64)),
    Open(String),
}

/// An observation as rules see it.
pub(crate) struct Look<'a> {
    /// Partition and offset.
    pub(crate) at: (i32, i64),
    /// Source and kind.
    pub(crate) entity: &'a (String, String),
    pub(crate) time: i64,
    pub(crate) position: Option<[f64; 2]>,
    pub(crate) areas: &'a [u32],
    pub(crate) values: &'a [(&'a str, i64)],
}

/// An observation that has its turn under a rule.
pub(crate) struct InOrder {
    rule: Rule,
    time: i64,
    at: (i32, i64),
    pub(crate) entity: (String, String),
    value: i64,
}

/// When a hold is due, of which entity and rule.
pub(crate) type Timer = (i64, (String, String), String);

/// The rules of a partition.
#[derive(Default)]
pub(crate) struct PartRules {
    number: usize,
    rules: Arc<Vec<Rule>>,
    timers: BTreeSet<Timer>,
    /// What waits for its turn by rule: by event time, partition and offset.
    waiting: HashMap<String, BTreeMap<Turn, Waiting>>,
}

/// Event time, partition and offset.
type Turn = (i64, (i32, i64));

/// An observation that waits: of whom, and the value the rule looks at.
struct Waiting {
    entity: (String, String),
    value: i64,
}

impl PartRules {
    /// Puts a set in force; what changed or went clears what it raised. `all` calls its argument with every entity.
    pub(crate) fn renew(
        &mut self,
        (number, rules): (usize, Arc<Vec<Rule>>),
        record: &Record,
        alerts: &mut Alerts,
        all: impl FnOnce(&mut dyn FnMut(&mut Entity)),
    ) {
        if number == self.number {
            return;
        }
        self.number = number;
        let before = std::mem::replace(&mut self.rules, rules);
        let gone: Vec<&Rule> = before.iter().filter(|rule| !self.rules.contains(rule)).collect();
        if gone.is_empty() {
            return;
        }
        all(&mut |entity| {
            for rule in &gone {
                entity.inside.remove(&rule.id);
                entity.seen.remove(&rule.id);
                if let Some(Held::Open(id)) = entity.held.remove(&rule.id) {
                    alerts.say(&id, false, record.appended, record);
                }
            }
        });
    }

    /// The next hold that is due by this clock, taken out.
    pub(crate) fn due(&mut self, clock: i64) -> Option<Timer> {
        if self.timers.first()?.0 > clock {
            return None;
        }
        self.timers.pop_first()
    }

    /// Raises what a hold stands for, if it still stands.
    pub(crate) fn fire(&self, timer: &Timer, entity: &mut Entity, record: &Record, alerts: &mut Alerts) {
        let (due, (source, _), rule) = timer;
        let known = self.rules.iter().find(|known| known.id == *rule);
        let Some(Body::Threshold { hold_ms, .. }) = known.map(|rule| &rule.body) else { return };
        let Some(Held::Pending(since, first)) = entity.held.get(rule) else { return };
        if since + hold_ms != *due {
            return;
        }
        let id = alerts.id(rule, source, *first);
        alerts.say(&id, true, *due, record);
        entity.held.insert(rule.clone(), Held::Open(id));
    }

    /// The next observation that has its turn by this clock, taken out: of whom, for which rule, when, where, what.
    pub(crate) fn next_in_order(&mut self, clock: i64) -> Option<InOrder> {
        let rules = Arc::clone(&self.rules);
        rules.iter().filter(|rule| rule.reorder_ms > 0).find_map(|rule| {
            let waiting = self.waiting.get_mut(&rule.id)?;
            let (time, at) = *waiting.first_key_value()?.0;
            let Waiting { entity, value } = waiting.first_entry().filter(|_| time <= clock - rule.reorder_ms)?.remove();
            Some(InOrder { rule: rule.clone(), time, at, entity, value })
        })
    }

    /// Looks at one of them.
    pub(crate) fn look_in_order(&mut self, next: &InOrder, record: &Record, entity: &mut Entity, alerts: &mut Alerts) {
        let InOrder { rule, time, at, entity: whom, value } = next;
        let look = Look { at: *at, entity: whom, time: *time, position: None, areas: &[], values: &[] };
        self.weigh(rule, *value, &look, record, (entity, alerts));
    }

    /// Looks at an observation, by a partition's clock.
    pub(crate) fn look(
        &mut self,
        (look, clock): (&Look<'_>, i64),
        record: &Record,
        entity: &mut Entity,
        out: (&Names, &mut Alerts),
    ) {
        let (names, alerts) = out;
        let rules = Arc::clone(&self.rules);
        let of_kind = |rule: &&Rule| rule.kinds.is_empty() || rule.kinds.contains(&look.entity.1);
        for rule in rules.iter().filter(of_kind) {
            match &rule.body {
                Body::Threshold { value, .. } => {
                    let Some((_, value)) = look.values.iter().find(|(name, _)| name == value) else { continue };
                    if rule.reorder_ms > 0 && look.time > clock - rule.reorder_ms {
                        let waiting = Waiting { entity: look.entity.clone(), value: *value };
                        self.waiting.entry(rule.id.clone()).or_default().insert((look.time, look.at), waiting);
                    } else {
                        self.weigh(rule, *value, look, record, (entity, alerts));
                    }
                }
                Body::Fence { shape, on_exit, first_counts } => {
                    let Some(position) = look.position else { continue };
                    let inside = match shape {
                        Shape::Area(layer, code) => look.areas.iter().any(|area| names.is(*area, layer, code)),
                        Shape::Rectangle(rectangle) => lies_in(position, *rectangle),
                    };
                    cross(rule, (*on_exit, *first_counts, inside), look, record, (entity, alerts));
                }
                // All at the end, in the order of event time.
                Body::Density { .. } => {}
            }
        }
    }

    fn weigh(&mut self, rule: &Rule, value: i64, look: &Look<'_>, record: &Record, of: (&mut Entity, &mut Alerts)) {
        let (entity, alerts) = of;
        let Body::Threshold { above, level, clear, hold_ms, .. } = rule.body else { return };
        let offends = if above { value > level } else { value < level };
        let clears = if above { value <= clear } else { value >= clear };
        let here = look.at;
        match entity.held.get(&rule.id) {
            None if !offends => {}
            None if hold_ms == 0 => {
                let id = alerts.id(&rule.id, &look.entity.0, here);
                alerts.say(&id, true, look.time, record);
                entity.held.insert(rule.id.clone(), Held::Open(id));
            }
            None => {
                entity.held.insert(rule.id.clone(), Held::Pending(look.time, here));
                self.timers.insert((look.time + hold_ms, look.entity.clone(), rule.id.clone()));
            }
            Some(Held::Pending(since, first)) => {
                let due = since + hold_ms;
                if look.time >= due {
                    let id = alerts.id(&rule.id, &look.entity.0, *first);
                    alerts.say(&id, true, due, record);
                    if clears {
                        alerts.say(&id, false, look.time, record);
                        entity.held.remove(&rule.id);
                    } else {
                        entity.held.insert(rule.id.clone(), Held::Open(id));
                    }
                } else if !offends {
                    entity.held.remove(&rule.id);
                }
            }
            Some(Held::Open(id)) if clears => {
                alerts.say(id, false, look.time, record);
                entity.held.remove(&rule.id);
            }
            Some(Held::Open(_)) => {}
        }
    }
}

fn cross(rule: &Rule, how: (bool, bool, bool), look: &Look<'_>, record: &Record, of: (&mut Entity, &mut Alerts)) {
    let (entity, alerts) = of;
    let (on_exit, first_counts, inside) = how;
    let first = entity.seen.insert(rule.id.clone());
    let was = entity.inside.contains(&rule.id);
    let offends = inside != on_exit;
    let crossed = if first { first_counts } else { was != inside };
    match entity.held.get(&rule.id) {
        Some(Held::Open(id)) if !offends => {
            alerts.say(id, false, look.time, record);
            entity.held.remove(&rule.id);
        }
        None if offends && crossed => {
            let id = alerts.id(&rule.id, &look.entity.0, (record.partition, record.offset));
            alerts.say(&id, true, look.time, record);
            entity.held.insert(rule.id.clone(), Held::Open(id));
        }
        _ => {}
    }
    if inside {
        entity.inside.insert(rule.id.clone());
    } else {
        entity.inside.remove(&rule.id);
    }
}
