//! From what rules say to alerts, and the moments at which rules look without a new value: reloads and due holds.

use super::{Mind, Outbox, Record, Way, part::PartState};
use crate::{
    intern::{AreaName, Entity, with_above},
    rules::{Change, PartRules},
    shared::Shared,
};
use gridwarden_domain::{
    alert::{Alert, AreaRef, Subject},
    observation::Position,
    rule::{Condition, Fence},
};
use gridwarden_runtime::seeded::seeded;
use std::sync::Arc;

impl Mind {
    /// Puts in force what is in force for this record. Should the broker's clock step back over a change, areas are those of
    /// the record's own moment, while rules never go back (`RUL-3`): their state cannot be undone.
    #[cold]
    pub(super) fn renew(&mut self, way: &mut Way<'_>) {
        let appended = way.record.appended;
        let timeline = Arc::clone(&self.timeline);
        let lore = &way.shared.lore;
        let newest = way.part.clock.newest();
        let (now, newest) = if seeded("control-on-arrival") { (i64::MAX, i64::MAX) } else { (appended, newest) };
        let view = lore.views.of(timeline.layers_at(now));
        let drawn = lore.views.of(timeline.layers_at(newest));
        let book = lore.books.of(timeline.rules_at(newest), &drawn, (&lore.views, &lore.names));
        way.part.epoch = self.epoch;
        way.part.holds = appended..timeline.next_change_after(appended).unwrap_or(i64::MAX);
        way.part.rollup = self.rollup(&view);
        way.part.view = Some(view);
        if let Some(saved) = way.part.saved.take() {
            // The control topics keep their history: what was in force then is what was saved.
            let drawn = lore.views.of(timeline.layers_at(saved.newest));
            let before = lore.books.of(timeline.rules_at(saved.newest), &drawn, (&lore.views, &lore.names));
            way.part.ordered.recall(&before, saved.newest);
            way.part.rules = Some(PartRules::restored(before, saved));
        }
        match &mut way.part.rules {
            None => {
                way.part.ordered.switch(&book);
                way.part.rules = Some(PartRules::new(book));
            }
            Some(rules) if Arc::ptr_eq(rules.book(), &book) => {}
            Some(rules) => {
                let in_order = way.part.ordered.switch(&book);
                let gone = rules.switch(book);
                self.release_in_order(way, &in_order);
                if !gone.is_empty() {
                    self.release(way, &gone);
                }
            }
        }
    }

    fn rollup(&mut self, view: &Arc<crate::intern::View>) -> usize {
        let known = self.rollups.iter().position(|(known, _)| Arc::ptr_eq(known, view));
        known.unwrap_or_else(|| {
            self.rollups.push((Arc::clone(view), crate::windows::Rollup::default()));
            self.rollups.len() - 1
        })
    }

    /// Ends what rules that are gone held against the partition's entities.
    fn release(&mut self, way: &mut Way<'_>, gone: &crate::rules::Gone) {
        for entity in way.part.entities.iter_mut() {
            gone.release(way.record.appended, &mut entity.rules, &mut self.changes);
            hand_out(&mut self.changes, (way.shared, way.record), entity, way.out);
        }
    }

    /// The same of rules that looked in the order of event time.
    fn release_in_order(&mut self, way: &mut Way<'_>, all_gone: &[(u32, crate::rules::Gone, bool)]) {
        for (reorder_s, gone, is_over) in all_gone {
            for entity in way.part.entities.iter_mut() {
                let Some(state) = entity.rules.in_lane_mut(*reorder_s) else { continue };
                gone.release(way.record.appended, state, &mut self.changes);
                if *is_over {
                    entity.rules.leave_lane(*reorder_s);
                }
                hand_out(&mut self.changes, (way.shared, way.record), entity, way.out);
            }
        }
    }

    /// Raises what holds have become due by a domain's clock.
    #[inline]
    pub(super) fn fire(&mut self, way: &mut Way<'_>, domain: u8, clock: i64) {
        while let Some(timer) = way.part.rules.as_mut().and_then(|rules| rules.due(domain, clock)) {
            let PartState { rules: Some(rules), entities, .. } = &mut *way.part else { return };
            let Some(entity) = entities.get_mut(timer.entity) else { continue };
            let world = &way.shared.world;
            let identity = |at: crate::windows::At| world.identity(at.part(), at.offset());
            rules.fire((domain, clock, timer), entity.source.as_str(), &identity, &mut entity.rules, &mut self.changes);
            hand_out(&mut self.changes, (way.shared, way.record), entity, way.out);
        }
    }

    /// Hands out what rules said of an entity.
    #[cold]
    pub(super) fn raise(&mut self, way: &mut Way<'_>, entity: u32, position: Option<Position>) {
        let Some(entity) = way.part.entities.get(entity) else { return };
        for change in self.changes.drain(..) {
            let mut alert = alert((way.shared, way.record), &change, entity, position);
            if let Some(view) = &way.part.view {
                alert.areas = view.set.area_refs(&self.places);
            }
            way.out.alerts.push(alert);
        }
    }
}

/// Hands out what rules said of an entity that is where it was last.
pub(super) fn hand_out(
    changes: &mut Vec<Change>,
    (shared, record): (&Shared, &Record<'_>),
    entity: &Entity,
    out: &mut Outbox,
) {
    out.alerts.extend(changes.drain(..).map(|change| alert((shared, record), &change, entity, entity.position)));
}

fn alert(
    (shared, record): (&Shared, &Record<'_>),
    change: &Change,
    entity: &Entity,
    position: Option<Position>,
) -> Alert {
    let rule = &change.rule;
    let (metric, level) = match &rule.condition {
        Condition::Threshold(threshold) => (Some(threshold.value.clone()), Some(threshold.level)),
        Condition::Fence(Fence { speed: Some(speed), .. }) => (speed.value.clone(), Some(speed.above_kmh)),
        _ => (None, None),
    };
    let metrics = &shared.metrics;
    metrics.alerts.with_label_values(&[rule.condition.kind(), change.transition.as_str()]).inc();
    Alert {
        id: change.alert.id_text(),
        seq: change.alert.seq,
        transition: change.transition,
        generation: shared.world.generation,
        rule: rule.id.clone(),
        rule_version: rule.version,
        kind: rule.condition.kind().to_owned(),
        severity: rule.severity,
        urgency: rule.urgency,
        certainty: rule.certainty,
        title: rule.title.clone(),
        subject: Subject::Entity(entity.source.as_str().to_owned()),
        time: change.time,
        raised_at: change.alert.raised_at,
        appended_at: record.appended,
        cause: shared.world.identity(record.part, record.offset),
        position,
        areas: areas_of(shared, entity),
        value: change.value.or_else(|| last_value(shared, entity, metric.as_deref())).map(|value| value.to_f64()),
        metric,
        level,
        evidence: change.evidence.iter().map(|at| shared.world.identity(at.part(), at.offset())).collect(),
        storm_per_minute: rule.storm_per_minute,
        simulated: shared.world.simulated || record.simulated,
    }
}

/// The areas of an entity's last position.
fn areas_of(shared: &Shared, entity: &Entity) -> Vec<AreaRef> {
    shared.lore.views.names.with(|names| with_above(names, &entity.areas).into_iter().map(AreaName::area_ref).collect())
}

/// The value a threshold looks at, as the entity sent it last.
fn last_value(shared: &Shared, entity: &Entity, name: Option<&str>) -> Option<gridwarden_domain::value::Fixed> {
    let metric = shared.lore.names.value(entity.kind, name?)?;
    entity.values.iter().find(|(known, _)| *known == metric).map(|(_, value)| *value)
}
