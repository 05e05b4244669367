//! Positions against fences, without decoding, windows and other threads, for a benchmark: the very rules of the intake.

use crate::{
    intern::{MetricNames, Views},
    rules::{Books, Change, EntityRules, Limits, PartRules, Seen, Who},
    windows::{AHEAD, At, LIVE},
};
use gridwarden_domain::{
    alert::Transition,
    control::RuleSet,
    identity::{RecordId, TopicId},
    locate::LayerSet,
    observation::Position,
    rule::Rule,
};
use gridwarden_geo::ahead::ask_for_item;
use gridwarden_geo::fence::STEPS;
use smallvec::SmallVec;
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

    /// Entities' next positions, one after the other: `said` is told which rules they raise (true) and clear. As in the intake, what the
    /// positions will look at is asked for before the turn of the first.
    pub fn look_at_all(&mut self, time_ms: i64, moves: &[(u32, [f64; 2])], mut said: impl FnMut(&str, bool)) {
        for moves in moves.chunks(AHEAD) {
            self.look_ahead(moves);
            for (number, (entity, position)) in (0..).zip(moves) {
                self.look(*entity, time_ms + number, *position, &mut said);
            }
        }
    }

    fn look_ahead(&self, moves: &[(u32, [f64; 2])]) {
        let book = self.rules.book();
        let mut asked: SmallVec<[_; AHEAD]> = SmallVec::new();
        for (entity, position) in moves {
            ask_for_item(&self.entities, *entity as usize);
            asked.push(book.ask_shapes(*position));
        }
        for step in 0..STEPS {
            asked.iter_mut().for_each(|asked| *asked = book.ask_shapes_next(step, *asked));
        }
        for (entity, _) in moves {
            if let Some((_, state)) = self.entities.get(*entity as usize) {
                state.ask();
            }
        }
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
