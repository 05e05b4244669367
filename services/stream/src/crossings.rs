//! Positions against fences, without decoding, windows and other threads, for a benchmark: the very rules of the intake.

use crate::{
    intern::{MetricNames, Views},
    rules::{Books, Change, EntityRules, Limits, PartRules, Seen, Who},
    windows::{At, LIVE},
};
use gridwarden_domain::{
    alert::Transition,
    control::RuleSet,
    identity::{RecordId, TopicId},
    locate::LayerSet,
    observation::Position,
    rule::Rule,
};
use std::sync::Arc;

/// Entities and the fences they cross.
pub struct Crossings {
    names: MetricNames,
    rules: PartRules,
    entities: Vec<(String, EntityRules)>,
    offset: i64,
    said: Vec<Change>,
}

/// There is one partition of one topic.
fn identity(at: At) -> RecordId {
    RecordId { topic_id: TopicId(1), partition: 0, offset: at.offset() }
}

impl Crossings {
    /// So many entities that nothing is known of, under these rules; their spatial index may take so much memory.
    pub fn new(rules: Vec<Rule>, entities: usize, shapes_mib: usize) -> Self {
        let (views, names) = (Views::default(), MetricNames::default());
        let books = Books::restored(Limits { shapes_mib }, &[]);
        let set = Arc::new(RuleSet { revision: 1, rules: rules.into_iter().map(Arc::new).collect() });
        let view = views.of(&Arc::new(LayerSet::default()));
        let rules = PartRules::new(books.of(&set, &view, (&views, &names)));
        let entities = (0..entities).map(|number| (format!("v{number}"), EntityRules::default())).collect();
        Self { names, rules, entities, offset: 0, said: Vec::new() }
    }

    /// An entity's next position: `said` is told which rules it raises (true) and clears.
    pub fn look(&mut self, entity: u32, time_ms: i64, [lon, lat]: [f64; 2], mut said: impl FnMut(&str, bool)) {
        let Some((source, state)) = self.entities.get_mut(entity as usize) else { return };
        let seen = Seen {
            who: Who { source, kind: 0, areas: &[] },
            entity,
            domain: LIVE,
            time: time_ms,
            at: At::new(0, self.offset),
            position: Some(Position { lon, lat, accuracy_m: None }),
            values: &[],
            identity: &identity,
        };
        self.offset += 1;
        self.rules.look(&seen, &self.names, state, &mut self.said);
        for change in self.said.drain(..) {
            said(&change.rule.id, change.transition == Transition::Raised);
        }
    }
}
