//! Records on their way to rules that look in the order of event time, and all that happens in a partition because time goes on.

use super::{
    Admitted, Mind, Record, Way,
    alerts::hand_out,
    observe::{Values, areas},
    part::PartState,
};
use crate::{
    rules::{Due, Kept, Lane, Seen, Turn, Who},
    windows::At,
};
use gridwarden_domain::observation::Position;

impl Mind {
    /// A domain's time has come to `highest`, the clock of its rules to `clock`: holds become due, records have their turn.
    #[inline]
    pub(super) fn turn(&mut self, (way, domain): (&mut Way<'_>, u8), highest: i64, clock: i64) {
        self.fire(way, domain, clock);
        if !way.part.ordered.is_idle() {
            self.advance((way, domain), highest, clock);
        }
    }

    fn advance(&mut self, (way, domain): (&mut Way<'_>, u8), highest: i64, clock: i64) {
        let mut ordered = std::mem::take(&mut way.part.ordered);
        ordered.advance(domain, highest, clock, |lane, due| match due {
            Due::Record(turn, kept) => self.look_in_order(way, lane, (turn, kept)),
            Due::Holds(clock) => self.fire_in_order(way, lane, (domain, clock)),
        });
        way.part.ordered = ordered;
    }

    /// Keeps a record for the rules that wait for its turn. The others look at it now.
    #[cold]
    pub(super) fn keep(
        &mut self,
        way: &mut Way<'_>,
        (entity, kind): (u32, u16),
        admitted: Admitted,
        (position, values): (Option<Position>, &Values),
    ) {
        let turn = (admitted.domain, admitted.time, way.record.at());
        let simulated = way.record.simulated;
        let kept = Kept { entity, position, values: values.iter().copied().collect(), simulated };
        let mut ordered = std::mem::take(&mut way.part.ordered);
        let takers = ordered.takers(turn, kind);
        self.tally.too_late_for_order += u64::from(takers.is_late);
        for number in takers.now {
            if let Some(lane) = ordered.lane(number) {
                self.look_in_order(way, lane, (turn, &kept));
            }
        }
        if takers.wait {
            ordered.keep(turn, kept);
        }
        while ordered.len() > way.shared.world.remembered.reordered
            && let Some(first) = ordered.first(admitted.domain)
        {
            self.tally.before_their_turn += 1;
            ordered.hurry(admitted.domain, first, |lane, due| {
                if let Due::Record(turn, kept) = due {
                    self.look_in_order(way, lane, (turn, kept));
                }
            });
        }
        way.part.ordered = ordered;
    }

    /// Has the rules of a lane look at a record, which lies where the layers in force now say.
    fn look_in_order(&mut self, way: &mut Way<'_>, lane: &mut Lane, (turn, kept): (Turn, &Kept)) {
        let (domain, time, at) = turn;
        self.place(way, kept.position, time);
        let PartState { view: Some(view), entities, .. } = &mut *way.part else { return };
        let areas = areas(lane.rules.book(), view, &self.places, &mut self.chain);
        let Some(entity) = entities.get_mut(kept.entity) else { return };
        let Some(state) = entity.rules.lane_state(lane.reorder_s) else { return };
        let world = &way.shared.world;
        let seen = Seen {
            who: Who { source: entity.source.as_str(), kind: entity.kind, areas },
            entity: kept.entity,
            domain,
            time,
            at,
            position: kept.position,
            values: &kept.values,
            identity: &|at| world.identity(at.part(), at.offset()),
        };
        lane.rules.look(&seen, &way.shared.lore.names, state, &mut self.changes);
        if lane.rules.is_crowded() {
            let reorder_s = lane.reorder_s;
            lane.rules.thin(|entity| entities.get(entity).and_then(|entity| entity.rules.in_lane(reorder_s)));
        }
        if !self.changes.is_empty() {
            // Raised by the record that let time go on, about the one that had its turn.
            let record = Record { simulated: kept.simulated, ..*way.record };
            self.raise(&mut Way { record: &record, part: way.part, out: way.out, ..*way }, kept.entity, kept.position);
        }
    }

    /// Raises what holds of a lane have become due.
    fn fire_in_order(&mut self, way: &mut Way<'_>, lane: &mut Lane, (domain, clock): (u8, i64)) {
        let world = &way.shared.world;
        let identity = |at: At| world.identity(at.part(), at.offset());
        while let Some(timer) = lane.rules.due(domain, clock) {
            let Some(entity) = way.part.entities.get_mut(timer.entity) else { continue };
            let Some(state) = entity.rules.in_lane_mut(lane.reorder_s) else { continue };
            lane.rules.fire((domain, clock, timer), entity.source.as_str(), &identity, state, &mut self.changes);
            hand_out(&mut self.changes, (way.shared, way.record), entity, way.out);
        }
    }
}
