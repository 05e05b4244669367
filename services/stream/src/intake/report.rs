//! The way of a report: counted where it lies, all together and by class.

use super::{Mind, Way, observe::Values};
use gridwarden_domain::{
    decode::Decoder,
    reject::Reason,
    report::Report,
    value::{Fixed, SCALE},
};

/// The metric that counts reports; by class `reports.<class code>`.
const REPORTS: &str = "reports";

impl Mind {
    /// True when it was admitted, false when it is late.
    pub(super) fn report(&mut self, way: &mut Way<'_>, topic: u16, decoder: &Decoder) -> Result<bool, Reason> {
        let feed = way.shared.world.feeds.find(way.record.feed);
        let crs = way.shared.world.feeds.get(feed).map(|feed| feed.crs).unwrap_or_default();
        let report = decoder.report_in(way.record.payload.unwrap_or_default(), crs)?;
        let Some(admitted) = self.admit(way, topic, feed, report.time)? else { return Ok(false) };
        self.place_report(way, &report);
        self.tally.reports_nowhere += u64::from(self.places.is_empty());
        let Some(here) = self.kinds.find(REPORTS) else {
            self.tally.kinds_beyond += 1;
            return Ok(true);
        };
        let mut values = Values::new();
        // No hint by position: classes come in any order.
        match self.kinds.value(here, usize::MAX, &report.class.code) {
            Some(metric) => values.push((metric, Fixed(SCALE))),
            None => self.tally.values_beyond += 1,
        }
        let Some(count) = self.kinds.get(here).map(|kind| kind.count) else { return Ok(true) };
        if admitted.for_windows {
            self.spread(way, admitted, (count, &values));
        }
        Ok(true)
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
