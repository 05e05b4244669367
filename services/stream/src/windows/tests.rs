//! Windows against a naive count, under any interleaving and any number of owners.
#![allow(clippy::indexing_slicing, reason = "tests")]

mod lent;
mod restart;

use super::sketch::{Kept, Sketch, Slot};
use super::*;
use crate::shard::SHARDS;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Leaves 0–5, above them 6 and 7, above those 8.
struct Town;

const LEVELS: [u8; 9] = [2, 2, 2, 2, 2, 2, 1, 1, 0];
const LANES: [Lane; 3] = Lane::ALL;

fn parent(area: u32) -> Option<u32> {
    match area {
        0..=2 => Some(6),
        3..=5 => Some(7),
        6 | 7 => Some(8),
        _ => None,
    }
}

fn shard(area: u32) -> u16 {
    (area as u16 * 11) % SHARDS
}

impl Tree for Town {
    fn area(&self, place: u32) -> Option<Above> {
        let level = *LEVELS.get(place as usize)?;
        Some(Above { area: place, shard: shard(place), level, lane: LANES[usize::from(level)] })
    }
    fn parent(&self, place: u32) -> Option<u32> {
        parent(place)
    }
}

#[derive(Clone, Debug)]
struct Event {
    reader: usize,
    area: u32,
    group: u16,
    time: i64,
    value: i64,
    offset: i64,
}

impl Event {
    fn cells(&self) -> impl Iterator<Item = sketch::Cell> + use<> {
        KEPT.cells(Fixed(self.value), &format!("s{}", self.offset % 7))
    }

    fn delta(&self) -> Delta {
        Delta {
            time: self.time,
            at: At::new(self.reader as u16, self.offset),
            values: [1_000_000, self.value, 0, 0],
            area: self.area,
            group: self.group,
            shard: shard(self.area),
            domain: 0,
            mask: if self.value % 3 == 0 { 1 } else { 3 },
            lane: LANES[usize::from(LEVELS[self.area as usize])],
        }
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = (0usize..2, 0u32..6, 0u16..2, 0i64..150_000, -50i64..50);
    prop::collection::vec(one, 1..120).prop_map(|items| {
        let event = |(offset, (reader, area, group, time, value))| Event {
            reader,
            area,
            group,
            time,
            value,
            offset: offset as i64,
        };
        items.into_iter().enumerate().map(event).collect()
    })
}

/// What a window's rows say.
#[derive(Clone, PartialEq, Debug)]
struct Seen {
    sum: Aggregate,
    sketch: Sketch,
}

impl Default for Seen {
    fn default() -> Self {
        Self { sum: Aggregate::EMPTY, sketch: Sketch::default() }
    }
}

impl Seen {
    /// As ClickHouse does: of each table the row with the highest count, the later of equals.
    fn take(&mut self, row: &Row) {
        if row.aggregate.count >= self.sum.count {
            self.sum = row.aggregate;
        }
        if let Some(sketch) = row.sketch.as_deref().filter(|sketch| sketch.events >= self.sketch.events) {
            self.sketch = sketch.clone();
        }
    }
}

/// The metric with sketches: the second column of the first group.
const SKETCHED: u32 = 1;
const KEPT: Kept = Kept { quantiles: true, sources: true };

type Table = BTreeMap<(u32, u32, u32, i64), Seen>;

/// The same, each with whether it was closed.
type Emitted = BTreeMap<(u32, u32, u32, i64), (Seen, bool)>;

/// One by one into every window of every level.
fn naive(events: &[Event]) -> Table {
    let mut table = Table::new();
    for event in events {
        let delta = event.delta();
        for area in std::iter::successors(Some(event.area), |area| parent(*area)) {
            for (column, value) in delta.values.iter().enumerate().filter(|(column, _)| delta.mask & (1 << column) != 0)
            {
                for length in [10, 60] {
                    let start = event.time.div_euclid(length * 1000) * length * 1000;
                    let metric = u32::from(event.group) * 4 + column as u32;
                    let key = (area, metric, length as u32, start);
                    let seen: &mut Seen = table.entry(key).or_default();
                    seen.sum.add(*value, delta.time, delta.at);
                    if metric == SKETCHED {
                        seen.sketch.add_event(event.cells());
                    }
                }
            }
        }
    }
    table
}

/// What ClickHouse would keep: of each key the row with the highest count, the later of equals; refuses a step back.
fn keep(rows: &[Row], kept: &mut Emitted) {
    for row in rows {
        let key = (row.area, row.metric, row.window_s, row.start_ms);
        let (seen, closed) = kept.entry(key).or_default();
        assert!(row.aggregate.count >= seen.sum.count, "a version went back");
        assert!(row.sketch.as_ref().map_or(0, |sketch| sketch.events) >= seen.sketch.events, "a sketch went back");
        assert!(row.closed || !*closed, "a closed window opened");
        seen.take(row);
        *closed = row.closed;
    }
}

struct Run {
    owners: Vec<Windows>,
    rollups: Vec<Rollup>,
    kept: Emitted,
}

impl Run {
    fn new(owners: usize) -> Self {
        Self {
            owners: std::iter::repeat_with(Windows::default).take(owners).collect(),
            rollups: std::iter::repeat_with(Rollup::default).take(2).collect(),
            kept: Emitted::new(),
        }
    }

