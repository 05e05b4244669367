//! The operators against slow, obvious ones, which keep all that was ever seen and look at all of it at every step; with a checkpoint
//! and a restart in between.
#![allow(clippy::indexing_slicing, reason = "tests")]

use super::*;
use gridwarden_domain::{identity::TopicId, rule::Hours};
use gridwarden_geo::distance_m;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What was seen: event time, who, where, of which places or sides.
#[derive(Clone, Debug)]
struct Look {
    time: i64,
    who: String,
    position: [f64; 2],
    places: Vec<u32>,
    sides: u8,
}

fn looks() -> impl Strategy<Value = Vec<Look>> {
    let look = (0i64..100, 0u8..6, 0u8..6, 0u8..4, 0u8..8).prop_map(|(time, who, east, north, places)| Look {
        time: time * 1000,
        who: format!("e{who}"),
        position: [121.0 + f64::from(east) * 0.001, 31.0 + f64::from(north) * 0.001],
        places: (0..2).filter(|place| places >> place & 1 == 1).collect(),
        sides: places % 4,
    });
    prop::collection::vec(look, 1..80).prop_map(|mut looks| {
        looks.sort_by_key(|look| look.time);
        looks
    })
}

/// (event time, raised or cleared, of whom), in order.
type Said = Vec<(i64, String, String)>;

