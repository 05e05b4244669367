//! Sketches of an observation, for the metrics the city asks them of. Summed up until the worker's next turn, unlike single
//! events: what travels then is no more than the cells that changed.

use super::{
    Admitted, Mind, Way,
    observe::{Values, overlap},
};
use crate::windows::{
    Tree, pane_of,
    sketch::{Cell, Slot},
};
use gridwarden_domain::value::{Fixed, SCALE};
use smallvec::SmallVec;

impl Mind {
    /// Adds an event of a kind with sketches to those of every area it lies in.
    #[cold]
    pub(super) fn sketch(&mut self, way: &Way<'_>, admitted: Admitted, what: (&str, u32, &Values)) {
        let (source, count, values) = what;
        let Some(view) = &way.part.view else { return };
        let mut metrics: SmallVec<[(u32, SmallVec<[Cell; 2]>); 4]> = SmallVec::new();
        for (metric, value) in std::iter::once(&(count, Fixed(SCALE))).chain(values) {
            let Some(kept) = self.kinds.kept(*metric) else { continue };
            metrics.push((*metric, kept.cells(*value, source).collect()));
        }
        let rises = !overlap(&self.places);
        let mut areas: SmallVec<[u32; 32]> = SmallVec::new();
        for place in &self.places {
            let place = view.place(*place);
            match rises {
                true => areas.push(place),
                // Where areas overlap every area, above or not, is told itself, and once.
                false => {
                    areas.extend(view.up(place).filter(|place| !areas.contains(place)).collect::<SmallVec<[u32; 8]>>())
                }
            }
        }
        let Some((_, rollup)) = self.rollups.get_mut(way.part.rollup) else { return };
        for place in areas {
            let Some(area) = view.area(place) else { continue };
            for (metric, cells) in &metrics {
                let slot =
                    Slot { pane: pane_of(admitted.time), place, metric: *metric, domain: admitted.domain, rises };
                rollup.sketch(area.level, slot, cells.iter().copied());
            }
        }
    }
}