    fn owner(&mut self, shard: u16) -> &mut Windows {
        let owner = usize::from(shard) % self.owners.len();
        &mut self.owners[owner]
    }

    fn read(&mut self, event: &Event) {
        let delta = event.delta();
        assert!(self.owner(delta.shard).apply(&delta));
        let above = parent(event.area).unwrap();
        self.rollups[event.reader].add(above, LEVELS[above as usize], &delta);
        if event.group == 0 && delta.mask & 2 != 0 {
            let (pane, place) = (pane_of(event.time), event.area);
            let slot = Slot { pane, place, metric: SKETCHED, domain: 0, rises: true };
            self.rollups[event.reader].sketch(LEVELS[place as usize], slot, event.cells());
        }
    }

    fn flush(&mut self) {
        for reader in 0..self.rollups.len() {
            let mut partials = Vec::new();
            self.rollups[reader].drain(&Town, |partial| partials.push(partial));
            for partial in partials {
                assert!(self.owner(partial.shard).apply_partial(&partial));
            }
        }
    }

    fn emit(&mut self, mode: Mode) {
        for owner in &mut self.owners {
            let mut out = Vec::new();
            while !owner.emit_closed(out.len() + 3, &mut out) {}
            for lane in Lane::ALL {
                while !owner.emit_changed(lane, mode, out.len() + 3, &mut out) {}
            }
            keep(&out, &mut self.kept);
        }
    }
}

proptest! {
    #[test]
    fn rows_are_the_naive_count_in_any_interleaving(
        events in events(),
        owners in 1usize..4,
        turn in 0usize..120,
        live in any::<bool>(),
        steps in prop::collection::vec(0i64..60_000, 0..5),
    ) {
        let mode = if live { Mode::Live } else { Mode::CatchUp };
        let mut run = Run::new(owners);
        let mut order = events.clone();
        let count = order.len();
        order.rotate_left(turn % count);
        let mut watermark = 0;
        for (number, event) in order.iter().enumerate() {
            run.read(event);
            if number % (1 + count / (steps.len() + 1)) == 0 {
                run.flush();
                watermark += steps.get(number % steps.len().max(1)).copied().unwrap_or(0);
                for owner in &mut run.owners {
                    owner.advance(0, watermark);
                    owner.forget(u32::MAX);
                }
                run.emit(mode);
            }
        }
        run.flush();
        for owner in &mut run.owners {
            owner.advance(0, 300_000);
        }
        run.emit(mode);
        let expected: BTreeMap<_, _> = naive(&events).into_iter().map(|(key, sum)| (key, (sum, true))).collect();
        prop_assert_eq!(&run.kept, &expected);
        for owner in &mut run.owners {
            owner.advance(0, 300_000 + KEEP_MS);
            owner.forget(u32::MAX);
            prop_assert!(owner.minutes.is_empty());
        }
    }

    #[test]
    fn above_is_the_sum_of_the_leaves(events in events()) {
        let mut run = Run::new(2);
        for event in &events {
            run.read(event);
        }
        run.flush();
        for owner in &mut run.owners {
            owner.advance(0, i64::MAX - 1);
        }
        run.emit(Mode::CatchUp);
        let total = |areas: std::ops::Range<u32>| -> (u64, i128) {
            run.kept.iter().filter(|((area, ..), _)| areas.contains(area))
                .fold((0, 0), |(count, sum), (_, (aggregate, _))| (count + aggregate.sum.count, sum + aggregate.sum.sum))
        };
        prop_assert_eq!(total(0..6), total(6..8));
        prop_assert_eq!(total(0..6), total(8..9));
    }
}

fn event(area: u32, time: i64, value: i64) -> Event {
    Event { reader: 0, area, group: 0, time, value, offset: time }
}

#[test]
fn in_catch_up_a_window_is_written_when_it_is_closed_and_again_when_something_comes_late() {
    let mut windows = Windows::default();
    let mut out = Vec::new();
    assert!(windows.apply(&event(1, 5_000, 7).delta()));
    assert!(windows.emit_changed(Lane::Last, Mode::CatchUp, 10, &mut out) && out.is_empty());
    windows.advance(0, 10_000);
    assert!(windows.emit_closed(10, &mut out));
    assert_eq!(out.len(), 2, "the pane's two metrics, not the open minute's");
    assert!(out.iter().all(|row| row.closed && row.window_s == 10));
    out.clear();
    assert!(windows.apply(&event(1, 6_000, 8).delta()));
    assert!(windows.emit_changed(Lane::Last, Mode::CatchUp, 10, &mut out));
    assert_eq!(out.iter().map(|row| row.aggregate.count).collect::<Vec<_>>(), [2, 2]);
    out.clear();
    assert!(windows.emit_changed(Lane::Last, Mode::Live, 10, &mut out));
    assert_eq!(out.iter().map(|row| row.window_s).collect::<Vec<_>>(), [60, 60], "the open minute, once it is live");
}

#[test]
fn live_windows_are_written_while_they_change_within_the_room_given() {
    let mut windows = Windows::default();
    for area in 0..6 {
        windows.apply(&event(area, 5_000, 7).delta());
    }
    let mut out = Vec::new();
    assert!(!windows.emit_changed(Lane::Last, Mode::Live, 4, &mut out));
    assert_eq!(out.len(), 4, "two metrics of a pane and of its minute");
    while !windows.emit_changed(Lane::Last, Mode::Live, out.len() + 4, &mut out) {}
    assert_eq!(out.len(), 24);
    out.clear();
    assert!(windows.emit_changed(Lane::Last, Mode::Live, 4, &mut out) && out.is_empty(), "nothing changed since");
}

#[test]
fn an_open_minute_may_wait_and_comes_the_next_time_or_when_it_is_closed() {
    let mut windows = Windows::default();
    let mut out = Vec::new();
    let mut lengths = |windows: &mut Windows, mode| {
        out.clear();
        windows.emit_closed(10, &mut out);
        windows.emit_changed(Lane::Last, mode, 10, &mut out);
        out.iter().map(|row| (row.window_s, row.closed, row.aggregate.count)).collect::<Vec<_>>()
    };
    windows.apply(&event(1, 5_000, 7).delta());
    assert_eq!(lengths(&mut windows, Mode::Panes), [(10, false, 1); 2]);
    assert_eq!(lengths(&mut windows, Mode::Panes), []);
    assert_eq!(lengths(&mut windows, Mode::Live), [(60, false, 1); 2]);
    windows.apply(&event(1, 55_000, 7).delta());
    assert_eq!(lengths(&mut windows, Mode::Panes), [(10, false, 1); 2]);
    windows.advance(0, 60_000);
    let minute = lengths(&mut windows, Mode::Panes).into_iter().filter(|(length, ..)| *length == 60);
    assert_eq!(minute.collect::<Vec<_>>(), [(60, true, 2); 2]);
}

#[test]
fn a_forgotten_minute_is_refused_in_the_live_domain_and_begun_anew_in_another() {
    let mut windows = Windows::default();
    windows.advance(0, 60_000 + KEEP_MS);
    assert!(!windows.apply(&event(1, 59_999, 7).delta()));
    assert!(windows.apply(&event(1, 60_000, 7).delta()));
    assert!(windows.apply(&Delta { domain: 1, ..event(1, 0, 7).delta() }));
}

#[test]
fn a_window_two_domains_share_waits_for_both() {
    let mut windows = Windows::default();
    windows.apply(&event(1, 5_000, 7).delta());
    windows.apply(&Delta { domain: 1, ..event(1, 5_000, 8).delta() });
    let mut out = Vec::new();
    windows.advance(0, 60_000);
    assert!(windows.emit_closed(10, &mut out) && out.is_empty());
    windows.advance(1, i64::MAX);
    windows.emit_closed(10, &mut out);
    assert_eq!(out.len(), 4);
}
