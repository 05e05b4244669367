//! The way of a report: counted where it lies, all together and by class.

use super::{Fate, Mind, Way, observe::Values, repeats::fingerprint};
use gridwarden_domain::{
    reject::Reason,
    report::{METRIC, Report},
    value::{Fixed, SCALE},
};

impl Mind {
    /// Decides on a report.
    pub(super) fn report(&mut self, way: &mut Way<'_>, whence: (u16, u16), report: &Report) -> Result<Fate, Reason> {
        let Some(admitted) = self.admit(way, whence, report.time)? else { return Ok(Fate::Late) };
        let world = &way.shared.world;
        let id = fingerprint(&report.id);
        if way.part.ids.is_repeat(id, way.record.appended, world.max_age_ms, world.remembered.reports) {
            return Ok(Fate::Repeat);
        }
        self.note(admitted);
        self.place_report(way, report);
        self.tally.reports_nowhere += u64::from(self.places.is_empty());
        let Some(here) = self.kinds.find(METRIC) else {
            self.tally.kinds_beyond += 1;
            return Ok(Fate::Accepted);
        };
        let mut values = Values::new();
        // No hint by position: classes come in any order.
        match self.kinds.value(here, usize::MAX, &report.class.code) {
            Some(metric) => values.push((metric, Fixed(SCALE))),
            None => self.tally.values_beyond += 1,
        }
        let Some(count) = self.kinds.get(here).map(|kind| kind.count) else { return Ok(Fate::Accepted) };
        self.sight_report(way, admitted, report);
        if admitted.for_windows && self.counts {
            self.spread(way, admitted, (count, &values));
        }
        Ok(Fate::Accepted)
    }

    fn place_report(&mut self, way: &Way<'_>, report: &Report) {
        self.place(way, report.position, report.time);
        if report.position.is_none()
            && let (Some(area), Some(view)) = (&report.area, &way.part.view)
        {
            // An area nobody knows leaves the report nowhere, and counted there.
            view.set.by_code(area, report.time, &mut self.places);
        }
    }
}