fn rule(condition: &str) -> Rule {
    let text = format!(r#"{{"id":"r","version":1,"title":{{"en":"x"}},"severity":"minor",{condition}}}"#);
    gridwarden_domain::rule::read(text.as_bytes()).expect("a rule")
}

fn hold(rule: &Rule) -> Hold {
    let hold_s = match &rule.condition {
        Condition::Density(density) => density.hold_s,
        Condition::Proximity(proximity) => proximity.hold_s,
        _ => 0,
    };
    let hours = |schedule| Arc::new(Hours::of(schedule, &TimeZone::UTC));
    Hold { ms: i64::from(hold_s) * 1000, hours: rule.schedule.as_ref().map(hours) }
}

/// What the operator says, with a restart after every `restart`th look.
fn operator(rule: &Rule, looks: &[Look], sight: impl Fn(&Look) -> Sight<'_>, restart: usize) -> Said {
    let identity = |at: At| RecordId { topic_id: TopicId(1), partition: 0, offset: at.offset() };
    let area = |number: u32| AreaRef { layer: "grid".to_owned(), code: number.to_string() };
    let about = About { rule, identity: &identity, area: &area };
    let (mut state, mut out) = (State::of(rule, &hold(rule)).expect("over several"), Verdicts::new());
    for (number, look) in looks.iter().enumerate() {
        fall_due(&mut state, look.time, (&about, &mut out));
        let spot = Spot {
            time: look.time,
            at: At::new(0, number as i64),
            appended: look.time,
            position: look.position,
            accuracy_m: None,
            simulated: false,
        };
        state.see(&look.who, spot, sight(look), (&about, &mut out));
        if number % restart == 0 {
            state = SavedState::of(&state).restore(rule, &hold(rule)).expect("the same rule");
        }
    }
    fall_due(&mut state, i64::MAX, (&about, &mut out));
    if !matches!(state, State::Cluster(_)) {
        assert_eq!(state.len(), 0, "nobody is remembered for ever");
    }
    let mut raised = BTreeMap::new();
    for verdict in &out {
        let open = verdict.turn.open;
        let seq = raised.entry(open.id).or_insert(0);
        assert_eq!(open.seq, *seq + 1, "transitions of an alert come in order");
        *seq = open.seq;
        // A window too empty was raised by nothing.
        let has_some = !verdict.evidence.is_empty() || matches!(state, State::Window(_));
        let is_raise = verdict.turn.transition == Transition::Raised;
        assert!(!is_raise || has_some && verdict.evidence.len() <= MOST_EVIDENCE);
    }
    sorted(out.iter().map(|said| (said.turn.time, said.turn.transition.as_str().to_owned(), said.subject.named().1)))
}

fn fall_due(state: &mut State, before: i64, (about, out): (&About<'_>, &mut Verdicts)) {
    while let Some(due) = state.next_due().filter(|due| *due < before) {
        state.fall_due(due, (about, out));
    }
}

fn sorted(said: impl Iterator<Item = (i64, String, String)>) -> Said {
    let mut said: Said = said.collect();
    said.sort();
    said
}

/// How an open alert is told anew: once in each so many seconds since its raise.
#[derive(Clone, Copy, Default)]
struct Anew {
    every_s: i64,
    raised: i64,
    /// The period in which it was told last.
    told: i64,
}

impl Anew {
    fn raise(&mut self, time: i64) {
        (self.raised, self.told) = (time, 0);
    }

    fn is_time(&mut self, time: i64) -> bool {
        let period = (time - self.raised) / 1000 / self.every_s.max(1);
        let is_time = self.every_s > 0 && period > self.told;
        if is_time {
            self.told = period;
        }
        is_time
    }
}

/// One offence, looked at again and again.
#[derive(Default)]
struct Naive {
    since: Option<i64>,
    open: bool,
    anew: Anew,
    /// When the only hours end in which it is looked at, and whether they have.
    until: Option<i64>,
    over: bool,
}

impl Naive {
    fn every(every_s: i64, in_hours: bool) -> Self {
        let anew = Anew { every_s, ..Anew::default() };
        Self { until: in_hours.then_some(60_000), anew, ..Self::default() }
    }

    /// `touched`: whether anybody it is about came, went or spoke.
    fn look(
        &mut self,
        time: i64,
        (offends, clears, touched): (bool, bool, bool),
        hold: i64,
        mut say: impl FnMut(i64, &str),
    ) {
        if let Some(until) = self.until.filter(|until| *until <= time) {
            if let Some(due) = self.since.map(|since| since + hold).filter(|due| *due < until) {
                say(due, "raised");
                self.open = true;
            }
            if self.open && !self.over {
                say(until, "cleared");
            }
            (self.since, self.open, self.over) = (None, false, true);
            return;
        }
        if let Some(due) = self.since.map(|since| since + hold).filter(|due| *due <= time) {
            say(due, "raised");
            (self.since, self.open) = (None, true);
            self.anew.raise(due);
        }
        match (self.open, self.since) {
            (true, _) if clears => {
                say(time, "cleared");
                self.open = false;
            }
            (true, _) if touched && self.anew.is_time(time) => say(time, "updated"),
            (false, Some(_)) if !offends => self.since = None,
            (false, None) if offends && hold == 0 => {
                say(time, "raised");
                self.open = true;
                self.anew.raise(time);
            }
            (false, None) if offends => self.since = Some(time),
            _ => {}
        }
    }
}

/// Every moment at which anything may change: looks (how many of them have been had), then ends of what was seen.
fn moments(looks: &[Look], within: i64) -> Vec<(i64, bool, usize)> {
    let had = (1..).zip(looks).map(|(number, look)| (look.time, false, number));
    let ends = looks.iter().map(|look| {
        let end = look.time + within;
        (end, true, looks.iter().filter(|other| other.time <= end).count())
    });
    let mut moments: Vec<_> = had.chain(ends).collect();
    moments.sort_unstable();
    moments
}

/// Who is there: of each the last look, if that is not too old.
fn there(looks: &[Look], (time, ended, had): (i64, bool, usize), within: i64) -> BTreeMap<&str, &Look> {
    let mut there: BTreeMap<&str, &Look> = BTreeMap::new();
    for look in &looks[..had] {
        there.insert(&look.who, look);
    }
    there.retain(|_, look| if ended { look.time + within > time } else { look.time + within >= time });
    there
}

/// The first minute.
const HOURS: &str = r#""schedule":{"periods":[{"from":"00:00","to":"00:01"}]},"#;

fn are_sides(one: &Look, other: &Look) -> bool {
    one.sides & SELECTED != 0 && other.sides & TO != 0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn density_is_a_count_at_every_moment(
        looks in looks(),
        hold in 0i64..12,
        within in 1i64..40,
        fewer in 1usize..4,
        restart in 1usize..30,
        in_hours in any::<bool>(),
        every_s in 0i64..9,
    ) {
        let schedule = if in_hours { HOURS } else { "" };
        let document = rule(&format!(
            r#""update_s":{every_s},{schedule}"density":{{"place":{{"each":"grid"}},"at_least":3,"clear_below":{fewer},"hold_s":{hold},"within_s":{within}}}"#
        ));
        let within = within * 1000;
        let mut said = Said::new();
        for place in 0..2u32 {
            let (mut naive, mut before) = (Naive::every(every_s, in_hours), BTreeSet::new());
            for moment in moments(&looks, within) {
                let there = there(&looks, moment, within);
                let crowd: BTreeSet<&str> =
                    there.values().filter(|look| look.places.contains(&place)).map(|look| look.who.as_str()).collect();
                let count = crowd.len();
                // With hours, who stays and speaks counts as well.
                let speaks = in_hours && !moment.1 && crowd.contains(looks[moment.2 - 1].who.as_str());
                let touched = !moment.1 && crowd != before || speaks;
                before = crowd;
                naive.look(moment.0, (count >= 3, count < fewer, touched), hold * 1000, |time, what| {
                    said.push((time, what.to_owned(), format!("grid/{place}")));
                });
            }
        }
        prop_assert_eq!(operator(&document, &looks, |look| Sight::Places(&look.places), restart), sorted(said.into_iter()));
    }

    #[test]
    fn proximity_is_a_distance_at_every_moment(
        looks in looks(),
        hold in 0i64..12,
        within in 1i64..40,
        restart in 1usize..30,
        in_hours in any::<bool>(),
        every_s in 0i64..9,
    ) {
        let schedule = if in_hours { HOURS } else { "" };
        let document = rule(&format!(
            r#""update_s":{every_s},{schedule}"proximity":{{"to":{{}},"within_m":120,"clear_m":170,"hold_s":{hold},"within_s":{within}}}"#
        ));
        let within = within * 1000;
        let names: BTreeSet<&str> = looks.iter().map(|look| look.who.as_str()).collect();
        let mut said = Said::new();
        let pairs = names.iter().flat_map(|one| names.iter().map(move |other| (*one, *other)));
        for (one, other) in pairs.filter(|(one, other)| one < other) {
            let mut naive = Naive::every(every_s, in_hours);
            for moment in moments(&looks, within) {
                let there = there(&looks, moment, within);
                let apart = match (there.get(one), there.get(other)) {
                    (Some(one), Some(other)) if are_sides(one, other) || are_sides(other, one) => {
                        distance_m(one.position, other.position)
                    }
                    _ => f64::INFINITY,
                };
                let touched = !moment.1 && [one, other].contains(&looks[moment.2 - 1].who.as_str());
                naive.look(moment.0, (apart <= 120.0, apart > 170.0, touched), hold * 1000, |time, what| {
                    said.push((time, what.to_owned(), format!("{one} | {other}")));
                });
            }
        }
        prop_assert_eq!(operator(&document, &looks, |look| Sight::Sides(look.sides), restart), sorted(said.into_iter()));
    }

    #[test]
    fn a_cluster_is_who_is_near_whom(looks in looks(), within in 1i64..40, at_least in 2usize..5, (restart, every_s) in (1usize..30, 0i64..9)) {
        let document = rule(&format!(
            r#""update_s":{every_s},"cluster":{{"at_least":{at_least},"within_m":150,"within_s":{within},"reports":[]}}"#
        ));
        let within = within * 1000;
        // Cluster of each event; when each cluster was raised and when one joined it last.
        let (mut of, mut clusters): (Vec<Option<usize>>, Vec<(i64, i64)>) = (Vec::new(), Vec::new());
        let (mut anew, mut told): (Vec<Anew>, Vec<i64>) = (Vec::new(), Vec::new());
        for (number, look) in looks.iter().enumerate() {
            let near = |other: &usize| {
                looks[*other].time >= look.time - within && distance_m(looks[*other].position, look.position) <= 150.0
            };
            let near: Vec<usize> = (0..number).filter(near).collect();
            let alive = |cluster: &usize| clusters[*cluster].1 + within >= look.time;
            let joined = near.iter().filter_map(|other| of[*other]).filter(alive).min();
            of.push(joined);
            if let Some(joined) = joined {
                clusters[joined].1 = look.time;
                if anew[joined].is_time(look.time) {
                    told.push(look.time);
                }
                continue;
            }
            let free: Vec<usize> = near.into_iter().chain([number]).filter(|other| of[*other].is_none_or(|of| !alive(&of))).collect();
            let sources: BTreeSet<&str> = free.iter().map(|other| looks[*other].who.as_str()).collect();
            if sources.len() >= at_least {
                free.iter().for_each(|other| of[*other] = Some(clusters.len()));
                clusters.push((look.time, look.time));
                anew.push(Anew { every_s, raised: look.time, told: 0 });
            }
        }
        let turn = |time: i64, what: &str| (time, what.to_owned(), "r".to_owned());
        let said = clusters.iter().flat_map(|(raised, last)| [turn(*raised, "raised"), turn(last + within, "cleared")]);
        let said = said.chain(told.into_iter().map(|time| turn(time, "updated")));
        prop_assert_eq!(operator(&document, &looks, |_| Sight::Event, restart), sorted(said));
    }

    #[test]
    fn a_window_is_what_its_values_come_to(
        looks in looks(),
        length in 1i64..30,
        which in 0usize..5,
        above in any::<bool>(),
        at_least in 1usize..4,
        in_a_row in 1u32..4,
        (restart, every_s) in (1usize..30, 0i64..60),
    ) {
        let statistic = ["count", "sum", "mean", "min", "max"][which];
        let counts = statistic == "count";
        let (side, level, clear) = if above { ("above", 5, 3) } else { ("below", 3, 5) };
        let least = if counts { String::new() } else { format!(r#""value":"v","at_least":{at_least},"#) };
        let document = rule(&format!(
            r#""update_s":{every_s},"window":{{"place":{{"each":"grid"}},"statistic":"{statistic}",{least}"window_s":{length},"side":"{side}",
                "level":{level},"clear":{clear},"windows":{in_a_row}}}"#
        ));
        let value = |look: &Look| look.time / 1000 % 9;
        let length = length * 1000;
        let mut said = Said::new();
        for place in 0..2u32 {
            let there: Vec<&Look> = looks.iter().filter(|look| look.places.contains(&place)).collect();
            let Some(first) = there.first() else { continue };
            let (mut end, mut row, mut open) = (first.time.div_euclid(length) * length + length, 0, false);
            let (mut last, mut anew) = (first.time, Anew { every_s, ..Anew::default() });
            loop {
                let values: Vec<i64> = there
                    .iter()
                    .filter(|look| (end - length..end).contains(&look.time))
                    .map(|look| { last = look.time; value(look) })
                    .collect();
                let count = values.len() as i64;
                let sum: i64 = values.iter().sum();
                // The mean is rounded to millionths; no level here is so near one.
                let of = match statistic {
                    "count" => count as f64,
                    "sum" => sum as f64,
                    "mean" => sum as f64 / count as f64,
                    "min" => values.iter().min().map_or(f64::NAN, |value| *value as f64),
                    _ => values.iter().max().map_or(f64::NAN, |value| *value as f64),
                };
                let silent = !counts && values.len() < at_least || end - last > 86_400_000;
                let (level, clear) = (f64::from(level), f64::from(clear));
                let offends = !silent && if above { of > level } else { of < level };
                let clears = silent || if above { of <= clear } else { of >= clear };
                let name = format!("grid/{place}");
                if open {
                    if clears {
                        said.push((end, "cleared".to_owned(), name));
                        (open, row) = (false, 0);
                    } else if anew.is_time(end) {
                        said.push((end, "updated".to_owned(), name));
                    }
                } else {
                    row = if offends { row + 1 } else { 0 };
                    if row >= in_a_row {
                        said.push((end, "raised".to_owned(), name));
                        open = true;
                        anew.raise(end);
                    }
                }
                end += length;
                if !open && row == 0 {
                    // Of a place that is not watched the next window with anything in it is the next.
                    match there.iter().find(|look| look.time >= end - length) {
                        None => break,
                        Some(next) => end = next.time.div_euclid(length) * length + length,
                    }
                }
            }
        }
        prop_assert_eq!(
            operator(&document, &looks, |look| Sight::Value(&look.places, value(look) * 1_000_000), restart),
            sorted(said.into_iter())
        );
    }
}
