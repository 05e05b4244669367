//! What must come out: counted one by one, by a program that shares nothing with the stream but the rule documents.

use super::entity::{Event, KINDS};
use super::input::Town;
use gridwarden_domain::rule::{Condition, Crossing, Rule, Shape, Side};
use std::collections::{BTreeMap, HashMap};

/// Count and sum (hundredths) of a metric.
pub(super) type Sum = (u64, i128);

/// The truth.
#[derive(Default)]
pub(super) struct Truth {
    /// By metric, over everything.
    pub(super) sums: BTreeMap<String, Sum>,
    /// Events by 10 s window (epoch seconds).
    pub(super) windows: BTreeMap<i64, u64>,
    /// Transitions by (rule, raised).
    pub(super) alerts: BTreeMap<(String, bool), u64>,
    /// Events, and the sum of all their values (hundredths), wherever they were.
    pub(super) events: u64,
    pub(super) values: i128,
    /// Leaf, parents and levels: number of levels.
    pub(super) levels: usize,
}

impl Truth {
    /// All transitions.
    pub(super) fn transitions(&self) -> u64 {
        self.alerts.values().sum()
    }
}

/// A fence as rings with a box around them.
struct Ground {
    rings: Vec<Vec<[f64; 2]>>,
    bounds: [f64; 4],
}

/// Counts while events are made.
pub(super) struct Oracle {
    truth: Truth,
    rules: Vec<(Rule, Option<Ground>)>,
    sums: [[Sum; 3]; KINDS.len()],
    /// Outline of the whole city: an event outside is in no window.
    outline: Option<Ground>,
    open: HashMap<(u32, u32), bool>,
    inside: HashMap<(u32, u32), bool>,
}

impl Oracle {
    pub(super) fn new(town: &Town) -> Self {
        let rules = town.rules.iter().map(|rule| (rule.clone(), ground(rule, town))).collect();
        let levels = town.city.layers.first().map_or(0, |(head, _)| head.levels.len());
        let truth = Truth { levels, ..Truth::default() };
        let root = town.areas().iter().find(|area| area.level == 0);
        let outline = root.map(|area| enclosed(area.polygons.iter().flatten().flatten().cloned().collect()));
        Self { truth, rules, sums: Default::default(), outline, open: HashMap::new(), inside: HashMap::new() }
    }

    /// Whether a position lies in the city: outside it is in no window.
    pub(super) fn holds(&self, position: [f64; 2]) -> bool {
        self.outline.as_ref().is_none_or(|outline| contains(outline, position))
    }

    /// The next event.
    pub(super) fn see(&mut self, event: &Event) {
        self.see_in_windows(event);
        self.weigh(event);
    }

    /// The next event, where nobody asks what rules say.
    pub(super) fn see_in_windows(&mut self, event: &Event) {
        self.truth.events += 1;
        self.truth.values += event.values.iter().map(|value| i128::from(*value)).sum::<i128>();
        if self.holds(event.position()) {
            self.count(event);
        }
    }

    fn count(&mut self, event: &Event) {
        *self.truth.windows.entry(event.time.div_euclid(10_000) * 10).or_default() += 1;
        let [counted, first, second] = &mut self.sums[event.kind()];
        *counted = (counted.0 + 1, counted.1 + 100);
        *first = (first.0 + 1, first.1 + i128::from(event.values[0]));
        *second = (second.0 + 1, second.1 + i128::from(event.values[1]));
    }

    fn weigh(&mut self, event: &Event) {
        for (number, (rule, ground)) in (0u32..).zip(&self.rules) {
            let kind = &KINDS[event.kind()];
            if !rule.select.kinds.iter().any(|name| name == kind.name) {
                continue;
            }
            let key = (number, event.entity);
            let said = match (&rule.condition, ground) {
                (Condition::Threshold(threshold), _) => {
                    let place = kind.values.iter().position(|name| *name == threshold.value).unwrap_or(0);
                    let value = event.values[place] as f64 / 100.0;
                    let beyond = |level: f64| match threshold.side {
                        Side::Above => value > level,
                        Side::Below => value < level,
                    };
                    let open = self.open.get(&key).copied().unwrap_or(false);
                    let offends =
                        beyond(if open { threshold.clear.unwrap_or(threshold.level) } else { threshold.level });
                    (open != offends).then_some(offends)
                }
                (Condition::Fence(fence), Some(ground)) => {
                    let inside = contains(ground, event.position());
                    let was = self.inside.insert(key, inside);
                    let open = self.open.get(&key).copied().unwrap_or(false);
                    let offends = inside == (fence.on == Crossing::Enter);
                    let crossed = was.map_or(fence.first_counts, |was| was != inside);
                    if open { (!offends).then_some(false) } else { (offends && crossed).then_some(true) }
                }
                _ => None,
            };
            if let Some(raised) = said {
                self.open.insert(key, raised);
                *self.truth.alerts.entry((rule.id.clone(), raised)).or_default() += 1;
            }
        }
    }

    /// The truth.
    pub(super) fn tell(mut self) -> Truth {
        for (kind, sums) in KINDS.iter().zip(self.sums) {
            let [counted, first, second] = sums;
            self.truth.sums.insert(kind.name.to_owned(), counted);
            self.truth.sums.insert(format!("{}.{}", kind.name, kind.values[0]), first);
            self.truth.sums.insert(format!("{}.{}", kind.name, kind.values[1]), second);
        }
        self.truth
    }
}

fn ground(rule: &Rule, town: &Town) -> Option<Ground> {
    let Condition::Fence(fence) = &rule.condition else { return None };
    let rings: Vec<Vec<[f64; 2]>> = match &fence.shape {
        Shape::Polygon(rings) => rings.clone(),
        Shape::Area(wanted) => {
            let area = town.areas().iter().find(|area| area.code == wanted.code)?;
            area.polygons.iter().flatten().flatten().cloned().collect()
        }
        Shape::Circle { .. } | Shape::Line { .. } => return None,
    };
    Some(enclosed(rings))
}

fn enclosed(rings: Vec<Vec<[f64; 2]>>) -> Ground {
    let mut bounds = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
    for [lon, lat] in rings.iter().flatten() {
        bounds = [bounds[0].min(*lon), bounds[1].min(*lat), bounds[2].max(*lon), bounds[3].max(*lat)];
    }
    Ground { rings, bounds }
}

/// Even–odd, edge by edge.
fn contains(ground: &Ground, [lon, lat]: [f64; 2]) -> bool {
    let [west, south, east, north] = ground.bounds;
    if lon < west || lon > east || lat < south || lat > north {
        return false;
    }
    let mut inside = false;
    for ring in &ground.rings {
        let ends = ring.iter().skip(1).chain(ring.first());
        for ([x0, y0], [x1, y1]) in ring.iter().zip(ends) {
            if (*y0 > lat) != (*y1 > lat) && lon < (x1 - x0) * (lat - y0) / (y1 - y0) + x0 {
                inside = !inside;
            }
        }
    }
    inside
}
