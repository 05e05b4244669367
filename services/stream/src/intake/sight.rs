//! What rules over several entities are to see of a record.

use super::{Admitted, Mind, Way, observe::Values};
use crate::{
    rules::together::Spot,
    together::{Sighting, What},
};
use gridwarden_domain::{observation::Position, report::Report};

impl Mind {
    /// An observation with a position.
    #[inline]
    pub(super) fn sight_entity(
        &mut self,
        way: &mut Way<'_>,
        admitted: Admitted,
        who: (&str, u16),
        (position, values): (Position, &Values),
    ) {
        let shards = way.part.rules.as_mut().map_or(0, |rules| rules.shards_of(who.1));
        if shards != 0 {
            let values = values.iter().map(|(metric, value)| (*metric, value.0)).collect();
            self.sight(way, (admitted, shards), (who.0, position), What::Observation(who.1, values));
        }
    }

    /// A report; one without a position is near nothing.
    pub(super) fn sight_report(&mut self, way: &mut Way<'_>, admitted: Admitted, report: &Report) {
        let Some(position) = report.position else { return };
        let shards = way.part.rules.as_mut().map_or(0, |rules| rules.shards_of_reports());
        if shards != 0 {
            let what = What::Report(report.class.code.as_str().into());
            self.sight(way, (admitted, shards), (&report.id, position), what);
        }
    }

    fn sight(
        &mut self,
        way: &mut Way<'_>,
        (admitted, shards): (Admitted, u64),
        (source, position): (&str, Position),
        what: What,
    ) {
        if !admitted.for_together {
            self.tally.too_late_for_together += 1;
            return;
        }
        let spot = Spot {
            time: admitted.time,
            at: way.record.at(),
            appended: way.record.appended,
            position: [position.lon, position.lat],
            accuracy_m: position.accuracy_m,
            simulated: way.record.simulated,
        };
        let known = way.part.clock.newest();
        let sighting = Sighting { spot, known, domain: admitted.domain, to: 0, source: source.into(), what };
        way.out.sightings.push((shards, sighting));
    }
}
